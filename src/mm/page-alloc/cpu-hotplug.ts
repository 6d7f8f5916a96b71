/**
 * CPUs that come and go: what a dead CPU kept is given back, and everything that is shared out among CPUs is shared anew.
 * model: page-allocator 2.8, 3.3a, 3.9; spb 3.9
 */
import { invariant } from '../invariant.js';
import { disownBlocks } from '../spb/pcp-refill.js';
import { drainPagesOf } from './drain-all.js';
import type { PageAllocator } from './page-allocator.js';
import { nrOnlineCpus, setCacheFlag, setPcpSizes } from './pcp-setup.js';
import { foldCounters } from './vmstat-worker.js';
import { setStatThresholds } from './zone-setup.js';

/** @returns false where it was offline already, or is the last one */
export function offlineCpu(mm: PageAllocator, cpu: number): boolean {
  if (mm.offline_cpus.has(cpu) || nrOnlineCpus(mm) === 1) return false;
  invariant(cpu >= 0 && cpu < mm.nr_cpus, `the machine has no CPU ${cpu}`);
  mm.offline_cpus.add(cpu);
  disownBlocks(mm, cpu);
  drainPagesOf(mm, cpu);
  for (const zone of mm.zones) foldCounters(zone, cpu);
  shareOut(mm);
  return true;
}

/** @returns false where it was online already */
export function onlineCpu(mm: PageAllocator, cpu: number): boolean {
  if (!mm.offline_cpus.delete(cpu)) return false;
  shareOut(mm);
  setCacheFlag(mm, cpu);
  return true;
}

function shareOut(mm: PageAllocator): void {
  for (const zone of mm.zones) setPcpSizes(mm, zone);
  setStatThresholds(mm);
}
