/**
 * SARIF 2.1.0, for services that show findings of tools beside the code: a rule per family of metrics, a result per failure.
 *
 * What is within its limits gives no result: services that do not know `kind: pass` would show it as a finding. Every
 * result has a place in a file, because GitHub refuses a log in which one has none: the budget's line, or the trace.
 */
import { createHash } from 'node:crypto';
import type { CheckItem, CheckResult } from '../check-result.js';
import { familyOf } from '../metrics/catalogue.js';
import { familyKey } from '../metrics/metric.js';
import { jsonText } from '../result-json.js';
import { SHOWN, shown, shownOrEmpty } from './outside-text.js';
import { hasFailed, headline, subjectWords } from './wording.js';

const SCHEMA = 'https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json';
/** What is meant by the top of the source tree, as GitHub and others name it. */
const ROOT = '%SRCROOT%';

/** Plain text of SARIF has links, `[text](target)`, and places for arguments, `{0}`: neither may come from outside. */
function messageText(text: string): string {
  return text.replace(/\](?=\()/g, '] ').replace(/\{(?=\d)/g, '{ ');
}

/** Cut like all names: two rules that look the same are one, as the schema wants it. */
function ruleId(metric: string): string {
  const family = familyOf(metric);
  return shownOrEmpty(family === undefined ? metric.split('.')[0]! : familyKey(family));
}

/** `unusable_index.ZONE.ORDER` -> `UnusableIndexZoneOrder`: names are identifiers, and none if they are only the id again. */
function ruleName(id: string): string | undefined {
  if (!/^[a-z][a-z0-9]*[._]\w[\w.]*$/i.test(id)) return undefined;
  return id
    .split(/[._]/)
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1).toLowerCase())
    .join('');
}

const DIRECTIONS = {
  lower: 'Lower is better.',
  higher: 'Higher is better.',
  neither: 'Neither more nor less is better by itself.',
} as const;

function rule(item: CheckItem): object {
  const id = ruleId(item.metric);
  const meaning = messageText(shownOrEmpty(item.meaning, SHOWN.sentence));
  const unit = item.unit === '' ? '' : ` Unit: ${messageText(shown(item.unit))}.`;
  const help = `${meaning}${/[.!?]$/.test(meaning) ? '' : '.'}${unit} ${DIRECTIONS[item.better]} spbsim metrics lists all metrics.`;
  return {
    id,
    name: ruleName(id),
    shortDescription: { text: meaning },
    fullDescription: { text: help },
    help: { text: help },
    defaultConfiguration: { level: 'error' },
    properties: { tags: [shownOrEmpty(item.subject)], unit: shown(item.unit), better: item.better },
  };
}

/** A path as a relative reference; percent-encoding leaves nothing of it that a URI could take for its own. */
function uriOf(path: string): string {
  const segments = shown(path, SHOWN.path)
    .split('/')
    .filter((segment) => segment !== '' && segment !== '.');
  return segments.map(encodeURIComponent).join('/') || 'unnamed';
}

function artifact(path: string): object {
  if (path.startsWith('/')) return { uri: `file:///${uriOf(path)}` };
  // A path that leaves the tree is not relative to its top.
  return path.split('/').includes('..') ? { uri: uriOf(path) } : { uri: uriOf(path), uriBaseId: ROOT };
}

function location({ place, trace, metric }: CheckItem): object {
  const logicalLocations = [{ fullyQualifiedName: shownOrEmpty(metric), kind: 'member' }];
  // A place without a line is another reason for GitHub to refuse a log.
  const column = place !== null && place.column > 0 ? { startColumn: place.column } : {};
  const region = { startLine: Math.max(1, place?.line ?? 1), ...column };
  const artifactLocation = artifact(place === null ? trace : place.file);
  return { physicalLocation: { artifactLocation, region }, logicalLocations };
}

