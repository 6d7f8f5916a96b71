/** One event explained: what was asked, what was tried, what came of it, and what is different now. */
import { basename } from 'node:path';
import type { ExplainChanges, Explanation } from './explain-document.js';
import { entry, hex, stepLines } from './explain-steps-text.js';
import { duration, plural, thousands } from './quantities.js';
import { printable } from './sanitize.js';
import { plainStyle, type TextStyle } from './text-style.js';
import { wrapItems } from './text-table.js';

/** Rows of one kind of change; the rest is in --json. */
const MOST_ROWS = 6;

function headerLines(
  { event, inputs, policy, machine, start_state }: Explanation,
  style: TextStyle,
): string[] {
  const title = `#${thousands(event.number)}`;
  const what = event.order === null ? event.op : `${event.op} order ${event.order}`;
  const items = [
    title,
    `at ${duration(event.since_start_ns)}`,
    `CPU ${event.cpu}, ${event.ctx}`,
    what,
    ...(event.id === '' ? [] : [`id ${printable(event.id)}`]),
    ...(event.recorded_pfn === null ? [] : [`recorded pfn ${hex(event.recorded_pfn)}`]),
    ...(event.site === '' ? [] : [`site ${printable(event.site)}`]),
  ];
  const [first = '', ...rest] = wrapItems(items, 0);
  const overrides = policy.overrides.map((text) => ` --set ${printable(text)}`).join('');
  const names = inputs.map((path) => printable(basename(path) || path)).join(' ');
  const replayed = [
    names,
    `policy ${printable(policy.name)}${overrides}`,
    `machine: ${printable(machine)}`,
    `start state: ${start_state}`,
  ];
  return [
    style.heading(title) + first.slice(title.length),
    ...rest,
    ...wrapItems(replayed, 0).map(style.dim),
  ];
}

/** Flags with what joins them, so that a line can end between any two. */
function gfpPieces(gfp: string): string[] {
  return printable(gfp).split(/(?<=\|)/);
}

function requestLines({ request }: Explanation, style: TextStyle): string[] {
  if (request === null) return [];
  const kind = request.kind === 'M' ? 'M: movable' : `N: ${request.migratetype}`;
  const may = [
    request.may_reclaim ? 'may reclaim' : 'cannot reclaim',
    ...(request.is_optional ? ['optional: may be refused'] : []),
  ].join(', ');
  const zonelist = request.zonelist.length === 0 ? ['empty: it can get nothing'] : request.zonelist;
  return [
    ...entry(0, 'request', [kind, plural(request.pages, 'page'), may], style),
    ...entry(0, 'gfp', gfpPieces(request.gfp), style, ''),
    ...entry(0, 'zonelist', zonelist, style, ', '),
  ];
}

function outcomeLines({ outcome }: Explanation, style: TextStyle): string[] {
  const { result, pfn, pages, zone } = outcome;
  const texts: Readonly<Record<typeof result, string>> = {
    allocated: style.good(`${plural(pages, 'page')} at pfn ${hex(pfn ?? 0)}, ${zone ?? 'outside all zones'}`),
    failed: style.bad('no page: the request fails'),
    freed: `${plural(pages, 'page')} freed`,
    not_replayed: style.warn('not replayed'),
  };
  const notes = outcome.notes.flatMap(({ meaning }) =>
    entry(0, 'counted among', printable(meaning).split(' '), style, ' '),
  );
  return [...entry(0, 'outcome', [texts[result]], style), ...notes];
}

/** At most `MOST_ROWS` of the texts, and how many there are beyond. */
function shortened(texts: readonly string[]): string[] {
  if (texts.length <= MOST_ROWS) return [...texts];
  return [...texts.slice(0, MOST_ROWS), `… and ${thousands(texts.length - MOST_ROWS)} more (--json)`];
}

function signed(value: number): string {
  return value > 0 ? `+${thousands(value)}` : thousands(value);
}

function changeTexts(changes: ExplainChanges): Record<string, string[]> {
  return {
    superpageblocks: changes.superpageblocks.map(({ start_pfn, content, list }) => {
      const byContent = content.before === content.after ? [] : [`${content.before} -> ${content.after}`];
      const isSame = list === null || list.before === list.after;
      const onList = isSame ? [] : [`list ${list.before} -> ${list.after}`];
      return `${hex(start_pfn)}: ${[...byContent, ...onList].join(', ')}`;
    }),
    contents: changes.contents.map(({ superpageblock, holds, begins, pageblocks, first_or_last }) => {
      const verb = `${begins ? 'begin' : 'cease'}${pageblocks === 1 ? 's' : ''}`;
      const end = first_or_last ? ` (the ${begins ? 'first' : 'last'} there)` : '';
      return `${hex(superpageblock)}: ${plural(pageblocks, 'pageblock')} ${verb} to hold ${holds} pages${end}`;
    }),
    pageblocks: changes.pageblocks.map(({ pfn, type }) => `${hex(pfn)} ${type.before} -> ${type.after}`),
    zones: changes.zones.map(({ zone, free_pages, boost_pages }) => {
      const boost = boost_pages === 0 ? '' : `, boost ${signed(boost_pages)}`;
      return `${zone}: ${signed(free_pages)} free${boost}`;
    }),
    kswapd: changes.kswapd_woken.map((node) => `woken on node ${node}`),
    counters: Object.entries(changes.vmstat)
      .filter(([name]) => !name.startsWith('nr_'))
      .map(([name, change]) => `${printable(name)} ${signed(change)}`),
  };
}

function changeLines({ changes }: Explanation, style: TextStyle): string[] {
  const texts = Object.entries(changeTexts(changes)).filter(([, rows]) => rows.length > 0);
  if (texts.length === 0) return entry(0, 'changes', ['none'], style);
  const lines = texts.flatMap(([label, rows]) =>
    entry(1, label, label === 'counters' ? rows : shortened(rows), style),
  );
  return [...entry(0, 'changes', [], style), ...lines];
}

/** What was tried for an event and what came of it, without what the event is: for where that is said already. */
export function explainedSteps(explanation: Explanation, style: TextStyle = plainStyle): string[] {
  return [...stepLines(explanation.steps, style), ...outcomeLines(explanation, style)];
}

export function renderExplanation(explanation: Explanation, style: TextStyle = plainStyle): string {
  const sections = [
    headerLines(explanation, style),
    requestLines(explanation, style),
    stepLines(explanation.steps, style),
    [...outcomeLines(explanation, style), ...changeLines(explanation, style)],
  ].filter((lines) => lines.length > 0);
  return `${sections.map((lines) => lines.join('\n')).join('\n\n')}\n`;
}
