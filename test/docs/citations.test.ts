/**
 * Comments cite the model's documentation as `model: page-allocator 4.6, 2.7; gfp C12`. Whatever is cited exists, and
 * whatever the documentation links to does, too.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { KNOBS } from '../../src/mm/policy.js';

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../..');

function filesBelow(directory: string, ending: string): string[] {
  return readdirSync(join(ROOT, directory), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(ending))
    .map((name) => join(ROOT, directory, name))
    .sort();
}

/** What a page of documentation offers to be cited. */
interface Sections {
  /** number of a heading or of a numbered rule -> its text up to the next one of either kind */
  readonly text: ReadonlyMap<string, string>;
  /** numbers in the tables of scenarios */
  readonly scenarios: ReadonlySet<string>;
}

const NUMBER = String.raw`(?:\d+|[A-Z])\d*[a-z]?(?:\.\d+[a-z]?)?`;
const HEADING = new RegExp(String.raw`^(?:#+ |- \*\*)(${NUMBER})\b`);

function readSections(markdown: string): Sections {
  const text = new Map<string, string>();
  const scenarios = new Set<string>();
  let section = '';
  let inScenarios = false;
  for (const line of markdown.split('\n')) {
    const number = HEADING.exec(line)?.[1];
    if (number !== undefined) section = number;
    text.set(section, `${text.get(section) ?? ''}${line}\n`);
    if (line.startsWith('|')) inScenarios ||= line.startsWith('| no. | scenario |');
    else inScenarios = false;
    const scenario = inScenarios ? /^\| (\d+) \|/.exec(line)?.[1] : undefined;
    if (scenario !== undefined) scenarios.add(scenario);
  }
  return { text, scenarios };
}

interface Reference {
  readonly document: string;
  readonly kind: 'section' | 'step' | 'scenario';
  /** of the section that a step belongs to, else of the thing itself */
  readonly number: string;
  readonly step?: string;
}

/** `2.4-2.6` is 2.4, 2.5, 2.6; `A4-A6`, `21-29` likewise. */
function expandRange(from: string, to: string): string[] {
  const split = (number: string) => /^(.*?)(\d+)$/.exec(number)!;
  const [, prefix, first] = split(from);
  const [, , last] = split(to);
  return Array.from({ length: Number(last) - Number(first) + 1 }, (_, i) => `${prefix}${Number(first) + i}`);
}

/**
 * Reads what follows `model: `. Sections are separated by commas; words and brackets beside them are for the reader.
 * `step` and `scenario` say that plain numbers after them are no sections, up to the next semicolon.
 */
function parseCitation(citation: string): Reference[] {
  const references: Reference[] = [];
  const token = new RegExp(
    String.raw`^(?:(${NUMBER})(?:-(${NUMBER}))?(?![\w])|([a-z][\w-]*)|\([^)]*\)|[,;]|\s+)`,
  );
  let document = '';
  let kind: Reference['kind'] = 'section';
  for (let rest = citation; rest !== ''; ) {
    const match = token.exec(rest);
    if (match === null) break;
    rest = rest.slice(match[0].length);
    const [piece, from, to, word] = match;
    if (piece === ';') kind = 'section';
    else if (word !== undefined) {
      if (/^steps?$/.test(word)) kind = 'step';
      else if (/^scenarios?$/.test(word)) kind = 'scenario';
      else if (document === '' || /^ [\dA-Z]/.test(rest)) document = word;
    } else if (from !== undefined) {
      if (kind === 'step' && from.includes('.')) kind = 'section';
      const section = references.findLast((reference) => reference.kind === 'section')?.number ?? '';
      for (const number of to === undefined ? [from] : expandRange(from, to))
        references.push(
          kind === 'step' ? { document, kind, number: section, step: number } : { document, kind, number },
        );
    }
  }
  return references;
}

const documents = new Map<string, Sections>(
  filesBelow('docs/model', '.md').map((path) => [
    relative(join(ROOT, 'docs/model'), path).replace(/\.md$/, ''),
    readSections(readFileSync(path, 'utf8')),
  ]),
);

/** What is wrong with a reference, or null. */
function complaint({ document, kind, number, step }: Reference): string | null {
  const sections = documents.get(document);
  if (sections === undefined) return `docs/model/${document}.md does not exist`;
  if (kind === 'scenario')
    return sections.scenarios.has(number) ? null : `${document} has no scenario ${number}`;
  const text = sections.text.get(number);
  if (text === undefined) return `${document} has no section ${number}`;
  if (kind === 'section') return null;
  const item = new RegExp(String.raw`^ *(?:[-*] \*\*)?${step}\. ?`, 'm');
  return item.test(text) ? null : `${document} ${number} has no step ${step}`;
}

