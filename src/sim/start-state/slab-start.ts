/**
 * The slab allocator in the state that a recording begins with: the caches that slabinfo lists, their slabs on pages that
 * kpageflags shows, and as many objects in them as are counted. Which page is which cache's, and which slots are taken, is
 * told by nobody and chosen here, always in the same way.
 * model: slab-caches 5
 */
import type { PageAllocator } from '../../mm/page-alloc/page-allocator.js';
import { objectsInOrder } from '../../mm/slab/geometry.js';
import { KMALLOC_SIZES, type KmallocSetup } from '../../mm/slab/kmalloc-caches.js';
import type { KmemCache } from '../../mm/slab/kmem-cache.js';
import type { SlabAllocator } from '../../mm/slab/slab-allocator.js';
import { SLAB_RECLAIM_ACCOUNT } from '../../mm/slab/slab-flags.js';
import { thousands } from '../../report/quantities.js';
import type { SlabinfoCache } from '../../trace/recording/snapshot/slabinfo.js';
import { CacheDirectory } from '../slab/cache-directory.js';
import { kmallocShapes } from '../slab/recorded-caches.js';
import { DEFAULT_KMALLOC_SETUP, SlabMachine } from '../slab/slab-machine.js';
import { fillSlabs } from './slab-fill.js';
import { SlabPageSource, type SlabPageSources } from './slab-pages.js';
import { StartObjects } from './start-objects.js';

export interface SlabStartSources extends SlabPageSources {
  /** the report from before the trace */
  readonly slabinfo: readonly SlabinfoCache[] | undefined;
  /** the input, for errors */
  readonly file?: string;
  /** only the caches are made: what is in them is loaded from a saved run */
  readonly isLoaded?: boolean;
}

export interface SlabStart {
  readonly machine: SlabMachine;
  readonly names: CacheDirectory;
  readonly objects: StartObjects;
  /** what was inferred, for the user */
  readonly notes: string[];
}

/** Slabs of one cache and one order that want pages. */
interface Want {
  readonly cache: KmemCache;
  readonly count: number;
}

/**
 * Builds the slab allocator of a machine whose page allocator is in its start state. Pages of slabs become allocations.
 *
 * @throws InputError if slabinfo lists more caches than any machine has
 */
export function buildSlabStart(mm: PageAllocator, sources: SlabStartSources): SlabStart {
  const { slabinfo, file } = sources;
  if (slabinfo === undefined) {
    const machine = new SlabMachine(mm);
    const names = new CacheDirectory(machine.slabs, file === undefined ? {} : { file });
    const notes = ['no before/slabinfo: slab caches begin empty, slabs of the start stay pages in use'];
    return { machine, names, objects: new StartObjects(machine.slabs, []), notes };
  }
  const setup = kmallocSetup(slabinfo);
  const machine = new SlabMachine(mm, setup, (rules) => kmallocShapes(slabinfo, setup, rules));
  const { slabs } = machine;
  const names = new CacheDirectory(slabs, { slabinfo, ...(file === undefined ? {} : { file }) });
  if (sources.isLoaded) return { machine, names, objects: new StartObjects(slabs, []), notes: [] };
  const rows = slabinfo.toReversed().map((row) => ({ row, cache: names.named(row.name)! }));
  const placed = placeSlabs(slabs, new SlabPageSource(mm, sources), rows, mm.pages.end_pfn);
  for (const { row, cache } of rows) {
    const numbers = placed.byCache[cache.number]!;
    numbers.sort((a, b) => slabs.table.pfn[a]! - slabs.table.pfn[b]!);
    const objects = numbers.reduce((sum, slab) => sum + slabs.table.objects[slab]!, 0);
    const share = row.objects === 0 ? 0 : Math.min(1, objects / row.objects);
    fillSlabs(slabs, cache, numbers, Math.round((row.objects - row.active_objects) * share));
  }
  const objects = new StartObjects(slabs, placed.byCache);
  return { machine, names, objects, notes: notesOf(sources, names, placed, objects) };
}

/** What the listed kmalloc caches tell of the kernel's build. model: slab-caches 3.2 */
function kmallocSetup(slabinfo: readonly SlabinfoCache[]): KmallocSetup {
  const names = new Set(slabinfo.map(({ name }) => name));
  const least = KMALLOC_SIZES.find((bytes) => names.has(`kmalloc-${bytes}`));
  if (least === undefined) return DEFAULT_KMALLOC_SETUP;
  return { min_bytes: least, hasMemcg: names.has('kmalloc-cg-1k') };
}

interface PlacedSlabs {
  /** slabs by number of their cache */
  readonly byCache: number[][];
  placed: number;
  wanted: number;
  /** of the placed ones, those on pages that kpageflags does not show as slabs */
  unshown: number;
}

interface ListedCache {
  readonly row: SlabinfoCache;
  readonly cache: KmemCache;
}

