/**
 * Recomputes the places of one cache's sheaves.
 *
 *     (a) every sheaf is in one place: a CPU's main or spare one, or a barn's list
 *     (b) barns hold full and empty sheaves, as many as they count
 *     (c) what was allocated and not freed is what exists, if nobody reset the counters
 *     (d) objects in sheaves are slots of the cache's slabs
 *
 * model: slub 8a.2, 8a.3
 */
import { InvariantError } from '../../invariant.js';
import type { KmemCache } from '../kmem-cache.js';
import type { SlabAllocator } from '../slab-allocator.js';
import { SlabStat } from '../slab-stats.js';
import { type CacheSheaves, NO_SHEAF } from './cache-sheaves.js';

/** Checks a cache's sheaves and adds the slots in them to `found`, by slab. */
export function slotsInSheaves(slabs: SlabAllocator, cache: KmemCache, found: Map<number, number[]>): void {
  const { sheaves } = cache;
  if (sheaves === null) return;
  const places = placesOf(cache, sheaves);
  check(places.size === sheaves.count, () => `${cache.name}: ${sheaves.count} sheaves, ${places.size} found`);
  const alive = cache.total(SlabStat.sheaf_alloc) - cache.total(SlabStat.sheaf_free);
  check(alive === sheaves.count, () => `${cache.name}: ${sheaves.count} sheaves, ${alive} by the counters`);
  for (const sheaf of places.keys()) collect(slabs, cache, sheaves, sheaf, found);
}

function placesOf(cache: KmemCache, sheaves: CacheSheaves): Map<number, string> {
  const places = new Map<number, string>();
  const place = (sheaf: number, where: string): void => {
    const known = sheaf >= 0 && sheaf < sheaves.end;
    check(known, () => `${cache.name}: ${where} is sheaf ${sheaf}, which does not exist`);
    const before = places.get(sheaf);
    check(
      before === undefined,
      () => `${cache.name}: sheaf ${sheaf} is in two places, ${before} and ${where}`,
    );
    places.set(sheaf, where);
  };
  for (let cpu = 0; cpu < cache.cpus; cpu++) {
    if (sheaves.main[cpu] !== NO_SHEAF) place(sheaves.main[cpu]!, `main of CPU ${cpu}`);
    if (sheaves.spare[cpu] !== NO_SHEAF) place(sheaves.spare[cpu]!, `spare of CPU ${cpu}`);
  }
  for (let node = 0; node < cache.nodes; node++) {
    const full = barnList(sheaves, sheaves.fullHead[node]!, (sheaf) => place(sheaf, `full of node ${node}`));
    const empty = barnList(sheaves, sheaves.emptyHead[node]!, (sheaf) =>
      place(sheaf, `empty of node ${node}`),
    );
    const where = `${cache.name} barn of node ${node}`;
    check(full.length === sheaves.nr_full[node], () => `${where}: counts of full sheaves differ`);
    check(empty.length === sheaves.nr_empty[node], () => `${where}: counts of empty sheaves differ`);
    check(
      full.every((sheaf) => sheaves.isFull(sheaf)),
      () => `${where}: a full sheaf is not`,
    );
    check(
      empty.every((sheaf) => sheaves.size[sheaf] === 0),
      () => `${where}: an empty sheaf is not`,
    );
  }
  return places;
}

function barnList(sheaves: CacheSheaves, head: number, visit: (sheaf: number) => void): number[] {
  const list: number[] = [];
  for (let sheaf = head; sheaf !== NO_SHEAF; sheaf = sheaves.next[sheaf]!) {
    visit(sheaf);
    list.push(sheaf);
  }
  return list;
}

function collect(
  slabs: SlabAllocator,
  cache: KmemCache,
  sheaves: CacheSheaves,
  sheaf: number,
  found: Map<number, number[]>,
): void {
  const { table } = slabs;
  const size = sheaves.size[sheaf]!;
  const where = `${cache.name} sheaf ${sheaf}`;
  check(size >= 0 && size <= sheaves.capacity, () => `${where} holds ${size} of ${sheaves.capacity}`);
  for (let at = sheaves.base(sheaf); at < sheaves.base(sheaf) + size; at++) {
    const slab = sheaves.objects.slab[at]!;
    const slot = sheaves.objects.slot[at]!;
    const isOurs = table.exists(slab) && table.cache[slab] === cache.number && slot < table.objects[slab]!;
    check(isOurs, () => `${where} holds slot ${slot} of slab ${slab}, which is not the cache's`);
    const slots = found.get(slab);
    if (slots === undefined) found.set(slab, [slot]);
    else slots.push(slot);
  }
}

function check(isTrue: boolean, text: () => string): void {
  if (!isTrue) throw new InvariantError(text());
}
