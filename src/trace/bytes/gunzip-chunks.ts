/**
 * Gunzips a stream of chunks so that a damaged end costs only itself.
 *
 * Iterating a zlib stream directly loses what was decoded but not yet taken when an error strikes, and zlib ignores
 * bytes behind the last member. Here everything decoded is delivered first, and then the error says what was wrong.
 */
import { InputError } from '../input-error.js';

/** Large jobs: the pool thread inflates the next piece while the reader parses the last one. */
const CHUNK_BYTES = 1 << 20;
const QUEUED_CHUNKS = 4;

function reasonOf(
  error: Error & { code?: string },
  hasOutput: boolean,
): { expectation: string; remedy: string } {
  if (error.code === 'Z_BUF_ERROR') {
    return { expectation: 'ends in the middle of its gzip data', remedy: 'copy or record it again' };
  }
  if (hasOutput && error.message === 'incorrect header check') {
    return { expectation: 'has other data behind its gzip data', remedy: 'cut it off' };
  }
  return { expectation: `holds damaged gzip data (${error.message})`, remedy: 'check it with gzip -t' };
}

/** The decompressed bytes of `compressed`; after the last good byte an InputError if the data is cut or damaged. */
export async function* gunzipChunks(
  compressed: AsyncIterable<Uint8Array>,
  file: string,
): AsyncGenerator<Uint8Array> {
  const { createGunzip } = await import('node:zlib');
  const gunzip = createGunzip({ chunkSize: CHUNK_BYTES });
  const queue: Uint8Array[] = [];
  let fedBytes = 0;
  let lastFed: Uint8Array = new Uint8Array(0);
  let finished = false;
  let hasOutput = false;
  let failure: unknown;
  let wake = () => {};
  const settle = (error?: unknown) => {
    finished = true;
    failure ??= error;
    wake();
  };
  gunzip.on('data', (chunk: Buffer) => {
    queue.push(chunk);
    hasOutput = true;
    if (queue.length >= QUEUED_CHUNKS) gunzip.pause();
    wake();
  });
  gunzip.on('end', () => settle());
  gunzip.on('error', (error) => settle(new InputError({ file, ...reasonOf(error, hasOutput) })));

  const feed = async () => {
    for await (const chunk of compressed) {
      if (finished) break;
      fedBytes += chunk.length;
      lastFed = chunk;
      // The callback runs when the chunk was taken in; after an error or an early end it may never do so.
      await new Promise<void>((resolve) => {
        gunzip.once('close', resolve);
        gunzip.write(chunk, () => {
          gunzip.off('close', resolve);
          resolve();
        });
      });
    }
    if (!finished) gunzip.end();
  };
  const feeding = feed().catch((error: unknown) => settle(error));

  try {
    for (;;) {
      const chunk = queue.shift();
      if (chunk !== undefined) {
        if (!finished && queue.length === 0) {
          gunzip.resume();
          // One turn of the event loop, so that the next piece is being inflated while this one is parsed.
          await new Promise((resolve) => setImmediate(resolve));
        }
        yield chunk;
        continue;
      }
      if (finished) break;
      gunzip.resume();
      await new Promise<void>((resolve) => {
        wake = resolve;
        if (finished || queue.length > 0) resolve();
      });
    }
    await feeding;
    if (failure !== undefined) throw failure;
    const trailing = fedBytes - gunzip.bytesWritten;
    // Zeros are the padding of tapes and block devices; anything else is data that would be lost in silence.
    if (trailing > 0 && lastFed.subarray(Math.max(0, lastFed.length - trailing)).some((byte) => byte !== 0)) {
      throw new InputError({
        file,
        expectation: 'has other data behind its gzip data',
        remedy: 'cut it off',
      });
    }
  } finally {
    finished = true;
    gunzip.destroy();
  }
}
