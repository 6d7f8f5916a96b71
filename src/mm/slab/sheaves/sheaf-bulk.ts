/**
 * Bulk calls where CPUs have sheaves: whole stretches are copied out of and into main sheaves; what those and the barn cannot
 * serve comes from slabs and goes to slabs.
 * model: slub 8a.4, 8a.6
 */
import { freeGroups } from '../free-groups.js';
import type { KmemCache } from '../kmem-cache.js';
import { ObjectArray } from '../object-array.js';
import { NO_NODE } from '../slab-alloc.js';
import type { SlabAllocator } from '../slab-allocator.js';
import { freeToSlab } from '../slab-free.js';
import { SlabStat } from '../slab-stats.js';
import { NO_SLAB } from '../slab-table.js';
import { NO_SHEAF } from './cache-sheaves.js';
import { localUnlock, tryLocalLock } from './local-lock.js';
import { refillObjects } from './partial-refill.js';
import { takeFilledSheaf } from './sheaf-alloc.js';
import { fitsSheaves, HAS_ROOM, takeSheafWithRoom } from './sheaf-free.js';
import { allocPastSheaves } from './slow-alloc.js';

/** Objects of other nodes that a free gathers before they go to their slabs. */
const REMOTE_BATCH = 32;

/**
 * Fills the first `count` places of `objects`, all or none.
 *
 * @returns `count`, or 0
 */
export function sheafAllocBulk(
  slabs: SlabAllocator,
  cache: KmemCache,
  cpu: number,
  gfp: number,
  count: number,
  objects: ObjectArray,
): number {
  const fromSheaves = popBulk(slabs, cache, cpu, gfp, count, objects);
  if (fromSheaves === count) return count;
  if (pastSheavesBulk(slabs, cache, cpu, gfp, objects, fromSheaves, count - fromSheaves)) return count;
  freeGroups(slabs, cache, cpu, objects, 0, fromSheaves, false, null, freeToSlab);
  return 0;
}

/** @returns how many the sheaves had */
function popBulk(
  slabs: SlabAllocator,
  cache: KmemCache,
  cpu: number,
  gfp: number,
  count: number,
  objects: ObjectArray,
): number {
  const { sheaves } = cache;
  let done = 0;
  while (done < count && tryLocalLock(slabs, cache, cpu)) {
    const has =
      sheaves !== null && (sheaves.size[sheaves.main[cpu]!]! > 0 || takeFilledSheaf(slabs, cache, cpu, gfp));
    if (sheaves === null || !has) {
      localUnlock(slabs, cache, cpu);
      break;
    }
    const main = sheaves.main[cpu]!;
    const batch = Math.min(count - done, sheaves.size[main]!);
    const left = sheaves.size[main]! - batch;
    copyObjects(sheaves.objects, sheaves.base(main) + left, objects, done, batch);
    sheaves.size[main] = left;
    localUnlock(slabs, cache, cpu);
    cache.stat(cpu, SlabStat.alloc_fastpath, batch);
    done += batch;
  }
  return done;
}

function copyObjects(from: ObjectArray, at: number, to: ObjectArray, start: number, count: number): void {
  to.slab.set(from.slab.subarray(at, at + count), start);
  to.slot.set(from.slot.subarray(at, at + count), start);
}

/** @returns whether all could be had; if not, none is kept */
function pastSheavesBulk(
  slabs: SlabAllocator,
  cache: KmemCache,
  cpu: number,
  gfp: number,
  objects: ObjectArray,
  start: number,
  count: number,
): boolean {
  let got = 0;
  if (cache.takesSingly) {
    for (; got < count; got++) {
      const slab = allocPastSheaves(slabs, cache, cpu, gfp, NO_NODE);
      if (slab === NO_SLAB) break;
      objects.slab[start + got] = slab;
      objects.slot[start + got] = slabs.slot;
    }
  } else {
    got = refillObjects(slabs, cache, cpu, gfp, objects, start, count);
    if (got === count) cache.stat(cpu, SlabStat.alloc_slowpath, count);
  }
  if (got === count) return true;
  freeGroups(slabs, cache, cpu, objects, start, got, false, null, freeToSlab);
  return false;
}

/** Frees the first `count` objects. Their order in the array is changed. */
export function sheafFreeBulk(
  slabs: SlabAllocator,
  cache: KmemCache,
  cpu: number,
  objects: ObjectArray,
  count: number,
): void {
  if (cache.sheaves === null) {
    freeGroups(slabs, cache, cpu, objects, 0, count, slabs.turnsBulkFrees, slabs.charges, freeCountedGroup);
    return;
  }
  const { charges } = slabs;
  if (charges !== null)
    for (let i = 0; i < count; i++) charges.freed(cache, cpu, objects.slab[i]!, objects.slot[i]!);
  const remote = new ObjectArray(REMOTE_BATCH);
  let nr_remote = 0;
  let local = count;
  for (let i = 0; i < local; ) {
    const slab = objects.slab[i]!;
    if (fitsSheaves(slabs, cpu, slab)) {
      i++;
      continue;
    }
    remote.slab[nr_remote] = slab;
    remote.slot[nr_remote] = objects.slot[i]!;
    nr_remote++;
    local--;
    objects.slab[i] = objects.slab[local]!;
    objects.slot[i] = objects.slot[local]!;
    if (nr_remote < REMOTE_BATCH) continue;
    freeCounted(slabs, cache, cpu, remote, 0, nr_remote);
    nr_remote = 0;
  }
  const done = pushBulk(slabs, cache, cpu, objects, local);
  if (done < local) freeCounted(slabs, cache, cpu, objects, done, local - done);
  if (nr_remote > 0) freeCounted(slabs, cache, cpu, remote, 0, nr_remote);
}

/** @returns how many the sheaves took */
function pushBulk(
  slabs: SlabAllocator,
  cache: KmemCache,
  cpu: number,
  objects: ObjectArray,
  count: number,
): number {
  const sheaves = cache.sheaves!;
  let done = 0;
  while (done < count && tryLocalLock(slabs, cache, cpu)) {
    const hasSpare = sheaves.spare[cpu] !== NO_SHEAF;
    const hasRoom =
      !sheaves.isFull(sheaves.main[cpu]!) || takeSheafWithRoom(slabs, cache, cpu, true) === HAS_ROOM;
    if (!hasRoom) {
      if (hasSpare) cache.stat(cpu, SlabStat.barn_put_fail);
      localUnlock(slabs, cache, cpu);
      break;
    }
    const main = sheaves.main[cpu]!;
    const size = sheaves.size[main]!;
    const batch = Math.min(count - done, sheaves.capacity - size);
    copyObjects(objects, done, sheaves.objects, sheaves.base(main) + size, batch);
    sheaves.size[main] = size + batch;
    localUnlock(slabs, cache, cpu);
    cache.stat(cpu, SlabStat.free_fastpath, batch);
    done += batch;
  }
  return done;
}

/** Objects that go to their slabs one by one count as such. */
function freeCounted(
  slabs: SlabAllocator,
  cache: KmemCache,
  cpu: number,
  objects: ObjectArray,
  start: number,
  count: number,
): void {
  freeGroups(slabs, cache, cpu, objects, start, count, false, null, freeToSlab);
  cache.stat(cpu, SlabStat.free_slowpath, count);
}

function freeCountedGroup(
  slabs: SlabAllocator,
  cache: KmemCache,
  cpu: number,
  slab: number,
  head: number,
  tail: number,
  count: number,
): void {
  freeToSlab(slabs, cache, cpu, slab, head, tail, count);
  cache.stat(cpu, SlabStat.free_slowpath, count);
}
