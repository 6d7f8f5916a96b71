/**
 * What the code that a call interrupted has locked, as far as it can be in this call's way.
 * model: slub 3.4
 */
import { GFP_ACCOUNT_BIT } from '../../mm/gfp.js';
import type { KmemCache } from '../../mm/slab/kmem-cache.js';
import { SLAB_ACCOUNT } from '../../mm/slab/slab-flags.js';
import { SlabLock } from '../../mm/slab/slab-interfaces.js';
import { NolockLockNumber } from './nolock-outcomes.js';
import type { SlabMachine } from './slab-machine.js';

/** Refused charges by memory cgroup. */
interface Refusals {
  readonly refused: Float64Array;
}

/** Locks of the memory cgroups' stocks. */
interface HeldStocks {
  /** NolockLockNumber of one that a CPU holds, -1 for none */
  heldOn(cpu: number): number;
}

export class HeldBelow {
  /** the strike came in the middle of a lockless path */
  inFastpath = false;
  stocks: HeldStocks | null = null;
  refusals: Refusals | null = null;
  #refusedBefore = 0;

  constructor(readonly machine: SlabMachine) {}

  /** NolockLockNumber of what is held; local and list locks count if they are of the wanted cache. */
  of(wanted: KmemCache | null, cpu: number): number {
    this.#refusedBefore = this.#refused;
    const { slabs, mm } = this.machine;
    if (slabs.interrupted === null && mm.interrupted === null) return NolockLockNumber.none;
    const found: number[] = [];
    if (wanted !== null && this.hasLocalLock(wanted, cpu)) found.push(this.#localLock(wanted, cpu));
    if (wanted !== null && this.hasListLock(wanted)) found.push(NolockLockNumber.list_lock);
    const page = this.#pageLock(cpu);
    if (page >= 0) found.push(page);
    const stock = this.stocks?.heldOn(cpu) ?? -1;
    if (stock >= 0) found.push(stock);
    if (found.length > 1) return NolockLockNumber.several;
    return found[0] ?? (this.inFastpath ? NolockLockNumber.fastpath : NolockLockNumber.none);
  }

  hasLocalLock(cache: KmemCache, cpu: number): boolean {
    return this.machine.slabs.isHeldBelow(SlabLock.cpu_slab, cache, cpu);
  }

  hasListLock(cache: KmemCache): boolean {
    const { slabs } = this.machine;
    for (let node = 0; node < cache.nodes; node++)
      if (slabs.isHeldBelow(SlabLock.list_lock, cache, node)) return true;
    return false;
  }

  /** Since the last question. */
  get wasRefused(): boolean {
    return this.#refused > this.#refusedBefore;
  }

  get #refused(): number {
    return this.refusals === null ? 0 : this.refusals.refused.reduce((sum, count) => sum + count, 0);
  }

  #localLock(cache: KmemCache, cpu: number): number {
    const { kmalloc } = this.machine;
    const { object_size_bytes, flags } = cache.geometry;
    const gfp = flags & SLAB_ACCOUNT ? GFP_ACCOUNT_BIT : 0;
    const next = kmalloc.cacheFor(object_size_bytes + 1, gfp);
    return next !== null && this.hasLocalLock(next, cpu)
      ? NolockLockNumber.cpu_slab_next
      : NolockLockNumber.cpu_slab;
  }

  /** A refill has the lock of the lists and that of the zone: the latter is what matters. */
  #pageLock(cpu: number): number {
    const { mm } = this.machine;
    if (mm.interrupted === null) return -1;
    for (const zone of mm.zones) if (mm.interrupted.holdsZone(zone)) return NolockLockNumber.zone;
    for (const zone of mm.zones) if (mm.interrupted.holdsPcp(zone, cpu)) return NolockLockNumber.pcp;
    return -1;
  }
}
