/** End states of compaction, drawn; captures, targets, deferral. model: page-allocator 5, 10a.5, 3.6 step 2a */
import { describe, expect, test } from 'vitest';
import { GFP_HIGHUSER_MOVABLE, GFP_KERNEL } from '../../../src/mm/gfp.js';
import { WMARK_MIN } from '../../../src/mm/page-alloc/zone.js';
import { compactZone } from '../../../src/mm/reclaim/compaction.js';
import type { CompactionState } from '../../../src/mm/reclaim/compaction-state.js';
import { CompactResult, compactGap, compactionNeed } from '../../../src/mm/reclaim/compaction-suitable.js';
import { externalFragmentation, fragmentationIndex } from '../../../src/mm/reclaim/fragmentation-index.js';
import {
  compactMemory,
  runKcompactd,
  runProactiveCompaction,
  wakeKcompactd,
} from '../../../src/mm/reclaim/kcompactd.js';
import { proactiveHighMark, proactiveLowMark } from '../../../src/mm/reclaim/proactive-score.js';
import { Migratetype, ZoneIndex } from '../../../src/mm/types.js';
import { POLICY_NAMES } from '../policies.js';
import { B, Machine } from './support.js';

const FRAGMENTED = Array.from({ length: 8 }, () => 'L.L.L.L.').join('|');

function freeBlocks(picture: string): number {
  return picture.split('|').filter((block) => block === '........').length;
}

