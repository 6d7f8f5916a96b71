/**
 * When each movable page was handed out: all that a run needs to know of the LRU until it reclaims or compacts.
 *
 * Linking every movable page into a list costs four scattered writes, and most runs never take a page off such a list.
 * So until then one number per page is kept, and the lists are built from it, oldest first, when they are first asked for.
 * model: gfp C12
 */
import type { PageMap } from '../page-alloc/page-map.js';
import type { StateIo } from '../state-io.js';

/** Ages are 31 bits beside the kind; when they run out the lists must be built. */
const LAST_AGE = 0x7fff_fffe;

export class PageAges {
  /** by list node: age << 1 | kind; 0 for pages that were in use before the run */
  readonly #ages: Uint32Array;
  #clock = 0;

  constructor(pages: PageMap) {
    this.#ages = new Uint32Array(pages.headBase);
  }

  serialize(io: StateIo): void {
    this.#clock = io.number('clock', this.#clock);
    io.array('ages', this.#ages);
  }

  get exhausted(): boolean {
    return this.#clock >= LAST_AGE;
  }

  /** A movable page was handed out or used. */
  note(node: number, kind: number): void {
    this.#ages[node] = ((++this.#clock << 1) | kind) >>> 0;
  }

  /** A used page keeps its kind and becomes the youngest. */
  touch(node: number): void {
    this.note(node, this.kindOf(node));
  }

  copy(from: number, to: number): void {
    this.#ages[to] = this.#ages[from]!;
  }

  kindOf(node: number): number {
    return this.#ages[node]! & 1;
  }

  /** True for pages that were in use before the run: they have no kind of their own. */
  isUnknown(node: number): boolean {
    return this.#ages[node] === 0;
  }

  ageOf(node: number): number {
    return this.#ages[node]! >>> 1;
  }
}
