/**
 * Frees where CPUs have sheaves: onto the main sheaf, and where that is full, onto the spare one or an empty one of the
 * barn, of the kmalloc family, or made by flushing. Objects of other nodes and of the reserves go to their slabs.
 * model: slub 8a.6
 */
import { GFP_KSWAPD_RECLAIM_BIT } from '../../gfp.js';
import type { KmemCache } from '../kmem-cache.js';
import type { SlabAllocator } from '../slab-allocator.js';
import { slabFreeSlow } from '../slab-free.js';
import { SlabStat } from '../slab-stats.js';
import { SLAB_PFMEMALLOC } from '../slab-table.js';
import { BARN_TOO_FULL, barnGetEmpty, barnPutEmpty, barnPutFull, barnReplaceFull } from './barn.js';
import { NO_SHEAF } from './cache-sheaves.js';
import { allocEmptySheaf } from './empty-sheaf.js';
import { localUnlock, tryLocalLock } from './local-lock.js';
import { flushUnused, tryFlushMain } from './sheaf-flush.js';

/** Frees one object. */
export function sheafFree(
  slabs: SlabAllocator,
  cache: KmemCache,
  cpu: number,
  slab: number,
  slot: number,
): void {
  if (fitsSheaves(slabs, cpu, slab) && freeToSheaves(slabs, cache, cpu, slab, slot, true)) return;
  slabFreeSlow(slabs, cache, cpu, slab, slot, slot, 1);
}

/** As kfree_nolock() frees: into the sheaves or not at all. @returns whether it did. model: slub 8a.8 */
export function freesFromAnywhere(
  slabs: SlabAllocator,
  cache: KmemCache,
  cpu: number,
  slab: number,
  slot: number,
): boolean {
  return fitsSheaves(slabs, cpu, slab) && freeToSheaves(slabs, cache, cpu, slab, slot, false);
}

/** Sheaves hold objects of the CPU's own node only, and none of the reserves. */
export function fitsSheaves(slabs: SlabAllocator, cpu: number, slab: number): boolean {
  const { table } = slabs;
  return table.node[slab] === slabs.localNode(cpu) && !table.hasFlag(slab, SLAB_PFMEMALLOC);
}

function freeToSheaves(
  slabs: SlabAllocator,
  cache: KmemCache,
  cpu: number,
  slab: number,
  slot: number,
  allowSpin: boolean,
): boolean {
  if (!tryLocalLock(slabs, cache, cpu)) return false;
  const { sheaves } = cache;
  if (sheaves === null) {
    localUnlock(slabs, cache, cpu);
    return false;
  }
  if (sheaves.isFull(sheaves.main[cpu]!) && !replaceFullMain(slabs, cache, cpu, allowSpin)) return false;
  sheaves.push(sheaves.main[cpu]!, slab, slot);
  localUnlock(slabs, cache, cpu);
  cache.stat(cpu, SlabStat.free_fastpath);
  return true;
}

/**
 * Puts a sheaf with room in the place of a full main sheaf.
 *
 * @returns whether there is one: then the local lock is held, else it was left
 */
function replaceFullMain(slabs: SlabAllocator, cache: KmemCache, cpu: number, allowSpin: boolean): boolean {
  const sheaves = cache.sheaves!;
  const node = slabs.localNode(cpu);
  for (;;) {
    const spare = sheaves.spare[cpu]!;
    const answer = takeSheafWithRoom(slabs, cache, cpu, allowSpin);
    if (answer === HAS_ROOM) return true;
    if (answer === BARN_TOO_FULL && allowSpin) {
      cache.stat(cpu, SlabStat.barn_put_fail);
      sheaves.spare[cpu] = NO_SHEAF;
      localUnlock(slabs, cache, cpu);
      flushUnused(slabs, cache, cpu, spare);
      return installEmpty(slabs, cache, cpu, node, spare);
    }
    localUnlock(slabs, cache, cpu);
    if (!allowSpin) return false;
    const empty = allocEmptySheaf(slabs, cache, cpu, GFP_KSWAPD_RECLAIM_BIT);
    if (empty !== NO_SHEAF) return installEmpty(slabs, cache, cpu, node, empty);
    if (spare !== NO_SHEAF) cache.stat(cpu, SlabStat.barn_put_fail);
    if (!tryFlushMain(slabs, cache, cpu) || !tryLocalLock(slabs, cache, cpu)) return false;
    // An interruption may have filled it again.
    if (!sheaves.isFull(sheaves.main[cpu]!)) return true;
  }
}

/** The main sheaf has room. */
export const HAS_ROOM = -4;

/** Without memory: the spare sheaf, or an empty one of the barn. The local lock is held. @returns HAS_ROOM or why not */
export function takeSheafWithRoom(
  slabs: SlabAllocator,
  cache: KmemCache,
  cpu: number,
  allowSpin: boolean,
): number {
  const sheaves = cache.sheaves!;
  const node = slabs.localNode(cpu);
  const spare = sheaves.spare[cpu]!;
  if (spare !== NO_SHEAF && !sheaves.isFull(spare)) {
    sheaves.swapMainAndSpare(cpu);
    return HAS_ROOM;
  }
  const main = sheaves.main[cpu]!;
  const empty =
    spare === NO_SHEAF
      ? barnGetEmpty(slabs, cache, node, allowSpin)
      : barnReplaceFull(slabs, cache, node, main, allowSpin);
  if (empty < 0) return empty;
  if (spare === NO_SHEAF) sheaves.spare[cpu] = main;
  else cache.stat(cpu, SlabStat.barn_put);
  sheaves.main[cpu] = empty;
  return HAS_ROOM;
}

/** @returns whether the main sheaf has room, and the local lock is held */
function installEmpty(
  slabs: SlabAllocator,
  cache: KmemCache,
  cpu: number,
  node: number,
  empty: number,
): boolean {
  if (!tryLocalLock(slabs, cache, cpu)) {
    barnPutEmpty(slabs, cache, node, empty);
    return false;
  }
  const sheaves = cache.sheaves!;
  const main = sheaves.main[cpu]!;
  const spare = sheaves.spare[cpu]!;
  if (spare === NO_SHEAF) {
    sheaves.spare[cpu] = main;
    sheaves.main[cpu] = empty;
  } else if (!sheaves.isFull(main)) {
    barnPutEmpty(slabs, cache, node, empty);
  } else if (!sheaves.isFull(spare)) {
    sheaves.swapMainAndSpare(cpu);
    barnPutEmpty(slabs, cache, node, empty);
  } else {
    barnPutFull(slabs, cache, node, main);
    cache.stat(cpu, SlabStat.barn_put);
    sheaves.main[cpu] = empty;
  }
  return true;
}
