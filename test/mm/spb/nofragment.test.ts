/** How long a request avoids tainting, and how it gives up. model: spb 3.7; 8, scenario 41 */
import { describe, expect, test } from 'vitest';
import {
  GFP_DMA32_BIT,
  GFP_HIGHUSER_MOVABLE,
  GFP_KERNEL,
  GFP_NORETRY_BIT,
  GFP_NOWARN_BIT,
  GFP_RECLAIMABLE_BIT,
} from '../../../src/mm/gfp.js';
import { allocPages } from '../../../src/mm/page-alloc/alloc-pages.js';
import { allocPagesBulk } from '../../../src/mm/page-alloc/bulk-alloc.js';
import { markAllocated } from '../../../src/mm/page-alloc/in-use.js';
import { validate } from '../../../src/mm/page-alloc/validate.js';
import { ALLOC_NOFRAGMENT } from '../../../src/mm/page-alloc/watermark.js';
import type { Policy } from '../../../src/mm/policy.js';
import { NO_PFN, ZoneIndex } from '../../../src/mm/types.js';
import { policyNamed } from '../policies.js';
import {
  bootedMachine,
  GFP_PAGE_CACHE,
  type MachineOptions,
  SPB_PAGES,
  SpbMachine,
} from './background-support.js';

const taints = ({ stats }: SpbMachine) =>
  stats.taints_by_claim + stats.taints_by_pass3 + stats.taints_by_steal;
const tainted = ({ spbs }: SpbMachine) => spbs.nr_tainted;

/** A machine that logs every step of a request, in order. */
function logged(picture: string, options: MachineOptions = {}): SpbMachine {
  const machine = new SpbMachine(picture, options);
  machine.time.wakeKswapd = () => machine.note('kswapd');
  machine.mm.onReclaim = () => machine.note('reclaim');
  machine.mm.onOom = () => {
    machine.note('oom');
    return 0;
  };
  return machine;
}

describe('where NOFRAGMENT comes from', () => {
  test.each([
    ['mainline-6.18', [0, ALLOC_NOFRAGMENT, 0]],
    ['spb-v2', [ALLOC_NOFRAGMENT, ALLOC_NOFRAGMENT, ALLOC_NOFRAGMENT]],
  ] as const)('the fast path, %s: by preferred zone DMA32, Normal, Movable', (name, flags) => {
    const zones = [
      { index: ZoneIndex.dma32, from: 0.5, size: 0.5 },
      { index: ZoneIndex.normal, from: 1, size: 0.5 },
      { index: ZoneIndex.movable, from: 2, size: 0.5 },
    ];
    const { mm } = bootedMachine(zones, {}, policyNamed(name, { 'pcp.kind': 'none' }));
    expect(mm.zones.map((zone) => zone.nofragment_flag)).toEqual(flags);
  });

  test('it stays for the slow path, up to the last search but one', () => {
    // T has nothing, C 12 pages, which N can only steal: the last thing that is tried.
    const machine = new SpbMachine('T  *U\nC  m500 *M');
    expect(machine.nameOf(machine.alloc(GFP_KERNEL))).toMatch(/^C:0/);
    const kept = machine.flags.map((flags) => (flags & ALLOC_NOFRAGMENT) !== 0);
    expect(kept.length).toBeGreaterThan(3);
    expect(kept.indexOf(false)).toBe(kept.length - 1);
    expect([machine.stats.nofragment_dropped, machine.stats.taints_by_steal]).toEqual([1, 1]);
  });

  test('a bulk request takes what it gets without tainting', () => {
    const machine = new SpbMachine('T  U\nC  m500 *M');
    const slots = new Array<number>(4).fill(NO_PFN);
    allocPagesBulk(machine.mm, 0, GFP_KERNEL, -1, slots);
    expect(machine.flags[0]! & ALLOC_NOFRAGMENT).toBe(ALLOC_NOFRAGMENT);
  });

  test('a request that finds something without tainting never loses it', () => {
    const machine = new SpbMachine('T  u3 *U\nC  *.');
    machine.alloc(GFP_KERNEL);
    machine.alloc(GFP_HIGHUSER_MOVABLE);
    expect(machine.flags.every((flags) => flags & ALLOC_NOFRAGMENT)).toBe(true);
    expect([machine.stats.nofragment_dropped, machine.stats.reclaim_rounds]).toEqual([0, 0]);
  });
});

