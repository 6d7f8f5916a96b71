/** Lists that are walked and bitmaps that are searched choose alike. model: spb 2.3, 7, 8 scenario 42 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { GFP_HIGHUSER_MOVABLE, GFP_KERNEL, GFP_NORETRY_BIT } from '../../../src/mm/gfp.js';
import { allocPages } from '../../../src/mm/page-alloc/alloc-pages.js';
import { freePages } from '../../../src/mm/page-alloc/free-owned.js';
import { validate } from '../../../src/mm/page-alloc/validate.js';
import type { Policy } from '../../../src/mm/policy.js';
import { SlotBitmaps } from '../../../src/mm/spb/slot-bitmaps.js';
import type { SpbTracer } from '../../../src/mm/spb/spb-tracer.js';
import { NR_PLACES, SPB_LISTS } from '../../../src/mm/spb/spb-types.js';
import type { Superpageblocks } from '../../../src/mm/spb/superpageblocks.js';
import { MIGRATE_TYPES } from '../../../src/mm/types.js';
import { policyNamed } from '../policies.js';
import { Dice, oddMachine, RandomRun } from './random-operations.js';
import { EMPTY, FULL_TAINTED, SpbMachine } from './support.js';

const OPERATIONS = 15_000;

/** Uses up most of a machine in pieces of 4 MiB, a third of them non-movable, and gives a good part back. */
function fill({ mm }: RandomRun, dice: Dice): void {
  const held: number[] = [];
  for (let failures = 0; failures < 3; ) {
    const gfp = [GFP_HIGHUSER_MOVABLE, GFP_HIGHUSER_MOVABLE, GFP_KERNEL | GFP_NORETRY_BIT][dice.roll(3)]!;
    const pfn = allocPages(mm, dice.roll(mm.nr_cpus), gfp, 10, -1, gfp === GFP_HIGHUSER_MOVABLE);
    if (pfn >= 0) held.push(pfn);
    else failures++;
  }
  for (const pfn of held) if (dice.roll(100) < 35) freePages(mm, 0, pfn, 10);
}

function ran(
  selector: 'lists' | 'bitmap',
  nodes: number,
  seed: number,
  changes: Partial<Policy> = {},
  change: (run: RandomRun) => void = () => undefined,
): RandomRun {
  const run = new RandomRun(oddMachine(nodes, 6_144), policyNamed(`spb-v2-${selector}`, changes), seed);
  change(run);
  fill(run, new Dice(seed * 77));
  for (let i = 0; i < OPERATIONS; i++) run.step();
  return run;
}

/** A tracer that notes what was called. */
function tracerInto(events: string[]): SpbTracer {
  const note = (name: string) => () => void events.push(name);
  return {
    allocWalk: note('allocWalk'),
    fallThrough: note('fallThrough'),
    pbTaint: note('pbTaint'),
    claimRefused: note('claimRefused'),
    evacuateForOrderDone: note('evacuateForOrderDone'),
    atomicRelax: note('atomicRelax'),
    pass: note('pass'),
    visit: note('visit'),
    trigger: note('trigger'),
    take: note('take'),
  };
}

/** What a run did and what it left, as text: first difference and all. */
function accountOf({ mm, log }: RandomRun) {
  const { stats } = mm.spb!;
  return {
    log: Buffer.from(Int32Array.from(log).buffer).toString('base64'),
    zones: mm.zones.map(({ spb, nr_free_pages }) => ({
      nr_free_pages,
      order: spb!.inListOrder(),
      place: [...spb!.place],
      free: [...spb!.nr_free],
      freePages: [...spb!.nr_free_pages],
      unmovable: [...spb!.nr_unmovable],
      movable: [...spb!.nr_movable],
      reclaimable: [...spb!.nr_reclaimable],
    })),
    types: Buffer.from(mm.pages.blockType).toString('base64'),
    bits: Buffer.from(mm.pages.blockBits).toString('base64'),
    outcomes: [...stats.outcomes],
    refused: [...stats.claim_refused],
    relaxed: [...stats.relax_steps],
    triggered: [stats.evac_requested, stats.spb_slab_shrink_queued, stats.defrag_offered, stats.defrag_runs],
    events: mm.events,
  };
}

