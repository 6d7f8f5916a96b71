/**
 * Packs what is written: gzip and zstd, the two that every tool reads.
 *
 * The same bytes give the same packed bytes, however they were cut into chunks: a written trace can be compared.
 */
import { createGzip } from 'node:zlib';
import { ZstdEncoder } from './zstd-codec.js';

const GZIP_LEVEL = 6;
const ZSTD_LEVEL = 3;
const PIECE_BYTES = 1 << 20;

/** The same bytes in pieces of PIECE_BYTES, the last one shorter. A piece is valid until the next one is asked for. */
async function* evenPieces(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const piece = Buffer.allocUnsafeSlow(PIECE_BYTES);
  let filled = 0;
  for await (const chunk of chunks) {
    let start = 0;
    while (start < chunk.length) {
      const end = Math.min(chunk.length, start + PIECE_BYTES - filled);
      piece.set(chunk.subarray(start, end), filled);
      filled += end - start;
      start = end;
      if (filled < PIECE_BYTES) continue;
      yield piece;
      filled = 0;
    }
  }
  if (filled > 0) yield piece.subarray(0, filled);
}

/** `chunks` as one gzip member. */
export async function* gzipChunks(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const gzip = createGzip({ level: GZIP_LEVEL, chunkSize: PIECE_BYTES });
  const packed: Uint8Array[] = [];
  gzip.on('data', (chunk: Buffer) => packed.push(chunk));
  try {
    for await (const piece of evenPieces(chunks)) {
      await new Promise<void>((resolve, reject) =>
        gzip.write(piece, (error) => (error ? reject(error) : resolve())),
      );
      yield* packed.splice(0);
    }
    const ended = new Promise((resolve, reject) => gzip.once('end', resolve).once('error', reject));
    gzip.end();
    await ended;
    yield* packed.splice(0);
  } finally {
    gzip.destroy();
  }
}

/** `chunks` as one zstd frame. */
export async function* zstdPackedChunks(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const encoder = await ZstdEncoder.create(ZSTD_LEVEL);
  try {
    for await (const piece of evenPieces(chunks)) {
      const packed = encoder.encode(piece);
      if (packed.length > 0) yield packed;
    }
    yield encoder.end();
  } finally {
    encoder.release();
  }
}
