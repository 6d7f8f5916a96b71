/**
 * The slab part of a result against a ledger: what every caller asked for and gave back, kept beside a random run of the
 * allocator, must be what is found in its slabs.
 */
import { describe, expect } from 'vitest';
import { Context } from '../../../src/mm/context.js';
import { GFP_KERNEL, GFP_RECLAIMABLE_BIT } from '../../../src/mm/gfp.js';
import { DeferredWork } from '../../../src/mm/slab/deferred.js';
import { kfreeNolock } from '../../../src/mm/slab/kfree-nolock.js';
import { KmallocCaches, kfreeLarge, kmallocLarge } from '../../../src/mm/slab/kmalloc.js';
import { largeKmallocOrder } from '../../../src/mm/slab/kmalloc-caches.js';
import { slabAlloc } from '../../../src/mm/slab/slab-alloc.js';
import { SLAB_DEBUG_FZPU, SLAB_HWCACHE_ALIGN } from '../../../src/mm/slab/slab-flags.js';
import { slabFree } from '../../../src/mm/slab/slab-free.js';
import { NO_SLAB } from '../../../src/mm/slab/slab-table.js';
import type { ResultSlab } from '../../../src/report/slab/result-slab.js';
import { slabSchema } from '../../../src/report/slab/slab-schema.js';
import { SlabObservations } from '../../../src/sim/slab/observations.js';
import { putOffBy, resultSlab } from '../../../src/sim/slab/result-slab.js';
import { Snapshot } from '../../../src/sim/state/snapshot.js';
import { StringTable } from '../../../src/trace/string-table.js';
import { Rig } from '../../mm/slab/support.js';
import { fc, test } from '../../trace/properties.js';

const ZONES = [{ node: 0, name: 'Normal' }];
const CPUS = 2;
/** slots of the debugged cache have this size without debugging */
const DEBUGGED_BYTES = 64;

interface Live {
  readonly slab: number;
  readonly slot: number;
  readonly requested: number;
}

interface LiveLarge {
  readonly pfn: number;
  readonly requested: number;
}

class Machine {
  readonly rig = new Rig({ cpus: CPUS });
  readonly kmalloc = new KmallocCaches(
    this.rig.slabs,
    { min_bytes: 8, hasMemcg: true },
    new Map([['kmalloc-64', SLAB_DEBUG_FZPU]]),
  );
  /** aligned, so its slots are larger than its objects; and with a tail */
  readonly odd = this.rig.cache(700, { flags: SLAB_HWCACHE_ALIGN });
  readonly work = new DeferredWork(this.rig.slabs);
  readonly observations = new SlabObservations(this.rig.slabs, ZONES);
  readonly live: Live[] = [];
  readonly large: LiveLarge[] = [];
  /** slots given back, and not yet free */
  readonly deferred: Live[] = [];

  constructor() {
    this.rig.slabs.deferred = this.work;
  }

  alloc(bytes: number, cpu: number, reclaimable: boolean): void {
    const { slabs } = this.rig;
    const gfp = GFP_KERNEL | (reclaimable ? GFP_RECLAIMABLE_BIT : 0);
    const cache = this.kmalloc.cacheFor(bytes, gfp);
    if (cache === null) {
      const pfn = kmallocLarge(slabs, cpu, bytes, gfp, -1);
      this.observations.objects.noteLargeAllocated(pfn, bytes, Context.task);
      this.large.push({ pfn, requested: bytes });
      return;
    }
    const slab = slabAlloc(slabs, cache, cpu, gfp, -1);
    this.#took(slab, bytes);
  }

  allocOdd(cpu: number): void {
    this.#took(slabAlloc(this.rig.slabs, this.odd, cpu, GFP_KERNEL, -1), 700);
  }

