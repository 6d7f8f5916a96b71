/**
 * Pages for slabs, recorded and the model's, by order and time. One and the same allocation cannot be found in both: when a
 * cache needs a slab depends on slots that nobody shows. So both are counted in windows, and what they have in common of each
 * order in each window is the share that came at about the right time.
 */

import { NR_PAGE_ORDERS } from '../../mm/types.js';
import type { VerifySlabs } from '../../report/verify-result.js';

/** Long against the time between a slab's need in the model and in the kernel, short against phases of a workload. */
const WINDOW_NS = 100_000_000;

interface Counts {
  recorded: number;
  model: number;
}

export class SlabPageWindows {
  /** by window and order */
  readonly #counts = new Map<number, Counts>();

  add(side: keyof Counts, now_ns: number, order: number): void {
    const key = Math.floor(now_ns / WINDOW_NS) * NR_PAGE_ORDERS + order;
    let counts = this.#counts.get(key);
    if (counts === undefined) {
      counts = { recorded: 0, model: 0 };
      this.#counts.set(key, counts);
    }
    counts[side]++;
  }

  result(): VerifySlabs['pages'] {
    const orders = Array.from({ length: NR_PAGE_ORDERS }, (_, order) => ({
      order,
      recorded: 0,
      predicted: 0,
      in_common: 0,
    }));
    const windows = new Set<number>();
    for (const [key, { recorded, model }] of this.#counts) {
      windows.add(Math.floor(key / NR_PAGE_ORDERS));
      const row = orders[key % NR_PAGE_ORDERS]!;
      row.recorded += recorded;
      row.predicted += model;
      row.in_common += Math.min(recorded, model);
    }
    return {
      window_ns: WINDOW_NS,
      windows: windows.size,
      orders: orders.filter(({ recorded, predicted }) => recorded + predicted > 0),
    };
  }
}
