/** Whatever a trace holds comes back from Arrow as it was, and reads the same to the reference implementation. */
import { type Table, tableFromIPC } from 'apache-arrow';
import { describe, expect } from 'vitest';
import { ARROW_COLUMNS, type ArrowColumn } from '../../../src/trace/arrow/columns.js';
import { ArrowReader } from '../../../src/trace/arrow/reader.js';
import { ArrowWriter } from '../../../src/trace/arrow/writer.js';
import { ASKS_MEMORY, NEEDS_CACHE_OR_SIZE, NEEDS_MEMCG, NEEDS_SIZE } from '../../../src/trace/csv/columns.js';
import { CsvReader } from '../../../src/trace/csv/reader.js';
import { CsvWriter } from '../../../src/trace/csv/writer.js';
import { type EventBatch, Op } from '../../../src/trace/event-batch.js';
import { gfpDialect } from '../../../src/trace/gfp-text.js';
import { KERNEL_GENERATIONS } from '../../../src/trace/kernel-generation.js';
import { drain, inputOf, type SeenEvent } from '../helpers.js';
import { fc, test } from '../properties.js';
import { batchOf, eventSeed, once, readBack, seen, written } from './support.js';

const FORMATS = ['file', 'stream'] as const;
const RUNS = 60;

/** A cell of a table that the reference implementation has read. */
function cell(table: Table, name: string, row: number): unknown {
  return table.getChild(name)?.get(row);
}

/** What the documentation says that an event's cell holds. */
function documented(event: SeenEvent, name: ArrowColumn, format: (bits: number) => string): unknown {
  const op = Op[event.op as keyof typeof Op];
  const orNull = (text: string) => (text === '' ? null : text);
  switch (name) {
    case 'ts':
      return BigInt(event.ts);
    case 'order':
    case 'id':
    case 'pfn':
    case 'pid':
      return event[name] ?? null;
    case 'gfp':
      return event.gfp === 0 && ASKS_MEMORY[op] !== 1 ? null : format(event.gfp);
    case 'memcg':
      return event.memcg === '' && NEEDS_MEMCG[op] === 1 ? '/' : orNull(event.memcg);
    case 'site':
    case 'cache':
    case 'arg':
      return orNull(event[name]);
    case 'size':
      return event.size === 0 && NEEDS_SIZE[op] !== 1 && NEEDS_CACHE_OR_SIZE[op] !== 1 ? null : event.size;
    case 'at':
      return event.at === 0
        ? null
        : [
            ...['any', 'cpu_slab', 'list_lock', 'zone', 'pcp', 'memcg_stock', 'obj_stock'],
            ...['fastpath', 'install', 'page_alloc'],
          ][event.at];
    default:
      return event[name];
  }
}

