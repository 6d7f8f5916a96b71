/** Requests that would rather use another zone than mix types in a block. model: page-allocator 4.1, 4.2; scenarios 30, 31 */
import { describe, expect, it } from 'vitest';
import { GFP_HIGHUSER_MOVABLE, GFP_KERNEL } from '../../../src/mm/gfp.js';
import { allocPages } from '../../../src/mm/page-alloc/alloc-pages.js';
import { PageAllocator } from '../../../src/mm/page-alloc/page-allocator.js';
import { validate } from '../../../src/mm/page-alloc/validate.js';
import { ALLOC_NOFRAGMENT } from '../../../src/mm/page-alloc/watermark.js';
import { WMARK_HIGH, WMARK_LOW, type Zone } from '../../../src/mm/page-alloc/zone.js';
import { PAGEBLOCK_ORDER, ZoneIndex } from '../../../src/mm/types.js';
import { POLICY_NAMES, type PolicyName, policyNamed } from '../policies.js';
import { B, Bench, TYPE_LETTERS, type TypeLetter, typeOf } from './support.js';

describe.each(POLICY_NAMES)('NOFRAGMENT in one zone, %s', (policy) => {
  it('30 small chunks are refused, whole blocks are taken', () => {
    const bench = new Bench(policy).put(3, 'M', B + 8);
    bench.lru(B, 8).lru(B + 0x10, 0x1f0);
    expect(bench.takes(1, 0, 'U', ALLOC_NOFRAGMENT)).toBe('none');
    expect(bench.buddy()).toEqual({ 'o3 M': 'B+0x8' });
    expect(bench.zone.watermark_boost).toBe(0);
    bench.put(9, 'M', B + 0x400);
    expect(bench.takes(1, 0, 'U', ALLOC_NOFRAGMENT)).toBe('B+0x400');
    expect(bench.blockType(B + 0x400)).toBe('U');
    expect(bench.blockType(B)).toBe('M');
  });

  it('30 a movable request is refused as well', () => {
    const bench = new Bench(policy).block('U', B).put(8, 'U', B);
    expect(bench.takes(1, 0, 'M', ALLOC_NOFRAGMENT)).toBe('none');
    expect(bench.takes(1, 0, 'M')).toBe('B');
  });

  it('30 requests of a whole block or more may take any', () => {
    const bench = new Bench(policy).put(9, 'M', B);
    expect(bench.takes(1, 9, 'U', ALLOC_NOFRAGMENT)).toBe('B');
  });
});

const D = 0x8_0000;

/** DMA32 at D and Normal at B, both above their marks; every page is in use until it is put on a list. */
class TwoZones {
  readonly mm: PageAllocator;
  readonly dma32: Zone;
  readonly normal: Zone;

  constructor(policy: PolicyName) {
    const zone = (index: ZoneIndex, start_pfn: number) => ({
      node: 0,
      index,
      start_pfn,
      spanned_pages: 0x4000,
      present_pages: 0x4000,
      managed_pages: 0x4000,
    });
    this.mm = new PageAllocator(
      {
        cpu_nodes: [0],
        node_distances: [[10]],
        zones: [zone(ZoneIndex.dma32, D), zone(ZoneIndex.normal, B)],
        cpu_cache_bytes: 0,
        thp: true,
      },
      policyNamed(policy),
    );
    [this.dma32, this.normal] = this.mm.zones as [Zone, Zone];
    for (const each of this.mm.zones) each.watermark[WMARK_HIGH] = 1000;
  }

  put(letter: TypeLetter, order: number, pfn: number): this {
    const zone = this.mm.zoneOf(pfn);
    zone.addTail(pfn, order, typeOf(letter));
    zone.nr_free_pages += 1 << order;
    this.mm.pages.blockType[pfn >>> PAGEBLOCK_ORDER] = typeOf(letter);
    return this;
  }

  /** Makes the rest of a block movable pages in use, so that it cannot be claimed. */
  fill(pfn: number, pages: number): this {
    this.mm.pages.blockMovable[pfn >>> PAGEBLOCK_ORDER] = pages;
    return this;
  }

  alloc(gfp: number): string {
    const pfn = allocPages(this.mm, 0, gfp, 0, -1, false);
    validate(this.mm);
    if (pfn < 0) return 'none';
    return pfn >= B ? `B+0x${(pfn - B).toString(16)}` : `D+0x${(pfn - D).toString(16)}`;
  }

  blockType(pfn: number): string {
    return TYPE_LETTERS[this.mm.pages.blockType[pfn >>> PAGEBLOCK_ORDER]!]!;
  }
}

describe.each(POLICY_NAMES)('NOFRAGMENT over two zones, %s', (policy) => {
  //   Normal   block B      M   [ x x | o3 M free | x x ... ]      only a small foreign chunk
  //   DMA32    block D      U   [ o4 U free | ... ]
  const small = () => new TwoZones(policy).put('M', 3, B + 8).fill(B, 504);

  it('31 two passes: pages of the own type in DMA32 come before mixing in Normal', () => {
    const machine = small().put('U', 4, D);
    expect(machine.alloc(GFP_KERNEL)).toBe('D+0x0');
    expect(machine.normal.watermark_boost).toBe(0);
  });

  it('31 two passes: so does a whole foreign block in DMA32', () => {
    const machine = small().put('M', 9, D);
    expect(machine.alloc(GFP_KERNEL)).toBe('D+0x0');
    expect(machine.blockType(D)).toBe('U');
  });

  it.each([
    { reserve: 10, from: 'D+0x0' },
    { reserve: 11, from: 'B+0x8' },
  ])('31 two passes: DMA32 must pass its low mark and keep $reserve pages', ({ reserve, from }) => {
    const machine = small().put('U', 4, D);
    machine.dma32.watermark[WMARK_LOW] = 5;
    machine.dma32.lowmem_reserve[ZoneIndex.normal] = reserve;
    expect(machine.alloc(GFP_KERNEL)).toBe(from);
  });

  it('31 two passes: when DMA32 has nothing either, the second pass mixes types in Normal', () => {
    const machine = small()
      .put('M', 3, D + 8)
      .fill(D, 504);
    expect(machine.alloc(GFP_KERNEL)).toBe('B+0x8');
    expect(machine.blockType(B)).toBe('M');
    expect(machine.normal.watermark_boost).toBeGreaterThan(0);
  });

  it('31 two passes: a request whose first zone is not Normal mixes at once', () => {
    const machine = new TwoZones(policy).put('M', 3, D + 8).fill(D, 504);
    machine.put('U', 4, B);
    const GFP_DMA32 = 0x4;
    expect(machine.alloc(GFP_KERNEL | GFP_DMA32)).toBe('D+0x8');
  });

  it('31 two passes: a movable request is as careful', () => {
    const machine = new TwoZones(policy).put('U', 3, B + 8).fill(B, 0);
    machine.put('M', 4, D);
    expect(machine.alloc(GFP_HIGHUSER_MOVABLE)).toBe('D+0x0');
  });

  it('31 two passes: below the low marks the slow path mixes in Normal, without a look at DMA32', () => {
    const machine = small().put('U', 4, D);
    for (const zone of machine.mm.zones) zone.watermark.set([0, 1000, 1000, 1000]);
    expect(machine.alloc(GFP_KERNEL)).toBe('B+0x8');
  });
});
