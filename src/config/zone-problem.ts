/** What the zones of a machine cannot be, whoever describes it: a machine file, a recorded zoneinfo, a dump. */
import type { ZoneSpec } from '../mm/machine-spec.js';
import { ZONE_NAMES } from '../mm/types.js';

/** PFNs have 32 bits, and the last one means "none". */
const MAX_END_PFN = 0xffff_ffff;

function position(zone: ZoneSpec): number {
  return zone.node * ZONE_NAMES.length + zone.index;
}

function problemOf(zone: ZoneSpec, previous: ZoneSpec | undefined): string | undefined {
  if (zone.start_pfn < 0) return 'starts below PFN 0';
  if (zone.present_pages > zone.spanned_pages) return 'present_pages is more than spanned_pages';
  if (zone.managed_pages > zone.present_pages) return 'managed_pages is more than present_pages';
  if (zone.start_pfn + zone.spanned_pages > MAX_END_PFN) return 'ends above the largest PFN (32 bits)';
  if (previous === undefined) return undefined;
  if (position(previous) === position(zone)) return 'this zone of this node is there twice';
  if (position(previous) > position(zone)) return 'list zones by node, then from DMA to Movable';
  if (previous.node === zone.node && previous.start_pfn + previous.spanned_pages > zone.start_pfn)
    return `overlaps zone ${ZONE_NAMES[previous.index]} of its node`;
  return undefined;
}

/** The first fault and the place of its zone in the list; undefined if there is none. */
export function zoneProblem(
  zones: readonly ZoneSpec[],
): { readonly index: number; readonly text: string } | undefined {
  for (const [index, zone] of zones.entries()) {
    const text = problemOf(zone, zones[index - 1]);
    if (text !== undefined) return { index, text };
  }
  return undefined;
}
