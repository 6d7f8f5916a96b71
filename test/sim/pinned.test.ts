/**
 * The pinned replay: the situations of the specification's section 8, each as a small trace of its own, and traces that
 * the model itself has recorded, which must be predicted to the last page.
 */
import { describe, expect, test } from 'vitest';
import { ZONE_RECLAIM_ACTIVE } from '../../src/mm/page-alloc/zone.js';
import { Migratetype } from '../../src/mm/types.js';
import { POLICY_NAMES } from '../mm/policies.js';
import { B, bench, listsOf, pin, put, record, Tracefs } from './pinned-support.js';
import { notesOf } from './support.js';

const U = Migratetype.unmovable;
const M = Migratetype.movable;

/** A bench whose first block is Unmovable, with single pages at B, B+2, B+4 … that cannot merge. */
function singles(policy: string, pages: number) {
  const on = bench(policy);
  on.mm.pages.blockType[B >>> 9] = U;
  put(on, 0, ...Array.from({ length: pages }, (_, i) => B + 2 * i));
  return on;
}

describe.each(POLICY_NAMES)('%s', (policy) => {
  test('8.1, 8.10: a refill is a burst, and its first page is the one handed out', async () => {
    const trace = new Tracefs()
      .refill(B)
      .refill(B + 2)
      .refill(B + 4)
      .refill(B + 6)
      .alloc(B)
      .alloc(B + 2);
    const { replay, notes, ...on } = await pin(singles(policy, 6), trace.text);
    expect(replay.refills.tally).toMatchObject({
      observed: 1,
      known: 1,
      size_predicted: 1,
      pfn_predicted: 1,
    });
    expect(replay.legality).toEqual({ allocations: 2, legal: 2, popped_as_predicted: 2, pops_known: 2 });
    expect(notesOf(notes)).toEqual({});
    expect(listsOf(on)).toEqual(['o0 t0: 8 a', 'cpu 0 list 0: 4 6']);
  });

  test('8.1: a softirq between a refill and its allocation sees the list as the refill left it', async () => {
    const trace = new Tracefs()
      .refill(B)
      .refill(B + 2)
      .refill(B + 4)
      .refill(B + 6);
    // The outer allocation has taken its page already; its event comes behind the nested one.
    trace
      .on(0, '..s1.')
      .alloc(B + 2)
      .on(0)
      .alloc(B);
    const { replay, notes, ...on } = await pin(singles(policy, 6), trace.text);
    expect(replay.legality.legal).toBe(2);
    expect(notes.get('implied_frees')).toBe(0);
    expect(listsOf(on)).toContain('cpu 0 list 0: 4 6');
  });

  test('8.2, 8.3: a batched free happens at its second event, with the order of the first', async () => {
    const on = bench(policy);
    on.mm.pages.blockType[B >>> 9] = U;
    const trace = new Tracefs()
      .free(B)
      .free(B + 8, 2)
      .free(B + 5)
      .batched(B)
      .batched(B + 8);
    const { replay, notes } = await pin(on, trace.text);
    expect(replay.event).toBe(3);
    expect(notesOf(notes)).toEqual({});
    // B+5 came first, though its event stands behind those of B and B+8.
    expect(listsOf(on)).toEqual(['cpu 0 list 0: 0 5', 'cpu 0 list 6: 8']);
  });

  test('8.4: a page that the trace never allocated may be freed', async () => {
    const { replay, notes, ...on } = await pin(
      bench(policy),
      new Tracefs().free(B + 3).free(B + 512, 2).text,
    );
    expect(notesOf(notes)).toEqual({});
    expect(replay.illegal).toEqual([]);
    expect(listsOf(on).join(' ')).toContain(': 3');
    expect(on.zone.pcps[0]!.count).toBe(5);
  });

  test('8.4: one that the model has on a list was allocated unseen', async () => {
    const on = singles(policy, 4);
    const { notes } = await pin(on, new Tracefs().free(B + 2).text);
    expect(notesOf(notes)).toEqual({ untraced_allocations: 1 });
    expect(listsOf(on)).toEqual(['o0 t0: 0 4 6', 'cpu 0 list 0: 2']);
  });

  test('8.5: a migration target that is freed twice is no error', async () => {
    const { notes, replay } = await pin(bench(policy), new Tracefs().free(B + 3).free(B + 3).text);
    expect(notesOf(notes)).toEqual({ untraced_allocations: 1 });
    expect(replay.illegal).toEqual([]);
  });

  test('8.6: one order-9 allocation, freed as pages', async () => {
    const on = bench(policy);
    put(on, 9, B);
    const trace = new Tracefs().refill(B, 9, M, 1).alloc(B, 9, 'GFP_HIGHUSER_MOVABLE|__GFP_COMP');
    for (let pfn = B; pfn < B + 32; pfn++) trace.free(pfn);
    const { replay, notes } = await pin(on, trace.text);
    expect(replay.legality.legal).toBe(1);
    expect(notesOf(notes)).toEqual({});
    expect(on.zone.pcps[0]!.count).toBe(32);
  });

  test('8.8: a failure takes nothing', async () => {
    const failed =
      'mm_page_alloc: page=0000000000000000 pfn=0x0 order=3 migratetype=0 gfp_flags=GFP_ATOMIC|__GFP_NOWARN';
    const { replay, notes, tallies } = await pin(bench(policy), new Tracefs().line(failed).text);
    expect(notesOf(notes)).toEqual({ recorded_failures: 1 });
    expect(replay.legality.allocations).toBe(0);
    expect(tallies.allocationRows()).toEqual([
      { migratetype: 'unmovable', ctx: 'task', order: 3, ok: 0, failed: 1 },
    ]);
  });

  test('8.10: one chunk of a per-CPU order, taken past the list', async () => {
    const on = singles(policy, 6);
    const trace = new Tracefs()
      .refill(B)
      .alloc(B)
      .refill(B + 2)
      .refill(B + 4)
      .refill(B + 6)
      .refill(B + 8)
      .alloc(B + 2);
    const { replay } = await pin(on, trace.text);
    expect(replay.refills.direct_removals).toBe(1);
    expect(replay.refills.tally).toMatchObject({ observed: 1, size_predicted: 1, pfn_predicted: 1 });
    expect(replay.legality.legal).toBe(2);
    expect(listsOf(on)).toEqual(['o0 t0: a', 'cpu 0 list 0: 4 6 8']);
  });

  test('8.11: a drain by a free, page by page from the tail', async () => {
    const on = bench(policy, 2, 6);
    on.mm.pages.blockType[B >>> 9] = U;
    const trace = new Tracefs();
    for (let i = 0; i < 5; i++) trace.free(B + 2 * i);
    trace.free(B + 20);
    const expected = bench(policy, 2, 6);
    expected.mm.pages.blockType[B >>> 9] = U;
    // As many as the model drains, from the tail on.
    const drained = policy === 'mainline-6.1' ? 2 : 4;
    for (let i = 0; i < drained; i++) trace.drain(B + 2 * i);
    const { replay, notes } = await pin(on, trace.text);
    expect(replay.drains.tally).toMatchObject({ observed: 1, known: 1, size_predicted: 1, pfn_predicted: 1 });
    expect(replay.drains.misses).toEqual([]);
    expect(notesOf(notes)).toEqual({});
  });

  test('8.11: a drain that the model would not do is told, and followed', async () => {
    const on = bench(policy);
    on.mm.pages.blockType[B >>> 9] = U;
    const trace = new Tracefs()
      .free(B)
      .free(B + 2)
      .free(B + 4)
      .drain(B);
    const { replay } = await pin(on, trace.text);
    expect(replay.drains.tally).toMatchObject({ observed: 1, known: 1, size_predicted: 0, pfn_predicted: 0 });
    expect(replay.drains.misses.map(({ event, cpu }) => ({ event, cpu }))).toEqual([{ event: 2, cpu: 0 }]);
    expect(replay.drains.misses[0]!.text).toContain('1 pages, the model would drain ');
    expect(listsOf(on)).toEqual(['o0 t0: 0', 'cpu 0 list 0: 4 2']);
  });

  test('8.11: another CPU drains a list; the page is found where it is', async () => {
    const on = bench(policy);
    on.mm.pages.blockType[B >>> 9] = U;
    const trace = new Tracefs()
      .on(1)
      .free(B)
      .free(B + 2)
      .on(0)
      .drain(B);
    const { notes } = await pin(on, trace.text);
    expect(notesOf(notes)).toEqual({});
    expect(listsOf(on)).toEqual(['o0 t0: 0', 'cpu 1 list 0: 2']);
  });

  test('8.11: a drained page whose free is missing was freed in silence', async () => {
    const on = bench(policy);
    on.mm.pages.blockType[B >>> 9] = U;
    const { notes } = await pin(on, new Tracefs().drain(B).text);
    expect(notesOf(notes)).toEqual({ silent_frees: 1 });
    expect(listsOf(on)).toEqual(['o0 t0: 0']);
  });

  test('8.4: the bulk allocator empties a list in silence: what lies above the page handed out has left', async () => {
    const on = singles(policy, 6);
    const trace = new Tracefs()
      .refill(B)
      .refill(B + 2)
      .refill(B + 4)
      .refill(B + 6)
      .alloc(B)
      .alloc(B + 6);
    const { replay, notes } = await pin(on, trace.text);
    expect(notesOf(notes)).toEqual({ untraced_takes: 2 });
    expect(replay.legality.legal).toBe(2);
    expect(listsOf(on)).toEqual(['o0 t0: 8 a']);
  });

  test('8.4: a refill of a list that the model holds to be full: it was emptied in silence', async () => {
    const on = singles(policy, 14);
    const trace = new Tracefs();
    // A tuned list doubles its second refill.
    const second = policy === 'mainline-6.1' ? 4 : 8;
    for (let i = 0; i < 4; i++) trace.refill(B + 2 * i);
    trace.alloc(B);
    for (let i = 4; i < 4 + second; i++) trace.refill(B + 2 * i);
    trace.alloc(B + 8);
    const { replay } = await pin(on, trace.text);
    expect(replay.refills.untraced_takes).toBe(3);
    expect(replay.refills.tally).toMatchObject({ observed: 2, pfn_predicted: 2 });
  });

  test('8.9: a page freed to the wrong list, because its block has another type', async () => {
    // The model holds B's block to be Movable; that the page comes back for a kernel request shows that it is not.
    const on = bench(policy);
    const trace = new Tracefs()
      .free(B)
      .free(B + 2)
      .alloc(B + 2, 0, 'GFP_KERNEL');
    const { replay, notes } = await pin(on, trace.text);
    expect(replay.legality.legal).toBe(1);
    if (policy === 'mainline-6.1') expect(notes.get('retyped_blocks')).toBe(0);
    else expect(on.mm.pages.blockType[B >>> 9]).toBe(U);
  });

  test('8.13: an allocation without a refill event, from the buddy lists of the model', async () => {
    const on = bench(policy);
    put(on, 4, B);
    const { replay, notes } = await pin(on, new Tracefs().alloc(B + 8, 2).text);
    expect(notesOf(notes)).toEqual({ refills_without_event: 1 });
    expect(replay.legality.legal).toBe(1);
    expect(listsOf(on)).toEqual(['o2 t1: c', 'o3 t1: 0']);
  });

  test('a list of a type that the model does not have is taken for that of the block', async () => {
    const on = bench(policy);
    put(on, 3, B);
    const { replay, notes } = await pin(on, new Tracefs().refill(B, 0, 9).alloc(B).text);
    expect(notes.get('unknown_types')).toBe(1);
    expect(replay.legality.legal).toBe(1);
  });

  test('8.14: after a loss a page may be handed out twice: counted, told, and the replay goes on', async () => {
    const on = singles(policy, 4);
    const trace = new Tracefs()
      .refill(B)
      .refill(B + 2)
      .refill(B + 4)
      .refill(B + 6)
      .alloc(B);
    const lost = `${trace.text}CPU:0 [LOST 3 EVENTS]\n${new Tracefs().wait(100).alloc(B).free(B).text}`;
    const { replay, notes } = await pin(on, lost);
    expect(notesOf(notes)).toEqual({ lost_event_gaps: 1, implied_frees: 1 });
    expect(replay.legality).toMatchObject({ allocations: 2, legal: 1 });
    expect(replay.illegal).toEqual([{ event: 6, ts_ns: expect.any(Number), pfn: B, order: 0, cpu: 0 }]);
  });

  test('8.12: CPUs and pages that the machine does not have', async () => {
    const on = singles(policy, 4);
    const trace = new Tracefs()
      .on(7)
      .free(B + 1)
      .on(0)
      .free(0x50)
      .alloc(0xfff_ffff);
    const { notes } = await pin(on, trace.text);
    expect(notesOf(notes)).toEqual({ pages_outside_machine: 2, cpus_outside_machine: 1 });
  });
});

