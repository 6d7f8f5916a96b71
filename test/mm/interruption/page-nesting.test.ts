/**
 * Page calls that interrupt one another where the locks of page lists and zones are held: no page is handed out twice, none
 * is lost, and alloc_pages_nolock() waits for nothing. model: page-allocator 4.10; slub 7.3
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Context } from '../../../src/mm/context.js';
import { GFP_ATOMIC } from '../../../src/mm/gfp.js';
import { allocPages } from '../../../src/mm/page-alloc/alloc-pages.js';
import { allocPagesBulk } from '../../../src/mm/page-alloc/bulk-alloc.js';
import { drainPagesOf } from '../../../src/mm/page-alloc/drain-all.js';
import { freePages } from '../../../src/mm/page-alloc/free-owned.js';
import { allocPagesNolock, freePagesNolock } from '../../../src/mm/page-alloc/nolock.js';
import { PageLock } from '../../../src/mm/page-alloc/page-allocator.js';
import { validate } from '../../../src/mm/page-alloc/validate.js';
import type { Zone } from '../../../src/mm/page-alloc/zone.js';
import { NO_PFN } from '../../../src/mm/types.js';
import { Chance, Ledger, NestingMachine, strikeAtRandom } from './support.js';

const CPUS = 2;
const VALIDATE_EVERY = 100;

interface Pages {
  readonly pfn: number;
  readonly order: number;
}

class Stream {
  readonly machine = new NestingMachine({ cpus: CPUS, memory_pages: 8192 });
  readonly contexts = this.machine.contexts;
  readonly held = new Ledger<Pages>(({ pfn }) => `${pfn}`);
  /** pages in use, so that no two answers overlap */
  readonly used = new Uint8Array(8192 + 1);
  calls = 0;
  nested = 0;
  /** answers of alloc_pages_nolock() below a lock */
  served = 0;
  #steps = 0;
  #chance = new Chance(1);

  constructor() {
    strikeAtRandom(
      this.contexts,
      () => this.#chance,
      4,
      (cpu, context, isDirect) => {
        this.nested++;
        this.#call(cpu, context, !isDirect && context !== Context.nmi);
      },
    );
  }

  step(seed: number): void {
    this.#chance = new Chance(seed);
    this.#call(this.#chance.below(CPUS), Context.task, true);
    if (++this.#steps % VALIDATE_EVERY === 0) this.check();
  }

  #call(cpu: number, context: Context, mayWait: boolean): void {
    this.calls++;
    const what = this.#chance.below(mayWait ? 24 : 4);
    if (what < 3) this.#alloc(cpu, context, true);
    else if (what === 3) this.#freeNolock(cpu, context);
    else if (what < 11) this.#alloc(cpu, context, false);
    else if (what < 22) this.#free(cpu, context);
    // Nobody drains out of an interrupt: that waits for the lock of the lists.
    else if (context !== Context.task) this.#free(cpu, context);
    else if (what === 22) this.#drain(cpu);
    else this.#bulk(cpu, context);
  }

  #hold(pages: Pages): void {
    const { pfn, order } = pages;
    for (let page = pfn; page < pfn + 2 ** order; page++) {
      expect(this.used[page], `page ${page} is handed out twice`).toBe(0);
      this.used[page] = 1;
    }
    this.held.add(pages);
  }

  #alloc(cpu: number, context: Context, isNolock: boolean): void {
    const { mm } = this.machine;
    const order = this.#chance.below(3) > 0 ? 0 : this.#chance.below(4);
    const isBelow = this.contexts.heldBy(cpu).length > 0;
    this.contexts.run(cpu, context, isNolock ? 'alloc_pages_nolock' : 'alloc_pages', () => {
      const pfn = isNolock
        ? allocPagesNolock(mm, cpu, order, -1, false)
        : allocPages(mm, cpu, GFP_ATOMIC, order, -1, false);
      if (pfn === NO_PFN) return;
      if (isNolock && isBelow) this.served++;
      this.#hold({ pfn, order });
    });
  }

  #free(cpu: number, context: Context): void {
    if (this.held.size === 0) return;
    const { pfn, order } = this.held.take(this.#chance.below(this.held.size));
    this.used.fill(0, pfn, pfn + 2 ** order);
    this.contexts.run(cpu, context, 'free_pages', () => freePages(this.machine.mm, cpu, pfn, order));
  }

  #freeNolock(cpu: number, context: Context): void {
    if (this.held.size === 0) return;
    const { pfn, order } = this.held.take(this.#chance.below(this.held.size));
    this.used.fill(0, pfn, pfn + 2 ** order);
    this.contexts.run(cpu, context, 'free_pages_nolock', () =>
      freePagesNolock(this.machine.mm, cpu, pfn, order, context),
    );
  }

  #bulk(cpu: number, context: Context): void {
    const slots = Array.from({ length: 8 }, () => NO_PFN);
    this.contexts.run(cpu, context, 'alloc_pages', () => {
      const got = allocPagesBulk(this.machine.mm, cpu, GFP_ATOMIC, -1, slots);
      for (const pfn of slots.slice(0, got)) this.#hold({ pfn, order: 0 });
    });
  }

  #drain(cpu: number): void {
    this.contexts.run(cpu, Context.task, 'other', () => drainPagesOf(this.machine.mm, cpu));
  }

  check(): void {
    validate(this.machine.mm, { movable_known: true });
  }

  finish(): void {
    this.contexts.strike = null;
    while (this.held.size > 0) this.#free(0, Context.task);
    for (let cpu = 0; cpu < CPUS; cpu++) this.#drain(cpu);
    this.check();
  }
}

