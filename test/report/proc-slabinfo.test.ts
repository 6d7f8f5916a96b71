/** /proc/slabinfo: what kernels printed, read and printed again. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { renderSlabinfo, slabinfoText } from '../../src/report/proc-slabinfo.js';
import { renderProc } from '../../src/report/proc-text.js';
import { BUNDLED, FS_CHURN, NEEDS_REFERENCE, REFERENCE } from '../oracle/material.js';
import { sampleResult } from './sample-result.js';
import { sampleCache, sampleSlab } from './slab/sample-slab.js';

/** All slabinfo files below a directory. */
function slabinfoFiles(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((name) => /(^|\/)slabinfo[\w.-]*$/.test(name))
    .map((name) => join(directory, name));
}

type Rows = Parameters<typeof slabinfoText>[0];

/** The values of a text, without anything of its form. Numbers are given as if the first line were the newest cache. */
function valuesOf(text: string): Rows {
  const lines = text.trimEnd().split('\n').slice(2);
  return lines.map((line, at) => {
    const [name, ...columns] = line.split(/[\s:]+|tunables|slabdata/).filter((word) => word !== '');
    const [active_objects, objects, size_bytes, objects_per_slab, pages] = columns.map(Number);
    const slabs = Number(columns.at(-2));
    expect(columns.slice(5, 8)).toEqual(['0', '0', '0']);
    expect(columns.slice(8)).toEqual([String(slabs), String(slabs), '0']);
    return {
      name: name!,
      number: lines.length - at,
      active_objects: active_objects!,
      objects: objects!,
      size_bytes: size_bytes!,
      objects_per_slab: objects_per_slab!,
      order: Math.log2(pages!),
      slabs,
    };
  });
}

function layoutOf(text: string): '6.1' | '6.18' {
  // 6.1 made the buckets in the order of their sizes.
  return text.indexOf('\nkmalloc-192 ') < text.indexOf('\nkmalloc-128 ') ? '6.1' : '6.18';
}

/** In an order that is not the text's: by name backwards. */
function shuffled(rows: Rows): Rows {
  return [...rows].sort((a, b) => (a.name < b.name ? 1 : -1));
}

const bundled = [BUNDLED, FS_CHURN].filter(existsSync).flatMap(slabinfoFiles);

test('there are recorded texts', () => expect(bundled.length).toBeGreaterThanOrEqual(4));

describe.each(bundled)('%s', (path) => {
  const text = readFileSync(path, 'utf8');
  test('is printed again, byte by byte', () => {
    expect(slabinfoText(shuffled(valuesOf(text)), layoutOf(text))).toBe(text);
  });
});

describe.skipIf(REFERENCE === undefined)(`slabinfo of four kernels ${NEEDS_REFERENCE}`, () => {
  const files =
    REFERENCE === undefined
      ? []
      : ['oracle', 'recordings'].flatMap((name) => slabinfoFiles(join(REFERENCE!, name)));
  test('each is printed again, byte by byte', () => {
    expect(files.length).toBeGreaterThan(50);
    for (const path of files) {
      const text = readFileSync(path, 'utf8');
      expect(slabinfoText(shuffled(valuesOf(text)), layoutOf(text)), path).toBe(text);
    }
  });
});

describe('/proc/slabinfo of a result', () => {
  test('values of any width are never cut, and names of traces cannot make columns', () => {
    const wide = sampleCache({
      name: 'a name\nwith\u001b[31m room of its own',
      objects: 123_456_789,
      active_objects: 123_456_788,
      size_bytes: 4_194_304,
      objects_per_slab: 32_767,
      order: 10,
      slabs: 7_654_321,
    });
    const text = renderSlabinfo(sampleResult({ slab: sampleSlab({ caches: [wide] }) }));
    expect(text.split('\n')[2]).toBe(
      'a_name_with_room_of_its_own 123456788 123456789 4194304 32767 1024 : tunables    0    0    0 : slabdata 7654321 7654321      0',
    );
  });

  test('--proc has it where there are slab caches', () => {
    expect(renderProc(sampleResult())).not.toContain('slabinfo');
    expect(renderProc(sampleResult({ slab: sampleSlab() }))).toContain(
      '==> /proc/slabinfo <==\nslabinfo - version: 2.1\n',
    );
  });
});
