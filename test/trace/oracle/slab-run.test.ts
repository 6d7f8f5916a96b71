import { describe, expect, test } from 'vitest';
import { readSlabRun, type SlabRunItem } from '../../../src/trace/oracle/slab-run.js';
import { errorOf, inputOf } from '../helpers.js';

const RUN = {
  t: 'run',
  name: 'tiny',
  seed: 1,
  nops: 9,
  mode: 'bs',
  release: '6.18.2',
  cpus: 2,
  nodes: 2,
  gfps: [['KERNEL', 0xcc0]],
  stats: ['alloc_cpu_sheaf', 'alloc_fastpath', 'alloc_slowpath', 'free_fastpath', 'alloc_slab'],
};
const GEOMETRY = {
  t: 'geometry',
  cache: 0,
  name: 'so-2048',
  size: 2048,
  object_size: 2048,
  inuse: 2048,
  offset: 1024,
  align: 8,
  red_left_pad: 0,
  oo: [2, 8],
  min: [0, 2],
  min_partial: 5,
  cpu_partial: 24,
  cpu_partial_slabs: 6,
  flags: 0x21000,
  allocflags: 0x40000,
  ctor: 0,
  remote_node_defrag_ratio: 1000,
};
const SLAB = { t: 'slab', op: 0, n: 0, cache: 0, pfn: 64, order: 2, objects: 8, node: 0, ext: 0 };
const ALLOC = [
  0,
  'a',
  'T',
  0,
  0,
  0,
  0,
  0,
  [
    [2, 1],
    [4, 1],
  ],
];
const GOOD: readonly unknown[] = [RUN, GEOMETRY, SLAB, ALLOC, [1, 'a', 'H', 1, 0, 0, 0, 1]];

function read(lines: readonly unknown[]): Promise<SlabRunItem[]> {
  return readText(lines.map((line) => JSON.stringify(line)).join('\n'));
}

async function readText(text: string): Promise<SlabRunItem[]> {
  const items: SlabRunItem[] = [];
  for await (const item of readSlabRun(await inputOf(text, 'run.jsonl'))) items.push(item);
  return items;
}

test('lines of one operation come together, whatever their order', async () => {
  const items = await read([
    RUN,
    GEOMETRY,
    ALLOC,
    SLAB,
    [1, 'a', 'H', 1, 0, 0, 0, 1],
    [2, 'n1', 'T', 1, 0, 0, null, null, []],
    [3, 'b', 'T', 0, 0, 0, 2, [0, 2, 0, 3], [[1, 2]]],
    [4, 'f', 'T', 0, 0, 0, 1],
    { t: 'gone', op: 5, n: 0 },
    [5, 'g', 'T', 0, 0, 2, [0, 0, 0, 2, 0, 3], []],
    [6, 'l', 'T', 0, 0],
    [6, 'l', 'T', 1, 0],
    [6, 's', 'T', 0, 0],
    { t: 'order', op: 6, cache: 0, nodes: [[], []] },
    { t: 'pagefree', op: 7, order: 1, pfns: [5, 9] },
    { t: 'pagesnap', op: 7, name: 'pages_final', taken: 1 },
    { t: 'endrun', name: 'tiny', slabs: 1, overflow: 0 },
  ]);
  expect(items.map(({ t }) => t)).toEqual([
    'run',
    'geometry',
    ...Array.from({ length: 7 }, () => 'op'),
    'pagefree',
    'pagesnap',
  ]);
  const ops = items.flatMap((item) => (item.t === 'op' ? [item] : []));
  const { t: _, op: __, ext: ___, ...slab } = SLAB;
  expect(ops[0]).toEqual({
    t: 'op',
    op: 0,
    calls: [
      {
        kind: 'alloc',
        context: 'T',
        cpu: 0,
        cache: 0,
        gfp: 0,
        node: -1,
        wanted: 1,
        places: [0, 0],
        stats: [
          [2, 1],
          [4, 1],
        ],
      },
    ],
    made: [slab],
    gone: [],
    lists: undefined,
  });
  // What a line leaves out is one step of the fast path.
  expect(ops[1]!.calls[0]).toMatchObject({ context: 'H', cpu: 1, stats: [[1, 1]] });
  expect(ops[2]!.calls[0]).toMatchObject({ node: 1, places: [], stats: [] });
  expect(ops[3]!.calls[0]).toMatchObject({ kind: 'bulk_alloc', wanted: 2, places: [0, 2, 0, 3] });
  expect(ops[4]!.calls[0]).toMatchObject({ kind: 'free', places: [0, 1], stats: [[3, 1]] });
  expect(ops[5]).toMatchObject({ gone: [0] });
  expect(ops[6]!.calls.map(({ kind, cpu }) => [kind, cpu])).toEqual([
    ['flush', 0],
    ['flush', 1],
    ['shrink', 0],
  ]);
  expect(ops[6]!.lists).toEqual([[], []]);
});