  #took(slab: number, requested: number): void {
    expect(slab).not.toBe(NO_SLAB);
    const { slot } = this.rig.slabs;
    this.observations.objects.noteAllocated(slab, slot, requested, Context.task);
    this.live.push({ slab, slot, requested });
  }

  free(pick: number, cpu: number): void {
    const [gone] = this.live.splice(pick % Math.max(1, this.live.length), 1);
    if (gone === undefined) return;
    const { slabs } = this.rig;
    this.observations.objects.noteFreed(gone.slab, gone.slot, Context.task);
    slabFree(slabs, slabs.caches[slabs.table.cache[gone.slab]!]!, cpu, gone.slab, gone.slot);
  }

  freeNolock(pick: number, cpu: number): void {
    const [gone] = this.live.splice(pick % Math.max(1, this.live.length), 1);
    if (gone === undefined) return;
    this.observations.objects.noteFreed(gone.slab, gone.slot, Context.nmi);
    if (!kfreeNolock(this.work, cpu, gone.slab, gone.slot, Context.nmi)) this.deferred.push(gone);
  }

  freeLarge(pick: number): void {
    const [gone] = this.large.splice(pick % Math.max(1, this.large.length), 1);
    if (gone === undefined) return;
    this.observations.objects.noteLargeFreed(gone.pfn, Context.task);
    kfreeLarge(this.rig.slabs, 0, gone.pfn, largeKmallocOrder(gone.requested));
  }

  irqWork(): void {
    this.work.barrier();
    this.deferred.length = 0;
  }

  result(): ResultSlab {
    return resultSlab(this.rig.slabs, this.observations, { putOff: putOffBy(this.work) });
  }

  /** Pages handed out and not given back. */
  get pages(): number {
    const { freed } = this.rig.pages;
    const handedOut = this.rig.pages.requests.reduce((sum, { order }) => sum + 2 ** order, 0);
    return handedOut - freed.reduce((sum, { order }) => sum + 2 ** order, 0);
  }
}

const command = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      op: fc.constant('alloc' as const),
      bytes: fc.oneof(fc.integer({ min: 1, max: 128 }), fc.integer({ min: 1, max: 20_000 })),
      cpu: fc.nat(CPUS - 1),
      reclaimable: fc.boolean(),
      times: fc.integer({ min: 1, max: 60 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('odd' as const), cpu: fc.nat(CPUS - 1) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      op: fc.constantFrom('free' as const, 'freeNolock' as const),
      pick: fc.nat(5000),
      cpu: fc.nat(CPUS - 1),
      times: fc.integer({ min: 1, max: 40 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('freeLarge' as const), pick: fc.nat(100) }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('irqWork' as const) }) },
);
type Command = typeof command extends fc.Arbitrary<infer C> ? C : never;

function apply(machine: Machine, each: Command): void {
  if (each.op === 'alloc')
    for (let i = 0; i < each.times; i++) machine.alloc(each.bytes, each.cpu, each.reclaimable);
  else if (each.op === 'odd') machine.allocOdd(each.cpu);
  else if (each.op === 'freeLarge') machine.freeLarge(each.pick);
  else if (each.op === 'irqWork') machine.irqWork();
  else for (let i = 0; i < each.times; i++) machine[each.op](each.pick + 7 * i, each.cpu);
}

function run(commands: readonly Command[]): Machine {
  const machine = new Machine();
  for (const each of commands) apply(machine, each);
  return machine;
}

