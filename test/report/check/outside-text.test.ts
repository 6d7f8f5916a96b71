import { describe, expect, test } from 'vitest';
import { inertJson, shown, shownOrEmpty } from '../../../src/report/check/outside-text.js';
import { UNPRINTABLE, workflowCommands } from './readers.js';
import { HOSTILE_TEXTS, LONG_TEXTS } from './sample-check.js';

describe('a text from outside', () => {
  test.each([
    ['workloads/fs-churn.csv', 'workloads/fs-churn.csv'],
    ['spb-v2+pcp.batch_scale_max=4', 'spb-v2+pcp.batch_scale_max=4'],
    ['ünïcödé 日本 😀', 'ünïcödé 日本 😀'],
    ['std::vector<int>', 'std::vector<int>'],
    ['a#b ## c [d]', 'a#b ## c [d]'],
    ['::error::x', ': :error::x'],
    ['a ::error::x', 'a : :error::x'],
    ['\n:::x', ' : : :x'],
    ['##[error]x', '# #[error]x'],
    ['###[error]x', '## #[error]x'],
    ['##vso[task.complete]', '# #vso[task.complete]'],
    ['\u001b[31mred\u001b[0m', 'red'],
    ['a\r\nb', 'a  b'],
    ['a\u00a0b\u3000c', 'a b c'],
    ['\ud800x\udfff', '\ufffdx\ufffd'],
    ['a\uffffb', 'a\ufffdb'],
    ['\u061c\u200ba\ufeff', 'a'],
  ])('%j is shown as %j', (text, clean) => expect(shown(text)).toBe(clean));

  test('is cut by characters, not in the middle of one', () => {
    expect(shown('abcdef', 6)).toBe('abcdef');
    expect(shown('abcdefg', 6)).toBe('abcde…');
    expect(shown('😀😀😀😀', 4)).toBe('😀😀😀😀');
    expect(shown('😀😀😀😀😀', 4)).toBe('😀😀😀…');
  });

  test('says that something was cut even if nothing is left of the beginning', () => {
    expect(shown(`${'\u200b'.repeat(1000)}x`, 10)).toBe('…');
  });

  test.each([...HOSTILE_TEXTS, ...LONG_TEXTS])('does nothing and stays short: case %#', (text) => {
    const clean = shown(text);
    expect(clean).not.toMatch(UNPRINTABLE);
    expect(clean).not.toContain('\n');
    expect(workflowCommands(`${clean}\n${clean.replaceAll(' ', '\n')}`)).toEqual([]);
    expect([...clean].length).toBeLessThanOrEqual(160);
    expect(shownOrEmpty(text).trim()).not.toBe('');
  });
});

describe('JSON to be printed', () => {
  test('means the same', () => {
    for (const text of HOSTILE_TEXTS) {
      const json = JSON.stringify({ [text]: [text, `##[${text}`] });
      expect(JSON.parse(inertJson(json))).toEqual(JSON.parse(json));
      expect(inertJson(json)).not.toMatch(UNPRINTABLE);
      expect(workflowCommands(inertJson(json))).toEqual([]);
    }
  });

  test('is left alone where it is harmless', () => {
    const json = '{"a": "# ## [x] ü 😀", "b": ["#", "["]}';
    expect(inertJson(json)).toBe(json);
  });
});
