import { expect, test } from 'vitest';
import { type EventBatch, Op } from '../../../src/trace/event-batch.js';
import { createTraceStrings } from '../../../src/trace/string-table.js';
import { FreeJoin } from '../../../src/trace/text/free-join.js';
import { fc } from '../properties.js';

/** What a test feeds: `free P order`, `batched P`, `alloc P`. */
type Step = { readonly kind: 'free' | 'batched' | 'alloc'; readonly pfn: number; readonly order: number };

interface Row {
  readonly op: 'free' | 'alloc';
  readonly pfn: number;
  readonly order: number;
  readonly ts: number;
}

function run(steps: readonly Step[], capacity: number): { rows: Row[]; join: FreeJoin } {
  const join = new FreeJoin(createTraceStrings(), capacity);
  const rows: Row[] = [];
  const collect = (batch: EventBatch) => {
    for (let i = 0; i < batch.length; i++) {
      rows.push({
        op: batch.op[i] === Op.free ? 'free' : 'alloc',
        pfn: batch.pfn[i]!,
        order: batch.order[i]!,
        ts: batch.ts[i]!,
      });
    }
  };
  steps.forEach((step, ts) => {
    const row = join.next();
    const { batch } = join;
    batch.ts[row] = ts;
    batch.cpu[row] = 0;
    batch.op[row] = step.kind === 'alloc' ? Op.alloc : Op.free;
    batch.pfn[row] = step.pfn;
    batch.order[row] = step.order;
    batch.flags[row] = 0;
    batch.pid[row] = 1;
    if (step.kind === 'free') join.sawFree(row);
    if (step.kind === 'batched') join.sawBatched(row);
    for (const ready of join.take()) collect(ready);
  });
  join.finish();
  for (const ready of join.take()) collect(ready);
  return { rows, join };
}

/** The rule itself, without windows and batches. model: page-allocator 8.2 */
function obvious(steps: readonly Step[]): Row[] {
  const rows: (Row & { batched: boolean })[] = [];
  steps.forEach((step, ts) => {
    if (step.kind !== 'batched') {
      rows.push({ op: step.kind, pfn: step.pfn, order: step.order, ts, batched: false });
      return;
    }
    const at = rows.findLastIndex((row) => row.op === 'free' && row.pfn === step.pfn);
    const earlier = at < 0 || rows[at]!.batched ? undefined : rows.splice(at, 1)[0];
    rows.push({ op: 'free', pfn: step.pfn, order: earlier?.order ?? 0xff, ts, batched: true });
  });
  return rows.map(({ batched: _, ...row }) => row);
}

const free = (pfn: number, order = 0): Step => ({ kind: 'free', pfn, order });
const batched = (pfn: number): Step => ({ kind: 'batched', pfn, order: 0 });
const alloc = (pfn: number): Step => ({ kind: 'alloc', pfn, order: 0 });

test('a pair is one free, at the second event, with the order of the first', () => {
  const { rows, join } = run([free(7, 2), alloc(9), batched(7)], 16);
  expect(rows).toEqual([
    { op: 'alloc', pfn: 9, order: 0, ts: 1 },
    { op: 'free', pfn: 7, order: 2, ts: 2 },
  ]);
  expect(join).toMatchObject({ joined: 1, alone: 0, emitted: 2 });
});

test('a free without a second event stands where it is', () => {
  expect(run([free(7), alloc(9)], 16).rows[0]).toEqual({ op: 'free', pfn: 7, order: 0, ts: 0 });
});

test('a batched event alone is a free of unknown order', () => {
  const { rows, join } = run([batched(7), free(8), batched(8), batched(8)], 16);
  expect(rows.map((row) => row.order)).toEqual([0xff, 0, 0xff]);
  expect(join).toMatchObject({ joined: 1, alone: 2 });
});

test('the second free of a page is joined, not the first', () => {
  expect(run([free(7, 3), alloc(7), free(7, 1), batched(7)], 16).rows).toEqual([
    { op: 'free', pfn: 7, order: 3, ts: 0 },
    { op: 'alloc', pfn: 7, order: 0, ts: 1 },
    { op: 'free', pfn: 7, order: 1, ts: 3 },
  ]);
});

test('a pair is found across the border of two batches', () => {
  const steps = [free(1), free(2), free(3), free(4), batched(1), batched(3)];
  const { rows, join } = run(steps, 4);
  expect(rows.map((row) => row.pfn)).toEqual([2, 4, 1, 3]);
  expect(join.joined).toBe(2);
});

test('a lost stretch separates the two events', () => {
  const join = new FreeJoin(createTraceStrings(), 4);
  const append = (pfn: number) => {
    const row = join.next();
    join.batch.op[row] = Op.free;
    join.batch.pfn[row] = pfn;
    join.batch.cpu[row] = 3;
    join.batch.pid[row] = 1;
    return row;
  };
  join.sawFree(append(7));
  join.sawFree(append(8));
  join.sawBatched(append(8));
  join.lost(3);
  join.sawBatched(append(7));
  expect(join).toMatchObject({ joined: 1, alone: 1 });
});

test('a task that changes its CPU between the two events is followed, another task is not', () => {
  const join = new FreeJoin(createTraceStrings(), 8);
  const append = (pfn: number, cpu: number, pid: number) => {
    const row = join.next();
    join.batch.op[row] = Op.free;
    join.batch.pfn[row] = pfn;
    join.batch.cpu[row] = cpu;
    join.batch.pid[row] = pid;
    return row;
  };
  join.sawFree(append(7, 0, 12));
  join.sawBatched(append(7, 1, 12));
  join.sawFree(append(8, 0, 12));
  join.sawBatched(append(8, 1, 13));
  expect(join).toMatchObject({ joined: 1, moved: 1, alone: 1 });
});

test('any mixture gives what the rule says, whatever the size of the batches', () => {
  const step = fc.record({
    kind: fc.constantFrom<Step['kind']>('free', 'batched', 'alloc'),
    pfn: fc.integer({ min: 0, max: 9 }),
    order: fc.integer({ min: 0, max: 10 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.constantFrom(64, 128), (steps, capacity) => {
      expect(run(steps, capacity).rows).toEqual(obvious(steps));
    }),
  );
  // Pairs that are nearer than a batch are joined with small batches, too.
  const near = fc.array(
    fc.record({ gap: fc.integer({ min: 0, max: 3 }), order: fc.integer({ min: 0, max: 10 }) }),
  );
  fc.assert(
    fc.property(near, (pairs) => {
      const steps = pairs.flatMap(({ gap, order }, i) => [
        free(100 + i, order),
        ...Array.from({ length: gap }, () => alloc(5)),
        batched(100 + i),
      ]);
      expect(run(steps, 4).rows).toEqual(obvious(steps));
    }),
  );
});
