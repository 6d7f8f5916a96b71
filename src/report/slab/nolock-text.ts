/**
 * Calls from any context for people: how they ended by what they interrupted and by what they asked for, what waited to be freed
 * afterwards, and what went wrong.
 */
import { bytes, duration, percent, plural, thousands } from '../quantities.js';
import { printable } from '../sanitize.js';
import { labelled, PAGE_WIDTH } from '../text-labelled.js';
import { plainStyle, type TextStyle } from '../text-style.js';
import { textTable, wrapItems } from '../text-table.js';
import { NOLOCK_CAUSES, NOLOCK_CLASSES, NOLOCK_LOCKS, type NolockOutcome } from './nolock-words.js';
import type { ResultHazard, ResultNolock, ResultNolockRequest, ResultSlab } from './result-slab.js';

const CONTEXTS = ['task', 'softirq', 'hardirq', 'nmi'] as const;
/** Hazards shown in full; the others are counted. */
const SHOWN_HAZARDS = 5;
const SPARK_GLYPHS = '▁▂▃▄▅▆▇█';
const SPARK_WIDTH = 40;
const MAX_SAMPLES = 40;

const OUTCOMES: readonly { readonly outcome: NolockOutcome; readonly head: string; readonly rare?: true }[] =
  [
    { outcome: 'fast', head: 'fast' },
    { outcome: 'slow', head: 'slow' },
    { outcome: 'next_bucket', head: 'next bucket' },
    { outcome: 'new_slab', head: 'new slab' },
    { outcome: 'zero_size', head: '0 bytes', rare: true },
    { outcome: 'null', head: 'NULL' },
  ];

function words(name: string): string {
  return name.replaceAll('_', ' ');
}

/** `cpu_slab+next`: kernel names keep their underscores. */
function lockName(lock: string): string {
  return lock === 'cpu_slab_next' ? 'cpu_slab+next' : lock;
}

function total(rows: readonly { readonly count: number }[]): number {
  return rows.reduce((sum, { count }) => sum + count, 0);
}

/** Requests that wanted bytes: asking for none is never refused. */
function asked(rows: readonly ResultNolockRequest[]): number {
  return total(rows.filter(({ outcome }) => outcome !== 'zero_size'));
}

function causesText(rows: readonly ResultNolockRequest[]): string {
  return NOLOCK_CAUSES.map((cause) => ({ cause, count: total(rows.filter((row) => row.cause === cause)) }))
    .filter(({ count }) => count > 0)
    .map(({ cause, count }) => `${words(cause)} ${thousands(count)}`)
    .join(', ');
}

interface Group {
  readonly name: string;
  readonly rows: readonly ResultNolockRequest[];
}

function requestTable(title: string, groups: readonly Group[], style: TextStyle): string[] {
  const filled = groups.filter(({ rows }) => rows.length > 0);
  if (filled.length === 0) return [];
  const of = (rows: readonly ResultNolockRequest[], outcome: NolockOutcome) =>
    total(rows.filter((row) => row.outcome === outcome));
  const columns = OUTCOMES.filter(
    ({ outcome, rare }) => rare === undefined || filled.some(({ rows }) => of(rows, outcome) > 0),
  );
  const rows = filled.map((group) => {
    const failed = of(group.rows, 'null');
    return [
      `  ${group.name}`,
      thousands(total(group.rows)),
      ...columns.map(({ outcome }) => {
        const text = thousands(of(group.rows, outcome));
        return outcome === 'null' && failed > 0 ? style.bad(text) : text;
      }),
      percent(failed, asked(group.rows)),
      causesText(group.rows),
    ];
  });
  const head = [
    style.heading(title),
    'calls',
    ...columns.map((column) => column.head),
    'failed',
    'because of',
  ];
  return textTable({ head, rows, left: [0, head.length - 1] });
}

/** By context and by what the interrupted code held. */
function byLock({ requests }: ResultNolock): Group[] {
  return CONTEXTS.flatMap((context) =>
    NOLOCK_LOCKS.map((lock) => ({
      name: `${context.padEnd(8)}${lockName(lock)}`,
      rows: requests.filter((row) => row.context === context && row.lock === lock),
    })),
  );
}

