/**
 * Bitmaps over superpageblocks, for finding one by find-first instead of walking lists.
 *
 * There is a bitmap per order and type of free chunk, ANDed with each list of superpageblocks as bits change, so that a
 * search needs no AND of its own and never meets a word whose bits cancel out. A bit stands for a *slot*, not for an address:
 * a superpageblock takes the next free slot whenever it joins a list, so inside one list slots ascend from the oldest member
 * to the newest, and find-first yields what a walk from the list's head would find first. When the slots run out they are
 * dealt out anew in the same order.
 *
 *     level 2     1                          a bit per word of level 1
 *     level 1     . 1 . .                    a bit per word of level 0
 *     level 0     .... ..1. .... ....        members of a list that have a free chunk of one order and type
 *
 * What a search reads is a word that says which orders a list has members for, and three words for each of these orders,
 * however many superpageblocks there are.
 * model: spb 7
 */
import { numbers, type StateIo } from '../state-io.js';
import { MIGRATE_TYPES } from '../types.js';
import { NR_PLACES, SPB_LISTS } from './spb-types.js';

const NONE = -1;

export class SlotBitmaps {
  /** bits set or cleared for superpageblocks and their free lists, so far: what the idea costs on the side of updates */
  flips = 0;
  /** words read by searches, so far */
  probes = 0;
  readonly nr_slots: number;
  /** words of a row on each level */
  readonly #words: readonly [number, number, number];
  /** by row * words; a row is place * SPB_LISTS + list */
  readonly #levels: readonly [Uint32Array, Uint32Array, Uint32Array];
  /** members of a row */
  readonly #members = new Int32Array(NR_PLACES * SPB_LISTS);
  /** by place * MIGRATE_TYPES + type: orders that have members, as bits */
  readonly #orders = new Int32Array(NR_PLACES * MIGRATE_TYPES);
  /** superpageblock by slot, or -1 */
  readonly #spbOf: Int32Array;
  /** by superpageblock, or -1 */
  readonly #slotOf: Int32Array;
  readonly #placeOf: Int32Array;
  #nextSlot = 0;

  constructor(nr_superpageblocks: number) {
    let slots = 64;
    while (slots < 2 * nr_superpageblocks) slots *= 2;
    this.nr_slots = slots;
    const low = slots >>> 5;
    const middle = (low + 31) >>> 5;
    this.#words = [low, middle, (middle + 31) >>> 5];
    const rows = NR_PLACES * SPB_LISTS;
    const [a, b, c] = this.#words;
    this.#levels = [new Uint32Array(rows * a), new Uint32Array(rows * b), new Uint32Array(rows * c)];
    this.#spbOf = new Int32Array(slots).fill(NONE);
    this.#slotOf = new Int32Array(nr_superpageblocks).fill(NONE);
    this.#placeOf = new Int32Array(nr_superpageblocks).fill(NONE);
  }

