/**
 * Allocation of one object: the CPU's private freelist, and what is done step by step when it is empty.
 *
 * The steps take and leave locks as the kernel does and look again after each, because whoever listens to the locks may
 * allocate and free in between.
 * model: slub 2.3
 */
import { GFP_KSWAPD_RECLAIM_BIT, GFP_RECLAIM, GFP_THISNODE_BIT } from '../gfp.js';
import { popCpuPartial, putPartials } from './cpu-partial.js';
import { deactivateSlab, detachCpuSlab } from './deactivate.js';
import { allocSingleFromNewSlab } from './debug-slab.js';
import { countSlab } from './discard-slab.js';
import type { KmemCache } from './kmem-cache.js';
import { newSlab } from './new-slab.js';
import { getPartial } from './node-partial.js';
import { localLockIsHeld } from './nolock-rules.js';
import { pfmemallocMatches } from './pfmemalloc.js';
import type { SlabAllocator } from './slab-allocator.js';
import { SlabHazard } from './slab-hazards.js';
import { SlabLock } from './slab-interfaces.js';
import { SlabStat } from './slab-stats.js';
import { NO_SLAB, NO_SLOT, SLAB_FROZEN } from './slab-table.js';

export const NO_NODE = -1;
/** The interrupted code has the local lock, so a request that may not wait gets nothing here. model: slub 3.2 */
export const SLAB_BUSY = -4;
const GFP_NOWAIT = GFP_KSWAPD_RECLAIM_BIT;

/** Whether a request may wait for locks: all but those from any context may. model: slub 0 */
export function allowsSpinning(gfp: number): boolean {
  return (gfp & GFP_RECLAIM) !== 0;
}

/**
 * Allocates one object, on a wanted node where there is one.
 *
 * @returns its slab, the slot in `slabs.slot`; NO_SLAB for none; SLAB_BUSY, only for requests that may not wait
 */
export function slabAlloc(
  slabs: SlabAllocator,
  cache: KmemCache,
  cpu: number,
  gfp: number,
  node: number,
): number {
  const slot = cache.freelist[cpu]!;
  const slab = cache.cpuSlab[cpu]!;
  const { table } = slabs;
  if (
    slot === NO_SLOT ||
    slab === NO_SLAB ||
    !slabs.hasLocklessPath ||
    (node >= 0 && table.node[slab] !== node)
  )
    return enterSlowPath(slabs, cache, cpu, gfp, node);
  if (slabs.points !== null && !slabs.exchanges('alloc_fastpath', cache, cpu))
    return slabAlloc(slabs, cache, cpu, gfp, node);
  cache.freelist[cpu] = table.links[table.base[slab]! + slot]!;
  slabs.nextTid(cache, cpu);
  cache.stat(cpu, SlabStat.alloc_fastpath);
  slabs.slot = slot;
  return slab;
}

/** model: slub 3.2 step 5 */
function enterSlowPath(
  slabs: SlabAllocator,
  cache: KmemCache,
  cpu: number,
  gfp: number,
  node: number,
): number {
  slabs.reach('slab_alloc', cache, cpu);
  if (!allowsSpinning(gfp) && localLockIsHeld(slabs, cache, cpu)) {
    slabs.slot = NO_SLOT;
    return SLAB_BUSY;
  }
  return slabAllocSlow(slabs, cache, cpu, gfp, node);
}

/** The slow path; `slabAlloc` and the bulk call come here with nothing left to take. */
export function slabAllocSlow(
  slabs: SlabAllocator,
  cache: KmemCache,
  cpu: number,
  gfp: number,
  node: number,
): number {
  const allowSpin = allowsSpinning(gfp);
  if (slabs.build.slub_tiny) return fromNodeOrPages(slabs, cache, cpu, gfp, node, allowSpin);
  cache.stat(cpu, SlabStat.alloc_slowpath);
  let wanted = node >= 0 && !slabs.hasMemory(node) ? NO_NODE : node;
  for (;;) {
    const current = cache.cpuSlab[cpu]!;
    // One that may not wait takes what is there, from whichever node, and forgets its wish.
    if (!allowSpin && current !== NO_SLAB && wanted !== slabs.table.node[current]) wanted = NO_NODE;
    const found = fromCpuSlab(slabs, cache, cpu, gfp, wanted, allowSpin);
    if (found === AGAIN) continue;
    if (found !== NOTHING) return found;
    const parked = fromCpuPartial(slabs, cache, cpu, gfp, wanted, allowSpin);
    if (parked === AGAIN) continue;
    if (parked !== NOTHING) return parked;
    return fromNodeOrPages(slabs, cache, cpu, gfp, wanted, allowSpin);
  }
}

