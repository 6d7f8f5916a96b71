/** Counts of events as every reader's report has them: by op, context and CPU, with the first and last time. */
import { CTX_NAMES, type EventBatch, OP_NAMES } from './event-batch.js';

const CPUS = 1 << 16;

/** {@link EventTotals} as plain data. */
export interface EventTotalsReport {
  readonly events: number;
  /** by name; ops that do not occur are left out */
  readonly by_op: Readonly<Record<string, number>>;
  /** task, softirq, hardirq, nmi; always all four */
  readonly by_ctx: Readonly<Record<string, number>>;
  /** CPUs that events came from, ascending */
  readonly cpus: readonly number[];
  /** ns; undefined without events */
  readonly first_ts: number | undefined;
  readonly last_ts: number | undefined;
}

/** Totals by context under their names. */
export function contextTotals(counts: ArrayLike<number>): Record<string, number> {
  return Object.fromEntries(CTX_NAMES.map((name, i) => [name, counts[i] ?? 0]));
}

export class EventTotals {
  events = 0;
  readonly by_op = new Float64Array(OP_NAMES.length);
  readonly by_ctx = new Float64Array(CTX_NAMES.length);
  readonly by_cpu = new Float64Array(CPUS);
  first_ts: number | undefined;
  last_ts: number | undefined;

  /** Counts rows from..to of a batch. */
  add(batch: EventBatch, from = 0, to: number = batch.length): void {
    if (to <= from) return;
    const { op, ctx, cpu } = batch;
    for (let i = from; i < to; i++) {
      (this.by_op[op[i] as number] as number)++;
      (this.by_ctx[ctx[i] as number] as number)++;
      (this.by_cpu[cpu[i] as number] as number)++;
    }
    this.events += to - from;
    this.first_ts ??= batch.ts[from] as number;
    this.last_ts = batch.ts[to - 1] as number;
  }

  report(): EventTotalsReport {
    const cpus: number[] = [];
    this.by_cpu.forEach((events, cpu) => {
      if (events > 0) cpus.push(cpu);
    });
    const byOp = OP_NAMES.map((name, op) => [name, this.by_op[op] ?? 0] as const);
    return {
      events: this.events,
      by_op: Object.fromEntries(byOp.filter(([, count]) => count > 0)),
      by_ctx: contextTotals(this.by_ctx),
      cpus,
      first_ts: this.first_ts,
      last_ts: this.last_ts,
    };
  }
}