  serialize(io: StateIo): void {
    numbers<SlotBitmaps>(io, this, ['flips', 'probes']);
    for (const level of this.#levels) io.array('level', level);
    io.array('members', this.#members);
    io.array('orders', this.#orders);
    io.array('spb_of', this.#spbOf);
    io.array('slot_of', this.#slotOf);
    io.array('place_of', this.#placeOf);
    this.#nextSlot = io.whole('next_slot', this.#nextSlot, 0, this.nr_slots);
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
    this.#placeOf[spb] = place;
    this.flips++;
    for (let list = 0; list < SPB_LISTS; list++) if (hasList(list)) this.#set(place, list, slot);
  }

  leave(spb: number, place: number, hasList: (list: number) => boolean): void {
    const slot = this.#slotOf[spb]!;
    this.#spbOf[slot] = NONE;
    this.#slotOf[spb] = NONE;
    this.#placeOf[spb] = NONE;
    this.flips++;
    for (let list = 0; list < SPB_LISTS; list++) if (hasList(list)) this.#clear(place, list, slot);
  }

  /** Empties all slots; the caller joins everything again in list order. */
  clear(): void {
    for (const level of this.#levels) level.fill(0);
    for (const bySpb of [this.#spbOf, this.#slotOf, this.#placeOf]) bySpb.fill(NONE);
    this.#members.fill(0);
    this.#orders.fill(0);
    this.#nextSlot = 0;
  }

  /** A free list of a superpageblock became non-empty (or empty). */
  listChanged(spb: number, list: number, hasChunks: boolean): void {
    const slot = this.#slotOf[spb]!;
    if (slot < 0) return;
    if (hasChunks) this.#set(this.#placeOf[spb]!, list, slot);
    else this.#clear(this.#placeOf[spb]!, list, slot);
  }

  /**
   * First member of `place`, from slot `from` on, that has a chunk on one of the lists `first`, `first + MIGRATE_TYPES` ..
   * `last`: lists of one type, by order.
   *
   * @returns the superpageblock, or -1
   */
  find(place: number, first: number, last: number, from: number): number {
    const type = first % MIGRATE_TYPES;
    const lowest = (first - type) / MIGRATE_TYPES;
    const highest = (last - type) / MIGRATE_TYPES;
    this.probes++;
    let orders = this.#orders[place * MIGRATE_TYPES + type]! & (-1 << lowest) & ((2 << highest) - 1);
    let best = this.nr_slots;
    while (orders !== 0) {
      const bit = orders & -orders;
      orders ^= bit;
      const row = place * SPB_LISTS + (31 - Math.clz32(bit)) * MIGRATE_TYPES + type;
      best = Math.min(best, this.#firstSlot(row, from));
    }
    return best === this.nr_slots ? NONE : this.#spbOf[best]!;
  }

  slotOf(spb: number): number {
    return this.#slotOf[spb]!;
  }

  /** First slot of a row from `from` on, or `nr_slots`. */
  #firstSlot(row: number, from: number): number {
    const word = this.#firstBit(0, row, from, from >>> 5);
    if (word >= 0) return word;
    const next = (from >>> 5) + 1;
    const inMiddle = this.#firstBit(1, row, next, next >>> 5);
    if (inMiddle >= 0) return this.#down(row, 0, inMiddle);
    const [, , top] = this.#words;
    for (let w = ((next >>> 5) + 1) >>> 5, at = (next >>> 5) + 1; w < top; w++, at = w << 5) {
      const middle = this.#firstBit(2, row, at, w);
      if (middle >= 0) return this.#down(row, 0, this.#down(row, 1, middle));
    }
    return this.nr_slots;
  }

  /** Lowest set bit of one word of a level, from bit number `from` on, as a bit number of that level; or -1. */
  #firstBit(level: 0 | 1 | 2, row: number, from: number, word: number): number {
    const words = this.#words[level];
    if (word >= words) return NONE;
    this.probes++;
    let bits = this.#levels[level][row * words + word]!;
    if (from > word << 5) bits &= -1 << (from & 31);
    return bits === 0 ? NONE : (word << 5) + (31 - Math.clz32(bits & -bits));
  }

  /** Lowest set bit of a word that is known not to be zero. */
  #down(row: number, level: 0 | 1, word: number): number {
    return this.#firstBit(level, row, 0, word);
  }

  /** Whether a superpageblock's bits are as they should be, for validation. */
  agrees(spb: number, place: number, hasList: (list: number) => boolean): boolean {
    const slot = this.#slotOf[spb]!;
    if (slot < 0 || this.#spbOf[slot] !== spb || this.#placeOf[spb] !== place) return false;
    const isSet = (row: number) => {
      const [low, middle, top] = this.#levels;
      const [a, b, c] = this.#words;
      const word = slot >>> 5;
      const bit = (low[row * a + word]! >>> (slot & 31)) & 1;
      const summed = (middle[row * b + (word >>> 5)]! >>> (word & 31)) & 1;
      const topmost = (top[row * c + (word >>> 10)]! >>> ((word >>> 5) & 31)) & 1;
      return bit === 1 ? summed + topmost === 2 : false;
    };
    for (let other = 0; other < NR_PLACES; other++)
      for (let list = 0; list < SPB_LISTS; list++)
        if (isSet(other * SPB_LISTS + list) !== (other === place && hasList(list))) return false;
    return true;
  }

  /** Bits that are set for somebody, for validation: none may be left behind. */
  get population(): number {
    return this.#members.reduce((sum, members) => sum + members, 0);
  }

  #set(place: number, list: number, slot: number): void {
    const row = place * SPB_LISTS + list;
    const [low, middle, top] = this.#levels;
    const [a, b, c] = this.#words;
    const word = slot >>> 5;
    this.flips++;
    low[row * a + word]! |= 1 << (slot & 31);
    middle[row * b + (word >>> 5)]! |= 1 << (word & 31);
    top[row * c + (word >>> 10)]! |= 1 << ((word >>> 5) & 31);
    if (this.#members[row]!++ === 0)
      this.#orders[place * MIGRATE_TYPES + (list % MIGRATE_TYPES)]! |= 1 << Math.trunc(list / MIGRATE_TYPES);
  }

  #clear(place: number, list: number, slot: number): void {
    const row = place * SPB_LISTS + list;
    const [low, middle, top] = this.#levels;
    const [a, b, c] = this.#words;
    const word = slot >>> 5;
    this.flips++;
    low[row * a + word]! &= ~(1 << (slot & 31));
    if (low[row * a + word] === 0) {
      middle[row * b + (word >>> 5)]! &= ~(1 << (word & 31));
      if (middle[row * b + (word >>> 5)] === 0) top[row * c + (word >>> 10)]! &= ~(1 << ((word >>> 5) & 31));
    }
    if (--this.#members[row]! === 0)
      this.#orders[place * MIGRATE_TYPES + (list % MIGRATE_TYPES)]! &= ~(
        1 << Math.trunc(list / MIGRATE_TYPES)
      );
  }
}