describe.each(POLICY_NAMES)('%s', (policy) => {
  test('a full compaction fills blocks from the top and empties them from the bottom', () => {
    const machine = new Machine(policy, 'LL......|L...L...|..L..L..|L.......');
    compactMemory(machine.mm, 0);
    machine.validate();
    // 6.1 fills a large free chunk from its upper end, later kernels from the lower one.
    const filled = policy === 'mainline-6.1' ? 'LLLL...L' : 'LLLLL...';
    expect(machine.picture()).toBe(`........|........|..L..L..|${filled}`);
  });

  test('a large free chunk at the start of a block keeps targets out of it', () => {
    const machine = new Machine(policy, 'L.L.....|........|........');
    compactMemory(machine.mm, 0);
    expect(machine.picture()).toBe('L.L.....|........|........');
  });

  test('unmovable pages stay, and what is around them moves', () => {
    const machine = new Machine(policy, 'LLU.....|........|L...L...');
    compactMemory(machine.mm, 0);
    machine.validate();
    const filled = policy === 'mainline-6.1' ? 'LL.LL...' : 'LLL.L...';
    expect(machine.picture()).toBe(`..U.....|........|${filled}`);
  });

  test('no page is lost: every owner is told the new place of its page', () => {
    const machine = new Machine(policy, FRAGMENTED);
    const place = new Map<number, number>();
    machine.mm.onMigrate = (from, to, order) => {
      expect(order).toBe(0);
      expect(place.has(from)).toBe(false);
      place.set(from, to);
    };
    compactMemory(machine.mm, 0);
    machine.validate();
    expect(place.size).toBe(machine.mm.events.pgmigrate_success);
    expect(machine.mm.lru!.filePages(machine.zone)).toBe(8 * 4 * 64);
    expect(freeBlocks(machine.picture())).toBeGreaterThanOrEqual(3);
  });

  test('a huge page is captured the moment its last page leaves', () => {
    const machine = new Machine(policy, FRAGMENTED);
    const pfn = machine.alloc(GFP_HIGHUSER_MOVABLE, 9);
    expect(pfn).toBe(B);
    expect(machine.mm.events.compact_success).toBe(1);
    // Captured: it was never on a list, so no removal was counted.
    expect(machine.zone.pgalloc).toBe(0);
    expect(machine.picture().startsWith('UUUUUUUU|L.L.L.L.|')).toBe(true);
  });

  test('pages on per-CPU lists are brought together once the scanner has left their block', () => {
    const machine = new Machine(policy, FRAGMENTED, { pcp_high: 1000 });
    expect(machine.alloc(GFP_HIGHUSER_MOVABLE, 9)).toBe(B);
  });

  test('without room above the marks compaction is skipped', () => {
    const machine = new Machine(policy, FRAGMENTED, { marks: [2040, 2050, 2060] });
    expect(compactionNeed(machine.mm, machine.zone, 9, WMARK_MIN, ZoneIndex.normal, true)).toBe(
      CompactResult.skipped,
    );
  });

  test('a zone that has the chunk needs no compaction', () => {
    const machine = new Machine(policy, 'LLLLLLLL|........|........');
    expect(compactionNeed(machine.mm, machine.zone, 9, WMARK_MIN, ZoneIndex.normal, false)).toBe(
      CompactResult.success,
    );
  });

  test('folios move whole in newer kernels; 6.1 moves single pages only', () => {
    const machine = new Machine(policy, '........|UUUUUUUU|L...L...');
    for (let i = 0; i < 16; i++) machine.allocAt(B + 16 * i, 4);
    const orders: number[] = [];
    machine.mm.onMigrate = (_, __, order) => orders.push(order);
    compactMemory(machine.mm, 0);
    machine.validate();
    expect(orders).toEqual(policy === 'mainline-6.1' ? [] : new Array(16).fill(4));
  });

  test('kcompactd serves the order it was woken for, and is deferred after a failure', () => {
    const machine = new Machine(policy, FRAGMENTED);
    const woken: number[] = [];
    machine.mm.background = {
      now_ns: 0,
      wakeSpbWork: () => undefined,
      wakeKswapd() {},
      wakeKcompactd: (_, order) => woken.push(order),
    };
    wakeKcompactd(machine.mm, machine.node, 9, ZoneIndex.normal);
    expect(woken).toEqual([9]);
    const run = runKcompactd(machine.mm, machine.node, 0);
    expect(run.migrated).toBeGreaterThanOrEqual(256);
    expect(run.cost_ns).toBeGreaterThan(run.migrated * 2000);
    expect(freeBlocks(machine.picture())).toBeGreaterThanOrEqual(1);
    expect(machine.mm.events.compact_daemon_wake).toBe(1);
    machine.validate();
    // The chunk is there now: nobody is woken for it again.
    wakeKcompactd(machine.mm, machine.node, 9, ZoneIndex.normal);
    expect(woken).toEqual([9]);
  });

  test('proactive compaction starts above the high mark and rests longer when it gained nothing', () => {
    const machine = new Machine(policy, FRAGMENTED);
    const first = runProactiveCompaction(machine.mm, machine.node, 0);
    machine.validate();
    expect(first.migrated).toBeGreaterThan(0);
    expect(first.next_ns).toBe(500_000_000);
    expect(externalFragmentation(machine.zone, 9)).toBeLessThanOrEqual(80);
    expect(runProactiveCompaction(machine.mm, machine.node, 0)).toEqual({
      migrated: 0,
      cost_ns: 0,
      next_ns: 500_000_000,
    });
    const stuck = new Machine(policy, 'U.U.U.U.|U.U.U.U.');
    expect(runProactiveCompaction(stuck.mm, stuck.node, 0).next_ns).toBe(32_000_000_000);
  });

  test('switched off, it does nothing', () => {
    const machine = new Machine(policy, FRAGMENTED, { knobs: { 'compaction.enabled': false } });
    machine.alloc(GFP_HIGHUSER_MOVABLE, 9);
    compactMemory(machine.mm, 0);
    expect(machine.mm.events.pgmigrate_success).toBe(0);
  });
});

