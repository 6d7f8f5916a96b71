/**
 * What the superpageblock mechanisms did, for policies that have them: where searches ended, and a named line for each
 * mechanism that did anything. What is zero is not mentioned.
 * model: spb 3.3, 3.4, 3.6, 3.7, 4, 5.1, 7
 */
import { duration, percent, thousands } from './quantities.js';
import type { ResultSpb } from './run-result.js';
import { printable } from './sanitize.js';
import { labelled } from './text-labelled.js';
import type { TextStyle } from './text-style.js';
import { textTable } from './text-table.js';

/** Outcomes in the order in which a search tries them; others, if there ever are any, follow. */
const OUTCOMES: ReadonlyMap<string, string> = new Map([
  ['PASS_1', 'pass 1'],
  ['PASS_2', 'pass 2'],
  ['PASS_2B', 'pass 2b'],
  ['PASS_2C', 'pass 2c'],
  ['PASS_2D', 'pass 2d'],
  ['PASS_3', 'pass 3'],
  ['PASS_4', 'pass 4'],
  ['ZONE_FALLBACK', 'zone lists'],
  ['NO_PAGE', 'no page'],
]);
const TYPES = ['movable', 'unmovable', 'reclaimable', 'highatomic', 'cma'];
const ORDERS = [
  { head: 'order 0', first: 0, last: 0 },
  { head: '1-3', first: 1, last: 3 },
  { head: '4-8', first: 4, last: 8 },
  { head: '9-10', first: 9, last: 10 },
];

type Outcome = ResultSpb['outcomes'][number];

/** Those of `known` that occur, in that order, then what else occurs. */
function inOrder(known: Iterable<string>, found: readonly string[]): string[] {
  const occurring = new Set(found);
  return [...new Set([...[...known].filter((name) => occurring.has(name)), ...occurring])];
}

function total(cells: readonly Pick<Outcome, 'count'>[]): number {
  return cells.reduce((sum, { count }) => sum + count, 0);
}

function outcomeName(outcome: string): string {
  return OUTCOMES.get(outcome) ?? printable(outcome);
}

function outcomesOf(spb: ResultSpb): string[] {
  return inOrder(
    OUTCOMES.keys(),
    spb.outcomes.map(({ outcome }) => outcome),
  );
}

function typesOf(outcomes: readonly Outcome[]): string[] {
  return inOrder(
    TYPES,
    outcomes.map(({ migratetype }) => migratetype),
  );
}

/** Ends of searches by pass and type: a table, or nothing where there was none. */
export function spbPassLines(spb: ResultSpb, style: TextStyle): string[] {
  const searches = total(spb.outcomes);
  if (searches === 0) return [];
  const types = typesOf(spb.outcomes);
  const rows = outcomesOf(spb).map((outcome) => {
    const own = spb.outcomes.filter((row) => row.outcome === outcome);
    return [
      `  ${outcomeName(outcome)}`,
      percent(total(own), searches),
      ...types.map((type) => thousands(total(own.filter(({ migratetype }) => migratetype === type)))),
    ];
  });
  return textTable({ head: [style.heading('Searches'), 'share', ...types.map(printable)], rows });
}

interface Cell {
  readonly name: string;
  readonly migratetype: string;
  readonly order: number;
  readonly count: number;
}

/** A row for each name and type, a column for each group of orders. */
function orderTable(
  title: string,
  names: readonly string[],
  cells: readonly Cell[],
  style: TextStyle,
): string[] {
  const rows = names.flatMap((name) => {
    const own = cells.filter((cell) => cell.name === name);
    const types = inOrder(
      TYPES,
      own.map(({ migratetype }) => migratetype),
    );
    return types.map((type, position) => [
      position === 0 ? `  ${outcomeName(name)}` : '',
      printable(type),
      ...ORDERS.map(({ first, last }) =>
        thousands(
          total(
            own.filter(({ migratetype, order }) => migratetype === type && order >= first && order <= last),
          ),
        ),
      ),
    ]);
  });
  const heading = style.heading(title);
  if (rows.length === 0) return [`${heading}  none`];
  return textTable({ head: [heading, '', ...ORDERS.map((column) => column.head)], rows, left: [0, 1] });
}

/** Searches by order, how many superpageblocks they looked at, and claims that were refused by order. */
export function renderSpbDetails(spb: ResultSpb, style: TextStyle): string {
  const outcomes = spb.outcomes.map(({ outcome, ...cell }) => ({ name: outcome, ...cell }));
  const refusals = spb.refusals.map(({ stage, reason, ...cell }) => ({
    name: `${stage === 'CLAIM' ? 'claim' : 'pass 2b'}: ${reason.toLowerCase().replaceAll('_', ' ')}`,
    ...cell,
  }));
  const reasons = [...new Set(refusals.map(({ name }) => name))];
  const lines = [
    ...orderTable('Searches by order', outcomesOf(spb), outcomes, style),
    ...lookedAtLines(spb, style),
    ...(reasons.length === 0 ? [] : ['', ...orderTable('Claims refused', reasons, refusals, style)]),
  ];
  return `${lines.join('\n')}\n`;
}

function lookedAtLines({ search }: ResultSpb, style: TextStyle): string[] {
  let least = 0;
  const visits = search.visits_histogram.flatMap(({ up_to, searches }) => {
    const from = least;
    least = (up_to ?? 0) + 1;
    if (searches === 0) return [];
    const range = up_to === null ? `${thousands(from)} and more` : rangeText(from, up_to);
    return [`${range}: ${searchesText(searches)}`];
  });
  return visits.length === 0 ? [] : labelled('Looked at', visits, style);
}

function searchesText(value: number): string {
  return `${thousands(value)} ${value === 1 ? 'search' : 'searches'}`;
}

