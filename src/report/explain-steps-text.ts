/**
 * The steps of an explanation as lines: what was tried, in order, indented by what it was part of.
 *
 *   fast path           mark low   NOFRAGMENT, KSWAPD
 *     node 0 Normal     passes: 12,345 free > low 900 + reserve 0
 *       CPU list        reclaimable, order 0: empty
 *       refill          63 wanted, 63 came
 *         pass 1        looked at 7: tainted/full 5 (nothing free), tainted/75 2 (no fitting chunk)
 */
import { stripVTControlCharacters } from 'node:util';
import { PAGEBLOCK_ORDER } from '../mm/types.js';
import type { ExplainSearch, ExplainStep, ExplainStepOf } from './explain-document.js';
import { FoldingWriter, type TextNode, treeOf } from './explain-tree.js';
import { plural, thousands } from './quantities.js';
import { printable } from './sanitize.js';
import type { TextStyle } from './text-style.js';
import { wrapItems } from './text-table.js';

const LABEL_WIDTH = 20;
const PAGE_WIDTH = 100;

export function hex(pfn: number): string {
  return `0x${pfn.toString(16)}`;
}

/** A labelled line; its items wrap under the first one. */
export function entry(
  depth: number,
  label: string,
  items: readonly string[],
  style: TextStyle,
  gap?: string,
): string[] {
  const [first = '', ...rest] = wrapItems(
    items.filter((item) => item !== ''),
    LABEL_WIDTH,
    PAGE_WIDTH,
    gap,
  );
  const indent = ' '.repeat(2 * (depth + 1));
  return [
    `${style.heading(`${indent}${label}`.padEnd(LABEL_WIDTH - 1))} ${first.trimStart()}`.trimEnd(),
    ...rest,
  ];
}

const PASSED_BY: Readonly<Record<ExplainStepOf<'zone_skipped'>['why'], string>> = {
  kswapd_awake: "passed by: its node's kswapd is at work",
  remote: 'passed by: on another node, and the own one is asked without NOFRAGMENT first',
  must_not_taint: 'no superpageblock is tainted or empty, and it must not taint one',
};

function zoneText(step: ExplainStepOf<'zone'>): string {
  const unusable = step.unusable_pages === 0 ? '' : ` - ${thousands(step.unusable_pages)} not for it`;
  const boundary = `${step.mark} ${thousands(step.mark_pages)} + reserve ${thousands(step.reserve_pages)}`;
  const compared = (sign: string) => `${thousands(step.free_pages)} free${unusable} ${sign} ${boundary}`;
  switch (step.verdict) {
    case 'passes':
      return `passes: ${compared('>')}`;
    case 'below':
      return `refused: ${compared('<=')}`;
    case 'no_chunk':
      return `refused: ${compared('>')}, but no chunk is large enough`;
    case 'ignored':
      return `${compared('<=')}, but the request may use all`;
  }
}

function chunkText(least: number, most: number, order: number): string {
  if (least !== most) return `out of chunks of order ${least} to ${most}`;
  return least === order ? 'as a whole chunk' : `out of a chunk of order ${least}`;
}

function pfnsText(first: number, last: number): string {
  return first === last ? `pfn ${hex(first)}` : `pfn ${hex(first)} first, ${hex(last)} last`;
}

function timesText(times: number): string {
  return times === 1 ? '' : `${thousands(times)} times`;
}

function countedText({ name, count }: { readonly name: string; readonly count: number }): string {
  return printable(count === 1 ? name : `${name}, ${thousands(count)} times`);
}

function takenItems({ taken, order, times }: ExplainSearch): string[] {
  if (taken === null) return [];
  const { superpageblock, list, first_pfn, last_pfn, least_chunk_order, most_chunk_order } = taken;
  const where = superpageblock === null ? '' : `superpageblock ${hex(superpageblock)} (${list ?? ''})`;
  return [
    `took ${pfnsText(first_pfn, last_pfn)}`,
    timesText(times),
    `${taken.from} list, ${chunkText(least_chunk_order, most_chunk_order, order)}: ${printable(taken.how)}`,
    where,
  ];
}