describe('39: deferral', () => {
  test('39: seven failures in a row turn 63 requests away, the 64th runs', () => {
    const { mm, zone } = new Machine('mainline-6.18', FRAGMENTED);
    const state: CompactionState = mm.compaction;
    for (let failure = 0; failure < 7; failure++) state.defer(zone, 9);
    expect(state.of(zone).defer_shift).toBe(6);
    const answers = Array.from({ length: 64 }, () => state.isDeferred(zone, 9));
    expect(answers.indexOf(false)).toBe(63);
    expect(state.isRestarting(zone, 9)).toBe(true);
    expect(state.isDeferred(zone, 9)).toBe(false);
  });

  test('39: orders below the one that failed are never deferred, and a success ends it', () => {
    const { mm, zone } = new Machine('mainline-6.18', FRAGMENTED);
    mm.compaction.resetDefer(zone, 9, true);
    mm.compaction.defer(zone, 9);
    mm.compaction.defer(zone, 9);
    expect(mm.compaction.isDeferred(zone, 8)).toBe(false);
    expect(mm.compaction.isDeferred(zone, 9)).toBe(true);
    mm.compaction.resetDefer(zone, 9, true);
    expect(mm.compaction.isDeferred(zone, 9)).toBe(false);
    expect(mm.compaction.of(zone).order_failed).toBe(10);
  });

  test('39: real failures of direct compaction raise the shift, only above asynchronous priority', () => {
    const pinned = Array.from({ length: 8 }, () => 'LLU.L.L.').join('|');
    const machine = new Machine('mainline-6.18', pinned, { knobs: { 'reclaim.reclaimable_percent': 0 } });
    const shifts: number[] = [];
    for (let i = 0; i < 3; i++) {
      machine.alloc(GFP_KERNEL, 9);
      shifts.push(machine.mm.compaction.of(machine.zone).defer_shift);
    }
    expect(shifts[0]).toBe(1);
    expect(shifts[2]).toBeGreaterThanOrEqual(shifts[1]!);
  });
});

test('an unmovable request does not capture a small chunk of a movable block', () => {
  const machine = new Machine('mainline-6.18', 'L.L.L.L.|L.L.L.L.|L.L.L.L.|L.L.L.L.', { types: 'MMMM' });
  const pfn = machine.alloc(GFP_KERNEL, 7);
  expect(pfn).toBeGreaterThan(0);
  expect(machine.zone.pgalloc).toBe(128);
});

test('asynchronous runs for unmovable requests leave Movable blocks alone until 7.0; 7.2 empties one for order 9', () => {
  const migrated = POLICY_NAMES.map((policy) => {
    const machine = new Machine(policy, FRAGMENTED);
    compactZone(machine.mm, {
      zone: machine.zone,
      cpu: 0,
      order: 9,
      migratetype: Migratetype.unmovable,
      highestZone: ZoneIndex.normal,
      allocFlags: WMARK_MIN,
      async: true,
      direct: true,
      whole_zone: false,
      proactive: false,
      ignore_skip: false,
    });
    return machine.mm.events.pgmigrate_success;
  });
  expect(migrated).toEqual([0, 0, 256]);
});

test('the gap above the mark is twice the request, at most 32 pages from 7.1 on', () => {
  const gaps = POLICY_NAMES.map((policy) => {
    const { mm } = new Machine(policy, 'LLLLLLLL');
    return [1, 4, 9].map((order) => compactGap(mm, order));
  });
  expect(gaps).toEqual([
    [4, 32, 1024],
    [4, 32, 1024],
    [4, 32, 32],
  ]);
});

test('fragmentation index of the worked example', () => {
  // 10 chunks of order 0, 5 of order 1, 2 of order 2
  const { zone } = new Machine('mainline-6.18', 'UUUUUUUU');
  zone.nr_free.set([10, 5, 2]);
  expect([0, 1, 2, 3, 4, 5, 9, 10].map((order) => fragmentationIndex(zone, order))).toEqual([
    -1000, -1000, -1000, 736, 839, 890, 938, 940,
  ]);
});

test('marks of proactive compaction', () => {
  const marks = (policy: (typeof POLICY_NAMES)[number], proactiveness: number) => {
    const { mm } = new Machine(policy, 'LLLLLLLL', { knobs: { 'compaction.proactiveness': proactiveness } });
    return [proactiveLowMark(mm), proactiveHighMark(mm)];
  };
  expect(marks('mainline-6.1', 20)).toEqual([80, 90]);
  expect(marks('mainline-6.18', 20)).toEqual([80, 90]);
  expect(marks('mainline-6.1', 100)).toEqual([5, 15]);
  expect(marks('mainline-6.18', 90)).toEqual([10, 15]);
  expect(marks('mainline-6.18', 100)).toEqual([0, 0]);
});
