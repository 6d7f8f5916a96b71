/** Compaction on superpageblocks: what it passes over, where it puts pages. model: spb 5.2, 5.3; 8, scenario 37 */
import { describe, expect, test } from 'vitest';
import { GFP_HIGHUSER_MOVABLE, GFP_KERNEL } from '../../../src/mm/gfp.js';
import {
  CompactControl,
  type CompactGoal,
  WHOLE_ZONE_ORDER,
} from '../../../src/mm/reclaim/compact-control.js';
import { compactZone } from '../../../src/mm/reclaim/compaction.js';
import { isolateSources } from '../../../src/mm/reclaim/compaction-sources.js';
import { lastBlock } from '../../../src/mm/reclaim/compaction-state.js';
import { isolateTargets } from '../../../src/mm/reclaim/compaction-targets.js';
import { compactMemory } from '../../../src/mm/reclaim/kcompactd.js';
import { ZoneIndex } from '../../../src/mm/types.js';
import { movable, SpbMachine, unmovable } from './background-support.js';

function goalOf(machine: SpbMachine, changes: Partial<CompactGoal> = {}): CompactGoal {
  return {
    zone: machine.zone,
    cpu: 0,
    order: 9,
    migratetype: movable,
    highestZone: ZoneIndex.normal,
    allocFlags: 0,
    async: false,
    direct: true,
    whole_zone: true,
    proactive: false,
    ignore_skip: true,
    ...changes,
  };
}

/** A source scanner that stands at a page; the target scanner is at the zone's end. */
function scannerAt(machine: SpbMachine, pfn: number, changes: Partial<CompactGoal> = {}): CompactControl {
  const control = new CompactControl(machine.mm, goalOf(machine, changes));
  control.migrate_pfn = pfn;
  control.free_pfn = lastBlock(machine.zone);
  return control;
}

/** Calls the source scanner until it has something. */
function scan(control: CompactControl): boolean {
  for (;;) {
    const before = control.migrate_pfn;
    if (isolateSources(control)) return true;
    if (control.migrate_pfn <= before) return false;
  }
}

/** Free pages by row that the target scanner takes for so many pages that wait; they are given back. */
function targetsOf(machine: SpbMachine, pages: number, rows: readonly string[]): Record<string, number> {
  const control = scannerAt(machine, machine.zone.start_pfn, { direct: false, order: WHOLE_ZONE_ORDER });
  const before = rows.map((row) => machine.counts(row).pages);
  control.source_pages = pages;
  isolateTargets(control);
  const taken = rows.map((row, index) => [row, before[index]! - machine.counts(row).pages] as const);
  control.targets.release();
  machine.check();
  return Object.fromEntries(taken.filter(([, count]) => count > 0));
}

function movesOf(machine: SpbMachine): { from: Set<string>; to: Set<string>; count: () => number } {
  const from = new Set<string>();
  const to = new Set<string>();
  let moves = 0;
  machine.mm.onMigrate = (source, target) => {
    moves++;
    from.add(machine.nameOf(source).split(':')[0]!);
    to.add(machine.nameOf(target).split(':')[0]!);
  };
  return { from, to, count: () => moves };
}

