/** What `spbsim verify` prints of a recording's slab caches: totals, and the caches that differ most. */
import { percent, plural, thousands } from './quantities.js';
import { printable } from './sanitize.js';
import type { TextStyle } from './text-style.js';
import { textTable } from './text-table.js';
import type { VerifySlabCache, VerifySlabs } from './verify-result.js';

/** Caches of the table; all of them are in `--json`. */
const SHOWN_CACHES = 10;

const MOMENTS: Readonly<Record<VerifySlabs['moment'], string>> = {
  slabinfo: 'when slabinfo was read',
  mark: 'at the mark; when slabinfo was read is not shown',
  end: 'at the end of the trace; when slabinfo was read is not shown',
};

const CAUSES = [
  ['implied_frees', 'freed without an event'],
  ['start_frees', 'freed of the start'],
  ['unknown_frees', 'freed though unknown'],
] as const;

/** Lines without indent; the first of them is the totals. */
export function slabLines(slabs: VerifySlabs, style: TextStyle): string[] {
  const { caches } = slabs;
  if (caches.length === 0) return [];
  const wrong = caches.filter((cache) => cache.error_slabs !== 0);
  const rows = wrong.slice(0, SHOWN_CACHES).map(cacheCells);
  const table =
    rows.length === 0
      ? []
      : textTable({
          head: ['', 'order', 'before', 'predicted', 'real', 'error', 'active', 'made', 'recorded', ''],
          rows,
          left: [0, 9],
        });
  const hidden = wrong.length - rows.length;
  return [totalsLine(slabs), pagesLine(slabs), ...table].concat(
    hidden > 0 ? [style.dim(`${thousands(hidden)} more in --json`)] : [],
  );
}

function totalsLine({ caches, moment }: VerifySlabs): string {
  const equal = caches.filter((cache) => cache.error_slabs === 0).length;
  const near = caches.filter((cache) => Math.abs(cache.error_slabs) <= 1).length;
  const changed = (side: 'predicted' | 'real') =>
    caches.reduce((sum, { slabs }) => sum + slabs[side] - slabs.before, 0);
  return (
    `${thousands(equal)} of ${plural(caches.length, 'cache')} equal, ${thousands(near)} within one slab ` +
    `${MOMENTS[moment]}: slabs predicted ${signed(changed('predicted'))}, real ${signed(changed('real'))}`
  );
}

function pagesLine({ pages }: VerifySlabs): string {
  if (pages.orders.length === 0) return 'no slab was made';
  const orders = pages.orders.map(
    ({ order, predicted, recorded }) =>
      `order ${order} ${thousands(predicted)}, recorded ${thousands(recorded)}`,
  );
  const common = pages.orders.reduce((sum, row) => sum + row.in_common, 0);
  const most = pages.orders.reduce((sum, row) => sum + Math.max(row.recorded, row.predicted), 0);
  return `made ${orders.join('; ')}: ${percent(common, most)} in the same ${pages.window_ns / 1e6} ms`;
}

function cacheCells({
  name,
  order,
  slabs,
  error_slabs,
  active_objects,
  made,
  causes,
}: VerifySlabCache): string[] {
  return [
    printable(name),
    String(order),
    thousands(slabs.before),
    signed(slabs.predicted - slabs.before),
    signed(slabs.real - slabs.before),
    signed(error_slabs),
    signed(active_objects.predicted - active_objects.real),
    thousands(made.predicted),
    thousands(made.recorded),
    CAUSES.filter(([cause]) => causes[cause] > 0)
      .map(([cause, text]) => `${thousands(causes[cause])} ${text}`)
      .join(', '),
  ];
}

function signed(value: number): string {
  return `${value > 0 ? '+' : ''}${thousands(value)}`;
}
