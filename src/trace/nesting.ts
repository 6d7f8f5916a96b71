/**
 * Nested rows: a row of depth k > 0 interrupts the nearest row of depth k - 1 above it on its CPU, at the lock point `at`.
 *
 * What nests in what is a matter of one CPU's rows only. A row may come from the context of what it interrupts (a program
 * attached to a function of it) or from one above, task < softirq < hardirq < nmi, never from one below.
 */
import type { EventBatch } from './event-batch.js';

/** Contexts above task: so deep can one interrupt another. */
export const MAX_DEPTH = 3;

/** Values of the `cpu` column. */
export const CPU_NUMBERS = 1 << 16;
/** Entries of a table that has one for each depth of each CPU, as a shift of the CPU's number. */
export const DEPTH_SHIFT = 2;

/** Why a row does not nest. */
export const NestingProblem = {
  none: 0,
  /** deeper than the row above on its CPU allows */
  depth: 1,
  /** its context cannot interrupt that of the row that it would interrupt */
  context: 2,
} as const;
export type NestingProblem = (typeof NestingProblem)[keyof typeof NestingProblem];

/** The rows that the next row of each CPU may interrupt, as readers check them. */
export class Nesting {
  /** by CPU: depth of its last row */
  readonly #depths: Uint8Array;
  /** by CPU and depth: context of the last row */
  readonly #contexts: Uint8Array;

  /** @param cpus  how many CPU numbers there may be */
  constructor(cpus: number) {
    this.#depths = new Uint8Array(cpus);
    this.#contexts = new Uint8Array(cpus << DEPTH_SHIFT);
  }

  /** Depth of the last row of a CPU. */
  depthOf(cpu: number): number {
    return this.#depths[cpu];
  }

  /** Context of what a row of `depth`, above 0, interrupts. */
  contextBelow(cpu: number, depth: number): number {
    return this.#contexts[(cpu << DEPTH_SHIFT) + depth - 1];
  }

  /** Whether a row may come next. Changes nothing. */
  check(cpu: number, depth: number, ctx: number): NestingProblem {
    if (depth === 0) return NestingProblem.none;
    if (depth > this.depthOf(cpu) + 1) return NestingProblem.depth;
    return ctx < this.contextBelow(cpu, depth) ? NestingProblem.context : NestingProblem.none;
  }

  /** A row has come. */
  follow(cpu: number, depth: number, ctx: number): void {
    this.#depths[cpu] = depth;
    this.#contexts[(cpu << DEPTH_SHIFT) + depth] = ctx;
  }
}

/** Bit of a row that is kept, beside the count of kept rows. */
const IS_KEPT = 0x80;

/**
 * Depths for a part of a trace: a row whose interrupted row is left out interrupts what that row interrupted, or nothing.
 *
 * Without it, a row would be taken to interrupt whatever row of less depth stands above it.
 */
export class KeptDepths {
  /** by CPU and depth: kept rows among the last row of that depth and those that it interrupts; IS_KEPT */
  readonly #chains = new Uint8Array(CPU_NUMBERS << DEPTH_SHIFT);

  /** Sets the row's depth. To be told of every row in order, also of those that are left out. */
  follow(batch: EventBatch, row: number, isKept: boolean): void {
    const depth = batch.depth[row];
    const entry = (batch.cpu[row] << DEPTH_SHIFT) + depth;
    let kept = 0;
    if (depth > 0) {
      const below = this.#chains[entry - 1];
      kept = below & ~IS_KEPT;
      // The point is one of the row that is gone.
      if ((below & IS_KEPT) === 0) batch.at[row] = 0;
      batch.depth[row] = kept;
    }
    this.#chains[entry] = isKept ? (kept + 1) | IS_KEPT : kept;
  }
}

/** Whether some row of a batch is nested. */
export function hasNested(batch: EventBatch, from = 0, to = batch.length): boolean {
  const depth = batch.depth.subarray(from, to);
  // The search of the engine is many times as fast as a loop here.
  for (let nested = 1; nested <= MAX_DEPTH; nested++) if (depth.indexOf(nested) >= 0) return true;
  return false;
}
