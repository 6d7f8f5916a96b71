/** Counters, lists and bits of superpageblocks. model: spb 2, 8 scenarios 1-7 */
import { describe, expect, test } from 'vitest';
import { bootFresh } from '../../../src/mm/page-alloc/boot.js';
import { PageAllocator } from '../../../src/mm/page-alloc/page-allocator.js';
import { validate } from '../../../src/mm/page-alloc/validate.js';
import { setUpZones } from '../../../src/mm/page-alloc/zone-setup.js';
import type { Policy } from '../../../src/mm/policy.js';
import { EMPTY_PLACES, NR_PLACES } from '../../../src/mm/spb/spb-types.js';
import type { Superpageblocks } from '../../../src/mm/spb/superpageblocks.js';
import { Migratetype, NR_PAGE_ORDERS, ZoneIndex } from '../../../src/mm/types.js';
import { policyNamed } from '../policies.js';
import { oddMachine, RandomRun } from './random-operations.js';
import { EMPTY, FULL_CLEAN, FULL_TAINTED, listName, SPB_PAGES, SpbMachine } from './support.js';

const { isolate } = Migratetype;

/** Visits a machine in states that random operations lead to. */
function eachRandomState(seed: number, look: (mm: PageAllocator) => void): void {
  for (const nodes of [1, 2]) {
    const run = new RandomRun(oddMachine(nodes), policyNamed('spb-v2'), seed);
    for (let i = 1; i <= 30_000; i++) {
      run.step();
      if (i % 2_000 === 0) look(run.mm);
    }
    validate(run.mm);
  }
}

test('1. S1 sums', () => {
  eachRandomState(0xa11, ({ zones, pages }) => {
    for (const zone of zones) {
      const spbs = zone.spb!;
      const perSpb = new Int32Array(spbs.nr_superpageblocks);
      let uncovered = 0;
      for (let order = 0; order < NR_PAGE_ORDERS; order++)
        for (let type = 0; type < isolate; type++)
          for (const pfn of zone.listPfns(order, type)) {
            const spb = spbs.indexOf(pfn);
            expect(pages.listType(pfn, order)).toBe(type);
            if (spb >= 0) perSpb[spb]! += 1 << order;
            else uncovered += 1 << order;
          }
      expect([...spbs.nr_free_pages]).toEqual([...perSpb]);
      const inAll = perSpb.reduce((sum, free) => sum + free, uncovered);
      expect(zone.pcps.reduce((sum, pcp) => sum + pcp.nr_free_diff, zone.nr_free_pages)).toBe(inAll);
    }
  });
});

test('2. S2 one list', () => {
  const listsSeen = new Set<string>();
  eachRandomState(0xb22, ({ zones }) => {
    for (const { spb: spbs } of zones) {
      const found = new Map<number, string>();
      for (let place = 0; place < NR_PLACES; place++)
        for (let spb = spbs!.first(place); spb >= 0; spb = spbs!.after(spb)) {
          expect(found.has(spb)).toBe(false);
          found.set(spb, listName(place));
        }
      expect(found.size).toBe(spbs!.nr_superpageblocks);
      for (const [spb, list] of found) {
        expect(list).toBe(listByCounts(spbs!, spb));
        listsSeen.add(list);
      }
    }
  });
  expect(listsSeen.size).toBeGreaterThan(5);
});

/** The list that an SPB belongs on, as the specification words it. */
function listByCounts(spbs: Superpageblocks, spb: number): string {
  const usable = spbs.total_pageblocks[spb]! - spbs.nr_reserved[spb]!;
  const used = usable - spbs.nr_free[spb]!;
  const [unmovable, movable, reclaimable] = [spbs.nr_unmovable, spbs.nr_movable, spbs.nr_reclaimable].map(
    (counter) => counter[spb]! > 0,
  );
  if (spbs.contig_allocated[spb]) return 'isolated';
  if (used === 0 && usable > 0 && !unmovable && !movable && !reclaimable) return 'empty';
  const category = unmovable || reclaimable ? 'tainted' : 'clean';
  if (spbs.nr_free[spb] === 0) return `${category} full`;
  for (const edge of [75, 50, 25]) if (used / usable >= edge / 100) return `${category} ${edge}`;
  return `${category} almost_empty`;
}

