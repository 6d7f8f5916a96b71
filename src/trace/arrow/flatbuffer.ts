/**
 * Reads flatbuffers that nobody vouches for: Arrow keeps its metadata in them.
 *
 * A flatbuffer is a graph of tables, each with a table of offsets (vtable) that says where its fields stand. Every offset
 * and length is checked before it is followed, so a hostile one ends in an InputError and never in a read outside the
 * buffer. Offsets of tables and vectors only lead forward, so there are no cycles; callers bound the depth and the
 * number of tables that they visit, since several offsets may lead to one table.
 */

/** Throws: the metadata is not what the format says. `what` reads on from "holds damaged Arrow metadata: ". */
export type Fail = (what: string) => never;

const VTABLE_HEADER_BYTES = 4;

/** The bytes of one flatbuffer. */
export class FlatBuffer {
  readonly view: DataView;

  constructor(
    readonly bytes: Uint8Array,
    readonly fail: Fail,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** The table that the buffer's first word leads to. */
  root(): FlatTable {
    return this.table(this.target(0));
  }

  /** Where the offset at `at` leads to. */
  target(at: number): number {
    this.need(at, 4);
    const offset = this.view.getUint32(at, true);
    if (offset === 0) this.fail('an offset leads nowhere');
    this.need(at + offset, 4);
    return at + offset;
  }

  table(at: number): FlatTable {
    this.need(at, 4);
    const vtable = at - this.view.getInt32(at, true);
    this.need(vtable, VTABLE_HEADER_BYTES);
    const bytes = this.view.getUint16(vtable, true);
    if (bytes < VTABLE_HEADER_BYTES) this.fail('a table is too short');
    this.need(vtable, bytes);
    return new FlatTable(this, at, vtable, bytes);
  }

  /** Refuses a read of `bytes` bytes at `at` that would leave the buffer. */
  need(at: number, bytes: number): void {
    if (at < 0 || at + bytes > this.bytes.length) this.fail('an offset leads outside');
  }

  /** A signed 64-bit number; one that a double cannot hold is refused. */
  int64(at: number): number {
    this.need(at, 8);
    const value = Number(this.view.getBigInt64(at, true));
    if (!Number.isSafeInteger(value)) this.fail('a number is out of range');
    return value;
  }
}

/** Elements of a vector; `at` is where the first one stands. */
export interface FlatVector {
  readonly at: number;
  readonly length: number;
}

const EMPTY: FlatVector = { at: 0, length: 0 };

/** One table. Fields are named by their number in the format's schema. */
export class FlatTable {
  constructor(
    readonly buffer: FlatBuffer,
    readonly at: number,
    readonly vtable: number,
    readonly vtableBytes: number,
  ) {}

  /** Where a field of `bytes` bytes stands; 0 if it has its default. */
  #field(number: number, bytes: number): number {
    const slot = VTABLE_HEADER_BYTES + 2 * number;
    if (slot + 2 > this.vtableBytes) return 0;
    const offset = this.buffer.view.getUint16(this.vtable + slot, true);
    if (offset === 0) return 0;
    this.buffer.need(this.at + offset, bytes);
    return this.at + offset;
  }

  uint8(number: number, absent = 0): number {
    const at = this.#field(number, 1);
    return at === 0 ? absent : this.buffer.view.getUint8(at);
  }

  int16(number: number, absent = 0): number {
    const at = this.#field(number, 2);
    return at === 0 ? absent : this.buffer.view.getInt16(at, true);
  }

  int32(number: number, absent = 0): number {
    const at = this.#field(number, 4);
    return at === 0 ? absent : this.buffer.view.getInt32(at, true);
  }

  int64(number: number, absent = 0): number {
    const at = this.#field(number, 8);
    return at === 0 ? absent : this.buffer.int64(at);
  }

  table(number: number): FlatTable | undefined {
    const at = this.#field(number, 4);
    return at === 0 ? undefined : this.buffer.table(this.buffer.target(at));
  }

  /** A vector of elements of `elementBytes` bytes; empty if it is absent. */
  vector(number: number, elementBytes: number): FlatVector {
    const at = this.#field(number, 4);
    if (at === 0) return EMPTY;
    const start = this.buffer.target(at);
    const length = this.buffer.view.getUint32(start, true);
    this.buffer.need(start + 4, length * elementBytes);
    return { at: start + 4, length };
  }

  /** Tables of a vector, each looked at when it is asked for. */
  *tables(number: number): Generator<FlatTable> {
    const { at, length } = this.vector(number, 4);
    for (let i = 0; i < length; i++) yield this.buffer.table(this.buffer.target(at + 4 * i));
  }

  text(number: number): string | undefined {
    const at = this.#field(number, 4);
    if (at === 0) return undefined;
    const { at: start, length } = this.vector(number, 1);
    return Buffer.from(this.buffer.bytes.buffer, this.buffer.bytes.byteOffset + start, length).toString(
      'utf8',
    );
  }
}
