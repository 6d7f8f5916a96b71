/**
 * Whether texts can be taken over in bulk: all of them plain, none empty, and no two alike.
 *
 * A file's dictionary of ids is most of what its reader has to do. A string table looks every one up; where the table is
 * still empty and the texts are known to differ, their bytes can be copied as they are, and the lookup is left out.
 * Arrow does not promise that a dictionary's entries differ, so that is found out here. Ids that count up are seen to
 * differ from their neighbours; others are sorted into buckets by their hash, each small enough for the cache.
 */
const HASH_FACTOR = 0x9e37_79b1;
const MIX_FACTOR = 0x85eb_ca6b;
const TAB = 0x09;
const SPACE = 0x20;
const DELETE = 0x7f;
/** Texts of a bucket, about. */
const BUCKET_TEXTS = 1024;

/** Texts behind each other; text i ends where text i+1 starts. */
interface Texts {
  readonly bytes: Uint8Array;
  readonly offsets: Int32Array;
  readonly count: number;
}

/**
 * Whether the `count` texts of `bytes` between the offsets are printable ASCII of 1 to `longest` characters each, and
 * all different.
 */
export function areDistinct(bytes: Uint8Array, offsets: Int32Array, count: number, longest: number): boolean {
  const texts: Texts = { bytes, offsets, count };
  return arePlain(texts, longest) && (areAscending(texts) || haveNoTwins(texts));
}

function arePlain({ bytes, offsets, count }: Texts, longest: number): boolean {
  for (let i = 0; i < count; i++) {
    const length = (offsets[i + 1] as number) - (offsets[i] as number);
    if (length === 0 || length > longest) return false;
  }
  const end = offsets[count] as number;
  for (let at = offsets[0] as number; at < end; at++) {
    const byte = bytes[at] as number;
    if ((byte < SPACE && byte !== TAB) || byte >= DELETE) return false;
  }
  return true;
}

/** Whether each text is longer than the one before, or as long and greater: `a9`, `a10`, `a11`. */
function areAscending({ bytes, offsets, count }: Texts): boolean {
  let before = offsets[0] as number;
  for (let i = 1; i < count; i++) {
    const start = offsets[i] as number;
    const length = (offsets[i + 1] as number) - start;
    const longer = length - (start - before);
    if (longer < 0) return false;
    if (longer === 0) {
      let at = 0;
      while (at < length && bytes[before + at] === bytes[start + at]) at++;
      if (at === length || (bytes[before + at] as number) > (bytes[start + at] as number)) return false;
    }
    before = start;
  }
  return true;
}

function hashOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = end - start;
  for (let at = start; at < end; at++)
    hash = Math.imul(hash ^ (bytes[at] as number), HASH_FACTOR) ^ (hash >>> 15);
  hash = Math.imul(hash ^ (hash >>> 16), MIX_FACTOR);
  return hash ^ (hash >>> 13);
}

/** Whether no two texts are alike, in any order. */
function haveNoTwins(texts: Texts): boolean {
  const { bytes, offsets, count } = texts;
  let bits = 0;
  while (BUCKET_TEXTS << bits < count && bits < 16) bits++;
  const buckets = 1 << bits;
  const shift = 32 - bits;
  const bucketOf = (hash: number) => (bits === 0 ? 0 : hash >>> shift);
  const hashes = new Int32Array(count);
  const starts = new Uint32Array(buckets + 1);
  for (let i = 0; i < count; i++) {
    const hash = hashOf(bytes, offsets[i] as number, offsets[i + 1] as number);
    hashes[i] = hash;
    (starts[bucketOf(hash) + 1] as number)++;
  }
  for (let bucket = 0; bucket < buckets; bucket++) (starts[bucket + 1] as number) += starts[bucket] as number;
  const next = starts.slice();
  // Hash and number of each text side by side, bucket by bucket.
  const sorted = new Int32Array(count * 2);
  for (let i = 0; i < count; i++) {
    const hash = hashes[i] as number;
    const bucket = bucketOf(hash);
    const to = next[bucket] as number;
    next[bucket] = to + 1;
    sorted[2 * to] = hash;
    sorted[2 * to + 1] = i;
  }
  let table = new Int32Array(BUCKET_TEXTS * 4);
  for (let bucket = 0; bucket < buckets; bucket++) {
    const from = starts[bucket] as number;
    const to = starts[bucket + 1] as number;
    while (table.length < (to - from) * 2) table = new Int32Array(table.length * 2);
    if (!isBucketDistinct(texts, sorted, from, to, table.fill(0))) return false;
  }
  return true;
}

/** @param table  of zeros, at least twice as long as the bucket; its length is a power of two */
function isBucketDistinct(
  texts: Texts,
  sorted: Int32Array,
  from: number,
  to: number,
  table: Int32Array,
): boolean {
  const mask = table.length - 1;
  for (let i = from; i < to; i++) {
    const hash = sorted[2 * i] as number;
    let slot = hash & mask;
    for (let known = table[slot] as number; known !== 0; known = table[slot] as number) {
      // A slot holds a place in `sorted`, plus 1.
      const other = known - 1;
      if (
        sorted[2 * other] === hash &&
        isSame(texts, sorted[2 * i + 1] as number, sorted[2 * other + 1] as number)
      )
        return false;
      slot = (slot + 1) & mask;
    }
    table[slot] = i + 1;
  }
  return true;
}

function isSame({ bytes, offsets }: Texts, one: number, other: number): boolean {
  const start = offsets[one] as number;
  const otherStart = offsets[other] as number;
  const length = (offsets[one + 1] as number) - start;
  if ((offsets[other + 1] as number) - otherStart !== length) return false;
  for (let at = 0; at < length; at++) if (bytes[start + at] !== bytes[otherStart + at]) return false;
  return true;
}
