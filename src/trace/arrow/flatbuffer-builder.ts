/**
 * Writes flatbuffers, for Arrow's metadata: a few tables of scalars, strings, vectors of tables and vectors of structs.
 *
 * As the format wants offsets to lead forward, the buffer is filled from its end: children first, then the tables that
 * name them. A position is the number of bytes from there to the end, which stays true while the buffer grows.
 */

const FIRST_BYTES = 1 << 10;

/** Where something that was written stands, counted from the end of the buffer. */
export type Place = number;

export class FlatBufferBuilder {
  #bytes = new Uint8Array(FIRST_BYTES);
  #view = new DataView(this.#bytes.buffer);
  /** bytes used, at the buffer's end */
  #used = 0;
  #largest = 1;

  /** Makes room for `bytes` bytes behind which, towards the end, a multiple of `alignment` is in use. */
  #prepare(bytes: number, alignment: number): void {
    this.#largest = Math.max(this.#largest, alignment);
    const padding = -(this.#used + bytes) & (alignment - 1);
    const needed = this.#used + padding + bytes;
    if (needed > this.#bytes.length) {
      let capacity = this.#bytes.length;
      while (capacity < needed) capacity *= 2;
      const grown = new Uint8Array(capacity);
      grown.set(this.#bytes, capacity - this.#bytes.length);
      this.#bytes = grown;
      this.#view = new DataView(grown.buffer);
    }
    this.#used += padding;
  }

  /** Index of the first byte in use. */
  get #start(): number {
    return this.#bytes.length - this.#used;
  }

  int8(value: number): Place {
    this.#prepare(1, 1);
    this.#used += 1;
    this.#view.setInt8(this.#start, value);
    return this.#used;
  }

  int16(value: number): Place {
    this.#prepare(2, 2);
    this.#used += 2;
    this.#view.setInt16(this.#start, value, true);
    return this.#used;
  }

  int32(value: number): Place {
    this.#prepare(4, 4);
    this.#used += 4;
    this.#view.setInt32(this.#start, value, true);
    return this.#used;
  }

  int64(value: number): Place {
    this.#prepare(8, 8);
    this.#used += 8;
    this.#view.setBigInt64(this.#start, BigInt(value), true);
    return this.#used;
  }

  offset(to: Place): Place {
    this.#prepare(4, 4);
    return this.int32(this.#used + 4 - to);
  }

  text(text: string): Place {
    const bytes = Buffer.from(text);
    // One more byte: texts end with a zero that their length does not count.
    this.#prepare(4 + bytes.length + 1, 4);
    this.#used += bytes.length + 1;
    this.#bytes.fill(0, this.#start, this.#start + bytes.length + 1);
    this.#bytes.set(bytes, this.#start);
    return this.int32(bytes.length);
  }

  tables(places: readonly Place[]): Place {
    this.#prepare(4 + 4 * places.length, 4);
    for (let i = places.length - 1; i >= 0; i--) this.offset(places[i] as Place);
    return this.int32(places.length);
  }

  /** A vector of `length` structs of 64-bit numbers; `numbers` holds those of all structs. */
  structs(numbers: readonly number[], length: number): Place {
    this.#prepare(0, 8);
    for (let i = numbers.length - 1; i >= 0; i--) this.int64(numbers[i] as number);
    return this.int32(length);
  }

  /**
   * A table of the fields by their number in the format's schema; what is undefined has its default. Fields that lead
   * to something lead to what was written before.
   */
  table(fields: readonly (((builder: FlatBufferBuilder) => Place) | undefined)[]): Place {
    const end = this.#used;
    const places = fields.map((write) => (write === undefined ? 0 : write(this)));
    const table = this.int32(0);
    for (let i = fields.length - 1; i >= 0; i--) {
      const place = places[i] as Place;
      this.int16(place === 0 ? 0 : table - place);
    }
    this.int16(table - end);
    const vtable = this.int16(4 + 2 * fields.length);
    this.#view.setInt32(this.#bytes.length - table, vtable - table, true);
    return table;
  }

  /** The finished buffer, with `root` as its root. */
  finish(root: Place): Uint8Array {
    this.#prepare(4, this.#largest);
    this.offset(root);
    return this.#bytes.slice(this.#start);
  }
}
