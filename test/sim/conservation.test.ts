/**
 * Whatever a trace does, no page is lost and none is made: once everything has been freed, all managed pages are free.
 * Random traces on small machines, for every policy, with the allocator's invariants checked on the way.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { POLICY_NAMES } from '../mm/policies.js';
import { freePagesOf, freeRun, managedPagesOf, ownedOf } from './support.js';

const RUNS = 40;
const EVENTS = 1500;

const GFPS = [
  'GFP_KERNEL',
  'GFP_HIGHUSER_MOVABLE',
  'GFP_HIGHUSER_MOVABLE|__GFP_WRITE',
  'GFP_HIGHUSER_MOVABLE|__GFP_WRITE',
  'GFP_KERNEL|__GFP_RECLAIMABLE',
  'GFP_ATOMIC',
  'GFP_DMA32',
];

interface Step {
  readonly choice: number;
  readonly order: number;
  readonly gfp: number;
  readonly cpu: number;
  readonly pick: number;
  readonly rare: number;
}

const step: fc.Arbitrary<Step> = fc.record({
  choice: fc.nat(9),
  order: fc.oneof({ weight: 6, arbitrary: fc.nat(5) }, { weight: 1, arbitrary: fc.nat(10) }),
  gfp: fc.nat(GFPS.length - 1),
  cpu: fc.nat(3),
  pick: fc.nat(1 << 20),
  rare: fc.nat(40),
});

interface Live {
  readonly name: string;
  readonly pfn: number;
  readonly order: number;
}

/** A trace that frees at its end what it has not freed before, whole or in parts. */
function traceOf(steps: readonly Step[], byPfn: boolean): string {
  const lines = ['ts,cpu,op,id,order,gfp,pfn,arg'];
  let live: Live[] = [];
  let ts = 0;
  let nextPfn = 0x10_0000;
  const free = ({ name, pfn, order }: Live, cpu: number, parts: number) => {
    if (!byPfn || parts === 0) {
      lines.push(`${ts},${cpu},free,${byPfn ? '' : name},${byPfn ? order : ''},,${byPfn ? pfn : ''},`);
      return;
    }
    // Cut in halves: the lower one goes as a whole, the upper one is cut again.
    for (let half = order - 1, at = pfn; half >= 0; half--) {
      lines.push(`${ts},${cpu},free,,${half},,${at},`);
      at += 1 << half;
      if (half === 0) lines.push(`${ts},${cpu},free,,0,,${at},`);
    }
    if (order === 0) lines.push(`${ts},${cpu},free,,0,,${pfn},`);
  };
  steps.forEach(({ choice, order, gfp, cpu, pick, rare }, i) => {
    // Now and then so much time that kswapd, kcompactd and the vmstat workers run.
    ts += rare === 0 ? 1_100_000_000 : pick % 5000;
    if (rare === 1) lines.push(`${ts},0,drop_caches,,,,,`);
    else if (rare === 2) lines.push(`${ts},${cpu},cpu_offline,,,,,`);
    else if (rare === 3) lines.push(`${ts},${cpu},cpu_online,,,,,`);
    else if (choice < 6 || live.length === 0) {
      const pfn = nextPfn;
      nextPfn += 1 << order;
      nextPfn = (nextPfn + 1023) & ~1023;
      live.push({ name: `o${i}`, pfn, order });
      lines.push(`${ts},${cpu},alloc,${byPfn ? '' : `o${i}`},${order},${GFPS[gfp]},${byPfn ? pfn : ''},`);
    } else {
      const at = pick % live.length;
      free(live[at]!, cpu, pick & 1);
      live = live.filter((_, index) => index !== at);
    }
  });
  for (const object of live) free(object, 0, 0);
  return `${lines.join('\n')}\n`;
}

describe.each(POLICY_NAMES)('%s', (policy) => {
  test.each([
    ['ids', false],
    ['recorded PFNs', true],
  ])('all pages are free again, objects named by %s', async (_, byPfn) => {
    const met = new Set<string>();
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 300, maxLength: EVENTS, size: 'max' }), async (steps) => {
        // 34 MiB: large orders fail, pages are reclaimed and migrated.
        const { mm, notes } = await freeRun(traceOf(steps, byPfn), {
          policy,
          memory_pages: 34 * 256,
          cpus: 4,
        });
        for (const { name } of notes.entries()) met.add(name);
        for (const [name, count] of Object.entries(mm.events)) if (count > 0) met.add(name);
        expect(freePagesOf(mm)).toBe(managedPagesOf(mm));
        expect(ownedOf(mm)).toBe(0);
      }),
      { seed: 20_26, numRuns: RUNS },
    );
    // The traces are to be hard ones: memory runs out, pages are taken back and moved.
    for (const name of [
      'model_failures',
      'frees_of_failed',
      'frees_of_reclaimed',
      'pageoutrun',
      'pgmigrate_success',
    ])
      expect(met, name).toContain(name);
    if (byPfn) expect(met).toContain('partial_frees');
  });

  test('two nodes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 50, maxLength: EVENTS, size: 'max' }), async (steps) => {
        const { mm } = await freeRun(traceOf(steps, true), {
          policy,
          memory_pages: 80 * 256,
          cpus: 4,
          nodes: 2,
        });
        expect(freePagesOf(mm)).toBe(managedPagesOf(mm));
        expect(ownedOf(mm)).toBe(0);
      }),
      { seed: 20_27, numRuns: 10 },
    );
  });
});
