/** The background of a node: its irq_work, its workqueue, and a node without one. model: spb 4.1, 4.2, 4.5-4.7; 8, scenario 30 */
import { describe, expect, test } from 'vitest';
import { GFP_ATOMIC, GFP_HIGHUSER_MOVABLE } from '../../../src/mm/gfp.js';
import type { Policy } from '../../../src/mm/policy.js';
import {
  offerToDefrag,
  queueSpbEvacuate,
  SpbNodeWork,
  type WorkRunners,
} from '../../../src/mm/spb/node-work.js';
import { initPgdatSpbState } from '../../../src/mm/spb/setup.js';
import { movable, reclaimable, SpbMachine, scenarioPolicy, unmovable } from './background-support.js';

const US = 1_000;
const MS = 1_000_000;

/** A machine whose work items do nothing but take time, and say when they began. */
function timed(costs: Partial<Record<keyof WorkRunners, number>>, knobs: Partial<Policy> = {}) {
  const machine = new SpbMachine('A  u1 *M\nB  *.', { knobs });
  const { mm, zone, time } = machine;
  const began: string[] = [];
  const runners: WorkRunners = {
    evacuate: (_mm, _zone, order) => {
      began.push(`${time.now_ns} evacuate o${order}`);
      return costs.evacuate ?? 0;
    },
    defrag: (_mm, _zone, spb) => {
      began.push(`${time.now_ns} defrag ${spb}`);
      return costs.defrag ?? 0;
    },
    slab_shrink: () => {
      began.push(`${time.now_ns} shrink`);
      return costs.slab_shrink ?? 0;
    },
  };
  const work = new SpbNodeWork(mm, 0, mm.spb!, runners);
  mm.spb!.nodes[0] = work;
  return { machine, mm, zone, time, stats: machine.stats, work, began };
}

describe('30. B5 no queue', () => {
  const PICTURE = `
    A  u500 m30 3. *U
    B  m500 *M
    C  4. *M
    D  *.
  `;

  /** Requests that taint, that find tainted memory short, and that nothing is left for. */
  function script(machine: SpbMachine): string[] {
    const got: string[] = [];
    const live: number[] = [];
    for (let i = 0; i < 60; i++) {
      const type = [unmovable, movable, reclaimable][i % 3]!;
      const pfn = machine.take(i % 7 === 0 ? 9 : 0, type);
      if (i % 7 !== 0) live.push(pfn);
      got.push(machine.nameOf(pfn));
    }
    for (let i = 0; i < 8; i++) got.push(machine.nameOf(machine.alloc(GFP_ATOMIC, i)));
    got.push(machine.nameOf(machine.alloc(GFP_HIGHUSER_MOVABLE, 9)));
    for (const pfn of live) machine.free(pfn);
    return got;
  }

  const counters = ({ stats }: SpbMachine) => [
    stats.spb_highorder_refused,
    stats.spb_slab_shrink_queued,
    stats.spb_slab_shrink_ran,
  ];

  test('30. B5 no queue: same allocations, all three counters unchanged, no defrag', () => {
    const machine = new SpbMachine(PICTURE, { knobs: { 'spb.wq_fails': true } });
    // Of a machine with a queue nothing runs either while its time stands still.
    const other = new SpbMachine(PICTURE);
    expect(machine.mm.spb!.nodes).toEqual([null]);
    expect(machine.quietly(() => script(machine))).toEqual(other.quietly(() => script(other)));
    expect(['A', 'B', 'C', 'D'].map((row) => machine.row(row))).toEqual(
      ['A', 'B', 'C', 'D'].map((row) => other.row(row)),
    );
    expect(other.work.backlog).toBeGreaterThan(2);
    machine.advance(60_000 * MS);
    expect(counters(machine)).toEqual([0, 0, 0]);
    expect([machine.stats.defrag_offered, machine.stats.defrag_runs]).toEqual([0, 0]);
    expect([machine.stats.evac_requested, machine.stats.evac_calls]).toEqual([0, 0]);
    expect([...machine.spbs.defrag_pending].every((pending) => pending === 0)).toBe(true);
    expect(machine.log('trigger')).toEqual([]);
    other.advance(60_000 * MS);
    expect(other.stats.spb_slab_shrink_ran).toBeGreaterThan(0);
    expect(other.stats.defrag_runs).toBeGreaterThan(0);
  });

  test('30. B5 no queue: a later init repairs it, a second one does nothing', () => {
    const policy = { ...scenarioPolicy(), 'spb.wq_fails': true };
    const machine = new SpbMachine('A  u1 *M\nB  *.', { policy });
    const { mm } = machine;
    const node = mm.nodes[0]!;
    initPgdatSpbState(mm, node);
    expect(mm.spb!.nodes[0]).toBeNull();
    machine.take(0, unmovable);
    policy['spb.wq_fails'] = false;
    initPgdatSpbState(mm, node);
    const made = mm.spb!.nodes[0];
    expect(made).toBeInstanceOf(SpbNodeWork);
    initPgdatSpbState(mm, node);
    expect(mm.spb!.nodes[0]).toBe(made);
    machine.take(0, unmovable);
    machine.advance(10_000 * MS);
    expect([machine.stats.spb_slab_shrink_ran, machine.stats.defrag_runs]).toEqual([1, 1]);
    expect(machine.spbs.nr_free[0]).toBe(17);
  });

  test('without compaction nothing of it is compiled in', () => {
    const machine = new SpbMachine('A  u1 *M\nB  *.', { knobs: { 'compaction.enabled': false } });
    expect(machine.mm.spb!.nodes).toEqual([null]);
    expect(machine.nameOf(machine.take(0, unmovable))).toBe('A:0+1');
  });
});

