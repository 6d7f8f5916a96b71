/**
 * The bench on which the scenarios of the page allocator's specification run.
 *
 * One node, one zone Normal from B = 0x100000 on, 0x10000 pages of which none is free at first: every block is
 * Movable, the per-CPU lists are empty (batch 63, all high marks 1000), WMARK_HIGH is 2000. Requests go to `rmqueue`,
 * so that watermarks always pass; the tests of watermarks and of the zonelist walk build their own machines.
 * After every step the whole state is validated.
 * model: page-allocator 9
 */
import { allocPages } from '../../../src/mm/page-alloc/alloc-pages.js';
import { freePages } from '../../../src/mm/page-alloc/free-owned.js';
import { drainCpuZone } from '../../../src/mm/page-alloc/free-pages.js';
import { markAllocated } from '../../../src/mm/page-alloc/in-use.js';
import { PageAllocator, type PageAllocTracer } from '../../../src/mm/page-alloc/page-allocator.js';
import { type PerCpuPages, pcpListIndex } from '../../../src/mm/page-alloc/per-cpu-pages.js';
import { rmqueue } from '../../../src/mm/page-alloc/rmqueue.js';
import { validate } from '../../../src/mm/page-alloc/validate.js';
import { WMARK_HIGH, type Zone } from '../../../src/mm/page-alloc/zone.js';
import type { Policy } from '../../../src/mm/policy.js';
import { MIGRATE_TYPES, NO_PFN, NR_PAGE_ORDERS, PAGEBLOCK_ORDER, ZoneIndex } from '../../../src/mm/types.js';
import { type PolicyName, policyNamed } from '../policies.js';

export const B = 0x10_0000;
export const ZONE_PAGES = 0x1_0000;

/** Migratetypes as the scenarios write them. */
export const TYPE_LETTERS = 'UMRHCI';
export type TypeLetter = 'U' | 'M' | 'R' | 'H' | 'C' | 'I';

export function typeOf(letter: TypeLetter): number {
  return TYPE_LETTERS.indexOf(letter);
}

/** A PFN as the scenarios write it: relative to B. */
export function name(pfn: number): string {
  if (pfn === NO_PFN) return 'none';
  return pfn === B ? 'B' : `B+0x${(pfn - B).toString(16)}`;
}

export function names(pfns: readonly number[]): string {
  return pfns.map(name).join(' ');
}

export interface BenchOptions {
  readonly knobs?: Partial<Policy>;
  /** first page of the zone; its end stays where it is */
  readonly start?: number;
  readonly managed?: number;
  readonly batch?: number;
  /** high, high_min and high_max alike */
  readonly high?: number;
  readonly high_min?: number;
  readonly high_max?: number;
  readonly stat_threshold?: number;
  /** per-CPU lists that hand everything through at once: high 0, batch 1 */
  readonly direct?: boolean;
  /** false where a test takes so many steps that a look at the whole zone after each would dominate it */
  readonly validated?: boolean;
}

/** Events as one line each, in the order in which they fire. */
class EventLog implements PageAllocTracer {
  lines: string[] = [];

  zoneLocked(pfn: number, order: number, migratetype: number, percpuRefill: boolean): void {
    this.lines.push(
      `zone_locked ${name(pfn)} o${order} ${TYPE_LETTERS[migratetype]}${percpuRefill ? ' refill' : ''}`,
    );
  }
  extfrag(pfn: number, order: number, fallbackOrder: number, migratetype: number, fallback: number): void {
    this.lines.push(
      `extfrag ${name(pfn)} o${order} ${TYPE_LETTERS[migratetype]} <- o${fallbackOrder} ${TYPE_LETTERS[fallback]}`,
    );
  }
  pcpuDrain(pfn: number, order: number, migratetype: number): void {
    this.lines.push(`drain ${name(pfn)} o${order} ${TYPE_LETTERS[migratetype]}`);
  }
}

export class Bench {
  readonly mm: PageAllocator;
  readonly zone: Zone;
  readonly pcp: PerCpuPages;
  readonly #log = new EventLog();
  readonly #validated: boolean;

