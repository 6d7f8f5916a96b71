/**
 * The rarer operations of a trace: contiguous ranges, hotplug of memory and CPUs, dropping caches, touching pages.
 *
 * What they need beyond the columns stands in `arg` as `key=value` pairs: `pages` (contig_alloc; the column `size` in
 * bytes does as well), `start_pfn`, `pages`, `zone` (mem_online, mem_offline).
 * model: page-allocator 4.10, 3.8; gfp C12
 */
import { allocContigPages, freeContigRange } from '../mm/page-alloc/contig-alloc.js';
import { offlineCpu, onlineCpu } from '../mm/page-alloc/cpu-hotplug.js';
import { offlinePages, onlinePages } from '../mm/page-alloc/hotplug.js';
import type { PageAllocator } from '../mm/page-alloc/page-allocator.js';
import { PageKind } from '../mm/page-alloc/page-map.js';
import { dropPageCache } from '../mm/reclaim/drop-caches.js';
import { PAGE_BYTES, ZONE_NAMES } from '../mm/types.js';
import { type EventBatch, EventFlag, NONE_U32, Op } from '../trace/event-batch.js';
import { Fate, type PageOwners } from './page-owners.js';

/** Result of a rare operation: done, refused by the model, or of a kind that the model does not have. */
export type RareOutcome = 'ok' | 'failed' | 'not_modelled';

export class RareOps {
  /** pages of contiguous allocations, by id */
  readonly #contig = new Map<number, { pfn: number; pages: number }>();

  constructor(
    readonly mm: PageAllocator,
    readonly owners: PageOwners,
  ) {}

  replay(batch: EventBatch, i: number, cpu: number): RareOutcome {
    switch (batch.op[i]) {
      case Op.contig_alloc:
        return this.#contigAlloc(batch, i, cpu);
      case Op.contig_free:
        return this.#contigFree(batch, i, cpu);
      case Op.drop_caches:
        dropPageCache(this.mm, cpu);
        return 'ok';
      case Op.reference:
        return this.#reference(batch, i);
      case Op.mem_online:
      case Op.mem_offline:
        return this.#memory(batch, i, cpu);
      case Op.cpu_online:
        return onlineCpu(this.mm, cpu) ? 'ok' : 'failed';
      case Op.cpu_offline:
        return offlineCpu(this.mm, cpu) ? 'ok' : 'failed';
      default:
        return 'not_modelled';
    }
  }

  #contigAlloc(batch: EventBatch, i: number, cpu: number): RareOutcome {
    const args = parseArgs(batch.strings.args.get(batch.arg[i]!));
    const pages = args.get('pages') ?? Math.ceil(batch.size[i]! / PAGE_BYTES);
    const pfn = allocContigPages(this.mm, cpu, batch.gfp[i]!, pages, batch.node[i]!);
    if (pfn < 0) return 'failed';
    this.#contig.set(batch.id[i]!, { pfn, pages });
    return 'ok';
  }

  #contigFree(batch: EventBatch, i: number, cpu: number): RareOutcome {
    const range = this.#contig.get(batch.id[i]!);
    if (range === undefined) return 'failed';
    this.#contig.delete(batch.id[i]!);
    freeContigRange(this.mm, cpu, range.pfn, range.pages);
    return 'ok';
  }

  /** A use of a page makes it the hottest of its list. */
  #reference(batch: EventBatch, i: number): RareOutcome {
    const { mm } = this;
    if (mm.lru === null) return 'not_modelled';
    const owned =
      batch.flags[i]! & EventFlag.hasPfn
        ? this.owners.get(batch.pfn[i]!)
        : batch.id[i] === NONE_U32
          ? Fate.unknown
          : this.owners.getId(batch.id[i]!);
    if (owned <= 0) return 'failed';
    const pfn = owned - 1;
    const order = mm.lru.orderOf(pfn);
    if (mm.pages.kind(pfn, order) !== PageKind.lru) return 'failed';
    mm.lru.touch(mm.zoneOf(pfn), pfn, order);
    return 'ok';
  }

  #memory(batch: EventBatch, i: number, cpu: number): RareOutcome {
    const text = batch.strings.args.get(batch.arg[i]!);
    const args = parseArgs(text);
    const start = args.get('start_pfn');
    const pages = args.get('pages');
    if (start === undefined || pages === undefined) return 'failed';
    const name = /(?:^|;)zone=(\w+)/.exec(text)?.[1] ?? 'Normal';
    const node = Math.max(0, batch.node[i]!);
    const zone = this.mm.zones.find(
      (candidate) => candidate.node === node && ZONE_NAMES[candidate.index] === name,
    );
    if (zone === undefined) return 'failed';
    if (batch.op[i] === Op.mem_online)
      return onlinePages(this.mm, cpu, zone, start, pages) === 'online' ? 'ok' : 'failed';
    return offlinePages(this.mm, cpu, zone, start, pages) === 'offline' ? 'ok' : 'failed';
  }
}

/** Numbers of `key=value` pairs; decimal or 0x. */
function parseArgs(text: string): Map<string, number> {
  const args = new Map<string, number>();
  for (const pair of text.split(';')) {
    const match = /^\s*(\w+)=(0x[0-9a-fA-F]+|\d+)\s*$/.exec(pair);
    if (match !== null) args.set(match[1]!, Number(match[2]));
  }
  return args;
}
