/**
 * Allocation where CPUs have sheaves: the last object of the main sheaf, and where that is empty, of the spare one, of a
 * full one from the barn, or of one that is filled from slabs.
 *
 * The local lock is left while memory is fetched. Whoever listens to the locks may allocate and free in between, so what
 * was seen before is looked at again.
 * model: slub 8a.4
 */
import { GFP_NOMEMALLOC_BIT, GFP_NOWARN_BIT } from '../../gfp.js';
import type { KmemCache } from '../kmem-cache.js';
import { allowsSpinning } from '../slab-alloc.js';
import type { SlabAllocator } from '../slab-allocator.js';
import { SlabStat } from '../slab-stats.js';
import { NO_SLAB } from '../slab-table.js';
import { barnGetEmpty, barnPutEmpty, barnPutFull, barnReplaceEmpty } from './barn.js';
import { NO_SHEAF } from './cache-sheaves.js';
import { allocEmptySheaf, freeEmptySheaf } from './empty-sheaf.js';
import { localUnlock, tryLocalLock } from './local-lock.js';
import { refillObjects } from './partial-refill.js';
import { flushUnused } from './sheaf-flush.js';
import { allocPastSheaves } from './slow-alloc.js';

/**
 * Allocates one object, on a wanted node where there is one.
 *
 * @returns its slab, the slot in `slabs.slot`; or NO_SLAB
 */
export function sheafAlloc(
  slabs: SlabAllocator,
  cache: KmemCache,
  cpu: number,
  gfp: number,
  node: number,
): number {
  const slab = allocFromSheaves(slabs, cache, cpu, gfp, node);
  if (slab !== NO_SLAB) return slab;
  return allocPastSheaves(slabs, cache, cpu, gfp, node);
}

function allocFromSheaves(
  slabs: SlabAllocator,
  cache: KmemCache,
  cpu: number,
  gfp: number,
  node: number,
): number {
  // What is in sheaves is of the CPU's node, or nearly all of it.
  if (node >= 0 && node !== slabs.localNode(cpu)) {
    cache.stat(cpu, SlabStat.alloc_node_mismatch);
    return NO_SLAB;
  }
  if (!tryLocalLock(slabs, cache, cpu)) return NO_SLAB;
  const { sheaves } = cache;
  if (sheaves === null) {
    localUnlock(slabs, cache, cpu);
    return NO_SLAB;
  }
  if (sheaves.size[sheaves.main[cpu]!] === 0 && !replaceEmptyMain(slabs, cache, cpu, gfp)) return NO_SLAB;
  const main = sheaves.main[cpu]!;
  const size = sheaves.size[main]! - 1;
  const at = sheaves.base(main) + size;
  const slab = sheaves.objects.slab[at]!;
  const slot = sheaves.objects.slot[at]!;
  if (node >= 0 && slabs.table.node[slab] !== node) {
    localUnlock(slabs, cache, cpu);
    cache.stat(cpu, SlabStat.alloc_node_mismatch);
    return NO_SLAB;
  }
  sheaves.size[main] = size;
  localUnlock(slabs, cache, cpu);
  cache.stat(cpu, SlabStat.alloc_fastpath);
  slabs.slot = slot;
  return slab;
}

/**
 * Puts a sheaf with objects in the place of an empty main sheaf.
 *
 * @returns whether there is one: then the local lock is held, else it was left
 */
function replaceEmptyMain(slabs: SlabAllocator, cache: KmemCache, cpu: number, gfp: number): boolean {
  if (takeFilledSheaf(slabs, cache, cpu, gfp)) return true;
  const sheaves = cache.sheaves!;
  const allowSpin = allowsSpinning(gfp);
  let empty = NO_SHEAF;
  if (allowSpin) {
    empty = sheaves.spare[cpu]!;
    if (empty === NO_SHEAF) empty = barnGetEmpty(slabs, cache, slabs.localNode(cpu), true);
    else sheaves.spare[cpu] = NO_SHEAF;
  }
  localUnlock(slabs, cache, cpu);
  if (!allowSpin) return false;
  if (empty === NO_SHEAF) empty = allocEmptySheaf(slabs, cache, cpu, gfp);
  if (empty === NO_SHEAF) return false;
  if (!refillSheaf(slabs, cache, cpu, empty, gfp | GFP_NOMEMALLOC_BIT | GFP_NOWARN_BIT)) {
    flushUnused(slabs, cache, cpu, empty);
    freeEmptySheaf(slabs, cache, cpu, empty);
    return false;
  }
  return installFull(slabs, cache, cpu, empty);
}

/** Without memory: the spare sheaf, or a full one of the barn. The local lock is held. */
export function takeFilledSheaf(slabs: SlabAllocator, cache: KmemCache, cpu: number, gfp: number): boolean {
  const sheaves = cache.sheaves!;
  const spare = sheaves.spare[cpu]!;
  if (spare !== NO_SHEAF && sheaves.size[spare]! > 0) {
    sheaves.swapMainAndSpare(cpu);
    return true;
  }
  const full = barnReplaceEmpty(slabs, cache, slabs.localNode(cpu), sheaves.main[cpu]!, allowsSpinning(gfp));
  cache.stat(cpu, full === NO_SHEAF ? SlabStat.barn_get_fail : SlabStat.barn_get);
  if (full === NO_SHEAF) return false;
  sheaves.main[cpu] = full;
  return true;
}

/** @returns whether the sheaf is full now */
function refillSheaf(
  slabs: SlabAllocator,
  cache: KmemCache,
  cpu: number,
  sheaf: number,
  gfp: number,
): boolean {
  const { objects, capacity, size } = cache.sheaves!;
  const before = size[sheaf]!;
  const start = sheaf * capacity + before;
  const filled = refillObjects(slabs, cache, cpu, gfp, objects, start, capacity - before);
  cache.sheaves!.size[sheaf] = before + filled;
  cache.stat(cpu, SlabStat.sheaf_refill, filled);
  return before + filled === capacity;
}

/** Makes a filled sheaf the CPU's main one, or its spare one where an interruption has put objects into the main one. */
function installFull(slabs: SlabAllocator, cache: KmemCache, cpu: number, full: number): boolean {
  const sheaves = cache.sheaves!;
  const node = slabs.localNode(cpu);
  if (!tryLocalLock(slabs, cache, cpu)) {
    barnPutFull(slabs, cache, node, full);
    cache.stat(cpu, SlabStat.barn_put);
    return false;
  }
  const main = sheaves.main[cpu]!;
  const spare = sheaves.spare[cpu]!;
  if (sheaves.size[main] === 0) {
    if (spare === NO_SHEAF) sheaves.spare[cpu] = main;
    else barnPutEmpty(slabs, cache, node, main);
    sheaves.main[cpu] = full;
  } else if (spare === NO_SHEAF) {
    sheaves.spare[cpu] = full;
  } else if (sheaves.size[spare] === 0) {
    barnPutEmpty(slabs, cache, node, spare);
    sheaves.spare[cpu] = full;
  } else {
    barnPutFull(slabs, cache, node, full);
    cache.stat(cpu, SlabStat.barn_put);
  }
  return true;
}
