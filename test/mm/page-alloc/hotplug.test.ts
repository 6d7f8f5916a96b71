/** Memory that comes and goes. model: page-allocator 2.4, 3.8, 3.9 */
import { describe, expect, it } from 'vitest';
import { GFP_HIGHUSER_MOVABLE } from '../../../src/mm/gfp.js';
import { allocPages } from '../../../src/mm/page-alloc/alloc-pages.js';
import { freePages, ownerOf } from '../../../src/mm/page-alloc/free-owned.js';
import { offlinePages, onlinePages } from '../../../src/mm/page-alloc/hotplug.js';
import type { PageAllocator } from '../../../src/mm/page-alloc/page-allocator.js';
import { validate } from '../../../src/mm/page-alloc/validate.js';
import type { Zone } from '../../../src/mm/page-alloc/zone.js';
import { ZoneIndex } from '../../../src/mm/types.js';
import { POLICY_NAMES } from '../policies.js';
import { BASE, booted, freeLists, takeChunk, trueFree } from './setup-support.js';

const BLOCK = 0x200;
const { normal, movable } = ZoneIndex;
const STRICT = { movable_known: true, strict_pageblocks: true } as const;

/** What is derived from a zone's size. */
function derived(mm: PageAllocator) {
  return mm.zones.map((zone) => ({
    watermark: [...zone.watermark],
    reserve: [...zone.lowmem_reserve],
    threshold: zone.stat_threshold,
    sizes: zone.pcps.map(({ batch, high_min, high_max }) => [batch, high_min, high_max]),
  }));
}

function sizes(zone: Zone): number[] {
  return [zone.start_pfn, zone.spanned_pages, zone.present_pages, zone.managed_pages];
}

describe.each(POLICY_NAMES)('onlining, %s', (policy) => {
  const small = { index: normal, start: BASE, spanned: 0x1_0000 };

  //   [ 256 MiB in use by the zone ][ max_pfn: 128 MiB more may come ]
  it('behind the zone: as if it had been there from the start', () => {
    const mm = booted(policy, [small], { max_pfn: BASE + 0x1_8000 });
    const zone = mm.zones[0]!;
    expect(onlinePages(mm, 0, zone, BASE + 0x1_0000, 0x8000)).toBe('online');
    validate(mm, STRICT);
    const whole = booted(policy, [{ ...small, spanned: 0x1_8000 }]);
    expect(sizes(zone)).toEqual(sizes(whole.zones[0]!));
    expect(freeLists(zone)).toEqual(freeLists(whole.zones[0]!));
    expect(trueFree(zone)).toBe(0x1_8000);
    // Only the choice of min_free_kbytes starts from the marks in force.
    expect(derived(mm)[0]!.threshold).toBe(derived(whole)[0]!.threshold);
    expect(zone.pcps[0]!.batch).toBe(whole.zones[0]!.pcps[0]!.batch);
    expect(mm.pgfree).toBe(0x8000);
  });

  it('into the hole of a zone, and no further than its PFNs', () => {
    const mm = booted(policy, [{ ...small, present: 0x8000, managed: 0x7f00 }]);
    const zone = mm.zones[0]!;
    expect(onlinePages(mm, 0, zone, BASE, BLOCK)).toBe('already_online');
    expect(onlinePages(mm, 0, zone, BASE + 0x8000, BLOCK + 1)).toBe('not_whole_blocks');
    expect(onlinePages(mm, 0, zone, BASE + 0x1_0000, BLOCK)).toBe('beyond_the_model');
    expect(onlinePages(mm, 0, zone, BASE + 0x9000, 3 * BLOCK)).toBe('online');
    expect(sizes(zone)).toEqual([BASE, 0x1_0000, 0x8000 + 3 * BLOCK, 0x7f00 + 3 * BLOCK]);
    expect(mm.findZone(BASE + 0x8fff)).toBeUndefined();
    expect(mm.findZone(BASE + 0x9000)).toBe(zone);
    expect(zone.listPfns(10, 1)).toContain(BASE + 0x9000);
    expect(zone.listPfns(9, 1)).toContain(BASE + 0x9400);
    validate(mm, STRICT);
  });

  it('into an empty Movable zone, which requests then find first', () => {
    const mm = booted(policy, [small, { index: movable, start: BASE + 0x1_0000, spanned: 0 }], {
      max_pfn: BASE + 0x2_0000,
    });
    const [lower, upper] = [mm.zones[0]!, mm.zones[1]!];
    expect(mm.zonelists.fallback[0]![movable]).toEqual([lower]);
    expect(onlinePages(mm, 0, upper, BASE + 0x1_8000, 0x8000)).toBe('online');
    expect(mm.zonelists.fallback[0]![movable]).toEqual([upper, lower]);
    expect(sizes(upper)).toEqual([BASE + 0x1_8000, 0x8000, 0x8000, 0x8000]);
    expect(lower.lowmem_reserve[movable]).toBe(0x8000 / 32);
    expect(mm.zoneOf(allocPages(mm, 0, GFP_HIGHUSER_MOVABLE, 0, -1, true))).toBe(upper);
    validate(mm, STRICT);
  });

  it('pages that waited on per-CPU lists do not stay there', () => {
    const mm = booted(policy, [small], { max_pfn: BASE + 0x1_8000 });
    const zone = mm.zones[0]!;
    takeChunk(mm, BASE, 10, false);
    freePages(mm, 0, BASE, 0);
    onlinePages(mm, 0, zone, BASE + 0x1_0000, BLOCK);
    expect(zone.pcps[0]!.count).toBe(0);
    expect(zone.pcps[0]!.batch).toBeGreaterThan(1);
    validate(mm, STRICT);
  });
});

