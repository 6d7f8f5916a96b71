/** Where two replays part, found batch by batch while both run, against two whole logs laid side by side. */
import { beforeAll, describe, expect, test } from 'vitest';
import { PageComparison } from '../../../src/sim/fleet/first-difference.js';
import { Fleet } from '../../../src/sim/fleet/fleet.js';
import { EventBatch, Op } from '../../../src/trace/event-batch.js';
import { createTraceStrings } from '../../../src/trace/string-table.js';
import { fileOf } from '../support.js';
import { alone, csvOf, numbersFrom, randomRows, sideOf } from './support.js';

interface Parting {
  readonly number: number;
  readonly pfns: readonly number[];
}

function naiveFirst(a: readonly number[], b: readonly number[]): Parting | undefined {
  expect(a).toHaveLength(b.length);
  const number = a.findIndex((pfn, at) => pfn !== b[at]);
  return number < 0 ? undefined : { number, pfns: [a[number]!, b[number]!] };
}

type Policies = readonly [a: string, b: string, set?: readonly string[]];

async function bothWays(path: string, [a, b, set = []]: Policies) {
  const requests = [await sideOf(path, { policy: a }), await sideOf(path, { policy: b, set })];
  const comparison = new PageComparison();
  const fleet = await Fleet.start(2);
  await fleet.replay({ inputs: [path], open: {}, seed: 1 }, requests, {
    onPages: (side, pfns, batch) => comparison.add(side, pfns, batch),
  });
  await fleet.close();
  const logs = [await alone(requests[0]!), await alone(requests[1]!)] as const;
  return { first: comparison.first, naive: naiveFirst(logs[0].pfns, logs[1].pfns) };
}

const PAIRS: readonly Policies[] = [
  ['mainline-6.18', 'spb-v2'],
  ['mainline-6.1', 'mainline-7.2'],
  ['mainline-6.18', 'mainline-6.18', ['pcp.batch_scale_max=0']],
  ['spb-v2', 'spb-v2', ['watermark.boost_factor=0']],
  ['spb-v2', 'spb-v2'],
];

describe.each(PAIRS.map((pair) => ({ name: pair.flat().join(' '), pair })))('$name', ({ name, pair }) => {
  test('random traces part where their logs do', async () => {
    for (let seed = 1; seed <= 6; seed++) {
      const rows = randomRows(numbersFrom(seed * 7919), 1500 * seed);
      const path = await fileOf(`random-${name}-${seed}.csv`, csvOf(rows));
      const { first, naive } = await bothWays(path, pair);
      expect(first === undefined).toBe(naive === undefined);
      if (first === undefined) continue;
      expect({ number: first.event.number, pfns: first.pfns }).toEqual(naive);
      const [cpu, op, id] = rows[first.event.number]!.split(',');
      expect(first.event).toMatchObject({ cpu: Number(cpu), op, id });
    }
  });
});

test('the pairs above do part, all but the last, or nothing would have been compared', async () => {
  const path = await fileOf('long.csv', csvOf(randomRows(numbersFrom(5), 9000)));
  const parted = [];
  for (const pair of PAIRS) parted.push((await bothWays(path, pair)).first !== undefined);
  expect(parted.slice(-1)).toEqual([false]);
  expect(parted.filter((yes) => yes).length).toBeGreaterThanOrEqual(3);
});

describe('a difference that comes late', () => {
  const MARKS = 150_000;
  let path: string;
  beforeAll(async () => {
    const rows = [...Array(MARKS).fill('0,mark,,,,'), ...randomRows(numbersFrom(3), 9000)];
    path = await fileOf('late.csv', csvOf(rows));
  });

  test('is numbered by the events of all batches before', async () => {
    const { first, naive } = await bothWays(path, ['mainline-6.18', 'spb-v2']);
    expect(first!.event.number).toBeGreaterThanOrEqual(MARKS);
    expect({ number: first!.event.number, pfns: first!.pfns }).toEqual(naive);
    // Too much to be kept: to explain it the trace is read again.
    expect(first!.beginning).toBeUndefined();
  });
});

describe('what is put together from what the sides say', () => {
  const strings = createTraceStrings();
  const batchOf = (rows: number, start_ns: number) => {
    const batch = new EventBatch(strings, rows);
    batch.length = rows;
    batch.op.fill(Op.free);
    for (let row = 0; row < rows; row++) batch.ts[row] = start_ns + row;
    return batch;
  };

  test('one side may be batches ahead, either of them', () => {
    for (const ahead of [0, 1]) {
      const comparison = new PageComparison();
      const batches = [batchOf(3, 100), batchOf(2, 200), batchOf(4, 300)];
      const fast = [Int32Array.of(1, 2, 3), Int32Array.of(4, 5), Int32Array.of(6, 7, 8, 9)];
      const slow = [Int32Array.of(1, 2, 3), Int32Array.of(4, 5), Int32Array.of(6, 7, -1, 0)];
      for (const [at, pfns] of fast.entries()) expect(comparison.add(ahead, pfns, batches[at]!)).toBe(true);
      const wants = slow.map((pfns, at) => comparison.add(1 - ahead, pfns, batches[at]!));
      expect(wants).toEqual([true, true, false]);
      expect(comparison.first!.event).toMatchObject({ number: 7, ts_ns: 302, since_start_ns: 202 });
      expect(comparison.first!.pfns).toEqual(ahead === 0 ? [8, -1] : [-1, 8]);
    }
  });

  test('only the first counts, whatever is said after it', () => {
    const comparison = new PageComparison();
    comparison.add(0, Int32Array.of(1, 2), batchOf(2, 0));
    comparison.add(1, Int32Array.of(1, 3), batchOf(2, 0));
    const { first } = comparison;
    expect(comparison.add(0, Int32Array.of(7), batchOf(1, 9))).toBe(false);
    expect(comparison.add(1, Int32Array.of(8), batchOf(1, 9))).toBe(false);
    expect(comparison.first).toBe(first);
    expect(first!.event.number).toBe(1);
  });
});

test('only allocations and frees are about a page: what else is done to one cannot be explained', async () => {
  const rows = ['0,alloc,a,0,GFP_HIGHUSER_MOVABLE,', '0,reference,a,,,', '0,drop_caches,,,,', '0,mark,,,,x'];
  const request = await sideOf(await fileOf('uses.csv', csvOf([...rows, '0,free,a,,,'])));
  const { pfns, result } = await alone(request);
  expect(result.events.filter(({ op }) => op === 'reference')).toMatchObject([{ outcome: 'ok', count: 1 }]);
  expect(pfns.slice(1, 4)).toEqual([-1, -1, -1]);
  expect(pfns[0]).toBeGreaterThan(0);
});
