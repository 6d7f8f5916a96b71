/**
 * Machines of superpageblocks for tests of their background, drawn: one zone Normal from 1 GiB on, one row per
 * superpageblock, which is its pageblocks from the lowest on.
 *
 *     A  u1 15. *M        one Unmovable block with a page in use, 15 free blocks, the rest in use by movable huge pages
 *
 *     .    wholly free                                 U R M   in use as a whole: one allocation of order 9
 *     u3 r3 m3   Unmovable, Reclaimable, Movable block, its first 3 pages in use as such
 *     x3+2 y3+2  Unmovable, Reclaimable block with 3 movable pages behind 2 of its own: what Pass 2b leaves behind
 *     b3+2       Movable block with 3 movable pages behind 2 unmovable ones: what Pass 2d leaves behind
 *     K    in use since boot, by the kernel itself
 *
 * A number before a letter repeats it, `*` fills the superpageblock; the last row of a zone may be shorter. A row that a
 * machine shows is written the same way, with the allocations of a block added up.
 */
import { GFP_HIGHUSER_MOVABLE, GFP_KERNEL, GFP_RECLAIMABLE_BIT, GFP_WRITE_BIT } from '../../../src/mm/gfp.js';
import { alignedOrder } from '../../../src/mm/page-alloc/aligned-order.js';
import { allocPages } from '../../../src/mm/page-alloc/alloc-pages.js';
import { bootFresh } from '../../../src/mm/page-alloc/boot.js';
import { freePages } from '../../../src/mm/page-alloc/free-owned.js';
import { markAllocated } from '../../../src/mm/page-alloc/in-use.js';
import { PageAllocator } from '../../../src/mm/page-alloc/page-allocator.js';
import { PageKind } from '../../../src/mm/page-alloc/page-map.js';
import { spanAt } from '../../../src/mm/page-alloc/page-span.js';
import { rmqueue } from '../../../src/mm/page-alloc/rmqueue.js';
import { validate } from '../../../src/mm/page-alloc/validate.js';
import type { Zone } from '../../../src/mm/page-alloc/zone.js';
import type { Policy } from '../../../src/mm/policy.js';
import { enableLru } from '../../../src/mm/reclaim/lru.js';
import type { SpbNodeWork } from '../../../src/mm/spb/node-work.js';
import { setUpSuperpageblocks } from '../../../src/mm/spb/setup.js';
import type { SpbStats } from '../../../src/mm/spb/spb-stats.js';
import type { SpbTracer } from '../../../src/mm/spb/spb-tracer.js';
import {
  FULLNESS_NAMES,
  NR_SB_FULLNESS,
  OUTCOME_NAMES,
  PLACE_EMPTY,
  PLACE_ISOLATED,
  placeOfBucket,
  RELAX_NAMES,
  SB_CLEAN,
} from '../../../src/mm/spb/spb-types.js';
import type { Superpageblocks } from '../../../src/mm/spb/superpageblocks.js';
import { Migratetype, PAGEBLOCK_ORDER, PAGEBLOCK_PAGES, ZoneIndex } from '../../../src/mm/types.js';
import { policyNamed } from '../policies.js';
import { StillTime } from './random-operations.js';

export const SPB_PAGES = 0x4_0000;
export const SPB_BLOCKS = 512;
/** first page of the zone: 1 GiB */
export const BASE = SPB_PAGES;
/** a page of a file: reclaim may take it without swap */
export const GFP_PAGE_CACHE = GFP_HIGHUSER_MOVABLE | GFP_WRITE_BIT;

export const { unmovable, movable, reclaimable } = Migratetype;

/** The policy of the scenarios: the series as posted, every request straight to the buddy lists. */
export function scenarioPolicy(knobs: Partial<Policy> = {}): Policy {
  return policyNamed('spb-v2', { 'pcp.kind': 'none', ...knobs });
}

interface Block {
  readonly letter: string;
  readonly movable: number;
  readonly own: number;
}

const TOKEN = /^(\d+|\*)?([.UMRKurmxyb])(\d+)?(?:\+(\d+))?$/;

/** Blocks of one row; `*` fills up to `size`. */
function parseRow(text: string, size: number): Block[] {
  const runs = text.split(/\s+/).map((token) => {
    const match = TOKEN.exec(token);
    if (match === null) throw new RangeError(`not a run of pageblocks: ${token}`);
    const [, repeat = '1', letter = '', first = '0', second = '0'] = match;
    const isMixed = 'xyb'.includes(letter);
    const block = {
      letter,
      movable: letter === 'm' || isMixed ? Number(first) : 0,
      own: letter === 'u' || letter === 'r' ? Number(first) : isMixed ? Number(second) : 0,
    };
    return { block, repeat };
  });
  const fixed = runs.reduce((sum, { repeat }) => sum + (repeat === '*' ? 0 : Number(repeat)), 0);
  const blocks = runs.flatMap(({ block, repeat }) =>
    new Array<Block>(repeat === '*' ? size - fixed : Number(repeat)).fill(block),
  );
  if (blocks.length > size) throw new RangeError(`${blocks.length} pageblocks in: ${text}`);
  return blocks;
}

