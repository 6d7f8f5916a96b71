/** validate() finds what is broken on purpose. model: page-allocator 9 (invariants) */
import { describe, expect, it } from 'vitest';
import { GFP_HIGHUSER_MOVABLE, GFP_KERNEL } from '../../../src/mm/gfp.js';
import { InvariantError } from '../../../src/mm/invariant.js';
import { allocPages } from '../../../src/mm/page-alloc/alloc-pages.js';
import { freePages } from '../../../src/mm/page-alloc/free-owned.js';
import type { PageAllocator } from '../../../src/mm/page-alloc/page-allocator.js';
import { PageKind } from '../../../src/mm/page-alloc/page-map.js';
import { pcpListIndex } from '../../../src/mm/page-alloc/per-cpu-pages.js';
import { type ValidateOptions, validate } from '../../../src/mm/page-alloc/validate.js';
import type { Zone } from '../../../src/mm/page-alloc/zone.js';
import { MIGRATE_TYPES, ZoneIndex } from '../../../src/mm/types.js';
import { POLICY_NAMES } from '../policies.js';
import { BASE, booted, takeChunk } from './setup-support.js';

/** Two zones in everyday use: chunks of many orders, pages on per-CPU lists, pages in use, some of them movable. */
function busy(policy: (typeof POLICY_NAMES)[number] = 'mainline-6.18'): {
  mm: PageAllocator;
  zone: Zone;
  other: Zone;
} {
  const mm = booted(
    policy,
    [
      { index: ZoneIndex.dma32, start: BASE - 0x2000, spanned: 0x2000 },
      { index: ZoneIndex.normal, start: BASE, spanned: 0x8000 },
    ],
    { cpu_nodes: [0, 0] },
  );
  const pfns: [number, number][] = [];
  for (let i = 0; i < 300; i++) {
    const order = [0, 0, 1, 3, 5, 9][i % 6]!;
    const gfp = i % 3 === 0 ? GFP_KERNEL : GFP_HIGHUSER_MOVABLE;
    const pfn = allocPages(mm, i % 2, gfp, order, -1, i % 3 !== 0);
    if (pfn >= 0) pfns.push([pfn, order]);
  }
  pfns.forEach(([pfn, order], i) => {
    if (i % 3 === 1) freePages(mm, 1, pfn, order);
  });
  return { mm, zone: mm.zones[1]!, other: mm.zones[0]! };
}

/** First free chunk of an order in the zone. */
function chunkOf(zone: Zone, order: number): { pfn: number; type: number } {
  for (let type = 0; type < MIGRATE_TYPES; type++) {
    const [pfn] = zone.listPfns(order, type);
    if (pfn !== undefined) return { pfn, type };
  }
  throw new Error(`the machine has no free chunk of order ${order}`);
}

function broken(mm: PageAllocator, options?: ValidateOptions): string {
  try {
    validate(mm, options);
  } catch (error) {
    if (error instanceof InvariantError) return error.message;
    throw error;
  }
  return 'nothing found';
}

describe('an unharmed machine', () => {
  it.each(POLICY_NAMES)('is found in order, %s', (policy) => {
    const { mm } = busy(policy);
    expect(broken(mm, { movable_known: true, strict_pageblocks: true })).toBe('nothing found');
  });
});

