/**
 * While kswapd is about, per-CPU parts of the free-page counter must not hide how near the min mark is.
 *
 * Only zones whose usual threshold could hide the whole way from low to min are changed.
 * model: page-allocator 2.8
 */
import type { NodeState, PageAllocator } from '../page-alloc/page-allocator.js';
import { nrOnlineCpus } from '../page-alloc/pcp-setup.js';
import { WMARK_LOW, WMARK_MIN } from '../page-alloc/zone.js';
import { pressureThreshold } from '../page-alloc/zone-setup.js';

/** Called when kswapd gets up. */
export function tightenThresholds(mm: PageAllocator, node: NodeState): void {
  if (node.usual_thresholds !== null) return;
  node.usual_thresholds = node.zones.map((zone) => zone.stat_threshold);
  const cpus = nrOnlineCpus(mm);
  for (const zone of node.zones)
    if (cpus * zone.stat_threshold > zone.watermark[WMARK_LOW]! - zone.watermark[WMARK_MIN]!)
      zone.stat_threshold = pressureThreshold(zone, cpus);
}

/** Called when it goes to sleep for good. */
export function relaxThresholds(node: NodeState): void {
  const usual = node.usual_thresholds;
  if (usual === null) return;
  node.usual_thresholds = null;
  node.zones.forEach((zone, index) => {
    zone.stat_threshold = usual[index]!;
  });
}
