/** Objects charged to memory cgroups, around the slab allocator: scenarios 33 to 37, bulk calls, vectors. */
import { describe, expect, test } from 'vitest';
import { Context } from '../../../src/mm/context.js';
import { GFP_ACCOUNT_BIT, GFP_ATOMIC, GFP_KERNEL } from '../../../src/mm/gfp.js';
import { MemcgCharges, MemcgLock } from '../../../src/mm/memcg/memcg-charges.js';
import { validateMemcg } from '../../../src/mm/memcg/validate-memcg.js';
import type { Policy } from '../../../src/mm/policy.js';
import { ObjectArray } from '../../../src/mm/slab/bulk.js';
import { DeferredWork } from '../../../src/mm/slab/deferred.js';
import { shrinkCache } from '../../../src/mm/slab/flush-shrink.js';
import { kfreeNolock } from '../../../src/mm/slab/kfree-nolock.js';
import { KmallocCaches } from '../../../src/mm/slab/kmalloc.js';
import { kmallocNolock } from '../../../src/mm/slab/kmalloc-nolock.js';
import type { KmemCache } from '../../../src/mm/slab/kmem-cache.js';
import { EXT_FROM_NOLOCK, EXT_IS_VECTOR, hasVector } from '../../../src/mm/slab/obj-ext.js';
import { allocObject, allocObjects, freeObject, freeObjects } from '../../../src/mm/slab/object-calls.js';
import { SLAB_ACCOUNT } from '../../../src/mm/slab/slab-flags.js';
import { SlabMemcg } from '../../../src/mm/slab/slab-memcg.js';
import { NO_SLAB } from '../../../src/mm/slab/slab-table.js';
import { validateSlabs } from '../../../src/mm/slab/validate-slab.js';
import { KmallocVectorMemory } from '../../../src/mm/slab/vector-memory.js';
import { Snapshot } from '../../../src/sim/state/snapshot.js';
import { moved, type Place, Rig } from './support.js';

const ACCOUNT = GFP_KERNEL | GFP_ACCOUNT_BIT;
/** Slot and pointer of an object of 64 bytes. */
const COST_BYTES = 72;

class MemcgRig extends Rig {
  readonly kmalloc: KmallocCaches;
  readonly deferred: DeferredWork;
  readonly memcg = new MemcgCharges(16);
  readonly charges: SlabMemcg;
  group = 0;

  constructor(max_pages?: number, policy: Partial<Policy> = {}) {
    super({ policy });
    this.kmalloc = new KmallocCaches(this.slabs, { min_bytes: 8, hasMemcg: true });
    this.deferred = new DeferredWork(this.slabs);
    this.slabs.deferred = this.deferred;
    this.charges = new SlabMemcg(
      this.slabs,
      this.memcg,
      new KmallocVectorMemory(this.kmalloc, this.deferred),
    );
    this.slabs.charges = this.charges;
    if (max_pages === undefined) this.enter();
    else this.enter(max_pages);
  }

  /** A memory cgroup, and the task of CPU 0 in it. */
  enter(max_pages?: number): void {
    this.group = this.memcg.groups.create(0, max_pages);
    this.memcg.task[0] = this.group;
  }

  get usage_pages(): number {
    return this.memcg.groups.memory.usage_pages[this.group]!;
  }

  get stock(): { pages: number; bytes: number } {
    return { pages: this.memcg.pages.pagesOf(0, this.group), bytes: this.memcg.bytes.nr_bytes[0]! };
  }

  named(bytes: number): KmemCache {
    return this.kmalloc.cacheFor(bytes, GFP_ACCOUNT_BIT)!;
  }

  kmallocObject(bytes: number, gfp = ACCOUNT, context: Context = Context.task): Place | undefined {
    const cache = this.kmalloc.cacheFor(bytes, gfp)!;
    return this.#place(allocObject(this.slabs, cache, 0, gfp, -1, context));
  }

  nolock(bytes: number, context: Context = Context.task): Place | undefined {
    return this.#place(kmallocNolock(this.kmalloc, 0, bytes, GFP_ACCOUNT_BIT, -1, context));
  }

