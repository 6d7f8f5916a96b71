/**
 * The whole state of a machine, for saving a run and going on with it: every field of the page allocator that events
 * change.
 *
 * A machine that is loaded into was built from the same description and policy. It need not have been booted, and it may
 * have run: what a start state, a hotplug or a run made of it is replaced.
 */
import type { NodeState, PageAllocator } from './page-alloc/page-allocator.js';
import { zonelistsFrom } from './page-alloc/zonelist.js';
import { LruLists } from './reclaim/lru.js';
import { PageAges } from './reclaim/page-ages.js';
import { serializeSpb } from './spb/setup.js';
import { NR_PLACES, SUPERPAGEBLOCK_ORDER } from './spb/spb-types.js';
import { counters, flags, numberSet, numbers, type StateIo } from './state-io.js';

export function serializeMachine(mm: PageAllocator, io: StateIo): void {
  io.part('pages', mm.pages);
  for (const zone of mm.zones) io.part('zone', zone);
  for (const node of mm.nodes) serializeNode(node, io);
  serializeZonelists(mm, io);
  numberSet(io, 'held_gigantic', mm.held_gigantic, Math.ceil(mm.pages.end_pfn / 2 ** SUPERPAGEBLOCK_ORDER));
  numberSet(io, 'offline_cpus', mm.offline_cpus, mm.nr_cpus);
  flags(io, mm, ['grouping']);
  numbers(io, mm, ['searchMode', 'pgfree', 'up_trylocks']);
  counters(io, mm.events);
  mm.ages = io.optional('ages', mm.ages, () => new PageAges(mm.pages));
  mm.lruLists = io.optional('lru', mm.lruLists, () => new LruLists(mm));
  if (mm.slabObjects !== null) io.part('slab_objects', mm.slabObjects);
  io.part('compaction', mm.compaction);
  serializeSpb(mm, io);
}

function serializeNode(node: NodeState, io: StateIo): void {
  flags(io, node, ['kswapd_awake', 'kcompactd_awake']);
  numbers(io, node, ['kswapd_order', 'kswapd_highest_zone', 'kswapd_failures', 'kswapd_nap_order']);
  numbers(io, node, ['kswapd_nap_zone', 'kcompactd_order', 'kcompactd_highest_zone']);
  const run = node.kswapd_run;
  if (io.flag('kswapd_runs', run !== null)) {
    node.kswapd_run = {
      alloc_order: io.number('alloc_order', run?.alloc_order ?? 0),
      reclaim_order: io.number('reclaim_order', run?.reclaim_order ?? 0),
      highest_zone: io.number('highest_zone', run?.highest_zone ?? 0),
      boosts: io.list('boosts', run?.boosts ?? []),
    };
  } else node.kswapd_run = null;
  const usual = node.usual_thresholds;
  const hasThresholds = io.flag('thresholds_are_tight', usual !== null);
  node.usual_thresholds = hasThresholds ? io.list('usual_thresholds', usual ?? []) : null;
}

/** Zones to try, as numbers: they are built at boot and after some hotplugs, not whenever a CPU comes or goes. */
function serializeZonelists(mm: PageAllocator, io: StateIo): void {
  const serialized = (name: string, lists: PageAllocator['zonelists']['fallback']) =>
    lists.map((list) =>
      io
        .list(
          name,
          list.at(-1)!.map((zone) => zone.number),
        )
        .map((number) => mm.zones[number] ?? io.refuse(`${name} names zone ${number}`)),
    );
  const fallback = serialized('fallback', mm.zonelists.fallback);
  const thisnode = serialized('thisnode', mm.zonelists.thisnode);
  if (io.isLoading) mm.zonelists = zonelistsFrom(fallback, thisnode);
}

/**
 * What is wrong with the links of all lists of pages and of superpageblocks, for a state that may be anybody's making:
 * a walk along lists that pass this ends. Undefined if nothing is.
 */
export function brokenList(mm: PageAllocator): string | undefined {
  const { next, prev, headBase } = mm.pages;
  for (let head = headBase; head < next.length; head++) {
    // Two ways to one entry would need two ways back: a list that runs into itself is noticed there.
    for (let node = head; ; ) {
      const after = next[node]!;
      if (prev[after] !== node || (after >= headBase && after !== head))
        return `a list breaks at entry ${node}`;
      if (after === head) break;
      node = after;
    }
  }
  for (const { spb } of mm.zones) {
    let left = spb?.nr_superpageblocks ?? 0;
    for (let place = 0; spb !== null && place < NR_PLACES; place++)
      for (let member = spb.first(place); member >= 0; member = spb.after(member))
        if (left-- === 0) return 'a list of superpageblocks has no end';
  }
  return undefined;
}