/** Every figure of the ledger, beside the same of the result. */
function expectLedger(machine: Machine, slab: ResultSlab): void {
  const { slabs } = machine.rig;
  const { table, caches } = slabs;
  expect(slabSchema.parse(slab)).toEqual(slab);
  const { totals } = slab;
  expect(totals.pages).toBe(machine.pages);
  expect(totals.requested_bytes + totals.waste_bytes).toBe(totals.pages * 4096);
  expect(totals.waste_bytes).toBe(Object.values(totals.waste).reduce((a, b) => a + b));
  for (const row of slab.caches) {
    const cache = caches[row.number]!;
    const of = (objects: readonly Live[]) => objects.filter((each) => table.cache[each.slab] === row.number);
    const live = of(machine.live);
    const { size_bytes, object_size_bytes } = cache.geometry;
    const plain = row.debug ? DEBUGGED_BYTES : size_bytes;
    const requested = live.reduce((sum, each) => sum + each.requested, 0);
    expect(row.live_objects, row.name).toBe(live.length);
    expect(row.requested_bytes, row.name).toBe(requested);
    expect(row.waste.rounding_bytes, row.name).toBe(live.length * object_size_bytes - requested);
    expect(row.waste.alignment_bytes, row.name).toBe(live.length * (plain - object_size_bytes));
    expect(row.waste.debug_bytes, row.name).toBe(live.length * (size_bytes - plain));
    const deferred = of(machine.deferred).length;
    expect(row.waste.deferred_bytes, row.name).toBe(deferred * size_bytes);
    const free = row.objects - live.length - deferred;
    expect(row.waste.free_cpu_bytes + row.waste.free_partial_bytes, row.name).toBe(free * size_bytes);
    let onLists = 0;
    for (const each of cache.partial.slabs(0)) onLists += table.slotsFrom(each, table.freelist[each]!).length;
    expect(row.waste.free_partial_bytes, row.name).toBe(onLists * size_bytes);
    expect(row.active_objects, row.name).toBe(row.objects - onLists);
    expect(row.waste.tail_bytes, row.name).toBe(row.pages * 4096 - row.objects * size_bytes);
    expect(row.requested_bytes + row.waste_bytes, row.name).toBe(row.pages * 4096);
    for (const [part, bytes] of Object.entries(row.waste))
      expect(bytes, `${row.name} ${part}`).toBeGreaterThanOrEqual(0);
  }
  expect(slab.large).toMatchObject({
    live_objects: machine.large.length,
    requested_bytes: machine.large.reduce((sum, { requested }) => sum + requested, 0),
  });
}