describe('from the trigger to the run', () => {
  test('the irq_work queues, the worker starts later, and a run takes its time', () => {
    const { work, time, began, stats } = timed({ slab_shrink: 5 * MS });
    time.advance(MS);
    work.raiseSlabShrink();
    expect([work.due_ns, stats.spb_slab_shrink_queued]).toEqual([MS + US, 0]);
    time.advance(US);
    expect([work.due_ns, stats.spb_slab_shrink_queued, began]).toEqual([MS + 11 * US, 1, []]);
    time.advance(10 * US);
    expect([work.due_ns, stats.spb_slab_shrink_ran, began]).toEqual([
      6 * MS + 11 * US,
      1,
      [`${MS + 11 * US} shrink`],
    ]);
    expect(work.backlog).toBe(1);
    time.advance(5 * MS);
    expect([work.due_ns, work.backlog]).toEqual([Number.POSITIVE_INFINITY, 0]);
    expect(stats.work.slab_shrink).toEqual({
      runs: 1,
      busy_ns: 5 * MS,
      waited_ns: 10 * US,
      most_waited_ns: 10 * US,
    });
  });

  test('one irq_work for everything that was raised since the last one', () => {
    const { work, time, zone, began } = timed({}, { 'spb.irq_work_latency_ns': 100 * US });
    work.raiseEvacuate(zone, 3, unmovable);
    time.advance(60 * US);
    work.raiseEvacuate(zone, 4, unmovable);
    work.raiseSlabShrink();
    work.raiseSlabShrink();
    work.raiseDefrag(zone, 0);
    expect([work.due_ns, work.backlog]).toEqual([100 * US, 4]);
    time.advance(40 * US);
    expect(began).toEqual([]);
    time.advance(MS);
    // In the order in which they were raised, one after the other; each takes 1 ns at least.
    expect(began).toEqual([
      `${110 * US} evacuate o3`,
      `${110 * US + 1} evacuate o4`,
      `${110 * US + 2} shrink`,
      `${110 * US + 3} defrag 0`,
    ]);
    // Raised again after it has run: another one.
    work.raiseSlabShrink();
    expect(work.due_ns).toBe(time.now_ns + 100 * US);
  });

  test('what is raised during a run waits for the next irq_work', () => {
    const { work, time, zone, began } = timed({ evacuate: MS });
    work.raiseEvacuate(zone, 0, unmovable);
    time.advance(20 * US);
    work.raiseEvacuate(zone, 1, unmovable);
    time.advance(10 * MS);
    // It is queued at 21 us, and starts when the first one ends.
    expect(began).toEqual([`${11 * US} evacuate o0`, `${MS + 11 * US} evacuate o1`]);
  });
});

describe('one queue, or one per kind', () => {
  const raiseAll = ({ work, zone }: ReturnType<typeof timed>) => {
    work.raiseDefrag(zone, 0);
    work.raiseEvacuate(zone, 2, unmovable);
    work.raiseSlabShrink();
  };
  const costs = { defrag: 50 * MS, evacuate: 7 * MS, slab_shrink: MS };

  test('spb.wq_shared: a long defrag run holds evacuation and shrinking up', () => {
    const made = timed(costs, { 'spb.wq_shared': true });
    raiseAll(made);
    made.time.advance(1_000 * MS);
    expect(made.began).toEqual([
      `${11 * US} defrag 0`,
      `${50 * MS + 11 * US} evacuate o2`,
      `${57 * MS + 11 * US} shrink`,
    ]);
    const { defrag, evacuate, slab_shrink } = made.stats.work;
    expect([defrag.waited_ns, evacuate.waited_ns, slab_shrink.waited_ns]).toEqual([
      10 * US,
      50 * MS + 10 * US,
      57 * MS + 10 * US,
    ]);
    expect(slab_shrink.most_waited_ns).toBe(57 * MS + 10 * US);
  });

  test('spb.wq_shared = false: each kind has a worker of its own', () => {
    const made = timed(costs, { 'spb.wq_shared': false });
    raiseAll(made);
    made.time.advance(1_000 * MS);
    expect([...made.began].sort()).toEqual([
      `${11 * US} defrag 0`,
      `${11 * US} evacuate o2`,
      `${11 * US} shrink`,
    ]);
    for (const { waited_ns, runs } of Object.values(made.stats.work))
      expect([waited_ns, runs]).toEqual([10 * US, 1]);
    expect(made.work.backlog).toBe(0);
  });

  test('spb.wq_shared = false: items of one kind still run one at a time', () => {
    const made = timed(costs, { 'spb.wq_shared': false });
    for (const order of [1, 2, 3]) made.work.raiseEvacuate(made.zone, order, unmovable);
    made.time.advance(1_000 * MS);
    expect(made.began).toEqual([
      `${11 * US} evacuate o1`,
      `${7 * MS + 11 * US} evacuate o2`,
      `${14 * MS + 11 * US} evacuate o3`,
    ]);
    expect(made.stats.work.evacuate.most_waited_ns).toBe(14 * MS + 10 * US);
  });
});

