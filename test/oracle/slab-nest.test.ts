/** Interrupted calls against those of a real kernel: from probes, every row and column, and from NMIs that struck anywhere. */
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
const NEST = join(BUNDLED, KERNEL, 'slab-nest/nest.jsonl.xz');
const NAT = join(BUNDLED, KERNEL, 'slab-nlnat/nlnat-91.jsonl.xz');

async function verify(input: string, ...overrides: string[]): Promise<VerifyResult> {
  return verifyInput({
    input,
    policy: await resolvePolicy('mainline-6.18', overrides),
    overrides,
    check: true,
  });
}

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'spbsim-nest-'));
});
afterAll(() => rm(directory, { recursive: true }));

async function linesOf(path: string): Promise<string[]> {
  const input = await openInput(path);
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of input.chunks) text += decoder.decode(chunk, { stream: true });
  return text.trimEnd().split('\n');
}

/** The table with the first line that has all of `marks` changed, and few rows besides. */
async function changed(table: string, marks: readonly string[], from: string, to: string): Promise<string> {
  const lines = await linesOf(table);
  const at = lines.findIndex((line) => [...marks, from].every((mark) => line.includes(mark)));
  expect(at).toBeGreaterThanOrEqual(0);
  const row = lines[at]!.replace(from, to);
  const header = lines[0]!.replace(/"nmis":\d+/, '"nmis":1');
  const end = lines.at(-1)!.replace(/"rows":\d+/, '"rows":1');
  const path = join(directory, 'changed.jsonl');
  await writeFile(path, `${[header, row, end].join('\n')}\n`);
  return path;
}

function expectFullAgreement(result: VerifyResult, rows: number): void {
  expect(result.first_divergence).toBeNull();
  expect(result.checkpoints.flatMap(({ differences }) => differences)).toEqual([]);
  expect(agreesFully(result)).toBe(true);
  expect(result).toMatchObject({ agreement: 1, compared: rows, matched: rows, kernel: KERNEL });
  for (const { name, compared, equal } of result.slab!.parts) {
    expect([name, equal]).toEqual([name, compared]);
    expect(compared).toBeGreaterThanOrEqual(rows);
  }
}

test('every nested call agrees in every column', async () => {
  const result = await verify(NEST);
  expectFullAgreement(result, 2446);
  expect(result.notes).toEqual([expect.objectContaining({ name: 'foreign_frees', count: 5 })]);
});

test('every NMI got an answer that the model allows, below locks that it can hold', async () => {
  const result = await verify(NAT);
  expectFullAgreement(result, 4000);
  expect(result.failures).toEqual({ kernel: 31, matched: 31 });
});

describe('one changed value of a nested call is found:', () => {
  const RACE = ['"outer":"kmalloc_nolock"', '"probe":"allocate_slab"', '"kmalloc-64"'];
  const REFILL = ['"outer":"kmalloc"', '"probe":"put_cpu_partial"', '"kmalloc-64"'];
  const FREE = ['"outer":"kfree"', '"probe":"__put_partials"', '"kmalloc-64"'];
  const ZONE = ['"probe":"__mod_zone_page_state"', '"kmalloc-64"'];
  const PCP = ['"probe":"__rmqueue_pcplist"', '"kmalloc-64"'];
  test.each([
    ['the probe', REFILL, '"probe":"put_cpu_partial"', '"probe":"get_partial_node"'],
    ['a probe that is not come to', REFILL, '"probe":"put_cpu_partial"', '"probe":"__slab_free"'],
    ['the outer call', RACE, '"outer":"kmalloc_nolock"', '"outer":"kmalloc"'],
    ['a measured list_lock', REFILL, '"list_lock":1', '"list_lock":0'],
    ['a measured local lock', RACE, '"LL":0', '"LL":1'],
    ['a measured pcp lock', PCP, '"pcp_top":1', '"pcp_top":0'],
    ['a measured zone lock', ZONE, '"zone_top":1', '"zone_top":0'],
    ['the inner result', RACE, '"inner":"kmalloc-64"', '"inner":"kmalloc-96"'],
    ['an inner result that was none', PCP, '"inner":"kmalloc-64"', '"inner":null'],
    ['the outer result', RACE, '"outer_result":"kmalloc-64"', '"outer_result":"kmalloc-96"'],
    ['one object twice', RACE, '"same_object":0', '"same_object":1'],
    ['one slab', RACE, '"same_slab":0', '"same_slab":1'],
    ['whose the cpu slab is', RACE, '"cpu_slab":"outer"', '"cpu_slab":"inner"'],
    ['the new slabs', RACE, '"new_slabs":2', '"new_slabs":1'],
    ['the length of the list', RACE, '"nr_partial":[0,0,1]', '"nr_partial":[0,1,1]'],
    ['the deferred slabs', RACE, '"deferred":[[0,0],[0,1],[0,0]]', '"deferred":[[0,0],[0,0],[0,0]]'],
    ['a counter', FREE, '"cpu_partial_alloc":1', '"cpu_partial_alloc":2'],
    ['a counter that did not move', RACE, '"stats":{', '"stats":{"cmpxchg_double_fail":1,'],
    ['a counter of the irq_work', RACE, '"deactivate_to_head":1', '"deactivate_to_tail":1'],
    ['a free that did nothing', RACE, '"stats_irq_work":{', '"stats_irq_work":{"free_slowpath":1,'],
    ['the prepared state', REFILL, '"nr_partial":[8,', '"nr_partial":[7,'],
  ] as const)('%s', async (_what, marks, from, to) => {
    const path = await changed(NEST, marks, from, to);
    const result = await verify(path);
    expect(result).toMatchObject({ compared: 1, matched: 0 });
    expect(agreesFully(result)).toBe(false);
    expect(result.first_divergence!.kernel).not.toBe(result.first_divergence!.model);
  });

  test('a context: the handler of a breakpoint is an NMI, and only called directly it may use a private slot', async () => {
    const path = await changed(NEST, RACE, '"inner_ctx":"D"', '"inner_ctx":"N"');
    expect(await verify(path)).toMatchObject({ matched: 1 });
  });
});

