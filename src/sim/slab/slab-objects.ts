/**
 * Which slots of the model stand for which objects of the trace: by the interned id that the trace calls an object by.
 *
 * One word and one halfword per id. A pointer that is handed out again is the same id again.
 */
import type { StateIo } from '../../mm/state-io.js';

const FIRST_IDS = 1 << 12;

/** What an id names that is no slot. */
export const NoSlot = {
  /** nothing that the trace has shown */
  unknown: 0,
  freed: -1,
  /** the model could not serve it */
  failed: -2,
  /** zero bytes, or pages that events of their own allocate and free */
  nothing: -3,
  /** pages of its own: a request too large for any cache */
  large: -4,
} as const;

export interface LargeObject {
  readonly pfn: number;
  readonly order: number;
}

export class SlabObjects {
  /** slab + 1 by id, or one of NoSlot */
  #slabs = new Int32Array(FIRST_IDS);
  #slots = new Uint16Array(FIRST_IDS);
  /** 1 for objects of kmalloc_nolock() */
  #madeByNolock = new Uint8Array(FIRST_IDS);
  readonly #large = new Map<number, LargeObject>();

  serialize(io: StateIo): void {
    this.#slabs = io.growing('object_slabs', this.#slabs);
    this.#slots = io.growing('object_slots', this.#slots);
    this.#madeByNolock = io.growing('made_by_nolock', this.#madeByNolock);
    const { length } = this.#slabs;
    if (this.#slots.length !== length || this.#madeByNolock.length !== length)
      io.refuse('objects have slabs without slots');
    const rows = [...this.#large].flatMap(([id, { pfn, order }]) => [id, pfn, order]);
    const saved = io.list('large_objects', rows);
    if (!io.isLoading) return;
    this.#large.clear();
    for (let at = 0; at < saved.length; at += 3)
      this.#large.set(saved[at]!, { pfn: saved[at + 1]!, order: saved[at + 2]! });
  }

  /** Slab + 1, or one of NoSlot. */
  get(id: number): number {
    return id < this.#slabs.length ? this.#slabs[id]! : NoSlot.unknown;
  }

  /** Of an id that names a slot. */
  slotOf(id: number): number {
    return this.#slots[id]!;
  }

  /** Whether an id that names a slot names an object of kmalloc_nolock(). */
  isMadeByNolock(id: number): boolean {
    return this.#madeByNolock[id] === 1;
  }

  set(id: number, slab: number, slot: number, madeByNolock: boolean): void {
    if (id >= this.#slabs.length) this.#grow(id + 1);
    this.#slabs[id] = slab + 1;
    this.#slots[id] = slot;
    this.#madeByNolock[id] = madeByNolock ? 1 : 0;
  }

  setLarge(id: number, object: LargeObject): void {
    this.mark(id, NoSlot.large);
    this.#large.set(id, object);
  }

  takeLarge(id: number): LargeObject {
    const object = this.#large.get(id)!;
    this.#large.delete(id);
    this.mark(id, NoSlot.freed);
    return object;
  }

  /** @param fate one of NoSlot */
  mark(id: number, fate: number): void {
    if (id >= this.#slabs.length) this.#grow(id + 1);
    this.#slabs[id] = fate;
  }

  #grow(length: number): void {
    const slabs = new Int32Array(Math.max(length, this.#slabs.length * 2));
    const slots = new Uint16Array(slabs.length);
    slabs.set(this.#slabs);
    const madeByNolock = new Uint8Array(slabs.length);
    slots.set(this.#slots);
    madeByNolock.set(this.#madeByNolock);
    this.#slabs = slabs;
    this.#slots = slots;
    this.#madeByNolock = madeByNolock;
  }
}
