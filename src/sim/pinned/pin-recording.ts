/** A pinned replay of a recording, told what the recording's snapshots know beyond its events. */
import type { PageAllocator } from '../../mm/page-alloc/page-allocator.js';
import { pcpListOrder } from '../../mm/page-alloc/per-cpu-pages.js';
import { validate } from '../../mm/page-alloc/validate.js';
import type { Notes } from '../notes.js';
import { zoneinfoOf } from '../start-state/machine-from-zoneinfo.js';
import type { RecordingMaterial, StartedAllocator } from '../start-state/recording-material.js';
import { vmstatTicks } from '../start-state/vmstat-ticks.js';
import type { Tallies } from '../tallies.js';
import { PinnedReplay } from './pinned-replay.js';
import { StartKnowledge } from './start-knowledge.js';

const BEFORE_MARK = /^spbsim: before\b/;

export interface PinnedRecording {
  readonly replay: PinnedReplay;
  /** checks the model's invariants, see `validatePinned` */
  validate(): void;
}

/** @param onMark called at marks of the trace, after the snapshot's counts have been taken over at their mark */
export function pinRecording(
  material: RecordingMaterial,
  { mm, kind }: Pick<StartedAllocator, 'mm' | 'kind'>,
  notes: Notes,
  tallies: Tallies | null = null,
  onMark?: (name: string) => void,
): PinnedRecording {
  const replay = new PinnedReplay(mm, new StartKnowledge(mm, kind === 'exact'), notes, tallies);
  const interval = mm.policy['vmstat.interval_ns'];
  for (let cpu = 0; cpu < mm.nr_cpus; cpu++)
    replay.drains.setTicks(cpu, vmstatTicks(material.scan, cpu, interval));
  replay.onMark = (name) => {
    if (BEFORE_MARK.test(name)) alignPcps(material, mm);
    onMark?.(name);
  };
  return { replay, validate: () => validatePinned(mm) };
}

/**
 * Checks the model's invariants during a pinned replay. What it thinks per-CPU lists hold may be more or less than their
 * entries: a snapshot or a burst has shown it, but not which pages. Those counts are left out of the check.
 */
export function validatePinned(mm: PageAllocator): void {
  const pcps = mm.zones.flatMap((zone) => zone.pcps);
  const counts = pcps.map((pcp) => pcp.count);
  for (const pcp of pcps)
    pcp.count = pcp.lists.reduce((sum, list, index) => sum + (list.length << pcpListOrder(index)), 0);
  validate(mm);
  pcps.forEach((pcp, i) => {
    pcp.count = counts[i]!;
  });
}

/** zoneinfo was read right behind the mark: its counts include the entries that no event ever shows. */
function alignPcps(material: RecordingMaterial, mm: PageAllocator): void {
  const { zoneinfo } = material.before;
  if (zoneinfo === undefined || material.dump_before !== undefined) return;
  for (const zone of mm.zones)
    for (const pageset of zoneinfoOf(zoneinfo, zone)?.pagesets ?? []) {
      const pcp = zone.pcps[pageset.cpu];
      if (pcp === undefined) continue;
      pcp.count = Math.max(pcp.count, pageset.count);
      pcp.high = pageset.high;
    }
}
