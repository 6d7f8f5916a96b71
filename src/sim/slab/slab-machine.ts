/**
 * The slab allocator of a replay's machine: its kmalloc caches, the work that is put off, and pages out of the machine's own
 * page allocator.
 */
import type { PageAllocator } from '../../mm/page-alloc/page-allocator.js';
import { nodeOrders } from '../../mm/page-alloc/zonelist.js';
import { DeferredWork } from '../../mm/slab/deferred.js';
import type { RecordedShape } from '../../mm/slab/geometry.js';
import { KmallocCaches } from '../../mm/slab/kmalloc.js';
import { KMALLOC_SIZES, type KmallocSetup } from '../../mm/slab/kmalloc-caches.js';
import { PageAllocatorPages } from '../../mm/slab/page-allocator-pages.js';
import { SlabAllocator, type SlabMachineSpec } from '../../mm/slab/slab-allocator.js';
import type { StateIo } from '../../mm/state-io.js';
import type { ShapeRules } from './recorded-caches.js';

/** of x86-64, as everything else that no machine file says */
const CACHE_LINE_BYTES = 64;

export const DEFAULT_KMALLOC_SETUP: KmallocSetup = { min_bytes: KMALLOC_SIZES[0], hasMemcg: true };

export class SlabMachine {
  readonly slabs: SlabAllocator;
  readonly kmalloc: KmallocCaches;
  readonly deferred: DeferredWork;

  /** @param setup what is known of the kernel's kmalloc caches */
  constructor(
    readonly mm: PageAllocator,
    setup: KmallocSetup = DEFAULT_KMALLOC_SETUP,
    shapesOf: (rules: ShapeRules) => ReadonlyMap<string, RecordedShape> = () => new Map(),
  ) {
    this.slabs = new SlabAllocator(slabMachineOf(mm), mm.policy, new PageAllocatorPages(mm));
    this.kmalloc = new KmallocCaches(this.slabs, setup, new Map(), shapesOf(this.slabs));
    this.deferred = new DeferredWork(this.slabs);
    this.slabs.deferred = this.deferred;
  }

  serialize(io: StateIo): void {
    io.part('slabs', this.slabs);
  }
}

function slabMachineOf(mm: PageAllocator): SlabMachineSpec {
  const { cpu_nodes, node_distances } = mm.spec;
  const hasMemory = mm.nodes.map(({ zones }) => zones.some((zone) => zone.managed_pages > 0));
  const hasCpus = mm.nodes.map(({ node }) => cpu_nodes.includes(node));
  return {
    present_cpus: mm.nr_cpus,
    possible_cpus: mm.nr_cpus,
    cache_line_bytes: CACHE_LINE_BYTES,
    cpu_nodes,
    node_order: nodeOrders(node_distances, hasMemory, hasCpus),
    tid_step: 2 ** Math.ceil(Math.log2(mm.nr_cpus)),
  };
}