test('3. S3 fresh boot', () => {
  //  | 4 GiB below | SPB 0 | SPB 1 | ... | SPB 237 |     238 GiB, aligned, nothing in use
  const nr = 238;
  const mm = new PageAllocator(
    {
      cpu_nodes: [0],
      node_distances: [[10]],
      zones: [
        {
          node: 0,
          index: ZoneIndex.normal,
          start_pfn: 4 * SPB_PAGES,
          spanned_pages: nr * SPB_PAGES,
          present_pages: nr * SPB_PAGES,
          managed_pages: nr * SPB_PAGES,
        },
      ],
      cpu_cache_bytes: 0,
      thp: true,
    },
    policyNamed('spb-v2', { 'pcp.kind': 'none' }),
  );
  setUpZones(mm);
  bootFresh(mm);
  const spbs = mm.zones[0]!.spb!;
  expect(spbs.nr_superpageblocks).toBe(nr);
  expect(EMPTY_PLACES.map((place) => spbs.place_length[place])).toEqual([nr]);
  expect([spbs.nr_tainted, spbs.nr_clean, spbs.nr_tainted_below_reserve]).toEqual([0, 0, 0]);
  expect(spbs.inListOrder()).toEqual(Array.from({ length: nr }, (_, spb) => spb));
  expect([...spbs.nr_free]).toEqual(new Array(nr).fill(512));
  expect([...spbs.nr_free_pages]).toEqual(new Array(nr).fill(262_144));
  expect([...spbs.total_pageblocks]).toEqual(new Array(nr).fill(512));
  for (const counter of [spbs.nr_unmovable, spbs.nr_movable, spbs.nr_reclaimable, spbs.nr_reserved])
    expect([...counter]).toEqual(new Array(nr).fill(0));
  validate(mm);
});

test('4. S4 clipped SPBs', () => {
  //       0.5 GiB            1 GiB           128 MiB
  //  [ .... | A ... ][ B ... ... ... ][ C ]
  const { spbs, ...machine } = layout({ A: '256 M:.', B: EMPTY, C: '64 M:.' });
  expect([...spbs.total_pageblocks]).toEqual([256, 512, 64]);
  expect([0, 1, 2].map((spb) => spbs.reserve(spb))).toEqual([8, 16, 4]);
  expect([0, 1, 2].map((spb) => spbs.usable(spb))).toEqual([256, 512, 64]);
  expect(machine.lists).toEqual(['empty', 'empty', 'empty']);
  expect([...spbs.nr_free_pages]).toEqual([131_072, 262_144, 32_768]);

  const knobs = { 'spb.tainted_reserve_min': 40, 'spb.tainted_reserve_divisor': 5 };
  const other = layout({ A: '256 M:.', B: EMPTY, C: '64 M:.' }, knobs).spbs;
  expect([0, 1, 2].map((spb) => other.reserve(spb))).toEqual([51, 102, 40]);
});

test('4. S4 clipped SPBs: a part of a pageblock counts as one, and cannot become wholly free', () => {
  const machine = new SpbMachine({ A: 'M:-. | 9 M:.', B: '10 M:. | M:.---' });
  expect([...machine.spbs.total_pageblocks]).toEqual([10, 11]);
  expect(machine.spb('A')).toBe('clean almost_empty, 9 free, U 0 M 0 R 0, 4864 pages');
  expect(machine.spb('B')).toBe('clean almost_empty, 10 free, U 0 M 0 R 0, 5248 pages');
});

function layout(pictures: Record<string, string>, knobs: Partial<Policy> = {}) {
  const machine = new SpbMachine(pictures, { knobs });
  return { spbs: machine.spbs, lists: Object.keys(pictures).map((name) => machine.list(name)) };
}

