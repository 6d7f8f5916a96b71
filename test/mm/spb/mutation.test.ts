/**
 * The checks of superpageblocks have teeth: for every rule of validate-spb, a machine in which it is broken on purpose is
 * reported, be it that a number was changed behind its back or that a mechanism leaves something out.
 * model: spb 2, 8 scenarios 1, 2
 */
import { describe, expect, test } from 'vitest';
import { InvariantError } from '../../../src/mm/invariant.js';
import { validate } from '../../../src/mm/page-alloc/validate.js';
import {
  PB_ALL_FREE,
  PB_HAS_MOVABLE,
  PB_HAS_RECLAIMABLE,
  PB_HAS_UNMOVABLE,
  PLACE_EMPTY,
  SPB_LISTS,
} from '../../../src/mm/spb/spb-types.js';
import type { Superpageblocks } from '../../../src/mm/spb/superpageblocks.js';
import { validateSuperpageblocks } from '../../../src/mm/spb/validate-spb.js';
import { MIGRATE_TYPES, Migratetype } from '../../../src/mm/types.js';
import { EMPTY, SpbMachine } from './support.js';

const { unmovable, movable } = Migratetype;

/**
 * Something of everything.
 *
 *     A    clean: a hole, boot memory, movable pages in one, two and parts of pageblocks
 *     B    tainted, nothing free        C    tainted, some free        E F    empty
 */
function healthy(): SpbMachine {
  const machine = new SpbMachine(
    {
      A: '3 - | M:k | M:k. | M:m. | 2 M:. | 100 M:m | * M:.',
      B: 'U:u. | M:um.. | * M:m',
      C: 'R:r. | 10 M:. | * M:m',
      E: EMPTY,
      F: '64 M:.',
    },
    { knobs: { 'spb.selector': 'bitmap', 'buddy.max_order_free': 'whole' } },
  );
  machine.alloc('M', 10);
  return machine;
}

const A = 0;
const B = 1;
const C = 2;
const E = 3;
const F = 4;

interface Corruption {
  readonly rule: string;
  readonly title: string;
  readonly corrupt: (machine: SpbMachine) => void;
  readonly report: RegExp;
}

const block = (machine: SpbMachine, name: string) => machine.pfn(name) >>> 9;
/** Sets and clears bits of a pageblock, and keeps the counters in step, so that only the bits are wrong. */
function setBits(machine: SpbMachine, name: string, set: number, clear = 0): void {
  const { mm, spbs } = machine;
  const at = block(machine, name);
  const spb = spbs.indexOf(machine.pfn(name));
  const before = mm.pages.blockBits[at]!;
  const after = (before | set) & ~clear;
  mm.pages.blockBits[at] = after;
  for (const [bit, counter] of [
    [PB_HAS_UNMOVABLE, spbs.nr_unmovable],
    [PB_HAS_MOVABLE, spbs.nr_movable],
    [PB_HAS_RECLAIMABLE, spbs.nr_reclaimable],
    [PB_ALL_FREE, spbs.nr_free],
  ] as const)
    counter[spb]! += Number((after & bit) !== 0) - Number((before & bit) !== 0);
  spbs.update(spb);
}

const counterOff =
  (counter: (spbs: Superpageblocks) => Uint16Array | Int32Array, spb: number, by = 1) =>
  ({ spbs }: SpbMachine) => {
    counter(spbs)[spb]! += by;
  };

