import { renderBuddyinfo } from './proc-buddyinfo.js';
import { renderExtfragIndex, renderUnusableIndex } from './proc-extfrag.js';
import { renderPagetypeinfo } from './proc-pagetypeinfo.js';
import { renderVmstat } from './proc-vmstat.js';
import { renderZoneinfo } from './proc-zoneinfo.js';
import type { RunResult } from './run-result.js';

/** The kernel's files, by the path under which it shows them. */
export const PROC_FILES: readonly {
  readonly path: string;
  readonly render: (result: RunResult) => string;
}[] = [
  { path: '/proc/buddyinfo', render: renderBuddyinfo },
  { path: '/proc/pagetypeinfo', render: renderPagetypeinfo },
  { path: '/sys/kernel/debug/extfrag/unusable_index', render: renderUnusableIndex },
  { path: '/sys/kernel/debug/extfrag/extfrag_index', render: renderExtfragIndex },
  { path: '/proc/vmstat', render: renderVmstat },
  { path: '/proc/zoneinfo', render: renderZoneinfo },
];

/** All of them, each under a heading like that of `tail` with several files. */
export function renderProc(result: RunResult): string {
  return PROC_FILES.map(({ path, render }) => `==> ${path} <==\n${render(result)}`).join('\n');
}