describe('(a) one place for a page', () => {
  it('allocated inside a free chunk', () => {
    const { mm, zone } = busy();
    const { pfn } = chunkOf(zone, 10);
    mm.pages.state[pfn + 5] = PageKind.allocated << 4;
    expect(broken(mm)).toMatch(
      /two places: pfn 0x[0-9a-f]+ order 0, allocated; pfn 0x[0-9a-f]+ order 10, free/,
    );
  });

  it('allocated inside a small free chunk', () => {
    const { mm, zone } = busy();
    const { pfn } = chunkOf(zone, 4);
    mm.pages.state[pfn + 3] = PageKind.allocated << 4;
    expect(broken(mm)).toMatch(/two places: .*order 0, allocated; .*order 4, free/);
  });

  it('free inside an allocation', () => {
    const { mm, zone } = busy();
    const { pfn, type } = chunkOf(zone, 10);
    takeChunk(mm, pfn, 10, false);
    zone.addTail(pfn + 8, 3, type);
    zone.postFree(0, 8);
    expect(broken(mm)).toMatch(/two places: .*order 10, allocated; .*order 3, free/);
  });

  it('on a per-CPU list and in a free chunk', () => {
    const { mm, zone } = busy();
    const { pfn } = chunkOf(zone, 10);
    mm.pages.state[pfn + 1] = (PageKind.pcp + 1) << 4;
    zone.pcps[0]!.lists[pcpListIndex(0, 1)]!.pushTail(pfn + 1);
    zone.pcps[0]!.count++;
    expect(broken(mm)).toMatch(/two places: .*on a per-CPU list; .*order 10, free/);
  });

  it('on two per-CPU lists', () => {
    const { mm, zone } = busy();
    const list = zone.pcps[1]!.lists[pcpListIndex(0, 1)]!;
    zone.pcps[0]!.lists[pcpListIndex(0, 1)]!.pushTail(list.at(0));
    zone.pcps[0]!.count++;
    expect(broken(mm)).toMatch(/two places: .*on a per-CPU list; listed twice/);
  });

  it('marked free, but on no list', () => {
    const { mm, zone } = busy();
    const { pfn } = chunkOf(zone, 10);
    takeChunk(mm, pfn, 10, false);
    mm.pages.state[mm.pages.node(pfn, 10)] = ((PageKind.buddy + 1) << 4) | 10;
    expect(broken(mm)).toMatch(/order 10, free Movable: but no list holds it/);
  });

  it('marked as waiting on a per-CPU list, but on none', () => {
    const { mm, zone } = busy();
    const { pfn } = chunkOf(zone, 10);
    takeChunk(mm, pfn, 10, false);
    mm.pages.state[mm.pages.node(pfn, 10)] = 0;
    mm.pages.state[pfn] = (PageKind.pcp + 1) << 4;
    expect(broken(mm)).toMatch(/on a per-CPU list: but no list holds it/);
  });

  it('on a list, but not marked so', () => {
    const { mm, zone } = busy();
    mm.pages.state[mm.pages.node(chunkOf(zone, 10).pfn, 10)] = 0;
    expect(broken(mm)).toMatch(/free list order 10 Movable holds pfn/);
    const { mm: second, zone: normal } = busy();
    const pfn = normal.pcps[1]!.lists[pcpListIndex(0, 1)]!.at(0);
    second.pages.state[pfn] = 0;
    expect(broken(second)).toMatch(/list 1 of CPU 1 holds pfn/);
  });
});

describe('(b) alignment and zone', () => {
  it('a chunk that is not aligned', () => {
    const { mm, zone } = busy();
    const { pfn, type } = chunkOf(zone, 10);
    zone.remove(pfn, 10, type);
    zone.addTail(pfn + 4, 3, type);
    expect(broken(mm)).toMatch(/order 3 Movable is not aligned/);
  });

  it('an allocation that is not aligned', () => {
    const { mm, zone } = busy();
    const { pfn } = chunkOf(zone, 10);
    takeChunk(mm, pfn, 10, false);
    mm.pages.state[mm.pages.node(pfn, 10)] = 0;
    mm.pages.state[pfn + 4] = (PageKind.allocated << 4) | 3;
    expect(broken(mm)).toMatch(/order 3, allocated: not aligned/);
  });

  it("a chunk on another zone's list, and an entry on another zone's per-CPU list", () => {
    const { mm, zone, other } = busy();
    const { pfn, type } = chunkOf(zone, 10);
    zone.remove(pfn, 10, type);
    other.addTail(pfn, 10, type);
    expect(broken(mm)).toMatch(/zone DMA32: free chunk .* is not wholly in the zone/);
    const { mm: second, zone: normal, other: dma32 } = busy();
    const list = normal.pcps[1]!.lists[pcpListIndex(0, 1)]!;
    dma32.pcps[0]!.lists[pcpListIndex(0, 1)]!.pushTail(list.popTail());
    expect(broken(second)).toMatch(/zone DMA32: entry .* of CPU 0 is not wholly in the zone/);
  });
});

describe('(c) free buddies merge', () => {
  it('two halves side by side', () => {
    const { mm, zone } = busy();
    const { pfn, type } = chunkOf(zone, 10);
    zone.remove(pfn, 10, type);
    zone.addTail(pfn, 9, type);
    for (const half of [pfn + 0x200, pfn + 0x300]) zone.addTail(half, 8, type);
    expect(broken(mm)).toMatch(/order 8 Movable and its free buddy .* are not merged/);
  });

  it('two blocks side by side are looked at only on demand, and not where they may not merge', () => {
    const { mm, zone } = busy();
    const { pfn, type } = chunkOf(zone, 10);
    zone.remove(pfn, 10, type);
    zone.addTail(pfn, 9, type);
    zone.addTail(pfn + 0x200, 9, type);
    expect(broken(mm)).toBe('nothing found');
    expect(broken(mm, { strict_pageblocks: true })).toMatch(/order 9 .* are not merged/);
    zone.remove(pfn, 9, type);
    zone.addTail(pfn, 9, 3);
    mm.pages.blockType[pfn >>> 9] = 3;
    expect(broken(mm, { strict_pageblocks: true })).toBe('nothing found');
  });
});

