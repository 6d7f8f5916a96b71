/**
 * How fragmented a zone's free memory is, seen from one order.
 * model: page-allocator 6.6, 5 (proactive)
 */
import type { Zone } from '../page-alloc/zone.js';
import { NR_PAGE_ORDERS } from '../types.js';

interface FreeChunks {
  /** free pages */
  readonly pages: number;
  readonly chunks: number;
  /** chunks of the wanted order that free memory could give at once */
  readonly suitable: number;
}

function freeChunks(zone: Zone, wanted: number): FreeChunks {
  let pages = 0;
  let chunks = 0;
  let suitable = 0;
  for (let order = 0; order < NR_PAGE_ORDERS; order++) {
    const here = zone.nr_free[order]!;
    chunks += here;
    pages += here * 2 ** order;
    if (order >= wanted) suitable += here * 2 ** (order - wanted);
  }
  return { pages, chunks, suitable };
}

/**
 * Why an allocation of this order would fail now, in thousandths: towards 0 memory is short, towards 1000 it is
 * fragmented; -1000 where it would not fail.
 */
export function fragmentationIndex(zone: Zone, order: number): number {
  const { pages, chunks, suitable } = freeChunks(zone, order);
  if (chunks === 0) return 0;
  if (suitable > 0) return -1000;
  return 1000 - Math.trunc((1000 + Math.trunc((pages * 1000) / 2 ** order)) / chunks);
}

/** Share of free memory that is not in chunks of at least this order, in percent. */
export function externalFragmentation(zone: Zone, order: number): number {
  const { pages, suitable } = freeChunks(zone, order);
  return pages === 0 ? 0 : Math.trunc(((pages - suitable * 2 ** order) * 100) / pages);
}
