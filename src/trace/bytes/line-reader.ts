/**
 * Lines out of chunks of bytes, without copying more than the one line that a chunk's border cuts.
 *
 * A line ends with LF or CRLF, the last one may lack it. Length is bounded, so that a file without line ends cannot
 * fill the memory.
 */
import { InputError } from '../input-error.js';

export const MAX_LINE_BYTES = 1 << 20;

/** Gets `bytes[start..end)`, one line without its end. The bytes are valid during the call only. */
export type LineSink = (bytes: Uint8Array, start: number, end: number) => void;

const LF = 10;
const CR = 13;

export class LineSplitter {
  /** lines delivered so far; during a call of the sink the number of its line, from 1 */
  lines = 0;
  #carry: Uint8Array | undefined;

  constructor(
    readonly file: string,
    readonly sink: LineSink,
    readonly maxLineBytes: number = MAX_LINE_BYTES,
  ) {}

  #emit(bytes: Uint8Array, start: number, end: number): void {
    this.lines++;
    this.sink(bytes, start, end > start && bytes[end - 1] === CR ? end - 1 : end);
  }

  #tooLong(): InputError {
    return new InputError({
      file: this.file,
      line: this.lines + 1,
      expectation: `is longer than ${this.maxLineBytes} bytes`,
      remedy: 'is this a text file?',
    });
  }

  /** Delivers all lines that end in `chunk`. */
  push(chunk: Uint8Array): void {
    let start = 0;
    if (this.#carry !== undefined) {
      const end = chunk.indexOf(LF);
      const length = end < 0 ? chunk.length : end;
      if (this.#carry.length + length > this.maxLineBytes) throw this.#tooLong();
      const joined = new Uint8Array(this.#carry.length + length);
      joined.set(this.#carry);
      joined.set(chunk.subarray(0, length), this.#carry.length);
      if (end < 0) {
        this.#carry = joined;
        return;
      }
      this.#carry = undefined;
      this.#emit(joined, 0, joined.length);
      start = end + 1;
    }
    for (;;) {
      const end = chunk.indexOf(LF, start);
      if (end < 0) break;
      if (end - start > this.maxLineBytes) throw this.#tooLong();
      this.#emit(chunk, start, end);
      start = end + 1;
    }
    if (start < chunk.length) {
      if (chunk.length - start > this.maxLineBytes) throw this.#tooLong();
      // A copy: the chunk's owner may use its memory again.
      this.#carry = chunk.slice(start);
    }
  }

  /** Delivers the last line if it has no line end. */
  finish(): void {
    const last = this.#carry;
    this.#carry = undefined;
    if (last !== undefined) this.#emit(last, 0, last.length);
  }
}

/**
 * The lines of a text, in blocks as they come out of the chunks; UTF-8.
 *
 * When reading fails midway (a cut archive), the lines before the damage are delivered first.
 */
export async function* readLines(
  chunks: AsyncIterable<Uint8Array>,
  file: string,
  maxLineBytes: number = MAX_LINE_BYTES,
): AsyncGenerator<readonly string[]> {
  const decoder = new TextDecoder();
  let block: string[] = [];
  const splitter = new LineSplitter(
    file,
    (bytes, start, end) => {
      block.push(decoder.decode(bytes.subarray(start, end)));
    },
    maxLineBytes,
  );
  for await (const chunk of chunks) {
    splitter.push(chunk);
    if (block.length > 0) {
      yield block;
      block = [];
    }
  }
  splitter.finish();
  if (block.length > 0) yield block;
}