describe('42. Determinism', () => {
  describe.each([1, 2, 4])('%i nodes', (nodes) => {
    test.each([1, 2, 3])('seed %i: byte for byte the same events and the same state', (seed) => {
      const lists = ran('lists', nodes, seed);
      const bitmap = ran('bitmap', nodes, seed);
      expect(accountOf(bitmap)).toEqual(accountOf(lists));
      expect(lists.log.length).toBeGreaterThan(OPERATIONS / 2);
      expect(lists.log).toContain(-3);
      validate(bitmap.mm);
      const { searches, visited } = lists.mm.spb!.stats;
      expect(visited / searches).toBeGreaterThan(2);
      expect(bitmap.mm.zones.every(({ spb }) => spb!.bitmaps!.flips > 0)).toBe(true);
      expect(lists.mm.zones.every(({ spb }) => spb!.bitmaps === null)).toBe(true);
    });
  });

  test.each<[string, Partial<Policy>]>([
    ['no per-CPU lists', { 'pcp.kind': 'none' }],
    ['R-c', { 'spb.pass2_needs_tainted_ok': true, 'spb.pass3_nofrag_gate': true }],
    ['types that stay', { 'spb.reset_type_when_free': false, 'spb.cross_type_needs_free': false }],
  ])('under other rules: %s', (_, changes) => {
    expect(accountOf(ran('bitmap', 2, 7, changes))).toEqual(accountOf(ran('lists', 2, 7, changes)));
  });

  test.each(['buddy', 'classic'] as const)('a tracer looks on and changes nothing: pcp.kind %s', (kind) => {
    const events: string[] = [];
    const trace = ({ mm }: RandomRun) => mm.spb!.setTracer(tracerInto(events), mm.zones);
    const knobs = { 'pcp.kind': kind };
    const [traced, plain] = [ran('lists', 1, 5, knobs, trace), ran('lists', 1, 5, knobs)];
    expect(accountOf(traced)).toEqual(accountOf(plain));
    expect(traced.mm.spb!.stats).toEqual(plain.mm.spb!.stats);
    expect(new Set(events)).toContain('take');
  });

  test('the same seed twice is the same run, another seed another', () => {
    const first = accountOf(ran('lists', 1, 11));
    expect(accountOf(ran('lists', 1, 11))).toEqual(first);
    expect(accountOf(ran('lists', 1, 12)).log).not.toBe(first.log);
  });

  test('a bitmap that finds the newest member first is noticed', () => {
    const newestFirst = ({ bitmaps }: Superpageblocks) => {
      const find = bitmaps!.find.bind(bitmaps!);
      bitmaps!.find = (place, first, last, from) => {
        let newest = -1;
        for (let slot = from; ; slot = bitmaps!.slotOf(newest) + 1) {
          const next = find(place, first, last, slot);
          if (next < 0) return newest;
          newest = next;
        }
      };
    };
    const breakAll = ({ mm }: RandomRun) => {
      for (const { spb } of mm.zones) newestFirst(spb!);
    };
    expect(accountOf(ran('bitmap', 1, 1, {}, breakAll)).log).not.toBe(accountOf(ran('lists', 1, 1)).log);
  });
});

describe('cost', () => {
  test('lists visit every SPB before the one that serves, bitmaps that one only', () => {
    const visitedBy = (selector: 'lists' | 'bitmap') => {
      const pictures = { A: FULL_TAINTED, B: FULL_TAINTED, C: 'U:u. | * M:m', E: EMPTY };
      const machine = new SpbMachine(pictures, { policy: `spb-v2-${selector}` });
      expect([machine.alloc('U', 3), machine.alloc('M', 9)]).toEqual(['C+0x100', 'E']);
      const { searches, visited, visits_histogram } = machine.stats;
      const passes = machine.events().filter((line) => line.startsWith('PASS'));
      return [...passes, searches, visited, [...visits_histogram.subarray(0, 4)]];
    };
    expect(visitedBy('lists')).toEqual([
      'PASS_1 o3 U, 3 visited',
      'PASS_3 o9 M, 1 visited',
      2,
      4,
      [1, 0, 1, 0],
    ]);
    expect(visitedBy('bitmap')).toEqual([
      'PASS_1 o3 U, 1 visited',
      'PASS_3 o9 M, 1 visited',
      2,
      2,
      [2, 0, 0, 0],
    ]);
  });
});

/** What bitmaps stand for: members with their slots, lists and free lists. */
class NaiveSlots {
  readonly members: { spb: number; place: number; slot: number }[] = [];
  readonly has: Set<number>[];
  nextSlot = 0;

