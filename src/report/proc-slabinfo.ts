/**
 * `/proc/slabinfo`, version 2.1, to the last space.
 *
 * The kernel prints the cache that was made last first. The kmalloc family was made together, in an order that differs
 * between kernels and means nothing here, so its place and order are the kernel's whatever the model's was.
 * model: slub 2.2a
 */
import { left, right } from './printf.js';
import type { RunResult } from './run-result.js';
import { printable } from './sanitize.js';
import type { ResultSlabCache } from './slab/result-slab.js';

type TextLayout = RunResult['policy']['text_layout'];
type SlabinfoRow = Pick<
  ResultSlabCache,
  'name' | 'number' | 'active_objects' | 'objects' | 'size_bytes' | 'objects_per_slab' | 'order' | 'slabs'
>;

const HEAD = `slabinfo - version: 2.1
# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> \
: tunables <limit> <batchcount> <sharedfactor> : slabdata <active_slabs> <num_slabs> <sharedavail>
`;

/** SLUB has none of what is tuned and shared here. */
const TUNABLES = ` : tunables ${right(0, 4)} ${right(0, 4)} ${right(0, 4)}`;

const FAMILY = /^(dma-kmalloc|kmalloc|kmalloc-rcl|kmalloc-cg)-(\d+)(k?)$/;
const PREFIXES: Readonly<Record<TextLayout, readonly string[]>> = {
  '6.1': ['dma-kmalloc', 'kmalloc-rcl', 'kmalloc-cg', 'kmalloc'],
  '6.18': ['kmalloc-cg', 'dma-kmalloc', 'kmalloc-rcl', 'kmalloc'],
  '7.2': ['kmalloc-cg', 'dma-kmalloc', 'kmalloc-rcl', 'kmalloc'],
};
/** Made before all others. */
const FIRST_CACHES = ['kmem_cache_node', 'kmem_cache'];

/** Where a cache stands: the larger, the later. */
function placeOf(
  { name, number }: SlabinfoRow,
  layout: TextLayout,
): readonly [group: number, within: number] {
  const first = FIRST_CACHES.indexOf(name);
  if (first >= 0) return [PREFIXES[layout].length + 2, first];
  const match = FAMILY.exec(name);
  if (match === null) return [0, -number];
  const bytes = Number(match[2]) * (match[3] === 'k' ? 1024 : 1);
  // From 6.18 on the two buckets that are no power of two are the first that are made.
  const isOdd = (bytes & (bytes - 1)) !== 0;
  const within = layout !== '6.1' && isOdd ? 1 / bytes : -bytes;
  return [1 + PREFIXES[layout].indexOf(match[1]!), within];
}

function line(row: SlabinfoRow): string {
  // What splits the line into columns must not stand in a name.
  const name = printable(row.name).replace(/\s/g, '_');
  const objects = `${right(row.active_objects, 6)} ${right(row.objects, 6)}`;
  const shape = `${right(row.size_bytes, 6)} ${right(row.objects_per_slab, 4)} ${right(2 ** row.order, 4)}`;
  const data = ` : slabdata ${right(row.slabs, 6)} ${right(row.slabs, 6)} ${right(0, 6)}`;
  return `${left(name, 17)} ${objects} ${shape}${TUNABLES}${data}\n`;
}

/** The text of these caches, in whatever order they come. */
export function slabinfoText(caches: readonly SlabinfoRow[], layout: TextLayout): string {
  const sorted = caches
    .map((row) => ({ row, place: placeOf(row, layout) }))
    .sort((a, b) => a.place[0] - b.place[0] || a.place[1] - b.place[1]);
  return HEAD + sorted.map(({ row }) => line(row)).join('');
}

/** `/proc/slabinfo`; the head alone where no slab caches were modelled. */
export function renderSlabinfo(result: RunResult): string {
  return slabinfoText(result.slab?.caches ?? [], result.policy.text_layout);
}
