/** Locks that a record names as held below a call, as the allocators ask for them. */
import type { PageAllocator } from '../../mm/page-alloc/page-allocator.js';
import type { Zone } from '../../mm/page-alloc/zone.js';
import type { KmemCache } from '../../mm/slab/kmem-cache.js';
import { type InterruptedLocks, SlabLock } from '../../mm/slab/slab-interfaces.js';

/** @param next the next larger cache, if there is one */
export function heldSlabLocks(
  names: ReadonlySet<string>,
  cache: KmemCache,
  next: KmemCache | undefined,
): InterruptedLocks {
  return {
    holds: (lock, of) => {
      if (lock === SlabLock.list_lock) return of === cache && names.has('list_lock');
      return (of === cache && names.has('LL')) || (of === next && names.has('LLnext'));
    },
  };
}

export function heldPageLocks(
  names: ReadonlySet<string>,
  mm: PageAllocator,
): NonNullable<PageAllocator['interrupted']> {
  const top = mm.zones.at(-1);
  const isHeld = (zone: Zone, kind: 'pcp' | 'zone') =>
    names.has(`${kind}_all`) || (zone === top && names.has(`${kind}_top`));
  return {
    holdsPcp: (zone) => isHeld(zone, 'pcp'),
    holdsZone: (zone) => isHeld(zone, 'zone'),
  };
}
