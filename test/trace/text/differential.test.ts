/**
 * The byte scanners against the plain reading of reference.ts: on real samples, on generated lines of every dialect and
 * on lines broken in every way. What one accepts the other accepts, with the same values; what one refuses both refuse.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect } from 'vitest';
import { openInput } from '../../../src/trace/bytes/open-input.js';
import type { KernelGeneration } from '../../../src/trace/kernel-generation.js';
import type { TextDialect } from '../../../src/trace/text/dialect.js';
import { TextReader } from '../../../src/trace/text/reader.js';
import { dataPath, drain, eventsOf, inputOf, type SeenEvent } from '../helpers.js';
import { fc, test } from '../properties.js';
import { lineOf, mutated } from './line-arbitraries.js';
import { readReference } from './reference.js';

/** Lines read at once, so that objects for all events of a large sample need not be held. */
const BLOCK_LINES = 20_000;
/** Events per batch where texts are short: a reader with small batches costs little. */
const FEW = 64;

/** Equality of millions of rows, for which toEqual takes too long. */
function areEqual(rows: readonly SeenEvent[], others: readonly SeenEvent[]): boolean {
  if (rows.length !== others.length) return false;
  const fields = Object.keys(rows[0] ?? {}) as (keyof SeenEvent)[];
  return rows.every((row, i) => fields.every((field) => Object.is(row[field], others[i]![field])));
}

async function compare(
  text: Uint8Array,
  dialect: TextDialect,
  kernel: KernelGeneration,
  size?: number,
  batchEvents?: number,
): Promise<void> {
  const reference = readReference(text, dialect, kernel);
  // Without any event the reader says that this is no trace.
  if (reference.kinds.size === 0) return;
  const reader = new TextReader(await inputOf(text, 'trace', size), { dialect, kernel, batchEvents });
  const events = await eventsOf(reader);
  const report = reader.report();
  if (!areEqual(events, reference.events)) expect(events).toEqual(reference.events);
  expect(new Map(report.by_kind.map((kind) => [kind.name, kind.events]))).toEqual(
    new Map([...reference.kinds].sort((a, b) => b[1] - a[1])),
  );
  expect(report.skipped.reduce((sum, kind) => sum + kind.lines, 0)).toBe(reference.refused.length);
  expect(report.null_frees).toBe(reference.null_frees);
}

/** Pieces of a text at line ends. */
function* blocks(text: Buffer): Generator<Buffer> {
  for (let start = 0; start < text.length; ) {
    let end = start;
    for (let line = 0; line < BLOCK_LINES && end < text.length; line++) {
      const next = text.indexOf(10, end);
      end = next < 0 ? text.length : next + 1;
    }
    const block = text.subarray(start, end);
    if (block.at(-1) === 10) yield block;
    start = end;
  }
}

async function compareFile(path: string, dialect: TextDialect, kernel: KernelGeneration): Promise<void> {
  const { bytes } = await drain((await openInput(path)).chunks);
  for (const block of blocks(bytes)) await compare(block, dialect, kernel, 1 << 16);
}

describe('samples of the repository', () => {
  const churn = fileURLToPath(new URL('../../../workloads/fs-churn/trace.gz', import.meta.url));
  test.each([
    [churn, 'tracefs', '6.18'],
    [dataPath('tracefs-6.1-mem.txt'), 'tracefs', '6.1'],
    [dataPath('tracefs-6.18-blocks.txt.xz'), 'tracefs', '6.18'],
    [dataPath('tracefs-7.2-nmi.txt'), 'tracefs', '7.2'],
    [dataPath('recording/trace.gz'), 'tracefs', '6.18'],
    [dataPath('tracefs-6.18-tgid.txt'), 'tracefs', '6.18'],
    [dataPath('tracefs-6.18-noirq.txt'), 'tracefs', '6.18'],
    [dataPath('tracefs-6.18-fields.txt'), 'tracefs', '6.18'],
    [dataPath('tracefs-6.18-pipe.txt'), 'tracefs', '6.18'],
    [dataPath('latency-6.18.txt'), 'latency', '6.18'],
    [dataPath('trace-cmd-6.1.txt'), 'trace-cmd', '6.1'],
    [dataPath('perf-6.18.txt'), 'perf', '6.18'],
    [dataPath('perf-6.18-short.txt'), 'perf', '6.18'],
    [dataPath('perf-6.18-chains.txt'), 'perf', '6.18'],
  ] as const)('%s', (path, dialect, kernel) => compareFile(path, dialect, kernel));
});

