/** Names are names: which ones a trace uses changes nothing but its digest. So do texts that only people read. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import type { RunResult } from '../../src/report/run-result.js';
import { numbersFrom } from '../sim/fleet/support.js';
import { fileOf, run, withoutClock } from '../sim/support.js';
import { busyTables, POLICIES, resultOf, type Table, withColumn } from './traces.js';

/** Longest text of a trace CSV. */
const LONGEST = 4096;

const HOSTILE = [
  '__proto__',
  'constructor',
  'a,b',
  'a"b',
  '""',
  '::error::x',
  ']]>',
  '<script>alert(1)</script>',
  '`|`',
  '=1+1',
  '-0',
  '0x1f',
  '#',
  ' ',
  '\t',
  '\u202egnp',
  'é',
  'e\u0301',
  '\u{1f600}',
  '0',
  '00',
  'NaN',
];

/** A name of its own for each number: plain, hostile, or as long as may be. */
function newName(next: (below: number) => number): (number: number) => string {
  const long = 'x'.repeat(LONGEST - 12);
  return (number) => {
    const what = next(40);
    if (what === 0) return `${long}${number}`;
    return what < 20
      ? `${number}~${HOSTILE[next(HOSTILE.length)]!}`
      : `${HOSTILE[next(HOSTILE.length)]!}~${number}`;
  };
}

/** Names in the order of a shuffled pack, so that neither their order nor their look is that of the old ones. */
function renamed(table: Table, seed: number): Table {
  const next = numbersFrom(seed);
  const name = newName(next);
  const at = table.columns.indexOf('id');
  const old = [...new Set(table.rows.map((row) => row[at]!))].filter((id) => id !== '');
  for (let i = old.length - 1; i > 0; i--) {
    const j = next(i + 1);
    [old[i], old[j]] = [old[j]!, old[i]!];
  }
  const names = new Map(old.map((id, number) => [id, name(number)]));
  expect(new Set(names.values()).size).toBe(old.length);
  return withColumn(table, 'id', (id) => names.get(id)!);
}

describe.each(POLICIES)('%s', (policy) => {
  test('other ids: the same result', async () => {
    for (const [at, [table, options]] of busyTables().entries()) {
      const original = await resultOf(table, { ...options, policy });
      expect(await resultOf(renamed(table, at + 1), { ...options, policy })).toEqual(original);
    }
  });

  test('other sites, and caches of page requests: the same result', async () => {
    for (const [table, options] of busyTables()) {
      const next = numbersFrom(17);
      const name = newName(next);
      const original = await resultOf(table, { ...options, policy });
      const texts = table.rows.map((_, number) => [name(number), name(number)]);
      const without = table.columns
        .map((column, at) => [column, at] as const)
        .filter(([column]) => column !== 'site');
      const changed: Table = {
        name: table.name,
        columns: [...without.map(([column]) => column), 'site', 'cache'],
        rows: table.rows.map((row, number) => [...without.map(([, at]) => row[at]!), ...texts[number]!]),
      };
      expect(await resultOf(changed, { ...options, policy })).toEqual(original);
    }
  });
});

test('other cgroups: the same charges, under other names', async () => {
  const rows = (a: string, b: string) =>
    Array.from({ length: 400 }, (_, i) => {
      const quoted = [a, b, `${a}/c`][i % 3]!.replaceAll('"', '""');
      return `${i * 10},${i % 2},kmalloc,o${i},${8 + (i % 90) * 8},GFP_KERNEL_ACCOUNT,"${quoted}"`;
    }).join('\n');
  const resultWith = async (a: string, b: string, at: number) => {
    const path = await fileOf(`cgroups${at}.csv`, `ts,cpu,op,id,size,gfp,memcg\n${rows(a, b)}\n`);
    const { slab, metrics, vmstat } = await run([path], { check: true });
    const charges = slab!.memcgs!.rows.map(({ path: _, ...charge }) => JSON.stringify(charge)).sort();
    return { charges, metrics, vmstat };
  };
  const original = await resultWith('/a', '/b', 0);
  expect(original.charges).toHaveLength(3);
  for (const [at, word] of ['__proto__', 'a"b', '<script>', ' ', '\u{1f600}', '::error::x'].entries())
    expect(await resultWith(`/${word}`, `/${word}~`, at + 1)).toEqual(original);
});

const RECORDING = fileURLToPath(new URL('../trace/data/recording/trace.gz', import.meta.url));

test('other task names of a recorder, among them some that look like its own fields', async () => {
  const text = gunzipSync(await readFile(RECORDING)).toString('utf8');
  const names = ['a b', '::error::x', '[001]', '<script>', 'x-12', 'mm_page_alloc:', '`|`', 'pfn=0x1'];
  let renamings = 0;
  const changed = text.replace(/^ *(\S.*?)(-\d+ +\[\d{3}\] )/gm, (_, __: string, rest: string) => {
    const name = names[renamings++ % names.length]!;
    return name.padStart(16) + rest;
  });
  expect(renamings).toBe(200);
  const results: Omit<RunResult, 'performance'>[] = [];
  for (const [at, content] of [text, changed].entries()) {
    const result = withoutClock(await run([await fileOf(`comm${at}.txt`, content)], { check: false }));
    results.push({
      ...result,
      inputs: result.inputs.map((input) => ({ ...input, path: '', sha256: '', bytes: 0 })),
    });
  }
  expect(results[1]).toEqual(results[0]);
});

test('an id that is taken for another one does change the result, so that the tests above can fail', async () => {
  const [table, options] = busyTables()[1]!;
  const original = await resultOf(table, options);
  const at = table.columns.indexOf('id');
  const frees = table.rows.filter((row) => row.includes('free')).slice(0, 2);
  const [a, b] = frees.map((row) => row[at]!);
  let seen = 0;
  const swapped = withColumn(table, 'id', (id, row) => {
    const isFree = table.rows[row]!.includes('free');
    if (!isFree || (id !== a && id !== b) || seen++ > 0) return id;
    return `${id}-other`;
  });
  expect(await resultOf(swapped, options)).not.toEqual(original);
});
