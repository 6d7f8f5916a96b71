/**
 * The page allocator of one machine: its pages, zones, nodes and the state that outlives one request.
 *
 * The mechanisms live in files of their own beside this one and take this object; it owns what they share.
 */
import { InvariantError } from '../invariant.js';
import { DEFAULT_BUILD, type MachineBuild } from '../machine-build.js';
import type { MachineSpec } from '../machine-spec.js';
import type { Policy } from '../policy.js';
import { CompactionState } from '../reclaim/compaction-state.js';
import type { KswapdRunState } from '../reclaim/kswapd.js';
import { buildLru, LRU_HEADS_PER_ZONE, type LruLists, lruKindOf } from '../reclaim/lru.js';
import type { PageAges } from '../reclaim/page-ages.js';
import { ReclaimableObjects } from '../reclaim/reclaimable-objects.js';
import { HeadPool } from '../spb/head-pool.js';
import type { SpbNodeWork } from '../spb/node-work.js';
import { spbRulesOf } from '../spb/spb-rules.js';
import { SpbSystem } from '../spb/spb-system.js';
import { SPB_LISTS, SUPERPAGEBLOCK_ORDER } from '../spb/spb-types.js';
import { MAX_NR_ZONES, PAGEBLOCK_ORDER, PAGEBLOCK_PAGES, ZoneIndex } from '../types.js';
import { newVmEvents } from '../vmstat.js';
import { wakeKswapdOf } from './kswapd-wake.js';
import { NO_ZONE, PageMap, STRADDLED } from './page-map.js';
import type { RequestTracer } from './request-tracer.js';
import { type Rules, rulesOf } from './rules.js';
import { ALLOC_NOFRAGMENT } from './watermark.js';
import { HEADS_PER_ZONE, Zone } from './zone.js';
import { buildZonelists, type Zonelists } from './zonelist.js';

/** What the kernel's tracepoints of the same names would report; a run without a tracer pays one test. */
export interface PageAllocTracer {
  /** mm_page_alloc_zone_locked: a chunk left the buddy list of `migratetype` */
  zoneLocked(pfn: number, order: number, migratetype: number, percpuRefill: boolean): void;
  /** mm_page_alloc_extfrag: a request of one type took from another's list */
  extfrag(pfn: number, order: number, fallbackOrder: number, migratetype: number, fallback: number): void;
  /** mm_page_pcpu_drain: a chunk went from a per-CPU list to the buddy list of `migratetype` */
  pcpuDrain(pfn: number, order: number, migratetype: number): void;
}

/** A direct compaction that waits for a free chunk. model: page-allocator 3.6, step 2a */
export interface CaptureControl {
  /** of the request */
  readonly migratetype: number;
  takes(zone: Zone, pfn: number, order: number, migratetype: number): boolean;
  /** whether it has what it waits for, out of this zone */
  taken(zone: Zone): boolean;
}

/** What the code that a request interrupted has locked. model: page-allocator 4.10 */
export interface InterruptedPageLocks {
  /** the lock of a CPU's lists: nobody waits for it */
  holdsPcp(zone: Zone, cpu: number): boolean;
  holdsZone(zone: Zone): boolean;
}

/** Locks of the page allocator that an interruption may find taken. */
export const PageLock = { pcp: 0, zone: 1 } as const;
export type PageLock = (typeof PageLock)[keyof typeof PageLock];

/** Entries of the kernel's functions of these names, where nothing is locked. model: slub 7.2 */
export type PagePoint = 'alloc_pages' | 'alloc_pages_nolock' | 'get_page_from_freelist';

/** Told of every lock that an allocation, a free, a refill or a drain takes and lets go. A run without one pays one test. */
export interface PageLockListener {
  /** @param cpu whose lists a pcp lock guards; for a zone lock, who takes it */
  enter(lock: PageLock, zone: Zone, cpu: number): void;
  leave(lock: PageLock, zone: Zone, cpu: number): void;
  reach(point: PagePoint, cpu: number): void;
}

