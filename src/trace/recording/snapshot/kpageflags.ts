/**
 * /proc/kpageflags: one little-endian 64-bit word of flags per PFN, from 0. Streamed: 8 bytes for every 4 KiB of
 * physical address space are reduced to one byte per page while they are read.
 *
 * Bit 10 (buddy) is set on every page of a free block; pages on per-CPU lists are free without it.
 */
import { InputError } from '../../input-error.js';

/** What a page is used for: the low four bits of its class byte. */
export const PageClass = {
  /** no memory behind this PFN */
  absent: 0,
  /** on a free list of the buddy allocator */
  free: 1,
  slab: 2,
  /** on an LRU list, backed by a file */
  file: 3,
  /** anonymous memory */
  anon: 4,
  page_table: 5,
  /** hugetlb */
  huge: 6,
  offline: 7,
  hwpoison: 8,
  /** in use, or on a per-CPU list: kernel memory that leaves no flag */
  other: 9,
  /** never given to the allocator: firmware, the kernel's image, the array of page descriptors */
  reserved: 10,
} as const;
export type PageClass = (typeof PageClass)[keyof typeof PageClass];
export const PAGE_CLASS_NAMES: readonly string[] = Object.keys(PageClass);
export const PAGE_CLASS_MASK = 0x0f;

/** The high four bits of a class byte. */
export const PageMark = { compound_head: 0x10, compound_tail: 0x20, thp: 0x40, unevictable: 0x80 } as const;

export interface Kpageflags {
  /** by PFN: PageClass | PageMark; tail pages have the class of their head where they show none of their own */
  readonly classes: Uint8Array;
  /** pages by PageClass */
  readonly counts: readonly number[];
  /** the low 32 bits of the words, if asked for */
  readonly raw: Uint32Array | undefined;
}

const LRU = 1 << 5;
const SLAB = 1 << 7;
const BUDDY = 1 << 10;
const ANON = 1 << 12;
const HEAD = 1 << 15;
const TAIL = 1 << 16;
const HUGE = 1 << 17;
const UNEVICTABLE = 1 << 18;
const HWPOISON = 1 << 19;
const NOPAGE = 1 << 20;
const THP = 1 << 22;
const OFFLINE = 1 << 23;
const PGTABLE = 1 << 26;
/** Bit 32, which is bit 0 of the high half. */
const RESERVED_HIGH = 1;

function classOf(word: number, reserved: number): PageClass {
  if ((word & NOPAGE) !== 0) return PageClass.absent;
  if ((word & BUDDY) !== 0) return PageClass.free;
  if ((word & HWPOISON) !== 0) return PageClass.hwpoison;
  if ((word & SLAB) !== 0) return PageClass.slab;
  if ((word & HUGE) !== 0) return PageClass.huge;
  if ((word & PGTABLE) !== 0) return PageClass.page_table;
  if ((word & OFFLINE) !== 0) return PageClass.offline;
  if ((word & ANON) !== 0) return PageClass.anon;
  if ((word & LRU) !== 0) return PageClass.file;
  return reserved !== 0 ? PageClass.reserved : PageClass.other;
}

export interface KpageflagsOptions {
  readonly keepRaw?: boolean | undefined;
  /** more words than this are refused; there is one for each page of the address space, holes included */
  readonly maxPages?: number | undefined;
}

/** A class is a byte: what typed arrays can hold is more than any machine has. */
const MAX_PAGES = 2 ** 32;

/** Reads all words of `chunks`. @throws InputError if they end inside a word, or are too many */
export async function readKpageflags(
  chunks: AsyncIterable<Uint8Array>,
  file: string,
  options: KpageflagsOptions = {},
): Promise<Kpageflags> {
  let classes = new Uint8Array(1 << 20);
  let raw = options.keepRaw === true ? new Uint32Array(1 << 20) : undefined;
  const counts: number[] = PAGE_CLASS_NAMES.map(() => 0);
  const maxPages = Math.min(options.maxPages ?? MAX_PAGES, MAX_PAGES);
  let pages = 0;
  let headClass: number = PageClass.other;
  // Words repeat in long runs: the class of the last one is kept.
  let lastWord = -1;
  let lastReserved = 0;
  let lastByte = 0;

  const takeWords = (words: Int32Array) => {
    const count = words.length >> 1;
    if (pages + count > maxPages) {
      throw new InputError({
        file,
        expectation: `describes more than ${maxPages.toLocaleString('en-US')} pages`,
        remedy: 'raise --max-machine if that is right',
      });
    }
    if (pages + count > classes.length) {
      const capacity = Math.max(classes.length * 2, pages + count);
      const grown = new Uint8Array(capacity);
      grown.set(classes);
      classes = grown;
      if (raw !== undefined) {
        const grownRaw = new Uint32Array(capacity);
        grownRaw.set(raw);
        raw = grownRaw;
      }
    }
    for (let i = 0; i < count; i++) {
      const word = words[2 * i] as number;
      const reserved = (words[2 * i + 1] as number) & RESERVED_HIGH;
      if (word !== lastWord || reserved !== lastReserved || (word & TAIL) !== 0) {
        let kind: number = classOf(word, reserved);
        if ((word & TAIL) !== 0 && kind === PageClass.other) kind = headClass;
        if ((word & HEAD) !== 0) headClass = kind;
        lastWord = word;
        lastReserved = reserved;
        lastByte =
          kind |
          ((word & HEAD) !== 0 ? PageMark.compound_head : 0) |
          ((word & TAIL) !== 0 ? PageMark.compound_tail : 0) |
          ((word & THP) !== 0 ? PageMark.thp : 0) |
          ((word & UNEVICTABLE) !== 0 ? PageMark.unevictable : 0);
      }
      classes[pages] = lastByte;
      (counts[lastByte & PAGE_CLASS_MASK] as number)++;
      if (raw !== undefined) raw[pages] = word;
      pages++;
    }
  };

  let carry = new Uint8Array(0);
  for await (const chunk of chunks) {
    let bytes = chunk;
    if (carry.length > 0) {
      bytes = new Uint8Array(carry.length + chunk.length);
      bytes.set(carry);
      bytes.set(chunk, carry.length);
    }
    const whole = bytes.length & ~7;
    // A view needs an aligned start; copying is cheaper than reading byte by byte.
    const aligned = (bytes.byteOffset & 3) === 0 ? bytes.subarray(0, whole) : bytes.slice(0, whole);
    takeWords(new Int32Array(aligned.buffer, aligned.byteOffset, whole >> 2));
    carry = bytes.slice(whole);
  }
  if (carry.length > 0) {
    throw new InputError({
      file,
      expectation: `ends in the middle of a word (${pages * 8 + carry.length} bytes)`,
      remedy: 'copy it again from /proc/kpageflags',
    });
  }
  return { classes: classes.slice(0, pages), counts, raw: raw?.slice(0, pages) };
}