const CITATION = /model: ([a-z][a-z-]* (?=\d|[A-Z]\d)[^*\n`]*)/g;

describe('the reader of citations', () => {
  const show = (citation: string) =>
    parseCitation(citation).map(
      ({ document, kind, number, step }) =>
        `${document} ${kind === 'section' ? '' : `${kind} `}${step === undefined ? number : `${step} of ${number}`}`,
    );

  it.each([
    [
      'page-allocator 2.4-2.6, 3.3a; gfp C9',
      ['page-allocator 2.4', 'page-allocator 2.5', 'page-allocator 2.6', 'page-allocator 3.3a', 'gfp C9'],
    ],
    [
      'page-allocator 4.9 steps 6, 9-10; gfp C11',
      [
        'page-allocator 4.9',
        'page-allocator step 6 of 4.9',
        'page-allocator step 9 of 4.9',
        'page-allocator step 10 of 4.9',
        'gfp C11',
      ],
    ],
    [
      'page-allocator 3.6 step 2a, 10a.2',
      ['page-allocator 3.6', 'page-allocator step 2a of 3.6', 'page-allocator 10a.2'],
    ],
    [
      'page-allocator 3.6; scenarios 1-2, 32 ',
      [
        'page-allocator 3.6',
        'page-allocator scenario 1',
        'page-allocator scenario 2',
        'page-allocator scenario 32',
      ],
    ],
    ['page-allocator 4.6 claim, steal', ['page-allocator 4.6']],
    ['page-allocator 1 (lists), 3.2', ['page-allocator 1', 'page-allocator 3.2']],
    ['page-allocator 6.6, the worked example: F = 28 pages', ['page-allocator 6.6']],
    ['page-allocator 2.1). What a size alone', ['page-allocator 2.1']],
  ])('understands "%s"', (citation, expected) => {
    expect(show(citation)).toEqual(expected);
  });
});

it.each([
  ['page-allocator 4.11', 'page-allocator has no section 4.11'],
  ['page-allocator 4.9 step 14', 'page-allocator 4.9 has no step 14'],
  ['page-allocator 9, scenario 51', 'page-allocator has no scenario 51'],
  ['gfp D1', 'gfp has no section D1'],
  ['nothing 1', 'docs/model/nothing.md does not exist'],
])('"%s" is complained of', (citation, expected) => {
  expect(parseCitation(citation).map(complaint)).toContain(expected);
});

describe('citations', () => {
  const sources = ['src', 'test'].flatMap((directory) => filesBelow(directory, '.ts'));
  const cited = sources
    .filter((path) => path !== fileURLToPath(import.meta.url))
    .map(
      (path) =>
        [
          relative(ROOT, path),
          [...readFileSync(path, 'utf8').matchAll(CITATION)].map((match) => match[1]!),
        ] as const,
    )
    .filter(([, citations]) => citations.length > 0);

  it.each(cited)('of %s exist', (_path, citations) => {
    const broken = citations.flatMap((citation) => {
      const references = parseCitation(citation);
      if (references.length === 0) return [`nothing is cited by "${citation}"`];
      return references.map(complaint).filter((text) => text !== null);
    });
    expect(broken).toEqual([]);
  });

  it('of the knobs exist', () => {
    const broken = Object.entries(KNOBS).flatMap(([name, { spec }]) =>
      parseCitation(spec)
        .map(complaint)
        .filter((text) => text !== null)
        .map((text) => `${name}: ${text}`),
    );
    expect(broken).toEqual([]);
  });
});

describe('links', () => {
  const pages = [...filesBelow('docs', '.md'), join(ROOT, 'README.md')].filter((path) => existsSync(path));

  /** Names that a page's headings have as link targets. */
  const anchors = (markdown: string): string[] =>
    [...withoutCode(markdown).matchAll(/^#+ (.*)$/gm)].map((match) =>
      match[1]!
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\s_-]/gu, '')
        .replace(/\s/g, '-'),
    );

  const withoutCode = (markdown: string): string => markdown.replace(/^ *```[\s\S]*?^ *```/gm, '');

  it.each(pages.map((path) => [relative(ROOT, path), path] as const))(
    'of %s lead somewhere',
    (_name, path) => {
      const markdown = readFileSync(path, 'utf8');
      const broken = [...withoutCode(markdown).matchAll(/\]\(([^)\s]+)\)/g)]
        .map((match) => match[1]!)
        .filter((target) => !/^[a-z]+:/.test(target))
        .filter((target) => {
          const [file, anchor] = target.split('#');
          const full = file === '' ? path : resolve(dirname(path), file!);
          if (!existsSync(full)) return true;
          return (
            anchor !== undefined &&
            full.endsWith('.md') &&
            !anchors(readFileSync(full, 'utf8')).includes(anchor)
          );
        });
      expect(broken).toEqual([]);
    },
  );
});
