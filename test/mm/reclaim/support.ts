/**
 * Small machines for tests of reclaim and compaction, built from pictures.
 *
 * One character is a cell of 64 pages, eight cells are a pageblock, blocks are separated by `|`:
 *
 *     .  free        L  page cache (64 pages of order 0)       A  anonymous memory
 *     U  in use and not movable        +  a mixture
 *
 * The zone is Normal from B = 0x100000 on; frees go straight to the buddy lists (per-CPU high 0) unless a test wants
 * otherwise.
 */

import { GFP_HIGHUSER_MOVABLE, GFP_WRITE_BIT } from '../../../src/mm/gfp.js';
import { allocPages } from '../../../src/mm/page-alloc/alloc-pages.js';
import { freeOnePage } from '../../../src/mm/page-alloc/buddy.js';
import { freePages } from '../../../src/mm/page-alloc/free-owned.js';
import { markAllocated } from '../../../src/mm/page-alloc/in-use.js';
import type { NodeState } from '../../../src/mm/page-alloc/page-allocator.js';
import { PageAllocator } from '../../../src/mm/page-alloc/page-allocator.js';
import { PageKind } from '../../../src/mm/page-alloc/page-map.js';
import { takeFromChunk } from '../../../src/mm/page-alloc/take-pfn.js';
import { validate } from '../../../src/mm/page-alloc/validate.js';
import { WMARK_HIGH, WMARK_LOW, WMARK_MIN, WMARK_PROMO, type Zone } from '../../../src/mm/page-alloc/zone.js';
import type { Policy } from '../../../src/mm/policy.js';
import { enableLru } from '../../../src/mm/reclaim/lru.js';
import { PAGEBLOCK_ORDER, PAGEBLOCK_PAGES, ZoneIndex } from '../../../src/mm/types.js';
import { type PolicyName, policyNamed } from '../policies.js';

export const B = 0x10_0000;
export const CELL_ORDER = 6;
export const CELL_PAGES = 1 << CELL_ORDER;
export const GFP_PAGE_CACHE = GFP_HIGHUSER_MOVABLE | GFP_WRITE_BIT;

export interface MachineOptions {
  readonly knobs?: Partial<Policy>;
  /** min, low, high; promo follows */
  readonly marks?: readonly [min: number, low: number, high: number];
  /** types of the blocks as letters U, M, R; Movable where it ends */
  readonly types?: string;
  /** high mark of the per-CPU lists, 0 = frees go straight through */
  readonly pcp_high?: number;
  /** false leaves reclaim and compaction off */
  readonly lru?: boolean;
  /** nodes of equal shape, one zone each */
  readonly nodes?: number;
}

export class Machine {
  readonly mm: PageAllocator;
  readonly zone: Zone;
  readonly node: NodeState;

  constructor(policy: PolicyName, picture: string, options: MachineOptions = {}) {
    const blocks = picture.split('|');
    const pages = blocks.length * PAGEBLOCK_PAGES;
    const nodes = options.nodes ?? 1;
    this.mm = new PageAllocator(
      {
        cpu_nodes: Array.from({ length: nodes }, (_, node) => node),
        node_distances: Array.from({ length: nodes }, (_, from) =>
          Array.from({ length: nodes }, (__, to) => (from === to ? 10 : 20)),
        ),
        zones: Array.from({ length: nodes }, (_, node) => ({
          node,
          index: ZoneIndex.normal,
          start_pfn: B + node * pages,
          spanned_pages: pages,
          present_pages: pages,
          managed_pages: pages,
        })),
        cpu_cache_bytes: 0,
        thp: true,
      },
      policyNamed(policy, options.knobs),
    );
    this.zone = this.mm.zones[0]!;
    this.node = this.mm.nodes[0]!;
    if (options.lru ?? true) enableLru(this.mm);
    const [min, low, high] = options.marks ?? [8, 16, 24];
    for (const zone of this.mm.zones) {
      zone.watermark[WMARK_MIN] = min;
      zone.watermark[WMARK_LOW] = low;
      zone.watermark[WMARK_HIGH] = high;
      zone.watermark[WMARK_PROMO] = high + low - min;
      for (const pcp of zone.pcps) {
        pcp.batch = options.pcp_high ? 63 : 1;
        pcp.high = pcp.high_min = pcp.high_max = options.pcp_high ?? 0;
      }
      [...(options.types ?? '')].forEach((letter, block) => {
        this.mm.pages.blockType[(zone.start_pfn >>> PAGEBLOCK_ORDER) + block] = 'UMR'.indexOf(letter);
      });
      this.#fill(zone, blocks.join(''));
    }
  }

