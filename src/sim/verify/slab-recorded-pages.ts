/** Slab pages as the record has them: what the kernel's page allocator gave in each operation, and when it gave nothing. */
import { GFP_NORETRY_BIT, GFP_THISNODE_BIT } from '../../mm/gfp.js';
import type { SlabPages } from '../../mm/slab/slab-interfaces.js';
import { NO_PFN } from '../../mm/types.js';
import type { RunSlab } from '../../trace/oracle/slab-run.js';
import type { SlabRunGeometry } from '../../trace/oracle/slab-run-lines.js';

export class RecordedPages implements SlabPages {
  readonly lastWasPfmemalloc = false;
  #left: readonly RunSlab[] = [];
  #taken = 0;
  /** first attempts that failed although the second one was for the same order */
  #failures = 0;

  /** What the next operation may take. @param failures first attempts that failed without a smaller slab to show it */
  begin(made: readonly RunSlab[], failures: number): void {
    this.#left = made;
    this.#taken = 0;
    this.#failures = failures;
  }

  allocSlabPages(_cpu: number, gfp: number, order: number, node: number, noSpin: boolean): number {
    const next = this.#left[this.#taken];
    if (next === undefined || next.order !== order) return NO_PFN;
    if (!noSpin && gfp & GFP_THISNODE_BIT && node >= 0 && next.node !== node) return NO_PFN;
    if (this.#failures > 0 && gfp & GFP_NORETRY_BIT) {
      this.#failures--;
      return NO_PFN;
    }
    this.#taken++;
    return next.pfn;
  }

  freeSlabPages(): void {}

  /** Of what was handed out last, which is when it is asked for. */
  nodeOf(): number {
    return this.#left[this.#taken - 1]?.node ?? 0;
  }
}

/**
 * First attempts that failed although the second one was for the same order: they leave no trace but a counter.
 *
 * @param index of order_fallback among the counters
 */
export function hiddenFailures(
  { oo, min }: Pick<SlabRunGeometry, 'oo' | 'min'>,
  stats: readonly (readonly [index: number, delta: number])[],
  index: number,
): number {
  return oo[0] === min[0] ? (stats.find(([item]) => item === index)?.[1] ?? 0) : 0;
}
