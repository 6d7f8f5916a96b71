/**
 * What is in each pageblock, for whoever asks after every few events: pages are counted again only where their states have
 * changed since the last time. That is seen by comparing them with a copy, which is much faster than to count.
 */
import type { PageAllocator } from '../mm/page-alloc/page-allocator.js';
import { STRADDLED } from '../mm/page-alloc/page-map.js';
import type { Zone } from '../mm/page-alloc/zone.js';
import { type BlockCount, countBlock } from '../mm/spb/census.js';
import { PAGEBLOCK_ORDER, PAGEBLOCK_PAGES } from '../mm/types.js';

/** Bytes that are compared at once; a difference is then looked for in each of their pageblocks. */
const STRIDE = 64 * PAGEBLOCK_PAGES;

export class BlockCounts {
  /** the machine may have changed since the last time */
  isStale = true;
  readonly #mm: PageAllocator;
  readonly #counts: (Readonly<BlockCount> | undefined)[] = [];
  readonly #state: Buffer;
  readonly #zones: Buffer;
  /** as they were when they were compared last; empty before the first time */
  #knownState = Buffer.alloc(0);
  #knownZones = Buffer.alloc(0);
  #knownSpans = '';

  constructor(mm: PageAllocator) {
    this.#mm = mm;
    const { state, blockZone } = mm.pages;
    this.#state = Buffer.from(state.buffer, state.byteOffset, state.byteLength);
    this.#zones = Buffer.from(blockZone.buffer, blockZone.byteOffset, blockZone.byteLength);
  }

  /** Counts a block as `countBlock` does. */
  readonly countOf = (mm: PageAllocator, zone: Zone, block: number): Readonly<BlockCount> => {
    if (this.isStale) this.#refresh();
    // Of a block that two zones share each has a part.
    if (mm.pages.blockZone[block] === STRADDLED) return countBlock(mm, zone, block);
    this.#counts[block] ??= countBlock(mm, zone, block);
    return this.#counts[block];
  };

  #refresh(): void {
    this.isStale = false;
    const spans = this.#mm.zones.map(({ start_pfn, end_pfn }) => `${start_pfn} ${end_pfn}`).join();
    if (spans !== this.#knownSpans || !this.#knownZones.equals(this.#zones)) this.#forgetAll(spans);
    else this.#compare();
  }

  #forgetAll(spans: string): void {
    this.#counts.length = 0;
    this.#knownSpans = spans;
    this.#knownZones = Buffer.from(this.#zones);
    this.#knownState = Buffer.from(this.#state);
  }

  /** Forgets the counts of blocks whose states have changed: those of their pages, or their own. */
  #compare(): void {
    const { blockBase, nr_pageblocks } = this.#mm.pages;
    const [state, known] = [this.#state, this.#knownState];
    this.#eachChange(0, blockBase, STRIDE, (from, to) => {
      this.#eachChange(from, to, PAGEBLOCK_PAGES, (page) => this.#forget(page >>> PAGEBLOCK_ORDER));
    });
    for (let block = 0; block < nr_pageblocks; block++) {
      if (state[blockBase + block] === known[blockBase + block]) continue;
      known[blockBase + block] = state[blockBase + block]!;
      this.#forget(block);
      // The state of a chunk of two blocks stands at the first.
      this.#forget(block ^ 1);
    }
  }

  #forget(block: number): void {
    this.#counts[block] = undefined;
  }

  /** Calls for each piece of the states that is not as it was, and takes it for known then. */
  #eachChange(from: number, to: number, step: number, visit: (from: number, to: number) => void): void {
    for (let at = from; at < to; at += step) {
      const end = Math.min(to, at + step);
      if (this.#state.compare(this.#knownState, at, end, at, end) === 0) continue;
      visit(at, end);
      this.#state.copy(this.#knownState, at, at, end);
    }
  }
}
