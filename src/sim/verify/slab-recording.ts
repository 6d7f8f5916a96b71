/**
 * Holds the slab caches that a replay ends with against those of a recording's slabinfo.
 *
 * Slabs of the start are what before/slabinfo counted, so events up to the moment at which it was read are in it already and
 * are left out. after/slabinfo was read while caches went on changing, row by row: a cache is predicted if what it counted
 * is what the model had at some time of the reading. Where the trace does not show the readings, the start of the trace and
 * the recorder's mark stand for them.
 */
import type { KmemCache } from '../../mm/slab/kmem-cache.js';
import type { SlabObserver } from '../../mm/slab/slab-interfaces.js';
import { SlabStat } from '../../mm/slab/slab-stats.js';
import type { VerifySlabs } from '../../report/verify-result.js';
import type { EventBatch } from '../../trace/event-batch.js';
import type { SlabinfoCache } from '../../trace/recording/snapshot/slabinfo.js';
import type { FreeRunningReplay } from '../free-running.js';
import { isSlabOp } from '../slab/slab-requests.js';
import type { RecordingMaterial } from '../start-state/recording-material.js';
import type { SlabinfoReadings } from '../start-state/slabinfo-reading.js';
import { RecordedSlabs } from './recorded-slabs.js';
import { isObjectAlloc, SlabCauses } from './slab-causes.js';
import { SlabPageWindows } from './slab-page-windows.js';
import { activeObjects, slabRows } from './slab-rows.js';

export interface SlabRecordingSources {
  readonly before: readonly SlabinfoCache[];
  readonly after: readonly SlabinfoCache[];
  readonly readings: SlabinfoReadings;
}

/** What is counted of one cache while the replay runs. */
export interface CacheWatch {
  /** slabs and active objects while after/slabinfo was read */
  least_slabs: number;
  most_slabs: number;
  active_objects: number;
  /** slabs made in between */
  made: number;
  recorded: number;
}

export class SlabRecording implements SlabObserver {
  readonly causes: SlabCauses;
  /** whoever else is told of slabs */
  readonly #next: SlabObserver | null;
  readonly #watches = new Map<number, CacheWatch>();
  readonly #recorded = new RecordedSlabs();
  readonly #pages = new SlabPageWindows();
  /** events so far */
  #event = 0;
  #now_ns = 0;
  /** between the two readings */
  #isCounting: boolean;
  #isReading = false;
  #result: VerifySlabs | null = null;
  #left_out = 0;

  constructor(
    readonly replay: FreeRunningReplay,
    readonly sources: SlabRecordingSources,
  ) {
    this.causes = new SlabCauses(replay.slab!);
    this.#isCounting = sources.readings.before === null;
    const { slabs } = replay.slab!.machine;
    this.#next = slabs.observer;
    slabs.observer = this;
  }

