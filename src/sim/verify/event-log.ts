/** What the model's tracepoints reported during a run, in order, to be held against the recorded stream. */
import type { PageAllocTracer } from '../../mm/page-alloc/page-allocator.js';
import { type EventBatch, Op } from '../../trace/event-batch.js';

/** numbers per event: operation, PFN, order, migratetype, detail, index of the run's operation */
const FIELDS = 6;

export class EventLog implements PageAllocTracer {
  #data = new Int32Array(1 << 16);
  #length = 0;
  /** operation of the run that is being executed */
  op = 0;
  enabled = false;

  get length(): number {
    return this.#length;
  }

  zoneLocked(pfn: number, order: number, migratetype: number, percpuRefill: boolean): void {
    this.#add(Op.obs_refill, pfn, order, migratetype, percpuRefill ? 1 : 0);
  }

  extfrag(pfn: number, order: number, fallbackOrder: number, migratetype: number, fallback: number): void {
    this.#add(Op.obs_extfrag, pfn, order, migratetype, fallbackOrder | (fallback << 8));
  }

  pcpuDrain(pfn: number, order: number, migratetype: number): void {
    this.#add(Op.obs_drain, pfn, order, migratetype, 0);
  }

  #add(kind: number, pfn: number, order: number, migratetype: number, detail: number): void {
    if (!this.enabled) return;
    const at = this.#length * FIELDS;
    if (at + FIELDS > this.#data.length) {
      const grown = new Int32Array(this.#data.length * 2);
      grown.set(this.#data);
      this.#data = grown;
    }
    this.#data.set([kind, pfn, order, migratetype, detail, this.op], at);
    this.#length++;
  }

  /** Whether event number `index` is what row `i` of the batch recorded. */
  matches(index: number, batch: EventBatch, i: number): boolean {
    if (index >= this.#length) return false;
    const at = index * FIELDS;
    const data = this.#data;
    if (
      data[at] !== batch.op[i] ||
      data[at + 1] !== batch.pfn[i] ||
      data[at + 2] !== batch.order[i] ||
      data[at + 3] !== batch.migratetype[i]
    )
      return false;
    return batch.op[i] !== Op.obs_extfrag || data[at + 4] === (batch.size[i]! & 0xffff);
  }

  /** One event as text: `op 813 refill 0x1a3f2 order 0 type 1`. */
  describe(index: number): string {
    if (index >= this.#length) return 'no further event';
    const [kind, pfn, order, migratetype, , op] = this.#data.subarray(
      index * FIELDS,
      index * FIELDS + FIELDS,
    );
    return `op ${op}: ${eventName(kind!)} 0x${pfn!.toString(16)} order ${order} type ${migratetype}`;
  }

  /** Events of one operation, in words: `refill of 63 chunks from 0x1a3c0`. */
  summary(op: number): string {
    const counts = new Map<string, number>();
    let first = -1;
    for (let index = this.#length - 1; index >= 0 && this.#data[index * FIELDS + 5] === op; index--) {
      const name = eventName(this.#data[index * FIELDS]!);
      counts.set(name, (counts.get(name) ?? 0) + 1);
      first = index;
    }
    if (first < 0) return 'no list operation: served from the per-CPU list';
    return `${[...counts].map(([name, n]) => `${n} × ${name}`).join(', ')}, first ${this.describe(first)}`;
  }
}

function eventName(kind: number): string {
  if (kind === Op.obs_refill) return 'zone_locked';
  return kind === Op.obs_drain ? 'pcpu_drain' : 'extfrag';
}
