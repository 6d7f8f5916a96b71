/**
 * The fast decoder against the reference implementation: whatever the input, right, wrong or damaged, both give the same
 * events and the same error. Damage never ends in anything but an InputError.
 */
import { describe, expect } from 'vitest';
import {
  ARROW_COLUMNS,
  type ArrowColumn,
  isStringColumn,
  TRACE_FIELDS,
  WORD_COLUMNS,
} from '../../../src/trace/arrow/columns.js';
import {
  END_OF_STREAM,
  encodeDictionary,
  encodeRecordBatch,
  encodeSchema,
} from '../../../src/trace/arrow/ipc-encode.js';
import { type EventBatch, EventFlag, NO_ORDER, NONE_U32 } from '../../../src/trace/event-batch.js';
import { InputError } from '../../../src/trace/input-error.js';
import { fc, test } from '../properties.js';
import { batchOf, eventSeed, outcomeOf, written } from './support.js';

const MUTANTS = 1000;

/** Reads both ways and expects them to agree; what they agree on. */
async function bothWays(bytes: Uint8Array, batchEvents?: number) {
  const fast = await outcomeOf(bytes, { batchEvents });
  const strict = await outcomeOf(bytes, { batchEvents, cellByCell: true });
  for (const { thrown } of [fast, strict])
    if (thrown !== undefined && !(thrown instanceof InputError)) throw thrown;
  expect(fast.error).toBe(strict.error);
  expect(fast.events).toEqual(strict.events);
  return fast;
}

/** Sets one cell of a batch. */
function set(column: NumericColumn, value: number) {
  return (batch: EventBatch, row: number): void => {
    batch[column][row] = value;
  };
}

type NumericColumn =
  | ('ts' | 'cpu' | 'order' | 'node' | 'depth' | 'migratetype')
  | ('flags' | 'at' | 'ctx' | 'op' | 'cache' | 'id' | 'pfn');

/** Makes one cell of a batch what no trace has. */
const wrongCell: fc.Arbitrary<(batch: EventBatch, row: number) => void> = fc.constantFrom(
  set('ts', 0),
  set('ts', Number.MAX_SAFE_INTEGER + 1),
  set('cpu', 8192),
  set('order', 11),
  set('node', -2),
  set('node', 1024),
  set('depth', 4),
  set('depth', 3),
  set('migratetype', 6),
  set('flags', 16),
  set('at', 99),
  set('ctx', 99),
  set('ctx', 0),
  set('op', 99),
  set('cache', 0),
  (batch: EventBatch, row: number) => {
    set('flags', EventFlag.failed)(batch, row);
    set('pfn', 7)(batch, row);
  },
  (batch: EventBatch, row: number) => {
    set('id', NONE_U32)(batch, row);
    set('pfn', NONE_U32)(batch, row);
  },
  (batch: EventBatch, row: number) => {
    set('id', batch.id[Math.max(0, row - 1)]!)(batch, row);
    set('order', NO_ORDER)(batch, row);
  },
);

test('traces with a few wrong cells', async () => {
  let refused = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(eventSeed, { minLength: 1, maxLength: 40 }),
      fc.array(fc.tuple(wrongCell, fc.nat()), { maxLength: 3 }),
      fc.integer({ min: 1, max: 50 }),
      fc.integer({ min: 1, max: 50 }),
      async (seeds, mistakes, batchRows, batchEvents) => {
        const batch = batchOf(seeds);
        for (const [mistake, row] of mistakes) mistake(batch, row % seeds.length);
        const { error } = await bothWays(await written(batch, { format: 'stream', batchRows }), batchEvents);
        if (error !== undefined) refused++;
      },
    ),
    { numRuns: 300 },
  );
  expect(refused).toBeGreaterThan(100);
});

/** A stream of the writer's own types whose dictionaries and indices are free to be anything. */
function freeStream(
  texts: readonly string[],
  rows: readonly (readonly number[])[],
  entryNulls: boolean,
): Buffer {
  const encoder = new TextEncoder();
  const encodedTexts = texts.map((text) => encoder.encode(text));
  const offsets = new Int32Array(texts.length + 1);
  encodedTexts.forEach((bytes, i) => {
    offsets[i + 1] = offsets[i]! + bytes.length;
  });
  const validity = entryNulls ? Uint8Array.of(0b1111_1101, 255, 255, 255) : new Uint8Array(0);
  const values = {
    rows: texts.length,
    nodes: [[texts.length, entryNulls && texts.length > 1 ? 1 : 0] as const],
    buffers: [validity, new Uint8Array(offsets.buffer), Buffer.concat(encodedTexts)],
  };
  const columns = TRACE_FIELDS.map(({ name, type, dictionary }, c) => {
    const { bits } = dictionary?.index ?? type;
    const bytes = new Uint8Array((rows.length * bits) / 8);
    const view = new DataView(bytes.buffer);
    rows.forEach((row, i) => {
      const number = row[c]!;
      if (bits === 8) view.setUint8(i, number);
      else if (bits === 16) view.setUint16(2 * i, number, true);
      else if (bits === 32) view.setUint32(4 * i, number, true);
      else view.setBigInt64(8 * i, name === 'ts' ? BigInt(i * 10 + number) : BigInt(number), true);
    });
    return bytes;
  });
  const nulls = TRACE_FIELDS.map(({ nullable }, c) =>
    nullable ? rows.filter((row) => row[c]! % 3 === 0).length : 0,
  );
  const validities = TRACE_FIELDS.map(({ nullable }, c) => {
    const bits = new Uint8Array(Math.ceil(rows.length / 8));
    rows.forEach((row, i) => {
      if (!nullable || row[c]! % 3 !== 0) bits[i >> 3]! |= 1 << (i & 7);
    });
    return nulls[c] === 0 ? new Uint8Array(0) : bits;
  });
  return Buffer.concat([
    encodeSchema(TRACE_FIELDS, new Map()),
    ...TRACE_FIELDS.flatMap(({ dictionary }) =>
      dictionary === undefined ? [] : [encodeDictionary(dictionary.id, values).bytes],
    ),
    encodeRecordBatch({
      rows: rows.length,
      nodes: nulls.map((count) => [rows.length, count] as const),
      buffers: columns.flatMap((bytes, c) => [validities[c]!, bytes]),
    }).bytes,
    END_OF_STREAM,
  ]);
}