/** Free pages of a zone, with what CPUs have not folded yet, and what waits for its lock. */
function freeIn(zone: Zone): number {
  const stranded = zone.trylock_free_pages.stranded_pages;
  return zone.pcps.reduce((sum, pcp) => sum + pcp.nr_free_diff, zone.nr_free_pages + stranded);
}

test('50000 page calls that interrupt one another lose no page and hand out none twice', () => {
  let calls = 0;
  let served = 0;
  let nested = 0;
  let stranded = 0;
  const fresh = new Stream().machine.mm.zones.map(freeIn);
  const seeds = fc.array(fc.nat({ max: 2 ** 30 }), { minLength: 300, maxLength: 1500, size: 'max' });
  fc.assert(
    fc.property(seeds, (steps) => {
      const stream = new Stream();
      for (const seed of steps) stream.step(seed);
      stream.finish();
      expect(stream.contexts.hazards).toEqual([]);
      expect(stream.machine.mm.zones.map(freeIn)).toEqual(fresh);
      calls += stream.calls;
      served += stream.served;
      nested += stream.nested;
      for (const zone of stream.machine.mm.zones) stranded += zone.trylock_free_pages.total_pages;
    }),
    { numRuns: 60, seed: 21 },
  );
  expect(calls).toBeGreaterThan(50_000);
  expect(nested).toBeGreaterThan(10_000);
  expect(served).toBeGreaterThan(1000);
  expect(stranded).toBeGreaterThan(100);
}, 240_000);

describe('where a lock of the page allocator is held', () => {
  /** Lets one call strike when a lock is taken, and gives what `answer` made of it. */
  function strikeOnce<T>(
    machine: NestingMachine,
    at: 'pcp' | 'zone',
    answer: () => T,
    outer: () => void,
  ): T[] {
    const answers: T[] = [];
    machine.contexts.strike = (point) => {
      if (point !== at || answers.length > 0) return;
      machine.contexts.strike = null;
      answers.push(answer());
    };
    machine.contexts.run(0, Context.task, 'alloc_pages', outer);
    return answers;
  }

  test('of the page lists: an interrupt does not wait, its pages come from the buddy lists and go back there', () => {
    const machine = new NestingMachine();
    const { mm, contexts } = machine;
    const top = mm.zones.at(-1)!;
    const count = () => top.pcps[0]!.count;
    const counts: number[] = [];
    const [pfn] = strikeOnce(
      machine,
      'pcp',
      () =>
        contexts.run(0, Context.hardirq, 'alloc_pages', () => {
          counts.push(count());
          const got = allocPages(mm, 0, GFP_ATOMIC, 0, -1, false);
          counts.push(count());
          freePages(mm, 0, got, 0);
          counts.push(count());
          return got;
        }),
      () => allocPages(mm, 0, GFP_ATOMIC, 0, -1, false),
    );
    expect(pfn).not.toBe(NO_PFN);
    expect(mm.zoneOf(pfn!)).toBe(top);
    expect(new Set(counts).size).toBe(1);
    expect(contexts.nr_hazards).toBe(0);
    validate(mm, { movable_known: true });
  });

  test('of the zone: a request that may not wait gets a page of the next zone', () => {
    const machine = new NestingMachine();
    const { mm, contexts } = machine;
    const [pfn] = strikeOnce(
      machine,
      'zone',
      () => contexts.run(0, Context.nmi, 'alloc_pages_nolock', () => allocPagesNolock(mm, 0, 0, -1, false)),
      () => allocPages(mm, 0, GFP_ATOMIC, 0, -1, false),
    );
    expect(mm.zoneOf(pfn!)).toBe(mm.zones[0]);
    expect(mm.zones.length).toBe(2);
    expect(contexts.nr_hazards).toBe(0);
    validate(mm, { movable_known: true });
  });

  test('of the zone: one that waits would do so for ever, which is noted', () => {
    const machine = new NestingMachine();
    const { mm, contexts } = machine;
    strikeOnce(
      machine,
      'zone',
      () => contexts.run(0, Context.nmi, 'alloc_pages', () => allocPages(mm, 0, GFP_ATOMIC, 5, -1, false)),
      () => allocPages(mm, 0, GFP_ATOMIC, 0, -1, false),
    );
    expect(contexts.hazards.map(({ kind, wanted }) => [kind, wanted])).toEqual([
      ['misuse', 'alloc_pages in an NMI'],
      ['deadlock', 'zone 1'],
    ]);
    expect(contexts.hazards[1]!.stack).toEqual([
      { context: Context.task, call: 'alloc_pages', locks: ['pcp 1 0', 'zone 1'] },
      { context: Context.nmi, call: 'alloc_pages', locks: [] },
    ]);
    validate(mm, { movable_known: true });
  });

  test('each is let go, and drains hold both', () => {
    const machine = new NestingMachine();
    const { mm, contexts } = machine;
    const held = new Set<string>();
    contexts.strike = () => held.add(contexts.heldBy(0).join(' + '));
    const pfn = allocPages(mm, 0, GFP_ATOMIC, 0, -1, false);
    freePages(mm, 0, pfn, 0);
    drainPagesOf(mm, 0);
    expect(held).toEqual(new Set(['', 'pcp 1 0', 'pcp 1 0 + zone 1']));
    expect(contexts.heldBy(0)).toEqual([]);
    expect(contexts.holdsZone(mm.zones[1]!)).toBe(false);
    expect(PageLock).toEqual({ pcp: 0, zone: 1 });
  });
});
