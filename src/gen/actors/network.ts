/**
 * Network traffic: each CPU receives in bursts, in softirq; tasks on other CPUs read the packets later and free them.
 *
 * Allocations and frees are two actors over one queue. Readers are asleep at times, and the queue grows; when it is full,
 * packets are dropped.
 */
import { Ctx } from '../../trace/event-batch.js';
import { PageMix } from '../page-mix.js';
import type { Prng } from '../prng.js';
import type { TraceRows } from '../trace-rows.js';
import type { Actor, World } from '../world.js';

export interface NetworkPlan {
  /** pages asked for per second, by all CPUs */
  readonly pages_per_second: number;
  /** mean time until a reader looks */
  readonly latency_ns: number;
  /** pages that wait at most */
  readonly backlog_pages: number;
  /** share of the bursts that are sent by tasks instead of received in softirq */
  readonly sends: number;
}

/** packets of one poll: the budget of a NAPI poll */
const POLL_BUDGET = 64;
/** frees of one turn of a reader */
const READ_ROWS = 512;
const READ_GAP_NS = 5_000;
/** one in so many readers is asleep, for so many times the latency */
const SLEEPERS = 48;
const SLEEP_LATENCIES = 24;

/** Pages in the order of their arrival. */
class SocketQueue {
  readonly #ring: Uint32Array;
  #oldest = 0;
  count = 0;
  pages = 0;

  constructor(readonly most_pages: number) {
    this.#ring = new Uint32Array(most_pages);
  }

  push(id: number, pages: number): void {
    this.#ring[(this.#oldest + this.count++) % this.#ring.length] = id;
    this.pages += pages;
  }

  shift(rows: TraceRows): void {
    const id = this.#ring[this.#oldest];
    this.#oldest = (this.#oldest + 1) % this.#ring.length;
    this.count--;
    this.pages -= 1 << rows.ids.orderOf(id);
    rows.free(id);
  }
}

class Receivers implements Actor {
  due_ns: number;
  readonly objects: number;
  readonly #prng: Prng;
  readonly #receive: PageMix;
  readonly #send: PageMix;

  constructor(
    readonly world: World,
    readonly plan: NetworkPlan,
    readonly queue: SocketQueue,
    readonly readers: Readers,
  ) {
    const { receivePage, receiveSlab, receiveFrag, sendFrag } = world.requests;
    this.#prng = world.prng('receivers');
    this.#receive = new PageMix([
      { request: receivePage, order: 0, share: 0.3 },
      { request: receiveSlab, order: 1, share: 0.1 },
      { request: receiveSlab, order: 2, share: 0.1 },
      { request: receiveFrag, order: 3, share: 0.5 },
    ]);
    this.#send = new PageMix([
      { request: sendFrag, order: 0, share: 0.2 },
      { request: sendFrag, order: 3, share: 0.8 },
    ]);
    this.objects = Math.ceil(plan.backlog_pages / this.#receive.mean_pages);
    this.due_ns = plan.pages_per_second > 0 ? 0 : Number.POSITIVE_INFINITY;
  }

  step(): void {
    const { world, queue, plan } = this;
    const prng = this.#prng;
    const isSend = prng.chance(plan.sends);
    const mix = isSend ? this.#send : this.#receive;
    world.rows.begin(this.due_ns, prng.below(world.scale.cpus), isSend ? Ctx.task : Ctx.softirq);
    const packets = 1 + prng.below(POLL_BUDGET);
    let asked = 0;
    for (let n = 0; n < packets; n++) {
      const kind = mix.pick(prng);
      const pages = 1 << mix.orders[kind];
      asked += pages;
      if (queue.pages + pages > queue.most_pages) continue;
      const id = world.rows.alloc(mix.requests[kind], mix.orders[kind]);
      if (id !== 0) queue.push(id, pages);
    }
    this.readers.wake(this.due_ns);
    this.due_ns += 1 + prng.exponential((asked * 1e9) / plan.pages_per_second);
  }
}

class Readers implements Actor {
  due_ns = Number.POSITIVE_INFINITY;
  readonly objects = 0;
  readonly #prng: Prng;
  /** pages in the queue that the present reader leaves for the next one */
  #rest = 0;

  constructor(
    readonly world: World,
    readonly plan: NetworkPlan,
    readonly queue: SocketQueue,
  ) {
    this.#prng = world.prng('readers');
  }

  /** Packets have come: unless it is on its way already, a reader will look before long. */
  wake(now_ns: number): void {
    if (this.due_ns !== Number.POSITIVE_INFINITY) return;
    const sleeps = this.#prng.below(SLEEPERS) === 0 ? SLEEP_LATENCIES : 1;
    this.due_ns = now_ns + 1 + this.#prng.exponential(this.plan.latency_ns * sleeps);
  }

  step(): void {
    const { world, queue } = this;
    const prng = this.#prng;
    world.rows.begin(this.due_ns, prng.below(world.scale.cpus));
    for (let n = 0; queue.pages > this.#rest && n < READ_ROWS; n++) queue.shift(world.rows);
    if (queue.pages > this.#rest) {
      this.due_ns += READ_GAP_NS;
      return;
    }
    // The next one takes most of what has come until then, not all.
    this.#rest = prng.below(POLL_BUDGET);
    this.due_ns = Number.POSITIVE_INFINITY;
  }
}

export function network(world: World, plan: NetworkPlan): readonly Actor[] {
  const queue = new SocketQueue(plan.backlog_pages);
  const readers = new Readers(world, plan, queue);
  return [new Receivers(world, plan, queue, readers), readers];
}
