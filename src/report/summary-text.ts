/**
 * The first screen of a run: what was replayed and assumed, what was allocated, how fragmented memory is, and what to
 * mind. Everything else is one flag away and named in the last line.
 */
import { basename } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { MAX_PAGE_ORDER } from '../mm/types.js';
import { bytes, duration, indexText, pagesAsBytes, percent, plural, rate, thousands } from './quantities.js';
import type { ResultAllocationCount, ResultZone, RunResult } from './run-result.js';
import { printable } from './sanitize.js';
import { hazardLines, nolockLines } from './slab/nolock-text.js';
import { slabLines } from './slab/slab-text.js';
import { spbPassLines, spbWorkLines } from './spb-work-text.js';
import { spbZoneLines } from './spb-zones-text.js';
import { labelled, PAGE_WIDTH } from './text-labelled.js';
import { plainStyle, type TextStyle } from './text-style.js';
import { textTable, wrapItems } from './text-table.js';

/** Unmovable, Movable, Reclaimable, HighAtomic; blocks of other types are rare and in --json */
const PRINTED_TYPES = 4;

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** A release alone, `6.18.44`, does not say of what. */
function kernelName(kernel: string): string {
  return /^\d/.test(kernel) ? `Linux ${printable(kernel)}` : printable(kernel);
}

/** Whose gfp words the traces were taken to use, where neither they nor the user said it. */
function assumedKernels(result: RunResult): string[] {
  const texts = result.inputs
    .filter(({ kernel }) => kernel.how === 'guessed' || kernel.how === 'assumed')
    .map(({ kernel }) => `gfp words of Linux ${kernel.generation} (${kernel.how})`);
  return [...new Set(texts)];
}

function headerLines(result: RunResult, style: TextStyle): string[] {
  const { machine, policy, span, performance } = result;
  const nodes = new Set(result.zones.map((zone) => zone.node)).size;
  const managed = sum(result.zones.map((zone) => zone.managed_pages));
  const kernel = machine.kernel === null ? '' : `${kernelName(machine.kernel)}, `;
  const overrides = policy.overrides.map((text) => ` --set ${printable(text)}`).join('');
  const inputs = result.inputs.map((input) => printable(basename(input.path) || input.path)).join(' ');
  const first = [
    inputs,
    `${kernel}${plural(machine.cpu_nodes.length, 'CPU')}, ${plural(nodes, 'node')}, ${pagesAsBytes(managed)} managed`,
    `policy ${printable(policy.name)}${overrides}`,
    `start state: ${result.start_state.kind}`,
  ];
  const placed = result.mode === 'pinned' ? 'PFNs as recorded' : 'PFNs by the policy';
  const replayed = `replayed in ${performance.wall_s.toFixed(2)} s (${rate(performance.events_per_s)})`;
  const second = [
    `${plural(span.events, 'event')} over ${duration(span.last_ns - span.first_ns)} (traced), ${replayed}`,
    placed,
    `peak memory ${bytes(performance.peak_rss_bytes)}`,
  ];
  const assumed = [
    `machine: ${printable(machine.origin)}`,
    ...result.start_state.notes.map(printable),
    ...assumedKernels(result),
  ];
  const firstLines = wrapItems(first, 0);
  return [
    // Coloured only now: escape codes have no width.
    style.heading(inputs) + firstLines[0]!.slice(inputs.length),
    ...firstLines.slice(1),
    ...wrapItems(second, 0),
    ...wrapItems(assumed, 0).map(style.dim),
    ...(result.interrupted ? [style.warn('interrupted: what follows is of the part that ran')] : []),
  ];
}

/** Columns of orders; a page allocation is nearly always of one of the first four. */
const ORDER_COLUMNS: readonly { readonly head: string; readonly first: number; readonly last: number }[] = [
  { head: 'order 0', first: 0, last: 0 },
  { head: '1', first: 1, last: 1 },
  { head: '2', first: 2, last: 2 },
  { head: '3', first: 3, last: 3 },
  { head: '4-8', first: 4, last: 8 },
  { head: `9-${MAX_PAGE_ORDER}`, first: 9, last: MAX_PAGE_ORDER },
];
const CONTEXTS = ['task', 'softirq', 'hardirq', 'nmi'];

