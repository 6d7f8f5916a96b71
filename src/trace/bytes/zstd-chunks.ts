/**
 * Unpacks zstd frames: several behind each other, skippable ones between them, and an honest end when data is cut.
 *
 * Frames are walked here block by block and each block is given to the library on its own, so that everything before
 * a cut or damaged place is delivered, and memory is that of one window.
 */
import { InputError } from '../input-error.js';
import { ByteQueue } from './byte-queue.js';
import type { PackedMeter } from './inflation-guard.js';
import { ZSTD_BLOCK_BYTES, ZstdDecoder } from './zstd-codec.js';
import {
  BLOCK_HEADER_BYTES,
  CHECKSUM_BYTES,
  FRAME_MAGIC,
  type FrameHeader,
  frameHeaderBytes,
  isSkippable,
  MAGIC_BYTES,
  parseBlockHeader,
  parseFrameHeader,
  SKIPPABLE_HEADER_BYTES,
} from './zstd-frame.js';

/** What the zstd program allows by itself, too. */
const MAX_WINDOW_BYTES = 2 ** 27;
/** Larger than any that the zstd program makes or unpacks. */
const ABSURD_WINDOW_BYTES = 2 ** 31;
const MEBIBYTE = 2 ** 20;

const OUTPUT_BYTES = 1 << 19;
/** Bytes of a skippable frame or of padding passed over at once. */
const SKIP_BYTES = 1 << 16;

/** Blocks gathered into chunks worth handing on. */
class Gatherer {
  #buffer = Buffer.allocUnsafeSlow(OUTPUT_BYTES);
  #start = 0;
  #end = 0;

  get isFull(): boolean {
    return this.#buffer.length - this.#end < ZSTD_BLOCK_BYTES;
  }

  get isEmpty(): boolean {
    return this.#end === this.#start;
  }

  add(bytes: Uint8Array): void {
    this.#buffer.set(bytes, this.#end);
    this.#end += bytes.length;
  }

  /** What was gathered; the memory is the caller's. */
  take(): Uint8Array {
    const bytes = this.#buffer.subarray(this.#start, this.#end);
    this.#start = this.#end;
    if (this.isFull) {
      this.#buffer = Buffer.allocUnsafeSlow(OUTPUT_BYTES);
      this.#start = 0;
      this.#end = 0;
    }
    return bytes;
  }
}

class ZstdReader {
  readonly #out = new Gatherer();
  #hasFrame = false;

  constructor(
    readonly queue: ByteQueue,
    readonly decoder: ZstdDecoder,
    readonly file: string,
    readonly meter: PackedMeter,
  ) {}