describe('the slab part of a result', () => {
  test('accounts for every byte, each under its own cause', () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 40 }), (commands) => {
        const machine = run(commands);
        expectLedger(machine, machine.result());
      }),
      { numRuns: 80 },
    );
  });

  test('sees every cause of waste in such runs', () => {
    const machine = new Machine();
    for (let i = 0; i < 40; i++) machine.alloc(50, i % 2, false);
    for (let i = 0; i < 600; i++) machine.alloc(100, 0, true);
    for (let i = 0; i < 30; i++) machine.allocOdd(1);
    machine.alloc(9000, 0, false);
    for (let i = 0; i < 500; i++) machine.free(i * 13, 1);
    for (let i = 0; i < 9; i++) machine.freeNolock(i * 5, 1);
    const slab = machine.result();
    expectLedger(machine, slab);
    for (const [part, bytes] of Object.entries(slab.totals.waste)) expect(bytes, part).toBeGreaterThan(0);
    expect(slab.totals.reclaimable_pages).toBeGreaterThan(0);
    expect(slab.totals.unreclaimable_pages).toBe(slab.totals.pages - slab.totals.reclaimable_pages);
    expect(slab.contexts.map(({ context, freed }) => [context, freed])).toEqual([
      ['task', 500],
      ['nmi', 9],
    ]);
  });

  test('caches stand by pages, then by name, and destroyed ones nowhere', () => {
    const machine = run([]);
    for (let i = 0; i < 300; i++) machine.alloc(512, 0, false);
    const { caches } = machine.result();
    expect(caches[0]!.name).toBe('kmalloc-512');
    const names = caches.slice(1).map(({ name }) => name);
    expect(names).toEqual([...names].sort());
    const destroyed = new Set([machine.odd.number]);
    const left = resultSlab(machine.rig.slabs, machine.observations, { destroyed }).caches;
    expect(left.map(({ number }) => number)).not.toContain(machine.odd.number);
    expect(left).toHaveLength(caches.length - 1);
  });

  test('objects that nobody told of count as whole ones', () => {
    const machine = run([]);
    const { slabs } = machine.rig;
    const cache = machine.kmalloc.cacheFor(200, GFP_KERNEL)!;
    const slab = slabAlloc(slabs, cache, 0, GFP_KERNEL, -1);
    const { slot } = slabs;
    const told = () => machine.result().sites;
    const row = () => machine.result().caches.find(({ number }) => number === cache.number)!;
    expect(row()).toMatchObject({ live_objects: 1, requested_bytes: 256, allocated: 0 });
    machine.observations.objects.noteFreed(slab, slot, Context.task);
    slabFree(slabs, cache, 0, slab, slot);
    expect(row()).toMatchObject({ live_objects: 0, requested_bytes: 0, freed: 1 });
    expect(told().others).toMatchObject({ freed: 0, live_objects: 0 });
    // The slot belonged to somebody in between.
    const again = slabAlloc(slabs, cache, 0, GFP_KERNEL, -1);
    machine.observations.objects.noteAllocated(again, slabs.slot, 256, Context.task);
    machine.observations.objects.noteFreed(again, slabs.slot, Context.task);
    machine.observations.objects.noteFreed(again, slabs.slot, Context.task);
    expect(told().others).toMatchObject({ allocated: 1, freed: 1, live_objects: 0 });
  });

  test('a slot that is used again knows nothing of its last object', () => {
    const machine = run([]);
    const { slabs } = machine.rig;
    const { objects } = machine.observations;
    const sites = new StringTable();
    const [first, second] = ['first', 'second'].map((name) =>
      objects.sites.numberOf(sites, sites.intern(name)),
    );
    const cache = machine.kmalloc.cacheFor(200, GFP_KERNEL)!;
    const take = (bytes: number, site: number) => {
      const slab = slabAlloc(slabs, cache, 0, GFP_KERNEL, -1);
      objects.noteAllocated(slab, slabs.slot, bytes, Context.task, site);
      return { slab, slot: slabs.slot };
    };
    const give = ({ slab, slot }: { slab: number; slot: number }) => {
      objects.noteFreed(slab, slot, Context.task);
      slabFree(slabs, cache, 0, slab, slot);
    };
    const requested = () =>
      machine.result().caches.find(({ number }) => number === cache.number)!.requested_bytes;
    const old = take(200, first!);
    expect(requested()).toBe(200);
    give(old);
    const whole = take(256, second!);
    expect(whole).toEqual(old);
    expect(requested()).toBe(256);
    expect(machine.result().sites.rows.map((row) => [row.site, row.live_objects, row.live_bytes])).toEqual([
      ['second', 1, 256],
      ['first', 0, 0],
    ]);
    give(whole);
    take(100, second!);
    expect(requested()).toBe(100);
    expect(machine.result().sites.rows[0]).toEqual({
      site: 'second',
      allocated: 2,
      failed: 0,
      freed: 1,
      live_objects: 1,
      live_bytes: 256,
    });
  });

  test('changes are counted from where counting began', () => {
    const machine = run([]);
    for (let i = 0; i < 300; i++) machine.alloc(512, 0, false);
    machine.alloc(9000, 0, false);
    const before = machine.result().totals;
    machine.observations.begin(0);
    for (let i = 0; i < 300; i++) machine.alloc(512, 0, false);
    machine.observations.objects.noteFailed(machine.odd.number, Context.softirq);
    const { caches, totals } = machine.result();
    expect(totals).toMatchObject({ start_pages: before.pages, allocated: 300, failed: 1, live_objects: 601 });
    expect(caches[0]).toMatchObject({ name: 'kmalloc-512', start_pages: before.pages - 4, allocated: 300 });
    expect(caches.find(({ number }) => number === machine.odd.number)!.failed).toBe(1);
  });

  test('is the same after saving', () => {
    fc.assert(
      fc.property(
        fc.array(command, { maxLength: 20 }),
        fc.array(command, { maxLength: 20 }),
        (first, rest) => {
          const machine = run(first);
          const restored = new SlabObservations(machine.rig.slabs, ZONES);
          Snapshot.of(machine.observations).restore(restored);
          expect(restored).toEqual(machine.observations);
          Object.defineProperty(machine, 'observations', { value: restored });
          for (const each of rest) apply(machine, each);
          expectLedger(machine, machine.result());
        },
      ),
      { numRuns: 20 },
    );
  });
});
