/**
 * The contexts of each CPU (task, softirq, hardirq, NMI), one on top of the other, with the locks that each holds in the
 * two allocators. Whoever replays says what runs where (`run`) and what strikes at the points that the allocators come to
 * (`strike`); the allocators learn from here what is held below a request, and deferred work runs when a CPU's
 * interrupts are on again.
 *
 * A call that would wait for ever is noted as a hazard and goes on as if the lock had been free.
 * model: slub 7
 */
import { Context } from '../context.js';
import { InvariantError } from '../invariant.js';
import { DEFAULT_BUILD, type MachineBuild } from '../machine-build.js';
import {
  type InterruptedPageLocks,
  type PageAllocator,
  PageLock,
  type PageLockListener,
  type PagePoint,
} from '../page-alloc/page-allocator.js';
import type { Zone } from '../page-alloc/zone.js';
import type { KmemCache } from '../slab/kmem-cache.js';
import type { SlabAllocator } from '../slab/slab-allocator.js';
import {
  type InterruptedLocks,
  SlabLock,
  type SlabLockListener,
  type SlabPoint,
  type SlabPointListener,
} from '../slab/slab-interfaces.js';
import { numbers, type StateIo } from '../state-io.js';
import { type Hazard, type HazardFrame, type HazardKind, type KernelCall, waitsForLocks } from './hazard.js';
import { HeldLocks, LOCK_NAMES, LockKind, type LockName, lockText, NO_CPU } from './held-locks.js';

/** Where an interruption may strike: right after a lock was taken, or at a place without one. */
export type StrikePoint = LockName | SlabPoint | PagePoint;

/**
 * What happens at a point. It may call the allocators again, by `run`; those calls come to points of their own.
 *
 * @param where cache or zone of the point, null where it has none
 */
export type Strike = (point: StrikePoint, where: KmemCache | Zone | null, cpu: number) => void;

/** Work of a CPU that waits for its interrupts to be on. model: slub 3.5 */
export interface IrqWork {
  isPending(cpu: number): boolean;
  run(cpu: number): void;
}

export interface RunOptions {
  /** interrupts are off all along */
  readonly irqsOff?: boolean;
  /** the call may sleep: only a task with interrupts on may make it */
  readonly maySleep?: boolean;
}

/** Runs of the irq_work, one after the other: one that cannot begin, or never ends its work, must not hold up the run. */
const MAX_ROUNDS = 8;
/** Hazards that are kept with all that is known of them; the rest is counted. */
const MAX_HAZARDS = 100;
const SLAB_KINDS = {
  [SlabLock.cpu_slab]: LockKind.cpu_slab,
  [SlabLock.list_lock]: LockKind.list_lock,
  [SlabLock.barn]: LockKind.barn,
} as const;
const PAGE_KINDS = { [PageLock.pcp]: LockKind.pcp, [PageLock.zone]: LockKind.zone } as const;
const CONTEXT_NAMES = ['a task', 'a softirq', 'a hardirq', 'an NMI'] as const;

