/**
 * What the start state does not know: the order of chunks inside the buddy lists, and the contents of per-CPU lists.
 *
 * A snapshot says which pages are free, not in which order the lists hold them. So each chunk of the start state is
 * marked until it has been taken or merged; what the replay has put on a list itself has a known place. A per-CPU list
 * is known from its first refill on, because the kernel refills only an empty list.
 */
import type { PageAllocator } from '../../mm/page-alloc/page-allocator.js';
import { NR_PCP_LISTS } from '../../mm/page-alloc/per-cpu-pages.js';
import type { Zone } from '../../mm/page-alloc/zone.js';
import { PAGEBLOCK_ORDER } from '../../mm/types.js';

export class StartKnowledge {
  /** by list node: the chunk stands where the start state put it, which says nothing of its real place */
  readonly #unordered: Uint8Array;
  readonly #knownLists: Uint8Array;

  /** @param exact the start state is a dump of the lists themselves */
  constructor(
    readonly mm: PageAllocator,
    readonly exact: boolean,
  ) {
    this.#unordered = new Uint8Array(mm.pages.headBase);
    this.#knownLists = new Uint8Array(mm.zones.length * mm.nr_cpus * NR_PCP_LISTS).fill(exact ? 1 : 0);
    if (exact) return;
    for (const zone of mm.zones)
      for (let order = 0; order <= 10; order++)
        for (let type = 0; type < 6; type++)
          for (const pfn of zone.listPfns(order, type)) this.#unordered[mm.pages.node(pfn, order)] = 1;
  }

  isUnordered(pfn: number, order: number): boolean {
    return this.#unordered[this.mm.pages.node(pfn, order)] === 1;
  }

  /** The chunk has left its list: should it come back, its place is known. */
  forget(pfn: number, order: number): void {
    this.#unordered[this.mm.pages.node(pfn, order)] = 0;
  }

  /** The chunk has proved to stand elsewhere in its list: page reporting, for one, moves chunks to the tail. */
  unlearn(pfn: number, order: number): void {
    this.#unordered[this.mm.pages.node(pfn, order)] = 1;
  }

  /** The chunk that now holds `pfn` was put there by the replay, with all that it has absorbed. */
  forgetChunkOf(pfn: number): void {
    const { pages } = this.mm;
    const chunk = pages.buddyHead(pfn);
    if (chunk < 0) return;
    const order = pages.buddyOrder(chunk);
    this.#unordered.fill(0, chunk, chunk + (1 << order));
    if (order < PAGEBLOCK_ORDER) return;
    const block = pages.blockBase + (chunk >>> PAGEBLOCK_ORDER);
    this.#unordered.fill(0, block, block + (1 << (order - PAGEBLOCK_ORDER)));
  }

  isListKnown(zone: Zone, cpu: number, index: number): boolean {
    return this.#knownLists[this.#list(zone, cpu, index)] === 1;
  }

  learnList(zone: Zone, cpu: number, index: number): void {
    this.#knownLists[this.#list(zone, cpu, index)] = 1;
  }

  /** True if every list of the CPU in this zone that can hold pages is known. */
  isCpuKnown(zone: Zone, cpu: number): boolean {
    const first = this.#list(zone, cpu, 0);
    for (let i = first; i < first + NR_PCP_LISTS; i++) if (this.#knownLists[i] === 0) return false;
    return true;
  }

  #list(zone: Zone, cpu: number, index: number): number {
    return (zone.number * this.mm.nr_cpus + cpu) * NR_PCP_LISTS + index;
  }
}
