/** Emptying the lists of all CPUs, drains in chunks, frees of order 10. model: page-allocator 3.4, 3.5, 3.9, 10a.1 */
import { describe, expect, it } from 'vitest';
import { drainAllPages } from '../../../src/mm/page-alloc/drain-all.js';
import { freePages } from '../../../src/mm/page-alloc/free-owned.js';
import type { PageAllocator } from '../../../src/mm/page-alloc/page-allocator.js';
import { validate } from '../../../src/mm/page-alloc/validate.js';
import type { Zone } from '../../../src/mm/page-alloc/zone.js';
import { ZoneIndex } from '../../../src/mm/types.js';
import { POLICY_NAMES } from '../policies.js';
import { BASE, blockMachine, booted, freeLists, makeDirect, takeChunk } from './setup-support.js';

function drains(mm: PageAllocator): string[] {
  const lines: string[] = [];
  mm.tracer = {
    zoneLocked: () => {},
    extfrag: () => {},
    pcpuDrain: (pfn, order) => lines.push(`${(pfn - BASE).toString(16)}/${order}`),
  };
  return lines;
}

describe.each(POLICY_NAMES)('draining everything, %s', (policy) => {
  it('goes through CPUs and then zones in ascending order, each list from its tail', () => {
    const mm = booted(
      policy,
      [
        { index: ZoneIndex.dma32, start: BASE - 0x1000, spanned: 0x1000 },
        { index: ZoneIndex.normal, start: BASE, spanned: 0x1000 },
      ],
      { cpu_nodes: [0, 0] },
    );
    for (const pfn of [BASE - 0x400, BASE]) takeChunk(mm, pfn, 10, false);
    for (const [cpu, offset] of [
      [1, 0],
      [1, -0x400],
      [0, 0x20],
      [0, 0x22],
      [0, -0x3e0],
    ] as const)
      freePages(mm, cpu, BASE + offset, 0);
    const lines = drains(mm);
    drainAllPages(mm);
    expect(lines).toEqual(['-3e0/0', '20/0', '22/0', '-400/0', '0/0']);
    validate(mm);
  });

  it('of one zone leaves the others alone', () => {
    const mm = booted(policy, [
      { index: ZoneIndex.dma32, start: BASE - 0x1000, spanned: 0x1000 },
      { index: ZoneIndex.normal, start: BASE, spanned: 0x1000 },
    ]);
    for (const pfn of [BASE - 0x400, BASE]) takeChunk(mm, pfn, 10, false);
    freePages(mm, 0, BASE - 1, 0);
    freePages(mm, 0, BASE, 0);
    drainAllPages(mm, mm.zones[1]!);
    expect(mm.zones.map((zone) => zone.pcps[0]!.count)).toEqual([1, 0]);
  });

  it('takes more than a chunk of 32 batches', () => {
    const { mm, zone } = blockMachine(policy, 4);
    takeChunk(mm, BASE, 10, false);
    const pcp = zone.pcps[0]!;
    Object.assign(pcp, { batch: 1, high: 10_000, high_min: 10_000, high_max: 10_000 });
    for (let pfn = BASE; pfn < BASE + 1000; pfn++) freePages(mm, 0, pfn, 0);
    expect(pcp.count).toBe(1000);
    drainAllPages(mm);
    expect(pcp.count).toBe(0);
    validate(mm);
  });
});