export class CpuContexts
  implements SlabLockListener, SlabPointListener, PageLockListener, InterruptedLocks, InterruptedPageLocks
{
  strike: Strike | null = null;
  irqWork: IrqWork | null = null;
  readonly hazards: Hazard[] = [];
  nr_deadlocks = 0;
  nr_misuses = 0;
  nr_order_hazards = 0;
  /** locks that another CPU held when a call that waits wanted them: that CPU would have gone on */
  nr_waits = 0;

  /** CPUs whose task has turned interrupts off */
  readonly #taskIrqsOff: Uint8Array;
  readonly #held = new HeldLocks();
  /** frames of all CPUs, the one that runs last */
  readonly #cpus: number[] = [];
  readonly #contexts: Context[] = [];
  readonly #calls: KernelCall[] = [];
  readonly #irqsOff: boolean[] = [];
  #slabs: SlabAllocator | null = null;
  #mm: PageAllocator | null = null;
  #build: MachineBuild = DEFAULT_BUILD;

  constructor(readonly nr_cpus: number) {
    this.#taskIrqsOff = new Uint8Array(nr_cpus);
  }

  /** Begins to listen to the allocators of a machine. */
  attach(slabs: SlabAllocator | null, mm: PageAllocator | null): void {
    this.#slabs = slabs;
    this.#mm = mm;
    this.#build = slabs?.build ?? mm?.build ?? DEFAULT_BUILD;
    if (slabs !== null) {
      slabs.locks = this;
      slabs.points = this;
      slabs.interrupted = this;
    }
    if (mm !== null) {
      mm.locks = this;
      mm.interrupted = this;
    }
  }

  /** Leaves the allocators alone: nothing is interrupted any more, and nothing paid for. */
  detach(): void {
    if (this.#slabs !== null) {
      this.#slabs.locks = null;
      this.#slabs.points = null;
      this.#slabs.interrupted = null;
    }
    if (this.#mm !== null) {
      this.#mm.locks = null;
      this.#mm.interrupted = null;
    }
    this.#slabs = null;
    this.#mm = null;
  }

  /**
   * Makes one call on a CPU, on top of what runs there. In the same context as that it is a direct call out of it, as a
   * probe's handler makes; in a higher one, an interruption. Deferred work that has become due runs afterwards.
   *
   * Where a machine has several CPUs each call goes through here: nothing else says whose locks are whose.
   */
  run<T>(cpu: number, context: Context, call: KernelCall, body: () => T, options: RunOptions = {}): T {
    const wasOff = this.areInterruptsOff(cpu);
    const below = this.contextOf(cpu);
    this.#push(cpu, context, call, options.irqsOff ?? false);
    if (context < below || (context > below && context !== Context.nmi && wasOff))
      this.#note(
        'order',
        `${CONTEXT_NAMES[context]} over ${CONTEXT_NAMES[below]}${wasOff ? ', interrupts off' : ''}`,
      );
    if (context === Context.nmi && waitsForLocks(call)) this.#note('misuse', `${call} in an NMI`);
    if (options.maySleep && (context !== Context.task || this.areInterruptsOff(cpu)))
      this.#note('misuse', `${call} may sleep`);
    try {
      return body();
    } finally {
      this.#pop();
      this.#runIrqWork(cpu);
    }
  }

  /** What runs on a CPU; a task where nothing does. */
  contextOf(cpu: number): Context {
    for (let frame = this.#cpus.length - 1; frame >= 0; frame--)
      if (this.#cpus[frame] === cpu) return this.#contexts[frame]!;
    return Context.task;
  }

  /** Contexts that lie on a CPU. */
  depthOf(cpu: number): number {
    let depth = 0;
    for (const other of this.#cpus) if (other === cpu) depth++;
    return depth;
  }

  /** By the task, by a lock, or because an interrupt is served. */
  areInterruptsOff(cpu: number): boolean {
    if (this.#taskIrqsOff[cpu] !== 0) return true;
    for (let frame = this.#cpus.length - 1; frame >= 0; frame--)
      if (this.#cpus[frame] === cpu && (this.#irqsOff[frame]! || this.#contexts[frame]! >= Context.hardirq))
        return true;
    return !this.#build.preempt_rt && this.#held.turnsInterruptsOff(cpu);
  }

  /** The task of a CPU turns interrupts off, or on again. */
  setInterrupts(cpu: number, isOn: boolean): void {
    this.#taskIrqsOff[cpu] = isOn ? 0 : 1;
    this.#runIrqWork(cpu);
  }

  /** Names of the locks that a CPU holds, outermost first. */
  heldBy(cpu: number): string[] {
    return this.#held.namesOf((_frame, holder) => holder === cpu);
  }

  get nr_hazards(): number {
    return this.nr_deadlocks + this.nr_misuses + this.nr_order_hazards;
  }

  enter(lock: SlabLock, cache: KmemCache, index: number): void;
  enter(lock: PageLock, zone: Zone, cpu: number): void;
  enter(lock: SlabLock | PageLock, owner: KmemCache | Zone, index: number): void {
    const kind = kindOf(lock, owner);
    const place = placeOf(kind, index);
    const cpu = this.#runningCpu(kind, index);
    const holder = this.#held.holder(kind, owner, place);
    // Without SMP only the local lock is one that could be found taken.
    const isThere = kind === LockKind.cpu_slab || this.#build.smp || this.#build.preempt_rt;
    // The thread of a real-time kernel sleeps until the task below lets go, as one of another CPU would.
    if (holder === cpu && isThere && !this.#isThread) this.#note('deadlock', lockText(kind, owner, place));
    else if (holder !== NO_CPU && (holder !== cpu || this.#isThread)) this.nr_waits++;
    this.#held.push(kind, owner, place, cpu, this.#cpus.length - 1);
    this.#strikeAt(LOCK_NAMES[kind], owner, cpu);
  }

  leave(lock: SlabLock, cache: KmemCache, index: number): void;
  leave(lock: PageLock, zone: Zone, cpu: number): void;
  leave(lock: SlabLock | PageLock, owner: KmemCache | Zone, index: number): void {
    const kind = kindOf(lock, owner);
    if (!this.#held.isLast(kind, owner, placeOf(kind, index)))
      throw new InvariantError(`${lockText(kind, owner, placeOf(kind, index))} is let go out of order`);
    this.#held.pop();
    this.#runIrqWork(this.#runningCpu(kind, index));
  }

  reach(point: SlabPoint, cache: KmemCache, cpu: number): void;
  reach(point: PagePoint, cpu: number): void;
  reach(point: SlabPoint | PagePoint, where: KmemCache | number, cpu = 0): void {
    if (typeof where === 'number') this.#strikeAt(point, null, where);
    else this.#strikeAt(point, where, cpu);
  }

  holds(lock: SlabLock, cache: KmemCache, index: number): boolean {
    return this.#held.holder(kindOf(lock, cache), cache, index) !== NO_CPU;
  }

  holdsPcp(zone: Zone, cpu: number): boolean {
    return this.#held.holder(LockKind.pcp, zone, cpu) !== NO_CPU;
  }

  holdsZone(zone: Zone): boolean {
    return this.#held.holder(LockKind.zone, zone, 0) !== NO_CPU;
  }

  /** Between two calls, when no CPU is in the middle of anything. */
  serialize(io: StateIo): void {
    numbers<CpuContexts>(io, this, ['nr_deadlocks', 'nr_misuses', 'nr_order_hazards', 'nr_waits']);
    io.array('taskIrqsOff', this.#taskIrqsOff);
    const hazards = io.plain('hazards', this.hazards);
    if (io.isLoading) this.hazards.splice(0, this.hazards.length, ...hazards);
  }

  #strikeAt(point: StrikePoint, where: KmemCache | Zone | null, cpu: number): void {
    const { strike } = this;
    if (strike === null) return;
    this.#keepingAnswers(() => strike(point, where, cpu));
  }

  /** What runs now is a thread of its own and not the code that it came upon. */
  get #isThread(): boolean {
    return this.#build.preempt_rt && this.#calls.at(-1) === 'irq_work';
  }

  /** Deferred work is an interrupt of its own, and may leave new work behind. model: slub 7.5 */
  #runIrqWork(cpu: number): void {
    const work = this.irqWork;
    const isThread = this.#build.preempt_rt;
    for (let round = 0; round < MAX_ROUNDS && work?.isPending(cpu) && !this.areInterruptsOff(cpu); round++) {
      this.#push(cpu, isThread ? Context.task : Context.hardirq, 'irq_work', !isThread);
      this.#keepingAnswers(() => work.run(cpu));
      this.#pop();
    }
  }

  /** What the interrupted call keeps outside of its own variables must be there when it goes on. */
  #keepingAnswers(body: () => void): void {
    const slot = this.#slabs?.slot ?? 0;
    const searchMode = this.#mm?.searchMode ?? 0;
    body();
    if (this.#slabs !== null) this.#slabs.slot = slot;
    if (this.#mm !== null) this.#mm.searchMode = searchMode;
  }

  /** Without a frame only some locks say whose they are. */
  #runningCpu(kind: LockKind, index: number): number {
    return this.#cpus.at(-1) ?? (kind === LockKind.list_lock || kind === LockKind.barn ? 0 : index);
  }

  #push(cpu: number, context: Context, call: KernelCall, irqsOff: boolean): void {
    this.#cpus.push(cpu);
    this.#contexts.push(context);
    this.#calls.push(call);
    this.#irqsOff.push(irqsOff);
  }

  #pop(): void {
    this.#cpus.pop();
    this.#contexts.pop();
    this.#calls.pop();
    this.#irqsOff.pop();
  }

  #note(kind: HazardKind, wanted: string): void {
    if (kind === 'deadlock') this.nr_deadlocks++;
    else if (kind === 'misuse') this.nr_misuses++;
    else this.nr_order_hazards++;
    if (this.hazards.length >= MAX_HAZARDS) return;
    const cpu = this.#cpus.at(-1) ?? 0;
    this.hazards.push({ kind, cpu, stack: this.#stackOf(cpu), wanted });
  }

  #stackOf(cpu: number): HazardFrame[] {
    const stack: HazardFrame[] = [];
    this.#cpus.forEach((other, frame) => {
      if (other !== cpu) return;
      const locks = this.#held.namesOf((of) => of === frame);
      stack.push({ context: this.#contexts[frame]!, call: this.#calls[frame]!, locks });
    });
    return stack;
  }
}

function kindOf(lock: SlabLock | PageLock, owner: KmemCache | Zone): LockKind {
  return 'geometry' in owner ? SLAB_KINDS[lock] : PAGE_KINDS[lock as PageLock];
}

/** Which of the owner's locks of a kind it is. */
function placeOf(kind: LockKind, index: number): number {
  return kind === LockKind.zone ? 0 : index;
}
