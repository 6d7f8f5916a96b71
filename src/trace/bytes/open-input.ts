/**
 * Opens what the user named, a path or `-` for standard input, as a stream of plain bytes.
 *
 * Compression is told by the first bytes, never by the name. What is packed inside packed data stays packed.
 */
import { createHash } from 'node:crypto';
import { closeSync, createReadStream, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { fromSystemError, InputError } from '../input-error.js';
import { DEFAULT_LIMITS, type TraceLimits } from '../limits.js';
import { type Digest, NO_DIGEST } from './digest.js';
import { InflationGuard, type PackedMeter } from './inflation-guard.js';

export type Compression = 'none' | 'gzip' | 'xz' | 'zstd';

/** Plain bytes of one input, to be read once. */
export interface ByteInput {
  /** as errors should call it */
  readonly name: string;
  readonly compression: Compression;
  /**
   * The decompressed bytes. Cut or damaged compressed data is delivered as far as it goes, then throws InputError; if
   * it is cut, that has `isCut`.
   */
  readonly chunks: AsyncIterable<Uint8Array>;
  /**
   * Says that no chunk is looked at any more when the next one is asked for. Then one piece of memory serves them all,
   * where that can be: fresh memory costs more than reading into it.
   */
  readonly reuseMemory?: () => void;
}

const READ_BYTES = 1 << 20;
const STDIN = '-';
const STDIN_FD = 0;

type Unpacker = (
  packed: AsyncIterable<Uint8Array>,
  file: string,
  meter: PackedMeter,
) => AsyncGenerator<Uint8Array>;

/** A way of packing. The unpackers are loaded when they are needed. */
interface Packing {
  readonly compression: Compression;
  readonly magic: Uint8Array;
  /** bits of the magic's bytes that do not count */
  readonly freeBits: number;
  readonly load: () => Promise<Unpacker>;
}

const loadZstd = async () => (await import('./zstd-chunks.js')).zstdChunks;

const PACKINGS: readonly Packing[] = [
  {
    compression: 'gzip',
    magic: Uint8Array.of(0x1f, 0x8b),
    freeBits: 0,
    load: async () => (await import('./gunzip-chunks.js')).gunzipChunks,
  },
  {
    compression: 'xz',
    magic: Uint8Array.of(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00),
    freeBits: 0,
    load: async () => (await import('./xz-chunks.js')).xzChunks,
  },
  { compression: 'zstd', magic: Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd), freeBits: 0, load: loadZstd },
  // A skippable frame: parallel packers begin with one.
  { compression: 'zstd', magic: Uint8Array.of(0x50, 0x2a, 0x4d, 0x18), freeBits: 0x0f, load: loadZstd },
];
const MAGIC_BYTES = Math.max(...PACKINGS.map(({ magic }) => magic.length));

/** True if `head` begins with the magic, or is all of it that was left before it was cut. */
function hasMagic(head: Uint8Array, { magic, freeBits }: Packing): boolean {
  const known = head.subarray(0, magic.length);
  if (!known.every((byte, i) => ((byte ^ (magic[i] as number)) & ~(i === 0 ? freeBits : 0)) === 0))
    return false;
  // Text may begin like a magic, too; none of them is text as a whole.
  return known.length === magic.length || known.some((byte) => byte < 0x09 || byte > 0x7e || byte === 0x1f);
}

/** Whether a source may read into the memory of its last chunk. */
interface Memory {
  isReused: boolean;
}

/**
 * The bytes of a regular file. Read at once, not by way of the thread pool: what the page cache holds is there sooner
 * than a thread would be told to fetch it.
 */
function* fileChunks(file: number, memory: Memory): Generator<Uint8Array> {
  let buffer = Buffer.allocUnsafeSlow(READ_BYTES);
  for (;;) {
    const length = readSync(file, buffer, 0, READ_BYTES, null);
    if (length === 0) return;
    yield buffer.subarray(0, length);
    if (!memory.isReused) buffer = Buffer.allocUnsafeSlow(READ_BYTES);
  }
}