function allocationLines(result: RunResult, style: TextStyle): string[] {
  if (result.allocations.length === 0) return labelled('Allocations', ['none in this trace'], style);
  const all = allocationTable(result, CONTEXTS, style);
  const widest = Math.max(...all.map((line) => stripVTControlCharacters(line).length));
  if (widest <= PAGE_WIDTH) return all;
  const used = CONTEXTS.filter((ctx) => result.allocations.some((row) => row.ctx === ctx));
  return allocationTable(result, used, style);
}

function allocationTable(result: RunResult, contexts: readonly string[], style: TextStyle): string[] {
  const types = [...new Set(result.allocations.map((row) => row.migratetype))];
  const total = (rows: readonly ResultAllocationCount[], of: (row: ResultAllocationCount) => number) =>
    thousands(sum(rows.map(of)));
  const rows = types.map((type) => {
    const own = result.allocations.filter((row) => row.migratetype === type);
    const failed = sum(own.map((row) => row.failed));
    const inContext = (ctx: string) => own.filter((row) => row.ctx === ctx);
    return [
      `  ${printable(type)}`,
      ...ORDER_COLUMNS.map(({ first, last }) =>
        total(
          own.filter((row) => row.order >= first && row.order <= last),
          (row) => row.ok,
        ),
      ),
      failed > 0 ? style.bad(thousands(failed)) : '0',
      ...contexts.map((ctx) => total(inContext(ctx), (row) => row.ok + row.failed)),
    ];
  });
  const head = [
    style.heading('Allocations'),
    ...ORDER_COLUMNS.map(({ head }) => head),
    'failed',
    ...contexts,
  ];
  return textTable({ head, rows });
}

/** A column of the table of zones; one that is empty for every zone is left out. */
interface ZoneColumn {
  readonly head: string;
  readonly of: (zone: ResultZone) => string;
}

function zoneColumns(result: RunResult): ZoneColumn[] {
  const unusable = [3, 9, 10].map((order, position) => ({
    head: position === 0 ? `unus o${order}` : `o${order}`,
    of: (zone: ResultZone) => indexText(zone.unusable_index[order]!),
  }));
  const types = result.migratetypes.slice(0, PRINTED_TYPES).map((name, type) => ({
    head: type === 0 ? `blk ${name[0]}` : name[0]!,
    of: (zone: ResultZone) => thousands(zone.pageblocks[type] ?? 0),
  }));
  return [
    { head: 'managed', of: (zone) => pagesAsBytes(zone.managed_pages) },
    { head: 'free', of: (zone) => pagesAsBytes(zone.free_pages) },
    { head: '', of: (zone) => percent(zone.free_pages, zone.managed_pages).replace(/(\.\d)\d+/, '$1') },
    ...unusable,
    { head: 'extfrag', of: (zone) => indexText(zone.extfrag_index[9]!) },
    ...types,
    { head: 'empty', of: (zone) => thousands([...zone.map].filter((glyph) => glyph === '.').length) },
  ];
}

function fragmentationLines(result: RunResult, style: TextStyle): string[] {
  const columns = zoneColumns(result).filter(({ of }) => result.zones.some((zone) => of(zone) !== ''));
  const rows = result.zones.map((zone, position) => {
    const first = result.zones[position - 1]?.node !== zone.node;
    return [
      `  ${(first ? `node ${zone.node}` : '').padEnd(6)} ${zone.name}`,
      ...columns.map(({ of }) => of(zone)),
    ];
  });
  const head = [style.heading('Fragmentation'), ...columns.map((column) => column.head)];
  return textTable({ head, rows });
}

/** Counters of the slow path and of what it costs; the sums are of counters that the kernel keeps per zone. */
const MACHINERY: readonly { readonly name: string; readonly perZone?: true }[] = [
  { name: 'pgalloc', perZone: true },
  { name: 'pgfree' },
  { name: 'allocstall', perZone: true },
  { name: 'pageoutrun' },
  { name: 'pgsteal_kswapd' },
  { name: 'pgsteal_direct' },
  { name: 'compact_stall' },
  { name: 'compact_success' },
  { name: 'compact_fail' },
  { name: 'compact_daemon_wake' },
  { name: 'pgmigrate_success' },
  { name: 'oom_kill' },
];