describe('37. C3 skip', () => {
  // T is tainted and holds nothing that could move; half of its blocks are partly free.
  const PICTURE = `
    T  200u3 *U
    C  m100 m50 *M
    D  m200 *M
  `;

  test('37. C3 skip: no page of it is scanned, the scanner is at the end of the SPB', () => {
    const machine = new SpbMachine(PICTURE);
    expect(machine.counts('T').m).toBe(0);
    const control = scannerAt(machine, machine.pfn('T'));
    expect(isolateSources(control)).toBe(true);
    // All that was looked at is the first movable block behind it: 32 pages make a round.
    expect([control.migrate_scanned, control.source_pages]).toEqual([32, 32]);
    expect(control.sources.every((pfn) => machine.nameOf(pfn).startsWith('C:0'))).toBe(true);
    expect(machine.nameOf(control.migrate_pfn)).toBe('C:0+32');
    expect(machine.mm.compaction.of(machine.zone).migrate_pfn).toEqual([machine.pfn('C'), machine.pfn('C')]);
  });

  test('37. C3 skip: from the middle of it, too', () => {
    const machine = new SpbMachine(PICTURE);
    const control = scannerAt(machine, machine.pfn('T', 7, 100));
    expect(isolateSources(control)).toBe(true);
    expect([control.migrate_scanned, machine.nameOf(control.migrate_pfn)]).toEqual([32, 'C:0+32']);
  });

  test('37. C3 skip: its last pageblock is no exception', () => {
    const machine = new SpbMachine(PICTURE.replace('200u3 *U', '400u3 *u3'));
    const control = scannerAt(machine, machine.pfn('T', 511));
    expect(isolateSources(control)).toBe(true);
    expect([control.migrate_scanned, machine.nameOf(control.migrate_pfn)]).toEqual([32, 'C:0+32']);
  });

  test('37. C3 skip: to the end of the range where that comes first', () => {
    const machine = new SpbMachine(PICTURE);
    const control = scannerAt(machine, machine.pfn('T'));
    control.free_pfn = machine.pfn('T', 300);
    expect(isolateSources(control)).toBe(false);
    expect([control.migrate_scanned, machine.nameOf(control.migrate_pfn)]).toEqual([0, 'T:301']);
  });

  test('one movable page in it, and it is scanned as ever', () => {
    const machine = new SpbMachine(PICTURE.replace('200u3', '100u3 x1+2 99u3'));
    expect(machine.counts('T').m).toBe(1);
    const control = scannerAt(machine, machine.pfn('T'));
    expect(scan(control)).toBe(true);
    expect(machine.nameOf(control.sources[0]!)).toBe('T:100+2');
    expect(control.migrate_scanned).toBeGreaterThan(100 * 3);
  });

  test('a clean one is scanned whatever it holds; so is every one with spb.compaction_skip = false', () => {
    const clean = new SpbMachine('K  20. *K\nC  m100 *M');
    const control = scannerAt(clean, clean.pfn('K'));
    expect([clean.counts('K').m, clean.place('K'), scan(control)]).toEqual([0, 'clean 75', true]);
    expect(control.migrate_scanned).toBeGreaterThan(492 * 512);
    const off = new SpbMachine(PICTURE, { knobs: { 'spb.compaction_skip': false } });
    const scans = scannerAt(off, off.pfn('T'));
    expect(scan(scans)).toBe(true);
    expect(scans.migrate_scanned).toBeGreaterThan(200 * 3);
  });

  test('a whole run: no page of it is looked at, and the result is the same', () => {
    const run = (skip: boolean) => {
      const machine = new SpbMachine(PICTURE, { knobs: { 'spb.compaction_skip': skip } });
      const moves = movesOf(machine);
      const { result, migrate_scanned } = compactZone(machine.mm, goalOf(machine));
      machine.check();
      return {
        result,
        migrate_scanned,
        from: [...moves.from],
        rows: ['T', 'C', 'D'].map((row) => machine.row(row)),
      };
    };
    const [skipping, scanning] = [run(true), run(false)];
    expect(skipping.from).toEqual(['C']);
    expect(skipping.rows).toEqual(scanning.rows);
    expect(skipping.result).toBe(scanning.result);
    expect(skipping.migrate_scanned).toBeLessThanOrEqual(512);
    expect(scanning.migrate_scanned - skipping.migrate_scanned).toBeGreaterThan(200 * 3);
  });
});