function lookedAt(pass: ExplainSearch['passes'][number]): string[] {
  const total = pass.looked_at.reduce((sum, { count }) => sum + count, 0);
  const visits = pass.looked_at.map(
    ({ list, why, count }) => `${list} ${thousands(count)} (${printable(why)})`,
  );
  const refused = pass.claims_refused.map(({ name, count }) => `${name} ${thousands(count)}`);
  return [
    ...(total === 0 ? [] : [`looked at ${thousands(total)}: ${visits.join(', ')}`]),
    ...(refused.length === 0 ? [] : [`claims refused: ${refused.join(', ')}`]),
  ];
}

const STAGES: Readonly<Record<ExplainSearch['stage'], string>> = {
  owned: 'own blocks',
  whole_block: 'whole block',
  adopt: 'adopt',
  search: 'search',
  claim: 'claim',
  steal: 'steal',
};

/** A line for each pass, one for several in a row that found the same; what was taken stands with the last. */
function passLines(step: ExplainSearch, depth: number, style: TextStyle): string[] {
  const passes = step.passes.filter(({ pass }) => pass !== '');
  const groups: { readonly names: string[]; readonly items: readonly string[] }[] = [];
  passes.forEach((pass, at) => {
    const found = [...lookedAt(pass), ...(at === passes.length - 1 ? takenItems(step) : [])];
    const items = found.length === 0 ? ['nothing fits'] : found;
    const last = groups.at(-1);
    if (last?.items.join() === items.join()) last.names.push(pass.pass);
    else groups.push({ names: [pass.pass], items });
  });
  const lines = groups.flatMap(({ names, items: [first = '', ...rest] }) =>
    names.length === 1
      ? entry(depth, `pass ${names[0]}`, [first, ...rest], style)
      : entry(depth, 'passes', [`${names.join(', ')}: ${first}`, ...rest], style),
  );
  const times = step.taken === null && step.times > 1 ? entry(depth, '', [timesText(step.times)], style) : [];
  return [...lines, ...times];
}

const REFUSED = 'refused: ';

/** What a search set off, or that it ended in a refusal. */
function triggerLines(texts: readonly string[], depth: number, style: TextStyle): string[] {
  const triggers = texts.filter((text) => !text.startsWith(REFUSED));
  const refusals = texts.filter((text) => text.startsWith(REFUSED)).map((text) => text.slice(REFUSED.length));
  return [
    ...(refusals.length === 0 ? [] : entry(depth, 'refused', refusals, style)),
    ...(triggers.length === 0 ? [] : entry(depth, 'triggers', triggers, style)),
  ];
}

/** A search: its passes, or for what is no pass a line of its own. */
function searchLines(step: ExplainSearch, depth: number, style: TextStyle): string[] {
  const lines: string[] = [];
  const listed = step.listed > 0 && step.taken === null ? `${thousands(step.listed)} came` : '';
  const nothing = step.taken === null && listed === '' ? 'nothing' : '';
  const isPlain = step.stage === 'search';
  if (!isPlain || step.passes.length === 0) {
    const own = step.passes.filter(({ pass }) => pass === '').flatMap(lookedAt);
    const taken = step.passes.some(({ pass }) => pass !== '') ? [] : takenItems(step);
    lines.push(...entry(depth, STAGES[step.stage], [...own, ...taken, listed, nothing], style));
  }
  lines.push(...passLines(step, depth + (isPlain ? 0 : 1), style));
  return [...lines, ...triggerLines(step.triggered.map(countedText), depth, style)];
}

function slowLines(step: ExplainStepOf<'slow'>, style: TextStyle): string[] {
  const { value, result } = step;
  const moved = value === 0 ? 'nothing moved' : `${plural(value, 'page')} moved`;
  switch (step.what) {
    case 'begins':
      return entry(0, 'slow path', [], style);
    case 'round':
      return entry(0, `round ${thousands(value)}`, [], style);
    case 'reserves':
      return entry(1, 'reserves', [`it may use them: ${result}`], style);
    case 'held_out':
      return entry(1, 'held out', [`for ${plural(value, 'round')}, which is enough`], style);
    case 'drop_nofragment':
      return entry(1, 'gives up', ['NOFRAGMENT: from now on it may mix types'], style);
    case 'oom':
      return entry(1, 'OOM killer', [`${plural(value, 'page')} freed`], style);
    case 'reclaim':
      return entry(1, 'reclaim', [`${plural(value, 'page')} reclaimed`], style);
    case 'drain':
      return entry(1, 'drain', ['the lists of all CPUs are emptied'], style);
    case 'compact':
      return entry(1, 'compaction', [`${result}, ${moved}`], style);
    case 'evacuate':
      return entry(1, 'evacuation', [moved], style);
    case 'empty_block':
      return entry(1, 'empty a block', [moved], style);
  }
}