//   two pageblocks, taken whole; free alternately order 2 at 8k and order 0 at 8k + 4
function overshoot(policy: 'mainline-6.18' | 'mainline-7.2', until: number) {
  const { mm, zone } = blockMachine(policy, 4);
  takeChunk(mm, BASE, 10, false);
  const pcp = zone.pcps[0]!;
  Object.assign(pcp, { batch: 15, high: 128, high_min: 128, high_max: 128 });
  let lines: string[] = [];
  const log: string[] = [];
  mm.tracer = {
    zoneLocked: () => {},
    extfrag: () => {},
    pcpuDrain: (_pfn, order) => lines.push(`o${order}`),
  };
  for (let free = 0; free < until; free++) {
    const pfn = BASE + 8 * (free >> 1);
    if (free % 2 === 0) freePages(mm, 0, pfn, 2);
    else freePages(mm, 0, pfn + 4, 0);
    if (lines.length === 0) continue;
    const order2 = lines.filter((line) => line === 'o2').length;
    log.push(`#${free + 1}: ${order2} of order 2, ${lines.length - order2} of order 0, left ${pcp.count}`);
    lines = [];
  }
  validate(mm);
  return log;
}

describe('44 chunk overshoot', () => {
  it('6.18 drains once and overshoots once', () => {
    const [first, second, third] = overshoot('mainline-6.18', 150);
    expect(first).toBe('#51: 26 of order 2, 9 of order 0, left 16');
    expect(second).toMatch(/^#97: 23 of order 2, 21 of order 0/);
    expect(third).toMatch(/^#141:/);
  });

  it('7.2 drains in chunks of batch, each of which overshoots', () => {
    const [first, second, third] = overshoot('mainline-7.2', 150);
    expect(first).toBe('#51: 26 of order 2, 15 of order 0, left 10');
    expect(second).toMatch(/^#99: 24 of order 2, 23 of order 0/);
    expect(third).toMatch(/^#147: 24 of order 2, 23 of order 0/);
  });
});

describe('45 thp', () => {
  it.each([
    ['mainline-6.1', 512, { 'o9 M': 'B+0x200' }],
    ['mainline-6.18', 512, { 'o9 M': 'B+0x200' }],
    ['mainline-7.2', 0, { 'o10 M': 'B' }],
  ] as const)('%s keeps %i pages on the list after the second free', (policy, count, lists) => {
    const { mm, zone } = blockMachine(policy, 2);
    takeChunk(mm, BASE, 10, false);
    const pcp = zone.pcps[0]!;
    Object.assign(pcp, { batch: 63, high: 1000, high_min: 1000, high_max: 1000 });
    freePages(mm, 0, BASE + 0x200, 9);
    pcp.free_count = 0;
    freePages(mm, 0, BASE, 9);
    expect(pcp.count).toBe(count);
    expect(freeLists(zone)).toEqual(lists);
    validate(mm);
  });
});

describe('40 free of order 10', () => {
  const postings = (zone: Zone): number[] => {
    const posted: number[] = [];
    const post = zone.postFree.bind(zone);
    zone.postFree = (cpu, pages) => {
      posted.push(pages);
      post(cpu, pages);
    };
    return posted;
  };

  it.each([
    ['mainline-6.1', [1024]],
    ['mainline-6.18', [512, 512]],
    ['mainline-7.2', [512, 512]],
  ] as const)('%s puts it at the head of its list, and posts %j', (policy, posted) => {
    const { mm, zone } = blockMachine(policy, 8);
    makeDirect(zone);
    takeChunk(mm, BASE + 0x400, 10, false);
    const seen = postings(zone);
    freePages(mm, 0, BASE + 0x400, 10);
    expect(freeLists(zone)).toEqual({ 'o10 M': 'B+0x400 B B+0x800 B+0xc00' });
    expect(seen).toEqual(posted);
    expect(zone.pcps[0]!.count).toBe(0);
    expect(mm.pgfree).toBe(1024);
    validate(mm, { strict_pageblocks: true });
  });

  it('blocks that do not merge stay two chunks where they are freed in pieces', () => {
    const { mm, zone } = blockMachine('mainline-6.18', 2);
    takeChunk(mm, BASE, 10, false);
    mm.pages.blockType[BASE >>> 9] = 3;
    freePages(mm, 0, BASE, 10);
    expect(freeLists(zone)).toEqual({ 'o9 M': 'B+0x200', 'o9 H': 'B' });
    validate(mm);
  });
});