describe('fallback, as 6.1 tells it', () => {
  test("a steal moves the chunk to the request's list; the removal has its own event", async () => {
    const on = bench('mainline-6.1');
    put(on, 9, B);
    const trace = new Tracefs()
      .extfrag(B, 0, 9, U, M, 1)
      .refill(B, 0, U)
      .refill(B + 1)
      .refill(B + 2)
      .refill(B + 3)
      .alloc(B);
    const { replay } = await pin(on, trace.text, true, '6.1');
    expect(replay.legality.legal).toBe(1);
    expect(on.mm.pages.blockType[B >>> 9]).toBe(U);
    expect(replay.refills.tally).toMatchObject({ observed: 1, pfn_predicted: 1 });
  });

  test('a steal of several pageblocks retypes all of them', async () => {
    const on = bench('mainline-6.1');
    put(on, 10, B + 1024);
    const trace = new Tracefs()
      .extfrag(B + 1024, 0, 10, U, M, 1)
      .refill(B + 1024, 0, U)
      .alloc(B + 1024);
    await pin(on, trace.text, true, '6.1');
    expect([2, 3].map((block) => on.mm.pages.blockType[(B >>> 9) + block])).toEqual([U, U]);
  });

  test('a chunk below a pageblock, without the block: only the chunk changes lists', async () => {
    const on = bench('mainline-6.1');
    put(on, 2, B + 8);
    const trace = new Tracefs()
      .extfrag(B + 8, 0, 2, U, M, 0)
      .refill(B + 8)
      .refill(B + 9)
      .refill(B + 10)
      .refill(B + 11)
      .alloc(B + 8);
    const { replay } = await pin(on, trace.text, true, '6.1');
    expect(replay.legality.legal).toBe(1);
    expect(on.mm.pages.blockType[B >>> 9]).toBe(M);
    expect(listsOf(on)).toEqual(['cpu 0 list 0: 9 a b']);
  });
});

