/**
 * The scanner against the strict way, which csv-parse cuts: whatever bytes a file has, both must tell the same story, in
 * every column of every event, in the report, in the strings and in the errors.
 */
import { expect } from 'vitest';
import { CSV_COLUMNS, CSV_OPS, type CsvColumn } from '../../../src/trace/csv/columns.js';
import { type CsvOptions, CsvReader, type CsvReport } from '../../../src/trace/csv/reader.js';
import { CTX_NAMES, type EventBatch, LOCK_POINTS } from '../../../src/trace/event-batch.js';
import { InputError, InputErrors } from '../../../src/trace/input-error.js';
import { DEFAULT_LIMITS } from '../../../src/trace/limits.js';
import type { StringTable } from '../../../src/trace/string-table.js';
import { inputOf } from '../helpers.js';
import { fc, test } from '../properties.js';

const FILES = 4000;

type Numbers = readonly number[];

interface Story {
  readonly columns: readonly Numbers[];
  readonly report: CsvReport;
  readonly strings: readonly (readonly string[])[];
  readonly error: unknown;
}

function columnsOf(batch: EventBatch): number[][] {
  const { ts, cpu, ctx, op, order, gfp, id, pfn, migratetype, flags } = batch;
  const { size, node, cache, memcg, site, arg, depth, at, pid } = batch;
  return [
    ...[ts, cpu, ctx, op, order, gfp, id, pfn, migratetype, flags],
    ...[size, node, cache, memcg, site, arg, depth, at, pid],
  ].map((column) => [...column.subarray(0, batch.length)]);
}

function textsOf(table: StringTable): string[] {
  return Array.from({ length: table.size }, (_, number) => table.get(number));
}

function errorParts(error: unknown): unknown {
  if (error instanceof InputErrors) return { complete: error.complete, errors: error.errors.map(errorParts) };
  if (!(error instanceof InputError)) throw error;
  return { ...error, message: error.message };
}

async function storyOf(bytes: Uint8Array, options: CsvOptions, chunkBytes?: number): Promise<Story> {
  const reader = new CsvReader(await inputOf(bytes, 'trace.csv', chunkBytes), options);
  let columns: number[][] = [];
  let error: unknown;
  try {
    for await (const batch of reader.batches()) {
      const added = columnsOf(batch);
      columns = columns.length === 0 ? added : columns.map((column, i) => column.concat(added[i]!));
    }
  } catch (thrown) {
    error = errorParts(thrown);
  }
  const { ids, caches, memcgs, sites, args } = reader.strings;
  return {
    columns,
    report: reader.report(),
    strings: [ids, caches, memcgs, sites, args].map(textsOf),
    error,
  };
}

const text = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.constantFrom('a', 'b', 'c', 'a17', '17', '0xffff888004bc8b70', '/', '/a/b', ''),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      "'=x",
      "'",
      "''",
      "'a",
      '=1',
      '-1',
      '#x',
      '__proto__',
      'ü',
      'a b',
      'a\tb',
      '"x,y"',
      '"a"',
      '""',
      '"\'=1"',
    ),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom('"a""b"', '"a\nb"', '"a\r\nb"', 'a"b', '"a"b', '\u007f', '\ufffd', '"'),
  },
);
const number = (max: number) =>
  fc.oneof(
    { weight: 9, arbitrary: fc.nat(max).map(String) },
    { weight: 4, arbitrary: fc.constant('') },
    {
      weight: 1,
      arbitrary: fc.constantFrom('01', '0000000000000001', '00000000000000001', '-1', '1.0', ' 1'),
    },
    { weight: 1, arbitrary: fc.constantFrom(String(max), String(max + 1), '9007199254740993', '4294967295') },
  );
const gfp = fc.constantFrom(
  '""',
  '"GFP_KERNEL"',
  '',
  'GFP_KERNEL',
  'GFP_KERNEL|__GFP_ZERO',
  'GFP_ATOMIC',
  '0x2820',
  'none',
  'GFP_KERNEl',
);
const pfn = fc.constantFrom(
  '',
  '',
  '',
  '7',
  '0x1A2b',
  '0XfF',
  '0xffffffff',
  '0xfffffffe',
  '0x',
  '0x123456789',
  'f',
);

const CELLS: Readonly<Record<CsvColumn, fc.Arbitrary<string>>> = {
  ts: fc.oneof(
    { weight: 8, arbitrary: fc.constant('') },
    { weight: 2, arbitrary: fc.integer({ min: 0, max: 4_000_000_000 }).map(String) },
    { weight: 1, arbitrary: number(20) },
  ),
  cpu: number(8191).map((cell) => (cell.length === 4 ? '1' : cell)),
  ctx: fc.constantFrom('', ...CTX_NAMES, 'irq', 'tsk'),
  op: fc.oneof(
    { weight: 5, arbitrary: fc.constantFrom('alloc', 'free', 'kmalloc', 'kfree', 'mark') },
    { weight: 3, arbitrary: fc.constantFrom(...CSV_OPS) },
    { weight: 1, arbitrary: fc.constantFrom('', 'aloc', 'obs_drain') },
  ),
  id: text,
  order: number(10),
  gfp,
  node: number(1023),
  pfn,
  memcg: text,
  site: text,
  cache: text,
  size: number(0xffff_ffff),
  depth: fc.constantFrom('', '', '0', '1', '1', '2', '3', '4', '256'),
  at: fc.constantFrom('', '', ...LOCK_POINTS, 'zoen'),
  arg: fc.oneof({ weight: 4, arbitrary: text }, { weight: 1, arbitrary: fc.constant('failed=1;a') }),
};

