import { describe, expect, test } from 'vitest';
import { renderCheckText } from '../../../src/report/check/text.js';
import { plainStyle } from '../../../src/report/text-style.js';
import { exceededItem, fullCheck, sampleCheck, sampleItem } from './sample-check.js';

describe('the text of a check', () => {
  test('verdict first, then failures in the order of the document, then what is folded', () => {
    expect(renderCheckText(fullCheck())).toBe(
      `FAILED 4 of 6 budgets   2 runs   budget ci/budget.yaml   baseline ci/baseline.json

no value     alloc_failed == 0                the run has no such number
             on workloads/slab-ramp   policy spb-v2   seed 1
             why: tainted superpageblocks never come back
             see: spbsim run workloads/slab-ramp --policy spb-v2 --map

no baseline  free_pages >= -5%                value 1,234,567 pages   not in the baseline
             on workloads/slab-ramp   policy spb-v2   seed 1   at ci/budget.yaml:14
             why: tainted superpageblocks never come back
             see: spbsim run workloads/slab-ramp --policy spb-v2 --map

exceeded     spb_tainted <= 20                value 61   limit 20   over by 41 (205 %)
             on workloads/slab-ramp   policy spb-v2   seed 1   at ci/budget.yaml:14
             why: tainted superpageblocks never come back
             see: spbsim run workloads/slab-ramp --policy spb-v2 --map

exceeded     unusable_index.Normal.9 <= +2%   value 0.42   limit 0.306   baseline 0.3, +40 %
             on workloads/slab-ramp   policy spb-v2+pcp.batch_scale_max=4   median of seeds
             at ci/budget.yaml:22
             see: spbsim explain workloads/slab-ramp --policy spb-v2 --set pcp.batch_scale_max=4 --event 1881

2 within limits (--all)

note: 2 frees of pages older than the trace were not replayed
`,
    );
  });

  test('all budgets kept: one line and where to see more', () => {
    const passed = sampleCheck([sampleItem(), sampleItem()], { notes: [], baseline: null });
    expect(renderCheckText(passed)).toBe(
      'passed 2 budgets   2 runs   budget ci/budget.yaml\n\nwhat is left of each: --all\n',
    );
  });

  test('--all: what is within limits by trace and policy, with what is left', () => {
    const items = [
      sampleItem(),
      sampleItem({
        trace: 'workloads/fs-churn',
        budget: 'free_pages >= 1000',
        unit: 'pages',
        operator: '>=',
        value: 4096,
        limit: 1000,
      }),
      sampleItem({ seed: 2, value: 19 }),
    ];
    expect(renderCheckText(sampleCheck(items, { notes: [] }), plainStyle, { all: true })).toContain(
      `
on workloads/slab-ramp   policy spb-v2
  within limits      seed    value  limit      left  unit
  spb_tainted <= 20  seed 1     14     20  6 (30 %)
  spb_tainted <= 20  seed 2     19     20   1 (5 %)

on workloads/fs-churn   policy spb-v2
  within limits       seed    value  limit           left  unit
  free_pages >= 1000  seed 1  4,096  1,000  3,096 (310 %)  pages
`,
    );
  });

  test('of many failures the first dozen, and how many more; all of them with --all', () => {
    const many = sampleCheck(Array.from({ length: 40 }, (_, seed) => exceededItem({ seed })));
    const entries = (text: string) => text.match(/^exceeded /gm)?.length;
    expect(entries(renderCheckText(many))).toBe(12);
    expect(renderCheckText(many)).toContain('\nand 28 more (--all)\n');
    expect(entries(renderCheckText(many, plainStyle, { all: true }))).toBe(40);
  });

  test('keeps to 100 columns: reasons are wrapped, only commands and names are as long as they are', () => {
    const why = 'because it was decided so by those who know it, and it has been like this for long '.repeat(
      3,
    );
    const text = renderCheckText(sampleCheck([exceededItem({ why })], { notes: [why] }));
    expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThanOrEqual(100);
    expect(text.replace(/\s+/g, ' ')).toContain(why.trim());
  });

  test('reason and command share a line if there is room', () => {
    const item = exceededItem({ why: 'no THP', see: 'spbsim run x --map' });
    expect(renderCheckText(sampleCheck([item]))).toContain(
      '\n             why: no THP   see: spbsim run x --map\n',
    );
  });

  test('colours: only the verdict, what is wrong, and what is of less interest', () => {
    const style = {
      ...plainStyle,
      bad: (text: string) => `<${text.trim()}>`,
      dim: (text: string) => `(${text.trim()})`,
    };
    const text = renderCheckText(sampleCheck([exceededItem()]), style);
    expect(text).toContain('<FAILED 1 of 1 budget>   2 runs(budget ci/budget.yaml');
    expect(text).toContain('<exceeded>spb_tainted');
    expect(text).toContain('(why: tainted');
  });
});
