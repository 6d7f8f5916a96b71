/**
 * Charging pages and bytes to memory cgroups, and giving them back: stocks first, then the counters.
 * model: slub 5.5
 */
import {
  GFP_DIRECT_RECLAIM_BIT,
  GFP_HIGH_BIT,
  GFP_NOFAIL_BIT,
  GFP_NORETRY_BIT,
  GFP_RECLAIM,
} from '../gfp.js';
import { MAX_RECLAIM_RETRIES, PAGE_ALLOC_COSTLY_ORDER, PAGE_BYTES } from '../types.js';
import { ROOT_MEMCG } from './mem-cgroups.js';
import { type MemcgCharges, MemcgLock } from './memcg-charges.js';
import { NO_COUNTER } from './page-counter.js';
import { MEMCG_CHARGE_BATCH_PAGES } from './page-stock.js';

/** @returns whether the pages are charged. model: slub 5.5.2 */
export function tryChargePages(
  charges: MemcgCharges,
  cpu: number,
  memcg: number,
  pages: number,
  gfp: number,
): boolean {
  const { memory } = charges.groups;
  // Who may not wait takes just what it needs: the surplus would have to go into a stock.
  let batch = gfp & GFP_RECLAIM ? Math.max(MEMCG_CHARGE_BATCH_PAGES, pages) : pages;
  let effort: ReclaimEffort | undefined;
  for (;;) {
    if (consumePages(charges, cpu, memcg, pages)) return true;
    const over = memory.tryCharge(memcg, batch);
    if (over === NO_COUNTER) {
      if (batch > pages) unchargePages(charges, cpu, memcg, batch - pages);
      return true;
    }
    if (batch > pages) {
      batch = pages;
      continue;
    }
    if (!(gfp & GFP_DIRECT_RECLAIM_BIT)) break;
    effort ??= { hasDrained: false, retries: MAX_RECLAIM_RETRIES };
    if (!makeRoom(charges, cpu, over, pages, gfp, effort)) break;
  }
  if (!(gfp & (GFP_NOFAIL_BIT | GFP_HIGH_BIT))) {
    charges.groups.noteRefused(memcg);
    return false;
  }
  memory.charge(memcg, pages);
  return true;
}

interface ReclaimEffort {
  hasDrained: boolean;
  retries: number;
}

/** @returns whether it is worth while to try again */
function makeRoom(
  charges: MemcgCharges,
  cpu: number,
  over: number,
  pages: number,
  gfp: number,
  effort: ReclaimEffort,
): boolean {
  if (charges.reclaim === null) return false;
  const reclaimed = charges.reclaim.reclaim(over, pages, gfp, cpu);
  if (charges.groups.memory.margin(over) >= pages) return true;
  if (!effort.hasDrained) {
    effort.hasDrained = true;
    drainStocksBelow(charges, over);
    return true;
  }
  if (gfp & GFP_NORETRY_BIT) return false;
  if (reclaimed > 0 && pages <= 1 << PAGE_ALLOC_COSTLY_ORDER) return true;
  return effort.retries-- > 0;
}

function consumePages(charges: MemcgCharges, cpu: number, memcg: number, pages: number): boolean {
  if (pages > MEMCG_CHARGE_BATCH_PAGES || !charges.tryLock(MemcgLock.memcg_stock, cpu)) return false;
  const isDone = charges.pages.consume(cpu, memcg, pages);
  charges.unlock(MemcgLock.memcg_stock, cpu);
  return isDone;
}

/** Charged pages go into the stock, or, where they are too many or its lock is taken, off the counters. */
export function unchargePages(charges: MemcgCharges, cpu: number, memcg: number, pages: number): void {
  if (pages > MEMCG_CHARGE_BATCH_PAGES || !charges.tryLock(MemcgLock.memcg_stock, cpu)) {
    charges.groups.memory.uncharge(memcg, pages);
    return;
  }
  charges.pages.refill(cpu, memcg, pages, charges.victimSlot);
  charges.unlock(MemcgLock.memcg_stock, cpu);
}

/** Charges whole pages to an object cgroup: those of requests that no slab serves. */
export function tryChargeObjPages(
  charges: MemcgCharges,
  cpu: number,
  objcg: number,
  pages: number,
  gfp: number,
): boolean {
  const memcg = charges.groups.memcg[objcg]!;
  return memcg === ROOT_MEMCG || tryChargePages(charges, cpu, memcg, pages, gfp);
}

export function unchargeObjPages(charges: MemcgCharges, cpu: number, objcg: number, pages: number): void {
  const memcg = charges.groups.memcg[objcg]!;
  if (memcg !== ROOT_MEMCG && pages > 0) unchargePages(charges, cpu, memcg, pages);
}

/** @returns whether the bytes are charged. model: slub 5.5.3 */
export function tryChargeBytes(
  charges: MemcgCharges,
  cpu: number,
  objcg: number,
  bytes: number,
  gfp: number,
): boolean {
  if (charges.tryLock(MemcgLock.obj_stock, cpu)) {
    const isDone = charges.bytes.consume(cpu, objcg, bytes);
    charges.unlock(MemcgLock.obj_stock, cpu);
    if (isDone) return true;
  }
  const pages = Math.ceil(bytes / PAGE_BYTES);
  if (!tryChargeObjPages(charges, cpu, objcg, pages, gfp)) return false;
  refillBytes(charges, cpu, objcg, pages * PAGE_BYTES - bytes, false);
  return true;
}

export function unchargeBytes(charges: MemcgCharges, cpu: number, objcg: number, bytes: number): void {
  refillBytes(charges, cpu, objcg, bytes, true);
}

/** Bytes go into the stock, or, where its lock is taken, to what the object cgroup has left over. */
function refillBytes(
  charges: MemcgCharges,
  cpu: number,
  objcg: number,
  bytes: number,
  mayUncharge: boolean,
): void {
  let pages: number;
  if (charges.tryLock(MemcgLock.obj_stock, cpu)) {
    pages = charges.bytes.refill(cpu, objcg, bytes, mayUncharge);
    charges.unlock(MemcgLock.obj_stock, cpu);
  } else {
    pages = Math.floor(bytes / PAGE_BYTES);
    charges.groups.addChargedBytes(objcg, bytes % PAGE_BYTES);
  }
  unchargeObjPages(charges, cpu, objcg, pages);
}

/** Gives back what the CPUs keep of a memory cgroup and of those below it, and all else in the same stocks. */
export function drainStocksBelow(charges: MemcgCharges, memcg: number): void {
  for (let cpu = 0; cpu < charges.cpus; cpu++) {
    if (charges.bytes.has(cpu, memcg)) charges.bytes.drain(cpu);
    if (charges.pages.has(cpu, memcg)) charges.pages.drain(cpu);
  }
}