const CORRUPTIONS: readonly Corruption[] = [
  {
    rule: 'a',
    title: 'a chunk is on the lists of another SPB',
    corrupt: ({ spbs }) => {
      const [ofE, ofF] = [spbs.heads[E]!, spbs.heads[F]!];
      spbs.heads[E] = ofF;
      spbs.heads[F] = ofE;
    },
    report: /owner of the chunk at pfn/,
  },
  {
    rule: 'a',
    title: 'the length of a list is off by one',
    corrupt: counterOff(({ listLength }) => listLength, C * SPB_LISTS + 8 * MIGRATE_TYPES + 2),
    report: /length of list 50 is 2, but 1 were found/,
  },
  {
    rule: 'a',
    title: 'nr_free_pages is off by one',
    corrupt: counterOff(({ nr_free_pages }) => nr_free_pages, C, -1),
    report: /nr_free_pages is 5375, but 5376 were found/,
  },
  {
    rule: 'a',
    title: 'a mask forgets a list',
    corrupt: ({ spbs }) => {
      spbs.listMask[B * MIGRATE_TYPES + unmovable] = 0;
    },
    report: /mask of type 0 is 0, but 256 were found/,
  },
  {
    rule: 'a',
    title: 'a mask knows a list that is empty',
    corrupt: ({ spbs }) => {
      spbs.listMask[B * MIGRATE_TYPES + movable]! |= 1 << 9;
    },
    report: /mask of type 1/,
  },
  {
    rule: 'b',
    title: 'total_pageblocks is off by one',
    corrupt: counterOff((spbs) => spbs.total_pageblocks, A),
    report: /total_pageblocks is 513, but 512 were found/,
  },
  {
    rule: 'b',
    title: 'nr_reserved is off by one',
    corrupt: counterOff((spbs) => spbs.nr_reserved, A),
    report: /nr_reserved is 4, but 3 were found/,
  },
  {
    rule: 'b',
    title: 'nr_free is off by one',
    corrupt: counterOff((spbs) => spbs.nr_free, C),
    report: /nr_free is 11, but 10 were found/,
  },
  {
    rule: 'b',
    title: 'nr_unmovable is off by one',
    corrupt: counterOff((spbs) => spbs.nr_unmovable, B, -1),
    report: /nr_unmovable is 1, but 2 were found/,
  },
  {
    rule: 'b',
    title: 'nr_movable is off by one',
    corrupt: counterOff((spbs) => spbs.nr_movable, B),
    report: /nr_movable is 512, but 511 were found/,
  },
  {
    rule: 'b',
    title: 'nr_reclaimable is off by one',
    corrupt: counterOff((spbs) => spbs.nr_reclaimable, C),
    report: /nr_reclaimable is 2, but 1 were found/,
  },
  {
    rule: 'b',
    title: 'a bit was set without being counted',
    corrupt: (machine) => {
      machine.mm.pages.blockBits[block(machine, 'B')]! |= PB_HAS_RECLAIMABLE;
    },
    report: /nr_reclaimable is 0, but 1 were found/,
  },
  {
    rule: 'c',
    title: 'a pageblock in use says that it is free',
    corrupt: (machine) => setBits(machine, 'C#20', PB_ALL_FREE),
    report: /PB_all_free of pageblock 0x\w+ is 1, but 0 were found/,
  },
  {
    rule: 'c',
    title: 'a free pageblock does not say so',
    corrupt: (machine) => setBits(machine, 'C#5', 0, PB_ALL_FREE),
    report: /PB_all_free of pageblock 0x\w+ is 0, but 1 were found/,
  },
  {
    rule: 'c',
    title: 'nor does the second block of a free chunk',
    corrupt: (machine) => setBits(machine, 'E#1', 0, PB_ALL_FREE),
    report: /PB_all_free of pageblock 0x\w+ is 0, but 1 were found/,
  },
  ...[PB_HAS_UNMOVABLE, PB_HAS_MOVABLE, PB_HAS_RECLAIMABLE].map((bit) => ({
    rule: 'c',
    title: `a free pageblock has bit ${bit}`,
    corrupt: (machine: SpbMachine) => setBits(machine, 'C#5', bit),
    report: /PB_has bits of pageblock 0x\w+, which is free,/,
  })),
  {
    rule: 'd',
    title: 'a movable page lies in a pageblock without PB_has_movable',
    corrupt: (machine) => setBits(machine, 'B#1', 0, PB_HAS_MOVABLE),
    report: /PB_has_movable of pageblock/,
  },
  {
    rule: 'd',
    title: 'a huge one does',
    corrupt: (machine) => setBits(machine, 'A#50', 0, PB_HAS_MOVABLE),
    report: /PB_has_movable of pageblock/,
  },
  {
    rule: 'd',
    title: 'the second block of a folio of two does',
    corrupt: (machine) => setBits(machine, 'A#107', 0, PB_HAS_MOVABLE),
    report: /PB_has_movable of pageblock/,
  },
  {
    rule: 'd',
    title: 'a page in use lies in a pageblock without any bit',
    corrupt: (machine) => setBits(machine, 'B', 0, PB_HAS_UNMOVABLE),
    report: /PB_has bits of pageblock/,
  },
  {
    rule: 'e',
    title: 'an SPB is told to be on another list than it is',
    corrupt: ({ spbs }) => {
      spbs.place[E] = spbs.place[A]!;
    },
    report: /its list is/,
  },
  {
    rule: 'e',
    title: 'its counters call for another list',
    corrupt: ({ spbs }) => {
      spbs.contig_allocated[E] = 1;
    },
    report: /the list by its counters is 1, but 0 were found/,
  },
  {
    rule: 'e',
    title: 'it is on two lists',
    corrupt: ({ spbs }) => {
      const first = spbs.first.bind(spbs);
      spbs.first = (place) => first(place === spbs.place[C] ? PLACE_EMPTY : place);
    },
    report: /lists that it is on is 1, but 2 were found/,
  },
  {
    rule: 'e',
    title: 'it is on none',
    corrupt: ({ spbs }) => {
      const first = spbs.first.bind(spbs);
      spbs.first = (place) => (place === spbs.place[C] ? -1 : first(place));
      spbs.place_length[spbs.place[C]!]!--;
    },
    report: /lists that it is on is 0, but 1 were found/,
  },
  {
    rule: 'e',
    title: 'the members of a list are miscounted',
    corrupt: ({ spbs }) => {
      spbs.place_length[PLACE_EMPTY]!++;
    },
    report: /list 1 of superpageblocks has 2 members, 3 counted/,
  },
  {
    rule: 'e',
    title: 'tainted ones are miscounted',
    corrupt: ({ spbs }) => {
      spbs.nr_tainted++;
    },
    report: /nr_tainted is 3, but 2 were found/,
  },
  {
    rule: 'e',
    title: 'tainted ones below their reserve are miscounted',
    corrupt: ({ spbs }) => {
      spbs.nr_tainted_below_reserve--;
    },
    report: /1 tainted superpageblocks below their reserve, 2 found/,
  },
  {
    rule: 'e',
    title: 'a bitmap has a bit too many',
    corrupt: ({ spbs }) => spbs.bitmaps!.listChanged(B, 3, true),
    report: /bits in the bitmaps/,
  },
  {
    rule: 'e',
    title: 'a bitmap misses a bit',
    corrupt: ({ spbs }) => spbs.bitmaps!.listChanged(E, 10 * MIGRATE_TYPES + movable, false),
    report: /bits in the bitmaps/,
  },
  {
    rule: 'e',
    title: 'the bitmaps have an SPB on another list',
    corrupt: ({ spbs }) => {
      const hasList = (list: number) => spbs.listLength[E * SPB_LISTS + list]! > 0;
      spbs.bitmaps!.leave(E, PLACE_EMPTY, hasList);
      spbs.bitmaps!.join(E, spbs.place[C]!, hasList);
    },
    report: /bits in the bitmaps/,
  },
];

