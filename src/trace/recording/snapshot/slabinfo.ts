/**
 * /proc/slabinfo: the slab caches, the youngest first, and how full they are. model: slab-caches 3.1
 *
 *     name  active_objs num_objs objsize objperslab pagesperslab : tunables 0 0 0 : slabdata active_slabs num_slabs 0
 *
 * Of caches that share one only the first name is listed. `objsize` is that of a slot; free slots of CPUs' own slabs count
 * as active.
 */
import { MAX_PAGE_ORDER, PAGE_BYTES } from '../../../mm/types.js';
import { malformed, numberedLines, wholeNumbers } from './snapshot-text.js';

export interface SlabinfoCache {
  readonly name: string;
  /** slots that are not free on a node's list */
  readonly active_objects: number;
  /** slots of all slabs */
  readonly objects: number;
  /** of a slot */
  readonly size_bytes: number;
  readonly objects_per_slab: number;
  readonly order: number;
  readonly slabs: number;
}

const VERSION = /^slabinfo - version: (\d+\.\d+)/;
/** A cache may have blanks in its name: it ends before the first of five numbers and a colon. */
const ROW =
  /^(\S.*?)\s+(\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s+:\s+tunables((?:\s+\d+){3})\s+:\s+slabdata((?:\s+\d+){3})(?:\s+:.*)?$/;
const MAX_OBJECTS_PER_SLAB = 32_767;
/** Longer lines are no rows, and would take long to be told from them. */
const MAX_ROW = 1024;

/** Caches in the order of the file. @throws InputError */
export function parseSlabinfo(text: string, file: string): SlabinfoCache[] {
  const caches: SlabinfoCache[] = [];
  const names = new Set<string>();
  for (const [number, line] of numberedLines(text)) {
    if (line.startsWith('#') || VERSION.test(line)) continue;
    const cache = parseRow(line, file, number);
    if (names.has(cache.name)) throw malformed(file, number, cache.name, 'is a cache that stands above');
    names.add(cache.name);
    caches.push(cache);
  }
  return caches;
}

function parseRow(line: string, file: string, number: number): SlabinfoCache {
  const match = line.length > MAX_ROW ? null : ROW.exec(line);
  if (match === null) throw malformed(file, number, line, 'is not a line of slabinfo');
  const [active, objects, size_bytes, perSlab, pages] = wholeNumbers(
    match.slice(2, 7).join(' '),
    file,
    number,
  ) as [number, number, number, number, number];
  const slabs = wholeNumbers(match[8] as string, file, number)[1] as number;
  const order = Math.log2(pages);
  if (!Number.isInteger(order) || order > MAX_PAGE_ORDER)
    throw malformed(file, number, String(pages), `is not a slab's number of pages`);
  const fitting = size_bytes === 0 ? 0 : Math.floor((pages * PAGE_BYTES) / size_bytes);
  // Kernels leave no room for another slot; anything else is no SLUB, or not its own report.
  if (perSlab !== fitting || perSlab < 1 || perSlab > MAX_OBJECTS_PER_SLAB)
    throw malformed(
      file,
      number,
      String(perSlab),
      `is not how many slots of ${size_bytes} bytes ${pages} pages hold`,
    );
  if (active > objects) throw malformed(file, number, String(active), `is more than all ${objects} objects`);
  return {
    name: match[1] as string,
    active_objects: active,
    objects,
    size_bytes,
    objects_per_slab: perSlab,
    order,
    slabs,
  };
}
