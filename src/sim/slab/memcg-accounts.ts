/** All charges of a replay: those of slab objects and those of pages. It exists once a trace has named a cgroup. */
import { KmemPages } from '../../mm/memcg/kmem-pages.js';
import { MemcgCharges } from '../../mm/memcg/memcg-charges.js';
import { validateMemcg } from '../../mm/memcg/validate-memcg.js';
import { SlabMemcg } from '../../mm/slab/slab-memcg.js';
import { KmallocVectorMemory } from '../../mm/slab/vector-memory.js';
import type { StateIo } from '../../mm/state-io.js';
import type { SlabMachine } from './slab-machine.js';

export class MemcgAccounts {
  readonly charges: MemcgCharges;
  readonly slab: SlabMemcg;
  readonly pages: KmemPages;

  constructor({ slabs, kmalloc, deferred, mm }: SlabMachine) {
    this.charges = new MemcgCharges(slabs.machine.cpu_nodes.length);
    this.slab = new SlabMemcg(slabs, this.charges, new KmallocVectorMemory(kmalloc, deferred));
    this.pages = new KmemPages(this.charges, mm.pages.end_pfn);
  }

  /** Throws an InvariantError where charges and what is charged for differ. */
  validate(): void {
    const bytes = this.slab.bytesInUse();
    const pages = this.pages.pagesByMemcg();
    validateMemcg(this.charges, { bytesOf: (objcg) => bytes[objcg]!, pagesOf: (memcg) => pages[memcg]! });
  }

  serialize(io: StateIo): void {
    io.part('slab', this.slab);
    io.part('pages', this.pages);
  }
}
