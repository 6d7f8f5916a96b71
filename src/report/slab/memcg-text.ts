/** Memory cgroups for people: what each is charged, and what stayed uncharged or was refused. */
import { bytes, pagesAsBytes, plural, thousands } from '../quantities.js';
import { printable } from '../sanitize.js';
import { labelled } from '../text-labelled.js';
import type { TextStyle } from '../text-style.js';
import { textTable } from '../text-table.js';
import type { ResultMemcg, ResultMemcgs } from './result-slab.js';

/** Of the short table. */
const SHOWN = 8;
const MAX_PATH = 30;

/** Cgroups with the same beginning are told apart by their ends. */
function shortPath(path: string): string {
  const clean = printable(path);
  return clean.length <= MAX_PATH ? clean : `…${clean.slice(clean.length - MAX_PATH + 1)}`;
}

/** Nothing where no event named a cgroup. */
export function memcgLines(memcgs: ResultMemcgs | null, style: TextStyle): string[] {
  if (memcgs === null) return [];
  const shown = memcgs.rows.slice(0, SHOWN);
  const head = [style.heading('Memory cgroups'), 'charged', 'max', 'peak', 'objects', 'pages', 'refused'];
  const left = memcgs.cgroups - shown.length;
  const shownPages = shown.reduce((sum, { own_pages }) => sum + own_pages, 0);
  return [
    ...textTable({ head, rows: shown.map((row) => cells(row, style)) }),
    ...(left > 0
      ? [style.dim(`  ${plural(left, 'cgroup')} more with ${pagesAsBytes(memcgs.usage_pages - shownPages)}`)]
      : []),
    ...unchargedLines(memcgs, style),
  ];
}

function cells(row: ResultMemcg, style: TextStyle): string[] {
  const refused = thousands(row.refused);
  return [
    `  ${shortPath(row.path)}${row.online ? '' : ' (offline)'}`,
    pagesAsBytes(row.usage_pages),
    row.max_pages === null ? '-' : pagesAsBytes(row.max_pages),
    pagesAsBytes(row.peak_pages),
    bytes(row.object_bytes),
    pagesAsBytes(row.kmem_pages),
    row.refused > 0 ? style.bad(refused) : refused,
  ];
}

function unchargedLines({ uncharged }: ResultMemcgs, style: TextStyle): string[] {
  const { no_vector, ...contexts } = uncharged;
  const items = Object.entries(contexts)
    .filter(([, count]) => count > 0)
    .map(([context, count]) => `${plural(count, 'object')} of ${context} with nobody to pay`);
  if (no_vector > 0) items.push(`${plural(no_vector, 'object')} without memory for a vector`);
  return items.length === 0 ? [] : labelled('Not charged', items, style);
}