describe.each(['mainline-6.18', 'mainline-7.2'])('fallback, as %s tells it', (policy) => {
  test('a steal is the removal itself', async () => {
    const on = bench(policy);
    put(on, 2, B + 8);
    const trace = new Tracefs().extfrag(B + 8, 0, 2, U, M, 0).alloc(B + 8);
    const { replay, notes } = await pin(on, trace.text);
    expect(replay.legality.legal).toBe(1);
    expect(notesOf(notes)).toEqual({});
    expect(listsOf(on)).toEqual(['o0 t1: 9', 'o1 t1: a']);
  });

  test('a claim of a whole pageblock retypes it', async () => {
    const on = bench(policy);
    put(on, 10, B + 1024);
    const trace = new Tracefs().extfrag(B + 1024, 0, 10, U, M, 1).alloc(B + 1024);
    const { replay } = await pin(on, trace.text);
    expect(replay.legality.legal).toBe(1);
    expect([2, 3].map((block) => on.mm.pages.blockType[(B >>> 9) + block])).toEqual([U, U]);
  });

  test('a claim below a pageblock shows the block under its new type', async () => {
    const on = bench(policy);
    put(on, 3, B + 8);
    put(on, 4, B + 32);
    const trace = new Tracefs()
      .refill(B + 32, 0, U)
      .extfrag(B + 32, 0, 4, U, M, 1)
      .alloc(B + 32);
    const { replay, notes } = await pin(on, trace.text);
    expect(replay.legality.legal).toBe(1);
    expect(on.mm.pages.blockType[B >>> 9]).toBe(U);
    expect(notes.get('retyped_blocks')).toBe(1);
  });
});