describe('callers that can reclaim', () => {
  const KNOBS: Partial<Policy> = { 'spb.taint_deadline_rounds': 2 };

  test('kswapd, reclaim, another try; then the evacuation, and only then the taint', () => {
    //   T: tainted, nothing in it that would help     C: clean, a file in huge pages
    const machine = logged('T  *U\nC  *M', { knobs: KNOBS, movable_gfp: GFP_PAGE_CACHE });
    const pfn = machine.alloc(GFP_KERNEL);
    expect(machine.nameOf(pfn)).toMatch(/^C/);
    const steps = machine.log('kswapd', 'reclaim', 'evacuated', 'walk', 'oom');
    const shape = steps.map((line) =>
      line.startsWith('walk') ? line.split(' ').at(-1)! : line.split(' ')[0]!,
    );
    expect(shape.filter((step, index) => step !== shape[index - 1])).toEqual([
      // No search on the fast path: the zone has no free page.
      'kswapd',
      'reclaim',
      'NO_PAGE',
      'reclaim',
      'NO_PAGE',
      'evacuated',
      'NO_PAGE',
    ]);
    const { stats } = machine;
    expect([stats.reclaim_rounds, stats.nofragment_dropped, stats.evac_calls]).toEqual([2, 1, 1]);
    expect([stats.taints_by_claim, taints(machine), tainted(machine)]).toEqual([1, 1, 2]);
    expect(machine.mm.events.oom_kill).toBe(0);
  });

  test('a higher order: compaction with its hook as well, and the evacuation once more at the end', () => {
    const machine = logged('T  *U\nC  50m500 *M', { knobs: KNOBS });
    machine.alloc(GFP_KERNEL, 3);
    const { stats, mm } = machine;
    expect(stats.evac_calls).toBeGreaterThan(1);
    expect(mm.events.compact_stall).toBeGreaterThan(0);
    const steps = machine.log('evacuated', 'walk').filter((line) => !line.includes(' M '));
    expect(steps.indexOf('evacuated o3 U p1=0 p2=0')).toBeGreaterThan(-1);
    expect([stats.nofragment_dropped, taints(machine)]).toEqual([1, 1]);
  });

  test('what the evacuation frees is used before anything is tainted', () => {
    // Without pass 2b the movable page in T is in the way of an order 9.
    const machine = logged('T  m1 *U\nC  9m500 *M', { knobs: KNOBS });
    const pfn = machine.alloc(GFP_KERNEL, 9);
    expect(machine.nameOf(pfn)).toBe('T:0');
    expect([machine.stats.nofragment_dropped, taints(machine), machine.place('C')]).toEqual([
      0,
      0,
      'clean full',
    ]);
    expect(machine.row('T')).toBe('512U');
  });

  test('it is the last step before the OOM killer', () => {
    const machine = logged('T  *U', { knobs: KNOBS });
    expect(machine.alloc(GFP_KERNEL)).toBe(-1);
    expect([machine.stats.nofragment_dropped, machine.mm.events.oom_kill]).toEqual([1, 1]);
    const steps = machine.log('evacuated', 'oom').map((line) => line.split(' ')[0]);
    expect(steps).toEqual(['evacuated', 'oom']);
  });

  test('callers that may fail, with NORETRY, fail rather than taint', () => {
    const machine = logged('T  *U\nC  90m300 *M');
    expect(machine.alloc(GFP_KERNEL | GFP_NORETRY_BIT | GFP_NOWARN_BIT, 4)).toBe(-1);
    expect([taints(machine), machine.stats.nofragment_dropped, machine.mm.events.oom_kill]).toEqual([
      0, 0, 0,
    ]);
    // The same as a plain request: it taints.
    expect(machine.nameOf(machine.alloc(GFP_KERNEL, 3))).toMatch(/^C/);
    expect(taints(machine)).toBe(1);
  });

  test.each([1, 3, 16])(
    'spb.taint_deadline_rounds = %i: so many rounds of reclaim, though all succeed',
    (rounds) => {
      const machine = new SpbMachine('T  *U\nC  *M', {
        knobs: { 'spb.taint_deadline_rounds': rounds },
        movable_gfp: GFP_PAGE_CACHE,
      });
      machine.alloc(GFP_KERNEL);
      expect([machine.stats.reclaim_rounds, machine.stats.nofragment_dropped]).toEqual([rounds, 1]);
      // Each round has freed one huge page, which a non-movable request may not use.
      expect(machine.mm.events.pgsteal_direct).toBe(rounds * 512);
    },
  );
});