describe('validate-spb reports a broken rule', () => {
  const named = CORRUPTIONS.map((each) => [each.rule, each.title, each] as const);
  test.each(named)('(%s) %s', (_, __, { corrupt, report }) => {
    const machine = healthy();
    corrupt(machine);
    expect(() => validateSuperpageblocks(machine.mm, machine.zone)).toThrow(report);
    expect(() => validate(machine.mm)).toThrow(InvariantError);
  });

  test('every rule is broken at least once, and an unbroken machine passes', () => {
    expect([...new Set(CORRUPTIONS.map(({ rule }) => rule))]).toEqual(['a', 'b', 'c', 'd', 'e']);
    const machine = healthy();
    expect(['A', 'B', 'C', 'E', 'F'].map((name) => machine.list(name))).toEqual([
      'clean almost_empty',
      'tainted full',
      'tainted 75',
      'empty',
      'empty',
    ]);
    expect(machine.bits('A#107')).toBe('M');
    expect(() => machine.check()).not.toThrow();
  });
});

/** Allocations and frees of every kind, each followed by a look at everything. */
function exercise(machine: SpbMachine): void {
  machine.free('A#3+0x10');
  machine.free('A#4+0x20', 5);
  const u = machine.alloc('U', 3);
  machine.alloc('R', 9);
  const two = machine.alloc('U', 10);
  machine.alloc('M', 0);
  machine.free(u, 3);
  machine.free(two, 10);
  machine.free('C#20', 9);
  machine.free('A#50', 9);
  machine.spbs.setContigAllocated(E, true);
  machine.check();
  machine.spbs.setContigAllocated(E, false);
  machine.check();
  machine.free('B#1+0x80', 7);
  machine.spbs.clearHasMovable(block(machine, 'B#1'));
  machine.check();
}

