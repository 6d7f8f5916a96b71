/**
 * Slab caches for people: the largest ones and the sums on the first screen, all of them with every cause of waste and every
 * counter on demand.
 */
import { bytes, pagesAsBytes, percent, plural, thousands } from '../quantities.js';
import { printable } from '../sanitize.js';
import { labelled } from '../text-labelled.js';
import { plainStyle, type TextStyle } from '../text-style.js';
import { textTable, wrapItems } from '../text-table.js';
import { memcgLines } from './memcg-text.js';
import type { ResultSlab, ResultSlabCache, ResultSlabWaste } from './result-slab.js';

/** Caches of the short table. */
const SHOWN_CACHES = 10;
const SHOWN_SITES = 20;
const PAGE_BYTES = 4096;
const MAX_NAME = 32;

/** What the parts of waste are called, in the order of the schema. */
const WASTE_NAMES: Readonly<Record<keyof ResultSlabWaste, string>> = {
  rounding_bytes: 'rounding',
  alignment_bytes: 'alignment',
  debug_bytes: 'debug',
  deferred_bytes: 'deferred',
  free_cpu_bytes: 'free on CPUs',
  free_partial_bytes: 'free on lists',
  tail_bytes: 'tail',
};
const WASTE_PARTS = Object.keys(WASTE_NAMES) as (keyof ResultSlabWaste)[];

/** A name of a trace: one line, and not so long that it moves the columns out of sight. */
export function shortName(name: string, most = MAX_NAME): string {
  const clean = printable(name);
  return clean.length <= most ? clean : `${clean.slice(0, most - 1)}…`;
}

function signed(value: number): string {
  return value > 0 ? `+${thousands(value)}` : thousands(value);
}

interface Column {
  readonly head: string;
  readonly of: (cache: ResultSlabCache) => string;
  /** left out where every cache has 0 */
  readonly rare?: (cache: ResultSlabCache) => number;
}

/** The part that most bytes are lost to. */
function mainCause({ waste, waste_bytes }: ResultSlabCache): string {
  if (waste_bytes === 0) return '';
  const most = WASTE_PARTS.reduce((a, b) => (waste[b] > waste[a] ? b : a));
  return `${WASTE_NAMES[most]} ${percent(waste[most], waste_bytes)}`;
}

const COUNTS: readonly Column[] = [
  { head: 'pages', of: ({ pages }) => thousands(pages) },
  { head: 'change', of: ({ pages, start_pages }) => signed(pages - start_pages) },
  { head: 'slabs', of: ({ slabs }) => thousands(slabs) },
  { head: 'objects', of: ({ objects }) => thousands(objects) },
  { head: 'live', of: ({ live_objects }) => thousands(live_objects) },
  { head: 'failed', of: ({ failed }) => thousands(failed), rare: ({ failed }) => failed },
  {
    head: 'used',
    of: ({ requested_bytes, pages }) => percent(requested_bytes, pages * PAGE_BYTES),
  },
];

const SHORT: readonly Column[] = [
  ...COUNTS,
  { head: 'waste', of: ({ waste_bytes }) => bytes(waste_bytes) },
  { head: 'mostly', of: mainCause },
];

const SHAPE: readonly Column[] = [
  ...COUNTS,
  { head: 'partial', of: ({ partial_slabs }) => thousands(partial_slabs) },
  { head: 'object', of: ({ object_size_bytes }) => thousands(object_size_bytes) },
  { head: 'slot', of: ({ size_bytes }) => thousands(size_bytes) },
  { head: 'order', of: ({ order }) => String(order) },
];

const WASTE: readonly Column[] = [
  { head: 'requested', of: ({ requested_bytes }) => bytes(requested_bytes) },
  { head: 'waste', of: ({ waste_bytes }) => bytes(waste_bytes) },
  ...WASTE_PARTS.map((part) => ({
    head: WASTE_NAMES[part],
    of: ({ waste }: ResultSlabCache) => bytes(waste[part]),
    rare: ({ waste }: ResultSlabCache) => waste[part],
  })),
];

function cacheTable(
  title: string,
  caches: readonly ResultSlabCache[],
  columns: readonly Column[],
  style: TextStyle,
): string[] {
  const shown = columns.filter(({ rare }) => rare === undefined || caches.some((cache) => rare(cache) > 0));
  const rows = caches.map((cache) => [
    `  ${shortName(cache.name)}${cache.debug ? ' (debug)' : ''}`,
    ...shown.map(({ head, of }) =>
      head === 'failed' && cache.failed > 0 ? style.bad(of(cache)) : of(cache),
    ),
  ]);
  return textTable({ head: [style.heading(title), ...shown.map(({ head }) => head)], rows });
}

/** Whether a cache has, or had when counting began, any page. */
function isUsed({ pages, start_pages }: ResultSlabCache): boolean {
  return pages > 0 || start_pages > 0;
}

/** The largest caches, at whichever end of the run they were large. */
function largest(caches: readonly ResultSlabCache[]): ResultSlabCache[] {
  const size = ({ pages, start_pages }: ResultSlabCache) => Math.max(pages, start_pages);
  return caches
    .filter(isUsed)
    .sort((a, b) => size(b) - size(a))
    .slice(0, SHOWN_CACHES);
}

