/**
 * Bitmaps over superpageblocks, for finding one by AND and find-first instead of walking lists.
 *
 * A bit stands for a *slot*, not for an address: a superpageblock takes the next free slot whenever it joins a list, so
 * inside one list slots ascend from the oldest member to the newest, and find-first yields what a walk from the list's
 * head would find first. When the slots run out they are dealt out anew in the same order.
 *
 *     place bitmap        . 1 1 . 1 .      members of one list of superpageblocks
 *     order bitmap        1 . 1 . 1 1      members that have a free chunk of one order and type
 *     AND, find-first         ^
 *
 * Each bitmap has a summary with a bit per word, so that a search reads a few words however many superpageblocks there are.
 * model: spb 7
 */
import { NR_PLACES, SPB_LISTS } from './spb-types.js';

const NONE = -1;

export class SlotBitmaps {
  /** bits set or cleared, so far: what the idea costs on the side of updates */
  flips = 0;
  /** words read by searches, so far */
  probes = 0;
  readonly nr_slots: number;
  readonly #words: number;
  readonly #summaryWords: number;
  /** by (place or list) * words */
  readonly #places: Uint32Array;
  readonly #placeSummary: Uint32Array;
  readonly #lists: Uint32Array;
  readonly #listSummary: Uint32Array;
  /** superpageblock by slot, or -1 */
  readonly #spbOf: Int32Array;
  /** slot by superpageblock, or -1 */
  readonly #slotOf: Int32Array;
  #nextSlot = 0;

  constructor(nr_superpageblocks: number) {
    let slots = 64;
    while (slots < 2 * nr_superpageblocks) slots *= 2;
    this.nr_slots = slots;
    this.#words = slots >>> 5;
    this.#summaryWords = (this.#words + 31) >>> 5;
    this.#places = new Uint32Array(NR_PLACES * this.#words);
    this.#placeSummary = new Uint32Array(NR_PLACES * this.#summaryWords);
    this.#lists = new Uint32Array(SPB_LISTS * this.#words);
    this.#listSummary = new Uint32Array(SPB_LISTS * this.#summaryWords);
    this.#spbOf = new Int32Array(slots).fill(NONE);
    this.#slotOf = new Int32Array(nr_superpageblocks).fill(NONE);
  }

  get isFull(): boolean {
    return this.#nextSlot === this.nr_slots;
  }

  /**
   * A superpageblock joins a list as its newest member.
   *
   * @param hasList whether it has chunks on the free list of a number (order * MIGRATE_TYPES + type)
   */
  join(spb: number, place: number, hasList: (list: number) => boolean): void {
    const slot = this.#nextSlot++;
    this.#spbOf[slot] = spb;
    this.#slotOf[spb] = slot;
    this.#set(this.#places, this.#placeSummary, place, slot);
    for (let list = 0; list < SPB_LISTS; list++)
      if (hasList(list)) this.#set(this.#lists, this.#listSummary, list, slot);
  }

  leave(spb: number, place: number, hasList: (list: number) => boolean): void {
    const slot = this.#slotOf[spb]!;
    this.#spbOf[slot] = NONE;
    this.#slotOf[spb] = NONE;
    this.#clear(this.#places, this.#placeSummary, place, slot);
    for (let list = 0; list < SPB_LISTS; list++)
      if (hasList(list)) this.#clear(this.#lists, this.#listSummary, list, slot);
  }

  /** Empties all slots; the caller joins everything again in list order. */
  clear(): void {
    for (const bits of [this.#places, this.#placeSummary, this.#lists, this.#listSummary]) bits.fill(0);
    this.#spbOf.fill(NONE);
    this.#slotOf.fill(NONE);
    this.#nextSlot = 0;
  }

  /** A free list of a superpageblock became non-empty (or empty). */
  listChanged(spb: number, list: number, hasChunks: boolean): void {
    const slot = this.#slotOf[spb]!;
    if (slot < 0) return;
    if (hasChunks) this.#set(this.#lists, this.#listSummary, list, slot);
    else this.#clear(this.#lists, this.#listSummary, list, slot);
  }

  /**
   * First member of `place`, from slot `from` on, that has a chunk on one of the lists `first`, `first + stride` .. `last`.
   *
   * @returns the superpageblock, or -1
   */
  find(place: number, first: number, last: number, stride: number, from: number): number {
    const words = this.#words;
    const summaries = this.#summaryWords;
    const reads = (last - first) / stride + 2;
    for (let s = from >>> 10; s < summaries; s++) {
      const members = this.#placeSummary[place * summaries + s]!;
      this.probes++;
      if (members === 0) continue;
      let lists = 0;
      for (let list = first; list <= last; list += stride) lists |= this.#listSummary[list * summaries + s]!;
      this.probes += reads - 1;
      let candidates = lists & members;
      while (candidates !== 0) {
        const bit = candidates & -candidates;
        candidates ^= bit;
        const w = (s << 5) + (31 - Math.clz32(bit));
        let have = 0;
        for (let list = first; list <= last; list += stride) have |= this.#lists[list * words + w]!;
        this.probes += reads;
        have &= this.#places[place * words + w]!;
        if (w < from >>> 5) continue;
        if (w === from >>> 5) have &= -1 << (from & 31);
        if (have !== 0) return this.#spbOf[(w << 5) + (31 - Math.clz32(have & -have))]!;
      }
    }
    return NONE;
  }

  slotOf(spb: number): number {
    return this.#slotOf[spb]!;
  }

  /** Whether a bit is as it should be, for validation. */
  agrees(spb: number, place: number, hasList: (list: number) => boolean): boolean {
    const slot = this.#slotOf[spb]!;
    const isSet = (bits: Uint32Array, row: number) =>
      (bits[row * this.#words + (slot >>> 5)]! >>> (slot & 31)) & 1;
    for (let p = 0; p < NR_PLACES; p++) if (isSet(this.#places, p) !== (p === place ? 1 : 0)) return false;
    for (let list = 0; list < SPB_LISTS; list++)
      if (isSet(this.#lists, list) !== (hasList(list) ? 1 : 0)) return false;
    return this.#spbOf[slot] === spb;
  }

  #set(bits: Uint32Array, summary: Uint32Array, row: number, slot: number): void {
    this.flips++;
    bits[row * this.#words + (slot >>> 5)]! |= 1 << (slot & 31);
    summary[row * this.#summaryWords + (slot >>> 10)]! |= 1 << ((slot >>> 5) & 31);
  }

  #clear(bits: Uint32Array, summary: Uint32Array, row: number, slot: number): void {
    this.flips++;
    const word = row * this.#words + (slot >>> 5);
    bits[word]! &= ~(1 << (slot & 31));
    if (bits[word] === 0) summary[row * this.#summaryWords + (slot >>> 10)]! &= ~(1 << ((slot >>> 5) & 31));
  }
}
