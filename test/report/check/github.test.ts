import { describe, expect, test } from 'vitest';
import { renderCheckGithub } from '../../../src/report/check/github.js';
import type { CheckItem } from '../../../src/report/check-result.js';
import { workflowCommands } from './readers.js';
import { exceededItem, fullCheck, relativeItem, sampleCheck, sampleItem } from './sample-check.js';

describe('annotations', () => {
  test('an error per failure, at the line of its budget', () => {
    expect(renderCheckGithub(sampleCheck([relativeItem()], { notes: [] }))).toBe(
      '::error file=ci/budget.yaml,line=22,col=7,title=unusable_index.Normal.9 <= +2%25::' +
        'unusable_index.Normal.9: value 0.42, limit 0.306, baseline 0.3, +40 %25' +
        '%0Aon workloads/slab-ramp, policy spb-v2+pcp.batch_scale_max=4, median of seeds' +
        '%0Asee: spbsim explain workloads/slab-ramp --policy spb-v2 --set pcp.batch_scale_max=4 --event 1881\n',
    );
  });

  test('a runner reads back what was meant', () => {
    const item = exceededItem({
      budget: 'a: 50%, b',
      why: 'half: 50%, no more',
      place: { file: './odd, name: 100%.yaml', line: 3, column: 0 },
    });
    const [command] = workflowCommands(renderCheckGithub(sampleCheck([item])));
    expect(command?.properties).toEqual({ file: 'odd, name: 100%.yaml', line: '3', title: 'a: 50%, b' });
    expect(command?.message.split('\n')[2]).toBe('why: half: 50%, no more');
  });

  test('no place for a limit of the command line', () => {
    const [first] = workflowCommands(renderCheckGithub(fullCheck()));
    expect(first?.properties).toEqual({ title: 'alloc_failed == 0' });
  });

  test.each([
    [9, 9, undefined],
    [10, 10, 'and 1 more: FAILED 10 of 10 budgets'],
    [1200, 10, 'and 1,191 more: FAILED 1,200 of 1,200 budgets'],
  ])('%i failures: %i errors', (failures, errors, last) => {
    const items = Array.from({ length: failures }, (_, seed) => exceededItem({ seed }));
    const commands = workflowCommands(renderCheckGithub(sampleCheck(items, { notes: [] })));
    expect(commands.map(({ name }) => name)).toEqual(Array(errors).fill('error'));
    if (last !== undefined) expect(commands.at(-1)?.message).toBe(last);
  });

  test('a notice if all is well', () => {
    const commands = workflowCommands(renderCheckGithub(sampleCheck([sampleItem()], { notes: [] })));
    expect(commands).toEqual([
      { name: 'notice', properties: { title: 'spbsim check' }, message: 'passed 1 budget, 2 runs' },
    ]);
  });

  test('what to know before trusting the verdict, in the notice', () => {
    const notes = Array.from({ length: 9 }, (_, number) => `number ${number}`);
    const last = (item: CheckItem) =>
      workflowCommands(renderCheckGithub(sampleCheck([item], { notes })))
        .at(-1)
        ?.message.split('\n');
    const five = notes.slice(0, 5).map((note) => `note: ${note}`);
    expect(last(sampleItem())).toEqual(['passed 1 budget, 2 runs', ...five]);
    expect(last(exceededItem())).toEqual(five);
  });
});
