/**
 * Pages that are charged by themselves: requests of the page allocator with `__GFP_ACCOUNT`, large kmalloc among them. Each
 * page remembers the object cgroup that pays, so that parts of a block may go back one by one.
 * model: slub 5.5.4
 */
import type { Context } from '../context.js';
import { GFP_ACCOUNT_BIT, GFP_MOVABLE_BIT } from '../gfp.js';
import { InvariantError } from '../invariant.js';
import type { StateIo } from '../state-io.js';
import { NO_OBJCG } from './mem-cgroups.js';
import type { MemcgCharges } from './memcg-charges.js';
import { tryChargeObjPages, unchargeObjPages } from './try-charge.js';

export class KmemPages {
  /** object cgroup that pays, by page; touched where pages are charged only */
  readonly #payer: Int32Array;

  /** @param end_pfn behind the last page of the machine */
  constructor(
    readonly charges: MemcgCharges,
    readonly end_pfn: number,
  ) {
    this.#payer = new Int32Array(end_pfn);
  }

  /**
   * Charges pages that were just handed out, if the request wants that and there is somebody to pay.
   *
   * @param gfp of the request; the reclaim bits say whether the charge may wait
   * @returns false: the pages must not stay
   */
  charge(cpu: number, pfn: number, order: number, gfp: number, context: Context): boolean {
    if (!isKernelMemory(gfp)) return true;
    const objcg = this.charges.objcgOf(cpu, context);
    if (objcg === NO_OBJCG) return true;
    const pages = 2 ** order;
    if (pfn < 0 || pfn + pages > this.end_pfn)
      throw new InvariantError(`pages ${pfn} to ${pfn + pages} are charged, and not all of the machine's`);
    if (!tryChargeObjPages(this.charges, cpu, objcg, pages, gfp)) return false;
    this.#payer.fill(objcg, pfn, pfn + pages);
    return true;
  }

  /** Before pages go back: takes the charges of those among them that have one. */
  uncharge(cpu: number, pfn: number, order: number): void {
    const payer = this.#payer;
    const end = Math.min(pfn + 2 ** order, this.end_pfn);
    for (let at = pfn; at < end; ) {
      const objcg = payer[at]!;
      let next = at + 1;
      while (next < end && payer[next] === objcg) next++;
      if (objcg !== NO_OBJCG) {
        payer.fill(NO_OBJCG, at, next);
        unchargeObjPages(this.charges, cpu, objcg, next - at);
      }
      at = next;
    }
  }

  /** Pages charged to each memory cgroup, counted. */
  pagesByMemcg(): Float64Array {
    const { groups } = this.charges;
    const pages = new Float64Array(groups.count);
    for (let pfn = 0; pfn < this.end_pfn; pfn++) {
      const objcg = this.#payer[pfn]!;
      if (objcg === NO_OBJCG) continue;
      const memcg = groups.memcg[objcg]!;
      pages[memcg] = pages[memcg]! + 1;
    }
    return pages;
  }

  serialize(io: StateIo): void {
    io.array('payer', this.#payer);
    if (!io.isLoading) return;
    const { nr_objcgs } = this.charges.groups;
    for (const objcg of this.#payer)
      if (objcg < 0 || objcg >= nr_objcgs) io.refuse(`there is no object cgroup ${objcg}`);
  }
}

/** Movable pages belong to users: they are charged as such, which is not here, and do not stay where they are. */
function isKernelMemory(gfp: number): boolean {
  return (gfp & (GFP_ACCOUNT_BIT | GFP_MOVABLE_BIT)) === GFP_ACCOUNT_BIT;
}
