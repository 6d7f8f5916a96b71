/** What a trace holds, as one screen: events by context, CPUs, orders, caches, call sites, losses. */
import { basename } from 'node:path';
import { bytes, duration, plural, rate, thousands } from './quantities.js';
import { renderReading } from './reading-text.js';
import type { ResultReadInput } from './run-result.js';
import { printable } from './sanitize.js';
import { plainStyle, type TextStyle } from './text-style.js';
import { textTable, wrapItems } from './text-table.js';
import type { TraceInfo } from './trace-info.js';

const MARGIN = 13;
const PAGE_WIDTH = 100;
/** Rows of a table without --verbose. */
const SHORT_ROWS = 8;
/** With it: tables of thousands of rows help nobody, --json has them all. */
const LONG_ROWS = 200;
const NAME_WIDTH = 46;
const CONTEXTS = ['task', 'softirq', 'hardirq', 'nmi'] as const;

export interface InfoTextOptions {
  readonly verbose: boolean;
}

export function renderInfo(
  info: TraceInfo,
  { verbose }: InfoTextOptions,
  style: TextStyle = plainStyle,
): string {
  const rows = verbose ? LONG_ROWS : SHORT_ROWS;
  const sections = [
    headerLines(info, style),
    eventLines(info, style),
    [...orderLines(info, style), ...cpuLines(info, style), ...gfpLines(info, style, rows)],
    cacheLines(info, style, rows),
    nameLines(
      'Call sites',
      info.sites.map(({ site, events }) => [site, events] as const),
      style,
      rows,
    ),
    nameLines(
      'Cgroups',
      info.memcgs.map(({ memcg, events }) => [memcg, events] as const),
      style,
      rows,
    ),
    trustLines(info, style, verbose),
  ].filter((lines) => lines.length > 0);
  return `${sections.map((lines) => lines.join('\n')).join('\n\n')}\n`;
}

function kernelText({ kernel }: ResultReadInput): string {
  if (kernel.release !== '') return `Linux ${printable(kernel.release)}`;
  const why = kernel.reasons[0] === undefined ? '' : `: ${printable(kernel.reasons[0])}`;
  return `Linux ${kernel.generation} (${kernel.how}${why})`;
}

function headerLines(info: TraceInfo, style: TextStyle): string[] {
  const lines = info.inputs.map((input) =>
    [
      style.heading(printable(basename(input.path) || input.path)),
      printable(input.format),
      kernelText(input),
      ...(input.bytes > 0 ? [bytes(input.bytes)] : []),
    ].join('   '),
  );
  const { first_ns, last_ns, events } = info.span;
  const speed = info.events_per_s > 0 ? ` (${rate(info.events_per_s)})` : '';
  lines.push(
    `${plural(events, 'event')} over ${duration(last_ns - first_ns)}${speed}, from ${duration(first_ns)} on the trace's clock`,
  );
  if (info.interrupted) lines.push(style.warn('interrupted: what follows is of the part that was read'));
  return lines;
}

function eventLines(info: TraceInfo, style: TextStyle): string[] {
  if (info.events.length === 0) return [`${style.heading('Events'.padEnd(MARGIN))}none`];
  const contexts = CONTEXTS.filter(
    (ctx) => ctx === 'task' || info.events.some(({ by_ctx }) => by_ctx[ctx] > 0),
  );
  return textTable({
    head: [style.heading('Events'), 'total', ...contexts],
    rows: info.events.map(({ op, events, by_ctx }) => [
      `  ${op}`,
      thousands(events),
      ...contexts.map((ctx) => thousands(by_ctx[ctx])),
    ]),
  });
}

function labelled(label: string, items: readonly string[], style: TextStyle): string[] {
  const [first = '', ...rest] = wrapItems(items, MARGIN, PAGE_WIDTH);
  return [style.heading(label.padEnd(MARGIN)) + first.trimStart(), ...rest];
}

