/**
 * Which kernel wrote a trace text, told by its words: the order in which gfp names are printed, names that only some
 * kernels have, the fields of the events, the alphabet of the flag column.
 *
 * A sign says that the text is of `6.1`'s kind or of a later one. It is sure only where no kernel of another generation
 * prints the like; 6.18 and 7.2 print the same words, so between them nothing but a release in the text is sure.
 * model: page-allocator 7.1, 7.3, 10; gfp A3
 */
import { gfpDialect } from './gfp-text.js';
import { guessKernel, type KernelGeneration } from './kernel-generation.js';

export interface KernelTextGuess {
  readonly generation: KernelGeneration;
  /** no kernel of another generation prints such a text */
  readonly sure: boolean;
  /** the signs, in words, strongest first */
  readonly reasons: readonly string[];
}

interface Sign {
  /** the generation it speaks for; `6.18` stands for that and all later ones */
  readonly generation: KernelGeneration;
  readonly sure: boolean;
  readonly reason: string;
}

const LOOK_BYTES = 1 << 16;

/** Last names of the tables; the names that parse() understands besides stand behind them. */
const LAST_OLD_NAME = '__GFP_ZEROTAGS';
const LAST_NEW_NAME = '__GFP_NO_OBJ_EXT';

function printOrder(generation: KernelGeneration, last: string): ReadonlyMap<string, number> {
  const names = [...gfpDialect(generation).names];
  return new Map(names.slice(0, names.indexOf(last) + 1).map((name, place) => [name, place]));
}

/** Whether the names stand in the order of a table. Names that it does not have are passed over. */
function isInOrder(names: readonly string[], order: ReadonlyMap<string, number>): boolean {
  let last = -1;
  for (const name of names) {
    const place = order.get(name);
    if (place === undefined) continue;
    if (place < last) return false;
    last = place;
  }
  return true;
}

/** Kernels before 6.7 end at this version; the ones that are read as `6.1`. */
const OLD: KernelGeneration = '6.1';
const NEW: KernelGeneration = '6.18';

/** Signs in one gfp text. */
function gfpSigns(
  text: string,
  oldOrder: ReadonlyMap<string, number>,
  newOrder: ReadonlyMap<string, number>,
): Sign[] {
  const names = text.split('|');
  const has = (name: string) => names.includes(name);
  const signs: Sign[] = [];
  if (has('__GFP_ATOMIC')) {
    signs.push({ generation: OLD, sure: true, reason: 'gfp name __GFP_ATOMIC, which went with 6.3' });
  }
  if (has('GFP_NOWAIT') && has('__GFP_NOWARN')) {
    signs.push({
      generation: OLD,
      sure: true,
      reason: 'GFP_NOWAIT beside __GFP_NOWARN, which it holds since 6.7',
    });
  }
  if (has('__GFP_KSWAPD_RECLAIM') && !has('__GFP_NOWARN')) {
    signs.push({
      generation: NEW,
      sure: false,
      reason: '__GFP_KSWAPD_RECLAIM alone is no GFP_NOWAIT, since 6.7',
    });
  }
  const isOld = isInOrder(names, oldOrder);
  const isNew = isInOrder(names, newOrder);
  if (isOld && !isNew) {
    signs.push({ generation: OLD, sure: false, reason: `gfp names in the order of old kernels: ${text}` });
  } else if (isNew && !isOld) {
    signs.push({ generation: NEW, sure: false, reason: `gfp names in the order of new kernels: ${text}` });
  }
  return signs;
}

interface LinePattern extends Sign {
  readonly pattern: RegExp;
}