  #place(slab: number): Place | undefined {
    return slab === NO_SLAB ? undefined : { slab, slot: this.slabs.slot };
  }

  kfree({ slab, slot }: Place): void {
    freeObject(this.slabs, this.slabs.caches[this.slabs.table.cache[slab]!]!, 0, slab, slot);
  }

  isCharged({ slab, slot }: Place): boolean {
    const word = this.slabs.table.ext[slab]!;
    return hasVector(word) && this.charges.vectors.get(word, slot) !== 0;
  }

  validate(): void {
    validateSlabs(this.slabs, { deferred: this.deferred.waitingSlabs() });
    const bytes = this.charges.bytesInUse();
    validateMemcg(this.memcg, { bytesOf: (objcg) => bytes[objcg]! });
  }
}

function times<T>(count: number, make: () => T): T[] {
  return Array.from({ length: count }, make);
}

describe('33: what an object costs', () => {
  test('kmalloc_nolock charges a page; the rest of it serves 55 more, the 57th takes another', () => {
    const rig = new MemcgRig();
    expect(rig.nolock(64)).toBeDefined();
    expect([rig.usage_pages, rig.stock]).toEqual([1, { pages: 0, bytes: 4096 - COST_BYTES }]);
    times(55, () => rig.nolock(64));
    expect([rig.usage_pages, rig.stock.bytes]).toEqual([1, 4096 - 56 * COST_BYTES]);
    rig.nolock(64);
    expect(rig.usage_pages).toBe(2);
    rig.validate();
  });

  test('kmalloc charges 64 pages and keeps 63', () => {
    const rig = new MemcgRig();
    expect(rig.kmallocObject(64)).toBeDefined();
    expect([rig.usage_pages, rig.stock]).toEqual([64, { pages: 63, bytes: 4096 - COST_BYTES }]);
    times(56, () => rig.kmallocObject(64));
    expect([rig.usage_pages, rig.stock.pages]).toEqual([64, 62]);
    rig.validate();
  });

  test('frees fill the byte stock; what is more than a page goes to the page stock', () => {
    const rig = new MemcgRig();
    const objects = times(57, () => rig.kmallocObject(64)!);
    const before = rig.stock;
    for (const object of objects) rig.kfree(object);
    expect([rig.usage_pages, rig.stock.pages - before.pages]).toEqual([64, 1]);
    expect(rig.stock.bytes).toBe(4096);
    rig.validate();
  });
});

describe('34: interruptions', () => {
  test('an NMI gets its object from the accounted cache and nobody pays', () => {
    const rig = new MemcgRig();
    const object = rig.nolock(64, Context.nmi)!;
    expect(rig.slabs.table.cache[object.slab]).toBe(rig.named(64).number);
    expect([rig.usage_pages, rig.isCharged(object)]).toEqual([0, false]);
    rig.kfree(object);
    rig.validate();
  });

  test('unless a cgroup was made active for interruptions; the one for the task is not theirs', () => {
    const rig = new MemcgRig();
    const other = rig.memcg.groups.create();
    rig.memcg.active[0] = other;
    expect(rig.isCharged(rig.nolock(64, Context.hardirq)!)).toBe(false);
    rig.memcg.interruptActive[0] = other;
    expect(rig.isCharged(rig.nolock(64, Context.hardirq)!)).toBe(true);
    expect(rig.memcg.groups.memory.usage_pages[other]).toBe(1);
    rig.memcg.interruptActive[0] = 0;
    rig.kmallocObject(64);
    expect([...rig.charges.bytesInUse()]).toEqual([0, 0, 2 * COST_BYTES]);
    rig.validate();
  });

  test('a task of the root pays nothing', () => {
    const rig = new MemcgRig();
    rig.memcg.task[0] = 0;
    expect(rig.isCharged(rig.kmallocObject(64)!)).toBe(false);
    expect(rig.memcg.groups.memory.usage_pages[0]).toBe(0);
  });
});

describe('35: no vector', () => {
  test('the object stays, unpaid; when memory is back the next one is paid', () => {
    const rig = new MemcgRig();
    rig.pages.fails = () => rig.pages.requests.length > 1;
    const object = rig.kmallocObject(64)!;
    expect([rig.isCharged(object), rig.slabs.table.ext[object.slab]]).toEqual([false, 0]);
    expect(rig.usage_pages).toBe(0);
    rig.pages.fails = () => false;
    const next = rig.kmallocObject(64)!;
    expect([next.slab, rig.isCharged(next), rig.isCharged(object)]).toEqual([object.slab, true, false]);
    rig.kfree(object);
    rig.kfree(next);
    rig.validate();
  });

  test('a failure leaves a mark where that is built in, and does not stop the next attempt', () => {
    const rig = new MemcgRig(undefined, { 'slab.ext_marks_failure': true });
    rig.pages.fails = () => rig.pages.requests.length > 1;
    const { slab } = rig.kmallocObject(64)!;
    expect(rig.slabs.table.ext[slab]).toBe(EXT_IS_VECTOR);
    rig.pages.fails = () => false;
    expect(rig.isCharged(rig.kmallocObject(64)!)).toBe(true);
    rig.validate();
  });

  test('entries of 16 bytes make a vector of twice the size', () => {
    const rig = new MemcgRig(undefined, { 'slab.ext_entry_bytes': 16 });
    rig.kmallocObject(64);
    expect(rig.kmalloc.cacheFor(1024, 0)!.nr_slabs[0]).toBe(1);
  });
});