describe('a mechanism that leaves something out is noticed', () => {
  const MUTANTS: readonly [string, (machine: SpbMachine) => void][] = [
    ...(['took', 'entered', 'left', 'update'] as const).map(
      (name): [string, (machine: SpbMachine) => void] => [
        `nothing in ${name}()`,
        ({ spbs }) => {
          spbs[name] = () => undefined;
        },
      ],
    ),
    [
      'blocksFreed() counts nothing',
      ({ spbs }) => {
        spbs.blocksFreed = (_, __, type) => type;
      },
    ],
    [
      'blocksFreed() sees one block of two',
      ({ spbs }) => {
        const freed = spbs.blocksFreed.bind(spbs);
        spbs.blocksFreed = (pfn, _, type) => freed(pfn, 9, type);
      },
    ],
    [
      'took() sees one block of two',
      ({ spbs }) => {
        const took = spbs.took.bind(spbs);
        spbs.took = (pfn, _, type) => took(pfn, 0, type);
      },
    ],
    [
      'took() sets no bit',
      ({ spbs }) => {
        const took = spbs.took.bind(spbs);
        spbs.took = (pfn, order) => took(pfn, order, Migratetype.isolate);
      },
    ],
    [
      'clearHasMovable() looks at nothing',
      ({ spbs }) => {
        const took = spbs.took.bind(spbs);
        spbs.took = (pfn, order, type) => {
          took(pfn, order, type);
          spbs.clearHasMovable(pfn >>> 9);
        };
      },
    ],
    [
      'setContigAllocated() leaves the SPB on its list',
      ({ spbs }) => {
        spbs.setContigAllocated = (spb, held) => {
          spbs.contig_allocated[spb] = held ? 1 : 0;
        };
      },
    ],
    [
      'bitmaps do not hear of lists that change',
      ({ spbs }) => {
        spbs.bitmaps!.listChanged = () => undefined;
      },
    ],
    [
      'an SPB joins a bitmap without its lists',
      ({ spbs }) => {
        const join = spbs.bitmaps!.join.bind(spbs.bitmaps!);
        spbs.bitmaps!.join = (spb, place) => join(spb, place, () => false);
      },
    ],
    [
      'an SPB never leaves a bitmap',
      ({ spbs }) => {
        spbs.bitmaps!.leave = () => undefined;
      },
    ],
  ];

  test('an unbroken one goes through', () => {
    expect(() => exercise(healthy())).not.toThrow();
  });

  test.each(MUTANTS)('%s', (_, breakIt) => {
    const machine = healthy();
    breakIt(machine);
    expect(() => exercise(machine)).toThrow(InvariantError);
  });

  test('no bit for what waits on a per-CPU list', () => {
    const freed = (breakIt: (spbs: Superpageblocks) => void) => {
      const machine = new SpbMachine({ A: 'M:k | * M:m', B: EMPTY }, { knobs: { 'pcp.kind': 'buddy' } });
      const pcp = machine.zone.pcps[0]!;
      pcp.batch = 10;
      pcp.high = pcp.high_min = pcp.high_max = 100;
      breakIt(machine.spbs);
      machine.free('A+0x10');
      return machine.bits('A');
    };
    expect(freed(() => undefined)).toBe('M');
    expect(() =>
      freed((spbs) => {
        spbs.heldAs = (_pfn: number, _type: number, cpu: number) => cpu;
      }),
    ).toThrow(/PB_has bits of pageblock/);
  });
});
