/**
 * The requests for bytes of the generators, with the function that asks.
 *
 * Programs that may run anywhere ask without any reclaim bit, and what the request adds by itself is not in its gfp.
 * model: slub 3.1
 */
import { GFP_ACCOUNT_BIT, GFP_ATOMIC, GFP_KERNEL, GFP_ZERO_BIT } from '../mm/gfp.js';
import type { StringTable } from '../trace/string-table.js';
import type { ByteRequest } from './trace-rows.js';

/** name -> call site, gfp */
const REQUESTS = {
  task: ['seq_open', GFP_KERNEL],
  accounted: ['alloc_pipe_info', GFP_KERNEL | GFP_ACCOUNT_BIT],
  softirq: ['kmalloc_reserve', GFP_ATOMIC],
  program: ['bpf_prog_run', 0],
  element: ['alloc_htab_elem', GFP_ZERO_BIT],
  timer: ['__bpf_async_init', GFP_ACCOUNT_BIT],
} as const satisfies Readonly<Record<string, readonly [string, number]>>;

export type ByteRequestName = keyof typeof REQUESTS;
export type ByteRequests = Readonly<Record<ByteRequestName, ByteRequest>>;

/** All requests, with the call sites as numbers of a trace's table. */
export function byteRequests(sites: StringTable): ByteRequests {
  const entries = Object.entries(REQUESTS).map(([name, [site, gfp]]) => [
    name,
    { gfp, site: sites.intern(site) },
  ]);
  return Object.fromEntries(entries) as ByteRequests;
}
