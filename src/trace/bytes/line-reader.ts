/**
 * Lines out of chunks of bytes, without copying more than the one line that a chunk's border cuts.
 *
 * A line ends with LF or CRLF, the last one may lack it; a CR elsewhere and a NUL are bytes like others. Length is
 * bounded, so that a file without line ends cannot fill the memory.
 */
import { InputError } from '../input-error.js';
import { DEFAULT_LIMITS } from '../limits.js';

export const MAX_LINE_BYTES = DEFAULT_LIMITS.line_bytes;

/** Gets `bytes[start..end)`, one line without its end. The bytes are valid during the call only. */
export type LineSink = (bytes: Uint8Array, start: number, end: number) => void;

const LF = 10;
const CR = 13;
const FIRST_CARRY_BYTES = 1 << 10;

/** The same memory as a Buffer, whose search for a byte takes a third of the time of that of a plain array. */
function asBuffer(chunk: Uint8Array): Buffer {
  return Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
}

export class LineSplitter {
  /** lines delivered so far; during a call of the sink the number of its line, from 1 */
  lines = 0;
  /** beginning of the line that the last chunk's border cut */
  #carry: Buffer = Buffer.allocUnsafeSlow(FIRST_CARRY_BYTES);
  #carried = 0;

  /**
   * @param maxLineBytes  longest line without its LF
   * @param remedy        what to do about a longer one
   */
  constructor(
    readonly file: string,
    readonly sink: LineSink,
    readonly maxLineBytes: number = MAX_LINE_BYTES,
    readonly remedy = 'raise --max-line if this is a text file',
  ) {}

  /**
   * Delivers all lines that end in `chunk`.
   *
   * @throws InputError  when a line is too long, after the lines before it
   */
  push(chunk: Uint8Array): void {
    const bytes = asBuffer(chunk);
    let start = 0;
    if (this.#carried > 0) {
      const end = bytes.indexOf(LF);
      this.#keep(bytes, 0, end < 0 ? bytes.length : end);
      if (end < 0) return;
      this.#emitCarried();
      start = end + 1;
    }
    const { maxLineBytes } = this;
    for (;;) {
      const end = bytes.indexOf(LF, start);
      if (end < 0) break;
      if (end - start > maxLineBytes) throw this.#tooLong();
      this.#emit(bytes, start, end);
      start = end + 1;
    }
    // A copy: the chunk's owner may use its memory again.
    if (start < bytes.length) this.#keep(bytes, start, bytes.length);
  }

  /** Delivers the last line if it has no line end. @returns true if there was such a line: it may be cut */
  finish(): boolean {
    if (this.#carried === 0) return false;
    this.#emitCarried();
    return true;
  }

  #emit(bytes: Uint8Array, start: number, end: number): void {
    this.lines++;
    this.sink(bytes, start, end > start && bytes[end - 1] === CR ? end - 1 : end);
  }

  #emitCarried(): void {
    const length = this.#carried;
    this.#carried = 0;
    this.#emit(this.#carry, 0, length);
  }

  #keep(bytes: Buffer, start: number, end: number): void {
    const length = this.#carried + end - start;
    if (length > this.maxLineBytes) throw this.#tooLong();
    if (length > this.#carry.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(length, this.#carry.length * 2));
      this.#carry.copy(grown, 0, 0, this.#carried);
      this.#carry = grown;
    }
    bytes.copy(this.#carry, this.#carried, start, end);
    this.#carried = length;
  }

  #tooLong(): InputError {
    return new InputError({
      file: this.file,
      line: this.lines + 1,
      expectation: `is longer than ${this.maxLineBytes} bytes`,
      remedy: this.remedy,
    });
  }
}

/**
 * The lines of a text, in blocks as they come out of the chunks; UTF-8.
 *
 * When reading fails midway (a cut archive, a line too long), the lines before that are delivered first.
 */
export async function* readLines(
  chunks: AsyncIterable<Uint8Array>,
  file: string,
  maxLineBytes: number = MAX_LINE_BYTES,
  remedy?: string,
): AsyncGenerator<readonly string[]> {
  const decoder = new TextDecoder();
  let block: string[] = [];
  const splitter = new LineSplitter(
    file,
    (bytes, start, end) => {
      block.push(decoder.decode(bytes.subarray(start, end)));
    },
    maxLineBytes,
    remedy,
  );
  try {
    for await (const chunk of chunks) {
      splitter.push(chunk);
      if (block.length > 0) {
        const full = block;
        block = [];
        yield full;
      }
    }
    splitter.finish();
  } catch (error) {
    if (block.length > 0) yield block;
    throw error;
  }
  if (block.length > 0) yield block;
}