function machineryLines(result: RunResult, style: TextStyle): string[] {
  const items: string[] = [];
  for (const { name, perZone } of MACHINERY) {
    const values = Object.entries(result.vmstat)
      .filter(([counter]) => (perZone ? counter.startsWith(`${name}_`) : counter === name))
      .map(([, value]) => value);
    if (values.length > 0) items.push(`${name} ${thousands(sum(values))}`);
  }
  return items.length === 0 ? [] : labelled('Machinery', items, style);
}

function eventLines(result: RunResult, style: TextStyle): string[] {
  const ops = [...new Set(result.events.map((row) => row.op))];
  const items = ops.map((op) => {
    const own = result.events.filter((row) => row.op === op);
    const outcomes = [...new Set(own.map((row) => row.outcome))].filter((outcome) => outcome !== 'ok');
    const total = thousands(sum(own.map((row) => row.count)));
    const parts = outcomes.map((outcome) => {
      const count = sum(own.filter((row) => row.outcome === outcome).map((row) => row.count));
      return `${thousands(count)} ${printable(outcome).replaceAll('_', ' ')}`;
    });
    return `${printable(op)} ${total}${parts.length === 0 ? '' : ` (${parts.join(', ')})`}`;
  });
  const counted = sum(result.events.map((row) => row.count));
  const others = result.span.events - counted;
  if (others > 0)
    items.push(`${thousands(others)} others (marks, and what the recorded kernel did by itself)`);
  return items.length === 0 ? [] : labelled('Events', items, style);
}

function noteLines(result: RunResult, style: TextStyle): string[] {
  const notes = result.notes.filter((note) => note.count > 0);
  const zero = result.notes.length - notes.length;
  if (notes.length === 0) return labelled('Notes', ['none'], style);
  const items = notes.map((note) => `${thousands(note.count)} ${printable(note.meaning)}`);
  if (zero > 0) items.push(`0 of ${plural(zero, 'other kind')}`);
  return labelled('Notes', items, style, '; ');
}

/** Findings shown in full; the others are counted. */
const SHOWN_FINDINGS = 5;

function findingLines(result: RunResult, style: TextStyle): string[] {
  const kinds = Object.entries(result.findings_total).filter(([, count]) => count > 0);
  if (kinds.length === 0) return labelled('Findings', ['none'], style);
  const items = kinds.map(([kind, count]) => style.warn(`${printable(kind)} ${thousands(count)}`));
  const shown = result.findings.slice(0, SHOWN_FINDINGS).map((finding) => {
    const event = finding.event === null ? '' : `event ${thousands(finding.event)}  `;
    return `  ${event}${printable(finding.text)}`;
  });
  return [...labelled('Findings', items, style), ...shown];
}

/** The summary, at most 100 columns wide as far as names allow. */
export function renderSummary(result: RunResult, style: TextStyle = plainStyle): string {
  const { superpageblocks: spb, slab } = result;
  const hasSlab = slab !== null && slab !== undefined;
  const { first_ns } = result.span;
  const sections = [
    headerLines(result, style),
    hasSlab ? hazardLines(slab, first_ns, style) : [],
    spbZoneLines(result, style),
    allocationLines(result, style),
    spb === null ? [] : spbPassLines(spb, style),
    fragmentationLines(result, style),
    hasSlab ? slabLines(slab, style) : [],
    hasSlab ? nolockLines(slab, first_ns, style) : [],
    [
      ...machineryLines(result, style),
      ...(spb === null ? [] : spbWorkLines(spb, style)),
      ...eventLines(result, style),
      ...noteLines(result, style),
      ...findingLines(result, style),
    ],
    [style.dim('More: --proc (kernel text) · --map · --series 1s · --verbose · --json · spbsim explain')],
  ].filter((lines) => lines.length > 0);
  return `${sections.map((lines) => lines.join('\n')).join('\n\n')}\n`;
}