  /** Replays a batch, event by event where slabs are concerned. */
  replayBatch(batch: EventBatch): void {
    let from = 0;
    for (let i = 0; i < batch.length; i++) {
      const isSlab = isSlabOp(batch.op[i]!);
      if (this.#recorded.orderOf(batch, i) >= 0) this.#recordedSlab(batch, i);
      if (isSlab || this.#isAtReading()) {
        this.replay.replay(batch, from, i);
        from = i + 1;
        this.#now_ns = batch.ts[i]!;
        this.#step(batch, i, isSlab);
      }
      this.#event++;
    }
    this.replay.replay(batch, from, batch.length);
  }

  /** At the recorder's mark behind the workload. */
  atMark(): void {
    if (this.sources.readings.after === null) this.#finish('mark');
  }

  /** @returns the comparison; made of the end of the trace where it shows no better moment */
  result(): VerifySlabs {
    if (this.#result === null) this.#finish('end');
    return this.#result!;
  }

  slabMade(cache: KmemCache, slab: number, gfp: number, cpu: number): void {
    this.#next?.slabMade(cache, slab, gfp, cpu);
    // The cache counts it only later.
    if (this.#isReading) this.#noteRange(cache, 1);
    if (!this.#isCounting) return;
    this.#watch(cache.number).made++;
    const { table } = this.replay.slab!.machine.slabs;
    this.#pages.add('model', this.#now_ns, table.order[slab]!);
  }

  slabGone(cache: KmemCache, slab: number, cpu: number): void {
    this.#next?.slabGone(cache, slab, cpu);
    if (this.#isReading) this.#noteRange(cache);
  }

  #isAtReading(): boolean {
    const { before, after } = this.sources.readings;
    const event = this.#event;
    return event === before?.to_event || event === after?.from_event || event === after?.to_event;
  }

  #step(batch: EventBatch, i: number, isSlab: boolean): void {
    const { before, after } = this.sources.readings;
    const needed = isObjectAlloc(batch.op[i]!) ? this.#recorded.takeNeeded(batch, i) : 0;
    if (isSlab && before !== null && this.#event <= before.to_event) this.#left_out++;
    else this.#replayOne(batch, i, needed);
    if (this.#event === before?.to_event) this.#isCounting = true;
    if (this.#event === after?.from_event) this.#beginReading();
    if (this.#event === after?.to_event) this.#finish('slabinfo');
  }

  /** @param needed slabs that the recorded kernel made for the object */
  #replayOne(batch: EventBatch, i: number, needed: number): void {
    const cache = this.causes.around(batch, i, () => this.replay.replay(batch, i, i + 1));
    if (needed > 0 && cache >= 0 && this.#isCounting) this.#watch(cache).recorded += needed;
  }

  #recordedSlab(batch: EventBatch, i: number): void {
    this.#recorded.noteMade(batch, i);
    if (this.#isCounting) this.#pages.add('recorded', batch.ts[i]!, batch.order[i]!);
  }

  #watch(cache: number): CacheWatch {
    let watch = this.#watches.get(cache);
    if (watch === undefined) {
      watch = { least_slabs: 0, most_slabs: 0, active_objects: 0, made: 0, recorded: 0 };
      this.#watches.set(cache, watch);
    }
    return watch;
  }

  #beginReading(): void {
    this.#isReading = true;
    for (const cache of this.replay.slab!.machine.slabs.caches) {
      const watch = this.#watch(cache.number);
      watch.least_slabs = sumOf(cache.nr_slabs);
      watch.most_slabs = watch.least_slabs;
    }
  }

  #noteRange(cache: KmemCache, uncounted = 0): void {
    const watch = this.#watch(cache.number);
    const slabs = sumOf(cache.nr_slabs) + uncounted;
    watch.least_slabs = Math.min(watch.least_slabs, slabs);
    watch.most_slabs = Math.max(watch.most_slabs, slabs);
  }

  #finish(moment: VerifySlabs['moment']): void {
    if (this.#result !== null) return;
    const { slabs } = this.replay.slab!.machine;
    if (!this.#isReading) this.#beginReading();
    for (const cache of slabs.caches) {
      this.#noteRange(cache);
      this.#watch(cache.number).active_objects = activeObjects(slabs, cache);
    }
    this.#isReading = false;
    this.#isCounting = false;
    const rows = slabRows(this.replay.slab!, this.sources, this.causes, (cache) => this.#watch(cache));
    this.#result = {
      moment,
      left_out_events: this.#left_out,
      second_attempts: slabs.caches.reduce((sum, cache) => sum + cache.total(SlabStat.order_fallback), 0),
      unknown_pointers: this.causes.unknown_pointers,
      caches: rows,
      pages: this.#pages.result(),
    };
  }
}

/** Null where the trace has no slab events, or the kernel's counts are missing: then there is nothing to compare. */
export function slabRecording(
  { before, after, scan }: RecordingMaterial,
  replay: FreeRunningReplay,
): SlabRecording | null {
  if (replay.slab === null || before.slabinfo === undefined || after.slabinfo === undefined) return null;
  const sources = { before: before.slabinfo, after: after.slabinfo, readings: scan.slabinfoReadings };
  return new SlabRecording(replay, sources);
}

function sumOf(counts: Iterable<number>): number {
  let sum = 0;
  for (const count of counts) sum += count;
  return sum;
}
