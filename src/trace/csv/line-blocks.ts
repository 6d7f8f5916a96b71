/**
 * Puts chunks of bytes together to blocks of whole lines.
 *
 * What a chunk has of whole lines is handed out where it lies; only the line that crosses the border of two chunks is
 * copied. A line that never ends is held as long as its owner wants: `restBytes` says how long it is by now.
 */
import type { ByteInput } from '../bytes/open-input.js';
import { InputError } from '../input-error.js';

const LF = 0x0a;
const MARK_BYTES = 3;
const FIRST_REST_BYTES = 1 << 12;

/** The same memory as a plain Uint8Array: a Buffer among them would make every access to a byte slower. */
function plain(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}

export class LineBlocks {
  #rest = new Uint8Array(FIRST_REST_BYTES);
  #restBytes = 0;

  /** Bytes behind the last LF. */
  get restBytes(): number {
    return this.#restBytes;
  }

  /** What stands behind the last LF; valid until the next call of add(). */
  get rest(): Uint8Array {
    return this.#rest.subarray(0, this.#restBytes);
  }

  /** Whole lines that end in this chunk, in at most two blocks, each to be used before the next is asked for. */
  *add(chunk: Uint8Array): Generator<Uint8Array> {
    const bytes = plain(chunk);
    const last = bytes.lastIndexOf(LF) + 1;
    let from = 0;
    if (this.#restBytes > 0 && last > 0) {
      from = bytes.indexOf(LF) + 1;
      this.#keep(bytes.subarray(0, from));
      const line = this.rest;
      this.#restBytes = 0;
      yield line;
    }
    if (from < last) yield bytes.subarray(from, last);
    this.#keep(bytes.subarray(last));
  }

  #keep(bytes: Uint8Array): void {
    const total = this.#restBytes + bytes.length;
    if (total > this.#rest.length) {
      const grown = new Uint8Array(Math.max(total, this.#rest.length * 2));
      grown.set(this.rest);
      this.#rest = grown;
    }
    this.#rest.set(bytes, this.#restBytes);
    this.#restBytes = total;
  }
}

/**
 * The input's bytes behind a byte order mark of UTF-8.
 *
 * @throws InputError  if the mark is one of UTF-16
 */
export async function* withoutMark(input: ByteInput): AsyncGenerator<Uint8Array> {
  let head: Uint8Array | undefined = new Uint8Array(0);
  const isMarked = (bytes: Uint8Array, ...mark: number[]) => mark.every((byte, i) => bytes[i] === byte);
  const strip = (bytes: Uint8Array): Uint8Array => {
    if (isMarked(bytes, 0xff, 0xfe) || isMarked(bytes, 0xfe, 0xff)) {
      throw new InputError({
        file: input.name,
        expectation: 'is encoded in UTF-16',
        remedy: 'save it as UTF-8',
      });
    }
    return isMarked(bytes, 0xef, 0xbb, 0xbf) ? bytes.subarray(MARK_BYTES) : bytes;
  };
  for await (const chunk of input.chunks) {
    if (head === undefined) {
      yield chunk;
      continue;
    }
    const joined: Uint8Array = head.length === 0 ? chunk : Buffer.concat([head, chunk]);
    if (joined.length < MARK_BYTES) {
      head = joined.slice();
      continue;
    }
    head = undefined;
    yield strip(joined);
  }
  if (head !== undefined && head.length > 0) yield strip(head);
}
