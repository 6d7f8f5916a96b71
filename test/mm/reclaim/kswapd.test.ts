/** kswapd at decision level: wakes, runs, naps, boosts, hopeless nodes. model: gfp C10; page-allocator 4.9, 10a.6 */
import { describe, expect, test } from 'vitest';
import {
  GFP_ATOMIC,
  GFP_HIGH_BIT,
  GFP_HIGHUSER_MOVABLE,
  GFP_KERNEL,
  GFP_MOVABLE_BIT,
} from '../../../src/mm/gfp.js';
import { freePages } from '../../../src/mm/page-alloc/free-owned.js';
import { isBalanced, wakeKswapdOf } from '../../../src/mm/page-alloc/kswapd-wake.js';
import { WMARK_HIGH, ZONE_RECLAIM_ACTIVE } from '../../../src/mm/page-alloc/zone.js';
import {
  endKswapdNap,
  endKswapdRun,
  kswapdWakeLatencyNs,
  runKswapd,
  startKswapdRun,
} from '../../../src/mm/reclaim/kswapd.js';
import { PAGEBLOCK_PAGES, ZoneIndex } from '../../../src/mm/types.js';
import { POLICY_NAMES } from '../policies.js';
import { B, CELL_PAGES, Machine } from './support.js';

const LOW_ON_MEMORY = 'LLLLLLLL|LLLLLLLL|LLLLLLLL|LLLLLLL.';
const MARKS = [60, 100, 140] as const;
const { normal } = ZoneIndex;

function watched(machine: Machine): { kswapd: number[]; kcompactd: number[] } {
  const woken = { kswapd: [] as number[], kcompactd: [] as number[] };
  machine.mm.background = {
    now_ns: 0,
    wakeSpbWork: () => undefined,
    wakeKswapd: (node) => woken.kswapd.push(node.node),
    wakeKcompactd: (_, order) => woken.kcompactd.push(order),
  };
  return woken;
}

/** Takes movable pages without waking anyone until this many are free. */
function takeDownTo(machine: Machine, pages: number): void {
  while (machine.free() > pages)
    expect(machine.allocUnchecked(GFP_HIGH_BIT | GFP_MOVABLE_BIT)).toBeGreaterThan(0);
}

