/**
 * Random sequences of everything that the allocator can be asked for, on machines with odd edges: for checking that the
 * state of superpageblocks stays what a recount finds, and that both selectors choose alike.
 */

import { Context } from '../../../src/mm/context.js';
import {
  GFP_ATOMIC,
  GFP_HIGHUSER_MOVABLE,
  GFP_KERNEL,
  GFP_MOVABLE_BIT,
  GFP_NORETRY_BIT,
  GFP_NOWARN_BIT,
  GFP_RECLAIMABLE_BIT,
} from '../../../src/mm/gfp.js';
import type { MachineSpec, ZoneSpec } from '../../../src/mm/machine-spec.js';
import { allocPages } from '../../../src/mm/page-alloc/alloc-pages.js';
import { bootFresh } from '../../../src/mm/page-alloc/boot.js';
import { allocContigPages, freeContigRange } from '../../../src/mm/page-alloc/contig-alloc.js';
import { drainAllPages } from '../../../src/mm/page-alloc/drain-all.js';
import { freePages } from '../../../src/mm/page-alloc/free-owned.js';
import { allocPagesNolock, freePagesNolock } from '../../../src/mm/page-alloc/nolock.js';
import { type Background, PageAllocator } from '../../../src/mm/page-alloc/page-allocator.js';
import { setUpZones } from '../../../src/mm/page-alloc/zone-setup.js';
import type { Policy } from '../../../src/mm/policy.js';
import { enableLru } from '../../../src/mm/reclaim/lru.js';
import type { SpbNodeWork } from '../../../src/mm/spb/node-work.js';
import { PAGEBLOCK_PAGES, ZoneIndex } from '../../../src/mm/types.js';

/** A generator of numbers that needs no seed from outside. */
export class Dice {
  #state: number;
  constructor(seed: number) {
    this.#state = seed | 1;
  }
  /** 0 .. sides - 1 */
  roll(sides: number): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return (this.#state >>> 0) % sides;
  }
}

const MIB = 256;

/**
 * A machine of `nodes` nodes, each with parts of several 1 GiB ranges, where zones begin and end inside pageblocks and
 * nodes inside 1 GiB ranges.
 */
export function oddMachine(nodes: number, mib_per_node = 192): MachineSpec {
  const zones: ZoneSpec[] = [];
  // The first node's zones meet in the middle of a pageblock and of a 1 GiB range; every node begins off any boundary.
  let start = 0x4_0000 - 40 * MIB + 0x130;
  for (let node = 0; node < nodes; node++) {
    const spanned = mib_per_node * MIB - 0x1a7;
    const kept = 3 * MIB + 5;
    if (node === 0) {
      const low = 56 * MIB + 0x33;
      zones.push({
        node,
        index: ZoneIndex.dma32,
        start_pfn: start,
        spanned_pages: low,
        present_pages: low,
        managed_pages: low - kept,
      });
      const rest = spanned - low;
      zones.push({
        node,
        index: ZoneIndex.normal,
        start_pfn: start + low,
        spanned_pages: rest,
        present_pages: rest,
        managed_pages: rest - kept,
      });
    } else {
      zones.push({
        node,
        index: ZoneIndex.normal,
        start_pfn: start,
        spanned_pages: spanned,
        present_pages: spanned - 2 * PAGEBLOCK_PAGES,
        managed_pages: spanned - 2 * PAGEBLOCK_PAGES - kept,
      });
    }
    start += spanned + (node === 1 ? 0 : 0x4_0000 - 100 * MIB);
  }
  return {
    cpu_nodes: Array.from({ length: nodes * 2 }, (_, cpu) => cpu >> 1),
    node_distances: Array.from({ length: nodes }, (_, from) =>
      Array.from({ length: nodes }, (_, to) => (from === to ? 10 : 20)),
    ),
    zones,
    cpu_cache_bytes: 2 << 20,
    thp: false,
  };
}

/** Time that stands still until it is moved; superpageblock work runs when told. */
export class StillTime implements Background {
  now_ns = 0;
  readonly #works = new Set<SpbNodeWork>();
  wakeKswapd(): void {}
  wakeKcompactd(): void {}
  wakeSpbWork(work: SpbNodeWork): void {
    this.#works.add(work);
  }
  /** Moves time on and does what falls due, in order. */
  advance(ns: number): void {
    const end = this.now_ns + ns;
    for (;;) {
      let next: SpbNodeWork | undefined;
      for (const work of this.#works)
        if (work.due_ns <= end && (next === undefined || work.due_ns < next.due_ns)) next = work;
      if (next === undefined) break;
      this.now_ns = Math.max(this.now_ns, next.due_ns);
      next.run(this.now_ns);
    }
    this.now_ns = end;
  }
}

const GFPS = [
  GFP_HIGHUSER_MOVABLE,
  GFP_HIGHUSER_MOVABLE,
  GFP_KERNEL,
  GFP_KERNEL | GFP_RECLAIMABLE_BIT,
  GFP_ATOMIC,
  GFP_ATOMIC | GFP_NOWARN_BIT,
  GFP_ATOMIC | GFP_NORETRY_BIT | GFP_NOWARN_BIT,
  GFP_KERNEL | GFP_NORETRY_BIT | GFP_NOWARN_BIT,
];

interface Live {
  readonly pfn: number;
  readonly order: number;
}

export class RandomRun {
  readonly mm: PageAllocator;
  readonly time = new StillTime();
  /** what was handed out, in order: the run's event log */
  readonly log: number[] = [];
  readonly #dice: Dice;
  readonly #live: Live[] = [];
  readonly #contig: { readonly pfn: number; readonly pages: number }[] = [];
  /** live allocations by first PFN, so that moves and reclaim are followed */
  readonly #at = new Map<number, number>();

