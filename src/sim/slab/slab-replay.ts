/** The slab side of a replay: the machine's slab allocator, the caches that the trace names, the objects that it holds. */
import type { PageAllocator } from '../../mm/page-alloc/page-allocator.js';
import type { StateIo } from '../../mm/state-io.js';
import { Op } from '../../trace/event-batch.js';
import type { Notes } from '../notes.js';
import { CacheDirectory } from './cache-directory.js';
import { SlabMachine } from './slab-machine.js';
import { SlabOps } from './slab-ops.js';

export class SlabReplay {
  readonly machine: SlabMachine;
  readonly names: CacheDirectory;
  readonly ops: SlabOps;

  constructor(mm: PageAllocator, notes: Notes) {
    this.machine = new SlabMachine(mm);
    this.names = new CacheDirectory(this.machine.slabs);
    this.ops = new SlabOps(this.machine, this.names, notes);
  }

  serialize(io: StateIo): void {
    io.part('machine', this.machine);
    io.part('names', this.names);
    io.part('ops', this.ops);
  }
}

/** Operations on slab objects and caches: they stand together in the list of operations. */
export function isSlabOp(op: number): boolean {
  return op >= Op.kmalloc && op <= Op.cache_free;
}