const shared = process.env.SPBSIM_SHARED ?? fileURLToPath(new URL('../../../../shared', import.meta.url));
const hasShared = existsSync(join(shared, 'recordings')) && existsSync(join(shared, 'oracle'));

function sharedSamples(): (readonly [string, TextDialect, KernelGeneration])[] {
  if (!hasShared) return [];
  const samples: (readonly [string, TextDialect, KernelGeneration])[] = [];
  for (const [release, kernel] of [
    ['6.1.192', '6.1'],
    ['6.18.15', '6.18'],
    ['7.2.12', '7.2'],
  ] as const) {
    for (const load of readdirSync(join(shared, 'oracle', release))) {
      const at = (name: string) => `oracle/${release}/${load}/${name}.txt.xz`;
      if (existsSync(join(shared, at('trace')))) samples.push([at('trace'), 'tracefs', kernel]);
      if (existsSync(join(shared, at('report')))) samples.push([at('report'), 'trace-cmd', kernel]);
      if (existsSync(join(shared, at('perf')))) samples.push([at('perf'), 'perf', kernel]);
    }
  }
  for (const name of ['slab-churn', 'net-loopback'])
    samples.push([`recordings/${name}/trace.gz`, 'tracefs', '6.18']);
  return samples;
}

describe.skipIf(!hasShared)('other samples', () => {
  test.each(sharedSamples())('%s', (path, dialect, kernel) =>
    compareFile(join(shared, path), dialect, kernel),
  );
});

describe('generated lines', () => {
  test.each(['tracefs', 'trace-cmd', 'latency', 'perf'] as const)('%s', async (dialect) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(lineOf(dialect), { minLength: 1, maxLength: 20 }),
        fc.constantFrom<KernelGeneration>('6.1', '6.18'),
        fc.integer({ min: 1, max: 400 }),
        (lines, kernel, size) =>
          compare(Buffer.from(`${lines.join('\n')}\n`, 'latin1'), dialect, kernel, size, FEW),
      ),
      { numRuns: 400 },
    );
  });
});

/** Lines of real samples, for breaking them. */
function sampleLines(dialect: TextDialect): string[] {
  const names = {
    tracefs: [
      'tracefs-7.2-nmi.txt',
      'tracefs-6.1-mem.txt',
      'tracefs-6.18-tgid.txt',
      'tracefs-6.18-fields.txt',
    ],
    'trace-cmd': ['trace-cmd-6.1.txt'],
    latency: ['latency-6.18.txt'],
    perf: ['perf-6.18.txt', 'perf-6.18-short.txt', 'perf-6.18-chains.txt'],
  }[dialect];
  return names.flatMap((name) => readFileSync(dataPath(name), 'latin1').split('\n'));
}

describe('broken lines', () => {
  test.each(['tracefs', 'trace-cmd', 'latency', 'perf'] as const)('%s', async (dialect) => {
    const line = fc.oneof(lineOf(dialect), fc.constantFrom(...sampleLines(dialect)));
    await fc.assert(
      fc.asyncProperty(
        fc.array(mutated(line), { minLength: 1, maxLength: 20 }),
        fc.integer({ min: 1, max: 400 }),
        (lines, size) => {
          // One good line, so that there is an event.
          const good = lineFor(dialect);
          return compare(Buffer.from(`${good}\n${lines.join('\n')}\n`, 'latin1'), dialect, '6.18', size, FEW);
        },
      ),
      { numRuns: 1000 },
    );
  });
});

function lineFor(dialect: TextDialect): string {
  switch (dialect) {
    case 'perf':
      return '            bash  4211 [002]   812.104233:      kmem:mm_page_free: page=0x1 pfn=0x1 order=0';
    case 'latency':
      return '    bash-4211       2d..2. 707871985us : mm_page_free: page=1 pfn=0x1 order=0';
    default:
      return '            bash-4211    [002] d..2.   812.104233: mm_page_free: page=1 pfn=0x1 order=0';
  }
}
