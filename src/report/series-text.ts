import { duration, indexText, pagesAsBytes, thousands } from './quantities.js';
import type { ResultSample, RunResult } from './run-result.js';
import { plainStyle, type TextStyle } from './text-style.js';
import { textTable } from './text-table.js';

/** More lines than this are no table any more; the rest is in `--json`. */
const MAX_SAMPLES = 40;
/** Counters that a sample's line has room for. */
const SHOWN_COUNTERS = ['pgfree', 'allocstall', 'compact_stall'] as const;

/** A counter, or the sum of a counter that the kernel keeps per zone (`allocstall_normal` …). */
function counterChange(sample: ResultSample, name: string): number {
  let sum = 0;
  for (const [counter, change] of Object.entries(sample.vmstat)) {
    if (counter === name || (name === 'allocstall' && counter.startsWith('allocstall_'))) sum += change;
  }
  return sum;
}

/** At most `MAX_SAMPLES` of the samples, evenly chosen, the first and the last among them. */
function chosen(series: readonly ResultSample[]): readonly ResultSample[] {
  if (series.length <= MAX_SAMPLES) return series;
  const step = (series.length - 1) / (MAX_SAMPLES - 1);
  return Array.from({ length: MAX_SAMPLES }, (_, index) => series[Math.round(index * step)]!);
}

/** Counters of superpageblocks, by name of the column. */
const SPB_COUNTERS: readonly (readonly [head: string, counter: string])[] = [
  ['shrink queued', 'spb_slab_shrink_queued'],
  ['ran', 'spb_slab_shrink_ran'],
  ['evacuated', 'spbsim_evacuated_pages'],
  ['defragged', 'spbsim_defragmented_pages'],
  ['1 GiB given', 'spbsim_gigantic_allocated'],
];

/** Superpageblocks over time: what they hold, and with a policy that has them what was done to them. */
function spbLines(result: RunResult, samples: readonly ResultSample[], style: TextStyle): string[] {
  const counters = result.superpageblocks === null ? [] : SPB_COUNTERS;
  const shown = result.zones.filter((zone) => zone.superpageblocks.total > 1).map(zoneKey);
  const rows = samples.flatMap((sample) =>
    sample.zones
      .filter((zone) => shown.includes(zoneKey(zone)))
      .map((zone, row) => [
        row === 0 ? duration(sample.ts_ns - result.span.first_ns) : '',
        `${zone.node} ${zone.name}`,
        thousands(zone.spb_empty),
        thousands(zone.spb_clean),
        thousands(zone.spb_tainted),
        ...counters.map(([, name]) => (row === 0 ? thousands(counterChange(sample, name)) : '')),
      ]),
  );
  if (rows.length === 0) return [];
  const head = ['at', 'zone', 'empty', 'clean', 'tainted', ...counters.map(([title]) => title)];
  return ['', style.heading('Superpageblocks'), ...textTable({ head, rows, left: [1], indent: 2 })];
}

function zoneKey({ node, name }: { readonly node: number; readonly name: string }): string {
  return `${node} ${name}`;
}

/** The time series as a table, one block of columns per zone that has more than 16 MiB. */
export function renderSeries(result: RunResult, style: TextStyle = plainStyle): string {
  const heading = style.heading('Series');
  if (result.series.length === 0) return `${heading}  no samples: the run was shorter than the interval\n`;
  const samples = chosen(result.series);
  // A chunk of order 9 is free in most zones at most times: the index says something only where none is.
  const isScarce = samples.some(({ zones }) => zones.some((zone) => indexText(zone.extfrag_order9) !== ''));
  const rows = samples.flatMap((sample) =>
    sample.zones
      .filter((zone) => zone.name !== 'DMA')
      .map((zone, row) => [
        row === 0 ? duration(sample.ts_ns - result.span.first_ns) : '',
        `${zone.node} ${zone.name}`,
        pagesAsBytes(zone.free_pages),
        pagesAsBytes(zone.pcp_pages),
        indexText(zone.unusable_order3),
        indexText(zone.unusable_order9),
        indexText(zone.unusable_order10),
        ...(isScarce ? [indexText(zone.extfrag_order9)] : []),
        ...SHOWN_COUNTERS.map((name) => (row === 0 ? thousands(counterChange(sample, name)) : '')),
      ]),
  );
  const scarce = isScarce ? ['extfrag o9'] : [];
  const table = textTable({
    head: ['at', 'zone', 'free', 'per-CPU', 'unus o3', 'o9', 'o10', ...scarce, ...SHOWN_COUNTERS],
    rows,
    left: [1],
    indent: 2,
  });
  const left = result.series.length - samples.length;
  const more = left > 0 ? [style.dim(`  ${thousands(left)} samples between these are in --json`)] : [];
  return `${[heading, ...table, ...spbLines(result, samples, style), ...more].join('\n')}\n`;
}
