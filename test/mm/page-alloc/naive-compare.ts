/** The real allocator and the naive model of one zone, driven side by side and compared in every detail. */
import { allocPages } from '../../../src/mm/page-alloc/alloc-pages.js';
import { freePages } from '../../../src/mm/page-alloc/free-owned.js';
import { drainCpuZone } from '../../../src/mm/page-alloc/free-pages.js';
import { unreserveHighatomic } from '../../../src/mm/page-alloc/highatomic.js';
import { PageAllocator } from '../../../src/mm/page-alloc/page-allocator.js';
import { PCPF_FREE_HIGH_BATCH, PCPF_PREV_FREE_HIGH_ORDER } from '../../../src/mm/page-alloc/per-cpu-pages.js';
import {
  ZONE_BELOW_HIGH,
  ZONE_BOOSTED_WATERMARK,
  ZONE_RECLAIM_ACTIVE,
  type Zone,
} from '../../../src/mm/page-alloc/zone.js';
import type { Policy } from '../../../src/mm/policy.js';
import { NR_PAGE_ORDERS, PAGEBLOCK_ORDER, PAGEBLOCK_PAGES, ZoneIndex } from '../../../src/mm/types.js';
import { policyNamed } from '../policies.js';
import { NaiveModel, type NaiveSettings } from './naive-model.js';

/** A block at the start of a run: its type, and which of its pages are in use for good. */
export interface BlockPlan {
  readonly type: number;
  /** pages are free and in use by turns, 2^order at a time; 9 and 10: the block is free, as one chunk */
  readonly order: number;
  /** the pages in use are movable */
  readonly movable: boolean;
}

interface Live {
  readonly pfn: number;
  readonly order: number;
}

/** The two have come apart. */
export class Difference extends Error {
  override readonly name = 'Difference';
}

export class SideBySide {
  readonly mm: PageAllocator;
  readonly zone: Zone;
  readonly naive: NaiveModel;
  readonly live: Live[] = [];
  /** operations so far */
  steps = 0;

  constructor(
    readonly settings: NaiveSettings,
    blocks: readonly BlockPlan[],
    /** knobs in which the real allocator differs from the preset, where a test wants to see that this is noticed */
    knobs: Partial<Policy> = {},
  ) {
    const { start, end, managed } = settings;
    this.mm = new PageAllocator(
      {
        cpu_nodes: Array.from({ length: settings.cpus }, () => 0),
        node_distances: [[10]],
        zones: [
          {
            node: 0,
            index: ZoneIndex.normal,
            start_pfn: start,
            spanned_pages: end - start,
            present_pages: managed,
            managed_pages: managed,
          },
        ],
        cpu_cache_bytes: 0,
        thp: true,
      },
      policyNamed(`mainline-${settings.generation}`, {
        'watermark.boost_factor': settings.boostFactor,
        ...knobs,
      }),
    );
    this.zone = this.mm.zones[0]!;
    this.naive = new NaiveModel(settings);
    this.#setUpReal();
    const base = start - (start % PAGEBLOCK_PAGES);
    for (const [index, plan] of blocks.entries()) this.#setUpBlock(base + index * PAGEBLOCK_PAGES, plan);
  }

  #setUpReal(): void {
    const { settings, zone } = this;
    zone.watermark.set([settings.min, settings.low, settings.high, settings.high]);
    zone.lowmem_reserve[ZoneIndex.normal] = settings.reserveNormal;
    zone.lowmem_reserve[ZoneIndex.movable] = settings.reserveMovable;
    zone.stat_threshold = settings.threshold;
    for (const pcp of zone.pcps) {
      pcp.batch = settings.batch;
      pcp.high_min = settings.pcpHighMin;
      pcp.high_max = settings.pcpHighMax;
      pcp.high = settings.generation === '6.1' ? settings.pcpHighMin : 0;
      pcp.flags = settings.freeHighBatch ? PCPF_FREE_HIGH_BATCH : 0;
    }
  }

  #setUpBlock(first: number, { type, order, movable }: BlockPlan): void {
    const { mm, zone, naive, settings } = this;
    mm.pages.blockType[first >>> PAGEBLOCK_ORDER] = type;
    naive.blockTypes[first >>> PAGEBLOCK_ORDER] = type;
    const place = (pfn: number, chunk: number) => {
      if (pfn < settings.start || pfn + (1 << chunk) > settings.end) return;
      zone.addTail(pfn, chunk, type);
      zone.nr_free_pages += 1 << chunk;
      naive.place(pfn, chunk, type);
    };
    if (order >= PAGEBLOCK_ORDER) {
      place(first, PAGEBLOCK_ORDER);
      return;
    }
    const step = 1 << order;
    for (let pfn = first; pfn < first + PAGEBLOCK_PAGES; pfn += 2 * step) {
      place(pfn + step, order);
      if (movable && pfn >= settings.start && pfn + step <= settings.end) {
        mm.pages.blockMovable[first >>> PAGEBLOCK_ORDER]! += step;
        for (let page = pfn; page < pfn + step; page++) naive.isMovable[page] = true;
      }
    }
  }

  alloc(cpu: number, gfp: number, order: number, lru: boolean): number {
    const expected = this.naive.alloc(cpu, gfp, order, lru);
    const got = allocPages(this.mm, cpu, gfp, order, -1, lru);
    if (got >= 0) this.live.push({ pfn: got, order });
    this.compare(got === expected ? null : `allocated ${hex(got)} instead of ${hex(expected)}`);
    return got;
  }

  /** Frees one of the live allocations, or the first 2^order pages of one while the rest stays in use in such pieces. */
  free(cpu: number, pick: number, splitTo: number): void {
    if (this.live.length === 0) return;
    const index = pick % this.live.length;
    const { pfn, order } = this.live[index]!;
    const piece = Math.min(order, splitTo);
    this.live[index] = this.live.at(-1)!;
    this.live.pop();
    for (let rest = pfn + (1 << piece); rest < pfn + (1 << order); rest += 1 << piece)
      this.live.push({ pfn: rest, order: piece });
    this.naive.free(cpu, pfn, piece);
    freePages(this.mm, cpu, pfn, piece);
    this.compare();
  }

  drain(cpu: number): void {
    this.naive.drainAll(cpu);
    drainCpuZone(this.mm, this.zone, cpu);
    this.compare();
  }

  /** kswapd has begun or finished: the flag changes, and a boost is gone at the end. */
  reclaim(active: boolean): void {
    this.naive.reclaiming = active;
    if (active) this.zone.flags |= ZONE_RECLAIM_ACTIVE;
    else {
      this.zone.flags &= ~ZONE_RECLAIM_ACTIVE;
      this.zone.watermark_boost = 0;
      this.naive.boost = 0;
    }
    this.compare();
  }

  unreserve(cpu: number, type: number, force: boolean): void {
    const expected = this.naive.unreserve(cpu, type, force);
    const got = unreserveHighatomic(this.mm, [this.zone], cpu, type, force);
    this.compare(got === expected ? null : `unreserve gave ${got} instead of ${expected}`);
  }

  compare(outcome: string | null = null): void {
    this.steps++;
    const found = outcome ?? difference(this.mm, this.zone, this.naive);
    if (found !== null) throw new Difference(`after step ${this.steps}: ${found}`);
  }
}

