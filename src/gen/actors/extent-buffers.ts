/**
 * Extent buffers of a btrfs filesystem: a tree node of 16 KiB in four single pages. Changed nodes are copied, never
 * written in place: the copy is taken when the change is made, the old node is freed when the transaction commits.
 *
 *     [live nodes, in no order]   changed -> [replaced, waiting for the commit] -> freed
 */
import type { Prng } from '../prng.js';
import type { PageRequest, TraceRows } from '../trace-rows.js';
import type { Actor, World } from '../world.js';

export interface ExtentBufferPlan {
  readonly target_pages: number;
  /** of replaced nodes at a commit, about */
  readonly waiting_pages: number;
  readonly fill_ns: number;
  /** share of the nodes whose pages are movable */
  readonly movable: number;
  /** nodes that are copied per second once all are there */
  readonly copies_per_second: number;
  readonly commit_ns: number;
}

/** pages of a node: 16 KiB */
export const NODE_PAGES = 4;
/** nodes made, copied or freed in one step */
const STEP_NODES = 64;
/** nodes of one change on average: a path from the leaf to the root */
const PATH_NODES = 3;
const FREE_GAP_NS = 20_000;

export class ExtentBuffers implements Actor {
  due_ns = 0;
  readonly objects: number;
  readonly #rows: TraceRows;
  readonly #prng: Prng;
  readonly #cpus: number;
  readonly #fixed: PageRequest;
  readonly #movable: PageRequest;
  /** first page of each node */
  readonly #live: Uint32Array;
  #liveCount = 0;
  readonly #replaced: Uint32Array;
  #replacedCount = 0;
  #commits = false;
  #commit_ns: number;

  constructor(
    world: World,
    readonly plan: ExtentBufferPlan,
  ) {
    this.#rows = world.rows;
    this.#prng = world.prng('extent buffers');
    this.#cpus = world.scale.cpus;
    this.#fixed = world.requests.extentBuffer;
    this.#movable = world.requests.extentBufferMovable;
    this.#live = new Uint32Array(Math.max(1, Math.floor(plan.target_pages / NODE_PAGES)));
    this.#replaced = new Uint32Array(this.#live.length);
    this.#commit_ns = plan.commit_ns;
    this.objects = Math.ceil(plan.target_pages + plan.waiting_pages);
  }

  step(): void {
    this.#rows.begin(this.due_ns, this.#prng.below(this.#cpus));
    if (this.#commits) this.#commit();
    else if (this.#liveCount < this.#live.length) this.#fill();
    else this.#change();
    if (this.due_ns >= this.#commit_ns) this.#commits = true;
  }

  #fill(): void {
    const { fill_ns } = this.plan;
    const nodes = Math.min(STEP_NODES, this.#live.length - this.#liveCount);
    for (let n = 0; n < nodes; n++) this.#live[this.#liveCount++] = this.#make();
    this.due_ns += 1 + Math.floor((fill_ns * nodes) / this.#live.length);
  }

  #change(): void {
    const { copies_per_second } = this.plan;
    const nodes = 1 + this.#prng.below(2 * PATH_NODES - 1);
    for (let n = 0; n < nodes && this.#replacedCount < this.#replaced.length; n++) {
      const at = this.#prng.below(this.#liveCount);
      this.#replaced[this.#replacedCount++] = this.#live[at];
      this.#live[at] = this.#make();
    }
    if (this.#replacedCount === this.#replaced.length) this.#commits = true;
    if (copies_per_second > 0) this.due_ns += 1 + this.#prng.exponential((nodes * 1e9) / copies_per_second);
    else this.due_ns = Number.POSITIVE_INFINITY;
  }

  #commit(): void {
    for (let n = 0; n < STEP_NODES && this.#replacedCount > 0; n++)
      this.#rows.freeChain(this.#replaced[--this.#replacedCount], NODE_PAGES);
    this.due_ns += FREE_GAP_NS;
    if (this.#replacedCount > 0) return;
    this.#commits = false;
    this.#commit_ns = this.due_ns + this.plan.commit_ns;
  }

  /** @returns the first page of a new node; 0 if there are too many objects */
  #make(): number {
    const request = this.#prng.chance(this.plan.movable) ? this.#movable : this.#fixed;
    let first = 0;
    for (let n = 0; n < NODE_PAGES; n++) {
      const id = this.#rows.alloc(request, 0);
      if (id === 0) break;
      this.#rows.ids.next[id] = first;
      first = id;
    }
    return first;
  }
}
