/** A machine that replays rows of a trace CSV and charges what they ask for, as a replay does. */
import type { Context } from '../../../src/mm/context.js';
import { allocPages } from '../../../src/mm/page-alloc/alloc-pages.js';
import { freePages } from '../../../src/mm/page-alloc/free-owned.js';
import { kfreeNolock } from '../../../src/mm/slab/kfree-nolock.js';
import { kmallocNolock } from '../../../src/mm/slab/kmalloc-nolock.js';
import { allocObject, freeObject } from '../../../src/mm/slab/object-calls.js';
import { NO_SLAB } from '../../../src/mm/slab/slab-table.js';
import { Notes } from '../../../src/sim/notes.js';
import { MemcgDirectory, type MemcgDirectoryOptions } from '../../../src/sim/slab/memcg-directory.js';
import { SlabMachine } from '../../../src/sim/slab/slab-machine.js';
import { CsvReader } from '../../../src/trace/csv/reader.js';
import { type EventBatch, Op } from '../../../src/trace/event-batch.js';
import { createTraceStrings } from '../../../src/trace/string-table.js';
import { inputOf } from '../../trace/helpers.js';
import { smallMachine } from '../support.js';

const HEAD = 'cpu,ctx,op,id,order,size,gfp,memcg,depth,arg';

interface Held {
  readonly slab: number;
  readonly slot: number;
}

export class MemcgRig {
  readonly machine = new SlabMachine(smallMachine({ cpus: 2 }));
  readonly notes = new Notes();
  readonly directory: MemcgDirectory;
  readonly objects = new Map<string, Held>();
  readonly blocks = new Map<string, { pfn: number; order: number }>();
  /** of each row: what became of it */
  readonly outcomes: string[] = [];
  readonly #strings = createTraceStrings();

  constructor(options: MemcgDirectoryOptions = {}) {
    this.directory = new MemcgDirectory(this.machine, this.notes, options);
  }

  /** @param rows by the columns of HEAD */
  async play(...rows: string[]): Promise<string[]> {
    const reader = new CsvReader(await inputOf(`${HEAD}\n${rows.join('\n')}\n`), {
      strings: this.#strings,
    });
    const from = this.outcomes.length;
    for await (const batch of reader.batches())
      for (let i = 0; i < batch.length; i++) this.outcomes.push(this.#row(batch, i));
    this.directory.validate();
    return this.outcomes.slice(from);
  }

  #row(batch: EventBatch, i: number): string {
    const op = batch.op[i]!;
    if (op >= Op.memcg_create && op <= Op.memcg_remove) return this.directory.replay(batch, i);
    const cpu = batch.cpu[i]!;
    const before = this.directory.setCurrent(batch, i, cpu);
    const outcome = this.#call(batch, i, cpu);
    this.directory.restore(batch, i, cpu, before);
    return outcome;
  }

  #call(batch: EventBatch, i: number, cpu: number): string {
    const { slabs, kmalloc, deferred } = this.machine;
    const id = batch.strings.ids.get(batch.id[i]!);
    const [bytes, gfp] = [batch.size[i]!, batch.gfp[i]!];
    const context = batch.ctx[i]! as Context;
    switch (batch.op[i]) {
      case Op.kmalloc:
        return this.#got(id, allocObject(slabs, kmalloc.cacheFor(bytes, gfp)!, cpu, gfp, -1, context));
      case Op.kmalloc_nolock:
        return this.#got(id, kmallocNolock(kmalloc, cpu, bytes, gfp, -1, context));
      case Op.kfree:
        return this.#free(id, ({ slab, slot }) =>
          freeObject(slabs, slabs.caches[slabs.table.cache[slab]!]!, cpu, slab, slot),
        );
      case Op.kfree_nolock:
        return this.#free(id, ({ slab, slot }) => kfreeNolock(deferred, cpu, slab, slot, context));
      case Op.alloc:
        return this.#allocPages(id, cpu, batch.order[i]!, gfp, context);
      case Op.free:
        return this.#freePages(id, cpu);
      default:
        return 'idle';
    }
  }

  #got(id: string, slab: number): string {
    if (slab === NO_SLAB) return 'none';
    this.objects.set(id, { slab, slot: this.machine.slabs.slot });
    return 'got';
  }

  #free(id: string, free: (held: Held) => void): string {
    free(this.objects.get(id)!);
    this.objects.delete(id);
    return 'freed';
  }

  #allocPages(id: string, cpu: number, order: number, gfp: number, context: Context): string {
    const { mm } = this.machine;
    const pfn = allocPages(mm, cpu, gfp, order, -1, false);
    if (!this.directory.chargePages(cpu, pfn, order, gfp, context)) {
      freePages(mm, cpu, pfn, order);
      return 'none';
    }
    this.blocks.set(id, { pfn, order });
    return 'got';
  }

  #freePages(id: string, cpu: number): string {
    const { pfn, order } = this.blocks.get(id)!;
    this.directory.unchargePages(cpu, pfn, order);
    freePages(this.machine.mm, cpu, pfn, order);
    return 'freed';
  }

  /** Pages charged at a path, and below it. The last one that was made there counts. */
  usage(path: string): number {
    const { memory } = this.directory.accounts!.charges.groups;
    return memory.usage_pages[this.number(path)]!;
  }

  /** Bytes of objects that are charged to just this one. */
  objectBytes(path: string): number {
    const { accounts } = this.directory;
    return accounts!.slab.bytesInUse()[accounts!.charges.groups.objcg[this.number(path)]!]!;
  }

  number(path: string): number {
    if (path === '/') return 0;
    return this.directory.memcgs().findLast((row) => row.path === path)!.memcg;
  }
}