/** Larger slabs first: smaller ones find room between them. */
function placeSlabs(
  slabs: SlabAllocator,
  pages: SlabPageSource,
  rows: readonly ListedCache[],
  end_pfn: number,
): PlacedSlabs {
  const result: PlacedSlabs = { byCache: slabs.caches.map(() => []), placed: 0, wanted: 0, unshown: 0 };
  const byOrder = wantsByOrder(rows, end_pfn);
  for (const [order, wants] of [...byOrder].sort(([a], [b]) => b - a)) {
    const isReclaimable = ({ cache }: Want) => (cache.geometry.flags & SLAB_RECLAIM_ACCOUNT) !== 0;
    const reclaimable = wants.filter(isReclaimable);
    const other = wants.filter((want) => !isReclaimable(want));
    const shown = pages.shown(order);
    const taken = pages.take(order, sumOf(reclaimable), sumOf(other));
    makeSlabs(slabs, reclaimable, order, taken.reclaimable, result.byCache);
    makeSlabs(slabs, other, order, taken.other, result.byCache);
    const count = taken.reclaimable.length + taken.other.length;
    result.placed += count;
    result.wanted += sumOf(wants);
    result.unshown += Math.max(0, count - shown);
  }
  return result;
}

/** Slabs of the smaller order have fewer objects: the count of objects tells how many there are. model: slab-caches 5.1 */
function wantsByOrder(rows: readonly ListedCache[], end_pfn: number): Map<number, Want[]> {
  const byOrder = new Map<number, Want[]>();
  const want = (order: number, cache: KmemCache, count: number) => {
    if (count === 0) return;
    const wants = byOrder.get(order);
    if (wants === undefined) byOrder.set(order, [{ cache, count }]);
    else wants.push({ cache, count });
  };
  for (const { row, cache } of rows) {
    const { order, min_order, size_bytes } = cache.geometry;
    // No machine has more slabs than pages.
    const slabs = Math.min(row.slabs, end_pfn);
    const fewer = objectsInOrder(order, size_bytes) - objectsInOrder(min_order, size_bytes);
    const missing = row.slabs * objectsInOrder(order, size_bytes) - row.objects;
    const small = fewer === 0 ? 0 : Math.min(slabs, Math.max(0, Math.round(missing / fewer)));
    want(order, cache, slabs - small);
    want(min_order, cache, small);
  }
  return byOrder;
}

function sumOf(wants: readonly Want[]): number {
  return wants.reduce((sum, { count }) => sum + count, 0);
}

/** One slab on each chunk: a cache's slabs lie evenly between those of the others, as memory that was long in use. */
function makeSlabs(
  slabs: SlabAllocator,
  wants: readonly Want[],
  order: number,
  pfns: readonly number[],
  byCache: readonly number[][],
): void {
  interleaved(wants, pfns.length).forEach((index, i) => {
    const { cache } = wants[index]!;
    const pfn = pfns[i]!;
    const node = slabs.pages.nodeOf(pfn);
    const objects = objectsInOrder(order, cache.geometry.size_bytes);
    byCache[cache.number]!.push(slabs.table.create(cache.number, node, pfn, order, objects));
    slabs.accountPages(cache, node, 2 ** order);
  });
}

/**
 * Whose slab stands at each of `total` places: the j-th of n stands where (j + ½) / n of all places are. Where there are
 * fewer places than slabs, everybody gives up the same share.
 */
function interleaved(wants: readonly Want[], total: number): Uint32Array {
  const wanted = sumOf(wants);
  const position = new Float64Array(total);
  const owner = new Uint32Array(total);
  let at = 0;
  let before = 0;
  wants.forEach(({ count }, index) => {
    before += count;
    const end = Math.min(total, Math.round((before / wanted) * total));
    const own = end - at;
    for (let j = 0; at < end; j++, at++) {
      position[at] = (j + 0.5) / own;
      owner[at] = index;
    }
  });
  const places = Uint32Array.from({ length: total }, (_, i) => i);
  places.sort((a, b) => position[a]! - position[b]! || a - b);
  return places.map((place) => owner[place]!);
}

function notesOf(
  { kpageflags }: SlabStartSources,
  names: CacheDirectory,
  { placed, wanted, unshown }: PlacedSlabs,
  objects: StartObjects,
): string[] {
  const notes = [
    `${thousands(placed)} slabs with ${thousands(objects.total)} objects in use, as before/slabinfo counts them; which pages and slots those are was chosen`,
  ];
  if (kpageflags === undefined) notes.push('no before/kpageflags: slabs stand on any pages that were in use');
  else if (unshown > 0)
    notes.push(`${thousands(unshown)} of them stand on pages that before/kpageflags does not show as slabs`);
  if (placed < wanted)
    notes.push(`${thousands(wanted - placed)} slabs of before/slabinfo found no pages that were in use`);
  if (names.differing.length > 0)
    notes.push(
      `${thousands(names.differing.length)} caches have slabs of another order than this policy gives them (${shortList(names.differing)}); that of before/slabinfo is used`,
    );
  return notes;
}

function shortList(names: readonly string[]): string {
  return `${names.slice(0, 3).join(', ')}${names.length > 3 ? ', …' : ''}`;
}
