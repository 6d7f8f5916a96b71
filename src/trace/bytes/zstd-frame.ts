/**
 * The parts of a zstd file that say how long the next part is: headers of frames and blocks.
 *
 * The library that unpacks does not tell what it would need, how far it got, or why it stopped. Whoever knows where
 * frames and blocks end can tell a cut file from a damaged one, and refuse a window before memory is taken for it.
 */

export const FRAME_MAGIC = 0xfd2f_b528;
export const MAGIC_BYTES = 4;
/** a skippable frame: magic and length */
export const SKIPPABLE_HEADER_BYTES = 8;
export const BLOCK_HEADER_BYTES = 3;
export const CHECKSUM_BYTES = 4;

const SKIPPABLE_MAGIC = 0x184d_2a50;
const DESCRIPTOR = 4;
const DICTIONARY_ID_BYTES = [0, 1, 2, 4];
const MIN_WINDOW_LOG = 10;
/** A content size in two bytes counts from here. */
const TWO_BYTE_SIZE_OFFSET = 256;

export interface FrameHeader {
  readonly bytes: number;
  /** what must be remembered to unpack it, in bytes */
  readonly window_bytes: number;
  /** what it unpacks to, if it says so; exact up to 2^53 */
  readonly content_bytes: number | undefined;
  /** 0 for none */
  readonly dictionary: number;
  readonly hasChecksum: boolean;
  /** uses a bit that has no meaning yet */
  readonly isReserved: boolean;
}

export type BlockKind = 'raw' | 'repeat' | 'packed' | 'reserved';
const BLOCK_KINDS: readonly BlockKind[] = ['raw', 'repeat', 'packed', 'reserved'];

export interface BlockHeader {
  readonly isLast: boolean;
  readonly kind: BlockKind;
  /** unpacked bytes for `raw` and `repeat`, packed ones for `packed` */
  readonly size: number;
  /** bytes behind the header */
  readonly bytes: number;
}

export function isSkippable(magic: number): boolean {
  return (magic & 0xffff_fff0) >>> 0 === SKIPPABLE_MAGIC;
}

/** How long a frame's header is, told by its first five bytes. */
export function frameHeaderBytes(head: Buffer): number {
  const descriptor = head.readUInt8(DESCRIPTOR);
  const isSingle = (descriptor & 0x20) !== 0;
  const sizeCode = descriptor >> 6;
  const sizeBytes = sizeCode === 0 ? (isSingle ? 1 : 0) : 1 << sizeCode;
  return DESCRIPTOR + 1 + (isSingle ? 0 : 1) + (DICTIONARY_ID_BYTES[descriptor & 3] as number) + sizeBytes;
}

/** @param head  the whole header, see {@link frameHeaderBytes} */
export function parseFrameHeader(head: Buffer): FrameHeader {
  const bytes = frameHeaderBytes(head);
  const descriptor = head.readUInt8(DESCRIPTOR);
  const isSingle = (descriptor & 0x20) !== 0;
  let at = DESCRIPTOR + 1;
  let window_bytes = 0;
  if (!isSingle) {
    const code = head.readUInt8(at++);
    const base = 2 ** (MIN_WINDOW_LOG + (code >> 3));
    window_bytes = base + (base / 8) * (code & 7);
  }
  const idBytes = DICTIONARY_ID_BYTES[descriptor & 3] as number;
  const dictionary = idBytes === 0 ? 0 : head.readUIntLE(at, idBytes);
  at += idBytes;
  let content_bytes: number | undefined;
  if (bytes - at === 8) content_bytes = Number(head.readBigUInt64LE(at));
  else if (bytes > at) content_bytes = head.readUIntLE(at, bytes - at);
  if (bytes - at === 2) content_bytes = (content_bytes ?? 0) + TWO_BYTE_SIZE_OFFSET;
  return {
    bytes,
    window_bytes: isSingle ? (content_bytes ?? 0) : window_bytes,
    content_bytes,
    dictionary,
    hasChecksum: (descriptor & 4) !== 0,
    isReserved: (descriptor & 8) !== 0,
  };
}

export function parseBlockHeader(head: Buffer): BlockHeader {
  const word = head.readUIntLE(0, BLOCK_HEADER_BYTES);
  const kind = BLOCK_KINDS[(word >> 1) & 3] as BlockKind;
  const size = word >> 3;
  return { isLast: (word & 1) !== 0, kind, size, bytes: kind === 'repeat' ? 1 : size };
}
