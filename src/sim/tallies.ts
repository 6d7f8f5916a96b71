/** Counts of what a replay did, by operation, context, order, migratetype and outcome, in flat arrays. */
import type { StateIo } from '../mm/state-io.js';
import { MIGRATETYPE_NAMES, NR_PAGE_ORDERS } from '../mm/types.js';
import type { ResultAllocationCount, ResultEventCount } from '../report/run-result.js';
import { CTX_NAMES, OP_NAMES } from '../trace/event-batch.js';

export const Outcome = { ok: 0, failed: 1, not_replayed: 2 } as const;
const OUTCOME_NAMES = ['ok', 'failed', 'not_replayed'];
const NR_CTX = CTX_NAMES.length;
const NR_OUTCOMES = OUTCOME_NAMES.length;
/** types that a request can have; both mobility bits give 3 */
const REQUEST_TYPES = 4;

export class Tallies {
  readonly #events = new Float64Array(OP_NAMES.length * NR_CTX * NR_OUTCOMES);
  readonly #allocations = new Float64Array(REQUEST_TYPES * NR_CTX * NR_PAGE_ORDERS * 2);

  event(op: number, ctx: number, outcome: number): void {
    this.#events[(op * NR_CTX + ctx) * NR_OUTCOMES + outcome]!++;
  }

  allocation(migratetype: number, ctx: number, order: number, failed: 0 | 1): void {
    this.#allocations[((migratetype * NR_CTX + ctx) * NR_PAGE_ORDERS + order) * 2 + failed]!++;
  }

  clear(): void {
    this.#events.fill(0);
    this.#allocations.fill(0);
  }

  serialize(io: StateIo): void {
    io.array('events', this.#events);
    io.array('allocations', this.#allocations);
  }

  eventRows(): ResultEventCount[] {
    const rows: ResultEventCount[] = [];
    OP_NAMES.forEach((op, opIndex) => {
      CTX_NAMES.forEach((ctx, ctxIndex) => {
        OUTCOME_NAMES.forEach((outcome, outcomeIndex) => {
          const count = this.#events[(opIndex * NR_CTX + ctxIndex) * NR_OUTCOMES + outcomeIndex]!;
          if (count > 0) rows.push({ op, ctx, outcome, count });
        });
      });
    });
    return rows;
  }

  allocationRows(): ResultAllocationCount[] {
    const rows: ResultAllocationCount[] = [];
    for (let type = 0; type < REQUEST_TYPES; type++)
      CTX_NAMES.forEach((ctx, ctxIndex) => {
        for (let order = 0; order < NR_PAGE_ORDERS; order++) {
          const at = ((type * NR_CTX + ctxIndex) * NR_PAGE_ORDERS + order) * 2;
          const [ok, failed] = [this.#allocations[at]!, this.#allocations[at + 1]!];
          if (ok + failed > 0)
            rows.push({ migratetype: MIGRATETYPE_NAMES[type]!.toLowerCase(), ctx, order, ok, failed });
        }
      });
    return rows;
  }
}
