/**
 * Machines of superpageblocks (SPBs), drawn: one node, one zone Normal, no per-CPU lists unless a test wants them.
 *
 *     new SpbMachine({ A: 'U:u. | 10 M:. | * M:m', E: EMPTY })
 *
 *     A, E          1 GiB each, ascending; their names stand for them in everything that is compared as text
 *     U:u.          a pageblock of type U (U M R H C I) in cells of equal size: u unmovable, r reclaimable, m movable
 *                   pages in use, k the kernel's own from boot, . free; a cell in use is one allocation
 *     10 M:.        ten pageblocks;  * as many as fill the GiB.  Without * the first SPB lacks its beginning, the last its end
 *     M:-.          half of the block is no memory (at an end of the zone only);  -  a whole block is none (anywhere)
 *
 * Pages are named by SPB, pageblock and page: `A`, `A#3`, `A#3+0x1f`. Every step validates the whole state.
 */
import {
  GFP_HIGHUSER_MOVABLE,
  GFP_KERNEL,
  GFP_MOVABLE_BIT,
  GFP_RECLAIMABLE_BIT,
  gfpMigratetype,
  gfpZone,
} from '../../../src/mm/gfp.js';
import { allocPages, zonesFor } from '../../../src/mm/page-alloc/alloc-pages.js';
import { freeOnePage } from '../../../src/mm/page-alloc/buddy.js';
import { freePages } from '../../../src/mm/page-alloc/free-owned.js';
import { getPageFromFreelist } from '../../../src/mm/page-alloc/freelist-walk.js';
import { markAllocated } from '../../../src/mm/page-alloc/in-use.js';
import { PageAllocator, type PageAllocTracer } from '../../../src/mm/page-alloc/page-allocator.js';
import { NO_ZONE, PageKind } from '../../../src/mm/page-alloc/page-map.js';
import { rmqueue } from '../../../src/mm/page-alloc/rmqueue.js';
import { validate } from '../../../src/mm/page-alloc/validate.js';
import { ALLOC_NOFRAGMENT } from '../../../src/mm/page-alloc/watermark.js';
import type { Zone } from '../../../src/mm/page-alloc/zone.js';
import type { Policy } from '../../../src/mm/policy.js';
import { enableLru } from '../../../src/mm/reclaim/lru.js';
import { setUpSuperpageblocks } from '../../../src/mm/spb/setup.js';
import type { SpbStats } from '../../../src/mm/spb/spb-stats.js';
import type { SpbSystem } from '../../../src/mm/spb/spb-system.js';
import type { SpbTracer } from '../../../src/mm/spb/spb-tracer.js';
import {
  FULLNESS_NAMES,
  NR_SB_FULLNESS,
  OUTCOME_NAMES,
  PB_ALL_FREE,
  PLACE_EMPTY,
  PLACE_ISOLATED,
  placeOfBucket,
  REFUSAL_NAMES,
  RELAX_NAMES,
  SB_CLEAN,
  SB_TAINTED,
  SUPERPAGEBLOCK_NR_BLOCKS,
  SUPERPAGEBLOCK_NR_PAGES,
  SUPERPAGEBLOCK_ORDER,
} from '../../../src/mm/spb/spb-types.js';
import type { Superpageblocks } from '../../../src/mm/spb/superpageblocks.js';
import {
  MAX_PAGE_ORDER,
  NO_PFN,
  NR_PAGE_ORDERS,
  PAGEBLOCK_ORDER,
  PAGEBLOCK_PAGES,
  ZoneIndex,
} from '../../../src/mm/types.js';
import { TYPE_LETTERS, type TypeLetter, typeOf } from '../page-alloc/support.js';
import { policyNamed } from '../policies.js';
import { StillTime } from './random-operations.js';

/** Where the first drawn SPB lies: nothing depends on it, but a zone at PFN 0 would hide mistakes. */
const FIRST_SPB = 3;

export const EMPTY = '* M:.';
export const FULL_CLEAN = '* M:m';
export const FULL_TAINTED = 'U:u | * M:m';

/** SPBs that only make the machine larger: full ones, named f1, f2 .. */
export function fillers(count: number, picture: string = FULL_CLEAN): Record<string, string> {
  return Object.fromEntries(Array.from({ length: count }, (_, i) => [`f${i + 1}`, picture]));
}

