/**
 * The slab allocator against scripted runs of a real kernel: every slab, slot, counter and list, and, where the page
 * allocator's lists were recorded, every PFN.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { resolvePolicy } from '../../src/config/resolve-policy.js';
import { agreesFully } from '../../src/report/verify-agreement.js';
import type { VerifyResult } from '../../src/report/verify-result.js';
import { verifyInput } from '../../src/sim/verify/verify-input.js';
import { BUNDLED, directories, NEEDS_REFERENCE, REFERENCE } from './material.js';

const KERNEL = '6.18.2';
const POLICY = 'mainline-6.18';
/** Runs of plain operations; those of other kinds stand in directories of their own. */
const KINDS: ReadonlySet<string> = new Set([
  'slab-1cpu',
  'slab-2cpu',
  'slab-4cpu',
  'slab-debug',
  'slab-mem',
  'slab-numa2',
]);
const STATES = [
  'geometry',
  'initial',
  'ckpt1',
  'ckpt2',
  'ckpt3',
  'ckpt4',
  'ckpt5',
  'ckpt6',
  'ckpt7',
  'final',
  'freed',
  'shrunk',
];

interface SlabRun {
  /** `slab-1cpu/irqoff-17` */
  readonly name: string;
  readonly path: string;
  readonly hasPages: boolean;
}

function slabRuns(directory: string): SlabRun[] {
  return directories(directory)
    .filter((kind) => KINDS.has(kind))
    .flatMap((kind) => {
      const files = readdirSync(join(directory, kind)).sort();
      return files
        .filter((file) => /-\d+\.jsonl\.xz$/.test(file))
        .map((file) => ({
          name: `${kind}/${file.replace('.jsonl.xz', '')}`,
          path: join(directory, kind, file),
          hasPages: files.includes(file.replace('.jsonl', '.pages.jsonl')),
        }));
    });
}

async function verify(path: string, ...overrides: string[]): Promise<VerifyResult> {
  return verifyInput({ input: path, policy: await resolvePolicy(POLICY, overrides), overrides, check: true });
}

function expectFullAgreement({ hasPages }: SlabRun, result: VerifyResult): void {
  expect(result.first_divergence).toBeNull();
  expect(result.checkpoints.flatMap((checkpoint) => checkpoint.differences)).toEqual([]);
  expect(agreesFully(result)).toBe(true);
  expect(result).toMatchObject({ agreement: 1, matched: result.compared, kind: 'oracle' });
  expect(result.checkpoints.map(({ name }) => name)).toEqual(hasPages ? [...STATES, 'pages_final'] : STATES);

  // That nothing differed must not come from nothing having been compared.
  expect(result.compared).toBeGreaterThan(8_000);
  const slab = result.slab!;
  for (const { name, compared, equal } of slab.parts) {
    expect([name, equal]).toEqual([name, compared]);
    expect(compared).toBeGreaterThan(0);
  }
  const states = result.checkpoints.filter(({ name }) => name.startsWith('ckpt'));
  for (const { parts } of states) for (const { compared } of parts) expect(compared).toBeGreaterThan(0);
  if (!hasPages) expect(slab.pages).toBeNull();
  else {
    const { slabs, operations } = slab.pages!;
    expect([slabs.equal, operations.equal]).toEqual([slabs.compared, operations.compared]);
    expect(slabs.compared).toBeGreaterThan(200);
  }
}

const bundled = slabRuns(join(BUNDLED, KERNEL));

describe('the slab allocator does what the kernel did, slot by slot and list by list, in', () => {
  test.each(bundled.map((run) => [run.name, run] as const))('%s', async (_name, run) => {
    expectFullAgreement(run, await verify(run.path));
  });

  test('one run of each kind but that of four CPUs, three of them with pages', () => {
    expect(bundled.map(({ name }) => name)).toEqual([
      'slab-1cpu/noreclaim-18',
      'slab-2cpu/remote-34',
      'slab-debug/debug-26',
      'slab-mem/frag-71',
      'slab-mem/frag-73',
      'slab-numa2/nodes-63',
    ]);
    expect(bundled.filter(({ hasPages }) => hasPages)).toHaveLength(3);
  });

  test('allocations fail where the kernel failed', async () => {
    const result = await verify(join(BUNDLED, KERNEL, 'slab-mem/frag-73.jsonl.xz'));
    expect(result.failures).toEqual({ kernel: 185, matched: 185 });
    expect(result.slab!.pages!.failures).toEqual({ compared: 185, equal: 185 });
  });
});

describe('one changed rule is found:', () => {
  test.each([
    ['slab-1cpu/noreclaim-18', 'slab.bulk_free_group=straight', 0.9],
    ['slab-1cpu/noreclaim-18', 'slab.min_partial_least=6', 0.999],
    ['slab-1cpu/noreclaim-18', 'slab.min_partial_least=4', 0.999],
    ['slab-2cpu/remote-34', 'slab.cpu_partial=false', 0.9],
    ['slab-2cpu/remote-34', 'slab.cpu_partial_objects=60,26,12,3', 0.99],
    ['slab-debug/debug-26', 'slab.min_partial_least=6', 0.9999],
    ['slab-numa2/nodes-63', 'slab.min_partial_least=6', 0.999],
    ['slab-mem/frag-73', 'slab.max_order=2', 0.9],
  ])('%s with %s', async (name, knob, agreement) => {
    const result = await verify(join(BUNDLED, KERNEL, `${name}.jsonl.xz`), knob);
    expect(result.agreement).toBeLessThan(agreement);
    expect(agreesFully(result)).toBe(false);
    const first = result.first_divergence!;
    expect(first.kernel).not.toBe(first.model);
    expect(first.context[0]).toMatch(/^after it, in the model: CPU \d has slab /);
  });

  test.each([
    ['slab-1cpu/noreclaim-18', 'pcp.batch_scale_max=0'],
    ['slab-mem/frag-71', 'pcp.drain_type=cached'],
    ['slab-mem/frag-73', 'pcp.drain_chunks=batch'],
    ['slab-mem/frag-71', 'fallback.rule=steal'],
  ])('%s with %s: only the pages differ', async (name, knob) => {
    const result = await verify(join(BUNDLED, KERNEL, `${name}.jsonl.xz`), knob);
    expect(result.matched).toBe(result.compared);
    expect(agreesFully(result)).toBe(false);
  });
});

describe.skipIf(REFERENCE === undefined)(`and in every other run ${NEEDS_REFERENCE}`, () => {
  const known = new Set(bundled.map(({ name }) => name));
  const runs = slabRuns(join(REFERENCE ?? '', 'oracle', KERNEL)).filter(({ name }) => !known.has(name));

  test('of which there are some', () => {
    expect(runs.length).toBeGreaterThan(10);
  });

  test.each(runs.map((run) => [run.name, run] as const))('%s', async (_name, run) => {
    // The smallest runs have no bulk calls and make no slab late, so some parts may be empty there.
    expectFullAgreement(run, await verify(run.path));
  });
});