/** What the allocator asks of the machine's background: it never runs anything itself. */
export interface Background {
  /** simulated time */
  readonly now_ns: number;
  /** a node's superpageblock work has something due at its `due_ns` */
  wakeSpbWork(work: SpbNodeWork): void;
  /** kswapd of a node is wanted; called at every wake-up, also while it runs */
  wakeKswapd(node: NodeState): void;
  wakeKcompactd(node: NodeState, order: number, highestZone: number): void;
}

/** One NUMA node's background state. */
export interface NodeState {
  readonly node: number;
  readonly zones: Zone[];
  /** off its wait queue: from the wake-up on, until it goes back to sleep */
  kswapd_awake: boolean;
  kswapd_order: number;
  kswapd_highest_zone: number;
  /** runs without any reclaim; 16 make the node hopeless */
  kswapd_failures: number;
  /** order and zone that a kswapd in its short nap would go on with; -1 when it does not nap */
  kswapd_nap_order: number;
  kswapd_nap_zone: number;
  kcompactd_awake: boolean;
  kcompactd_order: number;
  kcompactd_highest_zone: number;
  /** a kswapd run that has begun and not ended */
  kswapd_run: KswapdRunState | null;
  /** stat thresholds to go back to when kswapd sleeps; null while it does */
  usual_thresholds: readonly number[] | null;
}

/** What the current task may do; the machine's context stack sets it. model: gfp A6 */
export interface TaskState {
  /** reclaim on its behalf is under way: it may use all reserves and never reclaims itself */
  readonly pf_memalloc: boolean;
  /** chosen by the OOM killer: it may use part of the reserves */
  readonly oom_victim: boolean;
  /** realtime or deadline task, in task context */
  readonly rt: boolean;
}

/** What the OOM killer would be told. */
export interface OomRequest {
  readonly gfp: number;
  readonly order: number;
  readonly node: number;
}

/** Slab caches that can be shrunk; the page reclaim calls it after each node's lists. model: gfp C2 */
export interface Shrinkers {
  /** memory cgroups, from the root on */
  readonly nr_memcgs: number;
  /** objects looked at, and pages that went back to the allocator, so far */
  readonly scanned_objects: number;
  readonly freed_pages: number;
  /** Shrinks the caches of one memory cgroup on one node. @returns objects freed */
  shrinkSlab(gfp: number, node: number, memcg: number, priority: number): number;
}

export class PageAllocator {
  readonly pages: PageMap;
  readonly zones: Zone[];
  readonly nodes: NodeState[];
  readonly rules: Rules;
  readonly nr_cpus: number;
  /** Several nodes: only then do requests look at kswapd and at distance. */
  readonly numa: boolean;
  /** 1 GiB ranges, by number, that were handed out whole; owned by spb/contig */
  readonly held_gigantic = new Set<number>();
  /** CPUs that are not online now; owned by cpu-hotplug */
  readonly offline_cpus = new Set<number>();
  zonelists: Zonelists;
  /** page grouping by mobility; off on tiny machines. model: page-allocator 2.6 */
  grouping = true;
  tracer: PageAllocTracer | null = null;
  /** set for single events only, and together with `tracer`: that turns the shortcuts off */
  requestTracer: RequestTracer | null = null;
  capture: CaptureControl | null = null;
  /** turns the shortcuts off, as a tracer does */
  locks: PageLockListener | null = null;
  /** what the code below the present request has locked; only requests that may not wait for it look */
  interrupted: InterruptedPageLocks | null = null;
  background: Background | null = null;
  /** pages of 2^order moved to another place; their owner now holds them there */
  onMigrate: ((from: number, to: number, order: number) => void) | null = null;
  /** an allocation of 2^order pages was cut into single pages, each of which goes its own way from now on */
  onSplit: ((pfn: number, order: number) => void) | null = null;
  /** the owner of 2^order pages has lost them to reclaim */
  onReclaim: ((pfn: number, order: number) => void) | null = null;
  /** lets a victim go; returns the pages that it freed. Without it an out-of-memory request fails. */
  onOom: ((request: OomRequest) => number) | null = null;
  /** ages of movable pages, from which the LRU lists are built when first needed; null before and after */
  ages: PageAges | null = null;
  /** the LRU lists where they have been built */
  lruLists: LruLists | null = null;
  shrinkers: Shrinkers | null = null;
  /** slab pages that shrinkers can free, where the policy models them; also in `shrinkers` then */
  readonly slabObjects: ReclaimableObjects | null;
  /** what the superpageblock mechanisms share; null where the policy has no superpageblocks */
  readonly spb: SpbSystem | null;
  task: TaskState | null = null;
  readonly compaction: CompactionState;
  readonly events = newVmEvents();
  /** stage of the removal search while a zone lock is held; owned by rmqueue */
  searchMode = 0;
  pgfree = 0;
  readonly build: MachineBuild;
  /** trylocks that got a lock of the interrupted code; on machines without SMP. model: page-allocator 4.10 */
  up_trylocks = 0;

