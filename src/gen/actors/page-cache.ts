/**
 * Page cache: files are read and written, and memory that they are kept in is given back late, in the order in which it
 * was taken. With more of it than the machine has room for, the kernel must have reclaimed the oldest long before.
 *
 *     ring:  [oldest | … | newest]   a folio freed when the ring holds more than its target; 0 where a file was deleted
 */
import { folioMix, type PageMix } from '../page-mix.js';
import type { Prng } from '../prng.js';
import type { TraceRows } from '../trace-rows.js';
import type { Actor, World } from '../world.js';

export interface PageCachePlan {
  readonly target_pages: number;
  /** the target is reached so long after the start */
  readonly fill_ns: number;
  /** pages read in per second from then on */
  readonly churn_pages: number;
  readonly maxFolioOrder: number;
  /** share of files that are written instead of read */
  readonly writes: number;
  /** share of files that are deleted, instead of being kept until their turn comes */
  readonly deletes: number;
}

const FOLIOS_OF_FILE = 16;
/** what one file may push out; the rest follows with the next one */
const EVICTIONS = 512;
/** room in the ring for folios smaller than usual */
const SPARE = 1.25;
const SPARE_FOLIOS = 256;
/** the fill ends a little early rather than late */
const FILL_HASTE = 1.02;

export class PageCache implements Actor {
  due_ns = 0;
  readonly objects: number;
  readonly #rows: TraceRows;
  readonly #prng: Prng;
  readonly #cpus: number;
  readonly #reads: PageMix;
  readonly #writes: PageMix;
  readonly #fill_pages: number;
  readonly #ring: Uint32Array;
  #oldest = 0;
  #count = 0;
  #pages = 0;
  #isFull = false;

  constructor(
    world: World,
    readonly plan: PageCachePlan,
  ) {
    this.#rows = world.rows;
    this.#prng = world.prng('page cache');
    this.#cpus = world.scale.cpus;
    this.#reads = folioMix(world.requests.readahead, plan.maxFolioOrder);
    this.#writes = folioMix(world.requests.write, plan.maxFolioOrder);
    this.#fill_pages = (plan.target_pages * FILL_HASTE * 1e9) / Math.max(1, plan.fill_ns);
    this.objects = Math.ceil(plan.target_pages / this.#reads.mean_pages);
    this.#ring = new Uint32Array(Math.ceil(this.objects * SPARE) + SPARE_FOLIOS);
  }

  step(): void {
    this.#rows.begin(this.due_ns, this.#prng.below(this.#cpus));
    const pages = this.#readFile();
    if (this.#pages >= this.plan.target_pages) this.#isFull = true;
    for (let n = 0; this.#pages > this.plan.target_pages && n < EVICTIONS; n++) this.#evict();
    if (this.#prng.chance(this.plan.deletes)) this.#deleteFile();
    this.#wait(pages);
  }

  /** @returns pages read */
  #readFile(): number {
    const prng = this.#prng;
    const mix = prng.chance(this.plan.writes) ? this.#writes : this.#reads;
    const ring = this.#ring;
    const folios = 1 + prng.below(FOLIOS_OF_FILE);
    let pages = 0;
    for (let n = 0; n < folios; n++) {
      if (this.#count === ring.length) this.#evict();
      const kind = mix.pick(prng);
      const order = mix.orders[kind];
      const id = this.#rows.alloc(mix.requests[kind], order);
      if (id === 0) this.#evict();
      else {
        ring[(this.#oldest + this.#count++) % ring.length] = id;
        pages += 1 << order;
      }
    }
    this.#pages += pages;
    return pages;
  }

  #evict(): void {
    while (this.#count > 0) {
      const id = this.#ring[this.#oldest];
      this.#oldest = (this.#oldest + 1) % this.#ring.length;
      this.#count--;
      if (id === 0) continue;
      this.#free(id);
      return;
    }
  }

  /** Folios that were read one after the other, from anywhere in the ring. */
  #deleteFile(): void {
    const ring = this.#ring;
    const folios = Math.min(this.#count, 1 + this.#prng.below(FOLIOS_OF_FILE));
    const first = this.#oldest + this.#prng.below(this.#count - folios + 1);
    for (let n = 0; n < folios; n++) {
      const at = (first + n) % ring.length;
      const id = ring[at];
      ring[at] = 0;
      if (id !== 0) this.#free(id);
    }
  }

  #free(id: number): void {
    this.#pages -= 1 << this.#rows.ids.orderOf(id);
    this.#rows.free(id);
  }

  #wait(pages: number): void {
    const perSecond = this.#isFull ? this.plan.churn_pages : this.#fill_pages;
    if (perSecond <= 0) this.due_ns = Number.POSITIVE_INFINITY;
    else this.due_ns += 1 + Math.floor((Math.max(1, pages) * this.#prng.between(0.5, 1.5) * 1e9) / perSecond);
  }
}
