/** Samples of a run at equal distances of the trace's time. */
import type { PageAllocator } from '../mm/page-alloc/page-allocator.js';
import type { StateIo } from '../mm/state-io.js';
import { ZONE_NAMES } from '../mm/types.js';
import { vmstatCounters } from '../mm/vmstat.js';
import { extfragIndexes, unusableIndexes } from '../report/fragmentation-index.js';
import type { ResultSample } from '../report/run-result.js';
import { spbCounts } from './result-spb.js';

/** Samples of one run: more would be no series that anybody reads, and a leap in a trace's clock must not fill memory. */
const MAX_SAMPLES = 100_000;

export class Series {
  #samples: ResultSample[] = [];
  /** time of the next sample; never without an interval */
  due_ns: number;
  #previous: Map<string, number>;

  constructor(
    readonly mm: PageAllocator,
    start_ns: number,
    readonly interval_ns: number | undefined,
    /** see `resultZoneSpb` */
    readonly unknownCounts: boolean = false,
  ) {
    this.due_ns = interval_ns === undefined ? Number.POSITIVE_INFINITY : start_ns + interval_ns;
    this.#previous = new Map(vmstatCounters(mm));
  }

  get samples(): ResultSample[] {
    return this.#samples;
  }

  serialize(io: StateIo): void {
    this.due_ns = io.number('due_ns', this.due_ns);
    this.#previous = io.table('previous', this.#previous);
    this.#samples = io.plain('samples', this.#samples);
  }

  /** Takes the samples that are due before an event at `ts`. @returns false where the series ends because it is full */
  advance(ts: number): boolean {
    while (this.due_ns <= ts) {
      if (this.#samples.length === MAX_SAMPLES) {
        this.due_ns = Number.POSITIVE_INFINITY;
        return false;
      }
      this.#take(this.due_ns);
      this.due_ns += this.interval_ns!;
    }
    return true;
  }

  #take(ts_ns: number): void {
    const now = new Map(vmstatCounters(this.mm));
    const vmstat: Record<string, number> = {};
    for (const [name, value] of now) {
      const change = value - (this.#previous.get(name) ?? 0);
      if (change !== 0) vmstat[name] = change;
    }
    this.#previous = now;
    this.#samples.push({
      ts_ns,
      zones: this.mm.zones.map((zone) => {
        const chunks = [...zone.nr_free];
        const unusable = unusableIndexes(chunks);
        return {
          node: zone.node,
          name: ZONE_NAMES[zone.index]!,
          free_pages: zone.folded_free_pages,
          pcp_pages: zone.pcps.reduce((sum, pcp) => sum + pcp.count, 0),
          unusable_order3: unusable[3]!,
          unusable_order9: unusable[9]!,
          unusable_order10: unusable[10]!,
          extfrag_order9: extfragIndexes(chunks)[9]!,
          ...spbCounts(this.mm, zone, this.unknownCounts),
        };
      }),
      vmstat,
    });
  }
}
