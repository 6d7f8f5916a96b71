/**
 * When deferred slab work runs in a replay: once its delay has passed and its CPU takes interrupts. Named locks of a trace
 * (`lock` and `unlock` rows) keep them off.
 * model: slub 4.4, 7.5
 */
import type { CpuContexts, IrqWork as InterruptingWork } from '../../mm/interruption/cpu-contexts.js';
import type { DeferredWork } from '../../mm/slab/deferred.js';
import { IrqWork } from '../../mm/slab/irq-work.js';
import type { StateIo } from '../../mm/state-io.js';

const NEVER = Number.POSITIVE_INFINITY;

export class SlabIrqs implements InterruptingWork {
  /** listens to operations that something strikes in; null where nothing does */
  #contexts: CpuContexts | null = null;
  /** told when work is queued, so that whoever keeps the time can look when it is due */
  onQueued: (() => void) | null = null;
  /** told right before work runs, when the most waits, and right after it */
  onRun: ((now_ns: number) => void) | null = null;
  readonly #work: IrqWork;
  /** named locks that each CPU's task holds */
  readonly #locks: Uint16Array;

  constructor(readonly deferred: DeferredWork) {
    this.#work = new IrqWork(deferred);
    this.#locks = new Uint16Array(deferred.objects.length);
    const noteDue = deferred.onQueued;
    deferred.onQueued = (cpu) => {
      noteDue?.(cpu);
      this.onQueued?.();
    };
  }

  /** Interrupts that locks keep off are off for these, too. */
  tell(contexts: CpuContexts): void {
    this.#contexts = contexts;
    for (let cpu = 0; cpu < this.#locks.length; cpu++)
      if (this.isAtomic(cpu)) contexts.setInterrupts(cpu, false);
  }

  serialize(io: StateIo): void {
    io.part('work', this.#work);
    io.array('locks', this.#locks);
  }

  /** The time of the operation that follows. */
  set now_ns(ns: number) {
    this.#work.now_ns = ns;
  }

  get now_ns(): number {
    return this.#work.now_ns;
  }

  get runs(): number {
    return this.#work.runs;
  }

  /** Earliest time at which work of a CPU that takes interrupts is due. */
  get due_ns(): number {
    let due = NEVER;
    for (let cpu = 0; cpu < this.#locks.length; cpu++)
      if (this.#locks[cpu] === 0) due = Math.min(due, this.#work.dueOf(cpu));
    return due;
  }

  isPending(cpu: number): boolean {
    const { deferred } = this;
    return deferred.isPending(cpu) && !deferred.isRunning(cpu) && this.#work.dueOf(cpu) <= this.#work.now_ns;
  }

  run(cpu: number): void {
    this.#runOf(this.#work.now_ns, (other) => other === cpu);
  }

  runDue(now_ns: number): void {
    this.#runOf(now_ns, (cpu) => this.#locks[cpu] === 0);
  }

  #runOf(now_ns: number, takesInterrupts: (cpu: number) => boolean): void {
    this.onRun?.(now_ns);
    this.#work.runDue(now_ns, takesInterrupts);
    this.onRun?.(now_ns);
  }

  /** An operation of a CPU is through: what it left behind may run. */
  afterOperation(cpu: number): void {
    if (this.#locks[cpu] === 0 && this.isPending(cpu)) this.run(cpu);
  }

  /** A raw lock is taken: the CPU takes no interrupts until it is let go. */
  lock(cpu: number): void {
    if (this.#locks[cpu]!++ === 0) this.#contexts?.setInterrupts(cpu, false);
  }

  /** @returns false for a lock that nobody has taken */
  unlock(cpu: number): boolean {
    if (this.#locks[cpu] === 0) return false;
    if (--this.#locks[cpu]! > 0) return true;
    this.#contexts?.setInterrupts(cpu, true);
    this.afterOperation(cpu);
    // What is not due yet had no time while the lock was held.
    this.onQueued?.();
    return true;
  }

  /** A task of the CPU may not be preempted: it holds such a lock. */
  isAtomic(cpu: number): boolean {
    return this.#locks[cpu]! > 0;
  }
}
