/**
 * Scripted mixes of kmalloc_nolock, kfree_nolock, kmalloc and kfree on a real kernel's kmalloc caches, below held locks; two
 * of them accounted to a memory cgroup. Every slab, slot, counter, list, charge, refusal and PFN.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { resolvePolicy } from '../../src/config/resolve-policy.js';
import { agreesFully } from '../../src/report/verify-agreement.js';
import type { VerifyResult } from '../../src/report/verify-result.js';
import { verifyInput } from '../../src/sim/verify/verify-input.js';
import { openInput } from '../../src/trace/bytes/open-input.js';
import { InputError } from '../../src/trace/input-error.js';
import { BUNDLED } from './material.js';

const KERNEL = '6.18.2';
const POLICY = 'mainline-6.18';
const PLAIN = 'slab-nolock/nlrun-81';
const ACCOUNTED = 'slab-memcg/memcg-1';
const LIMITED = 'slab-memcg/memcg-3';

function bundled(name: string): string {
  return join(BUNDLED, KERNEL, `${name}.jsonl.xz`);
}

async function verify(input: string, ...overrides: string[]): Promise<VerifyResult> {
  return verifyInput({ input, policy: await resolvePolicy(POLICY, overrides), overrides, check: true });
}

describe('every operation agrees, with recorded pages and with those of the model, in', () => {
  test.each([
    [PLAIN, 12_000, 316, 30, 0],
    ['slab-nolock/nlrun-82', 12_000, 295, 44, 0],
    [ACCOUNTED, 8_000, 183, 87, 2],
    [LIMITED, 8_000, 281, 20, 0],
  ] as const)('%s', async (name, operations, failures, slabs, vectorSlabs) => {
    const result = await verify(bundled(name));
    expect(result.first_divergence).toBeNull();
    expect(result.checkpoints.flatMap(({ differences }) => differences)).toEqual([]);
    expect(agreesFully(result)).toBe(true);
    expect(result).toMatchObject({ compared: operations, matched: operations, kernel: KERNEL });
    expect(result.failures).toEqual({ kernel: failures, matched: failures });
    expect(result.slab!.pages).toEqual({
      operations: { compared: operations, equal: operations },
      slabs: { compared: slabs, equal: slabs },
      failures: { compared: failures, equal: failures },
    });
    for (const part of result.slab!.parts)
      expect([part.name, part.equal]).toEqual([part.name, part.compared]);
    expect(result.checkpoints.map((checkpoint) => checkpoint.name)).toEqual([
      ...['geometry', 'initial', 'ckpt1', 'ckpt2', 'ckpt3', 'ckpt4', 'ckpt5', 'ckpt6', 'ckpt7'],
      ...['final', 'pages_final'],
    ]);
    expect(result.notes.map(({ count }) => count)).toEqual(vectorSlabs === 0 ? [] : [vectorSlabs]);
  });

  test('the accounted runs have what they are to show: charges after each operation, and refusals', async () => {
    const { slab, failures } = await verify(bundled(LIMITED));
    const part = (name: string) => slab!.parts.find((one) => one.name === name)!.compared;
    expect([part('charges'), part('vectors')]).toEqual([8_000, 20]);
    // Half of the others are NMIs below two local locks.
    expect(failures.kernel).toBeGreaterThan(200);
  });
});

describe('one changed value is found:', () => {
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'spbsim-nlrun-'));
  });
  afterAll(() => rm(directory, { recursive: true }));

  async function changed(name: string, change: (lines: string[]) => void): Promise<string> {
    const input = await openInput(bundled(name));
    const decoder = new TextDecoder();
    let text = '';
    for await (const chunk of input.chunks) text += decoder.decode(chunk, { stream: true });
    const lines = text.trimEnd().split('\n');
    change(lines);
    const path = join(directory, 'changed.jsonl');
    await writeFile(path, `${lines.join('\n')}\n`);
    return path;
  }

  /** Changes the last line that has all of `marks`: what follows from it is not looked at any more. */
  function changeLast(marks: readonly RegExp[], from: RegExp, to: string): (lines: string[]) => void {
    return (lines) => {
      const at = lines.findLastIndex((line) => [...marks, from].every((mark) => mark.test(line)));
      expect(at).toBeGreaterThanOrEqual(0);
      lines[at] = lines[at]!.replace(from, to);
    };
  }

  const CHARGED = [/^\{"t":"mc"/, /"charged":1/];
  test.each([
    ['pages charged', ACCOUNTED, CHARGED, /"usage":(\d+)/, '"usage":1$1', 'charges'],
    ['the page stock', ACCOUNTED, CHARGED, /"stock_pages":\d+/, '"stock_pages":65', 'charges'],
    ['the byte stock', ACCOUNTED, CHARGED, /"stock_bytes":(\d+)/, '"stock_bytes":1$1', 'charges'],
    ['whose bytes they are', ACCOUNTED, CHARGED, /"stock_ours":1/, '"stock_ours":0', 'charges'],
    ['left-over bytes', ACCOUNTED, CHARGED, /"charged_bytes":(\d+)/, '"charged_bytes":1$1', 'charges'],
    ['who is charged', ACCOUNTED, CHARGED, /"charged":1/, '"charged":0', 'charges'],
    ['where a vector came from', ACCOUNTED, CHARGED, /"ext_flags":1/, '"ext_flags":5', 'charges'],
    ['a vector', ACCOUNTED, [/^\{"t":"slab"/], /"ext":1/, '"ext":0', 'vectors'],
    ['a deferred object', PLAIN, [/^\[\d+,"Z"/], /,(\d+),0,(?=\[\d+\]\]$)/, ',1$1,0,', 'deferred work'],
    ['a counter', PLAIN, [/^\[\d+,"k"/], /\[1,1\]/, '[1,2]', 'counters'],
    ['an order', PLAIN, [/^\{"t":"slab"/], /"order":0,"objects":(\d+)/, '"order":1,"objects":$1', ''],
  ] as const)('%s', async (_what, name, marks, from, to, part) => {
    const path = await changed(name, changeLast(marks, from, to));
    const result = await verify(path);
    expect(result.matched).toBeLessThan(result.compared);
    expect(agreesFully(result)).toBe(false);
    expect(result.first_divergence!.index).toBeGreaterThan(0);
    const wrong = result.slab!.parts.filter(({ compared, equal }) => compared !== equal);
    if (part !== '') expect(wrong.map((one) => [one.name, one.compared - one.equal])).toEqual([[part, 1]]);
  });

  test('a limit that is a page lower', async () => {
    const path = await changed(LIMITED, changeLast([/^\{"t":"run"/], /"max_pages":252/, '"max_pages":251'));
    const result = await verify(path);
    expect(result.matched).toBeLessThan(result.compared);
    expect(result.slab!.parts.find(({ name }) => name === 'charges')!.equal).toBeLessThan(8_000);
  });

  test.each([
    ['a slot in two lists', /^(\{"t":"cpu","cache":3.*"freelist":\[)(\d+)/, '$1$2,$2', /freelist/],
    ['a slot that is not there', /^(\{"t":"cpu","cache":3.*"freelist":\[)/, '$1' + '9999,', /freelist/],
    [
      'a slab in two places',
      /^(\{"t":"node","cache":2.*"nr_partial":)(\d+)(.*"partial":\[)(\d+)/,
      '',
      /two places/,
    ],
    ['fewer slabs than there are', /("t":"node","cache":0.*"nr_slabs":)\d+/, '$1' + '0', /nr_slabs/],
    ['a cache that is none', /"name":"kmalloc-64"/, '"name":"kmalloc-65"', /kmalloc-65/],
    ['a lock that is none', /"LL\+LLnext"/, '"LL+XX"', /held/],
    ['an operation that is none', /^\[(\d+),"k"/, '[$1,"q"', /k, j, K, F, Z, W/],
  ] as const)('%s is refused', async (_what, from, to, message) => {
    const path = await changed(PLAIN, (lines) => {
      const at = lines.findIndex((line) => from.test(line));
      expect(at).toBeGreaterThanOrEqual(0);
      lines[at] = lines[at]!.replace(from, (...found: string[]) =>
        to === ''
          ? `${found[1]}${Number(found[2]) + 1}${found[3]}${found[4]},${found[4]}`
          : to.replace(/\$(\d)/g, (_, group: string) => found[Number(group)]!),
      );
    });
    const error = await verify(path).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(InputError);
    expect(String(error)).toMatch(message);
  });

  test('a free of what is not out is refused', async () => {
    const path = await changed(PLAIN, (lines) => {
      const at = lines.findIndex((line) => /^\[\d+,"F"/.test(line));
      const again = JSON.parse(lines[at]!) as unknown[];
      const next = JSON.parse(lines.slice(at + 1).find((line) => line.startsWith('['))!) as unknown[];
      again[0] = next[0];
      lines.splice(at + 1, lines.length, JSON.stringify(again));
    });
    await expect(verify(path)).rejects.toThrow(/freed but was not out/);
  });
});

test.each([
  [PLAIN, 'slab.cpu_partial_objects=60,26,12,3'],
  [ACCOUNTED, 'slab.cpu_partial=false'],
  [LIMITED, 'slab.min_partial_least=4'],
] as const)('%s does not agree with %s', async (name, knob) => {
  const result = await verify(bundled(name), knob);
  expect(agreesFully(result)).toBe(false);
});