describe('targets', () => {
  //   A   clean: where the pages come from          V  tainted, above its reserve of 16
  //   B   clean, with gaps                          T  tainted, at its reserve
  //   E   empty
  const PICTURE = `
    A  8m64 *M
    B  8m300 *M
    V  U 17. 8m300 *U
    T  U 16. 8m100 *U
    E  *.
  `;

  test('blocks of SPBs that are not empty and, if tainted, not at their reserve', () => {
    const machine = new SpbMachine(PICTURE);
    const moves = movesOf(machine);
    const free = machine.free_pages;
    compactMemory(machine.mm, 0);
    machine.check();
    expect(moves.count()).toBeGreaterThanOrEqual(8 * 64);
    expect(moves.from.has('A')).toBe(true);
    expect(moves.to.has('T')).toBe(false);
    expect(moves.to.has('E')).toBe(false);
    expect(moves.to.has('V')).toBe(true);
    expect([machine.row('A'), machine.row('E')]).toEqual(['8. 504M', '512.']);
    expect([machine.place('E'), machine.counts('V').free, machine.free_pages]).toEqual(['empty', 17, free]);
  });

  test('the target scanner goes down from the end, past an empty one and one at its reserve', () => {
    const machine = new SpbMachine(PICTURE);
    const rows = ['A', 'B', 'V', 'T', 'E'];
    expect(targetsOf(machine, 64, rows)).toEqual({ V: expect.any(Number) });
    // 8 * 212 pages are in V's gaps, and the next gaps are in B. Whole free blocks are left alone.
    expect(targetsOf(machine, 8 * 212 + 1, rows)).toEqual({ V: 8 * 212, B: expect.any(Number) });
    const above = new SpbMachine(PICTURE.replace('T  U 16.', 'T  U 17.'));
    expect(targetsOf(above, 64, rows)).toEqual({ T: expect.any(Number) });
    const both = new SpbMachine(PICTURE.replace('V  U 17.', 'V  U 16.'));
    expect(targetsOf(both, 64, rows)).toEqual({ B: expect.any(Number) });
  });

  test('a page that arrives sets PB_has_movable, and counts', () => {
    // In V a movable block holds pages that were borrowed from it, and nothing movable.
    const machine = new SpbMachine('A  m20 *M\nV  17. U b0+200 *U');
    expect(machine.counts('V').m).toBe(0);
    const moves = movesOf(machine);
    compactMemory(machine.mm, 0);
    machine.check();
    expect([[...moves.from], [...moves.to]]).toEqual([['A'], ['V']]);
    expect(machine.counts('V').m).toBe(1);
    expect([machine.row('A'), machine.row('V')]).toEqual(['. 511M', '17. U b20+200 493U']);
  });

  test('sources leave their blocks, which then count as free', () => {
    const machine = new SpbMachine('A  m20 *M\nB  m400 *M');
    compactMemory(machine.mm, 0);
    machine.check();
    expect([machine.counts('A'), machine.row('B')]).toEqual([
      { free: 1, pages: 512, u: 0, m: 511, r: 0 },
      'm420 511M',
    ]);
  });
});

describe('the hook of direct compaction', () => {
  test('a non-movable request of higher order: an evacuation before the usual compaction', () => {
    // Nothing in T fits an order 5, but 497 movable pages stand in an unmovable block; C has room for 212.
    const machine = new SpbMachine('T  x497+1 *U\nC  m300 *M');
    const moves = movesOf(machine);
    const pfn = machine.alloc(GFP_KERNEL, 5);
    expect(machine.nameOf(pfn)).toMatch(/^T:0/);
    const log = machine.log('evacuated', 'walk').filter((line) => !line.startsWith('walk o0 M'));
    expect(log.slice(-2)).toEqual(['evacuated o5 U p1=1 p2=0', 'walk o5 U PASS_1']);
    expect(log.slice(0, -2)).toEqual(new Array(log.length - 2).fill('walk o5 U NO_PAGE'));
    expect([[...moves.from], [...moves.to]]).toEqual([['T'], ['C']]);
    expect([machine.mm.events.compact_stall, machine.stats.nofragment_dropped]).toEqual([0, 0]);
    expect(machine.place('C')).toMatch(/^clean/);
  });

  test('order 0 has no such hook, and a movable one of a smaller order neither', () => {
    const machine = new SpbMachine('T  x497+1 *U\nC  m300 *M');
    machine.alloc(GFP_HIGHUSER_MOVABLE, 8);
    expect([machine.stats.evac_calls, machine.stats.thp_contig_tried]).toEqual([0, 0]);
    machine.take(0, unmovable);
    expect(machine.stats.evac_calls).toBe(0);
  });
});
