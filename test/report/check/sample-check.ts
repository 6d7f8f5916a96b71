/** Check documents for tests, and the same documents with any text in every place where a text from outside may stand. */
import type { CheckItem, CheckResult, CheckRun } from '../../../src/report/check-result.js';

export function sampleItem(changes: Partial<CheckItem> = {}): CheckItem {
  return {
    budget: 'spb_tainted <= 20',
    place: { file: 'ci/budget.yaml', line: 14, column: 5 },
    why: 'tainted superpageblocks never come back',
    metric: 'spb_tainted',
    subject: 'Superpageblocks',
    unit: '',
    meaning: 'superpageblocks that hold an unmovable page',
    better: 'lower',
    trace: 'workloads/slab-ramp',
    policy: 'spb-v2',
    seed: 1,
    over_seeds: 'each',
    operator: '<=',
    value: 14,
    limit: 20,
    baseline: null,
    status: 'within',
    excess: 0,
    see: 'spbsim run workloads/slab-ramp --policy spb-v2 --map',
    ...changes,
  };
}

/** 61 where 20 are allowed. */
export function exceededItem(changes: Partial<CheckItem> = {}): CheckItem {
  return sampleItem({ value: 61, status: 'exceeded', excess: 2.05, ...changes });
}

/** 2 % more than the baseline are allowed, and it is 40 %. */
export function relativeItem(changes: Partial<CheckItem> = {}): CheckItem {
  return sampleItem({
    budget: 'unusable_index.Normal.9 <= +2%',
    place: { file: 'ci/budget.yaml', line: 22, column: 7 },
    why: null,
    metric: 'unusable_index.Normal.9',
    subject: 'Fragmentation',
    meaning: 'share of free memory in chunks that are too small for the order',
    policy: 'spb-v2+pcp.batch_scale_max=4',
    seed: null,
    over_seeds: 'median',
    value: 0.42,
    limit: 0.306,
    baseline: 0.3,
    status: 'exceeded',
    excess: 0.37,
    see: 'spbsim explain workloads/slab-ramp --policy spb-v2 --set pcp.batch_scale_max=4 --event 1881',
    ...changes,
  });
}

function sampleRun(changes: Partial<CheckRun> = {}): CheckRun {
  return {
    trace: 'workloads/slab-ramp',
    policy: 'spb-v2',
    seed: 1,
    machine: 'recording',
    input_sha256: ['ab'.repeat(32)],
    events: 221_663,
    ...changes,
  };
}

/** A document of these items, with counts and verdict that follow from them. */
export function sampleCheck(items: CheckItem[], changes: Partial<CheckResult> = {}): CheckResult {
  const failed = items.filter((item) => item.status !== 'within').length;
  return {
    schema: 'spbsim.check/1',
    tool: { name: 'spbsim', version: '0.1.0' },
    verdict: failed > 0 ? 'failed' : 'passed',
    budget: 'ci/budget.yaml',
    baseline: 'ci/baseline.json',
    counts: { items: items.length, within: items.length - failed, failed, runs: 2 },
    runs: [sampleRun(), sampleRun({ policy: 'spb-v2+pcp.batch_scale_max=4', seed: 2 })],
    items,
    notes: ['2 frees of pages older than the trace were not replayed'],
    ...changes,
  };
}

/** Every status, both kinds of limit, with and without a place and a reason. */
export function fullCheck(): CheckResult {
  return sampleCheck([
    sampleItem({
      budget: 'alloc_failed == 0',
      metric: 'alloc_failed',
      value: null,
      limit: null,
      status: 'no_value',
      excess: Number.MAX_VALUE,
      operator: '==',
      place: null,
    }),
    sampleItem({
      budget: 'free_pages >= -5%',
      metric: 'free_pages',
      unit: 'pages',
      better: 'higher',
      operator: '>=',
      value: 1_234_567,
      limit: null,
      status: 'no_baseline',
      excess: Number.MAX_VALUE,
    }),
    exceededItem(),
    relativeItem(),
    sampleItem({ trace: 'workloads/fs-churn' }),
    sampleItem({ seed: 2, value: 20 }),
  ]);
}

/** Words of the schema, which no input decides. */
const FIXED = new Set(['schema', 'name', 'verdict', 'better', 'over_seeds', 'operator', 'status']);

function withTexts(value: unknown, change: (text: string) => string): unknown {
  if (typeof value === 'string') return change(value);
  if (Array.isArray(value)) return value.map((element) => withTexts(element, change));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, field]) => [key, FIXED.has(key) ? field : withTexts(field, change)]),
  );
}

/** The document with every text from outside changed. */
export function changedTexts(result: CheckResult, change: (text: string) => string): CheckResult {
  return withTexts(result, change) as CheckResult;
}

/** What has done harm elsewhere, in one terminal, log, XML, Markdown or JSON reader or another. */
export const HOSTILE_TEXTS: readonly string[] = [
  '\u001b[31mred\u001b[0m',
  '\u001b]0;title\u0007',
  '\u009b2J',
  '::error::x',
  '  ::add-mask::x',
  ':::stop-commands::x',
  '\u3000::error::x',
  'why ::error::x',
  '%0A::error::x',
  '\n::error file=a,line=1::x',
  '\r\n::set-output name=a::b',
  '##[error]x',
  'x ##[add-mask]y',
  '###[group]x',
  '##vso[task.complete result=Succeeded;]',
  "##teamcity[testFailed name='x']",
  ']]>',
  '<![CDATA[x]]>',
  '<!-- x -->',
  '--><script>alert(1)</script>',
  '&lt;&#60;&amp;&unknown;',
  '"><failure/><testcase name="',
  "' onmouseover='alert(1)",
  '</testsuite></testsuites>',
  '<script>alert(1)</script>',
  '</details>',
  '<details><summary>x</summary>',
  '<img src=x onerror=alert(1)>',
  'a\nb\n\n# heading\n\n| a | b |\n|---|---|',
  'a\rb',
  'a\u0000b',
  'a\u0085b\u2028c\u2029d',
  '\u202egnp.exe\u202c\u2066x\u2069\u200f\u061c',
  '\ud800',
  '\udc00x\udbff',
  '\ufffe\uffff\u{1ffff}\ufdd0',
  '\u{e0041}\u{e0042}\u200b\ufeff',
  '`',
  '``',
  '```\ncode\n```',
  '`a',
  'a`',
  ' a ',
  ' ',
  '',
  '|',
  '\\|',
  '\\\\|',
  'a\\',
  '`|`',
  '\\`|\\`',
  '[x](javascript:alert(1))',
  '![x](http://example.com/x.png)',
  '[x]: http://example.com',
  '<http://example.com>',
  'http://example.com/ www.example.com a@example.com',
  '@everyone',
  'org/repo#1 #1 GH-1 :tada: $x$ $`x`$',
  '[^1]',
  '- [ ] x',
  '{0} {1}',
  '%SRCROOT%/../../x',
  '/etc/passwd',
  'file:///etc/passwd',
  '__proto__',
  'constructor.prototype',
];

/** Names of a mebibyte. */
export const LONG_TEXTS: readonly string[] = [
  'x'.repeat(1 << 20),
  '\u0301'.repeat(1 << 20),
  '`'.repeat(1 << 20),
  '😀'.repeat(1 << 19),
  '\u001b['.repeat(1 << 19),
];