  constructor(spec: MachineSpec, policy: Policy, seed: number) {
    this.mm = new PageAllocator(spec, policy);
    setUpZones(this.mm);
    bootFresh(this.mm);
    enableLru(this.mm);
    this.mm.background = this.time;
    this.#dice = new Dice(seed);
    this.mm.onMigrate = (from, to, order) => {
      this.log.push(-3, from, to);
      this.#moved(from, { pfn: to, order });
    };
    this.mm.onReclaim = (pfn) => {
      this.log.push(-4, pfn);
      this.#moved(pfn, null);
    };
  }

  #moved(from: number, to: Live | null): void {
    const index = this.#at.get(from);
    if (index === undefined) return;
    this.#at.delete(from);
    if (to !== null) {
      this.#live[index] = to;
      this.#at.set(to.pfn, index);
    } else this.#drop(index);
  }

  #drop(index: number): void {
    const last = this.#live.pop()!;
    if (index === this.#live.length) return;
    this.#live[index] = last;
    this.#at.set(last.pfn, index);
  }

  /** One operation. */
  step(): void {
    const { mm } = this;
    const what = this.#dice.roll(1000);
    const cpu = this.#dice.roll(mm.nr_cpus);
    if (what < 560) this.#alloc(cpu);
    else if (what < 985) this.#free(cpu);
    else if (what < 992) this.time.advance(1 + this.#dice.roll(2_000_000_000));
    else if (what < 994) this.#allocContig(cpu);
    else if (what < 996) this.#freeContig(cpu);
    else if (what < 998) this.#add(allocPagesNolock(mm, cpu, 0, -1, false), 0);
    else drainAllPages(mm);
  }

  #alloc(cpu: number): void {
    const gfp = GFPS[this.#dice.roll(GFPS.length)]!;
    const roll = this.#dice.roll(100);
    const order =
      roll < 70
        ? 0
        : roll < 90
          ? this.#dice.roll(4)
          : roll < 97
            ? this.#dice.roll(9)
            : 9 + this.#dice.roll(2);
    const pfn = allocPages(this.mm, cpu, gfp, order, -1, (gfp & GFP_MOVABLE_BIT) !== 0);
    this.#add(pfn, order);
  }

  #add(pfn: number, order: number): void {
    this.log.push(pfn);
    if (pfn < 0) return;
    const span = this.mm.pages.state[this.mm.pages.node(pfn, order)]! & 15;
    this.#at.set(pfn, this.#live.length);
    this.#live.push({ pfn, order: span });
  }

  #free(cpu: number): void {
    if (this.#live.length === 0) return;
    const index = this.#dice.roll(this.#live.length);
    const { pfn, order } = this.#live[index]!;
    this.#at.delete(pfn);
    this.#drop(index);
    if (this.#dice.roll(25) > 0) freePages(this.mm, cpu, pfn, order);
    else this.#freeNolock(cpu, pfn, order);
  }

  /** From an NMI that may have struck below the locks that it would need. */
  #freeNolock(cpu: number, pfn: number, order: number): void {
    const [pcp, zone] = [this.#dice.roll(2) === 0, this.#dice.roll(2) === 0];
    this.mm.interrupted = { holdsPcp: () => pcp, holdsZone: () => zone };
    freePagesNolock(this.mm, cpu, pfn, order, Context.nmi);
    this.mm.interrupted = null;
  }

  #allocContig(cpu: number): void {
    const pages = PAGEBLOCK_PAGES << this.#dice.roll(6);
    const pfn = allocContigPages(this.mm, cpu, GFP_HIGHUSER_MOVABLE, pages, -1);
    this.log.push(pfn);
    if (pfn >= 0) this.#contig.push({ pfn, pages });
  }

  #freeContig(cpu: number): void {
    const range = this.#contig.pop();
    if (range !== undefined) freeContigRange(this.mm, cpu, range.pfn, range.pages);
  }
}
