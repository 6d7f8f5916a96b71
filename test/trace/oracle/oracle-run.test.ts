import { expect, test } from 'vitest';
import { openInput } from '../../../src/trace/bytes/open-input.js';
import { NOT_OF_ZONE, type StateDump } from '../../../src/trace/oracle/oracle-dump.js';
import { type OracleItem, readOracleRun, readStateDumps } from '../../../src/trace/oracle/oracle-run.js';
import { OracleSource } from '../../../src/trace/oracle/oracle-source.js';
import { dataPath, errorOf, eventsOf, inputOf } from '../helpers.js';

async function itemsOf(text: string): Promise<OracleItem[]> {
  const items: OracleItem[] = [];
  for await (const item of readOracleRun(await inputOf(text, 'run.jsonl'))) items.push(item);
  return items;
}

function freePages(dump: StateDump, zone: number): number {
  return dump.zones[zone]?.free.reduce((sum, list) => sum + (list.pfns.length << list.order), 0) ?? -1;
}

test('a scripted run of 6.1', async () => {
  const items: OracleItem[] = [];
  for await (const item of readOracleRun(await openInput(dataPath('oracle-6.1.jsonl.xz')))) items.push(item);
  const count = (t: OracleItem['t']) => items.filter((item) => item.t === t).length;
  expect([count('alloc'), count('free'), count('check'), count('zonelist')]).toEqual([1947, 1916, 4, 2]);
  expect(items.filter((item) => item.t === 'alloc' && item.pfn === undefined)).toHaveLength(31);
  expect(items[0]).toMatchObject({
    t: 'run',
    mix: 'mixed_orders',
    seed: 2,
    nops: 3000,
    release: '6.1.0-56-amd64',
  });
  const states = items.flatMap((item) => (item.t === 'state' ? [item.state] : []));
  expect(states.map((state) => [state.when, state.op])).toEqual([
    ['initial', 0],
    ['ckpt1', 750],
    ['ckpt2', 1500],
    ['ckpt3', 2250],
    ['final', 3000],
    ['before_freeall', 0],
    ['after_freeall', 863],
  ]);
  const initial = states[0]!;
  const dma32 = initial.zones[1]!;
  expect(dma32).toMatchObject({
    zone: 1,
    name: 'DMA32',
    start_pfn: 4096,
    managed: 20_173,
    wmark: [239, 298, 357, 416],
    highatomic_free: undefined,
    nr_free_pages: 4374,
  });
  expect(dma32.pcps).toMatchObject([
    { cpu: 0, count: 4, high: 298, batch: 3, free_factor: 0, high_min: undefined, nr_free_diff: 2 },
  ]);
  expect([...(dma32.pcps[0]?.lists[0]?.pfns ?? [])]).toEqual([30514, 30512, 30523, 30489]);
  expect(dma32.blocks.types.length).toBe(64);
  expect(dma32.movable.blocks[0]).toBe(7);
  expect(dma32.movable.pages[0]).toBe(35);
  // The folded counter and the CPU's own part make what the lists hold.
  expect(freePages(initial, 1)).toBe(4374 + 2);
  expect(items.find((item) => item.t === 'alloc')).toEqual({
    t: 'alloc',
    op: 0,
    gfp: 2,
    order: 3,
    pfn: 36776,
  });
});

test('dumps of a workload trace on 7.2', async () => {
  const dumps = await readStateDumps(await openInput(dataPath('state-7.2.jsonl.xz')));
  expect(dumps.map((dump) => [dump.when, dump.op])).toEqual([
    ['before', -1],
    ['after', -1],
  ]);
  expect(freePages(dumps[0]!, 1)).toBe(208_484);
  expect(dumps[0]!.zones[1]).toMatchObject({ highatomic_free: 0, pageset_high: undefined });
  expect(dumps[0]!.zones[1]?.pcps[0]).toMatchObject({ free_factor: undefined, alloc_factor: 0 });
});

test('a run is a source of events', async () => {
  const source = new OracleSource(await openInput(dataPath('oracle-6.1.jsonl.xz')));
  const events = await eventsOf(source);
  expect(source.report).toMatchObject({ allocs: 1947, failed_allocs: 31, frees: 1916, states: 7, checks: 4 });
  expect(events.slice(0, 2)).toMatchObject([
    { ts: 0, op: 'alloc', order: 3, gfp: 1_648_842, pfn: 36776, migratetype: 1 },
    { ts: 1000, op: 'alloc', order: 0, gfp: 600_256, pfn: 30514 },
  ]);
});

