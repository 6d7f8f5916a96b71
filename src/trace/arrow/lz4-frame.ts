/**
 * Unpacks one LZ4 frame of known size: how pandas and others compress the batches of a Feather file by default.
 *
 * Every length is checked against both ends, so damaged data ends with a refusal and not with a wrong read. Checksums are
 * not looked at. https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md
 */
import type { Fail } from './flatbuffer.js';

const MAGIC = 0x184d_2204;
const UNCOMPRESSED = 0x8000_0000;
const MIN_MATCH = 4;

const Flag = { dictionary: 1, contentChecksum: 4, contentSize: 8, blockChecksum: 16 } as const;

/** Unpacks one block behind what `output` holds up to `at`. @returns where the output ends then */
function unpackBlock(input: Uint8Array, output: Uint8Array, at: number, fail: Fail): number {
  let from = 0;
  let to = at;
  const more = (length: number): number => {
    let total = length;
    let byte = 255;
    while (byte === 255) {
      if (from >= input.length) fail('its LZ4 data is damaged');
      byte = input[from++] as number;
      total += byte;
    }
    return total;
  };
  while (from < input.length) {
    const token = input[from++] as number;
    const literals = token >> 4 === 15 ? more(15) : token >> 4;
    if (from + literals > input.length || to + literals > output.length) fail('its LZ4 data is damaged');
    output.set(input.subarray(from, from + literals), to);
    from += literals;
    to += literals;
    if (from === input.length) break;
    if (from + 2 > input.length) fail('its LZ4 data is damaged');
    const distance = (input[from] as number) | ((input[from + 1] as number) << 8);
    from += 2;
    const length = MIN_MATCH + ((token & 15) === 15 ? more(15) : token & 15);
    if (distance === 0 || distance > to || to + length > output.length) fail('its LZ4 data is damaged');
    if (distance >= length) output.copyWithin(to, to - distance, to - distance + length);
    // A match that overlaps itself repeats what it has just written.
    else for (let i = to; i < to + length; i++) output[i] = output[i - distance] as number;
    to += length;
  }
  return to;
}

/**
 * Unpacks `input` so that it fills `output`.
 *
 * @param fail  called for data that is damaged or of another size
 */
export function unpackLz4(input: Uint8Array, output: Uint8Array, fail: Fail): void {
  const view = new DataView(input.buffer, input.byteOffset, input.byteLength);
  const wordAt = (at: number): number =>
    at + 4 > input.length ? fail('its LZ4 data is cut') : view.getUint32(at, true);
  if (wordAt(0) !== MAGIC) fail('its LZ4 data is damaged');
  const flags = view.getUint8(4);
  let at = 7 + ((flags & Flag.contentSize) !== 0 ? 8 : 0) + ((flags & Flag.dictionary) !== 0 ? 4 : 0);
  let to = 0;
  for (;;) {
    const word = wordAt(at);
    at += 4;
    if (word === 0) break;
    const length = word % UNCOMPRESSED;
    if (at + length > input.length) fail('its LZ4 data is cut');
    const block = input.subarray(at, at + length);
    if (word < UNCOMPRESSED) {
      to = unpackBlock(block, output, to, fail);
    } else {
      if (to + length > output.length) fail('its LZ4 data is damaged');
      output.set(block, to);
      to += length;
    }
    at += length + ((flags & Flag.blockChecksum) !== 0 ? 4 : 0);
  }
  if (to !== output.length) fail('its LZ4 data has another size than it says');
}
