/**
 * Reads what ByteWriter wrote, out of chunks of any length, and makes the digest of what it has read on the way.
 *
 * Numbers are taken at once where they lie in the chunk at hand; only what crosses the end of one is waited for.
 */
import { createHash } from 'node:crypto';

/** Longest value that is read at once: a number. */
const ROOM = 16;
/** Bytes of a longer value that are asked for at once, so that a wrong length costs nothing. */
const PIECE_BYTES = 1 << 20;

export class ByteReader {
  #chunk: Buffer = Buffer.alloc(0);
  #at = 0;
  #hashed = 0;
  #ended = false;
  readonly #chunks: AsyncIterator<Uint8Array>;
  readonly #hash = createHash('sha256');

  /** @param fail  makes the error for what is not as ByteWriter writes it */
  constructor(
    chunks: AsyncIterable<Uint8Array>,
    readonly fail: (text: string) => Error,
  ) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /** Makes sure that as many bytes are at hand, or all that there are. */
  async #have(bytes: number): Promise<void> {
    while (this.#chunk.length - this.#at < bytes && !this.#ended) {
      const next = await this.#chunks.next();
      if (next.done === true) {
        this.#ended = true;
        return;
      }
      this.#hash.update(this.#chunk.subarray(this.#hashed, this.#at));
      this.#chunk = Buffer.concat([this.#chunk.subarray(this.#at), next.value]);
      this.#at = 0;
      this.#hashed = 0;
    }
  }

  /** To be awaited before numbers are read: room for one, where `isReady` is false. */
  get isReady(): boolean {
    return this.#chunk.length - this.#at >= ROOM || this.#ended;
  }

  ready(): Promise<void> {
    return this.#have(ROOM);
  }

  byte(): number {
    const value = this.#chunk[this.#at++];
    if (value === undefined) throw this.fail('ends too early');
    return value;
  }

  /** @param most  largest number that it can be */
  whole(most = Number.MAX_SAFE_INTEGER): number {
    let value = 0;
    for (let scale = 1; ; scale *= 0x80) {
      const byte = this.byte();
      value += (byte & 0x7f) * scale;
      if (value > most) throw this.fail(`holds ${value} where at most ${most} can be`);
      if (byte < 0x80) return value;
    }
  }

  double(): number {
    if (this.#chunk.length - this.#at < 8) throw this.fail('ends too early');
    const value = this.#chunk.readDoubleLE(this.#at);
    this.#at += 8;
    return value;
  }

  /** A copy of the next bytes. */
  async bytes(length: number): Promise<Buffer> {
    const pieces: Buffer[] = [];
    for (let left = length; left > 0; ) {
      const piece = Math.min(left, PIECE_BYTES);
      await this.#have(piece);
      if (this.#chunk.length - this.#at < piece) throw this.fail('ends too early');
      pieces.push(Buffer.from(this.#chunk.subarray(this.#at, this.#at + piece)));
      this.#at += piece;
      left -= piece;
    }
    return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
  }

  async text(most: number): Promise<string> {
    if (!this.isReady) await this.ready();
    return (await this.bytes(this.whole(most))).toString('utf8');
  }

  /** Text up to the end of a line; undefined where there is none within `most` bytes. */
  async line(most: number): Promise<string | undefined> {
    for (let wanted = ROOM; ; wanted *= 2) {
      await this.#have(Math.min(wanted, most));
      const end = this.#chunk.indexOf(0x0a, this.#at);
      if (end >= 0 && end - this.#at <= most) {
        const text = this.#chunk.toString('utf8', this.#at, end);
        this.#at = end + 1;
        return text;
      }
      if (this.#ended || wanted >= most) return undefined;
    }
  }

  /** Digest of all that was read so far. */
  digest(): Buffer {
    this.#hash.update(this.#chunk.subarray(this.#hashed, this.#at));
    this.#hashed = this.#at;
    return this.#hash.copy().digest();
  }

  /** Reads on to the end: what unpacks the bytes checks its own sums there. @returns bytes that were left */
  async rest(): Promise<number> {
    let bytes = this.#chunk.length - this.#at;
    for (;;) {
      const next = await this.#chunks.next();
      if (next.done === true) return bytes;
      bytes += next.value.length;
    }
  }

  async close(): Promise<void> {
    await this.#chunks.return?.();
  }
}
