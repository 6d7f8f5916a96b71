/**
 * Unpacks xz streams: several blocks, several streams behind each other, and an honest end when the data is cut.
 *
 * The decoder package takes a web stream. It goes on by itself when another xz stream begins within a piece of its
 * input, but takes the file for ended when an xz stream ends together with a piece; then it is started again here.
 */
import { createRequire } from 'node:module';
import { ReadableStream } from 'node:stream/web';
import { InputError } from '../input-error.js';
import type { PackedMeter } from './inflation-guard.js';

type XzModule = typeof import('xz-decompress');

/**
 * The package lets only one stream be decoded at a time and makes a second one wait for the first to end, which never
 * happens when one reader alternates between two files. So every open stream gets a copy of the package of its own.
 */
const idleModules: XzModule[] = [];

function takeModule(): XzModule {
  const idle = idleModules.pop();
  if (idle !== undefined) return idle;
  const require = createRequire(import.meta.url);
  const path = require.resolve('xz-decompress');
  delete require.cache[path];
  const loaded = require(path) as XzModule;
  delete require.cache[path];
  return loaded;
}

/** Error codes of the decoder's C core, by number. */
const DECODER_ERRORS: readonly string[] = [
  '',
  '',
  'uses a check that the decoder does not know',
  'needs more memory than there is',
  'needs a larger dictionary than allowed',
  'is no xz data',
  'uses options that the decoder does not know',
  'holds damaged xz data',
  'holds damaged xz data',
];

const FORMAT_ERROR = 5;

function otherData(file: string): InputError {
  return new InputError({ file, expectation: 'has other data behind its xz data', remedy: 'cut it off' });
}

function decoderError(error: unknown, file: string): InputError {
  const code = Number(/error code (\d+)/.exec(error instanceof Error ? error.message : '')?.[1] ?? 7);
  // Whoever calls has seen the first stream's magic.
  if (code === FORMAT_ERROR) {
    return otherData(file);
  }
  return new InputError({
    file,
    expectation: DECODER_ERRORS[code] || DECODER_ERRORS[7] || '',
    remedy: 'check it with xz -t, or unpack it and give the unpacked file',
  });
}

const MAGIC = Uint8Array.of(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00);
/** A stream's header and its footer have this length; the decoder asks for all of it before it looks. */
const HEADER_BYTES = 12;

/**
 * Whether the last bytes of a file are the end of a stream and some that begin no other one. The decoder takes fewer
 * than a header has for a stream that is cut.
 */
function endsInOtherData(tail: Uint8Array): boolean {
  for (let end = tail.length - 1; end >= HEADER_BYTES && tail.length - end < HEADER_BYTES; end--) {
    // A footer ends with a zero, the kind of check, and two letters.
    if (
      tail[end - 1] !== 0x5a ||
      tail[end - 2] !== 0x59 ||
      tail[end - 4] !== 0 ||
      (tail[end - 3] as number) > 0x0f
    )
      continue;
    const rest = tail.subarray(end);
    const start = rest.findIndex((byte) => byte !== 0);
    if (start >= 0 && !rest.subarray(start).every((byte, i) => i >= MAGIC.length || byte === MAGIC[i]))
      return true;
  }
  return false;
}

/** What the piece with a damaged place held before it is lost with it, so pieces are as small as speed allows. */
const PIECE_BYTES = 1 << 11;

/** The decompressed bytes of `compressed`, which begins as xz does; after the last good byte an InputError if the data is cut or damaged. */
export async function* xzChunks(
  compressed: AsyncIterable<Uint8Array>,
  file: string,
  meter: PackedMeter = { packedBytes: 0 },
): AsyncGenerator<Uint8Array> {
  const input = compressed[Symbol.asyncIterator]();
  let rest: Uint8Array = new Uint8Array(0);
  let sourceEnded = false;
  let sourceError: unknown;
  let tail: Uint8Array = new Uint8Array(0);
  const nextPiece = async (): Promise<Uint8Array | undefined> => {
    while (rest.length === 0 && !sourceEnded) {
      const next = await input.next();
      if (next.done === true) sourceEnded = true;
      else rest = next.value;
    }
    if (rest.length === 0) return undefined;
    const piece = rest.subarray(0, PIECE_BYTES);
    rest = rest.subarray(piece.length);
    meter.packedBytes += piece.length;
    tail = Buffer.concat([tail, piece]).subarray(-2 * HEADER_BYTES);
    return piece;
  };

  const module = takeModule();
  try {
    // One turn per xz stream of the file.
    for (;;) {
      let starved = false;
      const pieces = new ReadableStream<Uint8Array>(
        {
          async pull(controller) {
            try {
              const piece = await nextPiece();
              if (piece === undefined) {
                starved = true;
                controller.close();
                return;
              }
              controller.enqueue(piece);
            } catch (error) {
              sourceError = error;
              controller.error(error);
            }
          },
        },
        { highWaterMark: 0 },
      );
      const reader = new module.XzReadableStream(
        pieces as unknown as ConstructorParameters<XzModule['XzReadableStream']>[0],
      ).getReader();
      let finished = false;
      try {
        for (;;) {
          const { done, value } = await reader.read();
          if (done) break;
          if (value.length === 0) continue;
          yield value;
        }
        finished = true;
      } catch (error) {
        finished = true;
        if (sourceError !== undefined) throw sourceError;
        if (starved && endsInOtherData(tail)) throw otherData(file);
        if (starved) {
          throw new InputError({
            file,
            expectation: 'ends in the middle of its xz data',
            remedy: 'copy or record it again',
            isCut: true,
          });
        }
        throw decoderError(error, file);
      } finally {
        // The package fails when it is cancelled with its last output still waiting; all is released then anyway.
        if (!finished) await reader.cancel().catch(() => {});
      }

      // Behind the last whole piece: the end, padding, or the next stream.
      for (;;) {
        const next = await nextPiece();
        if (next === undefined) return;
        const start = next.findIndex((byte) => byte !== 0);
        if (start < 0) continue;
        rest = rest.length === 0 ? next.subarray(start) : Buffer.concat([next.subarray(start), rest]);
        break;
      }
    }
  } finally {
    idleModules.push(module);
    await input.return?.();
  }
}
