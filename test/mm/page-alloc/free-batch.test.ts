/** Frees of many folios at once. model: page-allocator 3.1; scenario 42 */
import { describe, expect, it } from 'vitest';
import { releaseFolios, releasePages } from '../../../src/mm/page-alloc/free-batch.js';
import { isolateBlock } from '../../../src/mm/page-alloc/isolation.js';
import { pcpListIndex } from '../../../src/mm/page-alloc/per-cpu-pages.js';
import { rmqueue } from '../../../src/mm/page-alloc/rmqueue.js';
import { validate } from '../../../src/mm/page-alloc/validate.js';
import { CLAIM_POLICY_NAMES, POLICY_NAMES, type PolicyName } from '../policies.js';
import { BASE, blockMachine, freeLists, relative, takeChunk } from './setup-support.js';

const [X, Y, Z] = [BASE + 0x11, BASE + 0x33, BASE + 0x77] as const;

function usedBlock(policy: PolicyName) {
  const { mm, zone } = blockMachine(policy, 4);
  takeChunk(mm, BASE, 10, false);
  Object.assign(zone.pcps[0]!, { batch: 63, high: 5000, high_min: 5000, high_max: 5000 });
  const list = (order: number) =>
    zone.pcps[0]!.lists[pcpListIndex(order, 1)]!.toArray().map(relative).join(' ');
  return { mm, zone, list };
}

describe('42 release_pages', () => {
  it.each([
    ['mainline-6.1', [X, Y, Z]],
    ['mainline-6.18', [Z, Y, X]],
    ['mainline-7.2', [Z, Y, X]],
  ] as const)('%s: the next allocations', (policy, expected) => {
    const { mm, zone } = usedBlock(policy);
    releasePages(mm, 0, [X, Y, Z]);
    expect([1, 2, 3].map(() => rmqueue(mm, zone, 0, 0, 1, 0))).toEqual(expected);
  });

  it('6.1 frees large folios on the way and the single pages at the end', () => {
    const { mm, zone, list } = usedBlock('mainline-6.1');
    releaseFolios(mm, 0, [
      { pfn: X, order: 0 },
      { pfn: BASE + 0x100, order: 4 },
      { pfn: BASE + 0x80, order: 2 },
      { pfn: Y, order: 0 },
    ]);
    expect(list(0)).toBe('B+0x11 B+0x33');
    expect(list(2)).toBe('B+0x80');
    expect(freeLists(zone)).toMatchObject({ 'o4 M': 'B+0x100' });
    validate(mm);
  });

  it.each(CLAIM_POLICY_NAMES)('%s handles 31 folios at a time, the buddy lists first', (policy) => {
    const { mm, zone } = usedBlock(policy);
    const order: string[] = [];
    const post = zone.postFree.bind(zone);
    zone.postFree = (cpu, pages) => {
      order.push(`buddy ${pages}, ${zone.pcps[0]!.count} on the list`);
      post(cpu, pages);
    };
    const folios = Array.from({ length: 31 }, (_, i) => ({ pfn: BASE + i, order: 0 }));
    folios[30] = { pfn: BASE + 0x100, order: 5 };
    folios.push({ pfn: BASE + 0x50, order: 0 }, { pfn: BASE + 0x200, order: 6 });
    releaseFolios(mm, 0, folios);
    expect(order).toEqual(['buddy 32, 0 on the list', 'buddy 64, 30 on the list']);
    expect(zone.pcps[0]!.count).toBe(31);
    validate(mm);
  });

  it.each(POLICY_NAMES)('pages of an isolated block never reach the list, %s', (policy) => {
    const { mm, zone, list } = usedBlock(policy);
    isolateBlock(mm, zone, 0, BASE + 0x200);
    releasePages(mm, 0, [X, BASE + 0x234, Y]);
    expect(list(0).split(' ').sort()).toEqual(['B+0x11', 'B+0x33']);
    expect(freeLists(zone)).toMatchObject({ 'o0 I': 'B+0x234' });
    expect(mm.pgfree).toBe(3);
    validate(mm);
  });
});
