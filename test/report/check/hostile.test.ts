/**
 * Texts from outside that try to be more than text, in every place of the document where one may stand: each reader
 * must find exactly what it finds in the harmless document.
 */
import { describe, expect } from 'vitest';
import { renderCheckGithub } from '../../../src/report/check/github.js';
import { renderCheckJson } from '../../../src/report/check/json.js';
import { renderCheckJunit } from '../../../src/report/check/junit.js';
import { renderCheckMarkdown } from '../../../src/report/check/markdown.js';
import { CHECK_REPORTERS } from '../../../src/report/check/reporters.js';
import { renderCheckSarif } from '../../../src/report/check/sarif.js';
import { renderCheckText } from '../../../src/report/check/text.js';
import type { CheckResult } from '../../../src/report/check-result.js';
import { plainStyle } from '../../../src/report/text-style.js';
import { fc, test } from '../../trace/properties.js';
import {
  assertJunit,
  markdownShape,
  sarifErrors,
  UNPRINTABLE,
  workflowCommands,
  xmlShape,
} from './readers.js';
import {
  changedTexts,
  exceededItem,
  fullCheck,
  HOSTILE_TEXTS,
  LONG_TEXTS,
  sampleCheck,
} from './sample-check.js';

const HARMLESS = fullCheck();

/** The document with the text before, behind, around and in place of every text. */
function documents(text: string): CheckResult[] {
  return [
    changedTexts(HARMLESS, (own) => text + own),
    changedTexts(HARMLESS, (own) => own + text),
    changedTexts(HARMLESS, (own) => own.slice(0, 4) + text + own.slice(4)),
  ];
}

function replaced(text: string): CheckResult {
  return changedTexts(HARMLESS, () => text);
}

const piece = fc.oneof(
  fc.constantFrom(...HOSTILE_TEXTS),
  fc.constantFrom(...'`|\\:#[]<>&%\n\r\t*_~$@!(){}-=+.;,\'" /'),
  fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)),
  fc.string(),
);
const hostile = fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join(''));

/** Runs a look over the list and over made-up texts. */
function forHostile(look: (text: string) => void): void {
  for (const text of [...HOSTILE_TEXTS, ...LONG_TEXTS]) look(text);
  fc.assert(fc.property(hostile, look), { numRuns: 300 });
}

describe('hostile texts', () => {
  test('text: lines, all of them ours, and nothing to obey', () => {
    forHostile((text) => {
      for (const result of [...documents(text), replaced(text)]) {
        for (const all of [false, true]) {
          const output = renderCheckText(result, plainStyle, { all });
          expect(output).not.toMatch(UNPRINTABLE);
          expect(workflowCommands(output)).toEqual([]);
          // A status, a word of ours, or the row of a table.
          for (const line of output.split('\n')) {
            expect(line).toMatch(/^(FAILED |no value |no baseline |exceeded |on | {2}|note: |2 within|$)/);
          }
          expect(output.match(/^(no value|no baseline|exceeded) /gm)?.length).toBe(4);
        }
      }
    });
  });

  test('annotations: one command per failure, in one line, with the properties that we gave', () => {
    const harmless = workflowCommands(renderCheckGithub(HARMLESS));
    forHostile((text) => {
      for (const result of [...documents(text), replaced(text)]) {
        const output = renderCheckGithub(result);
        expect(output).not.toMatch(UNPRINTABLE);
        expect(output.split('\n').length).toBe(harmless.length + 1);
        const commands = workflowCommands(output);
        expect(commands.map(({ name }) => name)).toEqual(harmless.map(({ name }) => name));
        expect(commands.map(({ properties }) => Object.keys(properties))).toEqual(
          harmless.map(({ properties }) => Object.keys(properties)),
        );
        expect(commands.map(({ message }) => message.split('\n').length)).toEqual(
          harmless.map(({ message }) => message.split('\n').length),
        );
        // What a runner prints of a message must not be read as commands again.
        expect(workflowCommands(commands.map(({ message }) => message).join('\n'))).toEqual([]);
      }
    });
  });

  test('JUnit: valid, the same elements', () => {
    const harmless = xmlShape(renderCheckJunit(HARMLESS));
    forHostile((text) => {
      for (const result of documents(text)) {
        const output = renderCheckJunit(result);
        assertJunit(output);
        expect(xmlShape(output)).toEqual(harmless);
        expect(workflowCommands(output)).toEqual([]);
      }
      const output = renderCheckJunit(replaced(text));
      assertJunit(output);
      expect(xmlShape(output).filter((name) => name === 'testcase').length).toBe(HARMLESS.items.length);
    });
  });

  test('Markdown: outside of code spans not a character is different', () => {
    const harmless = markdownShape(renderCheckMarkdown(HARMLESS));
    forHostile((text) => {
      for (const result of [...documents(text), replaced(text)]) {
        const output = renderCheckMarkdown(result);
        expect(output).not.toMatch(UNPRINTABLE);
        expect(markdownShape(output)).toEqual(harmless);
      }
    });
  });

  test('SARIF: valid, the same results, no links, relative URIs', () => {
    forHostile((text) => {
      for (const result of [...documents(text), replaced(text)]) {
        const output = renderCheckSarif(result);
        expect(output).not.toMatch(UNPRINTABLE);
        expect(workflowCommands(output)).toEqual([]);
        const log = JSON.parse(output);
        expect(sarifErrors(log)).toEqual([]);
        const [run] = log.runs;
        expect(run.results.length).toBe(4);
        for (const found of run.results) {
          expect(run.tool.driver.rules[found.ruleIndex].id).toBe(found.ruleId);
          expect(found.message.text).not.toMatch(/\]\(|\{\d/);
          const { uri } = found.locations[0].physicalLocation.artifactLocation;
          expect(uri).toMatch(/^(file:\/\/\/)?[\w.~!'()*%-]+(\/[\w.~!'()*%-]+)*$/);
          expect(decodeURIComponent(uri)).not.toContain('\0');
        }
      }
    });
  });

  test('JSON: the document to the last character, with nothing to obey', () => {
    const look = (text: string) => {
      for (const result of [...documents(text), replaced(text)]) {
        const output = renderCheckJson(result);
        expect(JSON.parse(output)).toEqual(result);
        expect(output).not.toMatch(UNPRINTABLE);
        expect(workflowCommands(output)).toEqual([]);
      }
    };
    for (const text of HOSTILE_TEXTS) look(text);
    fc.assert(fc.property(hostile, look), { numRuns: 300 });
    for (const text of LONG_TEXTS) {
      const result = sampleCheck([exceededItem({ trace: text })]);
      expect(JSON.parse(renderCheckJson(result))).toEqual(result);
    }
  });

  test('a name of a megabyte makes no long report', () => {
    for (const text of LONG_TEXTS) {
      for (const { name, render } of CHECK_REPORTERS.filter((reporter) => reporter.name !== 'json')) {
        expect(render(replaced(text), { all: true }).length, name).toBeLessThan(60_000);
      }
    }
  });
});