  /** All frames. What was unpacked before an error is still to be taken with rest(). */
  async *frames(): AsyncGenerator<Uint8Array> {
    for (;;) {
      if (!(yield* this.#fill(MAGIC_BYTES))) {
        this.#endOfFile();
        return;
      }
      const magic = this.queue.peek(MAGIC_BYTES).readUInt32LE();
      if (isSkippable(magic)) yield* this.#skippable();
      else if (magic === FRAME_MAGIC) yield* this.#frame();
      else {
        yield* this.#padding();
        return;
      }
      this.#hasFrame = true;
    }
  }

  *rest(): Generator<Uint8Array> {
    this.meter.packedBytes = this.queue.taken;
    if (!this.#out.isEmpty) yield this.#out.take();
  }

  /** Hands on what is there before it waits for more. */
  async *#fill(bytes: number): AsyncGenerator<Uint8Array, boolean> {
    if (this.queue.length >= bytes) return true;
    yield* this.rest();
    return this.queue.fill(bytes);
  }

  async *#need(bytes: number): AsyncGenerator<Uint8Array, void> {
    if (!(yield* this.#fill(bytes))) throw this.#cut();
  }

  async *#skippable(): AsyncGenerator<Uint8Array> {
    yield* this.#need(SKIPPABLE_HEADER_BYTES);
    let left = this.queue.take(SKIPPABLE_HEADER_BYTES).readUInt32LE(MAGIC_BYTES);
    while (left > 0) {
      const step = Math.min(left, SKIP_BYTES);
      yield* this.#need(step);
      this.queue.take(step);
      left -= step;
    }
  }

  async *#frame(): AsyncGenerator<Uint8Array> {
    yield* this.#need(MAGIC_BYTES + 1);
    const bytes = frameHeaderBytes(this.queue.peek(MAGIC_BYTES + 1));
    yield* this.#need(bytes);
    const head = this.queue.take(bytes);
    const header = parseFrameHeader(head);
    this.#check(header);
    this.decoder.decode(head);
    let content = 0;
    for (;;) {
      yield* this.#need(BLOCK_HEADER_BYTES);
      const block = parseBlockHeader(this.queue.peek(BLOCK_HEADER_BYTES));
      if (block.kind === 'reserved' || block.size > ZSTD_BLOCK_BYTES) throw this.#damaged();
      if (!(yield* this.#fill(BLOCK_HEADER_BYTES + block.bytes))) {
        // Of a plain block, the part before the cut is data as well.
        if (block.kind === 'raw') this.#out.add(this.queue.peek(block.bytes).subarray(BLOCK_HEADER_BYTES));
        throw this.#cut();
      }
      if (this.#out.isFull) yield* this.rest();
      const unpacked = this.decoder.decode(this.queue.take(BLOCK_HEADER_BYTES + block.bytes));
      // An empty block is a plain one of no bytes; nothing else unpacks to nothing.
      const isEmpty = block.kind !== 'packed' && block.size === 0;
      if (unpacked.length === 0 && !isEmpty) throw this.#damaged();
      this.#out.add(unpacked);
      content += unpacked.length;
      if (block.isLast) break;
    }
    if (header.hasChecksum) {
      yield* this.#need(CHECKSUM_BYTES);
      this.decoder.decode(this.queue.take(CHECKSUM_BYTES));
    }
    const isRightSize = header.content_bytes === undefined || header.content_bytes === content;
    if (!isRightSize || !this.decoder.endsWell()) throw this.#damaged();
  }

  #check(header: FrameHeader): void {
    const { file } = this;
    if (header.isReserved || header.window_bytes > ABSURD_WINDOW_BYTES) throw this.#damaged();
    if (header.dictionary !== 0) {
      throw new InputError({
        file,
        expectation: `needs the zstd dictionary ${header.dictionary}`,
        remedy: 'unpack it with zstd -d -D and the dictionary, and give the unpacked file',
      });
    }
    if (header.window_bytes > MAX_WINDOW_BYTES) {
      const window = Math.ceil(header.window_bytes / MEBIBYTE);
      throw new InputError({
        file,
        expectation: `needs a window of ${window} MiB to unpack, more than ${MAX_WINDOW_BYTES / MEBIBYTE} MiB`,
        remedy: `unpack it with zstd -d --long=${Math.ceil(Math.log2(header.window_bytes))} and give the unpacked file`,
      });
    }
  }

  /** Where a frame could begin, fewer bytes stand than its magic has. */
  #endOfFile(): void {
    const tail = this.queue.peek(MAGIC_BYTES);
    if (tail.every((byte) => byte === 0)) return;
    const magic = Buffer.alloc(MAGIC_BYTES);
    magic.writeUInt32LE(FRAME_MAGIC);
    if (tail.equals(magic.subarray(0, tail.length))) throw this.#cut();
    throw this.#trailing();
  }

  /** No frame begins here: zeros are the padding of tapes and block devices, anything else would be lost in silence. */
  async *#padding(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const bytes = this.queue.take(Math.min(this.queue.length, SKIP_BYTES));
      if (bytes.some((byte) => byte !== 0)) throw this.#trailing();
      if (!(yield* this.#fill(1))) return;
    }
  }

  #cut(): InputError {
    return new InputError({
      file: this.file,
      expectation: 'ends in the middle of its zstd data',
      remedy: 'copy or record it again',
      isCut: true,
    });
  }

  #damaged(): InputError {
    return new InputError({
      file: this.file,
      expectation: 'holds damaged zstd data',
      remedy: 'check it with zstd -t',
    });
  }

  #trailing(): InputError {
    if (!this.#hasFrame) return this.#damaged();
    return new InputError({
      file: this.file,
      expectation: 'has other data behind its zstd data',
      remedy: 'cut it off',
    });
  }
}

/** The decompressed bytes of `compressed`; after the last good byte an InputError if the data is cut or damaged. */
export async function* zstdChunks(
  compressed: AsyncIterable<Uint8Array>,
  file: string,
  meter: PackedMeter = { packedBytes: 0 },
): AsyncGenerator<Uint8Array> {
  const queue = new ByteQueue(compressed);
  const decoder = await ZstdDecoder.create();
  try {
    const reader = new ZstdReader(queue, decoder, file, meter);
    try {
      yield* reader.frames();
    } catch (error) {
      yield* reader.rest();
      throw error;
    }
    yield* reader.rest();
  } finally {
    decoder.release();
    await queue.close();
  }
}
