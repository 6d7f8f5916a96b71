/** Nested rows beside what they interrupt, held against a model that looks at the whole trace for every row. */
import { describe, expect } from 'vitest';
import { Prng } from '../../src/gen/prng.js';
import { Ctx, EventBatch, type EventSource, Op } from '../../src/trace/event-batch.js';
import { InputError } from '../../src/trace/input-error.js';
import { NestedGroups, REACH_ROWS } from '../../src/trace/join/nested-groups.js';
import { createTraceStrings } from '../../src/trace/string-table.js';
import { fc, test } from './properties.js';

/** A row as far as nesting is about it; its number in the input stands in `size`. */
interface Row {
  readonly ts: number;
  readonly cpu: number;
  readonly depth: number;
  readonly ctx: number;
  readonly at: number;
  readonly size: number;
}

const COLUMNS = ['ts', 'cpu', 'depth', 'ctx', 'at', 'size'] as const;

/** `rows` in batches of the given sizes, again and again, each in the same memory. */
class Rows implements EventSource {
  readonly strings = createTraceStrings();

  constructor(
    readonly rows: readonly Row[],
    readonly sizes: readonly number[],
    readonly error?: Error,
  ) {}

  async *batches(): AsyncGenerator<EventBatch> {
    const batch = new EventBatch(this.strings, Math.max(...this.sizes));
    for (let from = 0, n = 0; from < this.rows.length; n++) {
      const part = this.rows.slice(from, from + this.sizes[n % this.sizes.length]);
      part.forEach((row, i) => {
        batch.op[i] = Op.mark;
        for (const column of COLUMNS) batch[column][i] = row[column];
      });
      batch.length = part.length;
      yield batch;
      // Whoever still needs the rows has to have copied them.
      for (const column of batch.columns) column.fill(77);
      from += part.length;
    }
    if (this.error !== undefined) throw this.error;
  }
}

/** The batches, each as its rows. */
async function batchesOf(source: EventSource): Promise<Row[][]> {
  const batches: Row[][] = [];
  for await (const batch of source.batches()) {
    const rows: Row[] = [];
    for (let i = 0; i < batch.length; i++) {
      const [ts, cpu, depth, ctx, at, size] = COLUMNS.map((column) => batch[column][i]);
      rows.push({ ts, cpu, depth, ctx, at, size } as Row);
    }
    batches.push(rows);
  }
  return batches;
}

/** Each row looks back for what it interrupts; then the rows of depth 0 collect theirs. */
function model(rows: readonly Row[]): { groups: Row[][]; alone: number } {
  const cpus = new Map<number, { row: Row; group: Row[] }[]>();
  const groups: Row[][] = [];
  let alone = 0;
  for (const row of rows) {
    const above = cpus.get(row.cpu) ?? [];
    cpus.set(row.cpu, above);
    const below = above.findLast(({ row: { depth } }) => depth < row.depth);
    const fits =
      below?.row.depth === row.depth - 1 &&
      row.size - below.row.size <= REACH_ROWS &&
      row.ctx >= below.row.ctx;
    if (row.depth > 0 && fits) {
      below.group.push(row);
      above.push({ row, group: below.group });
      continue;
    }
    if (row.depth > 0) alone++;
    const outer = row.depth > 0 ? { ...row, depth: 0, at: 0 } : row;
    const group = [outer];
    groups.push(group);
    above.push({ row: outer, group });
  }
  let last = 0;
  const inTime = (row: Row) => {
    last = Math.max(last, row.ts);
    return { ...row, ts: last };
  };
  return { groups: groups.map((group) => group.map(inTime)), alone };
}

/** A line for each row: compared faster than objects. */
function textOf(rows: readonly Row[]): string {
  return rows.map((row) => COLUMNS.map((column) => row[column]).join(' ')).join('\n');
}

function row(cpu: number, depth: number, size: number, ctx: number = Ctx.task): Row {
  return { ts: size * 10, cpu, depth, ctx, at: depth === 0 ? 0 : 1, size };
}

/** Stretches with and without nested rows, rows that nest in nothing, and CPUs that are silent for long. */
function story(seed: number, count: number, cpus: number): Row[] {
  const prng = new Prng(seed, 'story');
  const rows: Row[] = [];
  let nests = 0;
  let busy = cpus;
  for (let size = 0; size < count; size++) {
    if (prng.below(nests === 0 ? 5000 : 700) === 0) nests = Math.max(0, prng.below(6) - 2);
    if (prng.below(500) === 0) busy = 1 + prng.below(cpus);
    const depth = prng.below(4) < nests ? prng.below(4) : 0;
    // Mostly from the last CPUs, so that the first ones come late to what they interrupt.
    const cpu = prng.below(200) === 0 ? prng.below(cpus) : cpus - 1 - prng.below(busy);
    const ctx = Math.min(3, prng.below(2) + depth);
    rows.push({ ts: size * 3 + prng.below(3), cpu, depth, ctx, at: prng.below(5), size });
  }
  return rows;
}

