/**
 * Moving pages in use out of an isolated range: each gets a target elsewhere, its owner follows, and the page itself
 * is freed into the range's isolated lists.
 *
 * Sources are gathered in PFN order in batches, and a batch is migrated from its last page back, as the kernel does.
 * model: page-allocator 4.10, 5 (scanners)
 */
import {
  GFP_COMP_BIT,
  GFP_DIRECT_RECLAIM_BIT,
  GFP_HIGHMEM_BIT,
  GFP_HIGHUSER_MOVABLE,
  GFP_MOVABLE_BIT,
  GFP_NOMEMALLOC_BIT,
  GFP_NOWARN_BIT,
  GFP_RECLAIM,
  GFP_RETRY_MAYFAIL_BIT,
  GFP_USER,
} from '../gfp.js';
import { LRU_ANON } from '../reclaim/lru.js';
import { PAGEBLOCK_ORDER, SWAP_CLUSTER_MAX, ZoneIndex } from '../types.js';
import { allocPages } from './alloc-pages.js';
import { freePages, splitOwned } from './free-owned.js';
import { countMovable } from './in-use.js';
import type { PageAllocator } from './page-allocator.js';
import { PageKind } from './page-map.js';
import { isMovable, spanAt, unknownPagesAreMovable } from './page-span.js';
import type { Zone } from './zone.js';

/** COMPACT_CLUSTER_MAX: a batch ends when it holds this many pages */
const BATCH_PAGES = SWAP_CLUSTER_MAX;
const GFP_TARGET = GFP_USER | GFP_MOVABLE_BIT | GFP_RETRY_MAYFAIL_BIT;
/** a large page's target is asked for as a huge page is: with compaction, without waking kswapd */
const GFP_LARGE_TARGET =
  (GFP_TARGET & ~GFP_RECLAIM) |
  GFP_HIGHUSER_MOVABLE |
  GFP_COMP_BIT |
  GFP_NOMEMALLOC_BIT |
  GFP_NOWARN_BIT |
  GFP_DIRECT_RECLAIM_BIT;

interface Source {
  readonly head: number;
  readonly order: number;
  /** a movable page of unknown history */
  readonly unknown: boolean;
}

/** Where targets are looked for first. */
export interface MigrationTarget {
  readonly cpu: number;
  readonly node: number;
}

/**
 * Moves every movable page of the range away.
 *
 * @returns false as soon as a page finds no target; pages that moved before stay where they are now
 */
export function migrateRange(
  mm: PageAllocator,
  zone: Zone,
  start: number,
  end: number,
  target: MigrationTarget,
): boolean {
  for (let pfn = start; pfn < end; ) {
    const batch: Source[] = [];
    pfn = gather(mm, pfn, end, batch);
    for (const source of batch.reverse()) if (!migrateOne(mm, zone, source, target)) return false;
  }
  return true;
}

/** Collects sources from `start` on. @returns the page to go on with */
function gather(mm: PageAllocator, start: number, end: number, batch: Source[]): number {
  let pages = 0;
  let pfn = start;
  let unknownIsMovable = false;
  let lastBlock = -1;
  while (pfn < end && pages < BATCH_PAGES) {
    const span = spanAt(mm.pages, pfn);
    if (span !== null) {
      if (isMovable(span.state)) {
        batch.push({ head: span.head, order: span.order, unknown: false });
        pages += 1 << span.order;
      }
      pfn = span.head + (1 << span.order);
      continue;
    }
    const block = pfn >>> PAGEBLOCK_ORDER;
    if (block !== lastBlock) unknownIsMovable = unknownPagesAreMovable(mm, block);
    lastBlock = block;
    if (unknownIsMovable) {
      batch.push({ head: pfn, order: 0, unknown: true });
      pages++;
    }
    pfn++;
  }
  return pfn;
}

/** @returns false where no target was to be had */
function migrateOne(mm: PageAllocator, zone: Zone, source: Source, target: MigrationTarget): boolean {
  const { pages, lru } = mm;
  const { head, order, unknown } = source;
  const state = (PageKind.lru << 4) | order;
  const node = pages.node(head, order);
  // Reclaim for the target of another page may have taken this one meanwhile.
  if (!unknown && pages.state[node] !== state) return true;
  // Off the LRU first: reclaim for its own target must not take the page.
  const kind = lru === null || unknown ? LRU_ANON : lru.remove(zone, head, order);
  const to = allocPages(mm, target.cpu, targetGfp(zone, order), order, target.node, false);
  if (to < 0) {
    if (lru !== null && !unknown && kind >= 0) lru.addKind(zone, head, order, kind);
    mm.events.pgmigrate_fail += 1 << order;
    if (order === 0 || unknown || !mm.policy['migration.split_large'] || pages.state[node] !== state)
      return false;
    return migratePieces(mm, zone, head, order, target);
  }
  if (!unknown && pages.state[node] !== state) {
    // Compaction for the target has moved the page itself; the target is not needed any more.
    freePages(mm, target.cpu, to, order);
    return true;
  }
  pages.state[pages.node(to, order)] = state;
  countMovable(mm, to, order, 1);
  if (lru !== null) lru.addKind(mm.zoneOf(to), to, order, kind < 0 ? LRU_ANON : kind);
  if (unknown) countMovable(mm, head, 0, -1);
  freePages(mm, target.cpu, head, order);
  mm.events.pgmigrate_success += 1 << order;
  mm.onMigrate?.(head, to, order);
  return true;
}

/** Cuts a folio that has no place as a whole into single pages, and migrates these. */
function migratePieces(
  mm: PageAllocator,
  zone: Zone,
  head: number,
  order: number,
  target: MigrationTarget,
): boolean {
  splitOwned(mm, head, order, 0, PageKind.lru);
  mm.onSplit?.(head, order);
  for (let pfn = head; pfn < head + (1 << order); pfn++)
    if (!migrateOne(mm, zone, { head: pfn, order: 0, unknown: false }, target)) return false;
  return true;
}

/** Pages of ZONE_MOVABLE may go to another node's; others stay out of it. */
function targetGfp(zone: Zone, order: number): number {
  const gfp = order > 0 ? GFP_LARGE_TARGET : GFP_TARGET;
  return zone.index === ZoneIndex.movable ? gfp | GFP_HIGHMEM_BIT : gfp;
}
