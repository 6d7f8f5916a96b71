/** Frees of ranges and arrays. model: page-allocator 10a.3; scenario 49 */
import { describe, expect, it } from 'vitest';
import { freePageArray, freeRange } from '../../../src/mm/page-alloc/free-range.js';
import type { PageAllocator } from '../../../src/mm/page-alloc/page-allocator.js';
import { pcpListIndex } from '../../../src/mm/page-alloc/per-cpu-pages.js';
import { rmqueue } from '../../../src/mm/page-alloc/rmqueue.js';
import { validate } from '../../../src/mm/page-alloc/validate.js';
import { POLICY_NAMES, type PolicyName } from '../policies.js';
import { BASE, blockMachine, freeLists, relative, takeChunk } from './setup-support.js';

function usedBlock(policy: PolicyName) {
  const { mm, zone } = blockMachine(policy, 4);
  takeChunk(mm, BASE, 10, false);
  Object.assign(zone.pcps[0]!, { batch: 63, high: 5000, high_min: 5000, high_max: 5000 });
  return { mm, zone, pcp: zone.pcps[0]! };
}

/** The CPU's movable list of an order, head first. */
function list(mm: PageAllocator, order: number): string {
  return mm.zones[0]!.pcps[0]!.lists[pcpListIndex(order, 1)]!.toArray().map(relative).join(' ');
}

describe('49 range free', () => {
  it('7.2: four pages become one entry, which the next request of order 2 gets', () => {
    const { mm, zone, pcp } = usedBlock('mainline-7.2');
    freeRange(mm, 0, BASE + 0x40, 4);
    expect([list(mm, 0), list(mm, 2), pcp.count, pcp.free_count]).toEqual(['', 'B+0x40', 4, 4]);
    expect(mm.pgfree).toBe(4);
    let locked = 0;
    mm.tracer = { zoneLocked: () => locked++, extfrag: () => {}, pcpuDrain: () => {} };
    expect(rmqueue(mm, zone, 0, 2, 1, 0)).toBe(BASE + 0x40);
    expect(locked).toBe(0);
  });

  it('7.2: five unaligned pages become two entries', () => {
    const { mm } = usedBlock('mainline-7.2');
    freeRange(mm, 0, BASE + 3, 5);
    expect([list(mm, 0), list(mm, 2)]).toEqual(['B+0x3', 'B+0x4']);
    validate(mm);
  });

  it('7.2: pieces without a per-CPU list go to the buddy lists, order 10 as a whole', () => {
    const { mm, zone, pcp } = usedBlock('mainline-7.2');
    takeChunk(mm, BASE + 0x400, 10, false);
    freeRange(mm, 0, BASE + 0x1f0, 0x610);
    expect(freeLists(zone)).toEqual({ 'o4 M': 'B+0x1f0', 'o10 M': 'B+0x400' });
    expect([list(mm, 9), pcp.count]).toEqual(['B+0x200', 512]);
    expect(mm.pgfree).toBe(0x610);
    validate(mm);
  });

  it.each(['mainline-6.1', 'mainline-6.18'] as const)('%s frees page by page, ascending', (policy) => {
    const { mm } = usedBlock(policy);
    freeRange(mm, 0, BASE + 4, 4);
    expect(list(mm, 0)).toBe('B+0x7 B+0x6 B+0x5 B+0x4');
    validate(mm);
  });

  it('an array is cut where its pages are not ascending neighbours', () => {
    const { mm } = usedBlock('mainline-7.2');
    freePageArray(
      mm,
      0,
      [8, 9, 10, 11, 21, 20, 32, 33, 40].map((page) => BASE + page),
    );
    expect(list(mm, 2)).toBe('B+0x8');
    expect(list(mm, 1)).toBe('B+0x20');
    expect(list(mm, 0)).toBe('B+0x28 B+0x14 B+0x15');
    validate(mm);
  });

  it.each(POLICY_NAMES)('an empty array frees nothing, %s', (policy) => {
    const { mm, pcp } = usedBlock(policy);
    freePageArray(mm, 0, []);
    freeRange(mm, 0, BASE, 0);
    expect([mm.pgfree, pcp.count]).toEqual([0, 0]);
  });
});