describe.each(POLICY_NAMES)('%s', (policy) => {
  test('an unbalanced node is woken once, reclaimed to its high mark, and naps', () => {
    const machine = new Machine(policy, LOW_ON_MEMORY, { marks: MARKS });
    const woken = watched(machine);
    wakeKswapdOf(machine.mm, machine.node, GFP_KERNEL, 0, normal);
    wakeKswapdOf(machine.mm, machine.node, GFP_KERNEL, 0, normal);
    expect(woken.kswapd).toEqual([0]);
    expect(kswapdWakeLatencyNs(machine.mm)).toBe(50_000);
    const run = runKswapd(machine.mm, machine.node);
    machine.validate();
    expect(run.next).toBe('nap');
    expect(run.reclaimed).toBe(machine.mm.events.pgsteal_kswapd);
    expect(run.cost_ns).toBe(run.reclaimed * 1000);
    expect(machine.free()).toBe(CELL_PAGES + run.reclaimed);
    expect(isBalanced(machine.mm, machine.node, 0, normal)).toBe(true);
    expect(machine.mm.events.pageoutrun).toBe(1);
    expect(machine.node.kswapd_awake).toBe(false);
    expect(endKswapdNap(machine.mm, machine.node)).toBe('sleep');
  });

  test('the coldest pages go first', () => {
    const machine = new Machine(policy, LOW_ON_MEMORY, { marks: MARKS });
    machine.mm.lru!.touch(machine.zone, B, 0);
    const gone: number[] = [];
    machine.mm.onReclaim = (pfn) => gone.push(pfn);
    wakeKswapdOf(machine.mm, machine.node, GFP_KERNEL, 0, normal);
    runKswapd(machine.mm, machine.node);
    expect(gone.slice(0, 3)).toEqual([B + 1, B + 2, B + 3]);
    expect(gone).not.toContain(B);
  });

  test('zones count as being reclaimed from the start of a run to its end', () => {
    const machine = new Machine(policy, LOW_ON_MEMORY, { marks: MARKS });
    wakeKswapdOf(machine.mm, machine.node, GFP_KERNEL, 0, normal);
    startKswapdRun(machine.mm, machine.node);
    expect(machine.zone.flags & ZONE_RECLAIM_ACTIVE).toBe(ZONE_RECLAIM_ACTIVE);
    expect(machine.node.kswapd_awake).toBe(true);
    endKswapdRun(machine.mm, machine.node);
    expect(machine.zone.flags & ZONE_RECLAIM_ACTIVE).toBe(0);
  });

  test('a wake during the nap counts as a low mark hit quickly, an end out of balance as a high one', () => {
    const machine = new Machine(policy, LOW_ON_MEMORY, { marks: MARKS });
    wakeKswapdOf(machine.mm, machine.node, GFP_KERNEL, 0, normal);
    runKswapd(machine.mm, machine.node);
    takeDownTo(machine, 100);
    expect(machine.node.kswapd_awake).toBe(false);
    wakeKswapdOf(machine.mm, machine.node, GFP_ATOMIC, 0, normal);
    expect(machine.mm.events.kswapd_low_wmark_hit_quickly).toBe(1);
    expect(endKswapdNap(machine.mm, machine.node)).toBe('run');
    runKswapd(machine.mm, machine.node);
    takeDownTo(machine, 110);
    expect(endKswapdNap(machine.mm, machine.node)).toBe('run');
    expect(machine.mm.events.kswapd_high_wmark_hit_quickly).toBe(1);
  });

  test('once enough for a compaction is reclaimed it settles for order 0 and leaves the rest to kcompactd', () => {
    // Every other page cannot go, so no chunk forms.
    const machine = new Machine(policy, `LLLLLLLL|LLLLLLLL|${LOW_ON_MEMORY}`, {
      marks: MARKS,
      knobs: { 'reclaim.reclaimable_percent': 50 },
    });
    const woken = watched(machine);
    wakeKswapdOf(machine.mm, machine.node, GFP_KERNEL, 9, normal);
    const run = runKswapd(machine.mm, machine.node);
    machine.validate();
    expect(run.order).toBe(0);
    expect(run.next).toBe('nap');
    expect(woken.kcompactd).toEqual([9]);
  });

  test('sixteen fruitless runs make a node hopeless: it is not woken again', () => {
    const machine = new Machine(policy, 'UUUUUUUU|UUUUUUU.', { marks: MARKS });
    const woken = watched(machine);
    wakeKswapdOf(machine.mm, machine.node, GFP_KERNEL, 0, normal);
    let runs = 1;
    while (runKswapd(machine.mm, machine.node).next === 'run') runs++;
    expect(runs).toBe(16);
    expect(machine.node.kswapd_failures).toBe(16);
    expect(endKswapdNap(machine.mm, machine.node)).toBe('sleep');
    wakeKswapdOf(machine.mm, machine.node, GFP_KERNEL, 0, normal);
    expect(woken.kswapd).toEqual([0]);
  });

  test('reclaim of a request makes a hopeless node hopeful again; in 7.2 only when it is balanced then', () => {
    const machine = new Machine(policy, 'LLLLLLLL|LLLLLLLL', { marks: MARKS });
    machine.node.kswapd_failures = 16;
    expect(machine.alloc(GFP_KERNEL)).toBeGreaterThan(0);
    // 63 pages came free: more than min, less than high.
    expect(machine.node.kswapd_failures).toBe(policy === 'mainline-7.2' ? 16 : 0);
  });

  test('a boost run works the boost off, even on a balanced node, and takes it back', () => {
    const machine = new Machine(policy, `${'LLLLLLLL|'.repeat(9)}........|........`, { marks: MARKS });
    const woken = watched(machine);
    machine.zone.watermark_boost = 512;
    machine.mm.wakeKswapd(machine.zone, 0, 0, machine.zone.index);
    expect(woken.kswapd).toEqual([0]);
    const run = runKswapd(machine.mm, machine.node);
    machine.validate();
    // Priority does not fall below 10, so it takes many passes of a thousandth of the pages.
    expect(run.reclaimed).toBeGreaterThanOrEqual(512);
    expect(run.reclaimed).toBeLessThan(512 + 8);
    expect(machine.zone.watermark_boost).toBe(0);
    expect(run.next).toBe('nap');
  });

  test('a boost that nothing can be reclaimed for is dropped; only until 7.0 the run counts as a failure', () => {
    const machine = new Machine(policy, 'UUUUUUUU|........|........|........', { marks: MARKS });
    machine.zone.watermark_boost = 512;
    machine.mm.wakeKswapd(machine.zone, 0, 0, machine.zone.index);
    const run = runKswapd(machine.mm, machine.node);
    expect(run.reclaimed).toBe(0);
    expect(machine.zone.watermark_boost).toBe(0);
    expect(machine.node.kswapd_failures).toBe(policy === 'mainline-7.2' ? 0 : 1);
  });

  test('a shortage comes before the boost', () => {
    const machine = new Machine(policy, LOW_ON_MEMORY, { marks: MARKS });
    machine.zone.watermark_boost = 512;
    machine.mm.wakeKswapd(machine.zone, 0, 0, machine.zone.index);
    runKswapd(machine.mm, machine.node);
    expect(machine.zone.watermark_boost).toBe(0);
    expect(machine.free()).toBeGreaterThan(140);
  });

  test('while kswapd is up, per-CPU counters may hide less; its sleep restores them', () => {
    const machine = new Machine(policy, LOW_ON_MEMORY, { marks: [60, 70, 140] });
    machine.zone.stat_threshold = 125;
    wakeKswapdOf(machine.mm, machine.node, GFP_KERNEL, 0, normal);
    expect(runKswapd(machine.mm, machine.node).next).toBe('nap');
    expect(machine.zone.stat_threshold).toBe(10);
    expect(endKswapdNap(machine.mm, machine.node)).toBe('sleep');
    expect(machine.zone.stat_threshold).toBe(125);
  });
});