/** Signs in the fields of events and in the flag column. All patterns are bounded and read one line. */
const PATTERNS: readonly LinePattern[] = [
  {
    pattern: /^.{0,160}kmem_cache_alloc: .{1,300} name=.{1,120} bytes_req=/m,
    generation: NEW,
    sure: false,
    reason: 'kmem_cache_alloc names its cache, since 6.13',
  },
  {
    pattern:
      /^.{0,160}\b(?:mm_setup_per_zone_wmarks|mm_setup_per_zone_lowmem_reserve|mm_calculate_totalreserve_pages): /m,
    generation: NEW,
    sure: false,
    reason: 'events of the group kmem that came with 6.18',
  },
  {
    pattern:
      /^.{0,16}-\d{1,10} {1,64}(?:\(.{7,12}\) )?(?:\[\d{3,5}\] )?(?:\d{1,5})?[.dDbX][BlLb][.hHsSzZ][.0-9a-f]{2} /m,
    generation: NEW,
    sure: false,
    reason: 'flag column with lazy rescheduling, since 6.12',
  },
  {
    pattern: /^.{0,160}\b(?:kmalloc_node|kmem_cache_alloc_node): .{0,20}call_site=/m,
    generation: OLD,
    sure: false,
    reason: 'events kmalloc_node or kmem_cache_alloc_node, which went with 6.1',
  },
  {
    pattern:
      /^.{0,160}\b(?:kmalloc|kmem_cache_alloc): (?!.{0,400} node=).{1,300} gfp_flags=[^ \r\n]{1,200}\r?$/m,
    generation: OLD,
    sure: false,
    reason: 'slab events without node=, before 6.1',
  },
  {
    pattern:
      /^.{0,16}-\d{1,10} {1,64}(?:\(.{7,12}\) )?\[\d{3,5}\] [.dX][.nNp][.hHsSzZ][.0-9a-f] {1,9}\d{1,10}\.\d{6}: /m,
    generation: OLD,
    sure: false,
    reason: 'flag column of four characters, before 5.15',
  },
  {
    pattern: /^.{0,160}\bmm_page_\w{1,20}: {1,20}page=\S{1,20} pfn=\d{2,10} order=/m,
    generation: OLD,
    sure: false,
    reason: 'decimal pfn, of kernels older than 6.1',
  },
];

/** Releases that a header names: of the latency format, and of perf script --header. */
const RELEASE =
  /^# (?:\w{1,40} latency trace v\S{1,20} on|os release {0,16}:) {0,3}(\d{1,3}\.\d{1,4}[\w.+~-]{0,80})/m;

/**
 * Guesses from the beginning of a trace text. undefined: nothing in it speaks for one kernel or another.
 *
 * Where signs contradict each other, as in joined traces, the guess is what most of them say, and is not sure.
 */
export function guessKernelFromText(head: Uint8Array): KernelTextGuess | undefined {
  const text = Buffer.from(head.subarray(0, LOOK_BYTES)).toString('latin1');
  const release = RELEASE.exec(text)?.[1];
  if (release !== undefined) {
    const { generation, sure } = guessKernel(release);
    return { generation, sure, reasons: [`the text names its kernel: ${release}`] };
  }
  const signs = new Map<string, Sign>();
  const add = (sign: Sign) => {
    const key = `${sign.generation} ${sign.reason.replace(/:.*/, '')}`;
    if (!signs.has(key)) signs.set(key, sign);
  };
  const oldOrder = printOrder(OLD, LAST_OLD_NAME);
  const newOrder = printOrder(NEW, LAST_NEW_NAME);
  const texts = new Set(
    [...text.matchAll(/\bgfp_flags=([A-Z_|\d]{1,400})(?=[\r\n ])/g)].map((match) => match[1]),
  );
  for (const gfp of texts) for (const sign of gfpSigns(gfp as string, oldOrder, newOrder)) add(sign);
  for (const { pattern, ...sign } of PATTERNS) if (pattern.test(text)) add(sign);
  return weigh([...signs.values()]);
}

function weigh(signs: readonly Sign[]): KernelTextGuess | undefined {
  if (signs.length === 0) return undefined;
  const old = signs.filter((sign) => sign.generation === OLD);
  const recent = signs.filter((sign) => sign.generation !== OLD);
  const isOld =
    old.length > 0 && (recent.length === 0 || old.length > recent.length || old.some((s) => s.sure));
  const mine = isOld ? old : recent;
  return {
    generation: isOld ? OLD : NEW,
    sure: recent.length === 0 && old.some((sign) => sign.sure),
    reasons: [...mine].sort((a, b) => Number(b.sure) - Number(a.sure)).map((sign) => sign.reason),
  };
}
