/**
 * Traces as the kernel writes them, for tests of the pinned replay: written by hand, or by the model itself.
 *
 * The bench is one zone Normal of 16 pageblocks from B = 0x100000 on, two CPUs, nothing free at first.
 */
import { GFP_HIGHUSER_MOVABLE, GFP_KERNEL } from '../../src/mm/gfp.js';
import { allocPages } from '../../src/mm/page-alloc/alloc-pages.js';
import { freePages } from '../../src/mm/page-alloc/free-owned.js';
import { PageAllocator, type PageAllocTracer } from '../../src/mm/page-alloc/page-allocator.js';
import { validate } from '../../src/mm/page-alloc/validate.js';
import type { Zone } from '../../src/mm/page-alloc/zone.js';
import { MIGRATE_TYPES, PAGEBLOCK_ORDER, ZoneIndex } from '../../src/mm/types.js';
import { Notes } from '../../src/sim/notes.js';
import { validatePinned } from '../../src/sim/pinned/pin-recording.js';
import { PinnedReplay } from '../../src/sim/pinned/pinned-replay.js';
import { StartKnowledge } from '../../src/sim/pinned/start-knowledge.js';
import { Tallies } from '../../src/sim/tallies.js';
import type { KernelGeneration } from '../../src/trace/kernel-generation.js';
import { TextReader } from '../../src/trace/text/reader.js';
import { policyNamed } from '../mm/policies.js';
import { inputOf } from '../trace/helpers.js';

export const B = 0x10_0000;
const PAGES = 16 << PAGEBLOCK_ORDER;

export interface Bench {
  readonly mm: PageAllocator;
  readonly zone: Zone;
}

/** @param batch of the per-CPU lists; their marks are 100 batches apart from nothing */
export function bench(policy: string, batch = 4, high = 40): Bench {
  const mm = new PageAllocator(
    {
      cpu_nodes: [0, 0],
      node_distances: [[10]],
      zones: [
        {
          node: 0,
          index: ZoneIndex.normal,
          start_pfn: B,
          spanned_pages: PAGES,
          present_pages: PAGES,
          managed_pages: PAGES,
        },
      ],
      cpu_cache_bytes: 0,
      thp: true,
    },
    policyNamed(policy),
  );
  const zone = mm.zones[0]!;
  for (const pcp of zone.pcps) {
    pcp.batch = batch;
    pcp.high = pcp.high_min = pcp.high_max = high;
  }
  return { mm, zone };
}

/** Puts free chunks on the list of their block's type, head first. */
export function put({ mm, zone }: Bench, order: number, ...pfns: number[]): void {
  for (const pfn of pfns) {
    zone.addTail(pfn, order, mm.pages.blockType[pfn >>> PAGEBLOCK_ORDER]!);
    zone.nr_free_pages += 1 << order;
  }
}

export interface Pinned extends Bench {
  readonly replay: PinnedReplay;
  readonly notes: Notes;
  readonly tallies: Tallies;
}

/** Replays trace text on a bench. @param exact the bench's lists are known to be the kernel's */
export async function pin(
  on: Bench,
  text: string,
  exact = true,
  kernel: KernelGeneration = '6.18',
): Promise<Pinned> {
  const notes = new Notes();
  const tallies = new Tallies();
  const replay = new PinnedReplay(on.mm, new StartKnowledge(on.mm, exact), notes, tallies);
  const reader = new TextReader(await inputOf(`# tracer: nop\n${text}`, 'trace.txt'), { kernel });
  for await (const batch of reader.batches()) replay.replay(batch);
  replay.finish();
  validatePinned(on.mm);
  return { ...on, replay, notes, tallies };
}

/** A trace being written; times go up by one microsecond. */
export class Tracefs {
  text = '';
  #us = 1_000_000;
  #cpu = 0;
  #flags = '.....';
  #pid = 100;

  on(cpu: number, flags = '.....', pid = 100): this {
    this.#cpu = cpu;
    this.#flags = flags;
    this.#pid = pid;
    return this;
  }

  wait(us: number): this {
    this.#us += us;
    return this;
  }

