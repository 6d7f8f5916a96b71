/**
 * The types of pageblocks when a recording began, as well as they can be told.
 *
 *  1. The type that the trace first shows for the block: refills, drains and fallbacks name it, and so does a freed page
 *     that is handed out again from a per-CPU list.
 *  2. Of the others, a block with kernel pages and no LRU page is guessed Unmovable, any other Movable.
 *  3. A guess must fit pagetypeinfo: the free chunks of the block must be among those that it counts for the type, after
 *     the blocks before it have taken theirs. Blocks with most free chunks choose first; the next type in the order
 *     guessed, Reclaimable, Movable, Unmovable that fits is taken.
 *  4. Where Unmovable blocks are then more than pagetypeinfo counts, guessed ones without free chunks become
 *     Reclaimable or Movable, whichever it counts more of.
 *  5. Free chunks of pageblock order that it counts for Unmovable or Reclaimable are wholly free blocks of that type: those
 *     whose buddy block is of the type, then the lowest.
 *  6. Where Reclaimable or Unmovable blocks are then fewer than it counts, and Movable ones more, guessed Movable blocks
 *     change: of those with slab pages, the ones whose free chunks fit best become Reclaimable, most slab pages first; then
 *     likewise of those with kernel pages Unmovable. Blocks without such pages come last.
 * model: page-allocator 8.15
 */
import type { PageAllocator } from '../../mm/page-alloc/page-allocator.js';
import type { Zone } from '../../mm/page-alloc/zone.js';
import { MIGRATE_TYPES, Migratetype, PAGEBLOCK_ORDER, PAGEBLOCK_PAGES } from '../../mm/types.js';
import { PAGE_CLASS_MASK, PageClass } from '../../trace/recording/snapshot/kpageflags.js';
import type { Pagetypeinfo } from '../../trace/recording/snapshot/pagetypeinfo.js';
import type { SnapshotSources } from './from-snapshot.js';
import { UNKNOWN_TYPE } from './trace-scan.js';

/** A block whose type is guessed. */
interface Guess {
  readonly block: number;
  /** free chunks below pageblock order, by order */
  readonly chunks: readonly number[];
  readonly free_chunks: number;
  /** all of its pages are */
  readonly is_free: boolean;
}

/** Sets the type of every block. @returns blocks whose type the trace shows */
export function inferBlockTypes(
  mm: PageAllocator,
  { scan, kpageflags, pagetypeinfo }: SnapshotSources,
  inBuddy: Uint8Array,
): number {
  const { blockType } = mm.pages;
  let shown = 0;
  for (const zone of mm.zones) {
    const guesses: Guess[] = [];
    const fit = new TypeFit(zone, pagetypeinfo);
    for (let block = zone.start_pfn >>> PAGEBLOCK_ORDER; block << PAGEBLOCK_ORDER < zone.end_pfn; block++) {
      if (mm.pages.blockZone[block] !== zone.number) continue;
      const seen = scan.blockType[block] ?? UNKNOWN_TYPE;
      const chunks = freeChunks(inBuddy, block);
      if (seen === UNKNOWN_TYPE) {
        const isKernel = kpageflags !== undefined && isKernelBlock(kpageflags.classes, block);
        blockType[block] = isKernel ? Migratetype.unmovable : Migratetype.movable;
        guesses.push({
          block,
          chunks,
          free_chunks: chunks.reduce((sum, n) => sum + n, 0),
          is_free: isFree(inBuddy, block << PAGEBLOCK_ORDER, PAGEBLOCK_PAGES),
        });
      } else {
        blockType[block] = seen;
        fit.take(seen, chunks);
        shown++;
      }
    }
    // Blocks with most free chunks fit fewest types.
    guesses.sort((a, b) => b.free_chunks - a.free_chunks || a.block - b.block);
    for (const guess of guesses) {
      blockType[guess.block] = fit.choose(blockType[guess.block]!, guess);
      fit.take(blockType[guess.block]!, guess.chunks);
    }
    fit.settle(blockType, guesses);
    fit.fillWithFree(blockType, guesses, Migratetype.unmovable);
    fit.fillWithFree(blockType, guesses, Migratetype.reclaimable);
    if (kpageflags !== undefined) {
      fit.fillUp(
        blockType,
        guesses,
        Migratetype.reclaimable,
        pagesPerBlock(kpageflags.classes, [PageClass.slab]),
      );
      fit.fillUp(
        blockType,
        guesses,
        Migratetype.unmovable,
        pagesPerBlock(kpageflags.classes, KERNEL_CLASSES),
      );
    }
  }
  return shown;
}