test('6.1: a drain far below the high mark tells that kswapd runs, and what it drains from then on', async () => {
  const on = bench('mainline-6.1');
  put(on, 5, B);
  const trace = new Tracefs();
  for (let pfn = B; pfn < B + 24; pfn += 4) {
    for (let i = 0; i < 4; i++) trace.refill(pfn + i, 0, M);
    for (let i = 0; i < 4; i++) trace.alloc(pfn + i, 0, 'GFP_HIGHUSER_MOVABLE');
  }
  const drain = (from: number, pages: number) => {
    for (let pfn = from; pfn < from + pages; pfn++) trace.drain(pfn, 0, M);
  };
  // Count 17 of a mark of 40: nothing is due, unless four batches are the limit. Then one batch, two, three.
  for (let pfn = B; pfn < B + 17; pfn++) trace.free(pfn);
  drain(B, 4);
  for (let pfn = B + 17; pfn < B + 20; pfn++) trace.free(pfn);
  drain(B + 4, 8);
  const { replay } = await pin(on, trace.text, true, '6.1');
  expect(replay.drains.tally).toMatchObject({ observed: 2, size_predicted: 1, expected_not_seen: 0 });
  expect(replay.drains.misses[0]!.text).toContain('expects no drain');
  expect(on.zone.flags & ZONE_RECLAIM_ACTIVE).not.toBe(0);
});