describe('nested groups', () => {
  test('are those of the whole trace, wherever batches of the input end, and no batch splits one', async () => {
    let nested = 0;
    let lost = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.nat(),
        fc.integer({ min: 1, max: 40_000 }),
        fc.integer({ min: 1, max: 6 }),
        fc.array(fc.oneof(fc.integer({ min: 20, max: 1100 }), fc.integer({ min: 500, max: 12_000 })), {
          minLength: 1,
          maxLength: 4,
        }),
        fc.constantFrom(1, 100, 50_000),
        async (seed, count, cpus, sizes, batchEvents) => {
          const rows = story(seed, count, cpus);
          const expected = model(rows);
          const source = new NestedGroups(new Rows(rows, sizes), undefined, batchEvents);
          const batches = await batchesOf(source);
          expect(source.alone).toBe(expected.alone);
          expect(textOf(batches.flat())).toBe(textOf(expected.groups.flat()));
          for (const batch of batches) expect(batch[0]?.depth).toBe(0);
          nested += rows.filter(({ depth }) => depth > 0).length - expected.alone;
          lost += expected.alone;
        },
      ),
      { numRuns: 10 },
    );
    expect(nested).toBeGreaterThan(1000);
    expect(lost).toBeGreaterThan(1000);
  }, 60_000);

  test('keep the order of each CPU, and times do not decrease', async () => {
    const rows = story(3, 20_000, 4);
    const seen = (await batchesOf(new NestedGroups(new Rows(rows, [7000])))).flat();
    expect(seen).toHaveLength(rows.length);
    for (let cpu = 0; cpu < 4; cpu++) {
      const numbers = seen.filter((one) => one.cpu === cpu).map(({ size }) => size);
      expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
    }
    seen.forEach((one, i) => {
      if (i > 0) expect(one.ts).toBeGreaterThanOrEqual(seen[i - 1]!.ts);
    });
  });

  test('rows of other CPUs go behind the group, with its last time', async () => {
    const rows = [row(0, 0, 0), row(1, 0, 1), row(0, 1, 2), row(1, 1, 3), row(0, 2, 4), row(2, 0, 5)];
    const [seen] = await batchesOf(new NestedGroups(new Rows(rows, [6])));
    expect(seen!.map(({ size, ts }) => [size, ts])).toEqual([
      [0, 0],
      [2, 20],
      [4, 40],
      [1, 40],
      [3, 40],
      [5, 50],
    ]);
  });

  test.each([
    [REACH_ROWS, 1, 0],
    [REACH_ROWS + 1, 0, 1],
  ])('a row %i rows behind what it interrupts has depth %i', async (distance, depth, alone) => {
    // With rows before, so that some have gone on, at times just before the last; all of them open, and a nested one among them.
    for (const before of [0, 7169, 9000, 20_000])
      for (const nestedRow of [-1, 400, before - 1])
        for (const size of [1, 100, 1023, 1025, 9000]) {
          const rows = Array.from({ length: before + distance + 1 }, (_, i) => row(10 + i, 0, i));
          if (nestedRow > 0 && before > 0) rows[nestedRow] = row(9 + nestedRow, 1, nestedRow);
          rows[before] = row(0, 0, before);
          rows[before + distance] = row(0, 1, before + distance);
          const source = new NestedGroups(
            new Rows(rows, nestedRow === 400 ? [500] : [before + 1, size]),
            undefined,
            100,
          );
          const seen = (await batchesOf(source)).flat();
          expect(seen.find((one) => one.size === before + distance)!.depth).toBe(depth);
          expect(seen[before + 1]!.size).toBe(before + (depth === 1 ? distance : 1));
          expect(source.alone).toBe(alone);
        }
  });

  test('a row of a lower context interrupts nothing', async () => {
    const rows = [row(0, 0, 0, Ctx.hardirq), row(0, 1, 1, Ctx.softirq), row(0, 1, 2, Ctx.softirq)];
    const source = new NestedGroups(new Rows(rows, [2]));
    const seen = (await batchesOf(source)).flat();
    // The row that became one of depth 0 is what the next one interrupts.
    expect(seen.map(({ depth, at }) => [depth, at])).toEqual([
      [0, 0],
      [0, 0],
      [1, 1],
    ]);
    expect(source.alone).toBe(1);
  });

  test('without nested rows all but the rows within reach stay in the batch that they came in', async () => {
    const rows = Array.from({ length: 100_000 }, (_, i) => row(i % 3, 0, i));
    const source = new Rows(rows, [50_000]);
    const lengths = (await batchesOf(new NestedGroups(source))).map(({ length }) => length);
    expect(lengths).toEqual([50_000 - REACH_ROWS, REACH_ROWS, 50_000 - REACH_ROWS, REACH_ROWS]);
    const asTheyAre = new NestedGroups(source, () => false);
    expect((await batchesOf(asTheyAre)).map(({ length }) => length)).toEqual([50_000, 50_000]);
  });

  test('what was read before an error is given before it', async () => {
    const rows = [row(0, 0, 0), row(1, 0, 1), row(0, 1, 2)];
    const error = new InputError({ file: 'x.csv', expectation: 'is cut', isCut: true });
    const seen: number[] = [];
    await expect(
      (async () => {
        for await (const batch of new NestedGroups(new Rows(rows, [2], error)).batches())
          seen.push(...batch.size.subarray(0, batch.length));
      })(),
    ).rejects.toBe(error);
    expect(seen).toEqual([0, 2, 1]);
  });
});