const lineEnd = fc.oneof(
  { weight: 12, arbitrary: fc.constant('\n') },
  { weight: 3, arbitrary: fc.constant('\r\n') },
  { weight: 1, arbitrary: fc.constantFrom('\n\n', '\n\r\n', '\n#"c\n', '\n# x\r\n', '\r', '\r\r\n') },
);

const quotedAtTimes = (cell: fc.Arbitrary<string>) =>
  fc.oneof({ weight: 12, arbitrary: cell }, { weight: 1, arbitrary: cell.map((content) => `"${content}"`) });

/** Rows that are right more often than not, under a header with some of the columns in some order. */
const file = fc
  .shuffledSubarray([...CSV_COLUMNS], { minLength: 1 })
  .map((columns) => (columns.includes('op') ? columns : [...columns, 'op' as const]))
  .chain((columns) =>
    fc
      .array(fc.tuple(fc.tuple(...columns.map((column) => quotedAtTimes(CELLS[column]))), lineEnd), {
        maxLength: 12,
      })
      .map((rows) => `${columns.join(',')}\n${rows.map(([cells, end]) => cells.join(',') + end).join('')}`),
  );

/** Rows without any doubt in them, as most files have. */
const plainFile = fc
  .array(
    fc.tuple(
      fc.nat(2_000_000_000),
      fc.constantFrom('0', '3', '"1"'),
      fc.constantFrom('task', 'softirq', '"softirq"'),
      fc.constantFrom('alloc', 'free'),
      fc.constantFrom('1', '2', 'a3', '0xffff888004bc8b70'),
      fc.nat(3),
      fc.constantFrom('GFP_KERNEL', 'GFP_KERNEL|__GFP_ZERO', 'GFP_ATOMIC', ''),
    ),
    { minLength: 1, maxLength: 20 },
  )
  .map((rows) => {
    let ts = 0;
    const lines = rows.map(([gap, ...cells]) => {
      ts += gap;
      return `${ts},${cells.join(',')}\n`;
    });
    return `ts,cpu,ctx,op,id,order,gfp\n${lines.join('')}`;
  });

type Mutation = readonly [kind: number, at: number, byte: number];
const INSERTED = [...'"\r\n\0,#\'=-0 \t\u007f']
  .map((character) => character.charCodeAt(0))
  .concat(0xff, 0xc3, 0xef);
const mutation: fc.Arbitrary<Mutation> = fc.tuple(
  fc.nat(4),
  fc.nat(10_000),
  fc.oneof(fc.constantFrom(...INSERTED), fc.nat(255)),
);

/** Flips a bit, inserts or removes a byte, doubles a piece, or cuts the rest off; behind the header, mostly. */
function mutate(bytes: Buffer, [kind, where, byte]: Mutation): Buffer {
  const header = where % 20 === 0 ? 0 : bytes.indexOf('\n') + 1;
  const at = Math.min(bytes.length, header + (where % (bytes.length - header + 1)));
  const before = bytes.subarray(0, at);
  const after = bytes.subarray(at);
  switch (kind) {
    case 0: {
      const flipped = Buffer.from(bytes);
      if (at < flipped.length) flipped[at]! ^= 1 << (byte & 7);
      return flipped;
    }
    case 1:
      return Buffer.concat([before, Buffer.of(byte), after]);
    case 2:
      return Buffer.concat([before, after.subarray(1)]);
    case 3:
      return Buffer.concat([before, after.subarray(0, byte & 31), after]);
    default:
      return before;
  }
}

const options = fc.record({
  maxErrors: fc.constantFrom(1, 1, 2, 1000),
  skipInvalid: fc.boolean(),
  batchEvents: fc.constantFrom(1, 2, 3, 64),
  limits: fc.record({
    record_bytes: fc.constantFrom(DEFAULT_LIMITS.record_bytes, DEFAULT_LIMITS.record_bytes, 40, 80),
    strings: fc.constantFrom(DEFAULT_LIMITS.strings, DEFAULT_LIMITS.strings, DEFAULT_LIMITS.strings, 3),
  }),
});

test('scanner and strict way tell the same story, whatever the bytes and however they come', async () => {
  const seen = { events: 0, errors: 0, plain: 0, cut: 0 };
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(file, plainFile),
      fc.array(mutation, { maxLength: 3 }),
      options,
      fc.option(fc.integer({ min: 1, max: 60 }), { nil: undefined }),
      async (content, mutations, { limits, ...chosen }, chunkBytes) => {
        const bytes = mutations.reduce(mutate, Buffer.from(content));
        const all = { ...chosen, limits: { ...DEFAULT_LIMITS, ...limits } };
        const scanned = await storyOf(bytes, all, chunkBytes);
        const strict = await storyOf(bytes, { ...all, scanner: false });
        expect(scanned).toEqual(strict);
        seen.events += strict.report.emitted;
        if (strict.error !== undefined) seen.errors++;
        else if (strict.report.emitted > 0) seen.plain++;
        if (JSON.stringify(strict.error)?.includes('"isCut":true')) seen.cut++;
      },
    ),
    { numRuns: FILES },
  );
  // Neither only right nor only wrong files.
  expect(seen.events).toBeGreaterThan(FILES);
  expect(seen.errors).toBeGreaterThan(FILES / 10);
  expect(seen.plain).toBeGreaterThan(FILES / 10);
  expect(seen.cut).toBeGreaterThan(FILES / 200);
});