const TYPE_OF: Readonly<Record<string, number>> = {
  U: unmovable,
  u: unmovable,
  x: unmovable,
  R: reclaimable,
  r: reclaimable,
  y: reclaimable,
};
const GFP_OF = [GFP_KERNEL, GFP_HIGHUSER_MOVABLE, GFP_KERNEL | GFP_RECLAIMABLE_BIT];

/** What tracers would report, a line each; `passes` are told apart from what they find. */
class Log implements SpbTracer {
  lines: string[] = [];
  /** allocation flags of each search */
  flags: number[] = [];
  readonly #name: (pfn: number) => string;

  constructor(name: (pfn: number) => string) {
    this.#name = name;
  }
  allocWalk(_zone: Zone, order: number, migratetype: number, flags: number, outcome: number): void {
    this.flags.push(flags);
    this.lines.push(`walk o${order} ${'UMRHCI'[migratetype]} ${OUTCOME_NAMES[outcome]}`);
  }
  fallThrough(_zone: Zone, order: number, migratetype: number, tainted: number, withBuddy: number): void {
    this.lines.push(`fall_through o${order} ${'UMRHCI'[migratetype]} ${withBuddy} of ${tainted}`);
  }
  pbTaint(pfn: number, bit: number, set: boolean, firstOrLast: boolean): void {
    this.lines.push(
      `taint ${this.#name(pfn)} ${bit} ${set ? 'SET' : 'CLEAR'}${firstOrLast ? (set ? ' first' : ' last') : ''}`,
    );
  }
  claimRefused(pfn: number, _start: number, _block: number, reason: number): void {
    this.lines.push(`claim_refused ${this.#name(pfn)} ${reason}`);
  }
  evacuateForOrderDone(_zone: Zone, order: number, migratetype: number, p1: number, p2: number): void {
    this.lines.push(`evacuated o${order} ${'UMRHCI'[migratetype]} p1=${p1} p2=${p2}`);
  }
  atomicRelax(order: number, migratetype: number, _gfp: number, step: number): void {
    this.lines.push(`relax o${order} ${'UMRHCI'[migratetype]} ${RELAX_NAMES[step]}`);
  }
  pass(): void {}
  visit(): void {}
  trigger(what: string): void {
    this.lines.push(`trigger ${what}`);
  }
  take(): void {}
}

export interface MachineOptions {
  readonly knobs?: Partial<Policy>;
  /** pageblocks of the first 1 GiB range that come before the zone */
  readonly offset_blocks?: number;
  /** false leaves page reclaim and compaction off */
  readonly lru?: boolean;
  /** min, low and high mark */
  readonly mark?: number;
  /** gfp flags of the movable pages drawn */
  readonly movable_gfp?: number;
  readonly policy?: Policy;
}

export class SpbMachine {
  readonly mm: PageAllocator;
  readonly zone: Zone;
  readonly spbs: Superpageblocks;
  readonly stats: SpbStats;
  readonly time = new StillTime();
  readonly #names: readonly string[];
  readonly #log: Log;
  #isQuiet = false;

  constructor(picture: string, options: MachineOptions = {}) {
    const offset = options.offset_blocks ?? 0;
    const rows = picture
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== '')
      .map((line, row) => {
        const [, name, text] = /^(\S+)\s+(.*)$/.exec(line) as unknown as [string, string, string];
        return { name, blocks: parseRow(text, SPB_BLOCKS - (row === 0 ? offset : 0)) };
      });
    this.#names = rows.map(({ name }) => name);
    const blocks = rows.flatMap((row) => row.blocks);
    const pages = blocks.length * PAGEBLOCK_PAGES;
    this.mm = new PageAllocator(
      {
        cpu_nodes: [0],
        node_distances: [[10]],
        zones: [
          {
            node: 0,
            index: ZoneIndex.normal,
            start_pfn: BASE + offset * PAGEBLOCK_PAGES,
            spanned_pages: pages,
            present_pages: pages,
            managed_pages: pages,
          },
        ],
        cpu_cache_bytes: 0,
        thp: false,
      },
      options.policy ?? scenarioPolicy(options.knobs),
    );
    this.zone = this.mm.zones[0]!;
    if (options.lru ?? true) enableLru(this.mm);
    this.#fill(blocks, options.movable_gfp ?? GFP_HIGHUSER_MOVABLE);
    this.zone.watermark.fill(options.mark ?? 0);
    for (const pcp of this.zone.pcps) Object.assign(pcp, { high: 0, high_min: 0, high_max: 0, batch: 1 });
    this.mm.background = this.time;
    setUpSuperpageblocks(this.mm, false);
    this.spbs = this.zone.spb!;
    this.stats = this.mm.spb!.stats;
    this.#log = new Log((pfn) => this.nameOf(pfn));
    this.mm.spb!.setTracer(this.#log, this.mm.zones);
    this.check();
  }

