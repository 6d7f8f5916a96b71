/**
 * gfp masks as text, in the words of each kernel generation.
 *
 * The kernel prints a mask by walking a table: an entry whose bits are all still set is printed and its bits are taken
 * away, what is left at the end is printed as hex. The tables differ between generations in order and in values
 * (GFP_ATOMIC, GFP_NOWAIT), so the same words mean different bits. model: gfp A2, A3; page-allocator 1, 7.1
 */
import {
  GFP_ACCOUNT_BIT,
  GFP_ATOMIC,
  GFP_ATOMIC_BIT,
  GFP_COMP_BIT,
  GFP_DIRECT_RECLAIM_BIT,
  GFP_DMA_BIT,
  GFP_DMA32_BIT,
  GFP_FS_BIT,
  GFP_HARDWALL_BIT,
  GFP_HIGH_BIT,
  GFP_HIGHMEM_BIT,
  GFP_HIGHUSER,
  GFP_HIGHUSER_MOVABLE,
  GFP_IO_BIT,
  GFP_KERNEL,
  GFP_KSWAPD_RECLAIM_BIT,
  GFP_MEMALLOC_BIT,
  GFP_MOVABLE_BIT,
  GFP_NOFAIL_BIT,
  GFP_NOMEMALLOC_BIT,
  GFP_NORETRY_BIT,
  GFP_NOWARN_BIT,
  GFP_RECLAIM,
  GFP_RECLAIMABLE_BIT,
  GFP_RETRY_MAYFAIL_BIT,
  GFP_THISNODE_BIT,
  GFP_USER,
  GFP_WRITE_BIT,
  GFP_ZERO_BIT,
  GFP_ZEROTAGS_BIT,
} from '../mm/gfp.js';
import type { KernelGeneration } from './kernel-generation.js';

type Entry = readonly [name: string, bits: number];

const GFP_TRANSHUGE_LIGHT =
  (GFP_HIGHUSER_MOVABLE | GFP_COMP_BIT | GFP_NOMEMALLOC_BIT | GFP_NOWARN_BIT) & ~GFP_RECLAIM;
/** Its place depends on the configuration; this is the one without LOCKDEP and KASAN_HW_TAGS. model: gfp A1 */
const GFP_NO_OBJ_EXT_BIT = 0x100_0000;

const MOVABLE_AND_USER: readonly Entry[] = [
  ['GFP_TRANSHUGE', GFP_TRANSHUGE_LIGHT | GFP_DIRECT_RECLAIM_BIT],
  ['GFP_TRANSHUGE_LIGHT', GFP_TRANSHUGE_LIGHT],
  ['GFP_HIGHUSER_MOVABLE', GFP_HIGHUSER_MOVABLE],
  ['GFP_HIGHUSER', GFP_HIGHUSER],
  ['GFP_USER', GFP_USER],
  ['GFP_KERNEL_ACCOUNT', GFP_KERNEL | GFP_ACCOUNT_BIT],
  ['GFP_KERNEL', GFP_KERNEL],
  ['GFP_NOFS', GFP_RECLAIM | GFP_IO_BIT],
];

