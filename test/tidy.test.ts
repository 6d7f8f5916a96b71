/**
 * The rules of the house, executed: what a reviewer would otherwise have to remember. CONTRIBUTING.md explains them.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const repository = fileURLToPath(new URL('../', import.meta.url));

const MAX_LINES = 450;

/** Layers of src, each with the layers that it may import besides itself. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  mm: [],
  trace: ['mm'],
  config: ['mm', 'trace'],
  report: ['mm', 'trace', 'config'],
  gen: ['mm', 'trace', 'config'],
  sim: ['mm', 'trace', 'config', 'report', 'gen'],
  cli: ['mm', 'trace', 'config', 'report', 'gen', 'sim'],
};

/** Not of the repository, or not written by us. */
const NOT_OURS = new Set(['node_modules', 'dist', 'coverage', '.git']);
const BINARY = /\.(gz|xz|zst|png|dat)$/;

function filesBelow(directory: string): string[] {
  return readdirSync(join(repository, directory), { withFileTypes: true }).flatMap((entry) => {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) return NOT_OURS.has(entry.name) ? [] : filesBelow(path);
    return entry.isFile() ? [path] : [];
  });
}

function textOf(path: string): string {
  return readFileSync(join(repository, path), 'utf8');
}

/** Without comments; a `//` inside a string, as in an address, is left alone by asking for a space or line start before. */
function codeOf(path: string): string {
  return textOf(path)
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/(^|\s)\/\/.*$/gm, '$1');
}

/** What a file imports or re-exports, types included, as written. */
function importsOf(path: string): string[] {
  const pattern = /(?:\bfrom\s*|\bimport\s*\(?\s*)'([^']+)'/g;
  return [...codeOf(path).matchAll(pattern)].map((match) => match[1] as string);
}

/** The layer of a path below src: `mm` for `src/mm/page-alloc/buddy.ts`. */
function layerOf(path: string): string {
  return path.split('/')[1] as string;
}

/** Relative imports with the layer that they lead to; `outside` for what leaves src. */
function layersImportedBy(path: string): { readonly name: string; readonly layer: string }[] {
  return importsOf(path)
    .filter((name) => name.startsWith('.'))
    .map((name) => {
      const target = relative(repository, join(repository, dirname(path), name));
      return { name, layer: target.startsWith('src/') ? layerOf(target) : 'outside' };
    });
}

const source = filesBelow('src').filter((path) => path.endsWith('.ts'));
const tests = filesBelow('test').filter((path) => path.endsWith('.ts'));
const model = source.filter((path) => layerOf(path) === 'mm');

describe('the model', () => {
  test('imports nothing from outside src/mm: no other layer, no package, no module of Node', () => {
    const strangers = model.flatMap((path) => [
      ...importsOf(path)
        .filter((name) => !name.startsWith('.'))
        .map((name) => `${path}: ${name}`),
      ...layersImportedBy(path)
        .filter(({ layer }) => layer !== 'mm')
        .map(({ name }) => `${path}: ${name}`),
    ]);
    expect(model.length).toBeGreaterThan(50);
    expect(strangers).toEqual([]);
  });

  test('knows no clock, no chance and no process', () => {
    const forbidden =
      /\bDate\b|\bperformance\b|\bMath\.random\b|\bprocess\.|\bglobalThis\b|\bsetTimeout\b|\bconsole\./;
    expect(model.filter((path) => forbidden.test(codeOf(path)))).toEqual([]);
  });
});

describe('source files', () => {
  test('import one way: cli → sim → report → config → trace → mm', () => {
    const against = source.flatMap((path) => {
      const own = layerOf(path);
      return layersImportedBy(path)
        .filter(({ layer }) => layer !== own && !MAY_IMPORT[own]?.includes(layer))
        .map(({ name }) => `${path}: ${name}`);
    });
    expect(against).toEqual([]);
  });

  test('belong to one of the layers', () => {
    expect([...new Set(source.map(layerOf))].sort()).toEqual(Object.keys(MAY_IMPORT).sort());
  });

  test(`have at most ${MAX_LINES} lines`, () => {
    const long = source
      .map((path) => ({ path, lines: textOf(path).trimEnd().split('\n').length }))
      .filter(({ lines }) => lines > MAX_LINES);
    expect(long).toEqual([]);
  });

  test('begin with a comment that says what they are, or are so short that they need none', () => {
    const mute = source.filter((path) => {
      const text = textOf(path);
      return !text.startsWith('/**') && text.split('\n').length > 150;
    });
    expect(mute).toEqual([]);
  });

  test('have no type any', () => {
    const any = /(?:[:<|]|\bas)\s*any\b(?!\s*[:(])|\bany\[\]/;
    const found = [...source, ...tests].filter((path) => {
      const code = codeOf(path).replace(/'[^'\n]*'|`[^`]*`|\/[^/\n]+\/[a-z]*/g, '""');
      return any.test(code);
    });
    expect(found).toEqual([]);
  });

  test('have no default export', () => {
    expect([...source, ...tests].filter((path) => /^export default\b/m.test(codeOf(path)))).toEqual([]);
  });

  test('are named in kebab-case', () => {
    const kebab = /^[a-z0-9]+(-[a-z0-9]+)*(\.test)?\.ts$/;
    expect([...source, ...tests].filter((path) => !kebab.test(basename(path)))).toEqual([]);
  });
});

test('no file names a path of one particular machine', () => {
  // Put together from parts, so that this file does not hold what it looks for.
  const machinePath = new RegExp(`(^|[^\\w$}.])/(${['work', 'farm', 'root', 'home'].join('|')})/`, 'm');
  const found = filesBelow('.')
    .filter((path) => !BINARY.test(path))
    .filter((path) => machinePath.test(textOf(path)));
  expect(found).toEqual([]);
});