function hex(pfn: number): string {
  return pfn < 0 ? 'nothing' : `0x${pfn.toString(16)}`;
}

function listsDiffer(real: readonly number[], naive: readonly number[]): boolean {
  if (real.length !== naive.length) return true;
  for (let i = 0; i < real.length; i++) if (real[i] !== naive[i]) return true;
  return false;
}

function show(pfns: readonly number[]): string {
  return `[${pfns.slice(0, 40).map(hex).join(' ')}${pfns.length > 40 ? ' ...' : ''}]`;
}

/** The first thing in which the two disagree, in words, or null. */
export function difference(mm: PageAllocator, zone: Zone, naive: NaiveModel): string | null {
  for (let type = 0; type < 4; type++)
    for (let order = 0; order < NR_PAGE_ORDERS; order++) {
      const real = zone.listPfns(order, type);
      const wanted = naive.lists[type]![order]!;
      if (listsDiffer(real, wanted))
        return `list of type ${type}, order ${order}: ${show(real)} instead of ${show(wanted)}`;
    }
  const { start, end, generation } = naive.settings;
  for (let block = start >>> PAGEBLOCK_ORDER; block << PAGEBLOCK_ORDER < end; block++) {
    const type = mm.pages.blockType[block]!;
    if (type !== naive.blockTypes[block])
      return `block ${hex(block << PAGEBLOCK_ORDER)} is of type ${type} instead of ${naive.blockTypes[block]}`;
    let movable = 0;
    const first = block << PAGEBLOCK_ORDER;
    for (let pfn = first; pfn < first + PAGEBLOCK_PAGES; pfn++) if (naive.isMovable[pfn]) movable++;
    if (mm.pages.blockMovable[block] !== movable)
      return `block ${hex(first)} has ${mm.pages.blockMovable[block]} movable pages instead of ${movable}`;
  }
  for (const [cpu, pcp] of zone.pcps.entries()) {
    const wanted = naive.pcps[cpu]!;
    for (const [index, list] of pcp.lists.entries())
      if (listsDiffer(list.toArray(), wanted.lists[index]!))
        return `CPU ${cpu}, list ${index}: ${show(list.toArray())} instead of ${show(wanted.lists[index]!)}`;
    const real: Record<string, number | boolean> = {
      count: pcp.count,
      diff: pcp.nr_free_diff,
      ...(generation === '6.1'
        ? { free_factor: pcp.free_factor }
        : {
            high: pcp.high,
            alloc_factor: pcp.alloc_factor,
            free_count: pcp.free_count,
            prevHigh: (pcp.flags & PCPF_PREV_FREE_HIGH_ORDER) !== 0,
          }),
    };
    for (const [key, value] of Object.entries(real))
      if (value !== wanted[key as keyof typeof wanted])
        return `CPU ${cpu}: ${key} is ${value} instead of ${wanted[key as keyof typeof wanted]}`;
  }
  const counters = {
    folded: zone.nr_free_pages,
    boost: zone.watermark_boost,
    boosted: (zone.flags & ZONE_BOOSTED_WATERMARK) !== 0,
    belowHigh: (zone.flags & ZONE_BELOW_HIGH) !== 0,
    reserved: zone.nr_reserved_highatomic,
    pgalloc: zone.pgalloc,
    pgfree: mm.pgfree,
  };
  for (const [key, value] of Object.entries(counters))
    if (value !== naive[key as keyof typeof counters])
      return `${key} is ${value} instead of ${naive[key as keyof typeof counters]}`;
  return null;
}