const TABLE_6_1: readonly Entry[] = [
  ...MOVABLE_AND_USER,
  ['GFP_ATOMIC', GFP_ATOMIC | GFP_ATOMIC_BIT],
  ['GFP_NOIO', GFP_RECLAIM],
  ['GFP_NOWAIT', GFP_KSWAPD_RECLAIM_BIT],
  ['GFP_DMA', GFP_DMA_BIT],
  ['__GFP_HIGHMEM', GFP_HIGHMEM_BIT],
  ['GFP_DMA32', GFP_DMA32_BIT],
  ['__GFP_HIGH', GFP_HIGH_BIT],
  ['__GFP_ATOMIC', GFP_ATOMIC_BIT],
  ['__GFP_IO', GFP_IO_BIT],
  ['__GFP_FS', GFP_FS_BIT],
  ['__GFP_NOWARN', GFP_NOWARN_BIT],
  ['__GFP_RETRY_MAYFAIL', GFP_RETRY_MAYFAIL_BIT],
  ['__GFP_NOFAIL', GFP_NOFAIL_BIT],
  ['__GFP_NORETRY', GFP_NORETRY_BIT],
  ['__GFP_COMP', GFP_COMP_BIT],
  ['__GFP_ZERO', GFP_ZERO_BIT],
  ['__GFP_NOMEMALLOC', GFP_NOMEMALLOC_BIT],
  ['__GFP_MEMALLOC', GFP_MEMALLOC_BIT],
  ['__GFP_HARDWALL', GFP_HARDWALL_BIT],
  ['__GFP_THISNODE', GFP_THISNODE_BIT],
  ['__GFP_RECLAIMABLE', GFP_RECLAIMABLE_BIT],
  ['__GFP_MOVABLE', GFP_MOVABLE_BIT],
  ['__GFP_ACCOUNT', GFP_ACCOUNT_BIT],
  ['__GFP_WRITE', GFP_WRITE_BIT],
  ['__GFP_RECLAIM', GFP_RECLAIM],
  ['__GFP_DIRECT_RECLAIM', GFP_DIRECT_RECLAIM_BIT],
  ['__GFP_KSWAPD_RECLAIM', GFP_KSWAPD_RECLAIM_BIT],
  ['__GFP_ZEROTAGS', GFP_ZEROTAGS_BIT],
];

const TABLE_6_18: readonly Entry[] = [
  ...MOVABLE_AND_USER,
  ['GFP_ATOMIC', GFP_ATOMIC],
  ['GFP_NOIO', GFP_RECLAIM],
  ['GFP_NOWAIT', GFP_KSWAPD_RECLAIM_BIT | GFP_NOWARN_BIT],
  ['GFP_DMA', GFP_DMA_BIT],
  ['GFP_DMA32', GFP_DMA32_BIT],
  ['__GFP_RECLAIM', GFP_RECLAIM],
  ['__GFP_DMA', GFP_DMA_BIT],
  ['__GFP_HIGHMEM', GFP_HIGHMEM_BIT],
  ['__GFP_DMA32', GFP_DMA32_BIT],
  ['__GFP_MOVABLE', GFP_MOVABLE_BIT],
  ['__GFP_RECLAIMABLE', GFP_RECLAIMABLE_BIT],
  ['__GFP_HIGH', GFP_HIGH_BIT],
  ['__GFP_IO', GFP_IO_BIT],
  ['__GFP_FS', GFP_FS_BIT],
  ['__GFP_ZERO', GFP_ZERO_BIT],
  ['__GFP_DIRECT_RECLAIM', GFP_DIRECT_RECLAIM_BIT],
  ['__GFP_KSWAPD_RECLAIM', GFP_KSWAPD_RECLAIM_BIT],
  ['__GFP_WRITE', GFP_WRITE_BIT],
  ['__GFP_NOWARN', GFP_NOWARN_BIT],
  ['__GFP_RETRY_MAYFAIL', GFP_RETRY_MAYFAIL_BIT],
  ['__GFP_NOFAIL', GFP_NOFAIL_BIT],
  ['__GFP_NORETRY', GFP_NORETRY_BIT],
  ['__GFP_MEMALLOC', GFP_MEMALLOC_BIT],
  ['__GFP_COMP', GFP_COMP_BIT],
  ['__GFP_NOMEMALLOC', GFP_NOMEMALLOC_BIT],
  ['__GFP_HARDWALL', GFP_HARDWALL_BIT],
  ['__GFP_THISNODE', GFP_THISNODE_BIT],
  ['__GFP_ACCOUNT', GFP_ACCOUNT_BIT],
  ['__GFP_ZEROTAGS', GFP_ZEROTAGS_BIT],
  ['__GFP_NO_OBJ_EXT', GFP_NO_OBJ_EXT_BIT],
];

const TABLES: Readonly<Record<KernelGeneration, readonly Entry[]>> = {
  '6.1': TABLE_6_1,
  '6.18': TABLE_6_18,
  '7.2': TABLE_6_18,
};

/**
 * Names that no table prints but that texts of other kernels hold. No bits: dead flags, and flags whose place depends
 * on the configuration and whose effect is not modelled. model: gfp A1, A3
 */
