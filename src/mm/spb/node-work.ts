/**
 * The background of one node: what the allocator triggers, the irq_work that makes work items of it, and the workqueue
 * that runs them one at a time.
 *
 *     trigger (zone lock held)  --irq_work-->  queued  --kevacuate/N, max_active 1-->  run, busy for its cost
 *
 * A trigger never runs anything: the allocator may hold locks that the work needs. Work that waits behind other work of its
 * node is told by `waited_ns`. Whoever keeps the time calls `run` when `due_ns` has come.
 * model: spb 4.1, 4.2, 4.4, 4.5, 4.6, 4.7
 */
import type { PageAllocator } from '../page-alloc/page-allocator.js';
import type { Zone } from '../page-alloc/zone.js';
import { numbers, type StateIo } from '../state-io.js';
import { PAGEBLOCK_ORDER } from '../types.js';
import type { SpbStats } from './spb-stats.js';
import type { SpbSystem } from './spb-system.js';

export type WorkKind = keyof SpbStats['work'];

/** One item of work; what does not belong to its kind is -1. */
interface WorkItem {
  readonly kind: WorkKind;
  readonly zone: Zone | null;
  readonly spb: number;
  readonly order: number;
  readonly migratetype: number;
  queued_ns: number;
}

/** What runs when an item's turn has come. Each returns the simulated time that it takes. */
export interface WorkRunners {
  evacuate(mm: PageAllocator, zone: Zone, order: number, migratetype: number): number;
  defrag(mm: PageAllocator, zone: Zone, spb: number): number;
  slab_shrink(mm: PageAllocator, node: number): number;
}

const NEVER = Number.POSITIVE_INFINITY;

/** An item among the numbers of a saved state: the number of its kind, that of its zone or -1, and the others. */
const WORK_KINDS: readonly WorkKind[] = ['evacuate', 'defrag', 'slab_shrink'];
const ITEM_NUMBERS = 6;

/** A workqueue with max_active 1. */
interface Worker {
  readonly items: WorkItem[];
  due_ns: number;
  /** the item that `due_ns` is the end of */
  running: WorkItem | null;
}

export class SpbNodeWork {
  /** when something is to be done next */
  due_ns = NEVER;
  free_descriptors: number;
  #raised: WorkItem[] = [];
  #irq_ns = NEVER;
  #shrinkRaised = false;
  #shrinkPending = false;
  #shrinkRunning = false;
  /** one, or one per kind */
  readonly #workers: Readonly<Record<WorkKind, Worker>>;