/** What pagetypeinfo still has to give: free chunks by type and order, and blocks by type. */
class TypeFit {
  readonly #free: (readonly number[])[] | undefined;
  readonly #taken: number[][] = Array.from({ length: MIGRATE_TYPES }, () =>
    new Array<number>(PAGEBLOCK_ORDER).fill(0),
  );
  readonly #realBlocks: readonly number[] | undefined;
  readonly #blocks = new Array<number>(MIGRATE_TYPES).fill(0);

  constructor(zone: Zone, pagetypeinfo: Pagetypeinfo | undefined) {
    const rows = pagetypeinfo?.free.filter((row) => row.node === zone.node && row.zone === zone.index);
    if (rows === undefined || rows.length === 0) return;
    this.#free = Array.from(
      { length: MIGRATE_TYPES },
      (_, type) => rows.find((row) => row.type === type)?.free ?? new Array<number>(PAGEBLOCK_ORDER).fill(0),
    );
    this.#realBlocks = pagetypeinfo?.blocks.find(
      (row) => row.node === zone.node && row.zone === zone.index,
    )?.blocks;
  }

  take(type: number, chunks: readonly number[]): void {
    this.#blocks[type]!++;
    chunks.forEach((n, order) => {
      this.#taken[type]![order]! += n;
    });
  }

  #fits(type: number, chunks: readonly number[]): boolean {
    return this.#misfits(type, chunks) === 0;
  }

  /** Chunks more than pagetypeinfo has left for the type. */
  #misfits(type: number, chunks: readonly number[]): number {
    const free = this.#free![type]!;
    const taken = this.#taken[type]!;
    let misfits = 0;
    chunks.forEach((n, order) => {
      if (n > 0) misfits += Math.max(0, taken[order]! + n - free[order]!);
    });
    return misfits;
  }

  choose(guessed: number, { chunks, free_chunks }: Guess): number {
    if (this.#free === undefined || free_chunks === 0) return guessed;
    const candidates = [guessed, Migratetype.reclaimable, Migratetype.movable, Migratetype.unmovable];
    return candidates.find((type) => this.#fits(type, chunks)) ?? guessed;
  }

  settle(blockType: Uint8Array, guesses: readonly Guess[]): void {
    const real = this.#realBlocks;
    if (real === undefined) return;
    const { unmovable, movable, reclaimable } = Migratetype;
    for (const { block, free_chunks } of guesses) {
      if (this.#blocks[unmovable]! <= real[unmovable]!) return;
      if (free_chunks > 0 || blockType[block] !== unmovable) continue;
      const to = this.#blocks[reclaimable]! < real[reclaimable]! ? reclaimable : movable;
      this.#retype(blockType, block, to);
    }
  }

  /** Whether a type has too few blocks while Movable, the most common guess, has too many. */
  #isMissing(type: number): boolean {
    const real = this.#realBlocks!;
    return (
      this.#blocks[type]! < real[type]! && this.#blocks[Migratetype.movable]! > real[Migratetype.movable]!
    );
  }

  #retype(blockType: Uint8Array, block: number, type: number): void {
    this.#blocks[blockType[block]!]!--;
    this.#blocks[type]!++;
    blockType[block] = type;
  }

  /** Gives single free blocks the type for which pagetypeinfo counts free chunks of pageblock order. */
  fillWithFree(blockType: Uint8Array, guesses: readonly Guess[], type: number): void {
    let wanted = this.#free?.[type]?.[PAGEBLOCK_ORDER] ?? 0;
    if (wanted === 0 || this.#realBlocks === undefined) return;
    const isFreeBlock = new Set(guesses.filter((guess) => guess.is_free).map(({ block }) => block));
    const candidates = guesses
      .filter(({ block, is_free }) => is_free && !isFreeBlock.has(block ^ 1))
      .map(({ block }) => ({ block, isBeside: blockType[block ^ 1] === type }))
      .sort((a, b) => Number(b.isBeside) - Number(a.isBeside) || a.block - b.block);
    for (const { block } of candidates) {
      if (wanted === 0 || !this.#isMissing(type)) return;
      if (blockType[block] !== Migratetype.movable) continue;
      this.#retype(blockType, block, type);
      wanted--;
    }
  }

  /** Turns guessed Movable blocks, of which there are too many, into ones of a type of which there are too few. */
  fillUp(
    blockType: Uint8Array,
    guesses: readonly Guess[],
    type: number,
    pagesOf: (block: number) => number,
  ): void {
    if (this.#realBlocks === undefined || !this.#isMissing(type)) return;
    const candidates = guesses
      .filter(({ block }) => blockType[block] === Migratetype.movable)
      .map(({ block, chunks }) => ({ block, pages: pagesOf(block), misfits: this.#misfits(type, chunks) }))
      .sort(
        (a, b) =>
          Number(b.pages > 0) - Number(a.pages > 0) ||
          a.misfits - b.misfits ||
          b.pages - a.pages ||
          a.block - b.block,
      );
    for (const { block } of candidates) {
      if (!this.#isMissing(type)) return;
      this.#retype(blockType, block, type);
    }
  }
}

const KERNEL_CLASSES: readonly number[] = [PageClass.slab, PageClass.page_table, PageClass.other];

/** Counts the pages of some classes in a block. */
function pagesPerBlock(classes: Uint8Array, wanted: readonly number[]): (block: number) => number {
  return (block) => {
    let pages = 0;
    for (const page of classes.subarray(block << PAGEBLOCK_ORDER, (block + 1) << PAGEBLOCK_ORDER))
      if (wanted.includes(page & PAGE_CLASS_MASK)) pages++;
    return pages;
  };
}

/** Free chunks inside one block, as the buddy system would have merged them. */
function freeChunks(inBuddy: Uint8Array, block: number): number[] {
  const chunks = new Array<number>(PAGEBLOCK_ORDER).fill(0);
  const first = block << PAGEBLOCK_ORDER;
  for (let pfn = first; pfn < first + PAGEBLOCK_PAGES; ) {
    if (inBuddy[pfn] === 0) {
      pfn++;
      continue;
    }
    let order = 0;
    while (
      order < PAGEBLOCK_ORDER &&
      (pfn & (1 << order)) === 0 &&
      isFree(inBuddy, pfn + (1 << order), 1 << order)
    )
      order++;
    if (order < PAGEBLOCK_ORDER) chunks[order]!++;
    pfn += 1 << order;
  }
  return chunks;
}

function isFree(inBuddy: Uint8Array, from: number, pages: number): boolean {
  for (let pfn = from; pfn < from + pages; pfn++) if (inBuddy[pfn] !== 1) return false;
  return true;
}

function isKernelBlock(classes: Uint8Array, block: number): boolean {
  let kernel = 0;
  const first = block << PAGEBLOCK_ORDER;
  for (let pfn = first; pfn < first + PAGEBLOCK_PAGES; pfn++) {
    const kind = classes[pfn]! & PAGE_CLASS_MASK;
    if (kind === PageClass.anon || kind === PageClass.file) return false;
    if (kind === PageClass.slab || kind === PageClass.page_table || kind === PageClass.other) kernel++;
  }
  return kernel > 0;
}
