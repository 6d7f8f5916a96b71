/**
 * The shortcuts of hot paths against the general path: a tracer that listens makes refills go page by page and order-0
 * requests take the general path.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { allocPages } from '../../../src/mm/page-alloc/alloc-pages.js';
import { bootFresh } from '../../../src/mm/page-alloc/boot.js';
import { exactState } from '../../../src/mm/page-alloc/exact-state.js';
import { freePages } from '../../../src/mm/page-alloc/free-owned.js';
import type { PageAllocator } from '../../../src/mm/page-alloc/page-allocator.js';
import { validate } from '../../../src/mm/page-alloc/validate.js';
import { setUpZones } from '../../../src/mm/page-alloc/zone-setup.js';
import { MAX_PAGE_ORDER, ZoneIndex } from '../../../src/mm/types.js';
import { POLICY_NAMES, type PolicyName } from '../policies.js';
import { machine } from './setup-support.js';

const GFPS = [0xcc0, 0xcd0, 0x100cca, 0x820, 0x2800];
const CPUS = 2;

function small(policy: PolicyName): PageAllocator {
  const mm = machine(
    policy,
    [
      { index: ZoneIndex.dma32, start: 0x1000, spanned: 0x2000 },
      { index: ZoneIndex.normal, start: 0x10_0000, spanned: 0x1000 },
    ],
    { cpu_nodes: new Array<number>(CPUS).fill(0) },
  );
  setUpZones(mm);
  bootFresh(mm);
  return mm;
}

/** Every page leaves the buddy lists by itself, because somebody wants to hear of each. */
function listening(policy: PolicyName): PageAllocator {
  const mm = small(policy);
  mm.tracer = { zoneLocked: () => {}, extfrag: () => {}, pcpuDrain: () => {} };
  return mm;
}

const command = fc.record({
  alloc: fc.boolean(),
  cpu: fc.nat(CPUS - 1),
  gfp: fc.constantFrom(...GFPS),
  order: fc.oneof(
    { weight: 12, arbitrary: fc.constant(0) },
    fc.nat(3),
    fc.constantFrom(4, 9, MAX_PAGE_ORDER),
  ),
  burst: fc.integer({ min: 1, max: 80 }),
  pick: fc.nat(),
});

describe.each(POLICY_NAMES)('shortcuts under %s', (policy) => {
  it('refills in runs leave what refills page by page leave, to the list and counter', () => {
    fc.assert(
      fc.property(fc.array(command, { minLength: 20, maxLength: 120 }), (commands) => {
        const machines = [small(policy), listening(policy)];
        const held: { pfn: number; order: number }[] = [];
        for (const { alloc, cpu, gfp, order, burst, pick } of commands) {
          for (let i = 0; i < burst; i++) {
            if (alloc) {
              const [pfn, other] = machines.map((mm) => allocPages(mm, cpu, gfp, order, -1, (gfp & 8) !== 0));
              expect(other).toBe(pfn);
              if (pfn! >= 0) held.push({ pfn: pfn!, order });
            } else if (held.length > 0) {
              const [victim] = held.splice(pick % held.length, 1);
              for (const mm of machines) freePages(mm, cpu, victim!.pfn, victim!.order);
            }
          }
          expect(exactState(machines[0]!)).toEqual(exactState(machines[1]!));
        }
        validate(machines[0]!, { movable_known: true });
      }),
      { numRuns: 60, seed: 20 },
    );
  });
});
