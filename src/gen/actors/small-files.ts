/**
 * Small files that are created, written and removed again: the data of a filesystem under churn. Every file is a chain
 * of a few folios; which one is removed next is a matter of chance.
 */
import type { Prng } from '../prng.js';
import type { PageRequest, TraceRows } from '../trace-rows.js';
import type { Actor, World } from '../world.js';

export interface SmallFilesPlan {
  /** files that exist in memory at a time */
  readonly count: number;
  readonly fill_ns: number;
  /** files created per second once all are there; as many are removed */
  readonly per_second: number;
}

/** files of one step */
const STEP_FILES = 16;
/** folios of a file, at most; of orders 0 to 2 */
const MAX_FOLIOS = 4;
const MAX_ORDER = 2;
const MEAN_FOLIOS = (1 + MAX_FOLIOS) / 2;
/** mean pages of a file */
export const FILE_PAGES = (MEAN_FOLIOS * (2 ** (MAX_ORDER + 1) - 1)) / (MAX_ORDER + 1);

export class SmallFiles implements Actor {
  due_ns = 0;
  readonly objects: number;
  readonly #rows: TraceRows;
  readonly #prng: Prng;
  readonly #cpus: number;
  readonly #request: PageRequest;
  /** first folio of each file */
  readonly #files: Uint32Array;
  #count = 0;

  constructor(
    world: World,
    readonly plan: SmallFilesPlan,
  ) {
    this.#rows = world.rows;
    this.#prng = world.prng('small files');
    this.#cpus = world.scale.cpus;
    this.#request = world.requests.write;
    this.#files = new Uint32Array(Math.max(1, plan.count));
    this.objects = Math.ceil(plan.count * MEAN_FOLIOS);
  }

  step(): void {
    this.#rows.begin(this.due_ns, this.#prng.below(this.#cpus));
    const { fill_ns, per_second } = this.plan;
    if (this.#count < this.#files.length) {
      const files = Math.min(STEP_FILES, this.#files.length - this.#count);
      for (let n = 0; n < files; n++) this.#files[this.#count++] = this.#create();
      this.due_ns += 1 + Math.floor((fill_ns * files) / this.#files.length);
      return;
    }
    const files = 1 + this.#prng.below(STEP_FILES);
    for (let n = 0; n < files; n++) {
      const at = this.#prng.below(this.#count);
      this.#rows.freeChain(this.#files[at], MAX_FOLIOS);
      this.#files[at] = this.#create();
    }
    if (per_second > 0) this.due_ns += 1 + this.#prng.exponential((files * 1e9) / per_second);
    else this.due_ns = Number.POSITIVE_INFINITY;
  }

  /** @returns the first folio of a new file; 0 if there are too many objects */
  #create(): number {
    const folios = 1 + this.#prng.below(MAX_FOLIOS);
    let first = 0;
    for (let n = 0; n < folios; n++) {
      const id = this.#rows.alloc(this.#request, this.#prng.below(MAX_ORDER + 1));
      if (id === 0) break;
      this.#rows.ids.next[id] = first;
      first = id;
    }
    return first;
  }
}
