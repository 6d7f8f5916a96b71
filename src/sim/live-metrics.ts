/**
 * Metrics of a replay that is under way, by the names of the catalogue and with the values that a result would have if
 * the replay ended here. Only the sections that the wanted metrics are read from are made, so that a counter costs a look
 * at a counter.
 */
import type { PageAllocator } from '../mm/page-alloc/page-allocator.js';
import type { Counting } from '../mm/spb/census.js';
import { type CountLru, lruPages, vmstatCounters } from '../mm/vmstat.js';
import { familyOf, metricsOfFamilies } from '../report/metrics/catalogue.js';
import type { MetricFamily, MetricSource } from '../report/metrics/metric.js';
import { BlockCounts } from './block-counts.js';
import type { Notes } from './notes.js';
import { resultSpb } from './result-spb.js';
import { liveZones, resultMigratetypes } from './result-zones.js';
import type { Tallies } from './tallies.js';

/** What metrics are read from. */
export interface LiveReplay {
  readonly mm: PageAllocator;
  readonly notes: Notes;
  readonly tallies: Tallies;
  /** the slab part of a result at this moment; none where no slabs are modelled */
  readonly slab?: () => MetricSource['slab'];
  /** pages in use of which nothing is known are somebody's, as in a recorded start state */
  readonly unknownCounts: boolean;
}

/** Metrics for which pages on the LRU are counted: one by one, until a run first reclaims. */
const OF_LRU = /^(?:nr_(?:zone_)?inactive_|gigantic_after_reclaim$)/;

const NO_LRU: CountLru = () => [0, 0];

export class LiveMetrics {
  /** whether a look compares all memory with what was there before; others look at counters */
  readonly comparesMemory: boolean;
  /** whether a look walks over all pages in use */
  readonly walksPages: boolean;
  readonly #families: ReadonlySet<MetricFamily>;
  readonly #blocks: BlockCounts;
  readonly #counting: Counting;

  /** @param names  of metrics of the catalogue */
  constructor(
    readonly replay: LiveReplay,
    readonly names: readonly string[],
  ) {
    this.#families = new Set(names.flatMap((name) => familyOf(name) ?? []));
    const families = [...this.#families];
    this.comparesMemory = families.some(
      ({ subject, name }) => subject === 'Superpageblocks' || name === 'pageblocks',
    );
    this.walksPages = families.some(({ name }) => OF_LRU.test(name));
    this.#blocks = new BlockCounts(replay.mm);
    this.#counting = { block: this.#blocks.countOf, lru: this.walksPages ? lruPages : NO_LRU };
  }

  /**
   * Values in the order of `names`; NaN for what a run like this one does not have.
   *
   * @param events  replayed so far
   */
  read(events: number): Float64Array {
    this.#blocks.isStale = true;
    const sections = new LiveSections(this.replay, this.#counting, events);
    const values = metricsOfFamilies(this.#families, sections);
    return Float64Array.from(this.names, (name) => values.get(name) ?? Number.NaN);
  }
}

/** Sections of a result, made when they are read; good until the replay goes on. */
class LiveSections implements MetricSource {
  #zones: MetricSource['zones'] | undefined;
  #vmstat: MetricSource['vmstat'] | undefined;
  #superpageblocks: MetricSource['superpageblocks'] | undefined;
  #slab: MetricSource['slab'];

  constructor(
    readonly replay: LiveReplay,
    readonly counting: Counting,
    readonly count: number,
  ) {}

  get migratetypes(): MetricSource['migratetypes'] {
    return resultMigratetypes(this.replay.mm);
  }

  /** Times are no metrics. */
  get span(): MetricSource['span'] {
    return { first_ns: 0, last_ns: 0, events: this.count };
  }

  get events(): MetricSource['events'] {
    return this.replay.tallies.eventRows();
  }

  get allocations(): MetricSource['allocations'] {
    return this.replay.tallies.allocationRows();
  }

  get notes(): MetricSource['notes'] {
    return this.replay.notes.entries();
  }

  get vmstat(): MetricSource['vmstat'] {
    this.#vmstat ??= Object.fromEntries(vmstatCounters(this.replay.mm, this.counting.lru));
    return this.#vmstat;
  }

  get zones(): MetricSource['zones'] {
    this.#zones ??= liveZones(this.replay.mm, this.replay.unknownCounts, this.counting);
    return this.#zones;
  }

  get slab(): MetricSource['slab'] {
    this.#slab ??= this.replay.slab?.() ?? null;
    return this.#slab;
  }

  get superpageblocks(): MetricSource['superpageblocks'] {
    if (this.#superpageblocks === undefined) this.#superpageblocks = resultSpb(this.replay.mm);
    return this.#superpageblocks;
  }
}