  constructor(nr: number) {
    this.has = Array.from({ length: nr }, () => new Set<number>());
  }
  memberOf(spb: number) {
    return this.members.find((member) => member.spb === spb);
  }
  join(spb: number, place: number): void {
    this.members.push({ spb, place, slot: this.nextSlot++ });
  }
  leave(spb: number): void {
    this.members.splice(this.members.indexOf(this.memberOf(spb)!), 1);
  }
  find(place: number, first: number, last: number, from: number): number {
    const fits = (list: number) => list >= first && list <= last && (list - first) % MIGRATE_TYPES === 0;
    const found = this.members.find(
      (member) => member.place === place && member.slot >= from && [...this.has[member.spb]!].some(fits),
    );
    return found?.spb ?? -1;
  }
}

describe('bitmaps against a naive model', () => {
  const number = fc.nat(0x7fff_ffff);
  const operations = fc.array(fc.tuple(fc.nat(9), number, number, number), {
    minLength: 200,
    maxLength: 300,
  });

  // 64 slots are the least; from 700 SPBs on the middle level has several words, from 20,000 on the top one.
  test.each([
    [1, 25],
    [20, 25],
    [33, 25],
    [700, 15],
    [2_100, 10],
    [20_000, 4],
  ])('%i SPBs', (nr, numRuns) => {
    let dealtAnew = 0;
    let found = 0;
    fc.assert(
      fc.property(operations, ([first, ...more]) => {
        const bitmaps = new SlotBitmaps(nr);
        const naive = new NaiveSlots(nr);
        const hasList = (spb: number) => (list: number) => naive.has[spb]!.has(list);
        const join = (spb: number, place: number) => {
          if (bitmaps.isFull) {
            expect(naive.nextSlot).toBe(bitmaps.nr_slots);
            const members = naive.members.splice(0);
            naive.nextSlot = 0;
            bitmaps.clear();
            for (const member of members) join(member.spb, member.place);
            dealtAnew++;
          }
          bitmaps.join(spb, place, hasList(spb));
          naive.join(spb, place);
        };
        for (let spb = 0; spb < nr; spb++) {
          naive.has[spb]!.add((spb * 7 + first![1]) % SPB_LISTS);
          join(spb, (spb * 5 + first![2]) % 3);
        }
        for (const [what, a, b, c] of more) {
          const spb = a % nr;
          if (what < 4) {
            bitmaps.leave(spb, naive.memberOf(spb)!.place, hasList(spb));
            naive.leave(spb);
            join(spb, b % (c % 2 === 0 ? 3 : NR_PLACES));
          } else if (what < 7) {
            const list = b % SPB_LISTS;
            const toggled = !naive.has[spb]!.has(list);
            if (toggled) naive.has[spb]!.add(list);
            else naive.has[spb]!.delete(list);
            bitmaps.listChanged(spb, list, toggled);
          } else {
            const type = a % MIGRATE_TYPES;
            const orders = [(b >>> 8) % 11, (c >>> 8) % 11].sort((x, y) => x - y);
            const from = what === 7 ? 0 : b % (bitmaps.nr_slots + 1);
            const [low, high] = orders.map((order) => order * MIGRATE_TYPES + type);
            const query = [c % 3, low!, high!, from] as const;
            const expected = naive.find(...query);
            expect([query, bitmaps.find(...query)]).toEqual([query, expected]);
            if (expected >= 0) found++;
          }
          const member = naive.memberOf(spb)!;
          expect(bitmaps.slotOf(spb)).toBe(member.slot);
          expect(bitmaps.agrees(spb, member.place, hasList(spb))).toBe(true);
        }
      }),
      { numRuns, seed: nr, endOnFailure: true },
    );
    expect(found).toBeGreaterThan(10);
    if (nr <= 33) expect(dealtAnew).toBeGreaterThan(3);
  });

  test('a search reads few words, however many there are', () => {
    const bitmaps = new SlotBitmaps(4_096);
    for (let spb = 0; spb < 4_096; spb++) bitmaps.join(spb, 3, (list) => spb === 4_000 && list === 8);
    const { probes } = bitmaps;
    expect(bitmaps.find(3, 8, 8, 0)).toBe(4_000);
    expect(bitmaps.probes - probes).toBeLessThan(20);
  });
});