describe('36: at the limit', () => {
  function full(): MemcgRig {
    const rig = new MemcgRig(1);
    times(56, () => rig.nolock(64));
    expect([rig.usage_pages, rig.stock.bytes]).toEqual([1, 64]);
    return rig;
  }

  test('kmalloc_nolock gives the slot back, returns none and asks nobody to reclaim', () => {
    const rig = full();
    let asked = 0;
    rig.memcg.reclaim = { reclaim: () => ++asked };
    let got: Place | undefined;
    const counters = moved(rig.named(64), () => {
      got = rig.nolock(64);
    });
    expect(got).toBeUndefined();
    expect(counters).toEqual({ alloc_fastpath: 1, free_fastpath: 1 });
    expect([asked, rig.usage_pages]).toEqual([0, 1]);
    expect(rig.named(96).nr_slabs[0]).toBe(0);
    rig.validate();
  });

  test('kmalloc reclaims first, and goes on with what that freed', () => {
    const rig = new MemcgRig(1);
    const objects = times(56, () => rig.nolock(64)!);
    const limits: number[] = [];
    rig.memcg.reclaim = {
      reclaim: (memcg) => {
        limits.push(memcg);
        const freed = objects.splice(0);
        for (const object of freed) rig.kfree(object);
        return Math.sign(freed.length);
      },
    };
    expect(rig.kmallocObject(64)).toBeDefined();
    expect(limits).toEqual([rig.group]);
    rig.validate();
  });

  test('kmalloc without success is refused, after it emptied the stocks and tried again and again', () => {
    const rig = full();
    let asked = 0;
    rig.memcg.reclaim = {
      reclaim: () => {
        asked++;
        return 0;
      },
    };
    expect(rig.kmallocObject(64)).toBeUndefined();
    // Once, then the stocks are emptied; again, and after each of sixteen more tries.
    expect(asked).toBe(18);
    expect(rig.memcg.groups.charged_bytes[rig.memcg.groups.objcg[rig.group]!]).toBe(64);
    rig.validate();
  });

  test('nobody to reclaim is refusal; GFP_ATOMIC goes over the limit', () => {
    const rig = full();
    expect(rig.kmallocObject(64)).toBeUndefined();
    expect(rig.kmallocObject(64, GFP_ATOMIC | GFP_ACCOUNT_BIT)).toBeDefined();
    expect(rig.usage_pages).toBe(2);
    rig.validate();
  });

  test('a parent has a limit, too: nothing is charged to the child then', () => {
    const rig = new MemcgRig(1);
    const child = rig.memcg.groups.create(rig.group);
    rig.memcg.task[0] = child;
    times(56, () => rig.nolock(64));
    expect(rig.nolock(64)).toBeUndefined();
    expect([...rig.memcg.groups.memory.usage_pages.subarray(0, 3)]).toEqual([1, 1, 1]);
    rig.validate();
  });

  test('a bulk call is refused as a whole, and what was charged for it comes back', () => {
    const rig = new MemcgRig(1);
    const objects = new ObjectArray(64);
    const cache = rig.named(64);
    expect(allocObjects(rig.slabs, cache, 0, ACCOUNT, 57, objects)).toBe(0);
    rig.validate();
    expect(rig.charges.bytesInUse().every((bytes) => bytes === 0)).toBe(true);
    expect(allocObjects(rig.slabs, cache, 0, ACCOUNT, 56, objects)).toBe(56);
    expect(rig.charges.bytesInUse()[1]).toBe(56 * COST_BYTES);
    freeObjects(rig.slabs, cache, 0, objects, 56);
    expect(rig.charges.bytesInUse()[1]).toBe(0);
    rig.validate();
  });
});