export interface SpbMachineOptions {
  readonly policy?: string;
  readonly knobs?: Partial<Policy>;
  /** with LRU lists, so that movable pages can be moved */
  readonly lru?: boolean;
}

/** A pageblock as drawn; no cells: it is no memory. */
interface DrawnBlock {
  readonly type: number;
  readonly cells: string;
}

function drawnBlocks(picture: string): DrawnBlock[] {
  const groups = picture.split('|').map((text) => {
    const [, count = '1', type = 'M', cells = ''] =
      /^\s*(\d+|\*)?\s*(?:([UMRHCI]):([.umrk-]+)|-)\s*$/.exec(text) ?? fail(`no picture: ${text}`);
    if (cells.length & (cells.length - 1)) fail(`cells that are not of equal size: ${text}`);
    return { count, block: { type: typeOf(type as TypeLetter), cells } };
  });
  const fixed = groups.reduce((sum, { count }) => sum + (count === '*' ? 0 : Number(count)), 0);
  return groups.flatMap(({ count, block }) =>
    new Array<DrawnBlock>(count === '*' ? SUPERPAGEBLOCK_NR_BLOCKS - fixed : Number(count)).fill(block),
  );
}

function fail(text: string): never {
  throw new RangeError(text);
}

/** What is not in memory at an end of a block, in pages. */
function absentPages({ cells }: DrawnBlock, end: RegExp): number {
  return cells === '' ? 0 : (end.exec(cells)![0].length * PAGEBLOCK_PAGES) / cells.length;
}

/** Tracepoints and triggers as one line each, and beside them why a search went where it went. */
class SpbLog implements SpbTracer, PageAllocTracer {
  lines: string[] = [];
  reasons: string[] = [];
  locked: string[] = [];
  readonly #name: (pfn: number) => string;

