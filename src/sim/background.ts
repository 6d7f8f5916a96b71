/**
 * The machine's background on the trace's clock: kswapd, kcompactd, the vmstat workers and the work of superpageblocks.
 *
 * The model never looks at a clock; it asks for its threads to be woken and says how long they took. Here that becomes
 * simulated time: a run begins when its wake-up latency has passed, and the zones count as being reclaimed until its
 * cost has passed, too. Everything is ordered by time, then by kind, then by number: the same trace gives the same run.
 */
import type { Background, NodeState, PageAllocator } from '../mm/page-alloc/page-allocator.js';
import { refreshCpuVmStats } from '../mm/page-alloc/vmstat-worker.js';
import { PROACTIVE_INTERVAL_NS, runKcompactd, runProactiveCompaction } from '../mm/reclaim/kcompactd.js';
import {
  endKswapdNap,
  endKswapdRun,
  KSWAPD_NAP_NS,
  type KswapdNext,
  kernelThreadCpu,
  kswapdWakeLatencyNs,
  startKswapdRun,
} from '../mm/reclaim/kswapd.js';
import type { SpbNodeWork } from '../mm/spb/node-work.js';
import { numbers, type StateIo } from '../mm/state-io.js';

const NEVER = Number.POSITIVE_INFINITY;

/** CPUs' workers are three ticks of a 250 Hz kernel apart, so that they do not all run at once. */
const CPU_SKEW_NS = 12_000_000;

/** An hour: work that triggers work again and again must not keep a run from ending. */
const DRAIN_NS = 3_600_000_000_000;

const KSWAPD_STEPS = ['start', 'end', 'nap_end'] as const;

/** Work that CPUs put off until they take interrupts. */
export interface TimedIrqWork {
  readonly due_ns: number;
  onQueued: (() => void) | null;
  runDue(now_ns: number): void;
}

interface NodeTimers {
  readonly node: NodeState;
  kswapd_ns: number;
  /** what kswapd does when its timer expires */
  kswapd_step: (typeof KSWAPD_STEPS)[number];
  kcompactd_ns: number;
  proactive_ns: number;
}

export class SimBackground implements Background {
  /** earliest timer: the replay loop compares each event's time with it, and nothing else */
  due_ns = NEVER;
  now_ns = 0;
  readonly #mm: PageAllocator;
  readonly #timers: NodeTimers[];
  readonly #vmstat_ns: number[];
  /** without a change for so long, every timer had two turns */
  readonly #settled_ns: number;
  /** deferred work of the slab allocator; null where no slabs are modelled */
  #irqWork: TimedIrqWork | null = null;
  /** nodes whose superpageblocks have had work; null before the first */
  #spbWork: readonly SpbNodeWork[] | null = null;