function totalLines({ totals, large }: ResultSlab, style: TextStyle): string[] {
  const all = totals.pages * PAGE_BYTES;
  const change = totals.pages - totals.start_pages;
  const parts = WASTE_PARTS.filter((part) => totals.waste[part] > 0).map(
    (part) => `${WASTE_NAMES[part]} ${bytes(totals.waste[part])}`,
  );
  const wasted = [`${bytes(totals.waste_bytes)}${parts.length > 0 ? ':' : ''}`, ...parts];
  const items = [
    `${pagesAsBytes(totals.pages)} (${signed(change)} ${Math.abs(change) === 1 ? 'page' : 'pages'})`,
    `reclaimable ${pagesAsBytes(totals.reclaimable_pages)}, unreclaimable ${pagesAsBytes(totals.unreclaimable_pages)}`,
    `requested ${bytes(totals.requested_bytes)}${all > 0 ? `, ${percent(totals.requested_bytes, all)}` : ''}`,
    ...(large.pages > 0 ? [`large objects ${pagesAsBytes(large.pages)}`] : []),
  ];
  return [...labelled('Slab totals', items, style), ...labelled('Slab waste', wasted, style)];
}

/** Calls, and how many took the short way. */
function callLines({ totals, contexts }: ResultSlab, style: TextStyle): string[] {
  if (totals.allocated + totals.failed + totals.freed === 0) return [];
  const { alloc_fastpath = 0, alloc_slowpath = 0, alloc_slab = 0, order_fallback = 0 } = totals.stats;
  const asked = alloc_fastpath + alloc_slowpath;
  const failed = `${thousands(totals.failed)} failed`;
  const items = [
    `allocated ${thousands(totals.allocated)}`,
    totals.failed > 0 ? style.bad(failed) : failed,
    `freed ${thousands(totals.freed)}`,
    ...(asked > 0 ? [`fast path ${percent(alloc_fastpath, asked)}`] : []),
    `${plural(alloc_slab, 'slab')} made${order_fallback > 0 ? `, ${thousands(order_fallback)} of lower order` : ''}`,
    ...contexts
      .filter(({ context }) => context !== 'task')
      .map(({ context, allocated, failed: none, freed }) => {
        const failures = none > 0 ? `, ${thousands(none)} failed` : '';
        return `${context}: ${thousands(allocated)} allocated${failures}, ${thousands(freed)} freed`;
      }),
  ];
  return labelled('Slab calls', items, style);
}

/** The largest caches, and the sums of all. */
export function slabLines(slab: ResultSlab, style: TextStyle): string[] {
  const shown = largest(slab.caches);
  const used = slab.caches.filter(isUsed);
  const left = used.filter((cache) => !shown.includes(cache));
  const more = left.reduce((sum, { pages }) => sum + pages, 0);
  return [
    ...(shown.length > 0
      ? cacheTable('Slab caches', shown, SHORT, style)
      : [`${style.heading('Slab caches')}  no slab in any of ${plural(slab.totals.caches, 'cache')}`]),
    ...(left.length > 0
      ? [style.dim(`  ${plural(left.length, 'cache')} more with ${plural(more, 'page')} (--verbose)`)]
      : []),
    ...totalLines(slab, style),
    ...callLines(slab, style),
    ...memcgLines(slab.memcgs, style),
  ];
}

function siteLines({ sites }: ResultSlab, style: TextStyle): string[] {
  if (sites.rows.length === 0) return [];
  const cells = (row: ResultSlab['sites']['others']) => [
    thousands(row.live_objects),
    bytes(row.live_bytes),
    thousands(row.allocated),
    thousands(row.failed),
    thousands(row.freed),
  ];
  const shown = sites.rows.slice(0, SHOWN_SITES);
  const others = { ...sites.others };
  for (const row of sites.rows.slice(SHOWN_SITES))
    for (const key of Object.keys(others) as (keyof typeof others)[]) others[key] += row[key];
  const rows = [
    ...shown.map((row) => [`  ${shortName(row.site, 40)}`, ...cells(row)]),
    ['  all others', ...cells(others)],
  ];
  const head = [style.heading('Slab call sites'), 'live', 'slots', 'allocated', 'failed', 'freed'];
  return textTable({ head, rows });
}

function statLines(slab: ResultSlab, style: TextStyle): string[] {
  const items = (stats: Readonly<Record<string, number>>) =>
    Object.entries(stats).map(([name, count]) => `${printable(name)} ${thousands(count)}`);
  const all = items(slab.totals.stats);
  if (all.length === 0) return [];
  const caches = slab.caches.flatMap((cache) => {
    const own = items(cache.stats);
    return own.length === 0 ? [] : [`  ${shortName(cache.name)}`, ...wrapItems(own, 4)];
  });
  return [...labelled('Counters', all, style), ...caches];
}

/** All caches, with their shape, every cause of waste, and counters; and the call sites. */
export function renderSlabDetails(slab: ResultSlab, style: TextStyle = plainStyle): string {
  const used = slab.caches.filter(isUsed);
  const unused = slab.caches.length - used.length;
  const sections = [
    used.length === 0 ? [] : cacheTable('All slab caches', used, SHAPE, style),
    used.length === 0 ? [] : cacheTable('Bytes of slabs', used, WASTE, style),
    unused > 0 ? [style.dim(`  ${plural(unused, 'cache')} without a slab`)] : [],
    siteLines(slab, style),
    statLines(slab, style),
  ].filter((lines) => lines.length > 0);
  return `${sections.map((lines) => lines.join('\n')).join('\n\n')}\n`;
}
