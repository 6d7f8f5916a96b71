/**
 * The 1 GiB ranges of each zone as a table: what they hold, how near that is to the best that any policy could do, and how
 * many 1 GiB pages are to be had. The counts are by content, so they mean the same for every policy.
 * model: spb 5.4
 */
import { SUPERPAGEBLOCK_NR_PAGES } from '../mm/spb/spb-types.js';
import { thousands } from './quantities.js';
import type { ResultZone, ResultZoneSpb, RunResult } from './run-result.js';
import { printable } from './sanitize.js';
import type { TextStyle } from './text-style.js';
import { textTable, wrapItems } from './text-table.js';

const TITLE = 'Superpageblocks';
const NOTE_INDENT = 2;

interface Column {
  readonly head: string;
  readonly of: (zone: ResultZoneSpb) => string;
  /** in the row of the ideal packing; blank where it would mean nothing */
  readonly ideal?: (zone: ResultZoneSpb) => number;
  /** left out where every zone has 0 */
  readonly rare?: (zone: ResultZoneSpb) => number;
}

const COLUMNS: readonly Column[] = [
  { head: 'total', of: (zone) => thousands(zone.total) },
  { head: 'empty', of: (zone) => thousands(zone.empty), ideal: (zone) => zone.ideal_empty },
  { head: 'clean', of: (zone) => thousands(zone.clean) },
  { head: 'tainted', of: (zone) => thousands(zone.tainted), ideal: (zone) => zone.floor },
  { head: 'held', of: (zone) => thousands(zone.held), rare: (zone) => zone.held },
  { head: 'floor', of: (zone) => thousands(zone.floor) },
  { head: 'efficiency', of: (zone) => zone.taint_efficiency?.toFixed(2) ?? '' },
  { head: '1 GiB now', of: (zone) => thousands(zone.gigantic_now) },
  { head: '+move', of: (zone) => thousands(zone.gigantic_after_migration) },
  { head: '+reclaim', of: (zone) => thousands(zone.gigantic_after_reclaim) },
];

/** Clipped ranges can never be a 1 GiB page: zones that have no other are left out. */
function hasWholeRange(zone: ResultZone): boolean {
  return zone.superpageblocks.ranges.some(({ present_pages }) => present_pages === SUPERPAGEBLOCK_NR_PAGES);
}

function zoneName({ node, name }: ResultZone): string {
  return `node ${node} ${printable(name)}`;
}

/** Zones of the table. The passes of a policy work in clipped ranges, too, where there is nothing else. */
function shownZones(result: RunResult): readonly ResultZone[] {
  const whole = result.zones.filter(hasWholeRange);
  return whole.length > 0 || result.superpageblocks === null ? whole : result.zones;
}

function noteItems(result: RunResult, shown: readonly ResultZone[]): string[] {
  const items: string[] = [];
  if (result.superpageblocks === null)
    items.push('counted by content: the policy knows nothing of superpageblocks');
  for (const zone of shown) {
    const { tainted, tainted_by_bits, held, isolated } = zone.superpageblocks;
    if (tainted_by_bits !== null && tainted_by_bits !== tainted)
      items.push(`${zoneName(zone)}: ${thousands(tainted_by_bits)} tainted by their sticky bits`);
    if (isolated !== null && isolated !== held)
      items.push(`${zoneName(zone)}: ${thousands(isolated)} on the list of isolated ones`);
  }
  const left = result.zones.filter((zone) => !shown.includes(zone)).map(zoneName);
  if (left.length > 0) items.push(`left out, as it has no whole GiB: ${left.join(', ')}`);
  return items;
}

/** Lines of the table, with notes under it. */
export function spbZoneLines(result: RunResult, style: TextStyle): string[] {
  const shown = shownZones(result);
  if (shown.length === 0) return [`${style.heading(TITLE)}  none: no zone has a whole GiB`];
  const zones = shown.map((zone) => zone.superpageblocks);
  const columns = COLUMNS.filter(({ rare }) => rare === undefined || zones.some((zone) => rare(zone) > 0));
  const rows = shown.map((zone, position) => {
    const first = shown[position - 1]?.node !== zone.node;
    const name = `  ${(first ? `node ${zone.node}` : '').padEnd(6)} ${printable(zone.name)}`;
    return [name, ...columns.map(({ of }) => of(zone.superpageblocks))];
  });
  const ideal = columns.map(({ ideal: of }) =>
    of === undefined ? '' : thousands(zones.reduce((sum, zone) => sum + of(zone), 0)),
  );
  const head = [style.heading(TITLE), ...columns.map((column) => column.head)];
  const table = textTable({ head, rows: [...rows, ['  ideal packing', ...ideal]] });
  return [...table, ...wrapItems(noteItems(result, shown), NOTE_INDENT).map(style.dim)];
}
