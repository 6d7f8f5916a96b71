/** Traces as tables of cells, so that tests can change what must not matter and run both. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { parse } from 'csv-parse/sync';
import { machineFromSize } from '../../src/config/machine-by-size.js';
import type { RunResult } from '../../src/report/run-result.js';
import { fileOf, run, withoutClock } from '../sim/support.js';

export interface Table {
  readonly name: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

const WORKLOADS = fileURLToPath(new URL('../../workloads/', import.meta.url));

/** A bundled trace, or its first rows. */
export function bundled(path: string, count = Number.POSITIVE_INFINITY): Table {
  const bytes = readFileSync(WORKLOADS + path);
  const text = (path.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8');
  const [columns = [], ...rows] = parse(text, { comment: '#', comment_no_infix: true }) as string[][];
  return { name: path.replaceAll('/', '-').replace(/\.csv.*/, ''), columns, rows: rows.slice(0, count) };
}

function cellText(cell: string): string {
  return /[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}

export function csvText({ columns, rows }: Table): string {
  return `${[columns, ...rows].map((row) => row.map(cellText).join(',')).join('\n')}\n`;
}

/** Every cell of a column through a function; empty ones stay empty. */
export function withColumn(
  table: Table,
  column: string,
  change: (cell: string, row: number) => string,
): Table {
  const at = table.columns.indexOf(column);
  if (at < 0) throw new RangeError(`${table.name} has no column ${column}`);
  const changed = (row: readonly string[], number: number) =>
    row.map((cell, index) => (index === at && cell !== '' ? change(cell, number) : cell));
  return { ...table, rows: table.rows.map(changed) };
}

const MIB_PAGES = 256;

export interface RunOptions {
  readonly policy?: string;
  readonly memory_mib?: number;
  readonly cpus?: number;
}

/** What `run` makes of a table: everything but timings and what identifies the input. */
export async function resultOf(
  table: Table,
  options: RunOptions = {},
): Promise<Omit<RunResult, 'performance'>> {
  const { policy = 'mainline-6.18', memory_mib = 64, cpus = 2 } = options;
  const result = await run([await fileOf(`${table.name}.csv`, csvText(table))], {
    policyName: policy,
    machine: machineFromSize({ memory_pages: memory_mib * MIB_PAGES, cpus }),
    check: false,
    series_ns: 500_000_000,
  });
  const anonymous = result.inputs.map((input) => ({ ...input, path: '', sha256: '', bytes: 0 }));
  return { ...withoutClock(result), inputs: anonymous };
}

export const POLICIES = ['mainline-6.1', 'mainline-6.18', 'mainline-7.2', 'spb-v2'];

/** Tables that between them reclaim, compact, fail, and hand out whole GiBs; each with a machine that they fill. */
export function busyTables(): readonly (readonly [table: Table, options: RunOptions])[] {
  return [
    [bundled('csv/fragmentation.csv'), { memory_mib: 64 }],
    [bundled('gen/slab-ramp.csv.gz', 12_000), { memory_mib: 512, cpus: 4 }],
    [bundled('gen/net-softirq.csv.gz', 9000), { memory_mib: 256, cpus: 4 }],
    [bundled('gen/hugepage-1g-demand.csv.gz', 20_000), { memory_mib: 3072, cpus: 4 }],
  ];
}