function byClass({ requests }: ResultNolock): Group[] {
  return NOLOCK_CLASSES.map((size_class) => ({
    name: size_class,
    rows: requests.filter((row) => row.size_class === size_class),
  }));
}

/** Every cell that has a call. */
function byAll(nolock: ResultNolock): Group[] {
  return byLock(nolock).flatMap(({ name, rows }) =>
    NOLOCK_CLASSES.map((size_class) => ({
      name: `${name.padEnd(22)}${size_class}`,
      rows: rows.filter((row) => row.size_class === size_class),
    })),
  );
}

function isServedRightAway({ rows }: Group): boolean {
  return rows.every(({ outcome }) => outcome !== 'null' && outcome !== 'next_bucket');
}

function freeLines({ frees }: ResultNolock, style: TextStyle): string[] {
  if (frees.length === 0) return [];
  const all = total(frees);
  const of = (outcome: string) => total(frees.filter((row) => row.outcome === outcome));
  const items = [
    `${thousands(all)} from any context`,
    `${thousands(of('fast'))} at once`,
    `${thousands(of('deferred'))} deferred (${percent(of('deferred'), all)})`,
    ...(of('slow') > 0 ? [`${thousands(of('slow'))} pages to the buddy lists`] : []),
    ...(of('zone_stack') > 0 ? [style.warn(`${thousands(of('zone_stack'))} left on a zone's stack`)] : []),
    ...(of('leaked') > 0 ? [style.bad(`${thousands(of('leaked'))} leaked`)] : []),
  ];
  return labelled('Freed', items, style);
}

function sideEffectLines({ extra_slabs, stolen }: ResultNolock, style: TextStyle): string[] {
  const pages = new Map<string, number>();
  for (const { block_type, order, count } of stolen)
    pages.set(block_type, (pages.get(block_type) ?? 0) + count * 2 ** order);
  const items = [
    ...(extra_slabs > 0 ? [`${plural(extra_slabs, 'slab')} made though a locked list had free slots`] : []),
    ...[...pages].map(([type, count]) =>
      style.warn(`${plural(count, 'unmovable page')} out of ${printable(type)} pageblocks`),
    ),
  ];
  return items.length === 0 ? [] : labelled('Side effects', items, style);
}

/** The most bytes that waited, one glyph for some of the intervals each. */
function spark(samples: ResultSlab['deferred']['samples']): string {
  const most = samples.reduce((a, { bytes: waiting }) => Math.max(a, waiting), 0);
  if (samples.length < 2 || most === 0) return '';
  const each = Math.ceil(samples.length / SPARK_WIDTH);
  let text = '';
  for (let from = 0; from < samples.length; from += each) {
    const peak = Math.max(...samples.slice(from, from + each).map(({ bytes: waiting }) => waiting));
    text += peak === 0 ? '·' : SPARK_GLYPHS[Math.ceil((peak / most) * SPARK_GLYPHS.length) - 1]!;
  }
  return text;
}

function backlogText({ objects, slabs, bytes: waiting }: ResultSlab['deferred']['now']): string {
  return `${plural(objects, 'object')}, ${plural(slabs, 'slab')}, ${bytes(waiting)}`;
}

/** What irq_work had to do. */
function deferredLines({ deferred, zone_stacks }: ResultSlab, first_ns: number, style: TextStyle): string[] {
  const { now, peak, peak_ns, irq_works, samples } = deferred;
  const line = spark(samples);
  const waiting = now.objects + now.slabs > 0;
  const items = [
    `irq_work queued ${plural(irq_works, 'time')}`,
    `at most ${backlogText(peak)}`,
    ...(peak_ns === null ? [] : [`the peak at ${duration(peak_ns - first_ns)}`]),
    ...(waiting ? [style.warn(`still waiting: ${backlogText(now)}`)] : ['nothing left']),
    ...(line === '' ? [] : [`over time ${line}`]),
  ];
  const stacks = zone_stacks
    .filter(({ peak_pages }) => peak_pages > 0)
    .map(({ node, zone, pages, peak_pages }) => {
      const text = `node ${node} ${printable(zone)} ${plural(pages, 'page')} stranded, ${thousands(peak_pages)} at most`;
      return pages > 0 ? style.warn(text) : text;
    });
  return [
    ...(peak_ns === null && irq_works === 0 ? [] : labelled('Deferred', items, style)),
    ...(stacks.length === 0 ? [] : labelled('Zone stacks', stacks, style)),
  ];
}

