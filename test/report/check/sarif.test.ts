import { describe, expect, test } from 'vitest';
import { renderCheckSarif } from '../../../src/report/check/sarif.js';
import type { CheckResult } from '../../../src/report/check-result.js';
import { sarifErrors } from './readers.js';
import { exceededItem, fullCheck, relativeItem, sampleCheck, sampleItem } from './sample-check.js';

interface Location {
  physicalLocation: {
    artifactLocation: { uri: string; uriBaseId?: string };
    region: { startLine: number; startColumn?: number };
  };
}

interface Result {
  ruleId: string;
  ruleIndex: number;
  level: string;
  kind: string;
  message: { text: string };
  locations: [Location];
  partialFingerprints: Record<string, string>;
}

interface Run {
  tool: { driver: { rules: { id: string; name?: string; help: { text: string } }[] } };
  invocations: [{ exitCode: number; executionSuccessful: boolean }];
  results: Result[];
}

function runOf(result: CheckResult): Run {
  return (JSON.parse(renderCheckSarif(result)) as { runs: [Run] }).runs[0];
}

function prints(result: CheckResult): (string | undefined)[] {
  return runOf(result).results.map((found) => found.partialFingerprints.primaryLocationLineHash);
}

describe('SARIF', () => {
  test.each([
    ['every status', fullCheck()],
    ['nothing failed', sampleCheck([sampleItem()])],
    ['no items', sampleCheck([])],
    [
      'no files, runs or notes',
      sampleCheck([exceededItem()], { budget: null, baseline: null, runs: [], notes: [] }),
    ],
    [
      'empty texts',
      sampleCheck([exceededItem({ budget: '', trace: '', metric: '', meaning: '', see: '', subject: '' })]),
    ],
    ['line 0', sampleCheck([exceededItem({ place: { file: '', line: 0, column: 0 } })])],
  ])('%s: valid by the schema of SARIF 2.1.0', (_, result) => {
    expect(sarifErrors(JSON.parse(renderCheckSarif(result)))).toEqual([]);
  });

  test('the schema does refuse', () => {
    const log = JSON.parse(renderCheckSarif(fullCheck()));
    log.runs[0].results[0].locations[0].physicalLocation.region.startLine = 0;
    log.runs[0].results[1].level = 'bad';
    log.runs[0].tool.driver.rules[0].more = 1;
    expect(sarifErrors(log).length).toBeGreaterThanOrEqual(3);
  });

  test('results are the failures, each with its rule', () => {
    const { results, tool, invocations } = runOf(fullCheck());
    expect(results.map(({ ruleId, kind, level }) => [ruleId, kind, level])).toEqual([
      ['alloc_failed', 'fail', 'error'],
      ['free_pages', 'fail', 'error'],
      ['spb_tainted', 'fail', 'error'],
      ['unusable_index.ZONE.ORDER', 'fail', 'error'],
    ]);
    for (const { ruleId, ruleIndex } of results) expect(tool.driver.rules[ruleIndex]?.id).toBe(ruleId);
    expect(invocations[0]).toMatchObject({ executionSuccessful: true, exitCode: 1 });
    expect(runOf(sampleCheck([sampleItem()]))).toMatchObject({ results: [], invocations: [{ exitCode: 0 }] });
  });

  test('a rule per family of metrics', () => {
    const items = [
      relativeItem(),
      relativeItem({ metric: 'unusable_index.DMA32.10' }),
      sampleItem(),
      sampleItem({ metric: 'pgfree' }),
    ];
    const { rules } = runOf(sampleCheck(items)).tool.driver;
    expect(rules.map(({ id, name }) => [id, name])).toEqual([
      ['unusable_index.ZONE.ORDER', 'UnusableIndexZoneOrder'],
      ['spb_tainted', 'SpbTainted'],
      ['pgfree', undefined],
    ]);
    expect(rules[0]?.help.text).toBe(
      'share of free memory in chunks that are too small for the order. Lower is better. spbsim metrics lists all metrics.',
    );
  });

  test('the message begins with what was measured', () => {
    expect(runOf(sampleCheck([exceededItem()])).results[0]?.message.text).toBe(
      'spb_tainted: value 61, limit 20, over by 41 (205 %), on workloads/slab-ramp, policy spb-v2, seed 1.\n' +
        'budget: spb_tainted <= 20\nwhy: tainted superpageblocks never come back\n' +
        'see: spbsim run workloads/slab-ramp --policy spb-v2 --map',
    );
  });

  test('texts are no links and no places for arguments', () => {
    const why = 'see [this](https://example.com) and {0}, or a[1] and {x}';
    const { text } = runOf(sampleCheck([exceededItem({ why })])).results[0]!.message;
    expect(text).toContain('why: see [this] (https://example.com) and { 0}, or a[1] and {x}');
  });

  test.each([
    ['ci/budget.yaml', 'ci/budget.yaml', '%SRCROOT%'],
    ['./ci//budget.yaml', 'ci/budget.yaml', '%SRCROOT%'],
    ['a b/ü#?%.yaml', 'a%20b/%C3%BC%23%3F%25.yaml', '%SRCROOT%'],
    ['c:\\x.yaml', 'c%3A%5Cx.yaml', '%SRCROOT%'],
    ['javascript:alert(1)', 'javascript%3Aalert(1)', '%SRCROOT%'],
    ['../budget.yaml', '../budget.yaml', undefined],
    ['/srv/budget.yaml', 'file:///srv/budget.yaml', undefined],
    ['', 'unnamed', '%SRCROOT%'],
  ])('the file %j is %j', (file, uri, uriBaseId) => {
    const result = sampleCheck([exceededItem({ place: { file, line: 7, column: 3 } })]);
    const { artifactLocation, region } = runOf(result).results[0]!.locations[0].physicalLocation;
    expect(artifactLocation).toEqual(uriBaseId === undefined ? { uri } : { uri, uriBaseId });
    expect(region).toEqual({ startLine: 7, startColumn: 3 });
  });

  test('a limit of the command line is placed at the trace, since GitHub wants a place', () => {
    const { physicalLocation } = runOf(fullCheck()).results[0]!.locations[0];
    expect(physicalLocation.artifactLocation.uri).toBe('workloads/slab-ramp');
    expect(physicalLocation.region).toEqual({ startLine: 1 });
  });

  test('fingerprints: the same for the same budget, whatever is measured and wherever it stands', () => {
    const before = prints(sampleCheck([exceededItem(), relativeItem()]));
    const moved = { place: { file: 'b.yaml', line: 99, column: 1 }, why: 'new words', excess: 9 };
    const after = prints(
      sampleCheck([relativeItem({ ...moved, value: 0.5 }), exceededItem({ ...moved, value: 99 })]),
    );
    expect(after).toEqual([...before].reverse());
  });

  test('fingerprints: another one for all that makes it another budget', () => {
    const others = [
      exceededItem(),
      exceededItem({ budget: 'spb_tainted <= 19' }),
      exceededItem({ trace: 'other' }),
      exceededItem({ policy: 'other' }),
      exceededItem({ seed: 2 }),
      exceededItem({ seed: null, over_seeds: 'max' }),
      exceededItem({ seed: null, over_seeds: 'min' }),
      exceededItem(),
    ];
    const all = prints(sampleCheck(others));
    expect(new Set(all.map((print) => print?.split(':')[0])).size).toBe(others.length - 1);
    // The last is the first one written again.
    expect(all.at(-1)).toBe(all[0]?.replace(/:1$/, ':2'));
  });
});
