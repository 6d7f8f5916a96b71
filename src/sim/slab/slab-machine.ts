/**
 * The slab allocator of a replay's machine: its kmalloc caches, the work that is put off, and pages out of the machine's own
 * page allocator.
 */
import type { PageAllocator } from '../../mm/page-alloc/page-allocator.js';
import { DeferredWork } from '../../mm/slab/deferred.js';
import type { RecordedShape } from '../../mm/slab/geometry.js';
import { KmallocCaches } from '../../mm/slab/kmalloc.js';
import { KMALLOC_SIZES, type KmallocSetup } from '../../mm/slab/kmalloc-caches.js';
import { PageAllocatorPages } from '../../mm/slab/page-allocator-pages.js';
import { SlabAllocator } from '../../mm/slab/slab-allocator.js';
import { slabMachineOf } from '../../mm/slab/slab-machine.js';
import type { StateIo } from '../../mm/state-io.js';
import type { ShapeRules } from './recorded-caches.js';

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
    io.part('deferred', this.deferred);
  }
}
