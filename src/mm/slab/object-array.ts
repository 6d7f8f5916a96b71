/**
 * Objects side by side, named by slab and slot: those of a bulk call, and those of sheaves.
 * model: slub 2.6a, 8a.1
 */

/** Objects of one call, as columns; the caller keeps it and may use it again. */
export class ObjectArray {
  slab: Int32Array;
  slot: Uint16Array;

  constructor(capacity: number) {
    this.slab = new Int32Array(capacity);
    this.slot = new Uint16Array(capacity);
  }

  /** Makes room for `capacity` objects; what it held may be lost. */
  reserve(capacity: number): void {
    if (capacity <= this.slab.length) return;
    this.slab = new Int32Array(capacity);
    this.slot = new Uint16Array(capacity);
  }

  /** Makes room for `capacity` objects and keeps what it holds. */
  grow(capacity: number): void {
    const { slab, slot } = this;
    this.slab = new Int32Array(capacity);
    this.slot = new Uint16Array(capacity);
    this.slab.set(slab);
    this.slot.set(slot);
  }
}
