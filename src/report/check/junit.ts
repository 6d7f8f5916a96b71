/**
 * JUnit XML: a suite per trace and policy, a case per budget and seed.
 *
 * There is no standard, so the output keeps to two schemas at once: the one of Ant, which asks for many attributes, and
 * the one of Jenkins, which wants no list of properties to be empty.
 */
import type { CheckItem, CheckResult, CheckRun } from '../check-result.js';
import { SHOWN, shown, shownOrEmpty } from './outside-text.js';
import { detailLines, groupedItems, hasFailed, headline, seedWords } from './wording.js';

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
};

/** `shown` has already replaced what XML 1.0 knows no way to write. */
function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character]!);
}

function tag(name: string, attributes: Record<string, string | number>): string {
  const list = Object.entries(attributes).map(([key, value]) => ` ${key}="${escaped(String(value))}"`);
  return `<${name}${list.join('')}`;
}

function caseLines(item: CheckItem): string[] {
  const name = shownOrEmpty(`${shown(item.budget)} (${seedWords(item)})`, SHOWN.sentence);
  const classname = `spbsim.check.${shown(item.trace)} ${shown(item.policy)}`;
  // Replays are not timed one by one, and a document is the same for the same inputs.
  const opening = tag('testcase', { name, classname, time: '0' });
  if (!hasFailed(item)) return [`    ${opening}/>`];
  const failure = tag('failure', { message: headline(item), type: item.status });
  const body = escaped(detailLines(item).join('\n'));
  return [`    ${opening}>`, `      ${failure}>${body}`, '      </failure>', '    </testcase>'];
}

function runProperties(run: CheckRun): [string, string][] {
  const prefix = `seed ${run.seed}`;
  return [
    [`${prefix} machine`, shown(run.machine)],
    [`${prefix} events`, String(run.events)],
    [`${prefix} input_sha256`, run.input_sha256.map((digest) => shown(digest)).join(' ')],
  ];
}

function propertyLines(result: CheckResult, group: readonly CheckItem[]): string[] {
  const { trace, policy } = group[0]!;
  const runs = result.runs.filter((run) => run.trace === trace && run.policy === policy);
  const properties: [string, string][] = [
    ['trace', shown(trace)],
    ['policy', shown(policy)],
    ['spbsim', shown(result.tool.version)],
    ...(result.budget === null ? [] : ([['budget', shown(result.budget, SHOWN.path)]] as [string, string][])),
    ...(result.baseline === null
      ? []
      : ([['baseline', shown(result.baseline, SHOWN.path)]] as [string, string][])),
    ...runs.flatMap(runProperties),
  ];
  return [
    '    <properties>',
    ...properties.map(([name, value]) => `      ${tag('property', { name, value })}/>`),
    '    </properties>',
  ];
}

function suiteLines(result: CheckResult, group: readonly CheckItem[], id: number): string[] {
  const { trace, policy } = group[0]!;
  const opening = tag('testsuite', {
    name: `${shown(trace)} ${shownOrEmpty(policy)}`,
    package: 'spbsim.check',
    id,
    tests: group.length,
    failures: group.filter(hasFailed).length,
    errors: 0,
    time: '0',
    // Ant's schema asks for a time and a host; true ones would make each document different.
    timestamp: '1970-01-01T00:00:00',
    hostname: 'localhost',
  });
  const notes = result.notes.map((note) => `note: ${shown(note, SHOWN.sentence)}`).join('\n');
  return [
    `  ${opening}>`,
    ...propertyLines(result, group),
    ...group.flatMap(caseLines),
    `    <system-out>${escaped(notes)}</system-out>`,
    '    <system-err></system-err>',
    '  </testsuite>',
  ];
}

/** The result as a JUnit document. Suites and cases are in the order of the check document. */
export function renderCheckJunit(result: CheckResult): string {
  const suites = groupedItems(result.items).flatMap((group, id) => suiteLines(result, group, id));
  const lines = ['<?xml version="1.0" encoding="UTF-8"?>', '<testsuites>', ...suites, '</testsuites>'];
  return `${lines.join('\n')}\n`;
}