  #fill(zone: Zone, cells: string): void {
    [...cells].forEach((cell, index) => {
      const pfn = zone.start_pfn + index * CELL_PAGES;
      if (cell === '.') {
        const type = this.mm.pages.blockType[pfn >>> PAGEBLOCK_ORDER]!;
        freeOnePage(this.mm, zone, 0, pfn, CELL_ORDER, type, true);
      } else if (cell === 'U') {
        markAllocated(this.mm, pfn, CELL_ORDER, false);
      } else {
        const gfp = cell === 'A' ? GFP_HIGHUSER_MOVABLE : GFP_PAGE_CACHE;
        for (let page = pfn; page < pfn + CELL_PAGES; page++) markAllocated(this.mm, page, 0, true, gfp);
      }
    });
  }

  /** A request from CPU 0. */
  alloc(gfp: number, order = 0, onLru = false): number {
    const pfn = allocPages(this.mm, 0, gfp, order, -1, onLru);
    this.validate();
    return pfn;
  }

  /** For states that are wrong on purpose. */
  allocUnchecked(gfp: number, order = 0): number {
    return allocPages(this.mm, 0, gfp, order, -1, false);
  }

  /** Puts a movable folio at a place that is free. */
  allocAt(pfn: number, order: number): void {
    const { mm, zone } = this;
    const head = mm.pages.buddyHead(pfn);
    takeFromChunk(zone, 0, pfn, order, head, mm.pages.buddyOrder(head));
    markAllocated(mm, pfn, order, true, GFP_PAGE_CACHE);
  }

  /** Frees a cell that was not movable. */
  freeCell(pfn: number): void {
    freePages(this.mm, 0, pfn, CELL_ORDER);
  }

  validate(): void {
    validate(this.mm);
    for (const zone of this.mm.zones) this.mm.lru?.validate(zone);
  }

  free(zone: Zone = this.zone): number {
    return zone.pcps.reduce((sum, pcp) => sum + pcp.nr_free_diff, zone.nr_free_pages);
  }

  /** The zone as it is now, in the characters of the constructor's picture. */
  picture(zone: Zone = this.zone): string {
    const blocks: string[] = [];
    for (let block = zone.start_pfn; block < zone.end_pfn; block += PAGEBLOCK_PAGES) {
      let cells = '';
      for (let cell = block; cell < block + PAGEBLOCK_PAGES; cell += CELL_PAGES)
        cells += this.#glyph(zone, cell);
      blocks.push(cells);
    }
    return blocks.join('|');
  }

  #glyph(zone: Zone, cell: number): string {
    const { pages, lru } = this.mm;
    const seen = new Set<string>();
    for (let pfn = cell; pfn < cell + CELL_PAGES; pfn++) {
      if (pages.buddyHead(pfn) >= 0) seen.add('.');
      else if (pages.kind(pfn, 0) === PageKind.lru && zone.spans(pfn))
        seen.add(lru?.isAnon(pfn, 0) ? 'A' : 'L');
      else seen.add('U');
    }
    return seen.size === 1 ? [...seen][0]! : '+';
  }
}

/** Events that moved, as `name value`, for a scenario to compare. */
export function eventsOf(machine: Machine): Record<string, number> {
  return Object.fromEntries(Object.entries(machine.mm.events).filter(([, value]) => value !== 0));
}