  constructor(
    readonly mm: PageAllocator,
    readonly node: number,
    readonly system: SpbSystem,
    readonly runners: WorkRunners,
  ) {
    this.free_descriptors = mm.policy['spb.evac_pool'];
    const newWorker = (): Worker => ({ items: [], due_ns: NEVER, running: null });
    const shared = newWorker();
    const isShared = mm.policy['spb.wq_shared'];
    this.#workers = {
      evacuate: shared,
      defrag: isShared ? shared : newWorker(),
      slab_shrink: isShared ? shared : newWorker(),
    };
  }

  serialize(io: StateIo): void {
    numbers<SpbNodeWork>(io, this, ['due_ns', 'free_descriptors']);
    this.#raised = this.#serializeItems(io, 'raised', this.#raised);
    this.#irq_ns = io.number('irq_ns', this.#irq_ns);
    this.#shrinkRaised = io.flag('shrink_raised', this.#shrinkRaised);
    this.#shrinkPending = io.flag('shrink_pending', this.#shrinkPending);
    this.#shrinkRunning = io.flag('shrink_running', this.#shrinkRunning);
    for (const worker of new Set(Object.values(this.#workers))) {
      const items = this.#serializeItems(io, 'items', worker.items);
      worker.items.splice(0, worker.items.length, ...items);
      worker.due_ns = io.number('worker_due_ns', worker.due_ns);
      const running = worker.running === null ? [] : [worker.running];
      worker.running = this.#serializeItems(io, 'running', running)[0] ?? null;
    }
  }

  #serializeItems(io: StateIo, name: string, items: WorkItem[]): WorkItem[] {
    const numbersOf = ({ kind, zone, spb, order, migratetype, queued_ns }: WorkItem) => [
      WORK_KINDS.indexOf(kind),
      zone?.number ?? -1,
      spb,
      order,
      migratetype,
      queued_ns,
    ];
    const saved = io.list(name, items.flatMap(numbersOf));
    if (!io.isLoading) return items;
    const loaded: WorkItem[] = [];
    for (let at = 0; at < saved.length; at += ITEM_NUMBERS) {
      const [kindNumber, zoneNumber, spb, order, migratetype, queued_ns] = saved.slice(at, at + ITEM_NUMBERS);
      const kind = WORK_KINDS[kindNumber!];
      const zone = this.mm.zones[zoneNumber!] ?? null;
      if (kind === undefined || queued_ns === undefined || (zone === null) !== (kind === 'slab_shrink'))
        return io.refuse(`${name} holds no work item`);
      loaded.push({ kind, zone, spb: spb!, order: order!, migratetype: migratetype!, queued_ns });
    }
    return loaded;
  }

  /** Items that wait or run. */
  get backlog(): number {
    let items = this.#raised.length;
    for (const worker of new Set(Object.values(this.#workers)))
      items += worker.items.length + (worker.running === null ? 0 : 1);
    return items;
  }

  /** queue_spb_evacuate(): takes a descriptor, or drops the request where there is none. */
  raiseEvacuate(zone: Zone, order: number, migratetype: number): boolean {
    if (this.free_descriptors === 0) return false;
    this.free_descriptors--;
    this.#raise({ kind: 'evacuate', zone, spb: -1, order, migratetype, queued_ns: 0 });
    return true;
  }

  raiseDefrag(zone: Zone, spb: number): void {
    zone.spb!.defrag_pending[spb] = 1;
    this.#raise({ kind: 'defrag', zone, spb, order: -1, migratetype: -1, queued_ns: 0 });
  }

  /** An irq_work that is already raised is not raised again. */
  raiseSlabShrink(): void {
    if (this.#shrinkRaised) return;
    this.#shrinkRaised = true;
    this.#raise({ kind: 'slab_shrink', zone: null, spb: -1, order: -1, migratetype: -1, queued_ns: 0 });
  }

  #raise(item: WorkItem): void {
    this.#raised.push(item);
    if (this.#irq_ns !== NEVER) return;
    this.#irq_ns = (this.mm.background?.now_ns ?? 0) + this.mm.policy['spb.irq_work_latency_ns'];
    this.#setDue();
    this.mm.background?.wakeSpbWork(this);
  }

  /** Does everything that is due at `now_ns`: the irq_work, the ends and the starts of items. */
  run(now_ns: number): void {
    if (this.#irq_ns <= now_ns) this.#irqWork(now_ns);
    for (const worker of new Set(Object.values(this.#workers)))
      if (worker.due_ns <= now_ns) this.#step(worker, now_ns);
    this.#setDue();
  }

  /** Forgets what waits for a zone whose superpageblocks are about to be moved. model: spb 2.6 */
  dropZone(zone: Zone): void {
    const ofZone = (item: WorkItem) => item.zone === zone;
    const dropped = this.#raised.filter(ofZone);
    this.#raised = this.#raised.filter((item) => !ofZone(item));
    for (const worker of new Set(Object.values(this.#workers))) {
      dropped.push(...worker.items.filter(ofZone));
      worker.items.splice(0, worker.items.length, ...worker.items.filter((item) => !ofZone(item)));
      if (worker.running !== null && ofZone(worker.running)) {
        this.#end(worker.running);
        worker.running = null;
      }
    }
    for (const item of dropped) this.#end(item);
  }

  #irqWork(now_ns: number): void {
    this.#irq_ns = NEVER;
    const raised = this.#raised;
    this.#raised = [];
    for (const item of raised) {
      if (item.kind === 'slab_shrink' && !this.#takesShrink()) continue;
      item.queued_ns = now_ns;
      const worker = this.#workers[item.kind];
      worker.items.push(item);
      if (worker.due_ns === NEVER) worker.due_ns = now_ns + this.mm.policy['spb.work_latency_ns'];
    }
  }

  /** queue_work() of the shrink work: refused while it is pending. */
  #takesShrink(): boolean {
    this.#shrinkRaised = false;
    const absorbs = this.mm.policy['spb.shrink_running_absorbs'] && this.#shrinkRunning;
    if (this.#shrinkPending || absorbs) return false;
    this.#shrinkPending = true;
    this.system.stats.spb_slab_shrink_queued++;
    return true;
  }

  #step(worker: Worker, now_ns: number): void {
    if (worker.running !== null) {
      this.#end(worker.running);
      worker.running = null;
    }
    const item = worker.items.shift();
    if (item === undefined) {
      worker.due_ns = NEVER;
      return;
    }
    worker.running = item;
    const cost_ns = Math.max(1, this.#start(item));
    worker.due_ns = now_ns + cost_ns;
    const times = this.system.stats.work[item.kind];
    times.runs++;
    times.busy_ns += cost_ns;
    times.waited_ns += now_ns - item.queued_ns;
    times.most_waited_ns = Math.max(times.most_waited_ns, now_ns - item.queued_ns);
  }

  /** @returns simulated ns that the item takes; its effect is complete when it starts */
  #start(item: WorkItem): number {
    const { mm, runners } = this;
    switch (item.kind) {
      case 'evacuate':
        return runners.evacuate(mm, item.zone!, item.order, item.migratetype);
      case 'defrag':
        return runners.defrag(mm, item.zone!, item.spb);
      case 'slab_shrink':
        this.#shrinkPending = false;
        this.#shrinkRunning = true;
        this.system.stats.spb_slab_shrink_ran++;
        return runners.slab_shrink(mm, this.node);
    }
  }

  #end(item: WorkItem): void {
    if (item.kind === 'evacuate') this.free_descriptors++;
    else if (item.kind === 'defrag') item.zone!.spb!.defrag_pending[item.spb] = 0;
    else this.#shrinkRunning = false;
  }

  #setDue(): void {
    let due = this.#irq_ns;
    for (const worker of Object.values(this.#workers)) due = Math.min(due, worker.due_ns);
    this.due_ns = due;
  }
}

/** Asks for movable pages to be moved away for a request like this. model: spb 4.2 */
export function queueSpbEvacuate(mm: PageAllocator, zone: Zone, order: number, migratetype: number): void {
  const system = mm.spb!;
  const work = system.workOf(zone);
  if (work === null || !system.rules.evacuation) return;
  system.stats.evac_requested++;
  if (!work.raiseEvacuate(zone, order, migratetype)) system.stats.evac_dropped++;
  system.tracer?.trigger(`evacuation for order ${order} queued`);
}

/** Asks for slab to be shrunk on the zone's node. model: spb 4.6 */
export function queueSpbSlabShrink(
  mm: PageAllocator,
  zone: Zone,
  why: 'demand' | 'supply' | 'high_water',
): void {
  const system = mm.spb!;
  const work = system.workOf(zone);
  const { shrink_on_demand, shrink_on_high_water } = system.rules;
  if (work === null || !(why === 'high_water' ? shrink_on_high_water : shrink_on_demand)) return;
  work.raiseSlabShrink();
  system.tracer?.trigger(`slab shrink (${why.replace('_', ' ')})`);
}

/** spb_react_to_tainted_alloc(): after an allocation that a tainted superpageblock served. model: spb 4.4 */
export function reactToTaintedAlloc(mm: PageAllocator, zone: Zone, spb: number): void {
  const spbs = zone.spb!;
  if (!spbs.isBelowHighWater(spb) || !spbs.isTainted(spb)) return;
  queueSpbSlabShrink(mm, zone, 'high_water');
  if (mm.spb!.rules.defrag_on_react) offerToDefrag(mm, zone, spb);
}

/** spb_maybe_start_defrag(): starts the superpageblock's worker if it needs one. model: spb 4.5 */
export function offerToDefrag(mm: PageAllocator, zone: Zone, spb: number): void {
  const system = mm.spb!;
  const spbs = zone.spb!;
  if (!system.rules.defrag || !spbs.isTainted(spb)) return;
  const work = system.workOf(zone);
  if (work === null) return;
  system.stats.defrag_offered++;
  if (spbs.defrag_pending[spb] !== 0 || spbs.contig_allocated[spb] !== 0) return;
  if (spbs.nr_movable[spb] === 0 || !isShort(mm, zone, spb)) return;
  const rested_ns = (mm.background?.now_ns ?? 0) - spbs.defrag_last_no_progress_ns[spb]!;
  if (rested_ns < mm.policy['spb.defrag_cooldown_ns']) {
    system.stats.defrag_in_cooldown++;
    return;
  }
  work.raiseDefrag(zone, spb);
  system.tracer?.trigger(`defrag of superpageblock 0x${spbs.start_pfn(spb).toString(16)}`);
}

/** Below the marks at which defrag starts. */
function isShort(mm: PageAllocator, zone: Zone, spb: number): boolean {
  const spbs = zone.spb!;
  const blocks = mm.policy['spb.defrag_start_blocks'];
  const free = spbs.nr_free[spb]!;
  return (
    (blocks === 0 ? free < spbs.reserve(spb) : free <= blocks) ||
    spbs.nr_free_pages[spb]! < mm.policy['spb.defrag_start_pages']
  );
}

/** At or above the marks at which it stops; the gap between both keeps it from flapping. */
export function hasEnough(mm: PageAllocator, zone: Zone, spb: number): boolean {
  const spbs = zone.spb!;
  const wanted = mm.policy['spb.defrag_stop_blocks'];
  const blocks = wanted === 0 ? spbs.reserve(spb) + 1 : wanted;
  const pages = Math.max(
    blocks << PAGEBLOCK_ORDER,
    mm.policy['spb.defrag_start_pages'] + (1 << PAGEBLOCK_ORDER),
  );
  return spbs.nr_free[spb]! >= blocks || spbs.nr_free_pages[spb]! >= pages;
}
