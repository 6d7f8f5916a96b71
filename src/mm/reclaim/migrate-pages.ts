/**
 * Moves isolated pages into free chunks, the page isolated last first.
 *
 * The page's owner goes on with it at its new place; the old place is freed as any page is, to the per-CPU lists where
 * its order has one.
 * model: page-allocator 5 (sources, vacated sources)
 */
import { freePagesOf } from '../page-alloc/free-pages.js';
import { countMovable } from '../page-alloc/in-use.js';
import type { PageAllocator } from '../page-alloc/page-allocator.js';
import { PageKind } from '../page-alloc/page-map.js';
import type { Zone } from '../page-alloc/zone.js';
import type { CompactControl } from './compact-control.js';
import { isolateTargets } from './compaction-targets.js';
import { LRU_ANON, LRU_FILE } from './lru.js';

/**
 * Migrates what the source scanner isolated. A folio for which there is no place stays where it is; when there is none
 * for a single page, the rest stays too.
 *
 * @returns false when there was no place for a single page
 */
export function migrateSources(control: CompactControl): boolean {
  const { mm, sources, goal } = control;
  let roomLeft = true;
  while (sources.length > 0) {
    const from = sources.pop()!;
    const order = mm.pages.state[from]! & 15;
    let to = control.targets.take(order);
    if (to < 0) {
      isolateTargets(control);
      to = control.targets.take(order);
    }
    control.source_pages -= 1 << order;
    if (to >= 0) {
      movePage(mm, goal.cpu, from, to, order);
      mm.events.pgmigrate_success += 1 << order;
      control.migrated += 1 << order;
      continue;
    }
    mm.events.pgmigrate_fail += 1 << order;
    if (order > 0) continue;
    roomLeft = false;
    break;
  }
  sources.length = 0;
  control.source_pages = 0;
  return roomLeft;
}

/** Moves one page or folio to a place that is on no list, and frees the old one. */
export function movePage(mm: PageAllocator, cpu: number, from: number, to: number, order: number): void {
  const zone = mm.zoneOf(from);
  void mm.lru;
  relocatePage(mm, zone, from, to, order);
  freePagesOf(mm, zone, cpu, from, order);
}

/**
 * Moves a page or folio to a place that is on no list; the caller frees the old one. Where the LRU lists have not been
 * built yet the page keeps its age, else it is the hottest of its list.
 */
export function relocatePage(mm: PageAllocator, zone: Zone, from: number, to: number, order: number): void {
  const { pages } = mm;
  const lru = mm.lruLists;
  if (mm.ages !== null) mm.ages.copy(pages.node(from, order), pages.node(to, order));
  const kind = lru?.isAnon(from, order) === false ? LRU_FILE : LRU_ANON;
  lru?.remove(zone, from, order);
  countMovable(mm, from, order, -1);
  pages.state[pages.node(from, order)] = 0;
  pages.state[pages.node(to, order)] = (PageKind.lru << 4) | order;
  countMovable(mm, to, order, 1);
  lru?.addKind(mm.zoneOf(to), to, order, kind);
  mm.onMigrate?.(from, to, order);
}