describe('37: where vectors come from', () => {
  /** An empty slab with a vector of kmalloc_nolock, and more slots of the vector's cache in use. */
  function discarded(more: number): MemcgRig {
    const rig = new MemcgRig();
    const object = rig.nolock(64)!;
    expect(rig.slabs.table.ext[object.slab]! & 7).toBe(EXT_IS_VECTOR | EXT_FROM_NOLOCK);
    times(more, () => rig.kmallocObject(512, GFP_KERNEL));
    rig.kfree(object);
    shrinkCache(rig.slabs, rig.named(64), 0);
    expect(rig.named(64).nr_slabs[0]).toBe(0);
    expect(rig.charges.vectors.count).toBe(0);
    return rig;
  }

  test('the vector of a slab made by kmalloc_nolock goes to kfree_nolock: at once in the own cpu slab', () => {
    const rig = discarded(0);
    expect(rig.deferred.isPending(0)).toBe(false);
    expect(rig.kmalloc.cacheFor(512, 0)!.totals().free_fastpath).toBe(1);
    rig.validate();
  });

  test('later in any other', () => {
    const rig = discarded(40);
    const cache = rig.kmalloc.cacheFor(512, 0)!;
    expect([rig.deferred.isPending(0), cache.totals().free_slowpath]).toEqual([true, 0]);
    rig.deferred.run(0);
    expect(cache.totals().free_slowpath).toBe(1);
    rig.validate();
  });

  test('one of kmalloc is marked so and goes to kfree', () => {
    const rig = new MemcgRig();
    const object = rig.kmallocObject(64)!;
    expect(rig.slabs.table.ext[object.slab]! & 7).toBe(EXT_IS_VECTOR);
    times(40, () => rig.kmallocObject(512, GFP_KERNEL));
    rig.kfree(object);
    shrinkCache(rig.slabs, rig.named(64), 0);
    expect([rig.deferred.isPending(0), rig.kmalloc.cacheFor(512, 0)!.totals().free_slowpath]).toEqual([
      false,
      1,
    ]);
    rig.validate();
  });

  test('one is asked for on the node of the slab', () => {
    const rig = new MemcgRig();
    rig.kmallocObject(64);
    expect(rig.pages.requests.map(({ node }) => node)).toEqual([-1, 0]);
  });

  test('in an NMI below the local lock of its cache the next larger one serves; directly called, private slots do', () => {
    const rig = new MemcgRig();
    const cacheOf = (bytes: number) => rig.kmalloc.cacheFor(bytes, 0)!;
    rig.kmallocObject(512, GFP_KERNEL);
    rig.slabs.interrupted = { holds: (_lock, cache) => cache === cacheOf(512) };
    rig.nolock(64, Context.nmi);
    expect([cacheOf(512).totals().alloc_fastpath, cacheOf(1024).nr_slabs[0]]).toEqual([0, 1]);
    times(64, () => rig.nolock(64));
    expect([cacheOf(512).totals().alloc_fastpath, cacheOf(1024).nr_slabs[0]]).toEqual([1, 1]);
    rig.validate();
  });

  test('whoever finds that an interruption made one gives its own back', () => {
    const rig = new MemcgRig();
    const cache = rig.cache(64);
    const charge = (gfp: number) => {
      const slab = allocObject(rig.slabs, cache, 0, gfp, -1);
      return { slab, slot: rig.slabs.slot };
    };
    charge(GFP_KERNEL);
    let inner: Place | undefined;
    rig.pages.before = () => {
      rig.pages.before = () => {};
      inner = charge(GFP_ACCOUNT_BIT);
    };
    const outer = charge(ACCOUNT);
    expect([inner!.slab, rig.isCharged(inner!), rig.isCharged(outer)]).toEqual([outer.slab, true, true]);
    expect(rig.slabs.table.ext[outer.slab]! & 7).toBe(EXT_IS_VECTOR | EXT_FROM_NOLOCK);
    expect(rig.charges.vectors.count).toBe(1);
    expect(rig.kmalloc.cacheFor(512, 0)!.totals().free_fastpath).toBe(1);
    rig.validate();
  });

  test('one above the largest cache has pages of its own, and a request that may not wait none', () => {
    const rig = new MemcgRig(undefined, { 'slab.ext_entry_bytes': 64 });
    const { slab } = rig.kmallocObject(8)!;
    expect(rig.slabs.large_pages[0]).toBe(8);
    rig.kfree({ slab, slot: 0 });
    shrinkCache(rig.slabs, rig.named(8), 0);
    expect(rig.slabs.large_pages[0]).toBe(0);
    expect(rig.isCharged(rig.nolock(8)!)).toBe(false);
  });
});

