/**
 * Chunks of any size, read as runs of bytes of a wanted length.
 *
 * What is waiting stands in one array that is compacted when it must grow, so that many tiny chunks cost no more than
 * a few large ones.
 */

const FIRST_BYTES = 1 << 16;

export class ByteQueue {
  /** bytes taken so far */
  taken = 0;
  readonly #source: AsyncIterator<Uint8Array>;
  #bytes: Buffer = Buffer.allocUnsafeSlow(FIRST_BYTES);
  #start = 0;
  #end = 0;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** Bytes that can be taken without reading on. */
  get length(): number {
    return this.#end - this.#start;
  }

  /** Reads until `wanted` bytes are there. @returns false if the source ends before that */
  async fill(wanted: number): Promise<boolean> {
    while (this.length < wanted) {
      const next = await this.#source.next();
      if (next.done === true) return false;
      this.#append(next.value);
    }
    return true;
  }

  /** The next `count` bytes, which stay; fewer if fewer are there. Valid until the next fill(). */
  peek(count: number): Buffer {
    return this.#bytes.subarray(this.#start, Math.min(this.#start + count, this.#end));
  }

  /** Takes `count` bytes, all of which must be there. Valid until the next fill(). */
  take(count: number): Buffer {
    const bytes = this.peek(count);
    this.#start += count;
    this.taken += count;
    return bytes;
  }

  /** Lets the source go. */
  async close(): Promise<void> {
    await this.#source.return?.();
  }

  #append(chunk: Uint8Array): void {
    const length = this.length;
    if (this.#end + chunk.length > this.#bytes.length) {
      const old = this.#bytes;
      // More than half free: moving to the front is enough.
      if ((length + chunk.length) * 2 > old.length)
        this.#bytes = Buffer.allocUnsafeSlow((length + chunk.length) * 2);
      old.copy(this.#bytes, 0, this.#start, this.#end);
      this.#start = 0;
      this.#end = length;
    }
    this.#bytes.set(chunk, this.#end);
    this.#end += chunk.length;
  }
}
