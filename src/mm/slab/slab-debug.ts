/**
 * `slab_debug=` of the boot line: which caches are debugged, and how.
 *
 *     FZPU                      all caches
 *     FZ,kmalloc-64,dentry*     these only
 *     Z;FZPU,kmalloc-1k         all with Z, one with more
 *     -                         none
 *
 * model: slub 3.6a
 */
import {
  SLAB_CONSISTENCY_CHECKS,
  SLAB_DEBUG_FZPU,
  SLAB_NO_USER_FLAGS,
  SLAB_NOLEAKTRACE,
  SLAB_POISON,
  SLAB_RED_ZONE,
  SLAB_STORE_USER,
  SLAB_TRACE,
} from './slab-flags.js';

const LETTERS: ReadonlyMap<string, number> = new Map([
  ['-', 0],
  ['f', SLAB_CONSISTENCY_CHECKS],
  ['z', SLAB_RED_ZONE],
  ['p', SLAB_POISON],
  ['u', SLAB_STORE_USER],
  ['t', SLAB_TRACE],
  // Made-up failures: nothing of a slab's shape or of its locks changes.
  ['a', 0],
  ['o', 0],
]);

interface DebugBlock {
  readonly flags: number;
  /** names, or beginnings of names where they end in a star */
  readonly patterns: readonly string[];
}

export interface SlabDebug {
  /** of caches that no block names */
  readonly flags: number;
  /** blocks with names; the first that names a cache decides */
  readonly blocks: readonly DebugBlock[];
  /** O: caches whose smallest slab would need a larger order are left without what takes room */
  readonly keepsOrder: boolean;
  /** letters that mean nothing */
  readonly unknown: string;
}

/** @param text value of the option; the empty text stands for a boot line without it */
export function parseSlabDebug(text: string): SlabDebug {
  const blocks: DebugBlock[] = [];
  let flags = 0;
  let keepsOrder = false;
  let unknown = '';
  for (const block of text.split(';')) {
    if (block === '') continue;
    const [letters = '', ...patterns] = block.split(',');
    const parsed = parseLetters(letters, patterns.length > 0);
    keepsOrder ||= parsed.keepsOrder;
    unknown += parsed.unknown;
    if (patterns.length > 0) blocks.push({ flags: parsed.flags, patterns });
    else flags = parsed.flags;
  }
  return { flags, blocks, keepsOrder, unknown };
}

/** Names alone, behind a comma, mean everything for them. */
function parseLetters(letters: string, hasNames: boolean) {
  let flags = letters === '' && hasNames ? SLAB_DEBUG_FZPU : 0;
  let keepsOrder = false;
  let unknown = '';
  for (const letter of letters.toLowerCase()) {
    const flag = LETTERS.get(letter);
    if (flag === undefined) unknown += letter;
    else flags = letter === '-' ? 0 : flags | flag;
    if (letter === 'o') keepsOrder = true;
  }
  return { flags, keepsOrder, unknown };
}

/** Flags of a cache with those that the boot line adds. */
export function withDebugFlags(debug: SlabDebug, name: string, flags: number): number {
  if (flags & SLAB_NO_USER_FLAGS) return flags;
  for (const block of debug.blocks)
    if (block.patterns.some((pattern) => isNamedBy(pattern, name))) return flags | block.flags;
  // Caches of the debugging tools themselves keep no stack traces unless they are named.
  return flags | (flags & SLAB_NOLEAKTRACE ? debug.flags & ~SLAB_STORE_USER : debug.flags);
}

/** Whatever stands behind a star is not looked at. */
function isNamedBy(pattern: string, name: string): boolean {
  const star = pattern.indexOf('*');
  return star < 0 ? name === pattern : name.startsWith(pattern.slice(0, star));
}
