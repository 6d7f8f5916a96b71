/** The start state of a recording without exact lists: what the first events and kpageflags say. model: page-allocator 8.15, 8.17 */
import { describe, expect, test } from 'vitest';
import { isBuddy, isPcp, NO_ZONE, PageKind } from '../../src/mm/page-alloc/page-map.js';
import { validate } from '../../src/mm/page-alloc/validate.js';
import { Migratetype } from '../../src/mm/types.js';
import { loadFromSnapshot } from '../../src/sim/start-state/from-snapshot.js';
import { TraceScan } from '../../src/sim/start-state/trace-scan.js';
import { vmstatTicks } from '../../src/sim/start-state/vmstat-ticks.js';
import { type Kpageflags, PageClass } from '../../src/trace/recording/snapshot/kpageflags.js';
import type { Pagetypeinfo } from '../../src/trace/recording/snapshot/pagetypeinfo.js';
import { TextReader } from '../../src/trace/text/reader.js';
import { POLICY_NAMES } from '../mm/policies.js';
import { inputOf } from '../trace/helpers.js';
import { B, type Bench, bench, listsOf, pin, put, record, Tracefs } from './pinned-support.js';
import { notesOf } from './support.js';

const { unmovable: U, movable: M, reclaimable: R } = Migratetype;
const BLOCKS = 16;

async function scanOf(trace: Tracefs, end = B + BLOCKS * 512): Promise<TraceScan> {
  const scan = new TraceScan(end);
  const reader = new TextReader(await inputOf(`# tracer: nop\n${trace.text}`, 'trace.txt'));
  try {
    for await (const batch of reader.batches()) scan.add(batch);
  } catch (error) {
    if (trace.text !== '') throw error;
  }
  return scan;
}

/** All pages of the bench of one class, then exceptions. */
function flags(usual: number, ...exceptions: [from: number, pages: number, kind: number][]): Kpageflags {
  const classes = new Uint8Array(B + BLOCKS * 512);
  classes.fill(usual, B);
  for (const [from, pages, kind] of exceptions) classes.fill(kind, from, from + pages);
  return { classes, counts: [], raw: undefined };
}

/** pagetypeinfo of the bench: blocks by type, and free chunks below pageblock order by type and order. */
function types(blocks: Record<number, number>, free: Record<number, number[]> = {}): Pagetypeinfo {
  const zone = 2;
  return {
    pageblock_order: 9,
    types: [U, M, R],
    free: [U, M, R].map((type) => ({
      node: 0,
      zone,
      type,
      free: Array.from({ length: 11 }, (_, order) => free[type]?.[order] ?? 0),
      capped: [],
    })),
    blocks: [{ node: 0, zone, blocks: [0, 1, 2, 3, 4, 5].map((type) => blocks[type] ?? 0) }],
    mixed_blocks: [],
  };
}

async function start(
  on: Bench,
  trace: Tracefs,
  kpageflags: Kpageflags | undefined,
  pagetypeinfo?: Pagetypeinfo,
): Promise<string[]> {
  const notes = loadFromSnapshot(on.mm, { scan: await scanOf(trace), kpageflags, pagetypeinfo });
  validate(on.mm);
  return notes;
}

describe('free pages', () => {
  test('form the largest aligned chunks, each on the list of its block', async () => {
    const on = bench('mainline-6.18');
    //      B+0x10..0x1f   o4      B+0x21..0x27  o0 o1 o2      B+0x400..0x7ff  o10
    const kpageflags = flags(
      PageClass.other,
      [B + 0x10, 16, PageClass.free],
      [B + 0x21, 7, PageClass.free],
      [B + 0x400, 1024, PageClass.free],
    );
    const pagetypeinfo = types({ [U]: 1, [M]: 15 }, { [U]: [1, 1, 1, 0, 1] });
    await start(on, new Tracefs(), kpageflags, pagetypeinfo);
    expect(listsOf(on)).toEqual(['o0 t0: 21', 'o1 t0: 22', 'o2 t0: 24', 'o4 t0: 10', 'o10 t1: 400']);
    expect(on.zone.nr_free_pages).toBe(16 + 7 + 1024);
  });

  test('a page that the trace allocates first was free, whatever kpageflags said half a second later', async () => {
    const on = bench('mainline-6.18');
    const trace = new Tracefs()
      .refill(B + 8)
      .refill(B + 9)
      .alloc(B + 8)
      .free(B + 0x20);
    const kpageflags = flags(PageClass.slab, [B + 0x20, 1, PageClass.free]);
    await start(on, trace, kpageflags);
    expect(listsOf(on)).toEqual(['o1 t0: 8']);
  });

  test('an event after the snapshot leaves the snapshot its word', async () => {
    const on = bench('mainline-6.18');
    const trace = new Tracefs()
      .line('tracing_mark_write: spbsim: workload begins')
      .refill(B + 8)
      .alloc(B + 8)
      .free(B + 0x20);
    await start(on, trace, flags(PageClass.slab, [B + 0x20, 1, PageClass.free]));
    expect(listsOf(on)).toEqual(['o0 t0: 20']);
  });

  test('without kpageflags: what the trace shows to leave the buddy lists', async () => {
    const on = bench('mainline-6.18');
    const trace = new Tracefs()
      .refill(B + 8, 2)
      .alloc(B + 8, 2)
      .refill(B + 12, 2)
      .free(B + 0x20);
    const notes = await start(on, trace, undefined);
    expect(listsOf(on)).toEqual(['o3 t0: 8']);
    expect(notes[0]).toContain('1 blocks shown by the trace');
  });
});

