/**
 * One slab cache: its geometry, what each CPU and each node hold of it, and its counters.
 * model: slub 0, 2.1, 2.2
 */
import { arrays, numbers, type StateIo } from '../state-io.js';
import type { CacheSpec, SlabGeometry } from './geometry.js';
import type { CacheSheaves } from './sheaves/cache-sheaves.js';
import { isDebugCache, SLAB_STORE_USER, SLAB_TYPESAFE_BY_RCU } from './slab-flags.js';
import { SlabList } from './slab-list.js';
import { NR_SLAB_STATS, SLAB_STAT_NAMES, type SlabStatName } from './slab-stats.js';
import { NO_SLAB, NO_SLOT, type SlabTable } from './slab-table.js';

/** Looks at other nodes' lists that the kernel makes by default, of 1024. model: slub 2.3 step 7 */
const DEFAULT_DEFRAG_RATIO = 1000;

export class KmemCache {
  readonly name: string;
  /** may be changed by whoever stands in for sysfs */
  min_partial: number;
  cpu_partial_slabs: number;
  /** of 1024; 0 forbids to look at other nodes */
  remote_node_defrag_ratio = DEFAULT_DEFRAG_RATIO;
  readonly isDebug: boolean;
  /** each slot is taken and given back under list_lock, CPUs have nothing of their own: debugged, or SLUB_TINY */
  readonly takesSingly: boolean;
  /** neither debugged nor built without */
  readonly hasCpuPartial: boolean;
  readonly keepsFullList: boolean;
  readonly isTypesafeByRcu: boolean;

  /** null where CPUs have slabs instead, and in caches that cannot have any; model: slub 8a */
  sheaves: CacheSheaves | null = null;

  /** slab that each CPU allocates from, or NO_SLAB */
  readonly cpuSlab: Int32Array;
  /** first slot of each CPU's private freelist, in its cpu slab, or NO_SLOT */
  readonly freelist: Uint16Array;
  /** transaction number of each CPU: it changes with everything above */
  readonly tid: Float64Array;
  /** first slab of each CPU's chain, and how many it has */
  readonly cpuPartial: Int32Array;
  readonly cpu_partial_count: Int32Array;

  /** slabs with free slots, by node */
  readonly partial: SlabList;
  readonly nr_partial: Int32Array;
  readonly nr_slabs: Int32Array;
  readonly total_objects: Float64Array;
  /** only filled where `keepsFullList` */
  readonly full: SlabList;

  /** counters by CPU, NR_SLAB_STATS each */
  readonly stats: Float64Array;

  constructor(
    /** index among the caches of the machine */
    readonly number: number,
    readonly spec: CacheSpec,
    readonly geometry: SlabGeometry,
    readonly cpus: number,
    readonly nodes: number,
    table: SlabTable,
    isCpuPartialBuilt: boolean,
    isTiny: boolean,
  ) {
    this.name = spec.name;
    this.min_partial = geometry.min_partial;
    this.cpu_partial_slabs = geometry.cpu_partial_slabs;
    this.isDebug = isDebugCache(geometry.flags);
    this.takesSingly = this.isDebug || isTiny;
    this.hasCpuPartial = isCpuPartialBuilt && !this.takesSingly;
    this.keepsFullList = (geometry.flags & SLAB_STORE_USER) !== 0;
    this.isTypesafeByRcu = (geometry.flags & SLAB_TYPESAFE_BY_RCU) !== 0;
    this.cpuSlab = new Int32Array(cpus).fill(NO_SLAB);
    this.freelist = new Uint16Array(cpus).fill(NO_SLOT);
    this.tid = Float64Array.from({ length: cpus }, (_, cpu) => cpu);
    this.cpuPartial = new Int32Array(cpus).fill(NO_SLAB);
    this.cpu_partial_count = new Int32Array(cpus);
    this.partial = new SlabList(table, nodes);
    this.nr_partial = new Int32Array(nodes);
    this.nr_slabs = new Int32Array(nodes);
    this.total_objects = new Float64Array(nodes);
    this.full = new SlabList(table, nodes);
    this.stats = new Float64Array(cpus * NR_SLAB_STATS);
  }

  serialize(io: StateIo): void {
    numbers<KmemCache>(io, this, ['min_partial', 'cpu_partial_slabs', 'remote_node_defrag_ratio']);
    arrays<KmemCache>(io, this, ['cpuSlab', 'freelist', 'tid', 'cpuPartial', 'cpu_partial_count']);
    arrays<KmemCache>(io, this, ['nr_partial', 'nr_slabs', 'total_objects', 'stats']);
    io.part('partial', this.partial);
    io.part('full', this.full);
    if (this.sheaves !== null) io.part('sheaves', this.sheaves);
  }

  stat(cpu: number, item: number, by = 1): void {
    const at = cpu * NR_SLAB_STATS + item;
    this.stats[at] = this.stats[at]! + by;
  }

  /** A counter of one CPU. */
  statOf(cpu: number, item: number): number {
    return this.stats[cpu * NR_SLAB_STATS + item]!;
  }

  /** A counter over all CPUs. */
  total(item: number): number {
    let sum = 0;
    for (let cpu = 0; cpu < this.cpus; cpu++) sum += this.stats[cpu * NR_SLAB_STATS + item]!;
    return sum;
  }

  /** All counters over all CPUs, by name. */
  totals(): Record<SlabStatName, number> {
    const entries = SLAB_STAT_NAMES.map((name, item) => [name, this.total(item)] as const);
    return Object.fromEntries(entries) as Record<SlabStatName, number>;
  }
}