/** How requests ended, and what they left behind; nothing where there were none. */
export function nolockLines(slab: ResultSlab, first_ns: number, style: TextStyle): string[] {
  const { nolock } = slab;
  const after = deferredLines(slab, first_ns, style);
  if (nolock === null) return after;
  const classes = byClass(nolock);
  const rough = classes.filter((group) => !isServedRightAway(group));
  const left = classes.filter(({ rows }) => rows.length > 0).length - rough.length;
  return [
    ...requestTable('Any context', byLock(nolock), style),
    ...requestTable('By size class', rough, style),
    ...(rough.length > 0 && left > 0
      ? [style.dim(`  ${thousands(left)} more, all served from the right bucket (--verbose)`)]
      : []),
    ...freeLines(nolock, style),
    ...sideEffectLines(nolock, style),
    ...after,
  ];
}

function stackText({ stack, wanted }: ResultHazard): string[] {
  const items = stack.map(({ context, operation, locks }) => {
    const held = locks.length === 0 ? '' : ` holding ${locks.map(printable).join(' and ')}`;
    return `${context} ${printable(operation)}${held}`;
  });
  return [...items, ...(wanted === null ? [] : [`wants ${printable(wanted)}`])];
}

/** What must not happen: it comes first, whatever else there is. */
export function hazardLines(slab: ResultSlab, first_ns: number, style: TextStyle): string[] {
  const kinds = Object.entries(slab.hazards_total).filter(([, count]) => (count ?? 0) > 0);
  if (kinds.length === 0) return [];
  const items = kinds.map(([kind, count]) => style.bad(`${words(kind)} ${thousands(count ?? 0)}`));
  const shown = slab.hazards.slice(0, SHOWN_HAZARDS).flatMap((hazard) => {
    const event = hazard.event === null ? '' : `event ${thousands(hazard.event)}  `;
    const at = hazard.ts_ns === null ? '' : `at ${duration(hazard.ts_ns - first_ns)}  `;
    return [
      `  ${event}${at}CPU ${hazard.cpu}  ${printable(hazard.text)}`,
      ...wrapItems(stackText(hazard), 4, PAGE_WIDTH, ' < '),
    ];
  });
  return [...labelled('Hazards', items, style), ...shown];
}

function seriesLines({ deferred }: ResultSlab, first_ns: number, style: TextStyle): string[] {
  const { samples, interval_ns } = deferred;
  if (samples.length === 0) return [];
  const each = Math.ceil(samples.length / MAX_SAMPLES);
  const rows: string[][] = [];
  for (let from = 0; from < samples.length; from += each) {
    const some = samples.slice(from, from + each);
    const most = (of: (sample: (typeof samples)[number]) => number) => Math.max(...some.map(of));
    rows.push([
      `  ${duration(some[0]!.ts_ns - first_ns)}`,
      thousands(most((sample) => sample.objects)),
      thousands(most((sample) => sample.slabs)),
      bytes(most((sample) => sample.bytes)),
    ]);
  }
  const head = [style.heading('Deferred'), 'objects', 'slabs', 'bytes'];
  return [
    ...textTable({ head, rows }),
    style.dim(`  the most that waited in each ${duration(interval_ns * each)}`),
  ];
}

/** Every cell of the matrix, and the backlog over time; empty where there was neither. */
export function renderNolockDetails(
  slab: ResultSlab,
  first_ns: number,
  style: TextStyle = plainStyle,
): string {
  const sections = [
    slab.nolock === null ? [] : requestTable('Any context, by lock and class', byAll(slab.nolock), style),
    seriesLines(slab, first_ns, style),
  ].filter((lines) => lines.length > 0);
  return sections.length === 0 ? '' : `${sections.map((lines) => lines.join('\n')).join('\n\n')}\n`;
}
