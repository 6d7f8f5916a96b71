import { renderBuddyinfo } from './proc-buddyinfo.js';
import { renderExtfragIndex, renderUnusableIndex } from './proc-extfrag.js';
import { renderPagetypeinfo } from './proc-pagetypeinfo.js';
import { renderSlabinfo } from './proc-slabinfo.js';
import { renderVmstat } from './proc-vmstat.js';
import { renderZoneinfo } from './proc-zoneinfo.js';
import type { RunResult } from './run-result.js';

interface ProcFile {
  readonly path: string;
  readonly render: (result: RunResult) => string;
  /** whether the run has anything to show in it; all have if it does not say */
  readonly isThere?: (result: RunResult) => boolean;
}

/** The kernel's files, by the path under which it shows them. */
export const PROC_FILES: readonly ProcFile[] = [
  { path: '/proc/buddyinfo', render: renderBuddyinfo },
  { path: '/proc/pagetypeinfo', render: renderPagetypeinfo },
  { path: '/sys/kernel/debug/extfrag/unusable_index', render: renderUnusableIndex },
  { path: '/sys/kernel/debug/extfrag/extfrag_index', render: renderExtfragIndex },
  { path: '/proc/vmstat', render: renderVmstat },
  { path: '/proc/zoneinfo', render: renderZoneinfo },
  {
    path: '/proc/slabinfo',
    render: renderSlabinfo,
    isThere: ({ slab }) => slab !== null && slab !== undefined,
  },
];

/** All of them that the run has, each under a heading like that of `tail` with several files. */
export function renderProc(result: RunResult): string {
  return PROC_FILES.filter(({ isThere }) => isThere?.(result) ?? true)
    .map(({ path, render }) => `==> ${path} <==\n${render(result)}`)
    .join('\n');
}
