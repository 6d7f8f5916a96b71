/**
 * Random sequences of requests, against a second model that is slow and obviously right.
 *
 * Every operation is followed by a comparison of all lists in order, block types, per-CPU lists and counters. A
 * failure prints the seed and the shortest sequence that fast-check finds.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GFP_HIGHUSER_MOVABLE, GFP_KERNEL, GFP_THISNODE_BIT, gfpZone } from '../../../src/mm/gfp.js';
import { allocPages } from '../../../src/mm/page-alloc/alloc-pages.js';
import { freeToBuddy } from '../../../src/mm/page-alloc/buddy.js';
import { freePages } from '../../../src/mm/page-alloc/free-owned.js';
import { drainCpuZone } from '../../../src/mm/page-alloc/free-pages.js';
import { PageAllocator } from '../../../src/mm/page-alloc/page-allocator.js';
import { validate } from '../../../src/mm/page-alloc/validate.js';
import { ZoneIndex } from '../../../src/mm/types.js';
import { POLICY_NAMES, type PolicyName, policyNamed } from '../policies.js';
import { commands, pairFor, plan } from './naive-commands.js';
import type { Generation } from './naive-model.js';

const RUNS = 150;
/** A failing sequence is made shorter for no longer than this. */
const SHRINK_MS = 300_000;

describe('random requests against the naive model', () => {
  it.each(['6.1', '6.18', '7.2'] as const satisfies readonly Generation[])('%s', (generation) => {
    let steps = 0;
    fc.assert(
      fc.property(plan, commands, (machine, sequence) => {
        const run = pairFor(machine, generation);
        for (const command of sequence) {
          command(run);
          validate(run.mm);
        }
        for (let cpu = 0; cpu < run.settings.cpus; cpu++) run.drain(cpu);
        steps += run.steps;
      }),
      { seed: 20_240_601, numRuns: RUNS, interruptAfterTimeLimit: SHRINK_MS },
    );
    expect(steps).toBeGreaterThan(60_000);
  });
});

/** Two nodes of two zones each and three CPUs, everything free. */
class TwoNodes {
  readonly mm: PageAllocator;
  readonly live: { readonly pfn: number; readonly order: number }[] = [];
  readonly #owned = new Set<number>();

  constructor(policy: PolicyName) {
    const zone = (node: number, index: ZoneIndex, start_pfn: number, pages: number) => ({
      node,
      index,
      start_pfn,
      spanned_pages: pages,
      present_pages: pages,
      managed_pages: pages,
    });
    this.mm = new PageAllocator(
      {
        cpu_nodes: [0, 1, 0],
        node_distances: [
          [10, 20],
          [20, 10],
        ],
        zones: [
          zone(0, ZoneIndex.dma32, 0x400, 0x900),
          zone(0, ZoneIndex.normal, 0xd00, 0xb00),
          zone(1, ZoneIndex.normal, 0x1800, 0xc00),
          zone(1, ZoneIndex.movable, 0x2400, 0x533),
        ],
        cpu_cache_bytes: 0,
        thp: true,
      },
      policyNamed(policy),
    );
    for (const each of this.mm.zones) {
      each.watermark.set([20, 40, 60, 80]);
      each.stat_threshold = 8;
      for (const pcp of each.pcps) Object.assign(pcp, { batch: 7, high_min: 28, high_max: 300, high: 28 });
      for (let pfn = each.start_pfn; pfn < each.end_pfn; pfn++) freeToBuddy(this.mm, each, 0, pfn, 0, true);
    }
  }

  alloc(cpu: number, gfp: number, order: number, lru: boolean): void {
    const pfn = allocPages(this.mm, cpu, gfp, order, -1, lru);
    if (pfn < 0) return;
    const zone = this.mm.zoneOf(pfn);
    expect(pfn % (1 << order)).toBe(0);
    expect(zone.index).toBeLessThanOrEqual(gfpZone(gfp));
    if (gfp & GFP_THISNODE_BIT) expect(zone.node).toBe(this.mm.spec.cpu_nodes[cpu]);
    for (let page = pfn; page < pfn + (1 << order); page++) {
      if (this.#owned.has(page)) throw new Error(`page 0x${page.toString(16)} is handed out twice`);
      this.#owned.add(page);
    }
    this.live.push({ pfn, order });
  }

  free(cpu: number, pick: number): void {
    const chosen = this.live.splice(pick % Math.max(1, this.live.length), 1)[0];
    if (chosen === undefined) return;
    for (let page = chosen.pfn; page < chosen.pfn + (1 << chosen.order); page++) this.#owned.delete(page);
    freePages(this.mm, cpu, chosen.pfn, chosen.order);
  }

  /** All pages are accounted for: free, on a per-CPU list or owned. */
  check(): void {
    validate(this.mm, { movable_known: true });
    let pages = this.#owned.size;
    for (const zone of this.mm.zones)
      pages += zone.nr_free_pages + zone.pcps.reduce((sum, pcp) => sum + pcp.count + pcp.nr_free_diff, 0);
    expect(pages).toBe(this.mm.zones.reduce((sum, zone) => sum + zone.spanned_pages, 0));
  }

  /** Chunks per order of every zone. */
  chunks(): number[][] {
    return this.mm.zones.map((zone) => [...zone.nr_free]);
  }
}

describe('random requests on two nodes with three CPUs', () => {
  const request = fc.tuple(
    fc.nat(2),
    fc.constantFrom(
      GFP_KERNEL,
      GFP_HIGHUSER_MOVABLE,
      GFP_KERNEL | 0x10,
      0x4 | 0x800,
      0x820,
      0x8 | 0x820,
      0x8_0000,
    ),
    fc.constantFrom(0, 0, GFP_THISNODE_BIT),
    fc.constantFrom(0, 0, 0, 0, 1, 2, 3, 4, 6, 9, 10),
    fc.boolean(),
  );
  const step = fc.oneof(
    request.map((args) => ({ request: args, free: null })),
    fc.tuple(fc.nat(2), fc.nat(0xffff)).map((args) => ({ request: null, free: args })),
  );

  it.each(POLICY_NAMES)('%s: no page is lost or handed out twice, and all of it merges again', (policy) => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 50, maxLength: 900, size: 'max' }), (steps) => {
        const machine = new TwoNodes(policy);
        const fresh = machine.chunks();
        for (const [index, { request: wanted, free }] of steps.entries()) {
          if (wanted !== null) machine.alloc(wanted[0], wanted[1] | wanted[2], wanted[3], wanted[4]);
          else machine.free(...free);
          if (index % 16 === 0) machine.check();
          // kswapd of a node that was woken goes back to sleep now and then
          if (index % 40 === 0) for (const node of machine.mm.nodes) node.kswapd_awake = false;
        }
        while (machine.live.length > 0) machine.free(machine.live.length % 3, 0);
        for (const zone of machine.mm.zones)
          for (let cpu = 0; cpu < machine.mm.nr_cpus; cpu++) drainCpuZone(machine.mm, zone, cpu);
        machine.check();
        // blocks that were kept for atomic requests stay apart
        if (machine.mm.zones.every((zone) => zone.nr_reserved_highatomic === 0))
          expect(machine.chunks()).toEqual(fresh);
      }),
      { seed: 11, numRuns: 40, interruptAfterTimeLimit: SHRINK_MS },
    );
  });
});
