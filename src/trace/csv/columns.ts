/**
 * Version 1 of the trace CSV: its columns, its ops, and what each op needs.
 *
 * | column | default | meaning |
 * |---|---|---|
 * | `ts` | previous + 1000 | ns, not decreasing |
 * | `cpu` | 0 | |
 * | `ctx` | task | task, softirq, hardirq, nmi; `irq` is hardirq |
 * | `op` | required | |
 * | `id` | | any token; where it is left out the pfn names the object |
 * | `order` | 0; for frees: as allocated | 0 to 10 |
 * | `gfp` | GFP_KERNEL for allocations | kernel spelling or hex |
 * | `node` | -1 | -1 = local |
 * | `pfn` | | hex (0x…) or decimal: what the recorded kernel handed out |
 * | `memcg` | / | cgroup path; `/` and an empty cell are number 0 of the memcg strings |
 * | `site` | | call site |
 * | `cache` | | kmem_cache name; kernels before 6.1 do not trace it: then `cache_alloc` gives the `size` |
 * | `size` | | bytes, for kmalloc and cache_alloc |
 * | `depth`, `at` | 0, any | 0 to 3: interrupts the row of depth - 1 above it on its CPU, at a lock point |
 * | `arg` | | `key=value` pairs joined by `;`. `failed=1`: the recorded allocation failed |
 */
import { FIRST_OBSERVATION, OP_NAMES, Op } from '../event-batch.js';
import { MAX_DEPTH } from '../nesting.js';

/** In the order in which the writer puts them. */
export const CSV_COLUMNS = [
  'ts',
  'cpu',
  'ctx',
  'op',
  'id',
  'order',
  'gfp',
  'node',
  'pfn',
  'memcg',
  'site',
  'cache',
  'size',
  'depth',
  'at',
  'arg',
] as const;
export type CsvColumn = (typeof CSV_COLUMNS)[number];

/** A column's number: its place in CSV_COLUMNS. */
export const Column = {
  ts: 0,
  cpu: 1,
  ctx: 2,
  op: 3,
  id: 4,
  order: 5,
  gfp: 6,
  node: 7,
  pfn: 8,
  memcg: 9,
  site: 10,
  cache: 11,
  size: 12,
  depth: 13,
  at: 14,
  arg: 15,
} as const satisfies Readonly<Record<CsvColumn, number>>;

/** Largest value of each column of plain decimal numbers; `node` and `pfn` have forms of their own. */
export const MAX_OF_COLUMN: ReadonlyMap<number, number> = new Map<number, number>([
  [Column.ts, Number.MAX_SAFE_INTEGER],
  [Column.cpu, 8191],
  [Column.order, 10],
  [Column.size, 0xffff_ffff],
  [Column.depth, MAX_DEPTH],
]);
export const MAX_CPU = 8191;
export const MAX_NODE = 1023;
/** One less than the number that stands for "no PFN". */
export const MAX_PFN = 0xffff_fffe;
/** Longest text of one cell. */
export const MAX_TEXT = 4096;

/** The ops that a row may have; observations of the recorded kernel have no CSV form. */
export const CSV_OPS: readonly string[] = OP_NAMES.slice(0, FIRST_OBSERVATION);

function opSet(...ops: readonly number[]): Uint8Array {
  const set = new Uint8Array(256);
  for (const op of ops) set[op] = 1;
  return set;
}

/** Ops that ask for memory: gfp defaults to GFP_KERNEL, and is always written. */
export const ASKS_MEMORY = opSet(
  Op.alloc,
  Op.alloc_nolock,
  Op.kmalloc,
  Op.kmalloc_nolock,
  Op.cache_alloc,
  Op.contig_alloc,
);
/** Ops that free pages: an order left out means "as allocated". */
export const FREES_PAGES = opSet(Op.free, Op.free_nolock, Op.contig_free);
/** Ops that free an object of a cache. */
export const FREES_OBJECT = opSet(Op.kfree, Op.kfree_nolock, Op.cache_free);
/** Ops on blocks of pages: the order is always written. */
export const HAS_ORDER = opSet(Op.alloc, Op.alloc_nolock, Op.contig_alloc);
/** Ops that make or name an object. */
export const NEEDS_ID = opSet(
  Op.alloc,
  Op.free,
  Op.alloc_nolock,
  Op.free_nolock,
  Op.kmalloc,
  Op.kfree,
  Op.kmalloc_nolock,
  Op.kfree_nolock,
  Op.cache_alloc,
  Op.cache_free,
  Op.contig_alloc,
  Op.contig_free,
);
export const NEEDS_SIZE = opSet(Op.kmalloc, Op.kmalloc_nolock);
export const NEEDS_CACHE = opSet(Op.cache_create, Op.cache_destroy);
/** Old kernels trace an object of a cache without the cache's name: its size will do. */
export const NEEDS_CACHE_OR_SIZE = opSet(Op.cache_alloc);
export const NEEDS_MEMCG = opSet(Op.memcg_create, Op.memcg_offline, Op.memcg_remove);

/** Whether an `arg` says that the recorded allocation failed. */
export function saysFailed(arg: string): boolean {
  return arg.split(';').includes('failed=1');
}
