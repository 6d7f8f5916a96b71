/**
 * The slab allocator alone: pairs of allocation and free on the fast path, a mix over CPUs and caches, and the mix with
 * pages from the model's page allocator.
 */
import { machineFromSize } from '../../dist/config/machine-by-size.js';
import { resolvePolicy } from '../../dist/config/resolve-policy.js';
import { GFP_KERNEL } from '../../dist/mm/gfp.js';
import { bootFresh } from '../../dist/mm/page-alloc/boot.js';
import { PageAllocator } from '../../dist/mm/page-alloc/page-allocator.js';
import { setUpZones } from '../../dist/mm/page-alloc/zone-setup.js';
import { KmallocCaches } from '../../dist/mm/slab/kmalloc.js';
import { KMALLOC_SIZES } from '../../dist/mm/slab/kmalloc-caches.js';
import { PageAllocatorPages } from '../../dist/mm/slab/page-allocator-pages.js';
import { slabAlloc } from '../../dist/mm/slab/slab-alloc.js';
import { SlabAllocator } from '../../dist/mm/slab/slab-allocator.js';
import { slabFree } from '../../dist/mm/slab/slab-free.js';
import { median, millions } from './figures.mjs';

const PAIRS = 5_000_000;
const MIXED = 4_000_000;
const LIVE = 1 << 17;
const CPUS = 4;
const ROUNDS = 5;
const PAGES_PER_GIB = 1 << 18;

/** Pages that cost nothing. */
class CountingPages {
  lastWasPfmemalloc = false;
  #next = 0;
  allocSlabPages(_cpu, _gfp, order) {
    const pfn = this.#next;
    this.#next += 2 ** order;
    return pfn;
  }
  freeSlabPages() {}
  nodeOf() {
    return 0;
  }
}

function machine() {
  return {
    present_cpus: CPUS,
    possible_cpus: CPUS,
    cache_line_bytes: 64,
    cpu_nodes: Array.from({ length: CPUS }, () => 0),
    node_order: [[0]],
    tid_step: CPUS,
  };
}

function modelPages(policy) {
  const mm = new PageAllocator(machineFromSize({ memory_pages: 2 * PAGES_PER_GIB, cpus: CPUS }), policy);
  setUpZones(mm);
  bootFresh(mm);
  return new PageAllocatorPages(mm);
}

function timed(run) {
  const start = process.hrtime.bigint();
  const events = run();
  return events / (Number(process.hrtime.bigint() - start) / 1e9);
}

/** kmalloc(64) and kfree on one CPU. */
function fastPath(policy) {
  const slabs = new SlabAllocator(machine(), policy, new CountingPages());
  const cache = new KmallocCaches(slabs, { min_bytes: 8, hasMemcg: true }).cacheFor(64, GFP_KERNEL);
  return timed(() => {
    for (let i = 0; i < PAIRS; i++) {
      const slab = slabAlloc(slabs, cache, 0, GFP_KERNEL, -1);
      slabFree(slabs, cache, 0, slab, slabs.slot);
    }
    return 2 * PAIRS;
  });
}

/** Objects of all sizes live until another one takes their place; each third is freed on another CPU. */
function mixed(policy, pages) {
  const slabs = new SlabAllocator(machine(), policy, pages);
  const kmalloc = new KmallocCaches(slabs, { min_bytes: 8, hasMemcg: true });
  const caches = KMALLOC_SIZES.slice(0, 10).map((bytes) => kmalloc.cacheFor(bytes, GFP_KERNEL));
  const slabOf = new Int32Array(LIVE).fill(-1);
  const slotOf = new Uint16Array(LIVE);
  const cacheOf = new Uint8Array(LIVE);
  return timed(() => {
    let x = 0x2545_f491;
    let events = 0;
    for (let i = 0; i < MIXED; i++) {
      x ^= x << 13;
      x ^= x >>> 17;
      x ^= x << 5;
      const at = (x >>> 8) & (LIVE - 1);
      const cpu = (i >> 6) & (CPUS - 1);
      if (slabOf[at] >= 0) {
        const freeing = x % 3 === 0 ? (cpu + 1) & (CPUS - 1) : cpu;
        slabFree(slabs, caches[cacheOf[at]], freeing, slabOf[at], slotOf[at]);
        events++;
      }
      const cache = (x & 0xff) % caches.length;
      slabOf[at] = slabAlloc(slabs, caches[cache], cpu, GFP_KERNEL, -1);
      slotOf[at] = slabs.slot;
      cacheOf[at] = cache;
      events++;
    }
    return events;
  });
}

export async function slabBench() {
  const { policy } = await resolvePolicy('mainline-6.18');
  const runs = {
    'kmalloc and kfree, fast path': () => fastPath(policy),
    'mixed sizes, four CPUs': () => mixed(policy, new CountingPages()),
    'mixed sizes, four CPUs, pages from the model': () => mixed(policy, modelPages(policy)),
  };
  const rates = new Map(Object.keys(runs).map((name) => [name, []]));
  // In turns, so that all have their share of a noisy machine.
  for (let round = 0; round < ROUNDS; round++)
    for (const [name, run] of Object.entries(runs)) rates.get(name).push(run());
  return [...rates].map(([name, all]) => ({
    name,
    events_per_s: median(all),
    text: `${name}: ${millions(median(all))} events/s (median of ${ROUNDS})`,
  }));
}