function rangeText(from: number, to: number): string {
  return from === to ? thousands(to) : `${thousands(from)}-${thousands(to)}`;
}

/** `noun N` where N is not zero. */
function counted(noun: string, value: number, more: readonly string[] = []): string[] {
  if (value === 0) return [];
  const details = more.filter((text) => text !== '');
  return [`${noun} ${thousands(value)}${details.length === 0 ? '' : ` (${details.join(', ')})`}`];
}

/** `N of it`, or nothing for 0. */
function part(value: number, what: string): string {
  return value === 0 ? '' : `${thousands(value)} ${what}`;
}

function namedCounts(counts: Readonly<Record<string, number>>): string[] {
  return Object.entries(counts).flatMap(([name, count]) =>
    counted(printable(name).toLowerCase().replaceAll('_', ' '), count),
  );
}

function fallbackItems({ fallback, relax_steps, claim_refused }: ResultSpb): Record<string, string[]> {
  const taints = fallback.taints_by_pass3 + fallback.taints_by_claim + fallback.taints_by_steal;
  const refused = Object.values(claim_refused).reduce((sum, count) => sum + count, 0);
  return {
    Fallback: [
      ...counted('claims', fallback.claims_preferred + fallback.claims_other, [
        part(fallback.claims_other, 'beyond the preferred superpageblocks'),
      ]),
      ...counted('steals', fallback.steals),
      ...counted('superpageblocks tainted', taints, [
        part(fallback.taints_by_pass3, 'by pass 3'),
        part(fallback.taints_by_claim, 'by claims'),
        part(fallback.taints_by_steal, 'by steals'),
      ]),
    ],
    Refused: [
      ...counted('optional high orders', fallback.spb_highorder_refused),
      ...counted('claims', refused, namedCounts(claim_refused)),
    ],
    Relaxed: [
      ...namedCounts(relax_steps),
      ...counted('NOFRAGMENT given up', fallback.nofragment_dropped),
      ...counted('rounds of reclaim before', fallback.reclaim_rounds),
    ],
  };
}

function backgroundItems({ evacuation, defrag, slab_shrink }: ResultSpb): Record<string, string[]> {
  return {
    Evacuation: [
      ...counted('queued', evacuation.requested, [
        part(evacuation.dropped, 'dropped for want of a descriptor'),
      ]),
      ...counted('ran', evacuation.calls, [part(evacuation.calls - evacuation.successes, 'moved nothing')]),
      ...counted('blocks', evacuation.phase1_blocks + evacuation.phase2_blocks, [
        part(evacuation.phase1_blocks, 'of the own type'),
        part(evacuation.phase2_blocks, 'of movable type'),
      ]),
      ...counted('pages moved', evacuation.moved_pages),
      ...counted('pages that could not move', evacuation.failed_pages),
    ],
    Defrag: [
      ...counted('offered', defrag.offered, [part(defrag.in_cooldown, 'in cooldown')]),
      ...counted('ran', defrag.runs, [part(defrag.no_progress, 'without progress')]),
      ...counted('pages moved', defrag.moved_pages),
      ...counted('blocks freed', defrag.blocks_freed),
    ],
    'Slab shrink': [
      ...counted('queued', slab_shrink.queued),
      ...counted('ran', slab_shrink.ran),
      ...counted('rounds', slab_shrink.rounds),
      ...counted('objects', slab_shrink.objects),
      ...counted('pages freed', slab_shrink.pages),
    ],
  };
}

/** Items of one workqueue run one at a time: who waits long stands behind others. */
function waitItems({ work }: ResultSpb): string[] {
  return Object.entries(work).flatMap(([kind, { runs, busy_ns, waited_ns, most_waited_ns }]) =>
    runs === 0
      ? []
      : [
          `${kind.replaceAll('_', ' ')} ${duration(waited_ns / runs)} each, ${duration(most_waited_ns)} at most (busy ${duration(busy_ns)})`,
        ],
  );
}

function contigItems({ contig }: ResultSpb): string[] {
  const { gigantic_allocated, gigantic_from_empty, gigantic_migrated_pages, gigantic_most_migrated_pages } =
    contig;
  const each = gigantic_allocated === 0 ? 0 : gigantic_migrated_pages / gigantic_allocated;
  return [
    ...counted('requests', contig.calls, [part(contig.failed, 'failed')]),
    ...counted('1 GiB pages', gigantic_allocated, [part(gigantic_from_empty, 'without moving a page')]),
    ...counted('pages moved', gigantic_migrated_pages, [
      part(each, 'for each of them'),
      part(gigantic_most_migrated_pages, 'at most'),
    ]),
    ...counted('2 MiB pages tried', contig.thp_tried, [part(contig.thp_allocated, 'had')]),
  ];
}

function searchItems({ search, selector }: ResultSpb): string[] {
  if (search.searches === 0) return [];
  const each = (value: number) => (value / search.searches).toFixed(2);
  return [
    `${searchesText(search.searches)} by ${selector}`,
    `${each(search.visited)} looked at each`,
    `${each(search.probes)} probes each`,
    ...counted('flips', search.bitmap_flips),
    ...counted('fell through to pass 3', search.fall_throughs, [
      part(search.fall_throughs_with_buddy, 'though one had a fitting chunk'),
    ]),
  ];
}

/** A line for each mechanism that did something. */
export function spbWorkLines(spb: ResultSpb, style: TextStyle): string[] {
  const lines: Record<string, readonly string[]> = {
    ...fallbackItems(spb),
    ...backgroundItems(spb),
    'Work waits': waitItems(spb),
    Contiguous: contigItems(spb),
    'Search cost': searchItems(spb),
  };
  return Object.entries(lines).flatMap(([label, items]) =>
    items.length === 0 ? [] : labelled(label, items, style),
  );
}
