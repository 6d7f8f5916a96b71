import { stripVTControlCharacters } from 'node:util';
import { describe, expect, test } from 'vitest';
import type { RunResult } from '../../src/report/run-result.js';
import { renderSeries } from '../../src/report/series-text.js';
import { renderSummary } from '../../src/report/summary-text.js';
import type { TextStyle } from '../../src/report/text-style.js';
import {
  sampleInput,
  sampleRange,
  sampleResult,
  sampleSpb,
  sampleZone,
  sampleZoneSpb,
} from './sample-result.js';

describe('the summary', () => {
  test('says what was assumed, what was allocated, how fragmented memory is, what to mind', () => {
    expect(renderSummary(sampleResult())).toBe(
      `fs-churn   Linux 6.18.44, 2 CPUs, 1 node, 7.96 GiB managed   policy mainline-6.18
start state: kpageflags
221,663 events over 2.56 s (traced), replayed in 0.04 s (5.4 M/s)   PFNs by the policy
peak memory 114 MiB
machine: the recording's zoneinfo   order inside free lists is not recorded: ascending PFN taken

Superpageblocks  none: no zone has a whole GiB

Allocations    order 0    1  2      3  4-8  9-10  failed    task  softirq  hardirq  nmi
  unmovable      9,801  193  0      0    0     0       3   9,804      193        0    0
  movable       58,120    0  0      0    0     0       0  58,120        0        0    0
  reclaimable        0    0  0  4,509    0     0       0   4,509        0        0    0

Fragmentation     managed      free         unus o3    o9   o10  blk U      M   R  H  empty
  node 0 DMA       15 MiB    15 MiB  100 %     0.00  0.07  0.20      0      4   0  0      7
         DMA32   2.95 GiB  2.95 GiB  100 %     0.00  0.00  0.00      3  1,500   8  1      2
         Normal     5 GiB  49.6 MiB  1.0 %     0.00  0.07  0.11     50  2,449  61  0      4

Machinery    pgalloc 72,623   pgfree 149,037   compact_stall 2
Events       alloc 72,626 (3 failed)   free 149,037
Notes        14 frees of pages older than the trace; 0 of 1 other kind
Findings     double_free 1
  event 1,881  free of 0x1a3f2, which is free already

More: --proc (kernel text) · --map · --series 1s · --verbose · --json · spbsim explain
`,
    );
  });

  test('an index that says something for some zone has its column', () => {
    const zones = sampleResult().zones.map((zone) => ({ ...zone, extfrag_index: new Array(11).fill(-1000) }));
    zones[2]!.extfrag_index[9] = 357;
    const lines = renderSummary(sampleResult({ zones })).split('\n');
    const first = lines.findIndex((line) => line.startsWith('Fragmentation'));
    const table = lines.slice(first, first + 4);
    expect(table[0]).toContain('o10  extfrag  blk U');
    expect(table[3]).toMatch(/ 0\.11 +0\.36 +50 /);
    for (const line of table) expect(line.length).toBeLessThanOrEqual(100);
  });

  test('a table that would be too wide leaves out contexts in which nothing happened', () => {
    const allocations = ['unmovable', 'movable', 'reclaimable'].flatMap((migratetype) =>
      Array.from({ length: 11 }, (_, order) => ({
        migratetype,
        ctx: 'task',
        order,
        ok: 234_567,
        failed: 10_000,
      })),
    );
    const lines = renderSummary(sampleResult({ allocations })).split('\n');
    const first = lines.findIndex((line) => line.startsWith('Allocations'));
    expect(lines[first]).toMatch(/failed +task$/);
    for (const line of lines.slice(first, first + 4)) expect(line.length).toBeLessThanOrEqual(100);
  });

  test('what is neither allocation nor free is counted too', () => {
    const { span, events } = sampleResult();
    const text = renderSummary(
      sampleResult({
        span: { ...span, events: span.events + 10 },
        events: [...events, { op: 'kfree', ctx: 'task', outcome: 'not_replayed', count: 4 }],
      }),
    );
    expect(text).toMatch(/kfree 4 \(4 not replayed\)\s+6 others \(marks/);
  });

  test('no line is longer than 100 columns', () => {
    for (const line of renderSummary(sampleResult()).split('\n'))
      expect(line.length).toBeLessThanOrEqual(100);
  });

  test('names its overrides, a pinned run and an interruption', () => {
    const { policy } = sampleResult();
    const text = renderSummary(
      sampleResult({
        mode: 'pinned',
        interrupted: true,
        policy: { ...policy, overrides: ['pcp.batch_scale_max=4'] },
      }),
    );
    expect(text).toContain('policy mainline-6.18 --set pcp.batch_scale_max=4');
    expect(text).toContain('PFNs as recorded');
    expect(text).toContain('interrupted: what follows is of the part that ran');
  });

  test('an empty run is a summary too', () => {
    const text = renderSummary(
      sampleResult({ allocations: [], events: [], notes: [], findings: [], findings_total: {}, vmstat: {} }),
    );
    expect(text).toContain('Allocations  none in this trace');
    expect(text).toContain('Notes        none');
    expect(text).toContain('Findings     none');
  });

  test('text from outside cannot write to the terminal', () => {
    const evil = '\u001b[2J\u001b[31mevil\nline';
    const text = renderSummary(
      sampleResult({
        inputs: [sampleInput({ path: `/tmp/${evil}`, format: 'csv', sha256: '', bytes: 0 })],
        findings: [{ kind: evil, event: null, ts_ns: null, text: evil }],
        findings_total: { [evil]: 1 },
        notes: [{ name: 'x', count: 1, meaning: evil }],
        allocations: [{ migratetype: evil, ctx: 'task', order: 0, ok: 1, failed: 0 }],
      }),
    );
    expect(text).not.toContain('\u001b');
    expect(text).not.toContain('evil\n');
  });

  test('colour adds nothing but colour', () => {
    const red = (text: string) => `\u001b[31m${text}\u001b[39m`;
    const style: TextStyle = { good: red, bad: red, warn: red, dim: red, heading: red };
    expect(stripVTControlCharacters(renderSummary(sampleResult(), style))).toBe(
      renderSummary(sampleResult()),
    );
  });
});

describe('the series', () => {
  const zone = {
    node: 0,
    name: 'DMA32',
    free_pages: 262_144,
    pcp_pages: 1024,
    unusable_order3: 20,
    unusable_order9: 310,
    unusable_order10: 380,
    extfrag_order9: -1000,
    spb_empty: 1,
    spb_clean: 2,
    spb_tainted: 0,
  };

  test('one line per zone and sample, times from the start of the run', () => {
    const series = [
      { ts_ns: 1_000_000_000, zones: [zone], vmstat: {} },
      {
        ts_ns: 2_000_000_000,
        zones: [zone],
        vmstat: { pgfree: 1000, allocstall_normal: 1, allocstall_movable: 2 },
      },
    ];
    expect(renderSeries(sampleResult({ series }))).toBe(
      `Series
      at  zone      free  per-CPU  unus o3    o9   o10  pgfree  allocstall  compact_stall
    0 ns  0 DMA32  1 GiB    4 MiB     0.02  0.31  0.38       0           0              0
  1.00 s  0 DMA32  1 GiB    4 MiB     0.02  0.31  0.38   1,000           3              0
`,
    );
  });

  test('the index for lack of memory has a column where some zone lacks a chunk of order 9', () => {
    const series = [{ ts_ns: 1_000_000_000, zones: [zone, { ...zone, extfrag_order9: 357 }], vmstat: {} }];
    const lines = renderSeries(sampleResult({ series })).split('\n');
    expect(lines[1]).toContain('o10  extfrag o9  pgfree');
    expect(lines[3]).toMatch(/0\.38 +0\.36$/);
  });

  test('superpageblocks have a table of their own, with what was done to them where the policy does anything', () => {
    const series = [
      {
        ts_ns: 2_000_000_000,
        zones: [zone, { ...zone, name: 'DMA' }],
        vmstat: { spb_slab_shrink_queued: 3 },
      },
    ];
    const zones = [
      sampleZone({ name: 'DMA', superpageblocks: sampleZoneSpb({ ranges: [sampleRange()] }) }),
      sampleZone({
        name: 'DMA32',
        superpageblocks: sampleZoneSpb({ ranges: [sampleRange(), sampleRange()] }),
      }),
    ];
    const table = (result: RunResult) => renderSeries(result).split('\nSuperpageblocks\n')[1];
    expect(table(sampleResult({ series, zones }))).toBe(
      `      at  zone     empty  clean  tainted
  1.00 s  0 DMA32      1      2        0
`,
    );
    expect(table(sampleResult({ series, zones, superpageblocks: sampleSpb() }))).toBe(
      `      at  zone     empty  clean  tainted  shrink queued  ran  evacuated  defragged  1 GiB given
  1.00 s  0 DMA32      1      2        0              3    0          0          0            0
`,
    );
  });

  test('a long series is thinned, and says so', () => {
    const series = Array.from({ length: 1000 }, (_, i) => ({ ts_ns: i * 1e9, zones: [zone], vmstat: {} }));
    const text = renderSeries(sampleResult({ series, span: { first_ns: 0, last_ns: 999e9, events: 1 } }));
    expect(text.split('\n')).toHaveLength(44);
    expect(text).toContain('  999 s');
    expect(text).toContain('960 samples between these are in --json');
  });

  test('no samples', () => {
    expect(renderSeries(sampleResult())).toBe('Series  no samples: the run was shorter than the interval\n');
  });
});

test('says whose gfp words were taken, where nobody said it, once', () => {
  const of = (how: 'guessed' | 'given') =>
    sampleInput({ kernel: { generation: '6.1', release: '', how, reasons: [] } });
  const guessed = renderSummary(sampleResult({ inputs: [of('guessed'), of('guessed')] }));
  expect(guessed.match(/gfp words of Linux 6\.1 \(guessed\)/g)).toHaveLength(1);
  expect(renderSummary(sampleResult({ inputs: [of('given')] }))).not.toContain('gfp words');
});
