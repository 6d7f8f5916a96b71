/**
 * The requests of the generators: gfp flags as kernels are seen to use them, with the function that asks.
 *
 * Where a kernel first tries a larger slab and falls back to a smaller one, a trace made ahead cannot know which it will
 * be. So slabs of orders 1 and 2 are asked for like single pages, as if their cache had no smaller order, and only those of
 * order 3 are optional (NORETRY, NOWARN): where a policy refuses them, that part of the slab memory is missing.
 * model: gfp A1, A4
 */
import {
  GFP_ACCOUNT_BIT,
  GFP_ATOMIC,
  GFP_COMP_BIT,
  GFP_DIRECT_RECLAIM_BIT,
  GFP_FS_BIT,
  GFP_HIGHUSER,
  GFP_HIGHUSER_MOVABLE,
  GFP_IO_BIT,
  GFP_KERNEL,
  GFP_MOVABLE_BIT,
  GFP_NOFAIL_BIT,
  GFP_NOMEMALLOC_BIT,
  GFP_NORETRY_BIT,
  GFP_NOWARN_BIT,
  GFP_RECLAIM,
  GFP_RECLAIMABLE_BIT,
  GFP_WRITE_BIT,
  GFP_ZERO_BIT,
} from '../mm/gfp.js';
import type { StringTable } from '../trace/string-table.js';
import type { PageRequest } from './trace-rows.js';

const GFP_NOFS = GFP_RECLAIM | GFP_IO_BIT;
const OPTIONAL = GFP_NOWARN_BIT | GFP_NORETRY_BIT | GFP_COMP_BIT;
const GFP_READAHEAD = (GFP_HIGHUSER_MOVABLE & ~GFP_FS_BIT) | OPTIONAL;
const GFP_TRANSHUGE_LIGHT =
  (GFP_HIGHUSER_MOVABLE | GFP_COMP_BIT | GFP_NOMEMALLOC_BIT | GFP_NOWARN_BIT) & ~GFP_RECLAIM;
const GFP_SLAB = GFP_KERNEL | GFP_COMP_BIT;

/** name -> call site, gfp, and gfp of orders above 0 where that differs */
const REQUESTS = {
  readahead: ['page_cache_ra_order', GFP_READAHEAD],
  write: [
    '__filemap_get_folio',
    GFP_HIGHUSER_MOVABLE | GFP_WRITE_BIT | GFP_COMP_BIT,
    GFP_HIGHUSER_MOVABLE | GFP_WRITE_BIT | OPTIONAL,
  ],
  anon: ['do_anonymous_page', GFP_HIGHUSER_MOVABLE | GFP_ZERO_BIT | GFP_COMP_BIT],
  huge: ['do_huge_pmd_anonymous_page', GFP_TRANSHUGE_LIGHT],
  /** memory that madvise(MADV_HUGEPAGE) was called for: worth direct reclaim */
  hugeAdvised: ['do_huge_pmd_anonymous_page', GFP_TRANSHUGE_LIGHT | GFP_DIRECT_RECLAIM_BIT],
  pageTable: ['pte_alloc_one', GFP_KERNEL | GFP_ACCOUNT_BIT | GFP_ZERO_BIT | GFP_COMP_BIT],
  stack: ['alloc_thread_stack_node', GFP_KERNEL | GFP_ACCOUNT_BIT | GFP_ZERO_BIT],
  dentry: ['__d_alloc', GFP_SLAB | GFP_RECLAIMABLE_BIT],
  inode: ['alloc_inode', GFP_SLAB | GFP_RECLAIMABLE_BIT],
  inodeOptional: ['alloc_inode', GFP_KERNEL | GFP_RECLAIMABLE_BIT | OPTIONAL],
  xarray: ['xas_alloc', GFP_NOFS | GFP_RECLAIMABLE_BIT | GFP_COMP_BIT],
  kmalloc: ['__kmalloc', GFP_SLAB],
  kmallocOptional: ['__kmalloc', GFP_KERNEL | OPTIONAL],
  pipe: ['anon_pipe_write', GFP_HIGHUSER | GFP_ACCOUNT_BIT],
  vmalloc: ['__vmalloc_area_node', GFP_KERNEL | GFP_NOWARN_BIT],
  extentBuffer: ['alloc_extent_buffer', GFP_NOFS | GFP_NOFAIL_BIT | GFP_COMP_BIT],
  extentBufferMovable: ['alloc_extent_buffer', GFP_NOFS | GFP_MOVABLE_BIT | GFP_NOFAIL_BIT | GFP_COMP_BIT],
  receivePage: ['page_pool_alloc_pages', GFP_ATOMIC | GFP_NOWARN_BIT],
  receiveSlab: ['__napi_alloc_skb', GFP_ATOMIC | OPTIONAL],
  receiveFrag: ['__page_frag_cache_refill', GFP_ATOMIC | OPTIONAL | GFP_NOMEMALLOC_BIT],
  sendFrag: ['alloc_skb_with_frags', GFP_KERNEL, GFP_KERNEL | OPTIONAL],
} as const satisfies Readonly<Record<string, readonly [string, number, number?]>>;

export type RequestName = keyof typeof REQUESTS;
export type Requests = Readonly<Record<RequestName, PageRequest>>;

/** All requests, with the call sites as numbers of a trace's table. */
export function pageRequests(sites: StringTable): Requests {
  const table: Readonly<Record<string, readonly [string, number, number?]>> = REQUESTS;
  const entries = Object.entries(table).map(([name, [site, gfp, gfpLarge]]) => [
    name,
    { gfp, gfpLarge: gfpLarge ?? gfp, site: sites.intern(site) },
  ]);
  return Object.fromEntries(entries) as Requests;
}
