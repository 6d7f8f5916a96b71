import type { XmlElement } from 'libxml2-wasm';
import { describe, expect, test } from 'vitest';
import { renderCheckJunit } from '../../../src/report/check/junit.js';
import { assertJunit, withXml } from './readers.js';
import { exceededItem, fullCheck, sampleCheck, sampleItem } from './sample-check.js';

function found(text: string, path: string): string[] {
  return withXml(text, (document) => document.find(path).map((node) => node.content));
}

describe('JUnit', () => {
  test('a case reads as the failure does elsewhere', () => {
    expect(renderCheckJunit(sampleCheck([exceededItem()]))).toContain(`
    <testcase name="spb_tainted &lt;= 20 (seed 1)" classname="spbsim.check.workloads/slab-ramp spb-v2" time="0">
      <failure message="spb_tainted: value 61, limit 20, over by 41 (205 %)" type="exceeded">budget: spb_tainted &lt;= 20
result: spb_tainted: value 61, limit 20, over by 41 (205 %)
where: on workloads/slab-ramp, policy spb-v2, seed 1
written at: ci/budget.yaml:14
why: tainted superpageblocks never come back
meaning: superpageblocks that hold an unmovable page
see: spbsim run workloads/slab-ramp --policy spb-v2 --map
      </failure>
    </testcase>
`);
  });

  test.each([
    ['every status', fullCheck()],
    ['nothing failed', sampleCheck([sampleItem()])],
    ['no items', sampleCheck([])],
    [
      'no files, runs or notes',
      sampleCheck([sampleItem()], { budget: null, baseline: null, runs: [], notes: [] }),
    ],
    [
      'empty texts',
      sampleCheck([exceededItem({ budget: '', trace: '', policy: '', metric: '', meaning: '', see: '' })]),
    ],
  ])('%s: valid to Ant and to Jenkins', (_, result) => assertJunit(renderCheckJunit(result)));

  test('the schemas do refuse: a missing attribute, a strange element', () => {
    const text = renderCheckJunit(fullCheck());
    expect(() => assertJunit(text.replace(' hostname="localhost"', ''))).toThrow(/hostname/);
    expect(() => assertJunit(text.replace('<system-err></system-err>', '<other/>'))).toThrow(/other/);
    expect(() => assertJunit(text.replace('</testsuites>', ''))).toThrow();
  });

  test('a suite per trace and policy, whose counts are those of its cases', () => {
    const text = renderCheckJunit(fullCheck());
    expect(found(text, '//testsuite/@name')).toEqual([
      'workloads/slab-ramp spb-v2',
      'workloads/slab-ramp spb-v2+pcp.batch_scale_max=4',
      'workloads/fs-churn spb-v2',
    ]);
    withXml(text, (document) => {
      for (const suite of document.find('//testsuite') as XmlElement[]) {
        expect(suite.attr('tests')?.value).toBe(String(suite.find('testcase').length));
        expect(suite.attr('failures')?.value).toBe(String(suite.find('testcase/failure').length));
      }
    });
    expect(found(text, '//failure/@type')).toEqual(['no_value', 'no_baseline', 'exceeded', 'exceeded']);
  });

  test('properties tell what was run, of the suite only', () => {
    const path = '//testsuite[1]/properties/property[starts-with(@name, "seed")]/@name';
    expect(found(renderCheckJunit(fullCheck()), path)).toEqual([
      'seed 1 machine',
      'seed 1 events',
      'seed 1 input_sha256',
    ]);
  });
});
