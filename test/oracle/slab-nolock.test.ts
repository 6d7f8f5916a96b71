/** kmalloc_nolock() and kfree_nolock() against truth tables of a real kernel, every row and every column. */
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
import { BUNDLED, NEEDS_REFERENCE, REFERENCE } from './material.js';

const KERNEL = '6.18.2';
const POLICY = 'mainline-6.18';
const ALLOC = 'slab-nolock/nltab-0';
const FREE = 'slab-nolock/nlfree';
const DEBUG_ALLOC = 'slab-nolock-debug/nltab-0';
const DEBUG_FREE = 'slab-nolock-debug/nlfree';

function bundled(name: string): string {
  return join(BUNDLED, KERNEL, `${name}.jsonl.xz`);
}

async function verify(input: string, ...overrides: string[]): Promise<VerifyResult> {
  return verifyInput({ input, policy: await resolvePolicy(POLICY, overrides), overrides, check: true });
}

function expectFullAgreement(result: VerifyResult, rows: number, failures: number): void {
  expect(result.first_divergence).toBeNull();
  expect(result.checkpoints.flatMap(({ differences }) => differences)).toEqual([]);
  expect(agreesFully(result)).toBe(true);
  expect(result).toMatchObject({ agreement: 1, compared: rows, matched: rows, kernel: KERNEL });
  expect(result.failures).toEqual({ kernel: failures, matched: failures });
  for (const { name, compared, equal } of result.slab!.parts) expect([name, equal]).toEqual([name, compared]);
}

describe('every row agrees in', () => {
  test.each([
    [ALLOC, 1527, 198],
    [DEBUG_ALLOC, 1527, 232],
    [FREE, 585, 0],
    [DEBUG_FREE, 585, 0],
  ] as const)('%s', async (name, rows, failures) => {
    expectFullAgreement(await verify(bundled(name)), rows, failures);
  });
});

describe('one changed value is found:', () => {
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'spbsim-nolock-'));
  });
  afterAll(() => rm(directory, { recursive: true }));

  async function linesOf(name: string): Promise<string[]> {
    const input = await openInput(bundled(name));
    const decoder = new TextDecoder();
    let text = '';
    for await (const chunk of input.chunks) text += decoder.decode(chunk, { stream: true });
    return text.trimEnd().split('\n');
  }

  /** The table with the first line that has all of `marks` changed by `change`. */
  async function changed(
    name: string,
    marks: readonly string[],
    from: string,
    to: string,
  ): Promise<{ path: string; row: number }> {
    const lines = await linesOf(name);
    const at = lines.findIndex((line) => [...marks, from].every((mark) => line.includes(mark)));
    expect(at).toBeGreaterThanOrEqual(0);
    lines[at] = lines[at]!.replace(from, to);
    const path = join(directory, 'changed.jsonl');
    await writeFile(path, `${lines.join('\n')}\n`);
    return { path, row: (JSON.parse(lines[at]!) as { id: number }).id };
  }

  const NMI_BUSY = ['"ctx":"N"', '"held":"LL"', '"bucket":"kmalloc-64"', '"state":"fast"'];
  const DIRECT_BUSY = ['"ctx":"D"', '"held":"LL"', '"bucket":"kmalloc-64"', '"state":"fast"'];
  const ZONE = ['"held":"zone_top"', '"pcp":"d"', '"state":"empty"'];
  test.each([
    ['the cache of an NMI', ALLOC, NMI_BUSY, '"result":"kmalloc-96"', '"result":"kmalloc-64"'],
    ['the cache of a direct call', ALLOC, DIRECT_BUSY, '"result":"kmalloc-64"', '"result":"kmalloc-96"'],
    ['a zone', ALLOC, ZONE, '"zone":"DMA"', '"zone":"DMA32"'],
    ['an order', ALLOC, ['"kmalloc-4k"', '"state":"empty"'], '"order":3', '"order":0'],
    ['a counter', ALLOC, ['"state":"refill"'], '"alloc_refill":1', '"alloc_refill":2'],
    ['a held lock', ALLOC, ['"state":"node_partial_many"'], '"held":"list_lock"', '"held":"none"'],
    ['a context', ALLOC, ['"held":"LL"', '"state":"fast"'], '"ctx":"N"', '"ctx":"D"'],
    ['a prepared state', ALLOC, ['"state":"cpu_partial"'], '"freelist":0', '"freelist":1'],
    ['a deferred slab', DEBUG_ALLOC, ['"held":"list_lock"'], '[0,1]', '[0,0]'],
    [
      'a counter of the irq_work',
      FREE,
      ['"object_in":"full"'],
      '"cpu_partial_free":1',
      '"cpu_partial_free":2',
    ],
    ['a deferred object', FREE, ['"ctx":"N"', '"held":"LL"', '"cpu_slab"'], '[1,0]', '[0,0]'],
    [
      'the slots in use in between',
      FREE,
      ['"full"', '"kmalloc-64"'],
      '"after":{"inuse":64',
      '"after":{"inuse":63',
    ],
  ] as const)('%s', async (_what, name, marks, from, to) => {
    const { path, row } = await changed(name, marks, from, to);
    const result = await verify(path);
    expect(result.compared - result.matched).toBe(1);
    expect(agreesFully(result)).toBe(false);
    expect(result.first_divergence!.index).toBe(row);
    expect(result.first_divergence!.kernel).not.toBe(result.first_divergence!.model);
  });

  test.each([
    ['"ctx":"N"', '"ctx":"X"', /ctx/],
    ['"held":"LL"', '"held":"LL+other"', /held/],
    ['"bucket":"kmalloc-64"', '"bucket":"kmalloc-65"', /kmalloc-65/],
    ['"pcp":"d"', '"pcp":1', /pcp/],
  ] as const)('%s as %s is refused', async (from, to, message) => {
    const { path } = await changed(ALLOC, [], from, to);
    const error = await verify(path).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(InputError);
    expect(String(error)).toMatch(message);
  });

  test('a table that was cut short is refused', async () => {
    const path = join(directory, 'cut.jsonl');
    await writeFile(path, `${(await linesOf(FREE)).slice(0, 100).join('\n')}\n`);
    await expect(verify(path)).rejects.toThrow(InputError);
  });
});

test.each([
  [ALLOC, 'slab.cpu_partial=false'],
  [ALLOC, 'slab.cpu_partial_objects=60,26,12,3'],
  [FREE, 'slab.cpu_partial=false'],
  [DEBUG_ALLOC, 'slab.max_order=2'],
] as const)('%s does not agree with %s', async (name, knob) => {
  const result = await verify(bundled(name), knob);
  expect(result.matched).toBeLessThan(result.compared);
  expect(result.first_divergence).not.toBeNull();
});

describe.skipIf(REFERENCE === undefined)(
  `accounted requests of machines without cgroups ${NEEDS_REFERENCE}`,
  () => {
    test('agree in every row: the slab side needs no charges', async () => {
      const path = join(REFERENCE ?? '', 'oracle', KERNEL, 'slab-nolock/nltab-1.jsonl.xz');
      expectFullAgreement(await verify(path), 1527, 198);
    });
  },
);