function orderLines(info: TraceInfo, style: TextStyle): string[] {
  const list = (counts: readonly number[]) =>
    counts.flatMap((count, order) => (count > 0 ? [`o${order} ${thousands(count)}`] : []));
  const allocs = list(info.alloc_orders);
  const frees = list(info.free_orders);
  const types = Object.entries(info.migratetypes).filter(([, count]) => count > 0);
  return [
    ...(allocs.length > 0 ? labelled('Allocations', allocs, style) : []),
    ...(frees.length > 0 ? labelled('Frees', frees, style) : []),
    ...(types.length > 0
      ? labelled(
          'Asked for',
          types.map(([name, count]) => `${name} ${thousands(count)}`),
          style,
        )
      : []),
    ...(info.failed_allocations > 0 ? labelled('Failed', [thousands(info.failed_allocations)], style) : []),
  ];
}

function cpuLines(info: TraceInfo, style: TextStyle): string[] {
  return labelled(
    'CPUs',
    info.cpus.slice(0, LONG_ROWS).map(({ cpu, events }) => `${cpu}: ${thousands(events)}`),
    style,
  );
}

function gfpLines(info: TraceInfo, style: TextStyle, rows: number): string[] {
  if (info.gfp.length === 0) return [];
  const items = info.gfp.slice(0, rows).map(({ gfp, events }) => `${gfp} ${thousands(events)}`);
  return labelled('gfp', [...items, ...further(info.gfp.length, rows)], style);
}

function further(total: number, shown: number): string[] {
  return total > shown ? [`${thousands(total - shown)} more (--verbose, --json)`] : [];
}

function name(text: string): string {
  const safe = printable(text === '' ? '(not named)' : text);
  return safe.length > NAME_WIDTH ? `${safe.slice(0, NAME_WIDTH - 1)}…` : safe;
}

function cacheLines(info: TraceInfo, style: TextStyle, rows: number): string[] {
  if (info.caches.length === 0) return [];
  return [
    ...textTable({
      head: [style.heading('Caches'), 'allocs', 'frees', 'bytes asked for'],
      rows: info.caches
        .slice(0, rows)
        .map(({ cache, allocs, frees, bytes: asked }) => [
          `  ${name(cache)}`,
          thousands(allocs),
          thousands(frees),
          bytes(asked),
        ]),
    }),
    ...further(info.caches.length, rows).map((text) => `  ${text}`),
  ];
}

function nameLines(
  title: string,
  list: readonly (readonly [string, number])[],
  style: TextStyle,
  rows: number,
): string[] {
  if (list.length === 0) return [];
  return [
    ...textTable({
      head: [style.heading(title), 'events'],
      rows: list.slice(0, rows).map(([text, events]) => [`  ${name(text)}`, thousands(events)]),
    }),
    ...further(list.length, rows).map((text) => `  ${text}`),
  ];
}

/** What stands against the numbers: losses, cuts, lines not understood. */
function trustLines(info: TraceInfo, style: TextStyle, verbose: boolean): string[] {
  if (verbose) return [style.heading('Reading'), ...renderReading(info.inputs, style).trimEnd().split('\n')];
  const items: string[] = [];
  for (const input of info.inputs) {
    if (input.cut !== null) items.push(style.warn(printable(input.cut)));
    for (const { cpu, events, gaps } of input.lost)
      items.push(
        style.warn(
          `CPU ${cpu} lost ${events > 0 ? thousands(events) : 'events'} in ${plural(gaps, 'place')}`,
        ),
      );
    const lines = input.not_understood.reduce((sum, kind) => sum + kind.lines, 0);
    if (lines > 0) items.push(style.warn(`${plural(lines, 'line')} not understood (--verbose shows them)`));
    items.push(...input.remarks.map(printable));
  }
  if (info.filtered > 0) items.push(`${thousands(info.filtered)} events left out by the selection`);
  return labelled('Remarks', items.length > 0 ? items : ['no losses, every line understood'], style);
}