describe('what the model has recorded itself', () => {
  test.each(POLICY_NAMES.flatMap((policy) => [1, 2, 3].map((seed) => [policy, seed] as const)))(
    '%s, seed %i: every page and every burst',
    async (policy, seed) => {
      const [source, target] = [bench(policy, 7, 60), bench(policy, 7, 60)];
      for (const on of [source, target]) {
        on.mm.pages.blockType.fill(U, B >>> 9, (B >>> 9) + 2);
        put(on, 9, B + 512, B);
        put(on, 10, ...Array.from({ length: 6 }, (_, i) => B + 2048 + 1024 * i));
      }
      const trace = record(source, 6000, seed);
      const generation = policy.slice('mainline-'.length) as '6.1';
      const { replay, notes } = await pin(target, trace.text, true, generation);
      const { allocations, legal, pops_known, popped_as_predicted } = replay.legality;
      expect({ legal, popped_as_predicted }).toEqual({ legal: allocations, popped_as_predicted: pops_known });
      expect(replay.illegal).toEqual([]);
      expect(replay.refills.misses).toEqual([]);
      expect(replay.drains.misses).toEqual([]);
      expect(replay.refills.tally.observed).toBeGreaterThan(50);
      expect(replay.drains.tally.observed).toBeGreaterThan(10);
      expect(notesOf(notes)).toEqual({});
      expect(listsOf(target)).toEqual(listsOf(source));
    },
  );
});
