/**
 * How full the slabs of a cache are when a trace begins. slabinfo tells the free slots of the nodes' lists; those of CPUs' own
 * slabs count as active there, and how either are spread is not told.
 * model: slab-caches 5.3
 */
import { countSlab } from '../../mm/slab/discard-slab.js';
import type { KmemCache } from '../../mm/slab/kmem-cache.js';
import { addPartial } from '../../mm/slab/node-partial-list.js';
import type { SlabAllocator } from '../../mm/slab/slab-allocator.js';
import { NO_SLOT, SLAB_FROZEN, SLAB_ON_FULL_LIST } from '../../mm/slab/slab-table.js';
import { hashBelow } from './hash.js';
import { fillSheaves } from './sheaf-fill.js';

/** Fraction of the golden ratio: its multiples fill an interval evenly without ever forming a ramp. */
const GOLDEN = 0.618_033_988_749_894_9;

/** Fills slabs that exist, have free slots only, and are in no list and no count. @param free_objects on the nodes' lists */
export function fillSlabs(
  slabs: SlabAllocator,
  cache: KmemCache,
  numbers: readonly number[],
  free_objects: number,
): void {
  const { table } = slabs;
  for (const slab of numbers) countSlab(slabs, cache, slab);
  const most = numbers.reduce((sum, slab) => sum + table.objects[slab]!, 0);
  const free = Math.min(free_objects, most);
  const needed = leastPartial(slabs, numbers, free);
  const own = cpuSlabs(slabs, cache, numbers, slabs.usesSheaves ? 0 : numbers.length - needed);
  const wish = Math.max(needed, Math.ceil((2 * free) / Math.max(1, cache.geometry.objects)));
  const chained = chainSlabs(slabs, cache, numbers, own, numbers.length - wish - own.size);
  const rest = numbers.filter((slab) => !own.has(slab) && !chained.has(slab));
  const partial = evenly(rest, free === 0 ? 0 : Math.min(rest.length, free, wish));
  const counts = freeCounts(
    partial.map((slab) => table.objects[slab]!),
    free,
  );
  const freeOf = new Map(partial.map((slab, i) => [slab, counts[i]!]));
  for (const slab of rest) placeSlab(slabs, cache, slab, freeOf.get(slab) ?? 0);
  for (const [slab, cpu] of own) loadCpuSlab(slabs, cache, slab, cpu);
  for (const [slab, cpu] of chained) loadChain(slabs, cache, slab, cpu);
  fillSheaves(slabs, cache, numbers);
}

/** Slabs that so many free slots take at least, whichever those are. */
function leastPartial({ table }: SlabAllocator, numbers: readonly number[], free: number): number {
  const sizes = numbers.map((slab) => table.objects[slab]!).sort((a, b) => a - b);
  let room = 0;
  let count = 0;
  while (room < free && count < sizes.length) room += sizes[count++]!;
  return count;
}

/** The youngest slabs of each CPU's node, one for each CPU as far as there are any. @returns CPU by slab */
function cpuSlabs(
  { machine, table }: SlabAllocator,
  cache: KmemCache,
  numbers: readonly number[],
  most: number,
): Map<number, number> {
  const own = new Map<number, number>();
  if (cache.isDebug) return own;
  for (let cpu = 0; cpu < cache.cpus && own.size < most; cpu++) {
    const node = machine.cpu_nodes[cpu]!;
    const isFree = (slab: number) => !own.has(slab);
    const slab =
      numbers.findLast((each) => isFree(each) && table.node[each] === node) ?? numbers.findLast(isFree);
    if (slab !== undefined) own.set(slab, cpu);
  }
  return own;
}

/**
 * Slabs of the CPUs' chains, the youngest that are left of each node: half as many as a chain may have, CPU by CPU in turn as
 * far as there are any. @returns CPU by slab
 */
