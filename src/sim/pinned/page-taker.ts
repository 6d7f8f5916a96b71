/**
 * Takes a page that the trace hands out from wherever the model has it: pages that moved without an event stand
 * elsewhere in the model than in the kernel, and are still free.
 */
import { freeOnePage } from '../../mm/page-alloc/buddy.js';
import { releaseOwner } from '../../mm/page-alloc/free-owned.js';
import type { PageAllocator } from '../../mm/page-alloc/page-allocator.js';
import { isPcp, PageKind } from '../../mm/page-alloc/page-map.js';
import { pcpListIndex, pcpListOrder } from '../../mm/page-alloc/per-cpu-pages.js';
import { findOnPcp, takeFromChunk, takeFromPcp } from '../../mm/page-alloc/take-pfn.js';
import type { Zone } from '../../mm/page-alloc/zone.js';
import { MIGRATE_PCPTYPES, PAGEBLOCK_ORDER } from '../../mm/types.js';
import type { Notes } from '../notes.js';
import { learnBlockType } from './learn-block-type.js';
import type { StartKnowledge } from './start-knowledge.js';

export class PageTaker {
  constructor(
    readonly mm: PageAllocator,
    readonly knowledge: StartKnowledge,
    readonly notes: Notes,
  ) {}

  /** The model has the page elsewhere than the kernel took it from; wherever it is, it is taken. */
  fromElsewhere(zone: Zone, cpu: number, pfn: number, order: number): boolean {
    const place = findOnPcp(zone, pfn, order, cpu);
    if (place !== null) {
      takeFromPcp(zone, place);
      return true;
    }
    return this.pagesSingly(zone, cpu, pfn, order);
  }

  /** Takes each base page from wherever it is free. @returns false if one was in use */
  pagesSingly(zone: Zone, cpu: number, pfn: number, order: number): boolean {
    let allFree = true;
    for (let page = pfn; page < pfn + (1 << order); page++)
      if (!this.freePage(zone, cpu, page)) allFree = false;
    if (!allFree) releaseOwner(this.mm, pfn, order);
    return allFree;
  }

  /** Takes one base page out of whatever holds it free. @returns false if it is in use */
  freePage(zone: Zone, cpu: number, page: number): boolean {
    const { pages } = this.mm;
    const chunk = pages.buddyHead(page);
    if (chunk >= 0) {
      takeFromChunk(zone, cpu, page, 0, chunk, pages.buddyOrder(chunk));
      this.knowledge.forget(page, 0);
      return true;
    }
    for (let order = 0; order <= PAGEBLOCK_ORDER; order++) {
      const head = page & ~((1 << order) - 1);
      const state = pages.state[pages.node(head, order)]!;
      if ((state & 15) !== order) continue;
      if (state >> 4 === PageKind.parked) {
        this.#splitParked(head, order, page);
        return true;
      }
      if (!isPcp(state)) continue;
      const place = findOnPcp(zone, head, order, cpu);
      if (place === null) continue;
      takeFromPcp(zone, place);
      // The rest of a larger entry stays free: as single pages of the buddy lists, for want of better knowledge.
      for (let rest = head; rest < head + (1 << order); rest++)
        if (rest !== page)
          freeOnePage(this.mm, zone, cpu, rest, 0, pages.blockType[rest >>> PAGEBLOCK_ORDER]!);
      return true;
    }
    return false;
  }

  /** The other pages of a parked entry stay parked, each on its own. */
  #splitParked(head: number, order: number, taken: number): void {
    const { pages } = this.mm;
    pages.state[pages.node(head, order)] = 0;
    for (let rest = head; rest < head + (1 << order); rest++)
      if (rest !== taken) pages.state[pages.node(rest, 0)] = PageKind.parked << 4;
  }

  /**
   * The page stands on another list, or deeper in this one, than the model would have it. Deeper: what is above it may
   * have left without an event. On the list of another type: its block was of that type, which the model did not know.
   */
  misplaced(zone: Zone, cpu: number, pfn: number, order: number, migratetype: number): boolean {
    const place = findOnPcp(zone, pfn, order, cpu);
    if (place === null) return false;
    takeFromPcp(zone, place);
    if (place.cpu !== cpu || migratetype >= MIGRATE_PCPTYPES) return true;
    if (place.index !== pcpListIndex(order, migratetype))
      learnBlockType(this.mm, this.notes, zone, cpu, pfn, migratetype);
    else for (let above = 0; above < place.position; above++) this.park(zone, cpu, place.index, 0);
    return true;
  }

  /** Takes an entry of a list into limbo: free as far as the trace shows, but not where the model has it. */
  park(zone: Zone, cpu: number, index: number, position: number): void {
    const order = pcpListOrder(index);
    const pfn = takeFromPcp(zone, { cpu, index, position });
    this.mm.pages.state[this.mm.pages.node(pfn, order)] = (PageKind.parked << 4) | order;
    this.notes.add('untraced_takes', 1 << order);
  }

  /** Hands out a page that no refill brought: from the buddy lists, or from wherever else. @returns false if in use */
  unannounced(zone: Zone, cpu: number, pfn: number, order: number): boolean {
    const { pages } = this.mm;
    const chunk = pages.buddyHead(pfn);
    if (chunk >= 0 && pages.buddyOrder(chunk) >= order) {
      this.notes.add('refills_without_event');
      takeFromChunk(zone, cpu, pfn, order, chunk, pages.buddyOrder(chunk));
      this.knowledge.forget(pfn, order);
      return true;
    }
    return this.fromElsewhere(zone, cpu, pfn, order);
  }
}
