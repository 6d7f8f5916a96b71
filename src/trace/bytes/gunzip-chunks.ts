/**
 * Gunzips a stream of chunks so that a damaged end costs only itself.
 *
 * Iterating a zlib stream directly loses what was decoded but not yet taken when an error strikes, and zlib ignores
 * bytes behind the last member. Here everything decoded is delivered first, and then the error says what was wrong.
 */
import { InputError, type InputProblem } from '../input-error.js';
import type { PackedMeter } from './inflation-guard.js';

/** Large: the pool thread inflates the next chunk while the reader parses the last one. */
const CHUNK_BYTES = 1 << 18;
/** What the piece with a damaged place held before it is lost with it, so pieces are as small as speed allows. */
const PIECE_BYTES = 1 << 14;
const QUEUED_CHUNKS = 8;

function problemOf(error: Error & { code?: string }): Omit<InputProblem, 'file'> {
  if (error.code === 'Z_BUF_ERROR') {
    return {
      expectation: 'ends in the middle of its gzip data',
      remedy: 'copy or record it again',
      isCut: true,
    };
  }
  // Whoever calls has seen the first member's magic.
  if (error.message === 'incorrect header check') {
    return { expectation: 'has other data behind its gzip data', remedy: 'cut it off' };
  }
  return { expectation: `holds damaged gzip data (${error.message})`, remedy: 'check it with gzip -t' };
}

function isPadding(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}

/** The decompressed bytes of `compressed`, which begins as gzip does; after the last good byte an InputError if the data is cut or damaged. */
export async function* gunzipChunks(
  compressed: AsyncIterable<Uint8Array>,
  file: string,
  meter: PackedMeter = { packedBytes: 0 },
): AsyncGenerator<Uint8Array> {
  const { createGunzip } = await import('node:zlib');
  const gunzip = createGunzip({ chunkSize: CHUNK_BYTES });
  const queue: { readonly chunk: Uint8Array; readonly packedBytes: number }[] = [];
  let fedBytes = 0;
  let lastFed: Uint8Array = new Uint8Array(0);
  let finished = false;
  let abandoned = false;
  let hasTrailing = false;
  let failure: { readonly error: unknown } | undefined;
  let wake = () => {};
  const settle = (error?: unknown) => {
    finished = true;
    if (error !== undefined) failure ??= { error };
    wake();
  };
  gunzip.on('data', (chunk: Buffer) => {
    queue.push({ chunk, packedBytes: gunzip.bytesWritten });
    if (queue.length >= QUEUED_CHUNKS) gunzip.pause();
    wake();
  });
  gunzip.on('end', () => settle());
  gunzip.on('error', (error) => settle(new InputError({ file, ...problemOf(error) })));

  /** The callback runs when the piece was taken in; after an error or an early end it may never do so. */
  const write = (piece: Uint8Array) =>
    new Promise<void>((resolve) => {
      gunzip.once('close', resolve);
      gunzip.write(piece, () => {
        gunzip.off('close', resolve);
        resolve();
      });
    });
  const feed = async () => {
    for await (const chunk of compressed) {
      for (let at = 0; at < chunk.length; at += PIECE_BYTES) {
        if (abandoned || failure !== undefined) return;
        const piece = chunk.subarray(at, at + PIECE_BYTES);
        if (finished) {
          // Zeros are the padding of tapes and block devices; anything else is data that would be lost in silence.
          hasTrailing ||= !isPadding(piece);
          if (hasTrailing) return;
          continue;
        }
        fedBytes += piece.length;
        lastFed = piece;
        await write(piece);
      }
    }
    if (!finished) gunzip.end();
  };
  // A source that fails is told after what it gave: the stream is let run dry first.
  const feeding = feed().catch((error: unknown) => {
    if (finished) return settle(error);
    failure ??= { error };
    gunzip.end();
  });

  try {
    for (;;) {
      const next = queue.shift();
      if (next !== undefined) {
        if (!finished && queue.length === 0) {
          gunzip.resume();
          // One turn of the event loop, so that the next piece is being inflated while this one is parsed.
          await new Promise((resolve) => setImmediate(resolve));
        }
        meter.packedBytes = next.packedBytes;
        yield next.chunk;
        continue;
      }
      if (finished) break;
      gunzip.resume();
      await new Promise<void>((resolve) => {
        wake = resolve;
        if (finished || queue.length > 0) resolve();
      });
    }
    if (failure === undefined) await feeding;
    if (failure !== undefined) throw (failure as { readonly error: unknown }).error;
    const trailing = Math.max(0, fedBytes - gunzip.bytesWritten);
    if (hasTrailing || !isPadding(lastFed.subarray(Math.max(0, lastFed.length - trailing)))) {
      throw new InputError({
        file,
        expectation: 'has other data behind its gzip data',
        remedy: 'cut it off',
      });
    }
  } finally {
    abandoned = true;
    gunzip.destroy();
  }
}
