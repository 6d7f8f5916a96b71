/**
 * Objects charged to memory cgroups: each costs its slot and the entry that remembers who pays.
 * model: slub 2.7
 */
import { Context } from '../context.js';
import {
  GFP_ACCOUNT_BIT,
  GFP_DMA_BIT,
  GFP_NOFAIL_BIT,
  GFP_RECLAIM,
  GFP_RECLAIMABLE_BIT,
  GFP_ZERO_BIT,
} from '../gfp.js';
import { NO_OBJCG } from '../memcg/mem-cgroups.js';
import type { MemcgCharges } from '../memcg/memcg-charges.js';
import { tryChargeBytes, unchargeBytes } from '../memcg/try-charge.js';
import { arrays, numbers, type StateIo } from '../state-io.js';
import type { KmemCache } from './kmem-cache.js';
import { EXT_FROM_NOLOCK, EXT_IS_VECTOR, hasVector, ObjExtVectors } from './obj-ext.js';
import type { SlabAllocator } from './slab-allocator.js';
import { SLAB_ACCOUNT } from './slab-flags.js';
import type { SlabCharges } from './slab-interfaces.js';
import { NO_VECTOR_MEMORY, type VectorMemory } from './vector-memory.js';

const CONTEXTS = Object.keys(Context).length;
/** Bytes charged beside the slot: a pointer to the object cgroup. */
const POINTER_BYTES = 8;
/** What of a caller's flags does not reach the request for a vector. model: slub 6.2 */
const NOT_FOR_VECTORS = GFP_DMA_BIT | GFP_RECLAIMABLE_BIT | GFP_ACCOUNT_BIT | GFP_NOFAIL_BIT;

export class SlabMemcg implements SlabCharges {
  readonly vectors = new ObjExtVectors();
  readonly #entry_bytes: number;
  readonly #marksFailure: boolean;
  /** objects that stayed unpaid for want of a vector */
  without_vector = 0;
  /** and because what interrupts a task has nobody to pay, by context */
  readonly without_payer = new Float64Array(CONTEXTS);
  #context: Context = Context.task;

  constructor(
    readonly slabs: SlabAllocator,
    readonly charges: MemcgCharges,
    readonly memory: VectorMemory,
  ) {
    this.#entry_bytes = slabs.policy['slab.ext_entry_bytes'];
    this.#marksFailure = slabs.policy['slab.ext_marks_failure'];
  }

  enter(context: Context): Context {
    const before = this.#context;
    this.#context = context;
    return before;
  }

  leave(before: Context): void {
    this.#context = before;
  }

  /** What one object of the cache costs. */
  static objectBytes(cache: KmemCache): number {
    return cache.geometry.size_bytes + POINTER_BYTES;
  }

  allocated(cache: KmemCache, cpu: number, slab: number, slot: number, gfp: number): boolean {
    const { charges } = this;
    if (!isAccounted(cache, gfp)) return true;
    const objcg = charges.objcgOf(cpu, this.#context);
    if (objcg === NO_OBJCG) {
      // A task without is one in the root, where nobody is meant to pay.
      if (this.#context !== Context.task)
        this.without_payer[this.#context] = this.without_payer[this.#context]! + 1;
      return true;
    }
    if (!this.#ensureVector(cpu, slab, gfp)) {
      this.without_vector++;
      return true;
    }
    if (!tryChargeBytes(charges, cpu, objcg, SlabMemcg.objectBytes(cache), gfp)) return false;
    this.vectors.set(this.slabs.table.ext[slab]!, slot, objcg);
    return true;
  }

  freed(cache: KmemCache, cpu: number, slab: number, slot: number): void {
    const word = this.slabs.table.ext[slab]!;
    if (!hasVector(word)) return;
    const objcg = this.vectors.get(word, slot);
    if (objcg === NO_OBJCG) return;
    this.vectors.set(word, slot, NO_OBJCG);
    unchargeBytes(this.charges, cpu, objcg, SlabMemcg.objectBytes(cache));
  }

  slabMade(cache: KmemCache, slab: number, gfp: number, cpu: number): void {
    if (this.charges.groups.isOnline && (cache.geometry.flags & SLAB_ACCOUNT) !== 0)
      this.#ensureVector(cpu, slab, gfp);
  }

  slabGone(slab: number, cpu: number): void {
    const { ext } = this.slabs.table;
    const word = ext[slab]!;
    ext[slab] = 0;
    if (!hasVector(word)) return;
    const memory = this.vectors.memoryOf(word);
    this.vectors.release(word);
    this.memory.free(cpu, memory, (word & EXT_FROM_NOLOCK) !== 0);
  }

  /** @returns whether the slab has a vector, if need be a new one. model: slub 6.2 */
  #ensureVector(cpu: number, slab: number, gfp: number): boolean {
    const { table } = this.slabs;
    if (hasVector(table.ext[slab]!)) return true;
    const noSpin = (gfp & GFP_RECLAIM) === 0;
    const flags = (gfp & ~NOT_FOR_VECTORS) | GFP_ZERO_BIT;
    const bytes = table.objects[slab]! * this.#entry_bytes;
    const memory = this.memory.alloc(cpu, bytes, flags, table.node[slab]!, noSpin, this.#context);
    // Somebody may have struck meanwhile and given the slab its vector.
    const has = hasVector(table.ext[slab]!);
    if (memory === NO_VECTOR_MEMORY) {
      if (!has && this.#marksFailure) table.ext[slab] = EXT_IS_VECTOR;
      return has;
    }
    if (has) this.memory.free(cpu, memory, noSpin);
    else table.ext[slab] = this.vectors.create(table.objects[slab]!, memory, noSpin);
    return true;
  }

  /** Bytes that live objects are charged to each object cgroup, from all vectors. */
  bytesInUse(): Float64Array {
    const { table, caches } = this.slabs;
    const bytes = new Float64Array(this.charges.groups.nr_objcgs);
    for (let slab = 0; slab < table.end; slab++) {
      if (!table.exists(slab) || !hasVector(table.ext[slab]!)) continue;
      const cost = SlabMemcg.objectBytes(caches[table.cache[slab]!]!);
      for (let slot = 0; slot < table.objects[slab]!; slot++) {
        const objcg = this.vectors.get(table.ext[slab]!, slot);
        if (objcg !== NO_OBJCG) bytes[objcg] = bytes[objcg]! + cost;
      }
    }
    return bytes;
  }

  /** Counting begins anew; what is charged stays. */
  clearCounts(): void {
    this.charges.groups.clearCounts();
    this.without_vector = 0;
    this.without_payer.fill(0);
  }

  serialize(io: StateIo): void {
    io.part('charges', this.charges);
    io.part('vectors', this.vectors);
    numbers<SlabMemcg>(io, this, ['without_vector']);
    arrays<SlabMemcg>(io, this, ['without_payer']);
  }
}

function isAccounted({ geometry }: KmemCache, gfp: number): boolean {
  return (gfp & GFP_ACCOUNT_BIT) !== 0 || (geometry.flags & SLAB_ACCOUNT) !== 0;
}