test("without kpageflags, buddyinfo says how much is free; the places are the model's", async () => {
  const on = bench('mainline-6.18');
  const trace = new Tracefs()
    .refill(B + 8, 2, M)
    .alloc(B + 8, 2)
    .free(B + 4096);
  const free = [3, 0, 1, 0, 0, 0, 0, 0, 0, 1, 2];
  const notes = loadFromSnapshot(on.mm, {
    scan: await scanOf(trace),
    kpageflags: undefined,
    pagetypeinfo: undefined,
    buddyinfo: [{ node: 0, zone: 2, free }],
  });
  validate(on.mm);
  expect([...on.zone.nr_free]).toEqual(free);
  expect(notes[1]).toContain('2,563 free pages placed as buddyinfo counts them');
  // Nothing was placed where the trace shows a page in use.
  expect(on.mm.pages.buddyHead(B + 4096)).toBe(-1);
});

describe('per-CPU lists', () => {
  test('pages handed out or drained without a refill stood on a list, in that order', async () => {
    const on = bench('mainline-6.18');
    const trace = new Tracefs()
      .on(1)
      .alloc(B + 3)
      .alloc(B + 9)
      .drain(B + 1)
      .drain(B + 7)
      .refill(B + 0x40)
      .on(0)
      .alloc(B + 0x84, 2, 'GFP_HIGHUSER_MOVABLE');
    const notes = await start(on, trace, flags(PageClass.other));
    expect(listsOf(on)).toEqual(['o0 t0: 40', 'cpu 0 list 7: 84', 'cpu 1 list 0: 3 9 7 1']);
    expect(notes).toContain('8 pages placed on per-CPU lists by their first event');
  });

  test('nothing is placed there without refill events: a page may have come from anywhere', async () => {
    const on = bench('mainline-6.18');
    await start(on, new Tracefs().alloc(B + 3), flags(PageClass.other));
    expect(listsOf(on)).toEqual(['o0 t0: 3']);
  });
});