describe('an NMI is refused that', () => {
  const BUSY = ['"LL":1', '"list_lock":0', '"bucket":64'];
  const TOP = ['"LL":1', '"bucket":8192'];
  const LIST = ['"LL":0', '"list_lock":1', '"slow":1'];
  const ZONE = ['"pcp":1', '"zone":1', '"slow":1'];
  const FREE = ['"LL":0', '"list_lock":0', '"pcp":0', '"zone":0', '"irqs_off":0', '"fast":1'];
  test.each([
    ['got its own cache below the local lock', BUSY, '"result":96', '"result":64'],
    ['got the cache after the next', BUSY, '"result":96', '"result":128'],
    ['got nothing although a next cache was there', BUSY, '"result":96', '"result":null'],
    ['used the fast path below the local lock', BUSY, '"fast":0', '"fast":1'],
    ['got something from beyond 8k', TOP, '"result":null', '"result":8192'],
    ['was sent on without the local lock', FREE, /"result":\d+/, '"result":null'],
    ['made a slab on the fast path', FREE, '"new_slab":0', '"new_slab":1'],
    ['left a slab to later', FREE, /"deferred":\[\d,0\]/, '"deferred":[0,1]'],
    ['left two objects with interrupts on', FREE, /"deferred":\[\d,0\]/, '"deferred":[2,0]'],
    ['found the local lock with interrupts on', BUSY, '"irqs_off":1', '"irqs_off":0'],
    ['found list_lock with interrupts on', LIST, '"irqs_off":1', '"irqs_off":0'],
    ['found list_lock and the zone lock', LIST, '"zone":0', '"zone":1'],
    ['found the local lock and that of page lists', BUSY, '"pcp":0', '"pcp":1'],
    ['moved both counters of the way in', ZONE, '"fast":0', '"fast":1'],
  ] as const)('%s', async (_what, marks, from, to) => {
    const lines = await linesOf(NAT);
    const row = lines.find((line) => marks.every((mark) => line.includes(mark)) && line.match(from))!;
    const text = row.match(from)![0];
    const result = await verify(await changed(NAT, [row], text, to));
    expect(result).toMatchObject({ compared: 1, matched: 0 });
    expect(agreesFully(result)).toBe(false);
  });
});

test.each(['slab.cpu_partial=false', 'slab.cpu_partial_objects=60,26,12,3'])(
  'nested calls do not agree with %s',
  async (knob) => {
    const result = await verify(NEST, knob);
    expect(result.matched).toBeLessThan(result.compared);
    expect(result.first_divergence).not.toBeNull();
  },
);

test.each([
  [NEST, '"probe":"allocate_slab"', '"probe":"kmalloc_slab"', /probe/],
  [NEST, '"bucket":"kmalloc-64"', '"bucket":"kmalloc-65"', /kmalloc-65/],
  [NEST, '"outer":"kmalloc"', '"outer":"vmalloc"', /outer/],
  [NAT, '"LL":0', '"LL":2', /LL/],
  [NAT, '"bucket":192', '"bucket":0', /bucket/],
] as const)('%s with %s as %s is refused', async (table, from, to, message) => {
  const error = await verify(await changed(table, [], from, to)).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(InputError);
  expect(String(error)).toMatch(message);
});

test.each([NEST, NAT])('%s is refused when it was cut short', async (table) => {
  const path = join(directory, 'cut.jsonl');
  await writeFile(path, `${(await linesOf(table)).slice(0, 100).join('\n')}\n`);
  await expect(verify(path)).rejects.toThrow(InputError);
});