  #fill(blocks: readonly Block[], movableGfp: number): void {
    const { mm, zone } = this;
    let freeFrom = zone.start_pfn;
    let freeType: number = movable;
    const release = (end: number) => {
      for (let pfn = freeFrom; pfn < end; ) {
        const order = alignedOrder(pfn, end - pfn);
        zone.addTail(pfn, order, freeType);
        zone.nr_free_pages += 1 << order;
        pfn += 1 << order;
      }
    };
    blocks.forEach(({ letter, movable: nrMovable, own }, index) => {
      const start = zone.start_pfn + index * PAGEBLOCK_PAGES;
      if (letter === '.') return;
      release(start);
      const type = TYPE_OF[letter] ?? movable;
      mm.pages.blockType[start >>> PAGEBLOCK_ORDER] = type;
      const gfp = type === movable ? GFP_KERNEL : GFP_OF[type]!;
      freeFrom = start + PAGEBLOCK_PAGES;
      if (letter === 'K') return;
      if ('UMR'.includes(letter)) {
        markAllocated(mm, start, PAGEBLOCK_ORDER, letter === 'M', letter === 'M' ? movableGfp : gfp);
        return;
      }
      for (let pfn = start; pfn < start + own; pfn++) markAllocated(mm, pfn, 0, false, gfp);
      for (let pfn = start + own; pfn < start + own + nrMovable; pfn++)
        markAllocated(mm, pfn, 0, true, movableGfp);
      freeFrom = start + own + nrMovable;
      freeType = type;
      release(start + PAGEBLOCK_PAGES);
      freeFrom = start + PAGEBLOCK_PAGES;
      freeType = movable;
    });
    release(zone.end_pfn);
  }

  get work(): SpbNodeWork {
    return this.mm.spb!.nodes[0]!;
  }

  /** Superpageblock of a row. */
  index(name: string): number {
    const spb = this.#names.indexOf(name);
    if (spb < 0) throw new RangeError(`no row ${name}`);
    return spb;
  }

  /** A page of a block of a row, both counted from 0 from where the 1 GiB range begins. */
  pfn(name: string, block = 0, page = 0): number {
    return this.spbs.start_pfn(this.index(name)) + block * PAGEBLOCK_PAGES + page;
  }

  /** A PFN as `row:block`, or `row:block+page`. */
  nameOf(pfn: number): string {
    if (pfn < 0) return 'none';
    const row = this.#names[this.spbs.indexOf(pfn)] ?? '?';
    const block = (pfn % SPB_PAGES) >>> PAGEBLOCK_ORDER;
    const page = pfn % PAGEBLOCK_PAGES;
    return page === 0 ? `${row}:${block}` : `${row}:${block}+${page}`;
  }

  /** Category and fullness of a row's superpageblock, by the list that it is on. */
  place(name: string): string {
    const place = this.spbs.place[this.index(name)]!;
    if (place === PLACE_ISOLATED) return 'isolated';
    if (place === PLACE_EMPTY) return 'empty';
    const bucket = place - placeOfBucket(SB_CLEAN, 0);
    return `${bucket < NR_SB_FULLNESS ? 'clean' : 'tainted'} ${FULLNESS_NAMES[bucket % NR_SB_FULLNESS]}`;
  }

  /** What a superpageblock counts of itself. */
  counts(name: string): { free: number; pages: number; u: number; m: number; r: number } {
    const spb = this.index(name);
    const { nr_free, nr_free_pages, nr_unmovable, nr_movable, nr_reclaimable } = this.spbs;
    return {
      free: nr_free[spb]!,
      pages: nr_free_pages[spb]!,
      u: nr_unmovable[spb]!,
      m: nr_movable[spb]!,
      r: nr_reclaimable[spb]!,
    };
  }

  /** Free pages of the zone, with what is not yet folded in. */
  get free_pages(): number {
    return this.zone.pcps.reduce((sum, pcp) => sum + pcp.nr_free_diff, this.zone.nr_free_pages);
  }

  /** A row as it is now, in the letters of the picture. */
  row(name: string): string {
    const spb = this.index(name);
    const start = Math.max(this.spbs.start_pfn(spb), this.zone.start_pfn);
    const end = Math.min(this.spbs.start_pfn(spb + 1), this.zone.end_pfn);
    const runs: { token: string; blocks: number }[] = [];
    for (let pfn = start; pfn < end; pfn += PAGEBLOCK_PAGES) {
      const token = this.#token(pfn);
      const last = runs.at(-1);
      if (last?.token === token) last.blocks++;
      else runs.push({ token, blocks: 1 });
    }
    return runs.map(({ token, blocks }) => (blocks === 1 ? token : `${blocks}${token}`)).join(' ');
  }

  #token(start: number): string {
    const { pages } = this.mm;
    let free = 0;
    let nrMovable = 0;
    let own = 0;
    for (let pfn = start; pfn < start + PAGEBLOCK_PAGES; ) {
      const span = spanAt(pages, pfn);
      const end = span === null ? pfn + 1 : Math.min(span.head + (1 << span.order), start + PAGEBLOCK_PAGES);
      if (span === null) return 'K';
      if (span.state >> 4 === PageKind.lru) nrMovable += end - pfn;
      else if (span.state >> 4 === PageKind.allocated) own += end - pfn;
      else free += end - pfn;
      pfn = end;
    }
    const letter = 'umrhci'[pages.blockType[start >>> PAGEBLOCK_ORDER]!]!;
    if (free === PAGEBLOCK_PAGES) return letter === 'm' ? '.' : `${letter}0`;
    if (letter === 'm' && own === 0) return nrMovable === PAGEBLOCK_PAGES ? 'M' : `m${nrMovable}`;
    if (letter !== 'm' && nrMovable === 0)
      return own === PAGEBLOCK_PAGES ? letter.toUpperCase() : letter + own;
    return `${letter === 'm' ? 'b' : letter === 'u' ? 'x' : 'y'}${nrMovable}+${own}`;
  }

  /** Lines of the log since the last call that begin with one of these words. */
  log(...words: readonly string[]): string[] {
    const { lines } = this.#log;
    this.#log.lines = [];
    return words.length === 0 ? lines : lines.filter((line) => words.includes(line.split(' ', 1)[0]!));
  }

  /** Adds a line to the log. */
  note(line: string): void {
    this.#log.lines.push(line);
  }

  /** Allocation flags of all searches so far. */
  get flags(): readonly number[] {
    return this.#log.flags;
  }

  /** One removal from the zone, marks aside. */
  take(order: number, migratetype: number, flags = 0): number {
    const pfn = rmqueue(this.mm, this.zone, 0, order, migratetype, flags);
    if (pfn >= 0) markAllocated(this.mm, pfn, order, migratetype === movable, GFP_OF[migratetype]);
    this.check();
    return pfn;
  }

  /** The whole way of a request; movable ones become pages that can be moved and reclaimed. */
  alloc(gfp: number, order = 0, isMovable = (gfp & 8) !== 0): number {
    const pfn = allocPages(this.mm, 0, gfp, order, -1, isMovable);
    this.check();
    return pfn;
  }

  free(pfn: number, order = 0): void {
    freePages(this.mm, 0, pfn, order);
    this.check();
  }

  advance(ns: number): void {
    this.time.advance(ns);
    this.check();
  }

  /** Many steps with one look at everything, which takes milliseconds per superpageblock, at the end. */
  quietly<T>(steps: () => T): T {
    this.#isQuiet = true;
    const result = steps();
    this.#isQuiet = false;
    this.check();
    return result;
  }

  check(): void {
    if (this.#isQuiet) return;
    validate(this.mm, { movable_known: true });
  }
}