  constructor(name: (pfn: number) => string) {
    this.#name = name;
  }
  allocWalk(_: Zone, order: number, type: number, __: number, outcome: number, visited: number): void {
    this.lines.push(`${OUTCOME_NAMES[outcome]} o${order} ${TYPE_LETTERS[type]}, ${visited} visited`);
  }
  fallThrough(_: Zone, order: number, type: number, tainted: number, withBuddy: number): void {
    this.lines.push(
      `fall through o${order} ${TYPE_LETTERS[type]}, ${tainted} tainted, ${withBuddy} with buddy`,
    );
  }
  pbTaint(pfn: number, bit: number, set: boolean, firstOrLast: boolean): void {
    const edge = set ? ' first' : ' last';
    const letter = TYPE_LETTERS[Math.log2(bit)];
    this.lines.push(`${set ? 'SET' : 'CLEAR'} ${letter} ${this.#name(pfn)}${firstOrLast ? edge : ''}`);
  }
  claimRefused(pfn: number, type: number, from: number, reason: number): void {
    this.lines.push(
      `${this.#name(pfn)} refused ${TYPE_LETTERS[type]} <- ${TYPE_LETTERS[from]}: ${REFUSAL_NAMES[reason]}`,
    );
  }
  evacuateForOrderDone(_: Zone, order: number, type: number, phase1: number, phase2: number): void {
    this.lines.push(`evacuated for o${order} ${TYPE_LETTERS[type]}, blocks ${phase1} + ${phase2}`);
  }
  atomicRelax(order: number, type: number, _: number, step: number): void {
    this.lines.push(`relax o${order} ${TYPE_LETTERS[type]}: ${RELAX_NAMES[step]}`);
  }
  trigger(what: string): void {
    this.lines.push(what.replace(/0x[0-9a-f]+/, (pfn) => this.#name(Number(pfn))));
  }
  extfrag(pfn: number, order: number, fromOrder: number, type: number, from: number): void {
    this.lines.push(
      `extfrag ${this.#name(pfn)} o${order} ${TYPE_LETTERS[type]} <- o${fromOrder} ${TYPE_LETTERS[from]}`,
    );
  }
  pass(name: string): void {
    this.reasons.push(`pass ${name}`);
  }
  visit(pfn: number, why: string): void {
    this.reasons.push(`${this.#name(pfn)}: ${why}`);
  }
  take(pfn: number, order: number, chunkOrder: number, from: number, how: string): void {
    this.reasons.push(`${this.#name(pfn)}: o${order} of o${chunkOrder} ${TYPE_LETTERS[from]}, ${how}`);
  }
  zoneLocked(pfn: number, order: number, type: number, percpuRefill: boolean): void {
    this.locked.push(
      `${this.#name(pfn)} o${order} ${TYPE_LETTERS[type]}${percpuRefill ? ', may be cached' : ''}`,
    );
  }
  pcpuDrain(): void {}
}

export class SpbMachine {
  readonly mm: PageAllocator;
  readonly zone: Zone;
  readonly spbs: Superpageblocks;
  readonly system: SpbSystem;
  readonly time = new StillTime();
  readonly #names: readonly string[];
  readonly #first_block: number;
  readonly #log = new SpbLog((pfn) => this.name(pfn));

  constructor(pictures: Readonly<Record<string, string>>, options: SpbMachineOptions = {}) {
    this.#names = Object.keys(pictures);
    const drawn = Object.values(pictures).map(drawnBlocks);
    if (drawn.slice(1, -1).some(({ length }) => length !== SUPERPAGEBLOCK_NR_BLOCKS))
      fail('only the first and the last superpageblock can be in part outside the zone');
    const blocks = drawn.flat();
    const missing = drawn.length > 1 ? SUPERPAGEBLOCK_NR_BLOCKS - drawn[0]!.length : 0;
    this.#first_block = FIRST_SPB * SUPERPAGEBLOCK_NR_BLOCKS + missing;
    const before = absentPages(blocks[0]!, /^-*/);
    const spanned = blocks.length * PAGEBLOCK_PAGES - before - absentPages(blocks.at(-1)!, /-*$/);
    const holes = blocks.filter(({ cells }) => cells === '').length * PAGEBLOCK_PAGES;
    this.mm = new PageAllocator(
      {
        cpu_nodes: [0],
        node_distances: [[10]],
        zones: [
          {
            node: 0,
            index: ZoneIndex.normal,
            start_pfn: (this.#first_block << PAGEBLOCK_ORDER) + before,
            spanned_pages: spanned,
            present_pages: spanned - holes,
            managed_pages: spanned - holes,
          },
        ],
        cpu_cache_bytes: 0,
        thp: true,
      },
      policyNamed(options.policy ?? 'spb-v2', { 'pcp.kind': 'none', ...options.knobs }),
    );
    this.zone = this.mm.zones[0]!;
    if (options.lru) enableLru(this.mm);
    this.#draw(blocks);
    setUpSuperpageblocks(this.mm, false);
    this.spbs = this.zone.spb!;
    this.system = this.mm.spb!;
    this.mm.background = this.time;
    this.system.setTracer(this.#log, this.mm.zones);
    this.mm.tracer = this.#log;
    this.check();
  }

  get stats(): SpbStats {
    return this.system.stats;
  }

  #draw(blocks: readonly DrawnBlock[]): void {
    const { blockType, blockZone } = this.mm.pages;
    const wholeFree: number[] = [];
    blocks.forEach(({ type, cells }, index) => {
      const block = this.#first_block + index;
      blockType[block] = type;
      if (cells === '') blockZone[block] = NO_ZONE;
      else if (/^\.+$/.test(cells)) wholeFree.push(block);
      else this.#drawCells(block << PAGEBLOCK_ORDER, type, cells);
      if (type === typeOf('I')) this.zone.nr_isolated_blocks++;
      if (type === typeOf('H')) this.zone.nr_reserved_highatomic += PAGEBLOCK_PAGES;
    });
    this.#putWholeBlocks(wholeFree);
  }

  #drawCells(start: number, type: number, cells: string): void {
    const order = PAGEBLOCK_ORDER - Math.log2(cells.length);
    [...cells].forEach((cell, index) => {
      const pfn = start + (index << order);
      if (cell === '.') freeOnePage(this.mm, this.zone, 0, pfn, order, type, true);
      else if (cell === 'm') markAllocated(this.mm, pfn, order, true, GFP_HIGHUSER_MOVABLE);
      else if (cell === 'u') markAllocated(this.mm, pfn, order, false, GFP_KERNEL);
      else if (cell === 'r') markAllocated(this.mm, pfn, order, false, GFP_KERNEL | GFP_RECLAIMABLE_BIT);
    });
  }

  /** Neighbours of one type form a chunk of two blocks; others stay apart, as nothing has been freed here. */
  #putWholeBlocks(blocks: readonly number[]): void {
    const { blockType } = this.mm.pages;
    const all = new Set(blocks);
    for (const block of blocks) {
      const pair = block ^ 1;
      const isPaired = all.has(pair) && blockType[pair] === blockType[block];
      if (isPaired && block & 1) continue;
      const order = isPaired ? MAX_PAGE_ORDER : PAGEBLOCK_ORDER;
      this.zone.addTail(block << PAGEBLOCK_ORDER, order, blockType[block]!);
      if (blockType[block] !== typeOf('I')) this.zone.postFree(0, 1 << order);
    }
  }

  index(name: string): number {
    const index = this.#names.indexOf(name);
    return index >= 0 ? index : fail(`no superpageblock ${name}`);
  }

  /** First page of a name like `A`, `A#3` or `A#3+0x1f`. */
  pfn(name: string): number {
    const [, spb = '', block = '0', page = '0'] = /^(\w+)(?:#(\d+))?(?:\+(0x[0-9a-f]+))?$/.exec(name)!;
    const start = Math.max(this.spbs.start_pfn(this.index(spb)), this.#first_block << PAGEBLOCK_ORDER);
    return start + (Number(block) << PAGEBLOCK_ORDER) + Number(page);
  }

  name(pfn: number): string {
    if (pfn === NO_PFN) return 'none';
    const spb = (pfn >>> SUPERPAGEBLOCK_ORDER) - FIRST_SPB;
    const start = Math.max((spb + FIRST_SPB) * SUPERPAGEBLOCK_NR_BLOCKS, this.#first_block);
    const block = (pfn >>> PAGEBLOCK_ORDER) - start;
    const page = pfn & (PAGEBLOCK_PAGES - 1);
    const name = block === 0 ? this.#names[spb]! : `${this.#names[spb]}#${block}`;
    return page === 0 ? name : `${name}+0x${page.toString(16)}`;
  }

  /** A request to the zone, watermarks left aside. @returns the name of its first page, or `none` */
  alloc(letter: TypeLetter, order = 0, flags: number = ALLOC_NOFRAGMENT): string {
    const name = this.allocUnchecked(letter, order, flags);
    this.check();
    return name;
  }

  /** For the many requests that only lead up to a step. */
  allocUnchecked(letter: TypeLetter, order = 0, flags: number = ALLOC_NOFRAGMENT): string {
    const type = typeOf(letter);
    const pfn = rmqueue(this.mm, this.zone, 0, order, type, flags);
    const gfp = letter === 'R' ? GFP_KERNEL | GFP_RECLAIMABLE_BIT : GFP_KERNEL;
    const isMovable = letter === 'M' || letter === 'C';
    if (pfn !== NO_PFN) markAllocated(this.mm, pfn, order, isMovable, isMovable ? GFP_HIGHUSER_MOVABLE : gfp);
    return this.name(pfn);
  }

  /** One walk over the zonelist. */
  walk(gfp: number, order: number, flags: number): string {
    const highest = gfpZone(gfp);
    const zones = zonesFor(this.mm, 0, gfp, -1, highest);
    const type = gfpMigratetype(gfp);
    const pfn = getPageFromFreelist(this.mm, zones, 0, gfp, order, type, highest, flags);
    if (pfn !== NO_PFN) markAllocated(this.mm, pfn, order, (gfp & GFP_MOVABLE_BIT) !== 0, gfp);
    this.check();
    return this.name(pfn);
  }

  /** The whole way of a request. */
  request(gfp: number, order: number): string {
    const pfn = allocPages(this.mm, 0, gfp, order, -1, (gfp & GFP_MOVABLE_BIT) !== 0);
    this.check();
    return this.name(pfn);
  }

  free(name: string, order = 0): void {
    freePages(this.mm, 0, this.pfn(name), order);
    this.check();
  }

  check(): void {
    validate(this.mm, { movable_known: true });
  }

  /** The list that an SPB is on, e.g. `tainted 75`. */
  list(name: string): string {
    return listName(this.spbs.place[this.index(name)]!);
  }

  /** An SPB in one line: its list and its counters. */
  spb(name: string): string {
    const spb = this.index(name);
    const { nr_free, nr_unmovable, nr_movable, nr_reclaimable, nr_free_pages } = this.spbs;
    const has = `U ${nr_unmovable[spb]} M ${nr_movable[spb]} R ${nr_reclaimable[spb]}`;
    return `${this.list(name)}, ${nr_free[spb]} free, ${has}, ${nr_free_pages[spb]} pages`;
  }

  /** All SPBs but the named ones, to see that nothing happened to them. */
  others(...names: string[]): Record<string, string> {
    return Object.fromEntries(
      this.#names.filter((name) => !names.includes(name)).map((name) => [name, this.spb(name)]),
    );
  }

  get tainted(): string[] {
    return this.#names.filter((_, spb) => this.spbs.isTainted(spb));
  }

  /** Migratetype of a pageblock. */
  type(name: string): string {
    return TYPE_LETTERS[this.mm.pages.blockType[this.pfn(name) >>> PAGEBLOCK_ORDER]!]!;
  }

  /** PB_has bits of a pageblock as letters, or `free` for PB_all_free. */
  bits(name: string): string {
    const bits = this.mm.pages.blockBits[this.pfn(name) >>> PAGEBLOCK_ORDER]!;
    if (bits === PB_ALL_FREE) return 'free';
    return [...TYPE_LETTERS].filter((_, type) => (bits >> type) & 1).join('');
  }

  /** Contents of a pageblock in cells: `.` free, m movable, u other pages in use, k nothing known, + several of these. */
  cells(name: string, cells = 8): string {
    const size = PAGEBLOCK_PAGES / cells;
    const start = this.pfn(name);
    return Array.from({ length: cells }, (_, cell) => {
      const kinds = new Set(Array.from({ length: size }, (__, i) => this.#glyph(start + cell * size + i)));
      return kinds.size === 1 ? [...kinds][0] : '+';
    }).join('');
  }

  #glyph(pfn: number): string {
    const { pages } = this.mm;
    if (pages.buddyHead(pfn) >= 0) return '.';
    for (let order = 0; order < NR_PAGE_ORDERS; order++) {
      const state = pages.state[pages.node(pfn & -(1 << order), order)]!;
      if (state !== 0 && (state & 15) >= order) return state >> 4 === PageKind.lru ? 'm' : 'u';
    }
    return 'k';
  }

  /** Free chunks of one SPB and type, from the largest order down: `1 x o9, 3 x o0`. */
  freeChunks(name: string, letter: TypeLetter): string {
    const spb = this.index(name);
    const chunks: string[] = [];
    for (let order = MAX_PAGE_ORDER; order >= 0; order--) {
      const pfns = this.zone.listPfns(order, typeOf(letter)).filter((pfn) => this.spbs.indexOf(pfn) === spb);
      if (pfns.length > 0) chunks.push(`${pfns.length} x o${order}`);
    }
    return chunks.join(', ');
  }

  /** Tracepoints and triggers since the last call. */
  events(): string[] {
    const { lines } = this.#log;
    this.#log.lines = [];
    return lines;
  }

  /** What searches looked at, since the last call. */
  reasons(): string[] {
    const { reasons } = this.#log;
    this.#log.reasons = [];
    return reasons;
  }

  /** mm_page_alloc_zone_locked since the last call. */
  locked(): string[] {
    const { locked } = this.#log;
    this.#log.locked = [];
    return locked;
  }
}

/** Pages of memory in whole SPBs, for arithmetic that a test writes down. */
export const SPB_PAGES = SUPERPAGEBLOCK_NR_PAGES;

export function listName(place: number): string {
  if (place === PLACE_ISOLATED) return 'isolated';
  if (place === PLACE_EMPTY) return 'empty';
  for (let fullness = 0; fullness < NR_SB_FULLNESS; fullness++) {
    if (place === placeOfBucket(SB_CLEAN, fullness)) return `clean ${FULLNESS_NAMES[fullness]}`;
    if (place === placeOfBucket(SB_TAINTED, fullness)) return `tainted ${FULLNESS_NAMES[fullness]}`;
  }
  return 'none';
}
