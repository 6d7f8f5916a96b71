/**
 * Emptying sheaves: their objects go back to their slabs, past all other sheaves.
 * model: slub 8a.7
 */
import { freeGroups } from '../free-groups.js';
import type { KmemCache } from '../kmem-cache.js';
import { ObjectArray } from '../object-array.js';
import type { SlabAllocator } from '../slab-allocator.js';
import { freeToSlab } from '../slab-free.js';
import { SlabLock } from '../slab-interfaces.js';
import { SlabStat } from '../slab-stats.js';
import { NO_SHEAF } from './cache-sheaves.js';
import { freeEmptySheaf } from './empty-sheaf.js';
import { localUnlock, tryLocalLock } from './local-lock.js';

/** Objects that leave a main sheaf under one hold of the local lock. */
const FLUSH_BATCH = 32;

/** Empties a sheaf that is in no place. */
export function flushUnused(slabs: SlabAllocator, cache: KmemCache, cpu: number, sheaf: number): void {
  const sheaves = cache.sheaves!;
  const size = sheaves.size[sheaf]!;
  if (size === 0) return;
  cache.stat(cpu, SlabStat.sheaf_flush, size);
  freeGroups(slabs, cache, cpu, sheaves.objects, sheaves.base(sheaf), size, false, null, freeToSlab);
  sheaves.size[sheaf] = 0;
}

/** Takes a batch off the end of the main sheaf. The local lock is held, and left. @returns how many objects are left */
function flushMainBatch(slabs: SlabAllocator, cache: KmemCache, cpu: number): number {
  const { objects, main, size, capacity } = cache.sheaves!;
  const sheaf = main[cpu]!;
  const batch = Math.min(FLUSH_BATCH, size[sheaf]!);
  const left = size[sheaf]! - batch;
  const start = sheaf * capacity + left;
  const taken = new ObjectArray(batch);
  taken.slab.set(objects.slab.subarray(start, start + batch));
  taken.slot.set(objects.slot.subarray(start, start + batch));
  size[sheaf] = left;
  localUnlock(slabs, cache, cpu);
  freeGroups(slabs, cache, cpu, taken, 0, batch, false, null, freeToSlab);
  cache.stat(cpu, SlabStat.sheaf_flush, batch);
  return left;
}

/** Empties the main sheaf of a CPU as far as its lock can be had. @returns whether it was had at all */
export function tryFlushMain(slabs: SlabAllocator, cache: KmemCache, cpu: number): boolean {
  for (let did = false; ; did = true) {
    if (!tryLocalLock(slabs, cache, cpu)) return did;
    if (flushMainBatch(slabs, cache, cpu) === 0) return true;
  }
}

export function hasSheavesToFlush({ sheaves }: KmemCache, cpu: number): boolean {
  if (sheaves === null) return false;
  const main = sheaves.main[cpu]!;
  return sheaves.spare[cpu] !== NO_SHEAF || (main !== NO_SHEAF && sheaves.size[main]! > 0);
}

/** One CPU gives up its spare sheaf and empties its main one. */
export function flushSheavesOf(slabs: SlabAllocator, cache: KmemCache, cpu: number): void {
  const { sheaves } = cache;
  if (sheaves === null || sheaves.main[cpu] === NO_SHEAF) return;
  slabs.lock(SlabLock.cpu_slab, cache, cpu);
  const spare = sheaves.spare[cpu]!;
  sheaves.spare[cpu] = NO_SHEAF;
  localUnlock(slabs, cache, cpu);
  if (spare !== NO_SHEAF) {
    flushUnused(slabs, cache, cpu, spare);
    freeEmptySheaf(slabs, cache, cpu, spare);
  }
  do slabs.lock(SlabLock.cpu_slab, cache, cpu);
  while (flushMainBatch(slabs, cache, cpu) > 0);
}

/** Empties the barns of all nodes. @param cpu that does it */
export function shrinkBarns(slabs: SlabAllocator, cache: KmemCache, cpu: number): void {
  if (cache.sheaves === null) return;
  for (let node = 0; node < cache.nodes; node++) shrinkBarn(slabs, cache, cpu, node);
}

function shrinkBarn(slabs: SlabAllocator, cache: KmemCache, cpu: number, node: number): void {
  const sheaves = cache.sheaves!;
  slabs.lock(SlabLock.barn, cache, node);
  let full = sheaves.fullHead[node]!;
  let empty = sheaves.emptyHead[node]!;
  sheaves.fullHead[node] = NO_SHEAF;
  sheaves.nr_full[node] = 0;
  sheaves.emptyHead[node] = NO_SHEAF;
  sheaves.nr_empty[node] = 0;
  slabs.unlock(SlabLock.barn, cache, node);
  while (full !== NO_SHEAF) {
    const next = sheaves.next[full]!;
    flushUnused(slabs, cache, cpu, full);
    freeEmptySheaf(slabs, cache, cpu, full);
    full = next;
  }
  while (empty !== NO_SHEAF) {
    const next = sheaves.next[empty]!;
    freeEmptySheaf(slabs, cache, cpu, empty);
    empty = next;
  }
}

/** The cache goes, and with it the main sheaves, which are empty by then. */
export function endSheaves(slabs: SlabAllocator, cache: KmemCache, cpu: number): void {
  const { sheaves } = cache;
  if (sheaves === null) return;
  for (let owner = 0; owner < cache.cpus; owner++) {
    const main = sheaves.main[owner]!;
    sheaves.main[owner] = NO_SHEAF;
    if (main !== NO_SHEAF) freeEmptySheaf(slabs, cache, cpu, main);
  }
}
