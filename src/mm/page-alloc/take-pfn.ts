/**
 * Taking chosen pages instead of letting the policy choose: what a replay does that follows a recorded kernel.
 *
 * The rest of the chunk goes back as the kernel's own removal puts it: halves, from the largest down, at the head.
 */
import { isPcp } from './page-map.js';
import { pcpListOrder } from './per-cpu-pages.js';
import type { Zone } from './zone.js';

/**
 * Takes 2^order pages at `pfn` out of the buddy chunk that holds them.
 *
 * @param chunk first page of the chunk, @param chunkOrder its order, at least `order`
 */
export function takeFromChunk(
  zone: Zone,
  cpu: number,
  pfn: number,
  order: number,
  chunk: number,
  chunkOrder: number,
): void {
  const migratetype = zone.pages.listType(chunk, chunkOrder);
  zone.remove(chunk, chunkOrder, migratetype);
  let first = chunk;
  for (let half = chunkOrder - 1; half >= order; half--) {
    const upper = first + (1 << half);
    if (pfn >= upper) {
      zone.addHead(first, half, migratetype);
      first = upper;
    } else {
      zone.addHead(upper, half, migratetype);
    }
  }
  zone.postFree(cpu, -(1 << order));
}

/** Where an entry of the per-CPU lists was found. */
export interface PcpPlace {
  readonly cpu: number;
  readonly index: number;
  /** from the head */
  readonly position: number;
}

/** Finds an entry of the zone's per-CPU lists that starts at `pfn`; `nearCpu` is looked at first. */
export function findOnPcp(zone: Zone, pfn: number, order: number, nearCpu: number): PcpPlace | null {
  if (!isPcp(zone.pages.state[zone.pages.node(pfn, order)]!)) return null;
  for (let i = 0; i < zone.pcps.length; i++) {
    const cpu = (nearCpu + i) % zone.pcps.length;
    const lists = zone.pcps[cpu]!.lists;
    for (let index = 0; index < lists.length; index++) {
      if (pcpListOrder(index) !== order) continue;
      const list = lists[index]!;
      // Nearly always it is the one to be drained, or the one to be handed out.
      if (list.length > 0 && list.at(list.length - 1) === pfn)
        return { cpu, index, position: list.length - 1 };
      const position = list.indexOf(pfn);
      if (position >= 0) return { cpu, index, position };
    }
  }
  return null;
}

/** Takes one entry out of a per-CPU list, wherever it stands. */
export function takeFromPcp(zone: Zone, place: PcpPlace): number {
  const pcp = zone.pcps[place.cpu]!;
  const list = pcp.lists[place.index]!;
  const pfn = list.at(place.position);
  list.removeAt(place.position);
  const order = pcpListOrder(place.index);
  pcp.count -= 1 << order;
  zone.pages.state[zone.pages.node(pfn, order)] = 0;
  return pfn;
}
