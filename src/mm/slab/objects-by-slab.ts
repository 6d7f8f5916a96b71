/**
 * Objects that wait with their slab, as the first version of the series had it: nothing frees them until somebody looks
 * at the slab. They are linked through the words that free slots have anyway.
 * model: slub 8.3
 */
import type { StateIo } from '../state-io.js';
import { NO_SLOT, type SlabTable } from './slab-table.js';

const FIRST_SLABS = 64;

/** Linked slots of one slab. */
export interface SlotGroup {
  readonly head: number;
  readonly tail: number;
  readonly count: number;
}

export class ObjectsBySlab {
  /** by slab: newest and oldest slot that waits, and how many do */
  #head = new Uint16Array(FIRST_SLABS).fill(NO_SLOT);
  #tail = new Uint16Array(FIRST_SLABS);
  #count = new Uint16Array(FIRST_SLABS);

  constructor(readonly table: SlabTable) {}

  add(slab: number, slot: number): void {
    if (slab >= this.#head.length) this.#grow(slab + 1);
    const head = this.#head[slab]!;
    this.table.linkFree(slab, slot, head);
    if (head === NO_SLOT) this.#tail[slab] = slot;
    this.#head[slab] = slot;
    this.#count[slab] = this.#count[slab]! + 1;
  }

  /** Takes all that waits in a slab; null where nothing does. */
  take(slab: number): SlotGroup | null {
    const count = this.#count[slab] ?? 0;
    if (count === 0) return null;
    const group = { head: this.#head[slab]!, tail: this.#tail[slab]!, count };
    this.#head[slab] = NO_SLOT;
    this.#count[slab] = 0;
    return group;
  }

  /** Slabs in which something waits. */
  forEach(note: (slab: number, count: number) => void): void {
    for (const [slab, count] of this.#count.entries()) if (count > 0) note(slab, count);
  }

  /** Slots that wait in a slab, newest first. */
  slots(slab: number): number[] {
    return this.table.slotsFrom(slab, this.#head[slab] ?? NO_SLOT);
  }

  serialize(io: StateIo): void {
    this.#head = io.growing('head', this.#head);
    this.#tail = io.growing('tail', this.#tail);
    this.#count = io.growing('count', this.#count);
    if (this.#head.length !== this.#tail.length || this.#head.length !== this.#count.length)
      io.refuse('the objects that wait with their slabs are torn');
  }

  #grow(slabs: number): void {
    const length = Math.max(slabs, this.#head.length * 2);
    const grown = (from: Uint16Array, empty: number) => {
      const to = new Uint16Array(length).fill(empty);
      to.set(from);
      return to;
    };
    this.#head = grown(this.#head, NO_SLOT);
    this.#tail = grown(this.#tail, 0);
    this.#count = grown(this.#count, 0);
  }
}
