/** Per-CPU lists that are refilled by whole pageblocks, which the CPU then owns. model: spb 3.9 */
import { describe, expect, test } from 'vitest';
import { machineFromSize } from '../../../src/config/machine-by-size.js';
import { GFP_HIGHUSER_MOVABLE, GFP_KERNEL, GFP_RECLAIMABLE_BIT } from '../../../src/mm/gfp.js';
import { allocPages } from '../../../src/mm/page-alloc/alloc-pages.js';
import { bootFresh } from '../../../src/mm/page-alloc/boot.js';
import { offlineCpu } from '../../../src/mm/page-alloc/cpu-hotplug.js';
import { drainAllPages } from '../../../src/mm/page-alloc/drain-all.js';
import { freePages } from '../../../src/mm/page-alloc/free-owned.js';
import { PageAllocator } from '../../../src/mm/page-alloc/page-allocator.js';
import { validate } from '../../../src/mm/page-alloc/validate.js';
import { setUpZones } from '../../../src/mm/page-alloc/zone-setup.js';
import { PAGEBLOCK_ORDER, PAGEBLOCK_PAGES } from '../../../src/mm/types.js';
import { policyNamed } from '../policies.js';

function machine() {
  const spec = machineFromSize({ memory_pages: 8 << 18, cpus: 2 });
  const mm = new PageAllocator(spec, policyNamed('spb-v2'));
  setUpZones(mm);
  bootFresh(mm);
  const zone = mm.zones.at(-1)!;
  const alloc = (cpu: number, gfp: number, order = 0) =>
    allocPages(mm, cpu, gfp, order, -1, gfp === GFP_HIGHUSER_MOVABLE);
  return { mm, zone, alloc };
}

const blockOf = (pfn: number) => pfn >>> PAGEBLOCK_ORDER;

describe('pcp.kind buddy', () => {
  test.each([
    ['unmovable', GFP_KERNEL],
    ['reclaimable', GFP_KERNEL | GFP_RECLAIMABLE_BIT],
    ['movable', GFP_HIGHUSER_MOVABLE],
  ])('phases 0 and 1: a CPU empties one block of %s pages before it takes another', (_, gfp) => {
    const { mm, alloc } = machine();
    // The first refill for N finds nothing tainted and searches page by page; the block that this opens is not owned.
    for (let i = 0; i < 200; i++) alloc(0, gfp);
    const pfns = Array.from({ length: 2 * PAGEBLOCK_PAGES }, () => alloc(0, gfp));
    const blocks = [...new Set(pfns.map(blockOf))];
    expect(blocks.length).toBeLessThanOrEqual(4);
    expect(
      blocks.filter((block) => mm.pages.ownerCpu(block << PAGEBLOCK_ORDER, 99) === 0).length,
    ).toBeGreaterThanOrEqual(2);
    validate(mm);
  });

  test('two CPUs own different blocks, and orders share one', () => {
    const { mm, alloc } = machine();
    const blocks = [0, 1].map((cpu) => {
      const pfns = Array.from({ length: 64 }, (_, i) => alloc(cpu, GFP_HIGHUSER_MOVABLE, i % 3));
      return new Set(pfns.map(blockOf));
    });
    expect([blocks[0]!.size, blocks[1]!.size]).toEqual([1, 1]);
    expect([...blocks[0]!]).not.toEqual([...blocks[1]!]);
    validate(mm);
  });

  test('a page goes back to the list of the CPU that owns its block, whoever frees it', () => {
    const { mm, zone, alloc } = machine();
    const pfn = alloc(0, GFP_HIGHUSER_MOVABLE);
    const counts = zone.pcps.map((pcp) => pcp.count);
    freePages(mm, 1, pfn, 0);
    expect(zone.pcps.map((pcp) => pcp.count)).toEqual([counts[0]! + 1, counts[1]]);
    validate(mm);
  });

  test("phase 0 finds what a drain gave back; a block that is wholly free is nobody's", () => {
    const { mm, alloc } = machine();
    const kept = alloc(0, GFP_HIGHUSER_MOVABLE);
    const others = Array.from({ length: 100 }, () => alloc(0, GFP_HIGHUSER_MOVABLE));
    for (const pfn of others) freePages(mm, 0, pfn, 0);
    drainAllPages(mm);
    expect(blockOf(alloc(0, GFP_HIGHUSER_MOVABLE, 1))).toBe(blockOf(kept));
    const { mm: idle, alloc: take } = machine();
    const pfn = take(0, GFP_HIGHUSER_MOVABLE);
    freePages(idle, 0, pfn, 0);
    drainAllPages(idle);
    expect(idle.pages.blockOwner[blockOf(pfn)]).toBe(0);
    validate(idle);
  });

  test("blocks of a CPU that goes offline are nobody's", () => {
    const { mm, zone, alloc } = machine();
    const pfn = alloc(1, GFP_HIGHUSER_MOVABLE);
    offlineCpu(mm, 1);
    expect(mm.pages.blockOwner[blockOf(pfn)]).toBe(0);
    freePages(mm, 0, pfn, 0);
    expect(zone.pcps[1]!.count).toBe(0);
    validate(mm);
  });
});