describe('descriptors of evacuations', () => {
  test('a request without one is dropped, and counted; a run gives its own back', () => {
    const { machine, mm, zone, time, work, stats, began } = timed({ evacuate: MS }, { 'spb.evac_pool': 2 });
    for (const order of [1, 2, 3, 4]) queueSpbEvacuate(mm, zone, order, unmovable);
    expect([stats.evac_requested, stats.evac_dropped, work.free_descriptors]).toEqual([4, 2, 0]);
    time.advance(20 * US);
    // The first one runs: its descriptor comes back at the end.
    expect([began, work.free_descriptors]).toEqual([[`${11 * US} evacuate o1`], 0]);
    time.advance(MS);
    expect(work.free_descriptors).toBe(1);
    queueSpbEvacuate(mm, zone, 5, reclaimable);
    expect([stats.evac_requested, stats.evac_dropped, work.free_descriptors]).toEqual([5, 2, 0]);
    time.advance(10 * MS);
    expect(began.map((line) => line.split(' ').at(-1))).toEqual(['o1', 'o2', 'o5']);
    expect([work.free_descriptors, work.backlog]).toEqual([2, 0]);
    machine.check();
  });

  test('nothing but the pool bounds duplicates', () => {
    const { mm, zone, work } = timed({});
    for (let i = 0; i < 64; i++) queueSpbEvacuate(mm, zone, 3, unmovable);
    expect([work.backlog, mm.spb!.stats.evac_dropped]).toEqual([64, 0]);
    queueSpbEvacuate(mm, zone, 3, unmovable);
    expect(mm.spb!.stats.evac_dropped).toBe(1);
  });

  test('spb.evacuation = false: nothing is requested', () => {
    const { mm, zone, work } = timed({}, { 'spb.evacuation': false });
    queueSpbEvacuate(mm, zone, 3, unmovable);
    expect([work.backlog, mm.spb!.stats.evac_requested]).toEqual([0, 0]);
  });
});

describe('a trigger while the shrinker runs', () => {
  /** Queued and run after triggers: none, before the run, in it (twice), behind it. */
  function triggersAround(absorbs: boolean) {
    const made = timed({ slab_shrink: 10 * MS }, { 'spb.shrink_running_absorbs': absorbs });
    const { work, time, stats } = made;
    const seen: number[][] = [];
    const trigger = (advance_ns: number) => {
      work.raiseSlabShrink();
      time.advance(advance_ns);
      seen.push([stats.spb_slab_shrink_queued, stats.spb_slab_shrink_ran]);
    };
    trigger(US);
    trigger(MS);
    trigger(MS);
    trigger(MS);
    time.advance(30 * MS);
    seen.push([stats.spb_slab_shrink_queued, stats.spb_slab_shrink_ran]);
    trigger(20 * MS);
    expect(work.backlog).toBe(0);
    return seen;
  }

  test('may queue one more run behind it, and only one', () => {
    expect(triggersAround(false)).toEqual([
      [1, 0],
      [1, 1],
      [2, 1],
      [2, 1],
      [2, 2],
      [3, 3],
    ]);
  });

  test('spb.shrink_running_absorbs: is lost', () => {
    expect(triggersAround(true)).toEqual([
      [1, 0],
      [1, 1],
      [1, 1],
      [1, 1],
      [1, 1],
      [2, 2],
    ]);
  });
});

describe('defrag work', () => {
  test('is in flight once per superpageblock, from the trigger to the end of the run', () => {
    const { machine, mm, zone, time, stats, began } = timed({ defrag: 10 * MS });
    const offer = () => offerToDefrag(mm, zone, 0);
    offer();
    offer();
    time.advance(5 * MS);
    offer();
    expect([stats.defrag_offered, began.length, machine.spbs.defrag_pending[0]]).toEqual([3, 1, 1]);
    time.advance(20 * MS);
    expect(machine.spbs.defrag_pending[0]).toBe(0);
    offer();
    time.advance(20 * MS);
    expect(began).toHaveLength(2);
  });

  test('of several superpageblocks waits on the same queue', () => {
    const machine = new SpbMachine('A  u1 *M\nB  u1 *M\nC  *.');
    const { mm, zone } = machine;
    for (const spb of [1, 0]) offerToDefrag(mm, zone, spb);
    machine.advance(10_000 * MS);
    expect([machine.spbs.nr_free[0], machine.spbs.nr_free[1]]).toEqual([17, 17]);
    const { defrag } = machine.stats.work;
    expect([defrag.runs, defrag.busy_ns]).toEqual([2, 2 * defrag.most_waited_ns - 20_000]);
  });
});
