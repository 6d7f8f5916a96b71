/**
 * The rarer operations of a trace: contiguous ranges, hotplug of memory and CPUs, dropping caches, touching pages.
 *
 * What they need beyond the columns stands in `arg` as `key=value` pairs: `pages` (contig_alloc; the column `size` in
 * bytes or `order` does as well), `start_pfn`, `pages`, `zone` (mem_online, mem_offline).
 * model: page-allocator 4.10, 3.8; gfp C12
 */
import { allocContigPages, freeContigRange } from '../mm/page-alloc/contig-alloc.js';
import { offlineCpu, onlineCpu } from '../mm/page-alloc/cpu-hotplug.js';
import { ownerOf } from '../mm/page-alloc/free-owned.js';
import { offlinePages, onlinePages } from '../mm/page-alloc/hotplug.js';
import type { PageAllocator } from '../mm/page-alloc/page-allocator.js';
import { PageKind } from '../mm/page-alloc/page-map.js';
import { dropPageCache } from '../mm/reclaim/drop-caches.js';
import type { StateIo } from '../mm/state-io.js';
import { PAGE_BYTES, ZONE_NAMES } from '../mm/types.js';
import { type EventBatch, EventFlag, NONE_U32, Op } from '../trace/event-batch.js';
import type { Notes } from './notes.js';
import { Fate, type PageOwners } from './page-owners.js';

/** Result of a rare operation: done, refused by the model, or of a kind that the model does not have. */
export type RareOutcome = 'ok' | 'failed' | 'not_modelled';

export class RareOps {
  /** first page that the last operation was about; -1 for one that is about none */
  last_pfn = -1;
  /** pages of contiguous allocations */
  readonly #contig = new Map<number, { pfn: number; pages: number }>();

  constructor(
    readonly mm: PageAllocator,
    readonly owners: PageOwners,
    readonly notes: Notes,
  ) {}

  serialize(io: StateIo): void {
    const rows = [...this.#contig].flatMap(([key, { pfn, pages }]) => [key, pfn, pages]);
    const saved = io.list('contig', rows);
    if (!io.isLoading) return;
    this.#contig.clear();
    for (let at = 0; at < saved.length; at += 3) {
      const [key, pfn, pages] = saved.slice(at, at + 3);
      if (!(pfn! >= 0 && pages! > 0 && pfn! + pages! <= this.mm.pages.end_pfn))
        io.refuse('a contiguous range lies outside the machine');
      this.#contig.set(key!, { pfn: pfn!, pages: pages! });
    }
  }

  /** @param cpu that of the event, or the one that stands in for it; @param node likewise */
  replay(batch: EventBatch, i: number, cpu: number, node: number): RareOutcome {
    this.last_pfn = -1;
    switch (batch.op[i]) {
      case Op.contig_alloc:
        return this.#contigAlloc(batch, i, cpu, node);
      case Op.contig_free:
        return this.#contigFree(batch, i, cpu);
      case Op.drop_caches:
        dropPageCache(this.mm, cpu);
        return 'ok';
      case Op.reference:
        return this.#reference(batch, i);
      case Op.mem_online:
      case Op.mem_offline:
        return this.#memory(batch, i, cpu, node);
      // No other CPU stands in here: it would go offline itself.
      case Op.cpu_online:
        return cpu === batch.cpu[i] && onlineCpu(this.mm, cpu) ? 'ok' : 'failed';
      case Op.cpu_offline:
        return cpu === batch.cpu[i] && offlineCpu(this.mm, cpu) ? 'ok' : 'failed';
      default:
        return 'not_modelled';
    }
  }

  #contigAlloc(batch: EventBatch, i: number, cpu: number, node: number): RareOutcome {
    if (batch.flags[i]! & EventFlag.failed) {
      this.notes.add('recorded_failures');
      return 'failed';
    }
    const args = parseArgs(batch.strings.args.get(batch.arg[i]!));
    const bytes = batch.size[i]!;
    const pages = args.get('pages') ?? (bytes > 0 ? Math.ceil(bytes / PAGE_BYTES) : 1 << batch.order[i]!);
    const pfn = allocContigPages(this.mm, cpu, batch.gfp[i]!, pages, node);
    if (pfn < 0) {
      this.notes.add('model_failures');
      return 'failed';
    }
    const key = rangeKey(batch, i);
    if (this.#contig.has(key)) this.notes.add('duplicate_ids');
    this.#contig.set(key, { pfn, pages });
    this.last_pfn = pfn;
    return 'ok';
  }

  #contigFree(batch: EventBatch, i: number, cpu: number): RareOutcome {
    const key = rangeKey(batch, i);
    const range = this.#contig.get(key);
    if (range === undefined) {
      this.notes.add('unknown_frees');
      return 'failed';
    }
    this.#contig.delete(key);
    this.last_pfn = range.pfn;
    freeContigRange(this.mm, cpu, range.pfn, range.pages);
    return 'ok';
  }

  /** A use of a page makes it the hottest of its list. */
  #reference(batch: EventBatch, i: number): RareOutcome {
    const { mm } = this;
    if (!mm.reclaims) return 'not_modelled';
    const owned = this.#ownedBy(batch, i);
    if (owned <= 0) return 'failed';
    const pfn = owned - 1;
    const owner = ownerOf(mm, pfn);
    if (owner === null || owner.kind !== PageKind.lru) return 'failed';
    mm.lru?.touch(mm.zoneOf(owner.head), owner.head, owner.order);
    return 'ok';
  }

  /** Model PFN + 1 of the object that an event names, or a Fate. */
  #ownedBy(batch: EventBatch, i: number): number {
    if (batch.flags[i]! & EventFlag.hasPfn) return this.owners.get(batch.pfn[i]!);
    const id = batch.id[i]!;
    if (id === NONE_U32) return Fate.unknown;
    const alias = this.owners.aliasOf(id);
    return alias === undefined ? this.owners.getId(id) : this.owners.get(alias.pfn);
  }

  #memory(batch: EventBatch, i: number, cpu: number, wanted: number): RareOutcome {
    const text = batch.strings.args.get(batch.arg[i]!);
    const args = parseArgs(text);
    const start = args.get('start_pfn');
    const pages = args.get('pages');
    if (start === undefined || pages === undefined) return 'failed';
    const name = /(?:^|;)zone=(\w+)/.exec(text)?.[1] ?? 'Normal';
    const node = Math.max(0, wanted);
    const zone = this.mm.zones.find(
      (candidate) => candidate.node === node && ZONE_NAMES[candidate.index] === name,
    );
    if (zone === undefined) return 'failed';
    if (batch.op[i] === Op.mem_online)
      return onlinePages(this.mm, cpu, zone, start, pages) === 'online' ? 'ok' : 'failed';
    return offlinePages(this.mm, cpu, zone, start, pages) === 'offline' ? 'ok' : 'failed';
  }
}

/** Ranges are named by id, or where there is none by their recorded PFN. */
function rangeKey(batch: EventBatch, i: number): number {
  return batch.id[i] === NONE_U32 ? -1 - batch.pfn[i]! : batch.id[i]!;
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
