/** A slab allocator on pages out of nowhere, for tests: PFNs count up, orders can be made to fail. */

import { GFP_KERNEL, GFP_THISNODE_BIT } from '../../../src/mm/gfp.js';
import { DEFAULT_BUILD, type MachineBuild } from '../../../src/mm/machine-build.js';
import { defaultPolicy, type Policy } from '../../../src/mm/policy.js';
import type { CacheSpec } from '../../../src/mm/slab/geometry.js';
import type { KmemCache } from '../../../src/mm/slab/kmem-cache.js';
import { allocObject, freeObject } from '../../../src/mm/slab/object-calls.js';
import { SlabAllocator } from '../../../src/mm/slab/slab-allocator.js';
import type { SlabPages } from '../../../src/mm/slab/slab-interfaces.js';
import { SLAB_STAT_NAMES, type SlabStatName } from '../../../src/mm/slab/slab-stats.js';
import { NO_SLAB } from '../../../src/mm/slab/slab-table.js';
import { NO_PFN } from '../../../src/mm/types.js';

const NODE_PFNS = 1 << 24;

export interface PageRequest {
  readonly gfp: number;
  readonly order: number;
  readonly node: number;
  readonly noSpin: boolean;
}

export class FakePages implements SlabPages {
  lastWasPfmemalloc = false;
  readonly requests: PageRequest[] = [];
  readonly freed: { pfn: number; order: number }[] = [];
  /** whether an attempt fails, by what was asked */
  fails: (request: PageRequest) => boolean = () => false;
  /** runs before pages are handed out, as an interruption would */
  before: () => void = () => {};
  readonly #next: number[];

  constructor(readonly cpu_nodes: readonly number[]) {
    this.#next = Array.from({ length: Math.max(...cpu_nodes) + 1 }, (_, node) => node * NODE_PFNS + 64);
  }

  allocSlabPages(cpu: number, gfp: number, order: number, node: number, noSpin: boolean): number {
    const request = { gfp, order, node, noSpin };
    this.requests.push(request);
    this.before();
    if (this.fails(request)) return NO_PFN;
    const home = node >= 0 ? node : this.cpu_nodes[cpu]!;
    const size = 2 ** order;
    const pfn = Math.ceil(this.#next[home]! / size) * size;
    this.#next[home] = pfn + size;
    return pfn;
  }

  freeSlabPages(_cpu: number, pfn: number, order: number): void {
    this.freed.push({ pfn, order });
  }

  nodeOf(pfn: number): number {
    return Math.floor(pfn / NODE_PFNS);
  }
}

export interface RigOptions {
  readonly cpus?: number;
  readonly nodes?: number;
  readonly policy?: Partial<Policy>;
  readonly build?: Partial<MachineBuild>;
}

/** The set-up that the scenarios name: sixteen CPUs, one node. */
export class Rig {
  readonly pages: FakePages;
  readonly slabs: SlabAllocator;

  constructor({ cpus = 16, nodes = 1, policy = {}, build }: RigOptions = {}) {
    const cpu_nodes = Array.from({ length: cpus }, (_, cpu) => Math.floor((cpu * nodes) / cpus));
    this.pages = new FakePages(cpu_nodes);
    const all = Array.from({ length: nodes }, (_, node) => node);
    this.slabs = new SlabAllocator(
      {
        present_cpus: cpus,
        possible_cpus: cpus,
        cache_line_bytes: 64,
        cpu_nodes,
        node_order: all.map((node) => [node, ...all.filter((other) => other !== node)]),
        tid_step: cpus,
        ...(build === undefined ? {} : { build: { ...DEFAULT_BUILD, ...build } }),
      },
      { ...defaultPolicy(), ...policy },
      this.pages,
    );
  }

  cache(object_size_bytes: number, spec: Partial<CacheSpec> = {}): KmemCache {
    return this.slabs.createCache({
      name: `test-${object_size_bytes}`,
      object_size_bytes,
      align_bytes: 0,
      flags: 0,
      hasConstructor: false,
      ...spec,
    });
  }

  /** Allocates one object; undefined where there is none. */
  alloc(cache: KmemCache, cpu = 0, gfp = GFP_KERNEL, node = -1): Place | undefined {
    const slab = allocObject(this.slabs, cache, cpu, gfp, node);
    return slab === NO_SLAB ? undefined : { slab, slot: this.slabs.slot };
  }

  /** Allocates so many, none of which may fail. */
  take(cache: KmemCache, count: number, cpu = 0): Place[] {
    return Array.from({ length: count }, () => {
      const place = this.alloc(cache, cpu);
      if (place === undefined) throw new Error('an allocation failed');
      return place;
    });
  }

  free(cache: KmemCache, { slab, slot }: Place, cpu = 0): void {
    freeObject(this.slabs, cache, cpu, slab, slot);
  }
}

export interface Place {
  readonly slab: number;
  readonly slot: number;
}

/** The counters that moved during `run`. */
export function moved(cache: KmemCache, run: () => void): Partial<Record<SlabStatName, number>> {
  const before = cache.totals();
  run();
  const after = cache.totals();
  const names = SLAB_STAT_NAMES.filter((name) => after[name] !== before[name]);
  return Object.fromEntries(names.map((name) => [name, after[name] - before[name]]));
}

export function isForThisNode({ gfp }: PageRequest): boolean {
  return (gfp & GFP_THISNODE_BIT) !== 0;
}