  constructor(
    readonly spec: MachineSpec,
    readonly policy: Policy,
  ) {
    this.rules = rulesOf(policy);
    this.build = spec.build ?? DEFAULT_BUILD;
    this.nr_cpus = spec.cpu_nodes.length;
    this.numa = spec.node_distances.length > 1;
    const end = spec.zones.reduce(
      (most, zone) => Math.max(most, zone.start_pfn + zone.spanned_pages),
      spec.max_pfn ?? 0,
    );
    // Sentinels: every zone's free lists, every zone's LRU lists, every node's slab pages, superpageblocks' free lists.
    const zoneHeads = spec.zones.length * (HEADS_PER_ZONE + LRU_HEADS_PER_ZONE);
    const nodes = spec.node_distances.length;
    const superpageblocks = policy['spb.enabled'] ? mostSuperpageblocks(spec, end) : 0;
    this.pages = new PageMap(end, zoneHeads + nodes + superpageblocks * SPB_LISTS);
    this.zones = spec.zones.map((zone, number) => new Zone(number, zone, this.pages, this.nr_cpus));
    this.nodes = spec.node_distances.map((_, node) => ({
      node,
      zones: this.zones.filter((zone) => zone.node === node),
      kswapd_awake: false,
      kswapd_order: 0,
      kswapd_highest_zone: 0,
      kswapd_failures: 0,
      kswapd_nap_order: -1,
      kswapd_nap_zone: 0,
      kcompactd_awake: false,
      kcompactd_order: 0,
      kcompactd_highest_zone: MAX_NR_ZONES - 1,
      kswapd_run: null,
      usual_thresholds: null,
    }));
    const { headBase } = this.pages;
    this.slabObjects =
      policy['shrinker.model'] === 'none' ? null : new ReclaimableObjects(this, headBase + zoneHeads);
    this.shrinkers = this.slabObjects;
    this.spb = policy['spb.enabled']
      ? new SpbSystem(spbRulesOf(policy), new HeadPool(headBase + zoneHeads + nodes, superpageblocks), nodes)
      : null;
    this.zonelists = buildZonelists(this.zones, spec.node_distances, spec.cpu_nodes);
    this.compaction = new CompactionState(this.zones, this.pages.nr_pageblocks);
    this.markNofragmentZones();
    for (const zone of this.zones) this.claimBlocks(zone, zone.start_pfn, zone.end_pfn);
  }

  /** Notes that a range of PFNs belongs to a zone. */
  claimBlocks(zone: Zone, start: number, end: number): void {
    const { blockZone } = this.pages;
    for (let block = start >>> PAGEBLOCK_ORDER; block < Math.ceil(end / PAGEBLOCK_PAGES); block++) {
      const owner = blockZone[block]!;
      if (owner === NO_ZONE || owner === zone.number) {
        blockZone[block] = zone.number;
      } else {
        if (owner !== STRADDLED) this.zones[owner]!.straddled = true;
        blockZone[block] = STRADDLED;
        zone.straddled = true;
      }
    }
  }

