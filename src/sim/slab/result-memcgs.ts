/** Memory cgroups in a result: those with the largest usage, and the sums of all others. */
import { Context } from '../../mm/context.js';
import { NO_OBJCG, ROOT_MEMCG } from '../../mm/memcg/mem-cgroups.js';
import { PAGE_COUNTER_MAX } from '../../mm/memcg/page-counter.js';
import { PAGE_BYTES } from '../../mm/types.js';
import type { ResultMemcg, ResultMemcgs } from '../../report/slab/result-slab.js';
import type { MemcgAccounts } from './memcg-accounts.js';
import type { MemcgDirectory } from './memcg-directory.js';

const MAX_ROWS = 20;

/** null where no event named a cgroup below the root */
export function resultMemcgs(directory: MemcgDirectory): ResultMemcgs | null {
  const { accounts } = directory;
  const memcgs = directory.memcgs();
  if (accounts === null || memcgs.length === 0) return null;
  const own_pages = ownPages(accounts);
  const object_bytes = objectBytes(accounts);
  const kmem_pages = accounts.pages.pagesByMemcg();
  const { memory, refused } = accounts.charges.groups;
  const rows: ResultMemcg[] = memcgs.map(({ memcg, path, isOnline }) => {
    const max_pages = memory.max_pages[memcg]!;
    return {
      path,
      online: isOnline,
      usage_pages: memory.usage_pages[memcg]!,
      usage_bytes: memory.usage_pages[memcg]! * PAGE_BYTES,
      max_pages: max_pages === PAGE_COUNTER_MAX ? null : max_pages,
      peak_pages: memory.peak_pages[memcg]!,
      own_pages: own_pages[memcg]!,
      object_bytes: object_bytes[memcg]!,
      kmem_pages: kmem_pages[memcg]!,
      refused: refused[memcg]!,
    };
  });
  // Stable: of equal paths, whose cgroups came one after the other, the first stays first.
  rows.sort((a, b) => b.usage_pages - a.usage_pages || (a.path === b.path ? 0 : a.path < b.path ? -1 : 1));
  const { without_payer, without_vector } = accounts.slab;
  return {
    cgroups: rows.length,
    usage_pages: memory.usage_pages[ROOT_MEMCG]!,
    refused: rows.reduce((sum, row) => sum + row.refused, 0),
    uncharged: {
      softirq: without_payer[Context.softirq]!,
      hardirq: without_payer[Context.hardirq]!,
      nmi: without_payer[Context.nmi]!,
      no_vector: without_vector,
    },
    rows: rows.slice(0, MAX_ROWS),
    others: sumOf(rows.slice(MAX_ROWS)),
  };
}

/** Without what is charged to cgroups below. */
function ownPages({ charges }: MemcgAccounts): Float64Array {
  const { memory, count } = charges.groups;
  const own = memory.usage_pages.slice(0, count);
  for (let memcg = ROOT_MEMCG + 1; memcg < count; memcg++) {
    const parent = memory.parent[memcg]!;
    own[parent] = own[parent]! - memory.usage_pages[memcg]!;
  }
  return own;
}

function objectBytes({ charges, slab }: MemcgAccounts): Float64Array {
  const { groups } = charges;
  const bytes = new Float64Array(groups.count);
  for (const [objcg, own] of slab.bytesInUse().entries()) {
    if (objcg === NO_OBJCG) continue;
    const memcg = groups.memcg[objcg]!;
    bytes[memcg] = bytes[memcg]! + own;
  }
  return bytes;
}

function sumOf(rows: readonly ResultMemcg[]): ResultMemcgs['others'] {
  const sums = { cgroups: rows.length, own_pages: 0, object_bytes: 0, kmem_pages: 0, refused: 0 };
  for (const row of rows) {
    sums.own_pages += row.own_pages;
    sums.object_bytes += row.object_bytes;
    sums.kmem_pages += row.kmem_pages;
    sums.refused += row.refused;
  }
  return sums;
}