/** Answers of a step: go on with the next one, or begin anew because the cpu slab changed under it. */
const NOTHING = -2;
const AGAIN = -3;

/** Steps 1 to 5. model: slub 2.3 steps 1-5 */
function fromCpuSlab(
  slabs: SlabAllocator,
  cache: KmemCache,
  cpu: number,
  gfp: number,
  node: number,
  allowSpin: boolean,
): number {
  const slab = cache.cpuSlab[cpu]!;
  if (slab === NO_SLAB) return NOTHING;
  const isElsewhere = node >= 0 && slabs.table.node[slab] !== node;
  if (isElsewhere) cache.stat(cpu, SlabStat.alloc_node_mismatch);
  const isUnfit = isElsewhere || (allowSpin && !pfmemallocMatches(slabs, slab, gfp));
  slabs.lock(SlabLock.cpu_slab, cache, cpu);
  if (slab !== cache.cpuSlab[cpu]) {
    slabs.unlock(SlabLock.cpu_slab, cache, cpu);
    return AGAIN;
  }
  if (isUnfit) {
    const freelist = detachCpuSlab(slabs, cache, cpu);
    slabs.unlock(SlabLock.cpu_slab, cache, cpu);
    deactivateSlab(slabs, cache, cpu, slab, freelist);
    return NOTHING;
  }
  const own = cache.freelist[cpu]!;
  if (own !== NO_SLOT) return load(slabs, cache, cpu, slab, own);
  slabs.deferred?.visit?.(slab, cpu);
  const refill = grabFreelist(slabs, slab);
  if (refill !== NO_SLOT) {
    cache.stat(cpu, SlabStat.alloc_refill);
    return load(slabs, cache, cpu, slab, refill);
  }
  cache.cpuSlab[cpu] = NO_SLAB;
  slabs.nextTid(cache, cpu);
  slabs.unlock(SlabLock.cpu_slab, cache, cpu);
  cache.stat(cpu, SlabStat.deactivate_bypass);
  return NOTHING;
}

/** Takes the slab's own freelist, whole. A slab without free slots is no longer a cpu slab. model: slub 2.3 step 4 */
function grabFreelist(slabs: SlabAllocator, slab: number): number {
  const { table } = slabs;
  const freelist = table.freelist[slab]!;
  table.freelist[slab] = NO_SLOT;
  table.inuse[slab] = table.objects[slab]!;
  if (freelist === NO_SLOT) table.clearFlag(slab, SLAB_FROZEN);
  else table.setFlag(slab, SLAB_FROZEN);
  return freelist;
}

/** Hands out the first slot of a freelist and makes the rest the CPU's own. The local lock is held, and left. */
function load(slabs: SlabAllocator, cache: KmemCache, cpu: number, slab: number, slot: number): number {
  cache.freelist[cpu] = slabs.table.nextFree(slab, slot);
  slabs.nextTid(cache, cpu);
  slabs.unlock(SlabLock.cpu_slab, cache, cpu);
  slabs.slot = slot;
  return slab;
}

/** model: slub 2.3 step 6 */
function fromCpuPartial(
  slabs: SlabAllocator,
  cache: KmemCache,
  cpu: number,
  gfp: number,
  node: number,
  allowSpin: boolean,
): number {
  const { table } = slabs;
  while (cache.cpuPartial[cpu] !== NO_SLAB) {
    slabs.lock(SlabLock.cpu_slab, cache, cpu);
    if (cache.cpuSlab[cpu] !== NO_SLAB) {
      slabs.unlock(SlabLock.cpu_slab, cache, cpu);
      return AGAIN;
    }
    if (cache.cpuPartial[cpu] === NO_SLAB) {
      slabs.unlock(SlabLock.cpu_slab, cache, cpu);
      return NOTHING;
    }
    const slab = popCpuPartial(slabs, cache, cpu);
    const fits = (node < 0 || table.node[slab] === node) && pfmemallocMatches(slabs, slab, gfp);
    if (fits || !allowSpin) {
      cache.cpuSlab[cpu] = slab;
      const freelist = grabFreelist(slabs, slab);
      cache.stat(cpu, SlabStat.cpu_partial_alloc);
      return load(slabs, cache, cpu, slab, freelist);
    }
    slabs.unlock(SlabLock.cpu_slab, cache, cpu);
    table.next[slab] = NO_SLAB;
    putPartials(slabs, cache, cpu, slab);
  }
  return NOTHING;
}

