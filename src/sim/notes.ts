/**
 * What a replay met that is not a plain allocation or free: every such event is counted under a name, none is dropped.
 * model: page-allocator 8
 */
import type { StateIo } from '../mm/state-io.js';

export const NOTE_MEANINGS = {
  frees_from_before_trace: 'frees of pages that were in use before the trace began',
  untraced_allocations:
    'frees of pages that no event allocated: bulk allocation, compaction targets, lost events',
  untraced_takes:
    'pages that left a per-CPU list without an event, seen because a page below them was handed out',
  implied_frees: 'allocations of pages that the replay held to be in use: their free is not in the trace',
  silent_frees: 'pages that a refill or drain shows to be free although no event freed them',
  partial_frees: 'frees that cut an allocation into parts (split pages, large folios)',
  order_mismatches: 'frees whose order is not that of the allocation',
  recorded_failures: 'allocations that failed in the recorded kernel',
  model_failures: 'allocations that failed in the model, though the trace does not say that they failed',
  frees_of_failed: 'frees of pages whose allocation failed in the model',
  frees_of_reclaimed: 'frees of pages that the model had already reclaimed',
  frees_without_order: 'frees whose order is not recorded, taken as allocated',
  unknown_frees: 'frees of ids that name nothing allocated',
  duplicate_ids: 'allocations under an id that is still in use; the older object is kept as allocated',
  pages_outside_machine: 'events on pages that no zone of the machine has',
  cpus_outside_machine: 'events of CPUs that the machine does not have, replayed on CPU 0',
  nodes_outside_machine: 'requests for nodes that the machine does not have, served from the local one',
  lost_events: 'events that the recorder lost',
  lost_event_gaps: 'places where the recorder lost events',
  moved_traces: 'traces whose clock starts before the end of the one before; they were moved behind it',
  nested_alone:
    'nested rows more than 1,024 rows behind what they interrupt, or with nothing to interrupt: replayed by themselves',
  warm_up: 'events before --from, replayed for the state that they leave, and not counted',
  skipped_by_time: 'events after --to',
  series_ended: 'series that ended early, after 100,000 samples; a longer interval covers the trace',
  implied_slab_frees: 'slab objects whose id is allocated again: their free is not in the trace',
  slab_frees_from_before_trace:
    'frees of slab objects from before the trace; which of those of their cache, is chosen',
  unknown_slab_frees:
    'frees of slab objects that no event allocated, and that are none of those known from the start',
  slab_page_events:
    "page events of the recorded kernel's slabs, left out: the model's slabs have pages of their own",
  nested_behind: 'nested rows whose point the interrupted operation never came to: replayed right behind it',
  memcg_settings: 'settings of memory cgroups other than max (high, low, min), which have no effect',
  slab_events_unpinned: 'slab events, which a pinned replay leaves out: it follows pages only',
  not_modelled: 'events of kinds that are read but not yet modelled (tags, phases of the boot)',
  retyped_blocks: 'pageblocks whose type the trace showed to differ from the model',
  unknown_types:
    'events on a list of isolated pages, or of a type that the model does not have; the type of their block was taken',
  refills_without_event:
    'allocations taken from the buddy lists of the model because no refill event was recorded',
} as const;
export type NoteName = keyof typeof NOTE_MEANINGS;

export class Notes {
  readonly #counts = new Map<NoteName, number>();

  add(name: NoteName, count = 1): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + count);
  }

  get(name: NoteName): number {
    return this.#counts.get(name) ?? 0;
  }

  clear(): void {
    this.#counts.clear();
  }

  serialize(io: StateIo): void {
    const counts = io.table('notes', this.#counts);
    if (!io.isLoading) return;
    this.#counts.clear();
    for (const [name, count] of counts) {
      if (!Object.hasOwn(NOTE_MEANINGS, name)) io.refuse(`there is no note ${name}`);
      this.#counts.set(name as NoteName, count);
    }
  }

  /**
   * Non-zero notes, in the order of NOTE_MEANINGS.
   *
   * @param more  counts that others keep
   */
  entries(
    more: Readonly<Partial<Record<NoteName, number>>> = {},
  ): { name: NoteName; count: number; meaning: string }[] {
    const names = Object.keys(NOTE_MEANINGS) as NoteName[];
    return names
      .map((name) => ({ name, count: this.get(name) + (more[name] ?? 0), meaning: NOTE_MEANINGS[name] }))
      .filter(({ count }) => count > 0);
  }
}