async function* rawChunks(path: string, memory: Memory = { isReused: false }): AsyncGenerator<Uint8Array> {
  let file: number | undefined;
  try {
    // A directory as standard input would look like an empty file.
    if (path === STDIN && fstatSync(STDIN_FD).isDirectory()) {
      throw new InputError({ file: path, expectation: 'is a directory', remedy: 'give a file' });
    }
    if (path !== STDIN && statSync(path).isFile()) {
      file = openSync(path, 'r');
      yield* fileChunks(file, memory);
      return;
    }
    const stream = path === STDIN ? process.stdin : createReadStream(path, { highWaterMark: READ_BYTES });
    for await (const chunk of stream)
      yield typeof chunk === 'string' ? Buffer.from(chunk) : (chunk as Buffer);
  } catch (error) {
    if (error instanceof TypeError && path.includes('\0')) {
      throw new InputError({ file: path, expectation: 'holds a NUL byte, which no path does' });
    }
    throw fromSystemError(error, path);
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

/** Takes chunks off `source` until there are `bytes` of them or it ends; the rest continues behind them. */
async function peek(
  source: AsyncGenerator<Uint8Array>,
  bytes: number,
): Promise<{ head: Uint8Array; chunks: AsyncGenerator<Uint8Array> }> {
  const taken: Uint8Array[] = [];
  let length = 0;
  while (length < bytes) {
    const next = await source.next();
    if (next.done === true) break;
    taken.push(next.value);
    length += next.value.length;
  }
  const head = taken.length === 1 ? (taken[0] as Uint8Array) : Buffer.concat(taken);
  async function* chunks(): AsyncGenerator<Uint8Array> {
    if (head.length > 0) yield head;
    yield* source;
  }
  return { head, chunks: chunks() };
}

/** Plain bytes out of `source`, whatever it is packed in. For tests and for inputs that are no files. */
export async function openChunks(
  source: AsyncIterable<Uint8Array>,
  name: string,
  limits: TraceLimits = DEFAULT_LIMITS,
): Promise<ByteInput> {
  async function* own(): AsyncGenerator<Uint8Array> {
    yield* source;
  }
  const { head, chunks } = await peek(own(), MAGIC_BYTES);
  const packing = head.length === 0 ? undefined : PACKINGS.find((known) => hasMagic(head, known));
  if (packing === undefined) return { name, compression: 'none', chunks };
  const unpack = await packing.load();
  const guard = new InflationGuard(name, limits);
  return { name, compression: packing.compression, chunks: guard.watch(unpack(chunks, name, guard)) };
}

export interface OpenedInput extends ByteInput {
  /** of what was read, once the chunks have ended */
  readonly digest: () => Digest;
}

/**
 * Opens a path or `-`.
 *
 * @param makesDigest  false: somebody else makes it
 * @throws InputError  if it cannot be read
 */
export async function openInput(
  path: string,
  limits: TraceLimits = DEFAULT_LIMITS,
  makesDigest = true,
): Promise<OpenedInput> {
  let digest = NO_DIGEST;
  const memory: Memory = { isReused: false };
  const opened = async (chunks: AsyncGenerator<Uint8Array>): Promise<OpenedInput> => {
    const input = await openChunks(chunks, path, limits);
    // Unpackers hold on to what they were given.
    const reuseMemory = () => {
      memory.isReused = input.compression === 'none';
    };
    return { ...input, reuseMemory, digest: () => digest };
  };
  if (!makesDigest) return opened(rawChunks(path, memory));
  const hash = createHash('sha256');
  async function* digested(): AsyncGenerator<Uint8Array> {
    let bytes = 0;
    for await (const chunk of rawChunks(path, memory)) {
      hash.update(chunk);
      bytes += chunk.length;
      yield chunk;
    }
    digest = { sha256: hash.digest('hex'), bytes };
  }
  return opened(digested());
}

/**
 * The first bytes of an input (at least `bytes` unless it is shorter) and the same input from its start, for telling
 * formats apart by content. A damaged beginning is reported by the returned input, not here.
 */
export async function peekInput(
  input: ByteInput,
  bytes: number,
): Promise<{ head: Uint8Array; input: ByteInput }> {
  let failure: { error: unknown } | undefined;
  async function* forgiving(): AsyncGenerator<Uint8Array> {
    try {
      yield* input.chunks;
    } catch (error) {
      failure = { error };
    }
  }
  const { head, chunks } = await peek(forgiving(), bytes);
  async function* honest(): AsyncGenerator<Uint8Array> {
    yield* chunks;
    if (failure !== undefined) throw failure.error;
  }
  return { head, input: { ...input, chunks: honest() } };
}

/** All bytes of a small input, e.g. a /proc file. Larger than `maxBytes` is an InputError. */
export async function readWholeInput(
  path: string,
  maxBytes = 64 << 20,
  limits: TraceLimits = DEFAULT_LIMITS,
): Promise<Buffer> {
  const input = await openInput(path, limits);
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of input.chunks) {
    length += chunk.length;
    if (length > maxBytes) {
      throw new InputError({
        file: path,
        expectation: `is larger than ${maxBytes} bytes, which no such file is`,
      });
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
