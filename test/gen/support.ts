/** What the tests of the generators share: small versions of the workloads, and a look at every row. */
import { expect } from 'vitest';
import { type GeneratedTrace, type GenerateOptions, generate } from '../../src/gen/generate.js';
import { type EventBatch, Op } from '../../src/trace/event-batch.js';

export const GIB_PAGES = 1 << 18;

/** Small enough to be looked at row by row, with everything in it that the workload has. */
export const SMALL: Readonly<Record<string, GenerateOptions>> = {
  'slab-ramp': { memory_pages: GIB_PAGES, cpus: 4, duration_ns: 8e9 },
  'syzkaller-mix': { memory_pages: GIB_PAGES, cpus: 4, duration_ns: 10e9, set: { 'demand-1g': 2, vms: 8 } },
  'fs-metadata': { memory_pages: GIB_PAGES, cpus: 4, duration_ns: 4e9, set: { commit: '500ms' } },
  'hugepage-1g-demand': { memory_pages: 4 * GIB_PAGES, cpus: 4, duration_ns: 30e9, set: { hold: '7s' } },
  'net-softirq': { memory_pages: GIB_PAGES, cpus: 4, duration_ns: 1e9 },
  'bpf-nmi-storm': { memory_pages: GIB_PAGES, cpus: 4, duration_ns: 1e9 },
  'bpf-map-churn': {
    memory_pages: GIB_PAGES,
    cpus: 4,
    duration_ns: 1e9,
    set: { swap: '200ms', entries: 5000 },
  },
  'kprobe-in-slab': { memory_pages: GIB_PAGES, cpus: 4, duration_ns: 1e9, set: { nmis: '20%' } },
  'rt-timer': { memory_pages: GIB_PAGES, cpus: 4, duration_ns: 1e9 },
  'steady-server': { memory_pages: GIB_PAGES, cpus: 4, duration_ns: 5e9 },
};

export function small(name: string, changes: GenerateOptions = {}): GeneratedTrace {
  const options = SMALL[name];
  return generate(name, { ...options, ...changes, set: { ...options.set, ...changes.set } });
}

/** Calls `visit` for every row. */
export async function eachRow(
  trace: GeneratedTrace,
  visit: (batch: EventBatch, row: number) => void,
): Promise<void> {
  for await (const batch of trace.batches()) for (let row = 0; row < batch.length; row++) visit(batch, row);
}

/** Pages that the rows so far have allocated and not freed, counted from the rows alone. */
export class LivePages {
  /** by migratetype */
  readonly pages = [0, 0, 0];
  readonly #objects = new Map<number, { readonly type: number; readonly order: number }>();
  readonly #ranges = new Set<number>();
  /** what kmalloc() gave, and whether it was its nolock form */
  readonly #slots = new Map<number, boolean>();

  get objects(): number {
    return this.#objects.size + this.#ranges.size + this.#slots.size;
  }

  get all(): number {
    return this.pages[0] + this.pages[1] + this.pages[2];
  }

  #has(id: number): boolean {
    return this.#objects.has(id) || this.#ranges.has(id) || this.#slots.has(id);
  }

  /** Follows a row. Fails where an id is taken twice, or freed without having been taken. */
  follow(batch: EventBatch, row: number): void {
    const id = batch.id[row];
    const order = batch.order[row];
    switch (batch.op[row]) {
      case Op.alloc: {
        if (this.#has(id)) expect.fail(`id ${id} is taken twice`);
        const type = batch.migratetype[row];
        this.#objects.set(id, { type, order });
        this.pages[type] += 1 << order;
        return;
      }
      case Op.free: {
        const object = this.#objects.get(id);
        if (object?.order !== order) expect.fail(`id ${id} of order ${order} is not there to be freed`);
        this.#objects.delete(id);
        this.pages[object!.type] -= 1 << order;
        return;
      }
      case Op.contig_alloc:
        if (this.#has(id)) expect.fail(`id ${id} is taken twice`);
        this.#ranges.add(id);
        return;
      case Op.contig_free:
        if (!this.#ranges.delete(id)) expect.fail(`id ${id} is no range`);
        return;
      case Op.kmalloc:
      case Op.kmalloc_nolock:
        if (this.#has(id)) expect.fail(`id ${id} is taken twice`);
        this.#slots.set(id, batch.op[row] === Op.kmalloc_nolock);
        return;
      case Op.kfree:
      case Op.kfree_nolock:
        if (this.#slots.get(id) !== (batch.op[row] === Op.kfree_nolock))
          expect.fail(`id ${id} is not there to be freed this way`);
        this.#slots.delete(id);
    }
  }
}

/** Live pages by migratetype, and of all types, seen `count` times at equal distances after `from_ns`. */
export async function sampled(
  trace: GeneratedTrace,
  from_ns: number,
  count: number,
): Promise<{ readonly at_ns: number; readonly pages: readonly number[]; readonly all: number }[]> {
  const live = new LivePages();
  const samples: { at_ns: number; pages: number[]; all: number }[] = [];
  const step = (trace.scale.duration_ns - from_ns) / count;
  await eachRow(trace, (batch, row) => {
    live.follow(batch, row);
    if (samples.length < count && batch.ts[row] >= from_ns + samples.length * step)
      samples.push({ at_ns: batch.ts[row], pages: [...live.pages], all: live.all });
  });
  return samples;
}

export function mean(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
}

/** @param tolerance  part of `expected` by which `value` may differ */
export function expectNear(value: number, expected: number, tolerance: number, what = ''): void {
  expect(value, what).toBeGreaterThan(expected * (1 - tolerance));
  expect(value, what).toBeLessThan(expected * (1 + tolerance));
}