describe('(d) (e) and other counters', () => {
  it.each([
    [
      'nr_free_pages',
      (zone: Zone): unknown => zone.nr_free_pages++,
      /nr_free_pages with the parts of all CPUs is \d+, but/,
    ],
    [
      'the part of a CPU',
      (zone: Zone): unknown => zone.pcps[1]!.nr_free_diff--,
      /nr_free_pages with the parts/,
    ],
    [
      'pcp.count',
      (zone: Zone): unknown => zone.pcps[1]!.count++,
      /count of CPU 1 is \d+, but \d+ were found/,
    ],
    ['nr_free', (zone: Zone): unknown => zone.nr_free[5]!++, /nr_free of order 5/],
    [
      'nr_free_highatomic',
      (zone: Zone): unknown => zone.nr_free_highatomic++,
      /nr_free_highatomic is 1, but 0/,
    ],
    ['nr_free_cma', (zone: Zone): unknown => zone.nr_free_cma--, /nr_free_cma is -1, but 0/],
    [
      'nr_isolated_blocks',
      (zone: Zone): unknown => zone.nr_isolated_blocks++,
      /nr_isolated_blocks is 1, but 0/,
    ],
    ['listMask', (zone: Zone): unknown => (zone.listMask[1] = 0), /listMask of Movable is 0/],
    [
      'too long',
      (zone: Zone): unknown => zone.listLength[10 * MIGRATE_TYPES + 1]!++,
      /length of free list order 10 Movable/,
    ],
    [
      'too short',
      (zone: Zone): unknown => zone.listLength[10 * MIGRATE_TYPES + 1]!--,
      /holds more chunks than were counted/,
    ],
  ] as const)('%s', (_, harm, message) => {
    const { mm, zone } = busy();
    harm(zone);
    expect(broken(mm)).toMatch(message);
    expect(broken(mm)).toMatch(/^node 0 zone Normal: /);
  });

  it('an isolated block that nobody counted', () => {
    const { mm } = busy();
    const taken = mm.zones[1]!.listPfns(10, 1).at(-1)!;
    takeChunk(mm, taken, 10, false);
    mm.pages.blockType[taken >>> 9] = 5;
    expect(broken(mm)).toMatch(/nr_isolated_blocks is 0, but 1 were found/);
  });

  it('movable pages of a block, where they are known', () => {
    const { mm } = busy();
    mm.pages.blockMovable[(BASE >>> 9) + 3]!++;
    expect(broken(mm)).toBe('nothing found');
    expect(broken(mm, { movable_known: true })).toMatch(/^pageblock 0x[0-9a-f]+: \d+ movable pages/);
  });
});

describe('(f) lists and types', () => {
  it('a chunk on the list of another type than its block', () => {
    const harm = (policy: (typeof POLICY_NAMES)[number]) => {
      const { mm, zone } = busy(policy);
      mm.pages.blockType[chunkOf(zone, 10).pfn >>> 9] = 2;
      return broken(mm);
    };
    expect(harm('mainline-6.18')).toMatch(/order 10 Movable lies in a block of type Reclaimable/);
    expect(harm('mainline-7.2')).toMatch(/lies in a block of type Reclaimable/);
    expect(harm('mainline-6.1')).toBe('nothing found');
  });

  it('an entry on the per-CPU list of another type', () => {
    const { mm, zone } = busy();
    const { lists } = zone.pcps[1]!;
    lists[pcpListIndex(0, 2)]!.pushTail(lists[pcpListIndex(0, 1)]!.popTail());
    expect(broken(mm)).toMatch(/of type Movable is on list 2 of CPU 1/);
  });
});

describe('links of a list', () => {
  it('a chunk that does not point back', () => {
    const { mm, zone } = busy();
    mm.pages.prev[mm.pages.node(chunkOf(zone, 10).pfn, 10)] = 7;
    expect(broken(mm)).toMatch(/free list order 10 Movable: pfn .* does not point back/);
  });

  it('a list that runs in a circle', () => {
    const { mm, zone } = busy();
    const [first, second] = zone.listPfns(10, 1).map((pfn) => mm.pages.node(pfn, 10));
    mm.pages.next[second!] = first!;
    expect(broken(mm)).toMatch(/does not point back|more than/);
  });

  it("a list that ends in another's head", () => {
    const { mm, zone } = busy();
    const last = mm.pages.node(zone.listPfns(10, 1).at(-1)!, 10);
    mm.pages.next[last] = zone.headBase;
    expect(broken(mm)).toMatch(/free list order 10 Movable is not closed/);
  });
});