const WORDS = [
  'mark',
  'alloc',
  'free',
  'task',
  'irq',
  'any',
  'zone',
  '',
  '/',
  'GFP_KERNEL',
  '0x10',
  'none',
  'phase',
];
const UNPRINTABLE = ['a\u0001b', 'x\ufffd', 'y'.repeat(4097)];
const ODD = [...UNPRINTABLE, 'aloc', '\ufeffid', '\ufeff', 'failed=1', 'mark', 'naïve'];

test('dictionaries with any words, twice the same, empty, null, and indices that lead nowhere', async () => {
  const outcomes = { right: 0, wrong: 0 };
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom(...WORDS, ...ODD), { minLength: 1, maxLength: 12 }),
      fc.array(fc.array(fc.integer({ min: 0, max: 12 }), { minLength: 19, maxLength: 19 }), { maxLength: 8 }),
      fc.boolean(),
      fc.boolean(),
      async (texts, rows, entryNulls, isTame) => {
        // Tame ones get through more often: marks in task context, with any texts.
        const list = isTame
          ? ['mark', 'task', ...texts.filter((text) => !UNPRINTABLE.includes(text))]
          : texts;
        const tameCell = (n: number, column: ArrowColumn) => {
          if (column === 'ctx') return 1;
          if ((WORD_COLUMNS as readonly string[]).includes(column)) return 0;
          return isStringColumn(column) ? n % list.length : n % 2;
        };
        const tame = isTame ? rows.map((row) => row.map((n, c) => tameCell(n, ARROW_COLUMNS[c]!))) : rows;
        const { error } = await bothWays(freeStream(list, tame, entryNulls && !isTame));
        if (error === undefined && rows.length > 0) outcomes.right++;
        else outcomes.wrong++;
      },
    ),
    { numRuns: 500 },
  );
  expect(outcomes.right).toBeGreaterThan(20);
  expect(outcomes.wrong).toBeGreaterThan(100);
});

test('a dictionary of many entries, two of them alike, is looked up entry by entry', async () => {
  const texts = ['mark', 'task', ...Array.from({ length: 2000 }, (_, i) => `s${i}`)];
  // A cell whose index is a multiple of three is empty.
  const rows = [10, 1501, 1999].map((site) =>
    TRACE_FIELDS.map(({ name }) => (name === 'site' ? site : name === 'ctx' ? 1 : 0)),
  );
  texts[1501] = 's8';
  const { events, error } = await bothWays(freeStream(texts, rows, false));
  expect(error).toBeUndefined();
  expect(events.map((event) => event.site)).toEqual(['s8', 's8', 's1997']);
});

describe.each(['stream', 'file'] as const)('a damaged %s', (format) => {
  const make = (seed: number) =>
    written(batchOf(fc.sample(eventSeed, { numRuns: 30, seed })), { format, batchRows: 11 });

  test('with some bytes changed', async () => {
    const original = await make(1);
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.tuple(fc.nat(original.length - 1), fc.oneof(fc.nat(255), fc.constantFrom(0, 255, 127, 128, 1))),
          {
            minLength: 1,
            maxLength: 4,
          },
        ),
        async (changes) => {
          const bytes = Buffer.from(original);
          for (const [at, value] of changes) bytes[at] = value;
          await bothWays(bytes);
        },
      ),
      { numRuns: MUTANTS },
    );
  });

  test('with its metadata changed', async () => {
    const original = await make(2);
    // The schema and the first messages, where a byte decides most.
    await fc.assert(
      fc.asyncProperty(fc.nat(2600), fc.nat(255), async (at, value) => {
        const bytes = Buffer.from(original);
        bytes[at] = value;
        await bothWays(bytes);
      }),
      { numRuns: MUTANTS },
    );
  });

  test('cut anywhere ends with what was read and says so', async () => {
    const original = await make(3);
    const { events } = await outcomeOf(original);
    for (let length = 0; length < original.length; length += 29) {
      const cut = await outcomeOf(original.subarray(0, length), {}, 500);
      expect(cut.thrown).toBeInstanceOf(InputError);
      expect([length, (cut.thrown as InputError).isCut]).toEqual([length, true]);
      expect(cut.events).toEqual(events.slice(0, cut.events.length));
    }
  });
});