const RUN =
  '{"t":"run","mix":"m","seed":1,"nops":2,"release":"6.1.0","gfps":[["U",3264]],"max_nr_zones":5}\n';
const STATE = '{"t":"state","when":"initial","op":0,"cpu":0,"ncpu":1,"jiffies":1}\n';
const ZONE =
  '{"t":"zone","zone":0,"name":"DMA","node":0,"start":1,"spanned":4095,"present":3998,"managed":3840,"wmark":[1,2,3,4],"boost":0,"highatomic_reserved":0,"lowmem_reserve":[0],"nr_free_pages":3,"drift_mark":0,"flags":0,"nr_isolate":0,"contiguous":1,"pageset_batch":1,"compact_deferred":[0,0,0],"nr_free":[0]}\n';

test('without CMA, type 4 is Isolate; blocks of other zones are marked', async () => {
  const blocks = '{"t":"pageblocks","zone":0,"first_pfn":0,"pageblock_order":9,"mts":"014."}\n';
  const end = '{"t":"endstate","when":"initial"}\n';
  const typesOf = async (release: string) => {
    const items = await itemsOf(RUN.replace('6.1.0', release) + STATE + ZONE + blocks + end);
    return items.flatMap((item) => (item.t === 'state' ? [...item.state.zones[0]!.blocks.types] : []));
  };
  expect(await typesOf('6.1.0-56-amd64')).toEqual([0, 1, 5, NOT_OF_ZONE]);
  expect(await typesOf('7.2.12')).toEqual([0, 1, 4, NOT_OF_ZONE]);
});

test.each([
  ['x\n', 'run.jsonl:1  "x" is not JSON; each line is one value'],
  ['3\n', 'run.jsonl:1  line is neither operation nor object'],
  [`${RUN}[0,"A",1,0,5]\n`, 'run.jsonl:2  A "1" names a request that the header does not list'],
  [`${RUN}[0,"A",0,11,5]\n`, 'run.jsonl:2  A "11" has no order'],
  [`${RUN}[0,"A",0,1,-5]\n`, 'run.jsonl:2  A "-5" has no PFN'],
  [`${RUN}[0,"A",0,1]\n`, 'run.jsonl:2  A "0" names no request'],
  [`${RUN}[1,"F",0,1,null]\n`, 'run.jsonl:2  F "null" has no PFN'],
  [`${RUN}[1,"X",0,1,2]\n`, 'run.jsonl:2  operation "X" is not A, F or C'],
  [`${RUN}["__proto__","A",0,1,2]\n`, 'run.jsonl:2  operation "__proto__" has no number'],
  [`${RUN}{"t":"free","zone":0,"order":0,"mt":0,"pfns":[1]}\n`, 'run.jsonl:2  free stands outside of a dump'],
  [`${STATE}[0,"A",0,0,5]\n`, 'run.jsonl:2  operation stands inside a dump'],
  [`${STATE}${STATE}`, 'run.jsonl:2  state begins before the one above has ended'],
  [
    `${STATE}{"t":"free","zone":3,"order":0,"mt":0,"pfns":[1]}\n`,
    'run.jsonl:2  free.zone "3" names a zone that no line before described',
  ],
  [
    `${STATE}${ZONE}{"t":"free","zone":0,"order":0,"mt":0,"pfns":[1.5]}\n`,
    'run.jsonl:3  free "1.5" holds something that is no PFN',
  ],
  [`${STATE}${ZONE}{"t":"__proto__"}\n`, 'run.jsonl:3  t "__proto__" is not a line of a dump'],
  [`${STATE}${ZONE}`, 'run.jsonl:2  ends in the middle of a dump'],
])('%j', async (text, expected) => {
  expect((await errorOf(itemsOf(text))).message).toBe(expected);
});

test('a zone line that lacks a size names it', async () => {
  const error = await errorOf(itemsOf(STATE + ZONE.replace('"managed":3840,', '')));
  expect(error.message).toMatch(/^run\.jsonl:2 {2}zone\.managed is not what a dump holds \(/);
});