  /** @param start_ns time of the trace's first event */
  constructor(mm: PageAllocator, start_ns: number) {
    this.#mm = mm;
    this.now_ns = start_ns;
    const interval = mm.policy['vmstat.interval_ns'];
    this.#vmstat_ns = Array.from(
      { length: mm.nr_cpus },
      (_, cpu) => start_ns + interval + ((cpu * CPU_SKEW_NS) % interval),
    );
    this.#timers = mm.nodes.map((node) => ({
      node,
      kswapd_ns: NEVER,
      kswapd_step: 'start',
      kcompactd_ns: NEVER,
      proactive_ns: start_ns + PROACTIVE_INTERVAL_NS,
    }));
    this.#settled_ns = 2 * Math.max(interval, PROACTIVE_INTERVAL_NS);
    mm.background = this;
    this.#setDue();
  }

  /** The machine must have been loaded before: it has the work that waits. */
  serialize(io: StateIo): void {
    numbers<SimBackground>(io, this, ['due_ns', 'now_ns']);
    for (const timers of this.#timers) {
      numbers(io, timers, ['kswapd_ns', 'kcompactd_ns', 'proactive_ns']);
      timers.kswapd_step = io.word('kswapd_step', timers.kswapd_step, KSWAPD_STEPS);
    }
    const vmstat_ns = io.list('vmstat_ns', this.#vmstat_ns);
    if (vmstat_ns.length !== this.#vmstat_ns.length) io.refuse('vmstat_ns is of another number of CPUs');
    this.#vmstat_ns.splice(0, vmstat_ns.length, ...vmstat_ns);
    if (!io.flag('has_spb_work', this.#spbWork !== null)) {
      this.#spbWork = null;
      return;
    }
    const nodes = io.list('spb_work', this.#spbWork?.map(({ node }) => node) ?? []);
    if (io.isLoading)
      this.#spbWork = nodes.map((node) => this.#mm.spb?.nodes[node] ?? io.refuse(`node ${node} has no work`));
  }

  wakeKswapd(node: NodeState): void {
    const timers = this.#timers[node.node]!;
    timers.kswapd_step = 'start';
    timers.kswapd_ns = this.now_ns + kswapdWakeLatencyNs(this.#mm);
    this.due_ns = Math.min(this.due_ns, timers.kswapd_ns);
  }

  wakeKcompactd(node: NodeState): void {
    const timers = this.#timers[node.node]!;
    timers.kcompactd_ns = this.now_ns + kswapdWakeLatencyNs(this.#mm);
    this.due_ns = Math.min(this.due_ns, timers.kcompactd_ns);
  }

  /** From now on this work runs when it is due. */
  takeOver(work: TimedIrqWork): void {
    this.#irqWork = work;
    work.onQueued = () => {
      this.due_ns = Math.min(this.due_ns, work.due_ns);
    };
    this.due_ns = Math.min(this.due_ns, work.due_ns);
  }

  wakeSpbWork(work: SpbNodeWork): void {
    this.#spbWork ??= (this.#mm.spb?.nodes ?? []).filter((each) => each !== null);
    if (!this.#spbWork.includes(work)) this.#spbWork = [...this.#spbWork, work];
    this.due_ns = Math.min(this.due_ns, work.due_ns);
  }

  /** Runs every timer up to `ts`, in order of time. */
  runUntil(ts: number): void {
    let changed_ns = this.now_ns;
    while (this.due_ns <= ts) {
      this.now_ns = this.due_ns;
      if (this.#runOne()) changed_ns = this.now_ns;
      if (this.now_ns - changed_ns > this.#settled_ns) this.#skipIdleRounds(ts);
      this.#setDue();
    }
    this.now_ns = ts;
  }

  /**
   * Moves the timers to their last turn before `ts`. For when each had a turn and found nothing to do, twice, and nothing
   * else is under way: until the next event all turns between are like that. A clock may leap by months.
   */
  #skipIdleRounds(ts: number): void {
    if (this.#timers.some(({ kswapd_ns, kcompactd_ns }) => kswapd_ns !== NEVER || kcompactd_ns !== NEVER))
      return;
    if (this.#spbWork?.some(({ due_ns }) => due_ns !== NEVER)) return;
    if (this.#irqWork !== null && this.#irqWork.due_ns !== NEVER) return;
    const interval = this.#mm.policy['vmstat.interval_ns'];
    const skipped = (due: number, every: number) => due + Math.max(0, Math.floor((ts - due) / every)) * every;
    this.#vmstat_ns.forEach((due, cpu) => {
      this.#vmstat_ns[cpu] = skipped(due, interval);
    });
    for (const timers of this.#timers)
      timers.proactive_ns = skipped(timers.proactive_ns, PROACTIVE_INTERVAL_NS);
  }

  /** Nothing is under way that `drain` would bring to an end: it changes nothing now. */
  get isDrained(): boolean {
    if (this.#dueSpbWork(this.now_ns + DRAIN_NS) !== undefined) return false;
    if (this.#irqWork !== null && this.#irqWork.due_ns <= this.now_ns + DRAIN_NS) return false;
    return !this.#timers.some(({ node, kswapd_ns }) => node.kswapd_run !== null && kswapd_ns !== NEVER);
  }

  /**
   * A run that is under way when the trace ends is ended, so that no zone stays marked as being reclaimed; work of
   * superpageblocks that waits is done, and what it triggers in turn, as far as an hour is enough for that.
   */
  drain(): void {
    const end_ns = this.now_ns + DRAIN_NS;
    while (this.#irqWork !== null && this.#irqWork.due_ns <= end_ns) this.runUntil(this.#irqWork.due_ns);
    for (let work = this.#dueSpbWork(end_ns); work !== undefined; work = this.#dueSpbWork(end_ns))
      this.runUntil(work.due_ns);
    for (const timers of this.#timers)
      if (timers.node.kswapd_run !== null && timers.kswapd_ns !== NEVER) this.runUntil(timers.kswapd_ns);
  }

  /** @returns whether it had anything to do */
  #runOne(): boolean {
    if (this.#irqWork !== null && this.#irqWork.due_ns <= this.due_ns) {
      this.#irqWork.runDue(this.now_ns);
      return true;
    }
    const work = this.#dueSpbWork(this.due_ns);
    if (work !== undefined) {
      work.run(this.now_ns);
      return true;
    }
    for (const timers of this.#timers) {
      if (timers.kswapd_ns === this.due_ns) this.#stepKswapd(timers);
      else if (timers.kcompactd_ns === this.due_ns) this.#compact(timers);
      else if (timers.proactive_ns === this.due_ns) return this.#compactProactively(timers);
      else continue;
      return true;
    }
    const cpu = this.#vmstat_ns.indexOf(this.due_ns);
    if (cpu < 0) return false;
    this.#vmstat_ns[cpu] = this.due_ns + this.#mm.policy['vmstat.interval_ns'];
    return !this.#mm.offline_cpus.has(cpu) && refreshCpuVmStats(this.#mm, cpu) > 0;
  }

  /** The first node's work that is due at or before `ns`. */
  #dueSpbWork(ns: number): SpbNodeWork | undefined {
    return this.#spbWork?.find(({ due_ns }) => due_ns !== NEVER && due_ns <= ns);
  }

  #stepKswapd(timers: NodeTimers): void {
    const { node } = timers;
    timers.kswapd_ns = NEVER;
    if (timers.kswapd_step === 'start') {
      const run = startKswapdRun(this.#mm, node);
      timers.kswapd_step = 'end';
      timers.kswapd_ns = this.now_ns + Math.max(1, run.cost_ns);
      return;
    }
    const next: KswapdNext =
      timers.kswapd_step === 'end' ? endKswapdRun(this.#mm, node) : endKswapdNap(this.#mm, node);
    if (next === 'sleep') return;
    timers.kswapd_step = next === 'run' ? 'start' : 'nap_end';
    timers.kswapd_ns = this.now_ns + (next === 'run' ? 1 : KSWAPD_NAP_NS);
  }

  #compact(timers: NodeTimers): void {
    timers.kcompactd_ns = NEVER;
    runKcompactd(this.#mm, timers.node, kernelThreadCpu(this.#mm, timers.node));
  }

  /** @returns false if fragmentation was too low to begin */
  #compactProactively(timers: NodeTimers): boolean {
    const run = runProactiveCompaction(this.#mm, timers.node, kernelThreadCpu(this.#mm, timers.node));
    timers.proactive_ns = this.now_ns + run.next_ns + run.cost_ns;
    return run.cost_ns > 0 || run.next_ns !== PROACTIVE_INTERVAL_NS;
  }

  #setDue(): void {
    let due = NEVER;
    for (const timers of this.#timers)
      due = Math.min(due, timers.kswapd_ns, timers.kcompactd_ns, timers.proactive_ns);
    for (const ns of this.#vmstat_ns) due = Math.min(due, ns);
    for (const work of this.#spbWork ?? []) due = Math.min(due, work.due_ns);
    if (this.#irqWork !== null) due = Math.min(due, this.#irqWork.due_ns);
    this.due_ns = due;
  }
}