describe('movable requests', () => {
  test('taint nothing, so they hold out for one round only; then the reserve of tainted ones yields', () => {
    const machine = logged('T  U 16. *U\nC  *M');
    expect(machine.nameOf(machine.alloc(GFP_HIGHUSER_MOVABLE))).toMatch(/^T:/);
    const { stats } = machine;
    expect([stats.reclaim_rounds, stats.nofragment_dropped, stats.evac_calls]).toEqual([1, 1, 0]);
    expect([machine.counts('T').free, machine.mm.events.oom_kill]).toEqual([15, 0]);
  });

  test('spb.reserve_yields = false: not even then', () => {
    const machine = logged('T  U 16. *U\nC  *M', { knobs: { 'spb.reserve_yields': false } });
    expect(machine.alloc(GFP_HIGHUSER_MOVABLE)).toBe(-1);
    expect([machine.counts('T').free, machine.mm.events.oom_kill]).toEqual([16, 1]);
  });
});

describe('with several nodes', () => {
  // Node 0 is clean and nearly full of movable pages, node 1 has a GiB to itself.
  const machine = (remote_before_taint: boolean) => {
    const made = bootedMachine(
      [
        { from: 1, size: 0.25 },
        { node: 1, from: 2, size: 1 },
      ],
      { 'spb.remote_before_taint': remote_before_taint },
    );
    const home = made.mm.zones[0]!;
    for (let pfn = SPB_PAGES; pfn < SPB_PAGES + SPB_PAGES / 4; pfn += 512) {
      if ((pfn & 1023) === 0) home.remove(pfn, 10, 1);
      home.spb!.took(pfn, 0, 1);
      if (pfn % 4096 === 0) {
        markAllocated(made.mm, pfn, 7, true);
        for (const order of [7, 8]) home.addTail(pfn + (1 << order), order, 1);
      } else markAllocated(made.mm, pfn, 9, true);
    }
    home.nr_free_pages = home.nr_free.reduce((sum, chunks, order) => sum + (chunks << order), 0);
    for (const zone of made.mm.zones) zone.watermark.fill(0);
    validate(made.mm, { movable_known: true });
    return { ...made, home };
  };

  test.each([
    [true, 1, 0],
    [false, 0, 1],
  ])('spb.remote_before_taint = %s: the page comes from node %i', (remote, node, taintedAtHome) => {
    const { mm, home } = machine(remote);
    const pfn = allocPages(mm, 0, GFP_KERNEL, 0, -1, false);
    validate(mm, { movable_known: true });
    expect(mm.zoneOf(pfn).node).toBe(node);
    expect(home.spb!.nr_tainted).toBe(taintedAtHome);
  });

  test('a movable request does not care', () => {
    const { mm } = machine(true);
    expect(mm.zoneOf(allocPages(mm, 0, GFP_HIGHUSER_MOVABLE, 0, -1, true)).node).toBe(0);
  });
});

test('a request that is bound to a lower zone taints it in the end', () => {
  const { mm } = bootedMachine([
    { index: ZoneIndex.dma32, from: 1, size: 0.25 },
    { index: ZoneIndex.normal, from: 2, size: 1 },
  ]);
  const pfn = allocPages(mm, 0, GFP_KERNEL | GFP_DMA32_BIT, 0, -1, false);
  expect(mm.zoneOf(pfn).index).toBe(ZoneIndex.dma32);
  expect(mm.zones.map((zone) => zone.spb!.nr_tainted)).toEqual([1, 0]);
});

