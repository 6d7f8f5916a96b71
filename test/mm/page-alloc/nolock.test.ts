/** Allocation from any context. model: page-allocator 4.10 */
import { describe, expect, it } from 'vitest';
import { ownerOf } from '../../../src/mm/page-alloc/free-owned.js';
import { allocPagesNolock } from '../../../src/mm/page-alloc/nolock.js';
import { validate } from '../../../src/mm/page-alloc/validate.js';
import { NO_PFN } from '../../../src/mm/types.js';
import { blockMachine, trueFree } from './setup-support.js';

describe.each(['mainline-6.18', 'mainline-7.2'] as const)('nolock, %s', (policy) => {
  it('serves the orders that have a per-CPU list, and no other', () => {
    const { mm } = blockMachine(policy, 16);
    for (const order of [0, 1, 2, 3, 9]) {
      const pfn = allocPagesNolock(mm, 0, order, -1, order === 1);
      expect(ownerOf(mm, pfn)).toMatchObject({ head: pfn, order });
    }
    for (const order of [4, 8, 10, 11]) expect(allocPagesNolock(mm, 0, order, -1, false)).toBe(NO_PFN);
    validate(mm, { movable_known: true });
  });

  it('stops at the min mark and wakes nobody', () => {
    const { mm, zone } = blockMachine(policy, 16);
    let woken = 0;
    mm.background = {
      now_ns: 0,
      wakeSpbWork: () => undefined,
      wakeKswapd: () => woken++,
      wakeKcompactd: () => woken++,
    };
    zone.watermark.fill(trueFree(zone));
    expect(allocPagesNolock(mm, 0, 0, -1, false)).toBe(NO_PFN);
    zone.watermark[0] = trueFree(zone) - 1;
    expect(allocPagesNolock(mm, 0, 0, -1, false)).not.toBe(NO_PFN);
    expect(woken).toBe(0);
  });
});
