/**
 * Everything that works on ranges, in random order with ordinary requests: after each step the whole state must be in
 * order, and at the end no page may be missing. The sequence depends on the seed only.
 */
import { describe, expect, it } from 'vitest';
import { GFP_HIGHUSER_MOVABLE, GFP_KERNEL } from '../../../src/mm/gfp.js';
import { allocPages } from '../../../src/mm/page-alloc/alloc-pages.js';
import { allocPagesBulk } from '../../../src/mm/page-alloc/bulk-alloc.js';
import { allocContigRange, freeContigRange } from '../../../src/mm/page-alloc/contig-alloc.js';
import { offlineCpu, onlineCpu } from '../../../src/mm/page-alloc/cpu-hotplug.js';
import { drainAllPages } from '../../../src/mm/page-alloc/drain-all.js';
import { allocPagesExact, freePagesExact } from '../../../src/mm/page-alloc/exact-pages.js';
import { releaseFolios } from '../../../src/mm/page-alloc/free-batch.js';
import { freePages } from '../../../src/mm/page-alloc/free-owned.js';
import { freeRange } from '../../../src/mm/page-alloc/free-range.js';
import { offlinePages, onlinePages } from '../../../src/mm/page-alloc/hotplug.js';
import type { PageAllocator } from '../../../src/mm/page-alloc/page-allocator.js';
import { validate } from '../../../src/mm/page-alloc/validate.js';
import { refreshCpuVmStats } from '../../../src/mm/page-alloc/vmstat-worker.js';
import { NO_PFN, ZoneIndex } from '../../../src/mm/types.js';
import { POLICY_NAMES } from '../policies.js';
import { BASE, booted, trueFree } from './setup-support.js';

const STEPS = 1500;
const PAGES = 0x4000;

/** Numbers below `limit`, the same for the same seed. */
function randomNumbers(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return (state >>> 8) % limit;
  };
}

/** Pages in use, by first PFN: their order, or for a range their number as a negative one. */
type InUse = Map<number, number>;

function step(mm: PageAllocator, random: (limit: number) => number, inUse: InUse): void {
  const cpu = mm.offline_cpus.has(1) ? 0 : random(2);
  const entries = [...inUse.keys()];
  const any = entries[random(Math.max(1, entries.length))];
  switch (random(16)) {
    case 0: {
      const start = BASE + random(PAGES);
      const pages = 1 + random(random(4) === 0 ? 2000 : 40);
      if (allocContigRange(mm, cpu, start, pages) === 'allocated') inUse.set(start, -pages);
      break;
    }
    case 1: {
      const slots = new Array<number>(1 + random(30)).fill(NO_PFN);
      allocPagesBulk(mm, cpu, GFP_KERNEL, -1, slots);
      for (const pfn of slots) if (pfn !== NO_PFN) inUse.set(pfn, 0);
      break;
    }
    case 2: {
      const pages = 1 + random(60);
      const pfn = allocPagesExact(mm, cpu, GFP_KERNEL, pages, -1);
      if (pfn !== NO_PFN) inUse.set(pfn, -pages);
      break;
    }
    case 3: {
      const folios = entries.slice(0, random(50)).filter((pfn) => inUse.get(pfn)! >= 0);
      releaseFolios(
        mm,
        cpu,
        folios.map((pfn) => ({ pfn, order: inUse.get(pfn)! })),
      );
      for (const pfn of folios) inUse.delete(pfn);
      break;
    }
    case 4: {
      const start = BASE + 0x200 * random(PAGES >>> 9);
      if (offlinePages(mm, cpu, mm.zones[1]!, start, 0x200 * (1 + random(3))) === 'offline') break;
      onlinePages(mm, cpu, mm.zones[1]!, start, 0x200);
      break;
    }
    case 5:
      if (!offlineCpu(mm, 1)) onlineCpu(mm, 1);
      break;
    case 6:
      refreshCpuVmStats(mm, cpu);
      break;
    case 7:
      if (random(4) === 0) drainAllPages(mm);
      break;
    case 8:
    case 9:
    case 10:
    case 11: {
      const order = random(3) === 0 ? random(11) : random(4);
      const movable = random(4) > 0;
      const pfn = allocPages(mm, cpu, movable ? GFP_HIGHUSER_MOVABLE : GFP_KERNEL, order, -1, movable);
      if (pfn !== NO_PFN) inUse.set(pfn, order);
      break;
    }
    default: {
      if (any === undefined) break;
      const size = inUse.get(any)!;
      const free = [freeContigRange, freeRange, freePagesExact][random(3)]!;
      if (size >= 0) freePages(mm, cpu, any, size);
      else free(mm, cpu, any, -size);
      inUse.delete(any);
    }
  }
}

describe.each(POLICY_NAMES)('range operations in random order, %s', (policy) => {
  it.each([1, 2, 3])('seed %i', (seed) => {
    const mm = booted(
      policy,
      [
        { index: ZoneIndex.dma32, start: BASE - 0x1000, spanned: 0x1000 },
        { index: ZoneIndex.normal, start: BASE, spanned: PAGES },
      ],
      { cpu_nodes: [0, 0] },
    );
    const random = randomNumbers(seed);
    const inUse: InUse = new Map();
    let moved = 0;
    mm.onMigrate = (from, to, order) => {
      moved++;
      // pages whose owner is a range were not movable, and never move
      expect(inUse.get(from)).toBe(order);
      inUse.delete(from);
      inUse.set(to, order);
    };
    mm.onSplit = (pfn, order) => {
      expect(inUse.get(pfn)).toBe(order);
      for (let page = pfn; page < pfn + (1 << order); page++) inUse.set(page, 0);
    };
    for (let i = 0; i < STEPS; i++) {
      step(mm, random, inUse);
      validate(mm, { movable_known: true, strict_pageblocks: policy !== 'mainline-6.1' });
    }
    expect(moved).toBeGreaterThan(0);
    for (const [pfn, size] of inUse) {
      if (size >= 0) freePages(mm, 0, pfn, size);
      else freeRange(mm, 0, pfn, -size);
    }
    drainAllPages(mm);
    for (const zone of mm.zones) expect(trueFree(zone)).toBe(zone.managed_pages);
    validate(mm, { movable_known: true });
  });
});
