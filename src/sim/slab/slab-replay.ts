/** The slab side of a replay: the machine's slab allocator, the caches that the trace names, the objects that it holds. */
import type { PageAllocator } from '../../mm/page-alloc/page-allocator.js';
import type { StateIo } from '../../mm/state-io.js';
import type { Notes } from '../notes.js';
import { buildSlabStart, type SlabStartSources } from '../start-state/slab-start.js';
import type { StartObjects } from '../start-state/start-objects.js';
import type { CacheDirectory } from './cache-directory.js';
import type { SlabMachine } from './slab-machine.js';
import { SlabOps } from './slab-ops.js';

export class SlabReplay {
  readonly machine: SlabMachine;
  readonly names: CacheDirectory;
  readonly start: StartObjects;
  readonly ops: SlabOps;
  /** what was inferred of the state that it begins with */
  readonly notes: readonly string[];

  /** @param sources what a recording tells of the slabs that it begins with */
  constructor(mm: PageAllocator, notes: Notes, sources: SlabStartSources = NOTHING_RECORDED) {
    const start = buildSlabStart(mm, sources);
    this.machine = start.machine;
    this.names = start.names;
    this.start = start.objects;
    this.notes = sources === NOTHING_RECORDED ? [] : start.notes;
    this.ops = new SlabOps(start, notes);
  }

  serialize(io: StateIo): void {
    io.part('machine', this.machine);
    io.part('names', this.names);
    io.part('start', this.start);
    io.part('ops', this.ops);
  }
}

const NOTHING_RECORDED: SlabStartSources = { slabinfo: undefined, kpageflags: undefined, scan: undefined };
