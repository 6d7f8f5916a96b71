/**
 * A scripted run as a plain source of events: its allocations and frees with the PFNs of the real kernel. Dumps and
 * checks are left out; whoever wants to verify reads the run itself.
 */

import type { ByteInput } from '../bytes/open-input.js';
import { BATCH_EVENTS, EventBatch, EventFlag, type EventSource, NONE_U32, Op } from '../event-batch.js';
import { createTraceStrings, type TraceStrings } from '../string-table.js';
import { type OracleRunHeader, readOracleRun } from './oracle-run.js';

export interface OracleReport {
  run: OracleRunHeader | undefined;
  allocs: number;
  failed_allocs: number;
  frees: number;
  /** dumps and checks, which are no events */
  states: number;
  checks: number;
}

/** Time between two operations; the runs do not record any. */
const OP_NS = 1000;

export class OracleSource implements EventSource {
  readonly strings: TraceStrings = createTraceStrings();
  readonly report: OracleReport = {
    run: undefined,
    allocs: 0,
    failed_allocs: 0,
    frees: 0,
    states: 0,
    checks: 0,
  };

  constructor(readonly input: ByteInput) {}

  /** All operations ran on CPU 0 in task context. @throws InputError */
  async *batches(): AsyncGenerator<EventBatch> {
    const { report } = this;
    const batch = new EventBatch(this.strings, BATCH_EVENTS);
    batch.id.fill(NONE_U32);
    batch.node.fill(-1);
    batch.pid.fill(NONE_U32);
    for await (const item of readOracleRun(this.input)) {
      if (item.t === 'run') report.run = item;
      else if (item.t === 'state') report.states++;
      else if (item.t === 'check') report.checks++;
      if (item.t !== 'alloc' && item.t !== 'free') continue;
      if (batch.length === batch.capacity) {
        yield batch;
        batch.length = 0;
      }
      const row = batch.length++;
      const isAlloc = item.t === 'alloc';
      const gfp = isAlloc ? (report.run?.gfps[item.gfp]?.[1] ?? 0) : 0;
      const failed = item.pfn === undefined;
      batch.ts[row] = (report.allocs + report.frees) * OP_NS;
      batch.op[row] = isAlloc ? Op.alloc : Op.free;
      batch.order[row] = item.order;
      batch.gfp[row] = gfp;
      batch.migratetype[row] = (gfp >> 3) & 3;
      batch.pfn[row] = item.pfn ?? NONE_U32;
      batch.flags[row] = failed ? EventFlag.failed : EventFlag.hasPfn;
      if (isAlloc) report.allocs++;
      else report.frees++;
      if (failed) report.failed_allocs++;
    }
    if (batch.length > 0) yield batch;
  }
}
