/**
 * What compaction remembers between runs: where its scanners stopped, which blocks were fruitless, and how long to
 * leave a zone alone after failures.
 * model: page-allocator 5
 */
import type { Zone } from '../page-alloc/zone.js';
import { flags, numbers, type StateIo } from '../state-io.js';
import { PAGEBLOCK_ORDER, PAGEBLOCK_PAGES } from '../types.js';

const MAX_DEFER_SHIFT = 6;

export class ZoneCompaction {
  /** where the source scanner goes on: asynchronous runs, synchronous runs */
  readonly migrate_pfn: [async: number, sync: number];
  /** where the target scanner goes on; always the first page of a block */
  free_pfn: number;
  /** requests turned away since the last failure */
  considered = 0;
  /** a failure doubles the requests that are turned away, up to 2^6 */
  defer_shift = 0;
  /** smallest order that failed; smaller ones are not deferred */
  order_failed = 0;
  /** both scanners met in a direct run: kswapd shall clear the skip marks when it goes to sleep */
  blockskip_flush = false;

  constructor(zone: Zone) {
    this.migrate_pfn = [zone.start_pfn, zone.start_pfn];
    this.free_pfn = lastBlock(zone);
  }

  serialize(io: StateIo): void {
    this.migrate_pfn[0] = io.number('migrate_pfn_async', this.migrate_pfn[0]);
    this.migrate_pfn[1] = io.number('migrate_pfn_sync', this.migrate_pfn[1]);
    numbers<ZoneCompaction>(io, this, ['free_pfn', 'considered', 'defer_shift', 'order_failed']);
    flags<ZoneCompaction>(io, this, ['blockskip_flush']);
  }
}

/** First page of the last pageblock of a zone. */
export function lastBlock(zone: Zone): number {
  return (zone.end_pfn - 1) & ~(PAGEBLOCK_PAGES - 1);
}

export class CompactionState {
  readonly zones: readonly ZoneCompaction[];
  readonly #skip: Uint8Array;

  constructor(zones: readonly Zone[], nr_pageblocks: number) {
    this.zones = zones.map((zone) => new ZoneCompaction(zone));
    this.#skip = new Uint8Array(nr_pageblocks);
  }

  serialize(io: StateIo): void {
    for (const zone of this.zones) io.part('zone', zone);
    io.array('skip', this.#skip);
  }

  of(zone: Zone): ZoneCompaction {
    return this.zones[zone.number]!;
  }

  isSkipped(pfn: number): boolean {
    return this.#skip[pfn >>> PAGEBLOCK_ORDER] !== 0;
  }

  setSkip(pfn: number): void {
    this.#skip[pfn >>> PAGEBLOCK_ORDER] = 1;
  }

  /** The next run starts at the zone's ends again. */
  resetCachedPositions(zone: Zone): void {
    const state = this.of(zone);
    state.migrate_pfn[0] = zone.start_pfn;
    state.migrate_pfn[1] = zone.start_pfn;
    state.free_pfn = lastBlock(zone);
  }

  /** Forgets which blocks were fruitless, and starts at the ends. */
  resetSkips(zone: Zone): void {
    const state = this.of(zone);
    if (!state.blockskip_flush) return;
    state.blockskip_flush = false;
    this.#skip.fill(0, zone.start_pfn >>> PAGEBLOCK_ORDER, Math.ceil(zone.end_pfn / PAGEBLOCK_PAGES));
    this.resetCachedPositions(zone);
  }

  /** A run for this order gained nothing. */
  defer(zone: Zone, order: number): void {
    const state = this.of(zone);
    state.considered = 0;
    state.defer_shift = Math.min(state.defer_shift + 1, MAX_DEFER_SHIFT);
    state.order_failed = Math.min(state.order_failed, order);
  }

  /** Whether a run for this order is turned away; counts the question. */
  isDeferred(zone: Zone, order: number): boolean {
    const state = this.of(zone);
    if (order < state.order_failed) return false;
    const limit = 1 << state.defer_shift;
    if (++state.considered < limit) return true;
    state.considered = limit;
    return false;
  }

  /** @param success a page was really allocated, so the zone is tried without delay again */
  resetDefer(zone: Zone, order: number, success: boolean): void {
    const state = this.of(zone);
    if (success) {
      state.considered = 0;
      state.defer_shift = 0;
    }
    if (order >= state.order_failed) state.order_failed = order + 1;
  }

  /** This run is the first after the longest deferral. */
  isRestarting(zone: Zone, order: number): boolean {
    const state = this.of(zone);
    return (
      order >= state.order_failed &&
      state.defer_shift === MAX_DEFER_SHIFT &&
      state.considered >= 1 << MAX_DEFER_SHIFT
    );
  }
}
