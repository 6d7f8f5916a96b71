/** What belongs together in a trace. */
import { describe, expect, test } from 'vitest';
import { EventLog } from '../../../src/sim/bisect/event-log.js';
import { unitsOf } from '../../../src/sim/bisect/units.js';
import { CsvReader } from '../../../src/trace/csv/reader.js';
import { EventBatch, Op } from '../../../src/trace/event-batch.js';
import { createTraceStrings } from '../../../src/trace/string-table.js';
import { inputOf } from '../../trace/helpers.js';

/** Number of the unit of each row; rows of `op,id,pfn,order,arg`. */
async function unitsOfRows(...rows: string[]) {
  const reader = new CsvReader(await inputOf(`op,id,pfn,order,size,arg\n${rows.join('\n')}\n`));
  const log = new EventLog(reader.strings);
  for await (const batch of reader.batches()) log.append(batch);
  const { ofEvent, units } = unitsOf(log, log.length);
  return { units: [...ofEvent], objects: units.filter(({ isObject }) => isObject).length, each: units };
}

describe('units', () => {
  test('an object is its allocation and its frees; what names none stands alone', async () => {
    const { units, objects } = await unitsOfRows(
      'alloc,a,,0,,',
      'alloc,b,,0,,',
      'mark,,,,,x',
      'free,a,,,,',
      'drop_caches,,,,,',
      'reference,b,,,,',
      'free,b,,,,',
    );
    expect(units).toEqual([0, 1, 2, 0, 3, 1, 1]);
    expect(objects).toBe(2);
  });

  test('an id that is taken again names another object', async () => {
    const { units } = await unitsOfRows('alloc,a,,0,,', 'free,a,,,,', 'alloc,a,,0,,', 'free,a,,,,');
    expect(units).toEqual([0, 0, 1, 1]);
  });

  test('pages are joined by their PFNs, parts of them too', async () => {
    const { units } = await unitsOfRows(
      'alloc,,0x100,2,,',
      'alloc,,0x104,0,,',
      'free,,0x101,0,,',
      'free,,0x104,0,,',
      'free,,0x102,1,,',
      'alloc,,0x100,0,,',
      'free,,0x100,0,,',
      'free,,0x200,0,,',
    );
    expect(units).toEqual([0, 1, 0, 1, 0, 2, 2, 3]);
  });

  test('a free of pages of two objects makes them one', async () => {
    const { units, objects } = await unitsOfRows(
      'alloc,,0x100,0,,',
      'mark,,,,,x',
      'alloc,,0x101,0,,',
      'alloc,,0x102,0,,',
      'free,,0x100,1,,',
      'free,,0x102,0,,',
    );
    expect(units).toEqual([0, 1, 0, 2, 0, 2]);
    expect(objects).toBe(2);
  });

  test('an object that has an id and a PFN is known by both', async () => {
    const { units } = await unitsOfRows(
      'alloc,a,0x100,0,,',
      'alloc,b,0x101,0,,',
      'free,b,,,,',
      'free,,0x100,0,,',
    );
    expect(units).toEqual([0, 1, 1, 0]);
  });

  test('slab objects have ids of their own, pages and ranges share theirs', async () => {
    const { units } = await unitsOfRows(
      'alloc,a,,0,,',
      'kmalloc,a,,,64,',
      'kfree,a,,,,',
      'free,a,,,,',
      'contig_alloc,a,,,,pages=4',
      'contig_free,a,,,,',
      'contig_alloc,,0x40,,,pages=4',
      'alloc,,0x40,0,,',
      'contig_free,,0x40,,,',
      'free,,0x40,0,,',
    );
    expect(units).toEqual([0, 1, 1, 0, 2, 2, 3, 4, 3, 4]);
  });

  test('failed allocations name nothing', async () => {
    const { units, objects } = await unitsOfRows('alloc,a,,0,,failed=1', 'alloc,a,,0,,', 'free,a,,,,');
    expect(units).toEqual([0, 1, 1]);
    expect(objects).toBe(1);
  });

  test('what is known of a unit', async () => {
    const { each } = await unitsOfRows(
      'alloc,a,,0,,',
      'alloc,b,,0,,',
      'kmalloc,k,,,8,',
      'free,a,,,,',
      'tick,,,,,',
    );
    expect(each).toEqual([
      { isObject: true, isFreed: true, isReplayed: true },
      { isObject: true, isFreed: false, isReplayed: true },
      { isObject: true, isFreed: false, isReplayed: false },
      { isObject: false, isFreed: false, isReplayed: false },
    ]);
  });

  test('observations belong to none', () => {
    const batch = new EventBatch(createTraceStrings(), 4);
    batch.op.set([Op.mark, Op.obs_refill, Op.obs_lost, Op.mark]);
    batch.id.fill(0xffff_ffff);
    batch.length = 4;
    const log = new EventLog(batch.strings);
    log.append(batch);
    expect([...unitsOf(log, 4).ofEvent]).toEqual([0, -1, -1, 1]);
  });
});

describe('the log of events', () => {
  test('gives rows back as they came, until they are let go', () => {
    const batch = new EventBatch(createTraceStrings(), 5000);
    const log = new EventLog(batch.strings);
    let event = 0;
    for (const length of [5000, 1, 4999, 0, 3000, 5000, 5000, 5000, 5000, 5000]) {
      for (let row = 0; row < length; row++) batch.ts[row] = event++;
      batch.length = length;
      log.append(batch);
    }
    expect(log.length).toBe(event);
    const read = (from: number, to: number) =>
      [...log.rows(from, to)].flatMap(({ batch: rows, from: first, to: end, event: number }) => {
        expect(rows.ts[first]).toBe(number);
        return [...rows.ts.subarray(first, end)];
      });
    expect(read(0, event)).toEqual(Array.from({ length: event }, (_, i) => i));
    expect(read(16_380, 16_390)).toEqual([
      16_380, 16_381, 16_382, 16_383, 16_384, 16_385, 16_386, 16_387, 16_388, 16_389,
    ]);
    log.forget(33_000);
    expect(() => log.at(16_384)).toThrow(RangeError);
    expect(read(32_990, 33_010)).toHaveLength(20);
    expect(() => log.at(event)).toThrow(RangeError);
  });
});
