/**
 * When the irq_work of each CPU runs: once its time has come and the CPU takes interrupts.
 *
 * Whoever keeps simulated time sets `now_ns` and calls `runDue`; with no delay the work is due as it is queued.
 * model: slub 4.4
 */
import type { StateIo } from '../state-io.js';
import type { DeferredWork } from './deferred.js';

const NEVER = Number.POSITIVE_INFINITY;

export class IrqWork {
  now_ns = 0;
  /** by CPU: from when on the queued work may run, NEVER where none is queued */
  readonly #due_ns: Float64Array;
  readonly #delay_ns: number;
  /** times that the work ran, and how long it had been queued, all CPUs together and at most */
  runs = 0;
  waited_ns = 0;
  longest_wait_ns = 0;

  constructor(readonly deferred: DeferredWork) {
    this.#due_ns = new Float64Array(deferred.objects.length).fill(NEVER);
    this.#delay_ns = deferred.allocator.policy['slab.irq_work_delay_ns'];
    deferred.onQueued = (cpu) => {
      this.#due_ns[cpu] = this.now_ns + this.#delay_ns;
    };
  }

  /** Earliest time at which any CPU has something to do. */
  get due_ns(): number {
    let earliest = NEVER;
    for (const due of this.#due_ns) if (due < earliest) earliest = due;
    return earliest;
  }

  dueOf(cpu: number): number {
    return this.#due_ns[cpu]!;
  }

  /**
   * Runs what is due. What a run leaves behind anew waits its time again.
   *
   * @param takesInterrupts CPUs whose interrupts are on; without it all
   * @returns CPUs whose work ran
   */
  runDue(now_ns: number, takesInterrupts: (cpu: number) => boolean = () => true): number {
    this.now_ns = now_ns;
    let ran = 0;
    for (let cpu = 0; cpu < this.#due_ns.length; cpu++) {
      if (this.#due_ns[cpu]! > now_ns || !takesInterrupts(cpu) || this.deferred.isRunning(cpu)) continue;
      this.#run(cpu);
      ran++;
    }
    return ran;
  }

  #run(cpu: number): void {
    const waited = this.now_ns - (this.#due_ns[cpu]! - this.#delay_ns);
    this.#due_ns[cpu] = NEVER;
    this.runs++;
    this.waited_ns += waited;
    if (waited > this.longest_wait_ns) this.longest_wait_ns = waited;
    this.deferred.run(cpu);
  }

  serialize(io: StateIo): void {
    this.now_ns = io.number('now_ns', this.now_ns);
    io.array('due_ns', this.#due_ns);
    this.runs = io.number('runs', this.runs);
    this.waited_ns = io.number('waited_ns', this.waited_ns);
    this.longest_wait_ns = io.number('longest_wait_ns', this.longest_wait_ns);
  }
}