/** The same for the same budget on the same trace, whatever was measured and wherever the line has moved. */
function fingerprint(item: CheckItem): string {
  const identity = [item.budget, item.metric, item.trace, item.policy, item.seed, item.over_seeds];
  return createHash('sha256').update(JSON.stringify(identity)).digest('hex').slice(0, 32);
}

/** Of a long message viewers show the first sentence; what the metric means is told by the rule. */
function resultText(item: CheckItem): string {
  const lines = [
    `${headline(item)}, ${subjectWords(item).join(', ')}.`,
    `budget: ${shown(item.budget)}`,
    ...(item.why === null ? [] : [`why: ${shown(item.why, SHOWN.sentence)}`]),
    `see: ${shown(item.see, SHOWN.command)}`,
  ];
  return messageText(lines.join('\n'));
}

function resultOf(item: CheckItem, ruleIndex: number, print: string): object {
  return {
    ruleId: ruleId(item.metric),
    ruleIndex,
    kind: 'fail',
    level: 'error',
    message: { text: resultText(item) },
    locations: [location(item)],
    // GitHub tells findings apart by this name only, and takes those of one line for one finding without it.
    partialFingerprints: { primaryLocationLineHash: print, 'spbsimBudget/v1': print },
    properties: {
      budget: shown(item.budget),
      metric: shown(item.metric),
      trace: shown(item.trace),
      policy: shown(item.policy),
      seed: item.seed,
      over_seeds: item.over_seeds,
      operator: item.operator,
      value: item.value,
      limit: item.limit,
      baseline: item.baseline,
      status: item.status,
    },
  };
}

/** Rules in the order in which the document first names their metrics, and the number of each. */
function rulesOf(items: readonly CheckItem[]): { rules: object[]; indexOf: Map<string, number> } {
  const rules: object[] = [];
  const indexOf = new Map<string, number>();
  for (const item of items) {
    const id = ruleId(item.metric);
    if (indexOf.has(id)) continue;
    indexOf.set(id, rules.length);
    rules.push(rule(item));
  }
  return { rules, indexOf };
}

function resultsOf(items: readonly CheckItem[], indexOf: ReadonlyMap<string, number>): object[] {
  const seen = new Map<string, number>();
  return items.filter(hasFailed).map((item) => {
    const print = fingerprint(item);
    // A budget written twice fails twice; the number keeps the two apart.
    const number = (seen.get(print) ?? 0) + 1;
    seen.set(print, number);
    return resultOf(item, indexOf.get(ruleId(item.metric))!, `${print}:${number}`);
  });
}

function runProperties(result: CheckResult): object {
  return {
    verdict: result.verdict,
    counts: result.counts,
    budget: result.budget === null ? null : shown(result.budget, SHOWN.path),
    baseline: result.baseline === null ? null : shown(result.baseline, SHOWN.path),
    runs: result.runs.map((run) => ({
      trace: shown(run.trace),
      policy: shown(run.policy),
      seed: run.seed,
      machine: shown(run.machine),
      input_sha256: run.input_sha256.map((digest) => shown(digest)),
      events: run.events,
    })),
  };
}

/** The failures as a SARIF log of one run. */
export function renderCheckSarif(result: CheckResult): string {
  const { rules, indexOf } = rulesOf(result.items);
  const notes = result.notes.map((note) => ({
    level: 'note',
    message: { text: messageText(shownOrEmpty(note, SHOWN.sentence)) },
  }));
  const log = {
    $schema: SCHEMA,
    version: '2.1.0',
    runs: [
      {
        tool: { driver: { name: 'spbsim', version: shownOrEmpty(result.tool.version), rules } },
        invocations: [
          {
            executionSuccessful: true,
            exitCode: result.verdict === 'failed' ? 1 : 0,
            toolExecutionNotifications: notes,
          },
        ],
        columnKind: 'utf16CodeUnits',
        results: resultsOf(result.items, indexOf),
        properties: runProperties(result),
      },
    ],
  };
  return jsonText(log);
}