function freeLines(step: ExplainStepOf<'free'>, style: TextStyle): string[] {
  const what = `pfn ${hex(step.pfn)}, order ${step.order}, ${step.zone}`;
  return entry(0, 'free', [what, ...placeItems(step)], style);
}

/** Where a freed page went. */
function placeItems({
  where,
  order,
  cpu,
  entries,
  migratetype,
  chunk_pfn,
  chunk_order,
}: ExplainStepOf<'free'>) {
  if (where === 'cpu_list') {
    const holds = entries === null ? '' : `, which holds ${plural(entries, 'chunk')} now`;
    return [`to the ${migratetype} list of CPU ${cpu}${holds}`];
  }
  if (where !== 'buddy' || chunk_order === null || chunk_pfn === null)
    return ['in use again after the event'];
  const merged = chunk_order > order ? ', merged' : '';
  return [
    `to the ${migratetype} buddy list: chunk ${hex(chunk_pfn)} of order ${chunk_order}${merged}`,
    chunk_order >= PAGEBLOCK_ORDER ? 'its pageblock is wholly free' : '',
  ];
}

function contigItems(step: ExplainStepOf<'contig'>): string[] {
  const range = `${thousands(step.pages)} pages at ${hex(step.first_pfn)}`;
  const ranges = step.times === 1 ? '' : ` and ${thousands(step.times - 1)} more, to ${hex(step.last_pfn)}`;
  return [`${range}${ranges}: ${printable(step.outcome)}`, step.zone];
}

function walkLines(step: ExplainStepOf<'walk'>, isFirst: boolean, style: TextStyle): string[] {
  const items = [step.mark === 'none' ? 'no mark' : `mark ${step.mark}`, step.flags.join(', ')];
  if (step.path === 'slow') return entry(1, 'attempt', items, style);
  return entry(0, isFirst ? 'fast path' : 'once more', items, style);
}

function cpuListLines(step: ExplainStepOf<'cpu_list'>, style: TextStyle): string[] {
  const list = `${step.migratetype} list of CPU ${step.cpu}, order ${step.order}`;
  if (!step.served) return entry(2, 'CPU list', [list, 'empty'], style);
  const served = 'the first one serves it: nothing was searched';
  return entry(2, 'CPU list', [list, plural(step.entries, 'chunk'), served], style);
}

function chunkLines(step: ExplainStepOf<'chunk'>, depth: number, style: TextStyle): string[] {
  const from = chunkText(step.least_chunk_order, step.most_chunk_order, step.order);
  const taken = `took ${pfnsText(step.first_pfn, step.last_pfn)}`;
  return entry(depth, 'lists', [taken, timesText(step.times), `${step.migratetype} list, ${from}`], style);
}

function fallbackLines(step: ExplainStepOf<'fallback'>, depth: number, style: TextStyle): string[] {
  const from = chunkText(step.chunk_order, step.chunk_order, step.order);
  const isStolen = step.how === 'stolen';
  const block = isStolen ? `its block stays ${step.from}` : `its block is ${step.to} now`;
  const items = [`took pfn ${hex(step.pfn)}`, `${step.from} list, ${from}`, block];
  return entry(depth, isStolen ? 'steal' : 'claim', items, style);
}

function evacuationLines(step: ExplainStepOf<'evacuation'>, style: TextStyle): string[] {
  const { phase1_blocks, phase2_blocks } = step;
  const blocks = `${plural(phase1_blocks, 'block')} of the own type, ${thousands(phase2_blocks)} movable`;
  const found = phase1_blocks + phase2_blocks === 0 ? 'no block to empty' : blocks;
  return entry(1, 'evacuates', [`${step.zone}: ${found}`], style);
}

function drainLines(step: ExplainStepOf<'drain'>, style: TextStyle): string[] {
  const lists = `the buddy lists of ${step.migratetypes.join(', ')}`;
  return entry(0, 'drain', [`${plural(step.pages, 'page')} from the CPU's list to ${lists}`], style);
}

/** What came before a step. */
interface Position {
  readonly isFirst: boolean;
  /** the slow path has begun */
  readonly isSlow: boolean;
  /** searches stand further in where they belong to a line of their own */
  readonly searchDepth: number;
}