describe.each(FORMATS)('%s', (format) => {
  test('every column of every event survives, whatever the sizes of batches and chunks', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(eventSeed, { maxLength: 80 }),
        fc.constantFrom(...KERNEL_GENERATIONS),
        fc.integer({ min: 1, max: 90 }),
        fc.integer({ min: 1, max: 90 }),
        fc.constantFrom(1, 7, 64, 1000, undefined),
        async (seeds, kernel, batchRows, batchEvents, pieceBytes) => {
          const batch = batchOf(seeds);
          const before = await seen(batch);
          const bytes = await written(batch, { format, kernel, batchRows });
          expect(await readBack(bytes, { batchEvents }, pieceBytes)).toEqual(before);
          expect(await readBack(bytes, { batchEvents, cellByCell: true }, pieceBytes)).toEqual(before);
        },
      ),
      { numRuns: RUNS },
    );
  });

  test('the reference implementation reads the documented values', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(eventSeed, { maxLength: 40 }),
        fc.constantFrom(...KERNEL_GENERATIONS),
        fc.integer({ min: 1, max: 50 }),
        async (seeds, kernel, batchRows) => {
          const batch = batchOf(seeds);
          const events = await seen(batch);
          const table = tableFromIPC(await written(batch, { format, kernel, batchRows }));
          const dialect = gfpDialect(kernel);
          expect(table.schema.fields.map((field) => field.name)).toEqual([...ARROW_COLUMNS]);
          expect(table.numRows).toBe(events.length);
          events.forEach((event, row) => {
            for (const name of ARROW_COLUMNS)
              expect([name, cell(table, name, row)]).toEqual([
                name,
                documented(event, name, (bits) => dialect.format(bits)),
              ]);
          });
        },
      ),
      { numRuns: RUNS },
    );
  });

  test('CSV to Arrow to CSV is equal byte by byte', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(eventSeed, { maxLength: 60 }), async (seeds) => {
        const csvOf = (batch: EventBatch) => {
          const writer = new CsvWriter();
          return writer.header() + writer.rows(batch);
        };
        // Observations, and ops on the root cgroup, have no form in CSV.
        const fitting = seeds.filter(
          ({ op, name }) => op < Op.obs_refill && (NEEDS_MEMCG[op] !== 1 || name % 2 === 0),
        );
        const csv = csvOf(batchOf(fitting));
        const reader = new CsvReader(await inputOf(csv));
        const { bytes, error } = await drain(new ArrowWriter({ format }).chunks(reader.batches()));
        expect(error).toBeUndefined();
        const back = new ArrowReader(await inputOf(bytes, 'trace.arrow'));
        const writer = new CsvWriter();
        let text = writer.header();
        for await (const batch of back.batches()) text += writer.rows(batch);
        expect(text).toBe(csv);
      }),
      { numRuns: RUNS },
    );
  });

  test('says in its metadata what it is, and the reader repeats it', async () => {
    const bytes = await written(batchOf([]), { format, kernel: '6.1', columns: ['ts', 'op', 'id'] });
    const { metadata } = tableFromIPC(bytes).schema;
    expect(Object.fromEntries(metadata)).toEqual({
      'spbsim.trace': '1',
      'spbsim.kernel': '6.1',
      'spbsim.columns': 'ts,op,id',
    });
    const reader = new ArrowReader(await inputOf(bytes, 'trace.arrow'), { kernel: '7.2' });
    for await (const _ of reader.batches()) expect.unreachable();
    expect(reader.report()).toMatchObject({
      rows: 0,
      emitted: 0,
      // What the CSV did not have is not written.
      columns: ['ts', 'op', 'id'],
      csv_columns: ['ts', 'op', 'id'],
      kernel: '6.1',
    });
  });
});

describe('a file', () => {
  test('whose rows do not stay in memory is the same as one whose rows do', async () => {
    const seeds = fc.sample(eventSeed, { numRuns: 500, seed: 3 });
    const spooled = await written(batchOf(seeds), { format: 'file', batchRows: 50, spoolBytes: 1000 });
    expect(spooled.equals(await written(batchOf(seeds), { format: 'file', batchRows: 50 }))).toBe(true);
  });

  test('leaves no temporary file behind when its reader goes away', async () => {
    const { readdirSync } = await import('node:fs');
    const { tmpdir } = await import('node:os');
    const count = () => readdirSync(tmpdir()).filter((name) => name.startsWith('spbsim-')).length;
    const before = count();
    const seeds = fc.sample(eventSeed, { numRuns: 500, seed: 3 });
    const writer = new ArrowWriter({ format: 'file', batchRows: 50, spoolBytes: 1000 });
    for await (const _ of writer.chunks(once(batchOf(seeds)))) break;
    expect(count()).toBe(before);
  });
});

describe('a stream', () => {
  test('starts its dictionaries anew, so that they stay small', async () => {
    const seeds = fc.sample(eventSeed, { numRuns: 12_000, seed: 4 }).map((seed, i) => ({ ...seed, id: i }));
    const batch = batchOf(seeds);
    const before = await seen(batch);
    const bytes = await written(batch, { format: 'stream', batchRows: 3000 });
    expect(await readBack(bytes)).toEqual(before);
    const table = tableFromIPC(bytes);
    expect(cell(table, 'id', 11_999)).toBe(before[11_999]?.id ?? null);
    const entries = table.getChild('id')?.data.map((data) => data.dictionary?.length ?? 0) ?? [];
    expect(entries.length).toBe(4);
    expect(Math.max(...entries)).toBeLessThan(8000);
  });
});

test('texts that readers refuse are written as they are escaped in CSV, and counted', async () => {
  const batch = batchOf(fc.sample(eventSeed, { numRuns: 1, seed: 5 }));
  batch.arg[0] = batch.strings.args.intern('\u001b[31mred\u0000');
  batch.site[0] = batch.strings.sites.internBytes(Uint8Array.of(0x66, 0xff), 0, 2);
  const writer = new ArrowWriter({ format: 'file' });
  const { bytes } = await drain(writer.chunks(once(batch)));
  expect(writer.report.escaped).toBe(2);
  const [event] = await readBack(bytes);
  expect(event).toMatchObject({ arg: '\\x1b[31mred\\x00', site: 'f\\xfffd' });
});
