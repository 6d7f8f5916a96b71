/**
 * Opens what the user named, a path or `-` for standard input, as a stream of plain bytes.
 *
 * Compression is told by the first bytes, never by the name.
 */
import { createReadStream } from 'node:fs';
import { fromSystemError, InputError } from '../input-error.js';

export type Compression = 'none' | 'gzip' | 'xz';

/** Plain bytes of one input, to be read once. */
export interface ByteInput {
  /** as errors should call it */
  readonly name: string;
  readonly compression: Compression;
  /** The decompressed bytes. Cut or damaged compressed data is delivered as far as it goes, then throws InputError. */
  readonly chunks: AsyncIterable<Uint8Array>;
}

const READ_BYTES = 1 << 20;
/** Enough for every magic number. */
const MAGIC_BYTES = 6;

async function* rawChunks(path: string): AsyncGenerator<Uint8Array> {
  const stream = path === '-' ? process.stdin : createReadStream(path, { highWaterMark: READ_BYTES });
  try {
    for await (const chunk of stream)
      yield typeof chunk === 'string' ? Buffer.from(chunk) : (chunk as Buffer);
  } catch (error) {
    throw fromSystemError(error, path);
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

function startsWith(head: Uint8Array, magic: readonly number[]): boolean {
  return head.length >= magic.length && magic.every((byte, i) => head[i] === byte);
}

/** Plain bytes out of `source`, whatever it is packed in. For tests and for inputs that are no files. */
export async function openChunks(source: AsyncIterable<Uint8Array>, name: string): Promise<ByteInput> {
  async function* own(): AsyncGenerator<Uint8Array> {
    yield* source;
  }
  const { head, chunks } = await peek(own(), MAGIC_BYTES);
  if (startsWith(head, [0x1f, 0x8b])) {
    const { gunzipChunks } = await import('./gunzip-chunks.js');
    return { name, compression: 'gzip', chunks: gunzipChunks(chunks, name) };
  }
  if (startsWith(head, [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00])) {
    const { xzChunks } = await import('./xz-chunks.js');
    return { name, compression: 'xz', chunks: xzChunks(chunks, name) };
  }
  if (startsWith(head, [0x28, 0xb5, 0x2f, 0xfd])) {
    throw new InputError({
      file: name,
      expectation: 'is zstd-compressed, which is not yet supported',
      remedy: 'unpack it with zstd -dc and give - to read standard input',
    });
  }
  return { name, compression: 'none', chunks };
}

/**
 * Opens a path or `-`.
 *
 * @throws InputError  if it cannot be read, or is packed in a way that is not supported
 */
export async function openInput(path: string): Promise<ByteInput> {
  return openChunks(rawChunks(path), path);
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
export async function readWholeInput(path: string, maxBytes = 64 << 20): Promise<Buffer> {
  const input = await openInput(path);
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
