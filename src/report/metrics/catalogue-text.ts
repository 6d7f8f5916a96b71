/** The catalogue of metrics for people: a table in the terminal, and the page `docs/metrics.md`. */
import type { TextStyle } from '../text-style.js';
import { familyKey, type MetricFamily, SUBJECTS } from './metric.js';

const KEY_WIDTH = 34;
const UNIT_WIDTH = 10;
const WIDTH = 100;

/** Words of a text on lines of at most `width` columns. */
function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

interface Entry {
  /** `spb_tainted[.ZONE]`: the sum, and its parts where they have names of their own */
  readonly key: string;
  readonly family: MetricFamily;
}

/** One entry for each name: what is a part of another metric's sum stands with it. */
function entries(families: readonly MetricFamily[]): Entry[] {
  const isSum = ({ labels }: MetricFamily) => labels.length === 0;
  return families.flatMap((family) => {
    const sum = families.find((other) => other.name === family.name && isSum(other));
    if (sum === undefined) return { key: familyKey(family), family };
    if (!isSum(family)) return [];
    const parts = families.find((other) => other.name === family.name && !isSum(other));
    return { key: parts === undefined ? family.name : `${family.name}[.${parts.labels.join('.')}]`, family };
  });
}

function betterText({ better }: MetricFamily): string {
  return better === 'neither' ? '' : better;
}

function entryLines({ key, family }: Entry, style: TextStyle): string[] {
  const head = `  ${key.padEnd(KEY_WIDTH)}${family.unit.padEnd(UNIT_WIDTH)}  ${betterText(family).padEnd(6)}  `;
  const [first, ...rest] = wrap(family.meaning, WIDTH - head.length);
  const indent = ' '.repeat(head.length);
  return [head + first, ...rest.map((line) => indent + line)].map((line, at) =>
    at === 0 ? line.trimEnd() : style.dim(line),
  );
}

export function renderCatalogueText(families: readonly MetricFamily[], style: TextStyle): string {
  const lines = [
    style.dim(`  ${'metric'.padEnd(KEY_WIDTH)}${'unit'.padEnd(UNIT_WIDTH)}  ${'better'.padEnd(6)}  meaning`),
  ];
  for (const subject of SUBJECTS) {
    const members = entries(families.filter((family) => family.subject === subject));
    if (members.length === 0) continue;
    lines.push(style.heading(subject), ...members.flatMap((entry) => entryLines(entry, style)));
  }
  if (families.some(({ labels }) => labels.length > 0))
    lines.push(
      '',
      style.dim('Words in capitals stand for one of several: unusable_index.Normal.9, alloc_failed.9,'),
      style.dim('spb_tainted.node1:Normal (of one node), spb_tainted.Normal (of all nodes).'),
    );
  return `${lines.join('\n')}\n`;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}

/** The body of `docs/metrics.md`; its tables only say what the catalogue says. */
export function renderCatalogueMarkdown(families: readonly MetricFamily[]): string {
  const parts = SUBJECTS.map((subject) => {
    const members = entries(families.filter((family) => family.subject === subject));
    if (members.length === 0) return '';
    const rows = members.map(
      ({ key, family }) =>
        `| \`${key}\` | ${family.unit} | ${betterText(family)} | ${cell(family.meaning)} | ${cell(family.kernel)} |`,
    );
    return [
      `## ${subject}`,
      '',
      '| metric | unit | better | meaning | kernel |',
      '|---|---|---|---|---|',
      ...rows,
      '',
    ].join('\n');
  });
  return `${parts.filter((part) => part !== '').join('\n')}`;
}
