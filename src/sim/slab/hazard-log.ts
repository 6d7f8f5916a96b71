/** What went wrong: all of it counted by kind, the first of each kind kept. */
import type { Hazard } from '../../mm/interruption/hazard.js';
import type { StateIo } from '../../mm/state-io.js';
import { HAZARD_KINDS, type HazardKind } from '../../report/slab/nolock-words.js';
import type { ResultHazard, ResultSlab } from '../../report/slab/result-slab.js';

/** Of each kind: a storm of one must not hide the others, nor fill memory. */
const KEPT = 20;
/** Contexts on one CPU, and locks of each, that are kept of a hazard. */
const MAX_STACK = 16;

const CONTEXT_WORDS = ['task', 'softirq', 'hardirq', 'nmi'] as const;

export class HazardLog {
  #kept: ResultHazard[] = [];
  #totals = new Map<string, number>();

  add(hazard: ResultHazard): void {
    const before = this.#totals.get(hazard.kind) ?? 0;
    this.#totals.set(hazard.kind, before + 1);
    if (before >= KEPT) return;
    const stack = hazard.stack
      .slice(0, MAX_STACK)
      .map((each) => ({ ...each, locks: each.locks.slice(0, MAX_STACK) }));
    this.#kept.push({ ...hazard, stack });
  }

  /** Something that contexts noted; how often is counted by `countMore`. */
  addInterruption({ kind, cpu, stack, wanted }: Hazard, ts_ns: number): void {
    if (this.#kept.filter((hazard) => hazard.kind === kind).length >= KEPT) return;
    const frames = stack.slice(0, MAX_STACK).map(({ context, call, locks }) => ({
      context: CONTEXT_WORDS[context],
      operation: call,
      locks: locks.slice(0, MAX_STACK),
    }));
    const isLock = kind === 'deadlock';
    const caller = stack.at(-1)?.call ?? 'a call';
    this.#kept.push({
      kind,
      event: null,
      ts_ns,
      cpu,
      wanted: isLock ? wanted : null,
      stack: frames,
      text: isLock ? `${caller} waits for ${wanted}, which the code below it holds` : wanted,
    });
  }

  countMore(kind: HazardKind, count: number): void {
    if (count > 0) this.#totals.set(kind, (this.#totals.get(kind) ?? 0) + count);
  }

  total(kind: HazardKind): number {
    return this.#totals.get(kind) ?? 0;
  }

  clear(): void {
    this.#kept = [];
    this.#totals = new Map();
  }

  serialize(io: StateIo): void {
    this.#kept = io.plain('kept', this.#kept);
    this.#totals = io.table('hazard_totals', this.#totals);
    if (!io.isLoading) return;
    for (const kind of this.#totals.keys())
      if (!(HAZARD_KINDS as readonly string[]).includes(kind)) io.refuse(`there is no hazard ${kind}`);
  }

  /** In the order in which they happened; totals in the order of HAZARD_KINDS. */
  result(): Pick<ResultSlab, 'hazards' | 'hazards_total'> {
    const totals = HAZARD_KINDS.map((kind) => [kind, this.total(kind)] as const);
    return {
      hazards: [...this.#kept],
      hazards_total: Object.fromEntries(totals.filter(([, count]) => count > 0)),
    };
  }
}
