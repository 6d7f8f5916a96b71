/**
 * What is in CPUs' sheaves when a trace begins. slabinfo counts it as active; how much it is, is not told: each CPU gets a
 * main sheaf that is half full, out of the youngest slabs of its node.
 * model: slub 8a.2, slab-caches 5.3
 */
import type { KmemCache } from '../../mm/slab/kmem-cache.js';
import type { SlabAllocator } from '../../mm/slab/slab-allocator.js';

/** Moves used slots into sheaves. @param numbers slabs that are placed, the youngest last */
export function fillSheaves(slabs: SlabAllocator, cache: KmemCache, numbers: readonly number[]): void {
  const { sheaves } = cache;
  if (sheaves === null) return;
  const used = slabs.machine.node_order.map((_, node) => usedSlots(slabs, numbers, node));
  for (let cpu = 0; cpu < cache.cpus; cpu++) {
    const slots = used[slabs.localNode(cpu)]!;
    for (let left = Math.floor(sheaves.capacity / 2); left > 0; left--) {
      const next = slots.next();
      if (next.done) break;
      const [slab, slot] = next.value;
      sheaves.push(sheaves.main[cpu]!, slab, slot);
    }
  }
}

/** Used slots of a node's slabs, those of the youngest slab first. */
function* usedSlots(
  { table }: SlabAllocator,
  numbers: readonly number[],
  node: number,
): Generator<readonly [slab: number, slot: number], undefined> {
  for (const slab of numbers.toReversed()) {
    if (table.node[slab] !== node) continue;
    const free = new Set(table.slotsFrom(slab, table.freelist[slab]!));
    for (let slot = table.objects[slab]! - 1; slot >= 0; slot--) if (!free.has(slot)) yield [slab, slot];
  }
}