export interface ZonePlan {
  readonly node?: number;
  readonly index?: ZoneIndex;
  /** in GiB */
  readonly from: number;
  readonly size: number;
}

/** A machine after its boot: 8 GiB of addresses, of which some are zones; the last zone is the one that tests look at. */
export function bootedMachine(
  zones: readonly ZonePlan[],
  knobs: Partial<Policy> = {},
  policy: Policy = scenarioPolicy(knobs),
): { mm: PageAllocator; time: StillTime; zone: Zone } {
  const nodes = 1 + Math.max(...zones.map(({ node = 0 }) => node));
  const mm = new PageAllocator(
    {
      cpu_nodes: Array.from({ length: nodes }, (_, node) => node),
      node_distances: Array.from({ length: nodes }, (_, from) =>
        Array.from({ length: nodes }, (__, to) => (from === to ? 10 : 20)),
      ),
      zones: zones.map(({ node = 0, index = ZoneIndex.normal, from, size }) => ({
        node,
        index,
        start_pfn: from * SPB_PAGES,
        spanned_pages: size * SPB_PAGES,
        present_pages: size * SPB_PAGES,
        managed_pages: size * SPB_PAGES,
      })),
      cpu_cache_bytes: 0,
      thp: false,
      max_pfn: 8 * SPB_PAGES,
    },
    policy,
  );
  enableLru(mm);
  bootFresh(mm);
  const time = new StillTime();
  mm.background = time;
  validate(mm, { movable_known: true });
  return { mm, time, zone: mm.zones.at(-1)! };
}