describe('which objects are charged', () => {
  test('those asked for so, and all of caches that are', () => {
    const rig = new MemcgRig();
    const plain = rig.cache(100);
    const accounted = rig.cache(200, { flags: SLAB_ACCOUNT });
    const charged = (cache: KmemCache, gfp: number) => {
      const slab = allocObject(rig.slabs, cache, 0, gfp, -1);
      return rig.isCharged({ slab, slot: rig.slabs.slot });
    };
    expect([charged(plain, GFP_KERNEL), charged(plain, ACCOUNT)]).toEqual([false, true]);
    expect([charged(accounted, GFP_KERNEL), charged(accounted, ACCOUNT)]).toEqual([true, true]);
    rig.validate();
  });

  test('a slab of an accounted cache has its vector from the start, others when it is needed', () => {
    const rig = new MemcgRig();
    const word = (cache: KmemCache) => rig.slabs.table.ext[allocObject(rig.slabs, cache, 1, GFP_KERNEL, -1)];
    expect(word(rig.cache(100))).toBe(0);
    expect(hasVector(word(rig.cache(200, { flags: SLAB_ACCOUNT }))!)).toBe(true);
  });

  test('without any cgroup there are no vectors', () => {
    const rig = new Rig();
    const kmalloc = new KmallocCaches(rig.slabs, { min_bytes: 8, hasMemcg: true });
    const memory = new KmallocVectorMemory(kmalloc, new DeferredWork(rig.slabs));
    rig.slabs.charges = new SlabMemcg(rig.slabs, new MemcgCharges(16), memory);
    const cache = rig.cache(200, { flags: SLAB_ACCOUNT });
    expect(rig.slabs.table.ext[allocObject(rig.slabs, cache, 0, ACCOUNT, -1)]).toBe(0);
  });
});

test('kfree_nolock takes the charge back at once, also where the slot waits', () => {
  const rig = new MemcgRig();
  const objects = times(65, () => rig.nolock(64)!);
  const before = rig.charges.bytesInUse()[1]!;
  const { slab, slot } = objects[0]!;
  expect(kfreeNolock(rig.deferred, 0, slab, slot, Context.nmi)).toBe(false);
  expect(before - rig.charges.bytesInUse()[1]!).toBe(COST_BYTES);
  rig.validate();
  rig.deferred.run(0);
  rig.validate();
});

describe('below the lock of a stock', () => {
  function below(lock: MemcgLock): MemcgRig {
    const rig = new MemcgRig();
    rig.nolock(64);
    rig.memcg.interrupted = { holds: (held) => held === lock };
    return rig;
  }

  test('of bytes, pages are charged for the object alone and the rest is left over', () => {
    const rig = below(MemcgLock.obj_stock);
    const object = rig.nolock(64)!;
    const leftOver = () => rig.memcg.groups.charged_bytes[1]!;
    expect([rig.usage_pages, rig.stock.bytes, leftOver()]).toEqual([2, 4096 - COST_BYTES, 4096 - COST_BYTES]);
    rig.kfree(object);
    expect([rig.usage_pages, leftOver()]).toEqual([2, 4096]);
    rig.validate();
  });

  test('of pages, the counter is charged itself, and the surplus of a batch returns to it', () => {
    const rig = below(MemcgLock.memcg_stock);
    times(56, () => rig.kmallocObject(64));
    expect([rig.usage_pages, rig.stock.pages]).toEqual([2, 0]);
    rig.validate();
  });
});

test('a saved state goes on as if it had not been interrupted', () => {
  const step = (rig: MemcgRig, live: Place[], from: number) => {
    for (let i = from; i < from + 300; i++) {
      if (i % 3 === 2) rig.kfree(live.splice((i * 7) % live.length, 1)[0]!);
      else live.push(rig.kmallocObject(16 << (i % 7))!);
    }
    rig.validate();
  };
  const first = new MemcgRig();
  for (let i = 0; i < 40; i++) first.memcg.groups.create(first.group);
  const live: Place[] = [];
  step(first, live, 0);
  const second = new MemcgRig();
  const saved = [first.slabs, first.charges].map((part) => Snapshot.of(part));
  saved[0]!.restore(second.slabs);
  saved[1]!.restore(second.charges);
  const copies = [...live];
  step(first, live, 300);
  step(second, copies, 300);
  expect(copies).toEqual(live);
  expect([second.stock, ...second.charges.bytesInUse()]).toEqual([
    first.stock,
    ...first.charges.bytesInUse(),
  ]);
});