describe('50: busy node', () => {
  // n0 |........|L.......|   n1 |........|L.......|      both far above all marks
  const TWO_NODES = '........|........|L.......|L.......';

  test.each(POLICY_NAMES)(
    '50: %s serves from the other node while kswapd of the first is awake',
    (policy) => {
      const machine = new Machine(policy, TWO_NODES, { nodes: 2, marks: MARKS });
      const [first, second] = machine.mm.zones;
      const woken = watched(machine);
      expect(first!.spans(machine.alloc(GFP_HIGHUSER_MOVABLE))).toBe(true);
      first!.watermark_boost = 512;
      machine.mm.wakeKswapd(first!, 0, 0, normal);
      expect(woken.kswapd).toEqual([0]);
      const pfn = machine.alloc(GFP_HIGHUSER_MOVABLE);
      expect((policy === 'mainline-6.1' ? first : second)!.spans(pfn)).toBe(true);
      // Neither node idle: the rescan takes the first again.
      second!.watermark_boost = 512;
      machine.mm.wakeKswapd(second!, 0, 0, normal);
      expect(first!.spans(machine.alloc(GFP_HIGHUSER_MOVABLE))).toBe(true);
      // Asleep again, the first serves its requests.
      for (const node of machine.mm.nodes) runKswapd(machine.mm, node);
      expect(first!.spans(machine.alloc(GFP_HIGHUSER_MOVABLE))).toBe(true);
    },
  );

  test('50: the wake takes kswapd off its queue at once, and an exhausted second node brings the first back', () => {
    const machine = new Machine('mainline-6.18', '........|........', { nodes: 2, marks: MARKS });
    const [first, second] = machine.mm.zones;
    first!.watermark_boost = 512;
    machine.mm.wakeKswapd(first!, 0, 0, normal);
    expect(machine.node.kswapd_awake).toBe(true);
    second!.watermark.fill(PAGEBLOCK_PAGES * 4);
    expect(first!.spans(machine.alloc(GFP_HIGHUSER_MOVABLE))).toBe(true);
  });
});

test('a hopeless node with another behind it is woken again once a drain finds it above its high mark', () => {
  const machine = new Machine('mainline-6.18', '........|UUUUUUUU', { nodes: 2, marks: MARKS });
  machine.node.kswapd_failures = 16;
  machine.zone.flags |= 4;
  freePages(machine.mm, 0, B + PAGEBLOCK_PAGES, 0);
  expect(machine.node.kswapd_failures).toBe(0);
  expect(machine.zone.watermark[WMARK_HIGH]).toBe(140);
});
