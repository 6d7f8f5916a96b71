/**
 * A node's store of full and empty sheaves, through which its CPUs balance what they have.
 *
 * The counts are looked at before the lock is taken and again after, as an interruption may come between.
 * model: slub 8a.3
 */
import { GFP_RECLAIM } from '../../gfp.js';
import type { KmemCache } from '../kmem-cache.js';
import type { SlabAllocator } from '../slab-allocator.js';
import { SlabLock } from '../slab-interfaces.js';
import { NO_SHEAF } from './cache-sheaves.js';

/** Answers of an exchange besides a sheaf: the barn has no empty one, too many full ones, or its lock is not to be had. */
export const BARN_NONE = NO_SHEAF;
export const BARN_TOO_FULL = -2;
export const BARN_BUSY = -3;

function lockBarn(slabs: SlabAllocator, cache: KmemCache, node: number, allowSpin: boolean): boolean {
  return slabs.lockFor(allowSpin ? GFP_RECLAIM : 0, SlabLock.barn, cache, node);
}

/** @returns an empty sheaf, or NO_SHEAF */
export function barnGetEmpty(
  slabs: SlabAllocator,
  cache: KmemCache,
  node: number,
  allowSpin: boolean,
): number {
  const sheaves = cache.sheaves!;
  if (sheaves.nr_empty[node] === 0 || !lockBarn(slabs, cache, node, allowSpin)) return NO_SHEAF;
  const sheaf = sheaves.nr_empty[node] === 0 ? NO_SHEAF : sheaves.takeEmpty(node);
  slabs.unlock(SlabLock.barn, cache, node);
  return sheaf;
}

/** No limit is looked at: it undoes what an interruption made needless. */
export function barnPutEmpty(slabs: SlabAllocator, cache: KmemCache, node: number, sheaf: number): void {
  slabs.lock(SlabLock.barn, cache, node);
  cache.sheaves!.putEmpty(node, sheaf);
  slabs.unlock(SlabLock.barn, cache, node);
}

export function barnPutFull(slabs: SlabAllocator, cache: KmemCache, node: number, sheaf: number): void {
  slabs.lock(SlabLock.barn, cache, node);
  cache.sheaves!.putFull(node, sheaf);
  slabs.unlock(SlabLock.barn, cache, node);
}

/** Gives an empty sheaf for a full one. @returns the full one, or NO_SHEAF, and the empty one is still the caller's */
export function barnReplaceEmpty(
  slabs: SlabAllocator,
  cache: KmemCache,
  node: number,
  empty: number,
  allowSpin: boolean,
): number {
  const sheaves = cache.sheaves!;
  if (sheaves.nr_full[node] === 0 || !lockBarn(slabs, cache, node, allowSpin)) return NO_SHEAF;
  let full = NO_SHEAF;
  if (sheaves.nr_full[node] !== 0) {
    full = sheaves.takeFull(node);
    sheaves.putEmpty(node, empty);
  }
  slabs.unlock(SlabLock.barn, cache, node);
  return full;
}

/** Gives a full sheaf for an empty one. @returns the empty one, or why there is none, and the full one is the caller's */
export function barnReplaceFull(
  slabs: SlabAllocator,
  cache: KmemCache,
  node: number,
  full: number,
  allowSpin: boolean,
): number {
  const sheaves = cache.sheaves!;
  if (sheaves.nr_full[node]! >= slabs.policy['slab.barn_full_sheaves']) return BARN_TOO_FULL;
  if (sheaves.nr_empty[node] === 0) return BARN_NONE;
  if (!lockBarn(slabs, cache, node, allowSpin)) return BARN_BUSY;
  let empty: number = BARN_NONE;
  if (sheaves.nr_empty[node] !== 0) {
    empty = sheaves.takeEmpty(node);
    sheaves.putFull(node, full);
  }
  slabs.unlock(SlabLock.barn, cache, node);
  return empty;
}