describe('block types', () => {
  //  B:  |slab, o0 free|page cache|slab|slab|  all others without memory of the allocator
  const kpageflags = flags(
    PageClass.other,
    [B, 1536, PageClass.slab],
    [B + 4, 1, PageClass.free],
    [B + 512, 512, PageClass.file],
    [B + 1024, 1024, PageClass.slab],
  );

  test('a block of kernel pages is Unmovable, one with LRU pages Movable, as far as pagetypeinfo allows', async () => {
    const on = bench('mainline-6.18');
    await start(on, new Tracefs(), kpageflags, types({ [U]: 1, [M]: 1, [R]: 2 }, { [U]: [1] }));
    expect([0, 1, 2, 3].map((block) => on.mm.pages.blockType[(B >>> 9) + block])).toEqual([U, M, R, R]);
    expect(on.mm.pages.blockMovable[(B >>> 9) + 1]).toBe(512);
    expect(on.mm.pages.state[B + 600]! >> 4).toBe(PageKind.lru);
  });

  test('free chunks that only Reclaimable lists have make a Reclaimable block', async () => {
    const on = bench('mainline-6.18');
    await start(on, new Tracefs(), kpageflags, types({ [U]: 2, [M]: 1, [R]: 1 }, { [R]: [1] }));
    expect([0, 1, 2, 3].map((block) => on.mm.pages.blockType[(B >>> 9) + block])).toEqual([R, M, U, U]);
  });

  test('the trace knows better', async () => {
    const on = bench('mainline-6.18');
    const trace = new Tracefs().drain(B + 512, 0, R).drain(B + 1030, 0, M);
    await start(on, trace, kpageflags, types({ [U]: 2, [M]: 1, [R]: 1 }, { [U]: [1] }));
    expect([0, 1, 2].map((block) => on.mm.pages.blockType[(B >>> 9) + block])).toEqual([U, R, M]);
  });

  test('a fallback shows the type that all blocks of its chunk had before', async () => {
    const on = bench('mainline-6.18');
    const free = flags(PageClass.other, [B, 1024, PageClass.free]);
    const trace = new Tracefs()
      .extfrag(B, 0, 10, U, M, 1)
      .alloc(B)
      .refill(B + 512, 0, U)
      .alloc(B + 512);
    await start(on, trace, free);
    expect([0, 1].map((block) => on.mm.pages.blockType[(B >>> 9) + block])).toEqual([M, M]);
  });

  test("a free chunk of pageblock order on the Unmovable list is a free block, best beside one of the type's", async () => {
    const on = bench('mainline-6.18');
    //  |slab|free|page cache|free|
    const halves = flags(
      PageClass.other,
      [B, 512, PageClass.slab],
      [B + 512, 512, PageClass.free],
      [B + 1024, 512, PageClass.file],
      [B + 1536, 512, PageClass.free],
    );
    const free = [0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    await start(on, new Tracefs(), halves, types({ [U]: 2, [M]: 2 }, { [U]: free, [M]: free }));
    expect([0, 1, 2, 3].map((block) => on.mm.pages.blockType[(B >>> 9) + block])).toEqual([U, U, M, M]);
  });

  test('blocks that pagetypeinfo does not count are no memory', async () => {
    const on = bench('mainline-6.18');
    await start(on, new Tracefs(), kpageflags, types({ [U]: 3, [M]: 1 }, { [U]: [1] }));
    const owners = [...on.mm.pages.blockZone.subarray(B >>> 9, (B >>> 9) + BLOCKS)];
    expect(owners).toEqual([0, 0, 0, 0, ...new Array(12).fill(NO_ZONE)]);
    expect(on.mm.findZone(B + 5 * 512)).toBeUndefined();
  });
});

test('the ticks of the vmstat worker have their phase from its drains', async () => {
  const second = 1_000_000;
  const trace = new Tracefs()
    .on(0)
    .free(B)
    .wait(second)
    .on(0, '.....', 9)
    .drain(B)
    .wait(3 * second)
    .drain(B + 1);
  trace
    .wait(2 * second)
    .on(1)
    .free(B + 9);
  const ticks = vmstatTicks(await scanOf(trace), 0, 1e9).map((ns) => Math.round(ns / 1e9));
  expect(ticks).toEqual([1, 2, 3, 4, 5, 6, 7]);
  // A CPU that never drained is taken to run with the others.
  expect(vmstatTicks(await scanOf(trace), 1, 1e9)).toHaveLength(7);
  expect(vmstatTicks(await scanOf(new Tracefs().free(B)), 0, 1e9)).toEqual([]);
});

/** kpageflags of a bench as it is. */
function flagsOf({ mm, zone }: Bench): Kpageflags {
  const kpageflags = flags(PageClass.other);
  for (let order = 0; order <= 10; order++)
    for (let type = 0; type < 6; type++)
      for (const pfn of zone.listPfns(order, type))
        kpageflags.classes.fill(PageClass.free, pfn, pfn + (1 << order));
  for (let pfn = zone.start_pfn; pfn < zone.end_pfn; pfn++) {
    const state = mm.pages.state[pfn]!;
    if (!isBuddy(state) && !isPcp(state) && state >> 4 === PageKind.lru)
      kpageflags.classes.fill(PageClass.anon, pfn, pfn + (1 << (state & 15)));
  }
  return kpageflags;
}

test.each(POLICY_NAMES)(
  '%s: a state that was in use for a while, known by kpageflags only, makes every PFN legal and ends with the real lists',
  async (policy) => {
    const real = bench(policy, 7, 60);
    put(real, 10, ...Array.from({ length: 8 }, (_, i) => B + 1024 * i));
    record(real, 5000, 7);
    const kpageflags = flagsOf(real);
    const trace = record(real, 5000, 8);

    const model = bench(policy, 7, 60);
    const scan = await scanOf(trace);
    loadFromSnapshot(model.mm, { scan, kpageflags, pagetypeinfo: undefined });
    const { replay, notes } = await pin(model, trace.text, false, policy.slice('mainline-'.length) as '6.1');
    expect(replay.legality.legal).toBe(replay.legality.allocations);
    expect(notesOf(notes).silent_frees ?? 0).toBe(0);
    expect([...model.zone.nr_free]).toEqual([...real.zone.nr_free]);
    const { known, pfn_predicted } = replay.refills.tally;
    expect(known).toBeGreaterThan(20);
    expect(pfn_predicted / known).toBeGreaterThan(0.9);
  },
);
