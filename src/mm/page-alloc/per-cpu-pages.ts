/**
 * The per-CPU page lists of one zone and one CPU, with the state that sizes their refills and drains.
 * model: page-allocator 1 (lists), 3.2, 3.3, 3.3a
 */
import { numbers, type StateIo } from '../state-io.js';
import { MIGRATE_PCPTYPES, Migratetype, PAGE_ALLOC_COSTLY_ORDER, PAGEBLOCK_ORDER } from '../types.js';
import { PfnDeque } from './pfn-deque.js';

/** 3 types x orders 0..3, then order 9 twice: not movable, movable. */
export const NR_PCP_LISTS = MIGRATE_PCPTYPES * (PAGE_ALLOC_COSTLY_ORDER + 1) + 2;
const FIRST_THP_LIST = NR_PCP_LISTS - 2;

/** flags of 6.7+; the bit values are the kernel's */
export const PCPF_PREV_FREE_HIGH_ORDER = 1;
export const PCPF_FREE_HIGH_BATCH = 2;

export class PerCpuPages {
  readonly lists: readonly PfnDeque[] = Array.from({ length: NR_PCP_LISTS }, () => new PfnDeque());
  /** pages on all lists */
  count = 0;
  /** tuned between high_min and high_max; fixed where tuning is off */
  high = 0;
  high_min = 0;
  high_max = 0;
  batch = 1;
  /** 6.1: doubles the drain */
  free_factor = 0;
  /** 6.7+: doubles the refill */
  alloc_factor = 0;
  free_count = 0;
  flags = 0;
  /** ticks of the vmstat worker until an idle list of a remote node is drained. model: page-allocator 3.9 */
  expire = 0;
  /** blocks that this CPU owns and that may have free chunks, by migratetype; the last is tried first. model: spb 3.9 */
  readonly owned_blocks: readonly number[][] = Array.from({ length: MIGRATE_PCPTYPES }, () => []);
  /** NR_FREE_PAGES changes of this CPU that are not yet in the zone's counter */
  nr_free_diff = 0;

  serialize(io: StateIo): void {
    for (const list of this.lists) io.part('list', list);
    numbers<PerCpuPages>(io, this, [
      'count',
      'high',
      'high_min',
      'high_max',
      'batch',
      'free_factor',
      'alloc_factor',
    ]);
    numbers<PerCpuPages>(io, this, ['free_count', 'flags', 'expire', 'nr_free_diff']);
    for (const blocks of this.owned_blocks) {
      const owned = io.list('owned_blocks', blocks);
      if (io.isLoading) blocks.splice(0, blocks.length, ...owned);
    }
  }
}

/** True for orders that go through the per-CPU lists. */
export function pcpAllowedOrder(order: number): boolean {
  return order <= PAGE_ALLOC_COSTLY_ORDER || order === PAGEBLOCK_ORDER;
}

export function pcpListIndex(order: number, migratetype: number): number {
  if (order > PAGE_ALLOC_COSTLY_ORDER) return FIRST_THP_LIST + (migratetype === Migratetype.movable ? 1 : 0);
  return order * MIGRATE_PCPTYPES + migratetype;
}

export function pcpListOrder(index: number): number {
  return index >= FIRST_THP_LIST ? PAGEBLOCK_ORDER : Math.trunc(index / MIGRATE_PCPTYPES);
}

/** Migratetype that a list holds; the first order-9 list holds two types and reads as unmovable. */
export function pcpListType(index: number): number {
  return index >= FIRST_THP_LIST ? index - FIRST_THP_LIST : index % MIGRATE_PCPTYPES;
}
