/** Sheaves against a kernel that has them: what its slabinfo tells of their capacity, and every slab event of its traces. */
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Policy } from '../../src/mm/policy.js';
import { sheafCapacity } from '../../src/mm/slab/sheaves/capacity.js';
import { policyNamed } from '../mm/policies.js';
import { BUNDLED, NEEDS_REFERENCE, REFERENCE } from './material.js';
import { type Agreement, activeObjects, agreementOf, cacheCalls, geometryRows } from './sheaf-trace.js';

const POLICY = policyNamed('mainline-7.2');

function capacityOf(size_bytes: number): number {
  const spec = { name: '', object_size_bytes: size_bytes, align_bytes: 0, flags: 0, hasConstructor: false };
  return sheafCapacity(spec, size_bytes, POLICY);
}

/**
 * Caches whose objects leave slabs in other numbers than whole sheaves: without sheaves while the kernel boots or always
 * (kmem_cache, kmem_cache_node, kmalloc caches), larger sheaves (maple_node), bulk calls, and those that were shrunk.
 */
const NOT_BY_SHEAVES =
  /^(kmem_cache|kmem_cache_node|kmalloc-.*|maple_node|vmap_area|skbuff_head_cache|ftrace_event_field|lsm_inode_cache)$/;

test('objects leave their slabs by whole sheaves, in every cache', () => {
  const directory = join(BUNDLED, '7.2.12/nmi');
  const rows = geometryRows(directory);
  const wrong: string[] = [];
  let whole = 0;
  for (const [name, active] of activeObjects(directory)) {
    const row = rows.get(name);
    if (row === undefined || active === 0 || NOT_BY_SHEAVES.test(name)) continue;
    if (active % capacityOf(row.size_bytes) === 0) whole++;
    else wrong.push(`${name}: ${active}`);
  }
  expect(wrong).toEqual([]);
  expect(whole).toBeGreaterThan(70);
});

/** Caches that serve callers who leave no events: kmalloc_nolock() of the recording's NMIs, sheaves filled in advance. */
const HIDDEN_CALLERS = /^(kmalloc-(4k|1k|512|128|cg-32)|maple_node)$/;

async function agreements(directory: string, policy: Policy, names: RegExp): Promise<Map<string, Agreement>> {
  const found = new Map<string, Agreement>();
  for (const cache of (await cacheCalls(directory)).values())
    if (names.test(cache.name)) found.set(cache.name, agreementOf(cache, policy));
  return found;
}

function expectAgreement(found: ReadonlyMap<string, Agreement>, exact: number, inKnownSlab: number): void {
  const wrong = [...found].filter(([, { calls, agreed }]) => agreed < calls);
  expect(wrong).toEqual([]);
  const sum = (item: 'exact' | 'inKnownSlab') => [...found.values()].reduce((n, one) => n + one[item], 0);
  expect([sum('exact') >= exact, sum('inKnownSlab') >= inKnownSlab]).toEqual([true, true]);
}

describe('7.2.12/nmi', () => {
  const directory = join(BUNDLED, '7.2.12/nmi');

  test('every address that the model knows, in every cache', async () => {
    const found = await agreements(directory, POLICY, new RegExp(`^(?!${HIDDEN_CALLERS.source.slice(1)})`));
    expect(found.size).toBeGreaterThan(40);
    expectAgreement(found, 8_500, 90);
    expect(found.get('kmalloc-8k')).toMatchObject({ calls: 1284, exact: 623, barn_puts: 80 });
  });

  test.each<[string, Partial<Policy>]>([
    ['larger sheaves', { 'slab.sheaf_capacity': [60, 26, 12, 5] }],
    ['smaller sheaves', { 'slab.sheaf_header_bytes': 16, 'slab.sheaf_capacity': [60, 26, 12, 1] }],
    ['no full sheaves in barns', { 'slab.barn_full_sheaves': 0 }],
  ])('%s fail', async (_what, changes) => {
    const found = await agreements(directory, { ...POLICY, ...changes }, /^kmalloc-8k$/);
    const { agreed, calls } = found.get('kmalloc-8k')!;
    expect(agreed).toBeLessThan(calls / 10);
  });
});

/** Caches of each recording with the most of what only some tell: barns, refills, flushes. */
describe.skipIf(REFERENCE === undefined)(`and of the others ${NEEDS_REFERENCE}`, () => {
  test.each<[string, RegExp, number, number]>([
    [
      'net',
      /^(kmalloc-(4k|8k|2k|1k|cg-.*)|tw_sock_TCP|eventpoll_epi|TCP|UDP|skbuff_small_head)$/,
      30_000,
      700,
    ],
    ['mem', /^(shmem_inode_cache|inode_cache|filp|radix_tree_node|kmalloc-.*|biovec-max)$/, 20_000, 7_000],
    ['files', /^(jbd2_.*|radix_tree_node|inode_cache|filp|names_cache|kmalloc-64)$/, 90_000, 900],
  ])('7.2.12/%s', async (name, names, exact, inKnownSlab) => {
    const directory = join(REFERENCE ?? '', 'oracle/7.2.12', name);
    expectAgreement(await agreements(directory, POLICY, names), exact, inKnownSlab);
  });
});