describe.each(POLICY_NAMES)('offlining, %s', (policy) => {
  const plan = { index: normal, start: BASE, spanned: 0x1_0000 };

  it('free memory at the end: the zone shrinks, and everything derived with it', () => {
    const mm = booted(policy, [plan]);
    const zone = mm.zones[0]!;
    expect(offlinePages(mm, 0, zone, BASE + 0xc200, 0x3e00)).toBe('offline');
    expect(sizes(zone)).toEqual([BASE, 0xc200, 0xc200, 0xc200]);
    expect([trueFree(zone), zone.nr_isolated_blocks]).toEqual([0xc200, 0]);
    expect(mm.findZone(BASE + 0xc200)).toBeUndefined();
    expect(zone.listPfns(9, 1)).toEqual([BASE + 0xc000]);
    validate(mm, STRICT);
  });

  it('memory in the middle: the span stays', () => {
    const mm = booted(policy, [plan]);
    const zone = mm.zones[0]!;
    expect(offlinePages(mm, 0, zone, BASE + 0x4000, 0x400)).toBe('offline');
    expect(sizes(zone)).toEqual([BASE, 0x1_0000, 0xfc00, 0xfc00]);
    expect(offlinePages(mm, 0, zone, BASE + 0x4000, 0x400)).toBe('not_online');
    expect(offlinePages(mm, 0, zone, BASE, 0x4000)).toBe('offline');
    // what went before is at the edge now, too
    expect(sizes(zone)).toEqual([BASE + 0x4400, 0xbc00, 0xbc00, 0xbc00]);
    validate(mm, STRICT);
  });

  it('and online again gives the same memory back', () => {
    const mm = booted(policy, [plan]);
    const zone = mm.zones[0]!;
    const lists = freeLists(zone);
    offlinePages(mm, 0, zone, BASE + 0xc000, 0x4000);
    expect(onlinePages(mm, 0, zone, BASE + 0xc000, 0x4000)).toBe('online');
    expect(freeLists(zone)).toEqual(lists);
    validate(mm, STRICT);
  });

  it('pages in use move away first', () => {
    const mm = booted(policy, [plan]);
    const zone = mm.zones[0]!;
    takeChunk(mm, BASE + 0x8000, 10, true);
    freePages(mm, 0, BASE + 0x8080, 7);
    const to: number[] = [];
    mm.onMigrate = (_from, target) => to.push(target);
    const free = trueFree(zone);
    expect(offlinePages(mm, 0, zone, BASE + 0x8000, 0x400)).toBe('offline');
    expect(to.every((pfn) => ownerOf(mm, pfn) !== null && mm.findZone(pfn) === zone)).toBe(true);
    expect(zone.managed_pages).toBe(0xfc00);
    expect(trueFree(zone) + zone.pcps[0]!.count).toBe(free - 0x400);
    validate(mm, STRICT);
  });

  it('to another node where there is one', () => {
    const mm = booted(policy, [plan, { node: 1, index: normal, start: BASE + 0x1_0000, spanned: 0x1_0000 }]);
    takeChunk(mm, BASE + 0x8000, 10, true);
    mm.onMigrate = (_from, to) => expect(mm.zoneOf(to)).toBe(mm.zones[1]);
    expect.assertions(2);
    expect(offlinePages(mm, 0, mm.zones[0]!, BASE + 0x8000, 0x400)).toBe('offline');
  });

  it('memory that the kernel uses stays, and so do all sizes', () => {
    const mm = booted(policy, [plan]);
    const zone = mm.zones[0]!;
    takeChunk(mm, BASE + 0x8400, 10, false);
    const before = { sizes: sizes(zone), derived: derived(mm), free: trueFree(zone) };
    expect(offlinePages(mm, 0, zone, BASE + 0x8000, 0x1000)).toBe('unmovable');
    expect({ sizes: sizes(zone), derived: derived(mm), free: trueFree(zone) }).toEqual(before);
    expect(zone.nr_isolated_blocks).toBe(0);
    validate(mm, STRICT);
    expect(offlinePages(mm, 0, zone, BASE + 0x100, 0x1000)).toBe('not_whole_blocks');
    expect(offlinePages(mm, 0, zone, BASE + 0xfe00, 0x400)).toBe('not_online');
  });

  it('no room elsewhere: it stays', () => {
    const mm = booted(policy, [{ ...plan, spanned: 0x1000 }]);
    const zone = mm.zones[0]!;
    for (let pfn = BASE; pfn < BASE + 0x1000; pfn += 0x400) takeChunk(mm, pfn, 10, true);
    const before = derived(mm);
    expect(offlinePages(mm, 0, zone, BASE, 0x400)).toBe('no_target');
    expect(derived(mm)).toEqual(before);
    expect(zone.managed_pages).toBe(0x1000);
    validate(mm, STRICT);
  });

  it('the last memory of a zone takes the zone off all lists', () => {
    const mm = booted(policy, [plan, { index: movable, start: BASE + 0x1_0000, spanned: 0x1000 }]);
    const upper = mm.zones[1]!;
    expect(offlinePages(mm, 0, upper, BASE + 0x1_0000, 0x1000)).toBe('offline');
    expect(sizes(upper).slice(1)).toEqual([0, 0, 0]);
    expect(mm.zonelists.fallback[0]![movable]).toEqual([mm.zones[0]]);
    expect(mm.zones[0]!.lowmem_reserve[movable]).toBe(0);
    validate(mm, STRICT);
    expect(onlinePages(mm, 0, upper, BASE + 0x1_0000, 0x800)).toBe('online');
    expect(sizes(upper)).toEqual([BASE + 0x1_0000, 0x800, 0x800, 0x800]);
    validate(mm, STRICT);
  });
});