describe("41. R3 Weiner's risk", () => {
  // Taint is forbidden as far as it can be: nothing but the end of all reclaim ends the wait.
  const FORBIDDEN: Partial<Policy> = {
    'spb.pass2_needs_tainted_ok': true,
    'spb.pass3_nofrag_gate': true,
    'spb.taint_deadline_rounds': 100_000,
  };

  test("41. R3 Weiner's risk: reclaim rounds are counted, and the request ends by dropping NOFRAGMENT", () => {
    const machine = new SpbMachine('A  *M\nB  100M', {
      knobs: { ...FORBIDDEN, 'slowpath.max_rounds': 100_000 },
      movable_gfp: GFP_PAGE_CACHE,
    });
    expect(tainted(machine)).toBe(0);
    const pfn = machine.alloc(GFP_KERNEL);
    expect(machine.nameOf(pfn)).toMatch(/^[AB]:/);
    const { stats, mm } = machine;
    // Everything was reclaimed on the way, a huge page per round, and was no use: that is the risk.
    expect(mm.events.pgsteal_direct).toBe(612 * 512);
    expect(stats.reclaim_rounds).toBe(612 + 17);
    expect([stats.nofragment_dropped, taints(machine), tainted(machine)]).toEqual([1, 1, 1]);
    expect([mm.events.oom_kill, mm.events.spbsim_slowpath_bounded]).toEqual([0, 0]);
  });

  test("41. R3 Weiner's risk: it has its last chance before the bound on all rounds cuts it short", () => {
    const machine = new SpbMachine('A  *M\nB  100M', { knobs: FORBIDDEN, movable_gfp: GFP_PAGE_CACHE });
    expect(machine.alloc(GFP_KERNEL)).toBeGreaterThanOrEqual(0);
    const { stats, mm } = machine;
    expect([stats.reclaim_rounds, stats.nofragment_dropped, tainted(machine)]).toEqual([63, 1, 1]);
    expect(mm.events.spbsim_slowpath_bounded).toBe(0);
  });

  test("41. R3 Weiner's risk: nothing to reclaim: a bounded number of rounds", () => {
    // Anonymous memory without swap; 12 pages are free, so that there is hope for 16 rounds.
    const machine = new SpbMachine('A  m500 *M\nB  *M', { knobs: FORBIDDEN });
    expect(machine.nameOf(machine.alloc(GFP_KERNEL))).toMatch(/^A:0/);
    const { stats, mm } = machine;
    expect(stats.reclaim_rounds).toBe(17);
    expect([stats.nofragment_dropped, stats.taints_by_steal, tainted(machine)]).toEqual([1, 1, 1]);
    expect([mm.events.oom_kill, mm.events.pgsteal_direct]).toEqual([0, 0]);
  });

  test("41. R3 Weiner's risk: an empty superpageblock is not opened before everything else has failed", () => {
    const picture = 'A  *M\nE  *.';
    const strict = new SpbMachine(picture, { knobs: FORBIDDEN });
    expect(strict.nameOf(strict.alloc(GFP_KERNEL))).toBe('E:0');
    expect([strict.stats.reclaim_rounds, strict.stats.nofragment_dropped]).toEqual([17, 1]);
    // Reading R-a: at once.
    const open = new SpbMachine(picture);
    open.alloc(GFP_KERNEL);
    expect([open.stats.reclaim_rounds, open.stats.nofragment_dropped, taints(open)]).toEqual([0, 0, 1]);
  });

  test("41. R3 Weiner's risk: no livelock for any order and type of request", () => {
    for (const order of [0, 1, 3, 9])
      for (const gfp of [GFP_KERNEL, GFP_KERNEL | GFP_RECLAIMABLE_BIT, GFP_HIGHUSER_MOVABLE]) {
        const machine = new SpbMachine('A  20m500 40M', {
          knobs: { ...FORBIDDEN, 'slowpath.max_rounds': 100_000 },
          movable_gfp: GFP_PAGE_CACHE,
        });
        // A costly order that is not movable ends without a page instead of tainting.
        const costly = order === 9 && gfp !== GFP_HIGHUSER_MOVABLE;
        expect(machine.alloc(gfp, order) >= 0).toBe(!costly);
        expect(taints(machine)).toBe(costly || gfp === GFP_HIGHUSER_MOVABLE ? 0 : 1);
        expect(machine.stats.reclaim_rounds).toBeLessThan(400);
        expect(machine.mm.events.spbsim_slowpath_bounded).toBe(0);
      }
  });

  test('the deadline ends it early: what is reclaimed per taint is bounded', () => {
    const reclaimed = (rounds: number) => {
      const machine = new SpbMachine('A  *M', {
        knobs: { ...FORBIDDEN, 'spb.taint_deadline_rounds': rounds },
        movable_gfp: GFP_PAGE_CACHE,
      });
      machine.alloc(GFP_KERNEL);
      expect(tainted(machine)).toBe(1);
      return machine.mm.events.pgsteal_direct / 512;
    };
    expect([1, 4, 16].map(reclaimed)).toEqual([1, 4, 16]);
  });
});