/** Steps 7 to 9, at most twice: a wish for a node is first tried on that node alone. model: slub 2.3 steps 7-9 */
function fromNodeOrPages(
  slabs: SlabAllocator,
  cache: KmemCache,
  cpu: number,
  gfp: number,
  node: number,
  allowSpin: boolean,
): number {
  let triesNode = node >= 0 && !(gfp & GFP_THISNODE_BIT) && !slabs.build.slub_tiny;
  for (let rounds = 0; ; rounds++) {
    const flags = triesNode ? (allowSpin ? GFP_NOWAIT : gfp) | GFP_THISNODE_BIT : gfp;
    const partial = getPartial(slabs, cache, cpu, flags, node);
    if (partial !== NO_SLAB) {
      if (cache.takesSingly) return partial;
      slabs.deferred?.visit?.(partial, cpu);
      return installSlab(slabs, cache, cpu, partial, grabFreelist(slabs, partial), allowSpin);
    }
    const slab = newSlab(slabs, cache, cpu, flags, node);
    if (slab !== NO_SLAB) {
      const served = fromNewSlab(slabs, cache, cpu, slab, gfp, allowSpin);
      if (served === NO_SLAB && makesAnotherSlab(slabs, cache, rounds)) continue;
      return served;
    }
    if (!triesNode) {
      slabs.slot = NO_SLOT;
      return NO_SLAB;
    }
    triesNode = false;
  }
}

/** What kernels did where list_lock of a debug cache was taken, until there was no memory. model: slub 8.1 */
function makesAnotherSlab(slabs: SlabAllocator, cache: KmemCache, rounds: number): boolean {
  const { policy, build } = slabs;
  if (policy['slab.debug_trylock_failure'] === 'give_up' || !cache.isDebug || build.slub_tiny) return false;
  if (rounds === 0) slabs.hazards.note(SlabHazard.debug_loop);
  return rounds + 1 < policy['slab.debug_loop_limit'];
}

/** model: slub 2.3 step 8 */
function fromNewSlab(
  slabs: SlabAllocator,
  cache: KmemCache,
  cpu: number,
  slab: number,
  gfp: number,
  allowSpin: boolean,
): number {
  const { table } = slabs;
  cache.stat(cpu, SlabStat.alloc_slab);
  if (cache.takesSingly) return allocSingleFromNewSlab(slabs, cache, cpu, gfp, slab);
  const freelist = table.freelist[slab]!;
  table.freelist[slab] = NO_SLOT;
  table.inuse[slab] = table.objects[slab]!;
  table.setFlag(slab, SLAB_FROZEN);
  countSlab(slabs, cache, slab);
  if (allowSpin && !pfmemallocMatches(slabs, slab, gfp)) {
    // The reserves stood in for this request only: nobody after it may find their slots on this CPU.
    deactivateSlab(slabs, cache, cpu, slab, table.nextFree(slab, freelist));
    slabs.slot = freelist;
    return slab;
  }
  return installSlab(slabs, cache, cpu, slab, freelist, allowSpin);
}

/** Makes a frozen slab the CPU's. One that came in while pages were fetched gives way. model: slub 2.3 step 9 */
function installSlab(
  slabs: SlabAllocator,
  cache: KmemCache,
  cpu: number,
  slab: number,
  freelist: number,
  allowSpin: boolean,
): number {
  slabs.lock(SlabLock.cpu_slab, cache, cpu);
  while (cache.cpuSlab[cpu] !== NO_SLAB) {
    const displaced = cache.cpuSlab[cpu]!;
    const itsFreelist = detachCpuSlab(slabs, cache, cpu);
    slabs.unlock(SlabLock.cpu_slab, cache, cpu);
    if (allowSpin || slabs.deferred === null) deactivateSlab(slabs, cache, cpu, displaced, itsFreelist);
    else slabs.deferred.deactivateLater(cache, cpu, displaced, itsFreelist);
    cache.stat(cpu, SlabStat.cpuslab_flush);
    slabs.lock(SlabLock.cpu_slab, cache, cpu);
  }
  cache.cpuSlab[cpu] = slab;
  return load(slabs, cache, cpu, slab, freelist);
}
