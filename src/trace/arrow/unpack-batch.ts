/**
 * Batches whose buffers are compressed one by one, as pandas and Polars write them: the same batch with plain buffers.
 */
import { InputError } from '../input-error.js';
import type { TraceLimits } from '../limits.js';
import type { Fail } from './flatbuffer.js';
import { padded } from './ipc-encode.js';
import { type BatchHeader, Codec } from './ipc-metadata.js';

const PREFIX_BYTES = 8;
/** Length that says that a buffer stands there as it is. */
const PLAIN = -1;
/** Largest batch when unpacked, and what it may be without being weighed against its packed size. */
const MAX_BYTES = 2 ** 30;
const FREE_BYTES = 64 << 20;

/** Unpacks `input` so that it fills `output`. */
type Unpack = (input: Uint8Array, output: Uint8Array) => Promise<void> | void;

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

async function unpackerOf(codec: number, file: string, fail: Fail): Promise<Unpack> {
  if (codec === Codec.lz4) {
    const { unpackLz4 } = await import('./lz4-frame.js');
    return (input, output) => unpackLz4(input, output, fail);
  }
  const { zstdChunks } = await import('../bytes/zstd-chunks.js');
  return async (input, output) => {
    let at = 0;
    for await (const chunk of zstdChunks(once(input), file)) {
      if (at + chunk.length > output.length) fail('its zstd data has another size than it says');
      output.set(chunk, at);
      at += chunk.length;
    }
    if (at < output.length) fail('its zstd data has another size than it says');
  };
}

/**
 * The batch with plain buffers, and their bytes.
 *
 * @throws InputError  if the data is damaged, or larger than the limits allow
 */
export async function unpackBatch(
  batch: BatchHeader,
  body: Uint8Array,
  limits: TraceLimits,
  file: string,
  fail: Fail,
): Promise<{ readonly batch: BatchHeader; readonly body: Uint8Array }> {
  const unpack = await unpackerOf(batch.codec, file, fail);
  const lengths: number[] = [];
  const packed: Uint8Array[] = [];
  const isPlain: boolean[] = [];
  let total = 0;
  for (let i = 0; i < batch.buffers.length; i += 2) {
    const offset = batch.buffers[i] as number;
    const bytes = body.subarray(offset, offset + (batch.buffers[i + 1] as number));
    packed.push(bytes);
    if (bytes.length === 0) {
      lengths.push(0);
      isPlain.push(true);
      continue;
    }
    if (bytes.length < PREFIX_BYTES) fail('a compressed buffer has no length');
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const said = Number(view.getBigInt64(0, true));
    const length = said === PLAIN ? bytes.length - PREFIX_BYTES : said;
    if (length < 0) fail('a compressed buffer has a negative length');
    lengths.push(length);
    isPlain.push(said === PLAIN);
    total += padded(length);
  }
  const allowed = Math.min(MAX_BYTES, Math.max(FREE_BYTES, body.length * limits.inflation_ratio));
  if (total > allowed) {
    throw new InputError({
      file,
      expectation: `has a batch that unpacks to ${total.toLocaleString('en-US')} bytes, more than allowed`,
      remedy: 'write it with smaller batches, or without compression',
    });
  }
  const plain = new Uint8Array(total);
  const buffers = new Float64Array(batch.buffers.length);
  let at = 0;
  for (const [i, bytes] of packed.entries()) {
    const length = lengths[i] as number;
    const output = plain.subarray(at, at + length);
    const input = bytes.subarray(PREFIX_BYTES);
    if (isPlain[i]) output.set(input);
    else if (length > 0) await unpack(input, output);
    buffers[2 * i] = at;
    buffers[2 * i + 1] = length;
    at += padded(length);
  }
  return { batch: { ...batch, buffers, codec: Codec.none }, body: plain };
}