function chainSlabs(
  { machine, table }: SlabAllocator,
  cache: KmemCache,
  numbers: readonly number[],
  own: ReadonlyMap<number, number>,
  most: number,
): Map<number, number> {
  const chained = new Map<number, number>();
  if (!cache.hasCpuPartial) return chained;
  const left: number[][] = Array.from({ length: cache.nodes }, () => []);
  for (const slab of numbers)
    if (!own.has(slab) && table.objects[slab]! > 1) left[table.node[slab]!]!.push(slab);
  for (let place = 0; place < Math.floor(cache.cpu_partial_slabs / 2); place++)
    for (let cpu = 0; cpu < cache.cpus && chained.size < most; cpu++) {
      const slab = left[machine.cpu_nodes[cpu]!]!.pop();
      if (slab !== undefined) chained.set(slab, cpu);
    }
  return chained;
}

function evenly(numbers: readonly number[], count: number): number[] {
  return Array.from({ length: count }, (_, i) => numbers[Math.floor(((i + 0.5) * numbers.length) / count)]!);
}

/**
 * Free slots of each of several slabs: from one to all but one, evenly over that range as far as the sum allows. All of a
 * slab's slots are free only where there is no other way.
 */
export function freeCounts(objects: readonly number[], free: number): number[] {
  if (objects.length === 0) return [];
  const room = objects.reduce((sum, each) => sum + Math.max(1, each - 1), 0);
  const top = objects.map((each) => (free > room ? each : Math.max(1, each - 1)));
  const mean = free / objects.length;
  const counts = top.map((most, i) => {
    const wish = Math.round(2 * mean * (((i + 1) * GOLDEN) % 1));
    return Math.min(most, Math.max(1, wish));
  });
  let missing = free - counts.reduce((sum, count) => sum + count, 0);
  while (missing !== 0) {
    const step = Math.sign(missing);
    for (let i = 0; i < counts.length && missing !== 0; i++) {
      const next = counts[i]! + step;
      if (next < 1 || next > top[i]!) continue;
      counts[i] = next;
      missing -= step;
    }
  }
  return counts;
}

/** A slab that no CPU has: on its node's list if it has free slots, else unlisted, as far as the cache keeps no full list. */
function placeSlab(slabs: SlabAllocator, cache: KmemCache, slab: number, free: number): void {
  const { table } = slabs;
  const node = table.node[slab]!;
  table.freelist[slab] = threadFree(slabs, slab, free);
  table.inuse[slab] = table.objects[slab]! - free;
  if (free > 0) addPartial(slabs, cache, node, slab, true);
  else if (cache.keepsFullList) {
    cache.full.addTail(node, slab);
    table.setFlag(slab, SLAB_ON_FULL_LIST);
  }
}

/** Half of a CPU's slab is free. */
function loadCpuSlab(slabs: SlabAllocator, cache: KmemCache, slab: number, cpu: number): void {
  const { table } = slabs;
  const objects = table.objects[slab]!;
  cache.cpuSlab[cpu] = slab;
  cache.freelist[cpu] = threadFree(slabs, slab, Math.floor(objects / 2));
  table.freelist[slab] = NO_SLOT;
  table.inuse[slab] = objects;
  table.setFlag(slab, SLAB_FROZEN);
}

/** Half of a chain's slab is free. */
function loadChain(slabs: SlabAllocator, cache: KmemCache, slab: number, cpu: number): void {
  const { table } = slabs;
  const objects = table.objects[slab]!;
  const free = Math.floor(objects / 2);
  table.freelist[slab] = threadFree(slabs, slab, free);
  table.inuse[slab] = objects - free;
  table.next[slab] = cache.cpuPartial[cpu]!;
  cache.cpuPartial[cpu] = slab;
  cache.cpu_partial_count[cpu] = cache.cpu_partial_count[cpu]! + 1;
}

/** Links so many slots, in an order as after many frees. @returns the first, or NO_SLOT */
function threadFree({ table }: SlabAllocator, slab: number, free: number): number {
  const objects = table.objects[slab]!;
  const pfn = table.pfn[slab]!;
  const slots = Uint16Array.from({ length: objects }, (_, slot) => slot);
  let first = NO_SLOT;
  for (let i = 0; i < free; i++) {
    const at = i + hashBelow(pfn, i, objects - i);
    const slot = slots[at]!;
    slots[at] = slots[i]!;
    table.linkFree(slab, slot, first);
    first = slot;
  }
  return first;
}