const OTHER_NAMES: readonly Entry[] = [
  ['__GFP_DMA', GFP_DMA_BIT],
  ['__GFP_DMA32', GFP_DMA32_BIT],
  ['__GFP_WAIT', GFP_RECLAIM],
  ['__GFP_REPEAT', GFP_RETRY_MAYFAIL_BIT],
  ['GFP_TEMPORARY', GFP_KERNEL | GFP_RECLAIMABLE_BIT],
  ['__GFP_ATOMIC', 0],
  ['__GFP_COLD', 0],
  ['__GFP_NOTRACK', 0],
  ['__GFP_OTHER_NODE', 0],
  ['__GFP_NOLOCKDEP', 0],
  ['__GFP_SKIP_ZERO', 0],
  ['__GFP_SKIP_KASAN', 0],
  ['__GFP_SKIP_KASAN_POISON', 0],
  ['__GFP_SKIP_KASAN_UNPOISON', 0],
  ['__GFP_NO_OBJ_EXT', 0],
  ['__GFP_NO_CODETAG', 0],
];

/** What a text says. `bits` holds all that was understood; `unknown` the pieces that were not. */
export interface GfpParse {
  readonly bits: number;
  readonly unknown: readonly string[];
}

/** A text costs memory forever, so hostile inputs with ever new texts are parsed without being remembered. */
const REMEMBERED_TEXTS = 4096;

/** The gfp vocabulary of one kernel generation. */
export class GfpDialect {
  readonly #table: readonly Entry[];
  readonly #values = new Map<string, number>();
  readonly #parsed = new Map<string, GfpParse>();

  constructor(readonly generation: KernelGeneration) {
    this.#table = TABLES[generation];
    for (const [name, bits] of this.#table) this.#values.set(name, bits);
    const addMissing = (name: string, bits: number) => {
      if (!this.#values.has(name)) this.#values.set(name, bits);
    };
    for (const [name, bits] of OTHER_NAMES) addMissing(name, bits);
    // Kernels before 4.6 printed single flags without the underscores: GFP_ZERO, GFP_WAIT.
    for (const [name, bits] of [...this.#values]) {
      if (name.startsWith('__')) addMissing(name.slice(2), bits);
    }
  }

  /** Every name that parse() understands. */
  get names(): Iterable<string> {
    return this.#values.keys();
  }

  /** Bits of a text: names and hex numbers in any order joined by `|`, or `none`, or nothing. Never throws. */
  parse(text: string): GfpParse {
    const known = this.#parsed.get(text);
    if (known !== undefined) return known;
    const parsed = this.#parseNew(text);
    if (this.#parsed.size < REMEMBERED_TEXTS) this.#parsed.set(text, parsed);
    return parsed;
  }

  #parseNew(text: string): GfpParse {
    if (text === '' || text === 'none') return { bits: 0, unknown: [] };
    let bits = 0;
    const unknown: string[] = [];
    for (const piece of text.split('|')) {
      const value = /^0[xX][0-9a-fA-F]{1,8}$/.test(piece) ? Number(piece) : this.#values.get(piece);
      if (value === undefined) unknown.push(piece);
      else bits |= value;
    }
    return { bits: bits >>> 0, unknown };
  }

  /** The text that this generation's kernel prints for `bits`. */
  format(bits: number): string {
    let rest = bits >>> 0;
    if (rest === 0) return 'none';
    const names: string[] = [];
    for (const [name, value] of this.#table) {
      if ((rest & value) >>> 0 !== value) continue;
      names.push(name);
      rest = (rest & ~value) >>> 0;
    }
    if (rest !== 0) names.push(`0x${rest.toString(16)}`);
    return names.join('|');
  }
}

const dialects = new Map<KernelGeneration, GfpDialect>();

/** The shared dialect of a generation. */
export function gfpDialect(generation: KernelGeneration): GfpDialect {
  let dialect = dialects.get(generation);
  if (dialect === undefined) {
    dialect = new GfpDialect(generation);
    dialects.set(generation, dialect);
  }
  return dialect;
}