  line(event: string): this {
    const us = String(++this.#us).padStart(7, '0');
    const at = `${us.slice(0, -6)}.${us.slice(-6)}`;
    this.text += ` <...>-${this.#pid} [00${this.#cpu}] ${this.#flags} ${at}: ${event}\n`;
    return this;
  }

  alloc(pfn: number, order = 0, gfp = 'GFP_KERNEL'): this {
    return this.line(
      `mm_page_alloc: page=${pfn} pfn=0x${pfn.toString(16)} order=${order} migratetype=0 gfp_flags=${gfp}`,
    );
  }

  free(pfn: number, order = 0): this {
    return this.line(`mm_page_free: page=${pfn} pfn=0x${pfn.toString(16)} order=${order}`);
  }

  batched(pfn: number): this {
    return this.line(`mm_page_free_batched: page=${pfn} pfn=0x${pfn.toString(16)} order=0`);
  }

  refill(pfn: number, order = 0, type = 0, percpu = 1): this {
    return this.line(
      `mm_page_alloc_zone_locked: page=${pfn} pfn=0x${pfn.toString(16)} order=${order} migratetype=${type} percpu_refill=${percpu}`,
    );
  }

  drain(pfn: number, order = 0, type = 0): this {
    return this.line(
      `mm_page_pcpu_drain: page=${pfn} pfn=0x${pfn.toString(16)} order=${order} migratetype=${type}`,
    );
  }

  extfrag(
    pfn: number,
    order: number,
    fallbackOrder: number,
    type: number,
    fallback: number,
    owner: 0 | 1,
  ): this {
    return this.line(
      `mm_page_alloc_extfrag: page=${pfn} pfn=0x${pfn.toString(16)} alloc_order=${order} fallback_order=${fallbackOrder} ` +
        `pageblock_order=9 alloc_migratetype=${type} fallback_migratetype=${fallback} ` +
        `fragmenting=${fallbackOrder < 9 ? 1 : 0} change_ownership=${owner}`,
    );
  }
}

const GFP_TEXTS = [
  [GFP_KERNEL, 'GFP_KERNEL'],
  [GFP_HIGHUSER_MOVABLE, 'GFP_HIGHUSER_MOVABLE'],
  [GFP_KERNEL | 0x10, 'GFP_KERNEL|__GFP_RECLAIMABLE'],
] as const;

/**
 * Lets the model run freely on a bench and records it as the kernel would: a trace that a pinned replay of the same
 * policy must be able to predict to the last page.
 */
export function record({ mm }: Bench, operations: number, seed: number): Tracefs {
  const trace = new Tracefs();
  const live: { pfn: number; order: number }[] = [];
  const tracer: PageAllocTracer = {
    zoneLocked: (pfn, order, type, refill) => trace.refill(pfn, order, type, refill ? 1 : 0),
    extfrag: (pfn, order, fallbackOrder, type, fallback) => {
      const owner = mm.pages.blockType[pfn >>> PAGEBLOCK_ORDER] === type ? 1 : 0;
      trace.extfrag(pfn, order, fallbackOrder, type, fallback, owner);
    },
    pcpuDrain: (pfn, order, type) => trace.drain(pfn, order, type),
  };
  mm.tracer = tracer;
  let state = seed;
  const random = (below: number) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) % below;
  };
  for (let i = 0; i < operations; i++) {
    const cpu = random(2);
    trace.on(cpu, '.....', 100 + cpu);
    const [gfp, text] = GFP_TEXTS[random(3)]!;
    if (random(100) < (Math.trunc(i / 400) % 2 === 0 ? 62 : 38) || live.length === 0) {
      const order = random(8) === 0 ? random(4) : 0;
      const pfn = allocPages(mm, cpu, gfp, order, -1, (gfp & 8) !== 0);
      if (pfn < 0) continue;
      trace.alloc(pfn, order, text);
      live.push({ pfn, order });
    } else {
      const [{ pfn, order }] = live.splice(random(live.length), 1) as [{ pfn: number; order: number }];
      trace.free(pfn, order);
      freePages(mm, cpu, pfn, order);
    }
  }
  mm.tracer = null;
  validate(mm);
  return trace;
}

/** Free lists in their order, as one text per list. */
export function listsOf({ zone }: Bench): string[] {
  const lists: string[] = [];
  for (let order = 0; order <= 10; order++)
    for (let type = 0; type < MIGRATE_TYPES; type++) {
      const pfns = [...zone.listPfns(order, type)];
      if (pfns.length > 0)
        lists.push(`o${order} t${type}: ${pfns.map((pfn) => (pfn - B).toString(16)).join(' ')}`);
    }
  zone.pcps.forEach((pcp, cpu) => {
    pcp.lists.forEach((list, index) => {
      if (list.length > 0)
        lists.push(
          `cpu ${cpu} list ${index}: ${[...Array(list.length).keys()].map((at) => (list.at(at) - B).toString(16)).join(' ')}`,
        );
    });
  });
  return lists;
}