  /** Zone of a page. Throws for a PFN that no zone has: callers check what comes from outside. */
  zoneOf(pfn: number): Zone {
    // Most blocks belong to one zone; the markers for the others are no zone numbers.
    const zone = this.zones[this.pages.blockZone[pfn >>> PAGEBLOCK_ORDER]!] ?? this.findZone(pfn);
    if (zone === undefined) throw new InvariantError(`pfn 0x${pfn.toString(16)} is in no zone`);
    return zone;
  }

  findZone(pfn: number): Zone | undefined {
    const number = this.pages.blockZone[pfn >>> PAGEBLOCK_ORDER];
    if (number === undefined || number === NO_ZONE) return undefined;
    if (number === STRADDLED) return this.zones.find((zone) => zone.spans(pfn));
    const zone = this.zones[number]!;
    return zone.spans(pfn) ? zone : undefined;
  }

  /** A trylock of a zone's per-CPU lists would fail. */
  pcpIsTaken(zone: Zone, cpu: number): boolean {
    return this.interrupted?.holdsPcp(zone, cpu) === true && this.#trylockFails();
  }

  zoneIsTaken(zone: Zone): boolean {
    return this.interrupted?.holdsZone(zone) === true && this.#trylockFails();
  }

  /** Without SMP a spinlock is nothing that could be found taken. model: page-allocator 4.10 */
  #trylockFails(): boolean {
    if (this.build.smp || this.build.preempt_rt) return true;
    this.up_trylocks++;
    return false;
  }

  /** The run models reclaim and compaction. */
  get reclaims(): boolean {
    return this.ages !== null || this.lruLists !== null;
  }

  /** Movable pages in the order of their age; null while a run models neither reclaim nor compaction. */
  get lru(): LruLists | null {
    if (this.ages !== null) {
      this.lruLists = buildLru(this, this.ages);
      this.ages = null;
    }
    return this.lruLists;
  }

  /** A movable page was handed out while the lists are not built. */
  noteAge(node: number, gfp: number): void {
    this.ages!.note(node, lruKindOf(gfp));
    if (this.ages!.exhausted) void this.lru;
  }

  /**
   * Marks the zones whose requests try the next zone before they mix types: all under defrag_mode and with
   * superpageblocks (model: spb 3.7), else Normal zones with a DMA32 zone below them (or on a machine of one node). model: page-allocator 4.1
   */
  markNofragmentZones(): void {
    for (const zone of this.zones) {
      const siblings = this.nodes[zone.node]!.zones;
      const hasDma32 = siblings.some((other) => other.index === ZoneIndex.dma32 && other.managed_pages > 0);
      const avoids = zone.index === ZoneIndex.normal && (!this.numa || hasDma32);
      zone.nofragment_flag = avoids || this.rules.holds_out ? ALLOC_NOFRAGMENT : 0;
    }
  }

  /** Wakes kswapd of a zone's node unless the node is balanced or hopeless. model: page-allocator 4.9 */
  wakeKswapd(zone: Zone, gfp: number, order: number, highestZone: number): void {
    wakeKswapdOf(this, this.nodes[zone.node]!, gfp, order, highestZone);
  }
}

/** Superpageblocks that the zones may come to have: as they are, and for every range that memory may be added in. */
function mostSuperpageblocks(spec: MachineSpec, end_pfn: number): number {
  const ranges = Math.ceil(end_pfn / 2 ** SUPERPAGEBLOCK_ORDER);
  let now = 0;
  for (const { spanned_pages } of spec.zones) now += Math.ceil(spanned_pages / 2 ** SUPERPAGEBLOCK_ORDER) + 1;
  return now + (spec.max_pfn === undefined ? spec.zones.length : ranges);
}