test('5. S5 absent memory', () => {
  const machine = new SpbMachine({ A: '100 - | * M:.', B: EMPTY });
  const { spbs } = machine;
  expect([spbs.total_pageblocks[0], spbs.nr_reserved[0], spbs.usable(0)]).toEqual([512, 100, 412]);
  expect(machine.spb('A')).toBe(`empty, 412 free, U 0 M 0 R 0, ${412 * 512} pages`);
  expect(spbs.reserve(0)).toBe(16);

  // Fullness goes by what is usable: 309 of 412 pageblocks are three quarters.
  for (let block = 0; block < 308; block++) machine.allocUnchecked('M', 9);
  machine.check();
  expect(machine.spb('A')).toBe(`clean 50, 104 free, U 0 M 308 R 0, ${104 * 512} pages`);
  expect(machine.alloc('M')).toMatch(/^A#/);
  expect(machine.spb('A')).toBe(`clean 75, 103 free, U 0 M 309 R 0, ${104 * 512 - 1} pages`);
});

describe('6. S6 first and last', () => {
  test.each(['U', 'R'] as const)('%s', (letter) => {
    const machine = new SpbMachine({ A: EMPTY, B: EMPTY });
    const before = machine.others();
    expect(machine.alloc(letter)).toBe('A');
    const has = letter === 'U' ? 'U 1 M 0 R 0' : 'U 0 M 0 R 1';
    expect(machine.spb('A')).toBe(`tainted almost_empty, 511 free, ${has}, 262143 pages`);
    expect(machine.others('A')).toEqual({ B: before.B });
    expect(machine.bits('A')).toBe(letter);
    expect(machine.events()).toEqual([
      `fall through o0 ${letter}, 0 tainted, 0 with buddy`,
      `SET ${letter} A first`,
      `PASS_3 o0 ${letter}, 1 visited`,
    ]);
    expect(machine.stats.taints_by_pass3).toBe(1);

    machine.free('A');
    expect(machine.others()).toEqual(before);
    expect(machine.bits('A')).toBe('free');
    expect(machine.events()).toEqual([`CLEAR ${letter} A last`]);
    // The other pageblock of the chunk was relabelled with it, and is MOVABLE again.
    expect([machine.type('A'), machine.type('A#1')]).toEqual(['M', 'M']);
    expect(machine.freeChunks('A', 'M')).toBe('256 x o10');
    // Back on spb_empty, behind the one that never left it.
    expect(machine.spbs.inListOrder()).toEqual([1, 0]);
  });

  test('only the first bit of its kind is a first one, only the last a last one', () => {
    const machine = new SpbMachine({ A: 'U:u | * M:.' });
    expect(machine.alloc('U', 9)).toBe('A#1');
    expect(machine.alloc('U', 10)).toBe('A#2');
    expect(machine.alloc('R')).toMatch(/^A/);
    expect(machine.events().filter((line) => line.startsWith('SET'))).toEqual([
      'SET U A#1',
      'SET U A#2',
      'SET U A#3',
      'SET R A#4 first',
    ]);
    machine.free('A#4');
    machine.free('A#2', 10);
    machine.free('A', 9);
    machine.free('A#1', 9);
    expect(machine.events()).toEqual([
      'CLEAR R A#4 last',
      'CLEAR U A#2',
      'CLEAR U A#3',
      'CLEAR U A',
      'CLEAR U A#1 last',
    ]);
    expect(machine.spb('A')).toBe('empty, 512 free, U 0 M 0 R 0, 262144 pages');
  });
});

test('7. S7 sticky bits', () => {
  const machine = new SpbMachine({ A: 'M:um.. | * M:.', B: EMPTY });
  expect(machine.bits('A')).toBe('UM');
  expect(machine.spb('A')).toBe('tainted almost_empty, 511 free, U 1 M 1 R 0, 261888 pages');

  machine.free('A', 7);
  expect(machine.cells('A', 4)).toBe('.m..');
  expect(machine.bits('A')).toBe('UM');
  expect(machine.spb('A')).toBe('tainted almost_empty, 511 free, U 1 M 1 R 0, 262016 pages');
  expect(machine.events()).toEqual([]);

  machine.free('A+0x80', 7);
  expect(machine.bits('A')).toBe('free');
  expect(machine.spb('A')).toBe('empty, 512 free, U 0 M 0 R 0, 262144 pages');
  expect(machine.events()).toEqual(['CLEAR U A last', 'CLEAR M A last']);
});

test('7. S7 sticky bits: they can be told to outlive the page, not to outlive the block', () => {
  const machine = new SpbMachine({ A: 'M:mm.. | * M:m', B: EMPTY });
  machine.free('A', 7);
  machine.spbs.clearHasMovable(machine.pfn('A#1') >>> 9);
  expect(machine.bits('A#1')).toBe('');
  expect(machine.events()).toEqual(['CLEAR M A#1']);
  expect(machine.spb('A')).toBe('clean full, 0 free, U 0 M 511 R 0, 384 pages');
  expect(() => machine.check()).toThrow(/PB_has_movable/);
});

test('a chunk of two pageblocks counts in both, and its SPB is put on a list once', () => {
  // Four pageblocks: with each that comes into use the SPB belongs on another list.
  const machine = new SpbMachine({ A: FULL_CLEAN, B: 'U:u | 3 M:.' });
  const moves: string[] = [];
  machine.spbs.onListChange = () => moves.push(machine.list('B'));
  expect(machine.list('B')).toBe('tainted 25');
  expect(machine.alloc('U', 10)).toBe('B#2');
  expect(machine.spb('B')).toBe('tainted 75, 1 free, U 3 M 0 R 0, 512 pages');
  expect(moves).toEqual(['tainted 75']);
});

describe('lists by fullness', () => {
  test.each([
    [0, 'full'],
    [1, '75'],
    [128, '75'],
    [129, '50'],
    [256, '50'],
    [257, '25'],
    [384, '25'],
    [385, 'almost_empty'],
    [511, 'almost_empty'],
  ])('%i of 512 pageblocks free: %s', (free, list) => {
    const machine = new SpbMachine({
      clean: `M:m | ${free} M:. | * M:m`,
      tainted: `U:u | ${free} M:. | * M:m`,
    });
    expect([machine.list('clean'), machine.list('tainted')]).toEqual([`clean ${list}`, `tainted ${list}`]);
  });

  test('the edges are a knob', () => {
    const machine = new SpbMachine(
      { A: 'M:m | 50 M:. | * M:m', B: 'M:m | 52 M:. | * M:m' },
      { knobs: { 'spb.bucket_edges': [90, 60, 30] } },
    );
    expect([machine.list('A'), machine.list('B')]).toEqual(['clean 75', 'clean 50']);
  });

  test('a pageblock in use keeps an SPB off spb_empty, whatever its bits say', () => {
    const machine = new SpbMachine({ A: 'M:k | * M:.', B: 'M:k. | * M:.' });
    expect(machine.spb('A')).toBe('clean almost_empty, 511 free, U 0 M 0 R 0, 261632 pages');
    expect(machine.spb('B')).toBe('clean almost_empty, 511 free, U 0 M 0 R 0, 261888 pages');
  });

  test('the newest member is the last of its list', () => {
    const machine = new SpbMachine({ A: FULL_TAINTED, B: EMPTY, C: FULL_TAINTED, D: EMPTY });
    expect(machine.spbs.inListOrder()).toEqual([1, 3, 0, 2]);
    machine.free('A', 9);
    expect(machine.list('A')).toBe('clean 75');
    machine.alloc('R', 9, 0);
    expect(machine.spbs.inListOrder().map((spb) => 'ABCD'[spb])).toEqual(['D', 'A', 'C', 'B']);
  });
});

describe('contents by type', () => {
  test('reserved blocks count as unmovable, CMA blocks as movable', () => {
    const machine = new SpbMachine(
      { A: 'H:uu.. | * M:.', B: 'C:mm.. | * M:.' },
      { knobs: { 'cma.compiled': true } },
    );
    machine.alloc('H', 6);
    machine.alloc('C', 6);
    expect([machine.bits('A'), machine.bits('B')]).toEqual(['U', 'M']);
    expect([machine.list('A'), machine.list('B')]).toEqual(['tainted almost_empty', 'clean almost_empty']);
    const fresh = new SpbMachine({ A: 'H:. | * M:.', B: 'C:. | * M:.' }, { knobs: { 'cma.compiled': true } });
    expect([fresh.list('A'), fresh.list('B')]).toEqual(['empty', 'empty']);
    fresh.alloc('H');
    fresh.alloc('C');
    expect(fresh.spb('A')).toBe('tainted almost_empty, 511 free, U 1 M 0 R 0, 262143 pages');
    expect(fresh.spb('B')).toBe('clean almost_empty, 511 free, U 0 M 1 R 0, 262143 pages');
  });

  test('a wholly free block turns MOVABLE, but for CMA and reserved ones', () => {
    const machine = new SpbMachine(
      { A: 'U:u | M:m | R:r | M:m | C:m | M:m | H:u | * M:m' },
      { knobs: { 'cma.compiled': true } },
    );
    for (const block of [0, 2, 4, 6]) machine.free(`A#${block}`, 9);
    expect([0, 2, 4, 6].map((block) => machine.type(`A#${block}`))).toEqual(['M', 'M', 'C', 'H']);
    expect(machine.spb('A')).toBe('clean 75, 4 free, U 0 M 508 R 0, 2048 pages');
  });

  test('unless the policy says that it keeps its type', () => {
    const knobs = { 'spb.reset_type_when_free': false };
    const machine = new SpbMachine({ A: 'U:u | M:m | R:r | * M:m' }, { knobs });
    machine.free('A', 9);
    machine.free('A#2', 9);
    expect([machine.type('A'), machine.type('A#2')]).toEqual(['U', 'R']);
    expect(machine.freeChunks('A', 'U')).toBe('1 x o9');
    expect(machine.list('A')).toBe('clean 75');
  });

  test('a full clean SPB is not empty, and a full tainted one is tainted', () => {
    const machine = new SpbMachine({ A: FULL_CLEAN, B: FULL_TAINTED });
    expect(machine.spb('A')).toBe('clean full, 0 free, U 0 M 512 R 0, 0 pages');
    expect(machine.spb('B')).toBe('tainted full, 0 free, U 1 M 511 R 0, 0 pages');
  });
});
