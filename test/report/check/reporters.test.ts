import { describe, expect, test } from 'vitest';
import { UsageError } from '../../../src/config/usage-error.js';
import { CHECK_REPORTERS, parseReporter } from '../../../src/report/check/reporters.js';
import { checkSchema } from '../../../src/report/check-schema.js';
import { exceededItem, fullCheck, sampleCheck, sampleItem } from './sample-check.js';

describe('the table of reporters', () => {
  test('each renders each document, the same each time, and ends its last line', () => {
    for (const { name, render } of CHECK_REPORTERS) {
      for (const result of [
        fullCheck(),
        sampleCheck([]),
        sampleCheck([sampleItem()]),
        sampleCheck([exceededItem()]),
      ]) {
        const text = render(result);
        expect(text.endsWith('\n'), name).toBe(true);
        expect(render(structuredClone(result)), name).toBe(text);
      }
    }
  });

  test('JSON is the document', () => {
    const json = CHECK_REPORTERS.find(({ name }) => name === 'json')!.render(fullCheck());
    expect(JSON.parse(json)).toEqual(fullCheck());
    expect(checkSchema.parse(JSON.parse(json))).toEqual(fullCheck());
  });

  test('--all reaches the text', () => {
    const { render } = parseReporter('text').reporter;
    expect(render(fullCheck(), { all: true })).toContain('within limits ');
    expect(render(fullCheck())).not.toContain('within limits  ');
  });
});

describe('--reporter', () => {
  test.each([
    ['text', 'text', null],
    ['junit=out/report.xml', 'junit', 'out/report.xml'],
    ['sarif=a=b.sarif', 'sarif', 'a=b.sarif'],
    ['json=-', 'json', '-'],
  ])('%s', (given, name, file) => {
    const choice = parseReporter(given);
    expect([choice.reporter.name, choice.file]).toEqual([name, file]);
  });

  test.each([
    [
      'junti',
      '--reporter: "junti" is not a reporter; did you mean junit?   (known: text, json, junit, markdown, github, sarif)',
    ],
    ['=x', '--reporter: "" is not a reporter   (known: text, json, junit, markdown, github, sarif)'],
    [
      '__proto__',
      '--reporter: "__proto__" is not a reporter   (known: text, json, junit, markdown, github, sarif)',
    ],
    ['junit=', '--reporter: "junit=" names no file; give junit=FILE, or junit alone for standard output'],
  ])('%s is refused', (given, message) => {
    expect(() => parseReporter(given)).toThrow(new UsageError(message));
  });
});
