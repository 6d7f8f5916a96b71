/**
 * The steps of an explanation as lines: what was tried, in order, indented by what it was part of.
 *
 *   fast path           mark low   NOFRAGMENT, KSWAPD
 *     node 0 Normal     passes: 12,345 free > low 900 + reserve 0
 *       CPU list        reclaimable, order 0: empty
 *       refill          63 wanted, 63 came
 *         pass 1        looked at 7: tainted/full 5 (nothing free), tainted/75 2 (no fitting chunk)
 */
import type { ExplainSearch, ExplainStep, ExplainStepOf } from './explain-document.js';
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

/** A line for each pass, one for several in a row that found nothing to look at; what was taken stands with the last. */
function passLines(step: ExplainSearch, depth: number, style: TextStyle): string[] {
  const lines: string[] = [];
  const passes = step.passes.filter(({ pass }) => pass !== '');
  let vain: string[] = [];
  passes.forEach((pass, at) => {
    const isLast = at === passes.length - 1;
    const items = [...lookedAt(pass), ...(isLast ? takenItems(step) : [])];
    if (items.length === 0) vain.push(pass.pass);
    if (vain.length > 0 && (items.length > 0 || isLast)) {
      const label = vain.length === 1 ? `pass ${vain[0]}` : 'passes';
      const names = vain.length === 1 ? '' : `${vain.join(', ')}: `;
      lines.push(...entry(depth, label, [`${names}nothing fits`], style));
      vain = [];
    }
    if (items.length > 0) lines.push(...entry(depth, `pass ${pass.pass}`, items, style));
  });
  if (step.taken === null && step.times > 1) lines.push(...entry(depth, '', [timesText(step.times)], style));
  return lines;
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
  const triggers = step.triggered.map(countedText);
  if (triggers.length > 0) lines.push(...entry(depth, 'triggers', triggers, style));
  return lines;
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
  let where = 'in use again after the event';
  if (step.where === 'cpu_list') {
    const entries = step.entries === null ? '' : `, which holds ${plural(step.entries, 'chunk')} now`;
    where = `to the ${step.migratetype} list of CPU ${step.cpu}${entries}`;
  } else if (step.where === 'buddy' && step.chunk_order !== null && step.chunk_pfn !== null) {
    const merged = step.chunk_order > step.order ? ', merged' : '';
    const whole = step.chunk_order >= 9 ? '; its pageblock is wholly free' : '';
    where = `to the ${step.migratetype} buddy list: chunk ${hex(step.chunk_pfn)} of order ${step.chunk_order}${merged}${whole}`;
  }
  return entry(0, 'free', [what, where], style);
}

function contigText(step: ExplainStepOf<'contig'>): string[] {
  const range = `${thousands(step.pages)} pages at ${hex(step.first_pfn)}`;
  if (step.times === 1) return [`${range}: ${printable(step.outcome)}`];
  return [`${range} to ${hex(step.last_pfn)}, ${thousands(step.times)} ranges: ${printable(step.outcome)}`];
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
  const blocks = `${plural(step.phase1_blocks, 'block')} of the own type, ${step.phase2_blocks} movable`;
  return entry(1, 'evacuates', [`${step.zone}: ${blocks}`], style);
}

function drainLines(step: ExplainStepOf<'drain'>, style: TextStyle): string[] {
  const lists = `the buddy lists of ${step.migratetypes.join(', ')}`;
  return entry(0, 'drain', [`${plural(step.pages, 'page')} from the CPU's list to ${lists}`], style);
}

/** @param depth of searches: deeper inside a refill */
function linesOf(step: ExplainStep, depth: number, isFirst: boolean, style: TextStyle): string[] {
  switch (step.step) {
    case 'walk':
      return walkLines(step, isFirst, style);
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
      return chunkLines(step, depth, style);
    case 'fallback':
      return fallbackLines(step, depth, style);
    case 'search':
      return searchLines(step, depth, style);
    case 'slow':
      return slowLines(step, style);
    case 'relax':
      return entry(1, 'relaxed', [printable(step.what)], style);
    case 'trigger':
      return entry(1, 'triggers', [printable(step.what)], style);
    case 'evacuation':
      return evacuationLines(step, style);
    case 'contig':
      return entry(0, step.zone === '' ? 'range' : step.zone, contigText(step), style);
    case 'free':
      return freeLines(step, style);
    case 'drain':
      return drainLines(step, style);
  }
}

/** Steps that end what a refill does. */
const OUTSIDE_REFILL = new Set<ExplainStep['step']>(['walk', 'zone', 'zone_skipped', 'cpu_list']);

/** Lines of all steps. */
export function stepLines(steps: readonly ExplainStep[], style: TextStyle): string[] {
  const lines: string[] = [];
  let inRefill = false;
  steps.forEach((step, at) => {
    if (step.step === 'refill') inRefill = true;
    else if (OUTSIDE_REFILL.has(step.step)) inRefill = false;
    lines.push(...linesOf(step, inRefill ? 3 : 2, at === 0, style));
  });
  return lines;
}
