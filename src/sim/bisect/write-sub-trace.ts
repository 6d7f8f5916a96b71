/** Writes the rows that are left of a trace as a trace CSV, with what they show in comments at its top. */
import { printable } from '../../report/sanitize.js';
import { writeOutput } from '../../trace/bytes/output-file.js';
import { CSV_COLUMNS, type CsvColumn } from '../../trace/csv/columns.js';
import { CsvWriter } from '../../trace/csv/writer.js';
import { EventBatch, EventFlag, NONE_U32 } from '../../trace/event-batch.js';
import type { KernelGeneration } from '../../trace/kernel-generation.js';
import { CPU_NUMBERS, Nesting, NestingProblem } from '../../trace/nesting.js';
import type { EventLog } from './event-log.js';

/** Columns that any row of a page allocator's trace is read by. */
const ALWAYS: readonly CsvColumn[] = ['ts', 'op', 'order', 'gfp'];

/** Longest line of a comment: readers refuse lines of more than 128 KiB. */
const COMMENT_CHARACTERS = 4096;

/**
 * @param log       nothing but the rows
 * @param comments  one line each
 */
export async function writeSubTrace(
  path: string,
  log: EventLog,
  options: { readonly kernel: KernelGeneration; readonly comments: readonly string[] },
): Promise<void> {
  const writer = new CsvWriter({ kernel: options.kernel, columns: usedColumns(log) });
  const nesting = new Nesting(CPU_NUMBERS);
  async function* chunks(): AsyncGenerator<Uint8Array> {
    const comments = options.comments.map((text) => `# ${printable(text).slice(0, COMMENT_CHARACTERS)}\n`);
    yield Buffer.from(comments.join('') + writer.header());
    for (const { batch, from, to } of log.rows(0, log.length)) {
      const rows = new EventBatch(batch.strings, to - from);
      rows.copyRows(batch, from, to, 0);
      rows.length = to - from;
      flatten(rows, nesting);
      yield writer.rowBytes(rows);
    }
  }
  await writeOutput(path, chunks());
}

/** What an event was nested in may be gone: a row is at most one deeper than the row above on its CPU, or interrupts nothing. */
function flatten(batch: EventBatch, nesting: Nesting): void {
  for (let row = 0; row < batch.length; row++) {
    const [cpu, ctx] = [batch.cpu[row], batch.ctx[row]];
    let depth = Math.min(batch.depth[row], nesting.depthOf(cpu) + 1);
    if (nesting.check(cpu, depth, ctx) !== NestingProblem.none) depth = 0;
    nesting.follow(cpu, depth, ctx);
    batch.depth[row] = depth;
  }
}

/** Those that hold something else than their default in some row. */
function usedColumns(log: EventLog): CsvColumn[] {
  const used = new Set<CsvColumn>(ALWAYS);
  for (const { batch, from, to } of log.rows(0, log.length))
    for (let row = from; row < to; row++) for (const name of columnsOf(batch, row)) used.add(name);
  return CSV_COLUMNS.filter((name) => used.has(name));
}

function columnsOf(batch: EventBatch, row: number): CsvColumn[] {
  const isUsed: Partial<Record<CsvColumn, boolean>> = {
    cpu: batch.cpu[row] !== 0,
    ctx: batch.ctx[row] !== 0,
    id: batch.id[row] !== NONE_U32,
    node: batch.node[row]! >= 0,
    pfn: batch.pfn[row] !== NONE_U32,
    memcg: batch.memcg[row] !== 0,
    site: batch.site[row] !== 0,
    cache: batch.cache[row] !== 0,
    size: batch.size[row] !== 0,
    depth: batch.depth[row] !== 0,
    at: batch.at[row] !== 0,
    arg: batch.arg[row] !== 0 || (batch.flags[row]! & EventFlag.failed) !== 0,
  };
  return CSV_COLUMNS.filter((name) => isUsed[name]);
}