  constructor(policy: PolicyName, options: BenchOptions = {}) {
    const start = options.start ?? B;
    const managed = options.managed ?? ZONE_PAGES;
    this.mm = new PageAllocator(
      {
        cpu_nodes: [0],
        node_distances: [[10]],
        zones: [
          {
            node: 0,
            index: ZoneIndex.normal,
            start_pfn: start,
            spanned_pages: B + ZONE_PAGES - start,
            present_pages: managed,
            managed_pages: managed,
          },
        ],
        cpu_cache_bytes: 0,
        thp: true,
      },
      policyNamed(policy, options.knobs),
    );
    this.zone = this.mm.zones[0]!;
    this.zone.watermark[WMARK_HIGH] = 2000;
    this.zone.stat_threshold = options.stat_threshold ?? 0;
    this.pcp = this.zone.pcps[0]!;
    const high = options.direct ? 0 : (options.high ?? 1000);
    this.pcp.batch = options.direct ? 1 : (options.batch ?? 63);
    this.pcp.high_min = options.high_min ?? high;
    this.pcp.high_max = options.high_max ?? high;
    this.pcp.high = this.pcp.high_min;
    this.#validated = options.validated ?? true;
    this.mm.tracer = this.#log;
  }

  /** Puts free chunks on a list, head first, whatever the type of their block. */
  put(order: number, letter: TypeLetter, ...pfns: number[]): this {
    for (const pfn of pfns) {
      this.zone.addTail(pfn, order, typeOf(letter));
      this.zone.nr_free_pages += 1 << order;
    }
    return this;
  }

  /** Gives the block of `pfn` a type. */
  block(letter: TypeLetter, ...pfns: number[]): this {
    for (const pfn of pfns) this.mm.pages.blockType[pfn >>> PAGEBLOCK_ORDER] = typeOf(letter);
    return this;
  }

  blockType(pfn: number): string {
    return TYPE_LETTERS[this.mm.pages.blockType[pfn >>> PAGEBLOCK_ORDER]!]!;
  }

  /** Makes a range of pages movable pages in use. */
  lru(first: number, pages: number): this {
    for (let pfn = first; pfn < first + pages; pfn++) markAllocated(this.mm, pfn, 0, true);
    return this;
  }

  alloc(order: number, letter: TypeLetter, allocFlags = 0): number {
    const pfn = rmqueue(this.mm, this.zone, 0, order, typeOf(letter), allocFlags);
    if (pfn !== NO_PFN) markAllocated(this.mm, pfn, order, false);
    this.check();
    return pfn;
  }

  /** The whole way of a request, watermarks included. */
  request(order: number, gfp: number): number {
    const pfn = allocPages(this.mm, 0, gfp, order, -1, false);
    this.check();
    return pfn;
  }

  /** `times` allocations, as text. */
  takes(times: number, order: number, letter: TypeLetter, allocFlags = 0): string {
    return names(Array.from({ length: times }, () => this.alloc(order, letter, allocFlags)));
  }

  free(pfn: number, order: number): void {
    freePages(this.mm, 0, pfn, order);
    this.check();
  }

  drainAll(): void {
    drainCpuZone(this.mm, this.zone, 0);
    this.check();
  }

  check(): void {
    if (this.#validated) validate(this.mm, { movable_known: true });
  }

  /** Chunks of one buddy list, head first. */
  list(order: number, letter: TypeLetter): string {
    return names(this.zone.listPfns(order, typeOf(letter)));
  }

  /** All buddy lists that hold something. */
  buddy(): Record<string, string> {
    const lists: Record<string, string> = {};
    for (let order = 0; order < NR_PAGE_ORDERS; order++)
      for (let type = 0; type < MIGRATE_TYPES; type++) {
        const pfns = this.zone.listPfns(order, type);
        if (pfns.length > 0) lists[`o${order} ${TYPE_LETTERS[type]}`] = names(pfns);
      }
    return lists;
  }

  /** The per-CPU list of an order and type, head first. */
  pcpPfns(order: number, letter: TypeLetter): number[] {
    return this.pcp.lists[pcpListIndex(order, typeOf(letter))]!.toArray();
  }

  pcpList(order: number, letter: TypeLetter): string {
    return names(this.pcpPfns(order, letter));
  }

  /** Events since the last call. */
  events(): string[] {
    const { lines } = this.#log;
    this.#log.lines = [];
    return lines;
  }
}

/** `count` numbers from `first` on. */
export function range(first: number, count: number, step = 1): number[] {
  return Array.from({ length: count }, (_, index) => first + index * step);
}

/** What a chunk of order 10 at B leaves when its first 2^order pages are taken: its upper halves, on one type's lists. */
export function remainders(order: number, letter: TypeLetter): Record<string, string> {
  return Object.fromEntries(
    range(order, 10 - order).map((half) => [`o${half} ${letter}`, name(B + (1 << half))]),
  );
}