test('a dump is one item', async () => {
  const items = await read([
    ...GOOD,
    { t: 'state', when: 'final', op: 2 },
    { t: 'cache', cache: 0, live: 2, stats: { alloc_fastpath: 1 } },
    { t: 'cpu', cache: 0, cpu: 0, slab: 0, freelist: [2, 3], tid: 8, partial: [], partial_slabs: 0 },
    { t: 'node', cache: 0, node: 0, nr_partial: 0, nr_slabs: 1, total_objects: 8, partial: [], full: [] },
    { t: 'ss', n: 0, inuse: 8, objects: 8, frozen: 1, np: 0, fl: [] },
    { t: 'endstate' },
  ]);
  const state = items.find((item) => item.t === 'state')!;
  expect(state).toMatchObject({ when: 'final', op: 2, caches: [{ live: 2 }], slabs: [{ frozen: 1 }] });
  expect(state).toMatchObject({ cpus: [{ slab: 0, freelist: [2, 3] }], nodes: [{ nr_slabs: 1 }] });
});

describe('is refused with its line:', () => {
  const state = { t: 'state', when: 'final', op: 2 };
  test.each<[string, readonly unknown[], RegExp]>([
    ['an operation before the header', [ALLOC], /^run\.jsonl:1 {2}run is missing/],
    ['two headers', [RUN, RUN], /run\.jsonl:2 {2}run stands twice/],
    ['a header without requests', [{ ...RUN, gfps: [] }], /run\.gfps is not valid/],
    ['a cache out of turn', [RUN, { ...GEOMETRY, cache: 1 }], /geometry\.cache "1" is not the next cache, 0/],
    [
      'an object of 8 MiB',
      [RUN, { ...GEOMETRY, object_size: 2 ** 23 }],
      /geometry\.object_size is not valid/,
    ],
    ['a slab of no cache', [RUN, SLAB], /slab\.cache "0" has no geometry/],
    ['a slab of a third node', [RUN, GEOMETRY, { ...SLAB, node: 2 }], /slab\.node "2" is not one of/],
    ['a slab made twice', [RUN, GEOMETRY, SLAB, SLAB], /slab\.n "0" was made before/],
    ['a CPU that is not there', [RUN, GEOMETRY, [0, 'a', 'T', 2, 0, 0, null, null]], /a\.cpu "2"/],
    ['a letter that is not known', [RUN, GEOMETRY, [0, 'Z', 'N', 0, 0]], /operation "Z" is not one of a, nK/],
    [
      'a context that is not known',
      [RUN, GEOMETRY, [0, 'a', 'N', 0, 0, 0, null, null]],
      /context that is known/,
    ],
    ['too few fields', [RUN, GEOMETRY, [0, 'a', 'T', 0]], /a has 4 fields and not 8 or 9/],
    ['a request that is not listed', [RUN, GEOMETRY, [0, 'a', 'T', 0, 0, 1, null, null]], /a\.gfp "1"/],
    [
      'a counter that is not listed',
      [RUN, GEOMETRY, SLAB, [0, 'a', 'T', 0, 0, 0, 0, 0, [[9, 1]]]],
      /counter/,
    ],
    ['a slot that the slab lacks', [...GOOD, [2, 'a', 'T', 0, 0, 0, 0, 8]], /slot "8" is not one of slab 0/],
    [
      'a slot handed out twice',
      [...GOOD, [2, 'a', 'T', 0, 0, 0, 0, 1]],
      /slot "1" of slab 0 is handed out twice/,
    ],
    [
      'a free of what is not out',
      [...GOOD, [2, 'f', 'T', 0, 0, 0, 5]],
      /slot "5" of slab 0 is freed but was not/,
    ],
    ['a slab that nobody made', [...GOOD, [2, 'f', 'T', 0, 0, 7, 5]], /slab "7" is none of cache 0/],
    ['a number of two operations', [...GOOD, [1, 'f', 'T', 0, 0, 0, 1]], /operation "1" has the number/],
    ['a slab of no operation', [...GOOD, { ...SLAB, op: 7, n: 1 }], /op "7" is the number of no operation/],
    ['a slab that goes twice', [...GOOD, { t: 'gone', op: 1, n: 4 }], /gone\.n "4" is no slab/],
    ['a dump in a dump', [...GOOD, state, state], /t "state" is not a line of a dump/],
    ['an operation in a dump', [...GOOD, state, ALLOC], /operation stands inside a dump/],
    ['a dump without end', [...GOOD, state], /state has no end/],
    [
      'a list of strange slabs',
      [...GOOD, state, { t: 'ss', n: 3, inuse: 1, objects: 1, frozen: 0, np: 0, fl: [] }],
      /ss\.n "3"/,
    ],
    ['a line of another format', [RUN, { t: 'zonelist' }], /t "zonelist" is not a line of a slab run/],
    ['a line that is a number', [RUN, 5], /line is neither operation nor object/],
  ])('%s', async (_what, lines, message) => {
    expect((await errorOf(read(lines))).message).toMatch(message);
  });

  test('what is no JSON', async () => {
    expect((await errorOf(readText(`${JSON.stringify(RUN)}\n{"t":`))).message).toMatch(
      /^run\.jsonl:2 {2}"\{"t":" is not JSON/,
    );
  });

  test('more caches than the CPUs of the run leave room for', async () => {
    const many = Array.from({ length: 9 }, (_, cache) => ({ ...GEOMETRY, cache }));
    expect((await errorOf(read([{ ...RUN, cpus: 8192 }, ...many]))).message).toMatch(
      /too many for 8192 CPUs/,
    );
  });
});