const RELAXED: ReadonlyMap<string, string> = new Map([
  ['noretry_skip', 'not at all: __GFP_NORETRY gives up here'],
  ['add_tainted_ok', 'blocks of tainted superpageblocks may be mixed (NOFRAG_TAINTED_OK)'],
  ['drop_nofragment', 'it may mix types anywhere: NOFRAGMENT is given up'],
  ['nowarn_lower_order', 'not at all: the caller can do with the smaller pieces that there are'],
]);

function linesOf(step: ExplainStep, at: Position, style: TextStyle): string[] {
  switch (step.step) {
    case 'walk':
      return walkLines(step, at.isFirst, style);
    case 'zone':
      return entry(1, step.zone, [zoneText(step)], style);
    case 'zone_skipped':
      if (step.why === 'must_not_taint') return entry(2, 'no search', [PASSED_BY[step.why]], style);
      return entry(1, step.zone, [PASSED_BY[step.why]], style);
    case 'cpu_list':
      return cpuListLines(step, style);
    case 'refill':
      return entry(
        2,
        'refill',
        [`${plural(step.wanted, 'chunk')} wanted, ${thousands(step.got)} came`],
        style,
      );
    case 'chunk':
      return chunkLines(step, at.searchDepth, style);
    case 'fallback':
      return fallbackLines(step, at.searchDepth, style);
    case 'search':
      return searchLines(step, at.searchDepth, style);
    case 'slow':
      return slowLines(step, style);
    case 'relax':
      return entry(1, 'relaxed', [RELAXED.get(step.what) ?? printable(step.what)], style);
    case 'trigger':
      return triggerLines([printable(step.what)], 1, style);
    case 'evacuation':
      return evacuationLines(step, style);
    case 'contig':
      return entry(at.isSlow ? 1 : 0, 'range', contigItems(step), style);
    case 'free':
      return freeLines(step, style);
    case 'drain':
      return drainLines(step, style);
  }
}

/** How far in a step stands; what follows it further in belongs to it. */
function levelOf(step: ExplainStep, isSlow: boolean): number {
  switch (step.step) {
    case 'free':
    case 'drain':
      return 0;
    case 'contig':
      return isSlow ? 1 : 0;
    case 'slow':
      return step.what === 'begins' || step.what === 'round' ? 0 : 1;
    case 'walk':
      return step.path === 'slow' ? 1 : 0;
    case 'relax':
    case 'trigger':
    case 'evacuation':
      return 1;
    case 'zone':
      return 2;
    case 'zone_skipped':
      return step.why === 'must_not_taint' ? 3 : 2;
    case 'cpu_list':
    case 'refill':
      return 3;
    case 'chunk':
    case 'fallback':
    case 'search':
      return 4;
  }
}

/** Columns before the text of a line, whatever its colours. */
function indentOf(line: string): number {
  return stripVTControlCharacters(line).search(/\S/);
}

function isSearch(step: ExplainStep): step is ExplainStepOf<'search' | 'chunk' | 'fallback'> {
  return step.step === 'search' || step.step === 'chunk' || step.step === 'fallback';
}

/** Lines of all steps. */
export function stepLines(steps: readonly ExplainStep[], style: TextStyle): string[] {
  const flat: Pick<TextNode, 'level' | 'lines'>[] = [];
  let isSlow = false;
  let searchDepth = 2;
  let inRefill = false;
  steps.forEach((step, at) => {
    isSlow ||= step.step === 'slow';
    if (step.step === 'refill') {
      inRefill = true;
      searchDepth = 3;
    } else if (inRefill && isSearch(step) && !step.refills) {
      // The refill has failed: the request itself is served, or not.
      flat.push({ level: 3, lines: entry(2, 'directly', [], style) });
      inRefill = false;
    } else if (!isSearch(step) && step.step !== 'trigger') {
      inRefill = false;
      searchDepth = 2;
    }
    const lines = linesOf(step, { isFirst: at === 0, isSlow, searchDepth }, style);
    flat.push({ level: levelOf(step, isSlow), lines });
  });
  const indented = (text: string, like: string) => style.dim(' '.repeat(Math.max(0, indentOf(like))) + text);
  const writer = new FoldingWriter(indented);
  writer.write(treeOf(flat));
  return writer.lines;
}
