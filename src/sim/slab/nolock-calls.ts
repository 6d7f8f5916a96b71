/**
 * Calls from any context, with a note of what became of each: by context, by what the code below had locked, by size.
 * model: slub 3, 4, 5
 */
import type { Context } from '../../mm/context.js';
import { allocPagesNolock, freePagesNolock } from '../../mm/page-alloc/nolock.js';
import { kfreeNolock } from '../../mm/slab/kfree-nolock.js';
import { kmallocBucket } from '../../mm/slab/kmalloc-caches.js';
import { kmallocNolock, ZERO_SIZE } from '../../mm/slab/kmalloc-nolock.js';
import type { KmemCache } from '../../mm/slab/kmem-cache.js';
import { canServeNolock, isBusy, refusesContext } from '../../mm/slab/nolock-rules.js';
import { SlabStat } from '../../mm/slab/slab-stats.js';
import { NO_SLAB } from '../../mm/slab/slab-table.js';
import { Migratetype, NO_PFN, PAGEBLOCK_ORDER } from '../../mm/types.js';
import { LARGE_CLASS, type NolockCause, PAGES_CLASS } from '../../report/slab/nolock-words.js';
import { HeldBelow } from './held-below.js';
import {
  NolockCauseNumber,
  NolockFreeNumber,
  NolockLockNumber,
  NolockOutcomeNumber,
} from './nolock-outcomes.js';
import type { SlabObservations } from './observations.js';
import type { SlabMachine } from './slab-machine.js';

export class NolockCalls {
  readonly held: HeldBelow;

  constructor(
    readonly machine: SlabMachine,
    readonly observations: SlabObservations,
  ) {
    this.held = new HeldBelow(machine);
  }

  /** @returns the object's slab, its slot in `slabs.slot`; NO_SLAB for none; ZERO_SIZE */
  kmalloc(cpu: number, bytes: number, gfp: number, node: number, context: Context): number {
    const { kmalloc, slabs } = this.machine;
    const { nolock } = this.observations;
    const wanted = bytes === 0 ? null : kmalloc.cacheFor(bytes, gfp);
    const lock = this.held.of(wanted, cpu);
    const sizeClass = wanted === null ? LARGE_CLASS : kmallocBucket(bytes, kmalloc.setup.min_bytes);
    const fast = wanted === null ? 0 : wanted.statOf(cpu, SlabStat.alloc_fastpath);
    const made = wanted === null ? 0 : wanted.statOf(cpu, SlabStat.alloc_slab);
    const hadPartial = wanted !== null && lock === NolockLockNumber.list_lock && hasPartial(wanted);
    const slab = kmallocNolock(kmalloc, cpu, bytes, gfp, node, context);
    if (slab === ZERO_SIZE) {
      nolock.note(context, lock, 0, NolockOutcomeNumber.zero_size);
    } else if (slab === NO_SLAB || wanted === null) {
      const cause = this.#causeOfNull(wanted, cpu, gfp, context);
      nolock.note(context, lock, sizeClass, NolockOutcomeNumber.null, NolockCauseNumber[cause]);
    } else if (slabs.table.cache[slab] !== wanted.number) {
      nolock.note(context, lock, sizeClass, NolockOutcomeNumber.next_bucket);
    } else if (wanted.statOf(cpu, SlabStat.alloc_slab) > made) {
      nolock.note(context, lock, sizeClass, NolockOutcomeNumber.new_slab);
      if (hadPartial) nolock.noteExtraSlab();
      this.#noteStolen(slabs.table.pfn[slab]!, slabs.table.order[slab]!);
    } else {
      const isFast = wanted.statOf(cpu, SlabStat.alloc_fastpath) > fast;
      nolock.note(context, lock, sizeClass, NolockOutcomeNumber[isFast ? 'fast' : 'slow']);
    }
    return slab;
  }

  /** What the call itself does not tell: the first reason that holds. model: slub 3.2, 3.6 */
  #causeOfNull(wanted: KmemCache | null, cpu: number, gfp: number, context: Context): NolockCause {
    const { kmalloc, slabs } = this.machine;
    if (refusesContext(slabs, context)) return 'context';
    if (wanted === null) return 'too_large';
    if (!canServeNolock(wanted)) return 'build';
    const { 'slab.kind': kind, 'slab.nolock_retry': retries } = slabs.policy;
    const hasSheaves = kind === 'sheaves';
    // Who finds the lock of a CPU's sheaves taken goes past them. model: slub 8a.8
    if (!hasSheaves && (isBusy(slabs, wanted, cpu, context) || this.held.hasLocalLock(wanted, cpu)))
      return retries === 'none'
        ? 'busy'
        : this.#busyCause(kmalloc.cacheFor(wanted.geometry.object_size_bytes + 1, gfp), cpu);
    if ((hasSheaves || wanted.isDebug) && this.held.hasListLock(wanted)) return 'no_list_lock';
    return this.held.wasRefused ? 'charge_refused' : 'no_pages';
  }

  #busyCause(next: KmemCache | null, cpu: number): NolockCause {
    if (next === null) return 'busy';
    return this.held.hasLocalLock(next, cpu) ? 'busy_twice' : 'no_pages';
  }

  kfree(cpu: number, slab: number, slot: number, context: Context): void {
    const { slabs, deferred, kmalloc } = this.machine;
    const cache = slabs.caches[slabs.table.cache[slab]!]!;
    const lock = this.held.of(cache, cpu);
    const isDone = kfreeNolock(deferred, cpu, slab, slot, context);
    const sizeClass = kmallocBucket(cache.geometry.object_size_bytes, kmalloc.setup.min_bytes);
    this.observations.nolock.noteFree(
      context,
      lock,
      sizeClass,
      NolockFreeNumber[isDone ? 'fast' : 'deferred'],
    );
  }

  /** @returns first page, or NO_PFN */
  allocPages(cpu: number, order: number, node: number, account: boolean, context: Context): number {
    const { mm } = this.machine;
    const lock = this.held.of(null, cpu);
    const pfn = allocPagesNolock(mm, cpu, order, node, account, context);
    const outcome = pfn === NO_PFN ? 'null' : 'slow';
    const cause = NolockCauseNumber.no_pages;
    this.observations.nolock.note(context, lock, PAGES_CLASS, NolockOutcomeNumber[outcome], cause);
    if (pfn !== NO_PFN) this.#noteStolen(pfn, order);
    return pfn;
  }

  freePages(cpu: number, pfn: number, order: number, context: Context): void {
    const { mm } = this.machine;
    const lock = this.held.of(null, cpu);
    const zone = mm.zoneOf(pfn);
    const stranded = zone.trylock_free_pages.length;
    freePagesNolock(mm, cpu, pfn, order, context);
    const isStranded = zone.trylock_free_pages.length > stranded;
    this.observations.nolock.noteFree(
      context,
      lock,
      PAGES_CLASS,
      NolockFreeNumber[isStranded ? 'zone_stack' : 'slow'],
    );
  }

  /** Unmovable pages that lie in a pageblock of another type. */
  #noteStolen(pfn: number, order: number): void {
    const { mm } = this.machine;
    const zone = mm.zoneOf(pfn);
    const type = zone.pages.blockType[pfn >>> PAGEBLOCK_ORDER]!;
    if (type !== Migratetype.unmovable) this.observations.nolock.noteStolen(zone.number, type, order);
  }
}

function hasPartial(cache: KmemCache): boolean {
  return cache.nr_partial.some((slabs) => slabs > 0);
}
