/**
 * Whole commands on whole files, against the tools that a user would take otherwise: `spbsim run` on a CSV of a million
 * rows and on the same trace as Arrow, against csv-parse cutting that CSV into cells; tracefs text against a Perl
 * one-liner with one regular expression. Each pair runs alternately, the ratio is the median of the pairs.
 */
import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { median } from './figures.mjs';
import { syntheticTrace } from './synthetic.mjs';

const ROWS = 1_000_000;
const LIVE_PAGES = 1 << 19;
const CPUS = 4;
const ROUNDS = 5;
const SPBSIM = fileURLToPath(new URL('../../bin/spbsim.js', import.meta.url));
const TRACE = new URL('../../workloads/fs-churn/trace.gz', import.meta.url);
/** The recording's text so often makes about four million lines. */
const REPEATS = 18;

const CSV_PARSE = `
import { createReadStream } from 'node:fs';
import { parse } from 'csv-parse';
let rows = 0;
const parser = createReadStream(process.argv[1]).pipe(parse());
parser.on('data', () => rows++);
parser.on('end', () => console.log(rows));
`;

/** Task, pid, CPU, flags, time, event, pfn and order: what a replay of page events needs. */
const PERL =
  'if (/^\\s*(.+)-(\\d+)\\s+\\[(\\d+)\\]\\s+(\\S+)\\s+(\\d+\\.\\d+): (\\w+): page=\\S+ pfn=(\\w+) order=(\\d+)(?: migratetype=(\\d))?(?: gfp_flags=(\\S+))?/) { $n++ } END { print "$n\\n" }';

function seconds(command, args) {
  const start = process.hrtime.bigint();
  const run = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 1 << 26 });
  if (run.status !== 0) throw new Error(`${command} ${args[0]}: ${run.stderr}`);
  return Number(process.hrtime.bigint() - start) / 1e9;
}

/** A plain trace CSV as a generator would write it: ids are numbers in hex. */
function writeCsvFile(path) {
  const file = openSync(path, 'w');
  writeSync(file, 'ts,cpu,ctx,op,id,order,gfp\n');
  const gfp = new Map([
    [0xcc0, 'GFP_KERNEL'],
    [0xcd0, 'GFP_KERNEL|__GFP_RECLAIMABLE'],
    [0x100cca, 'GFP_HIGHUSER_MOVABLE'],
  ]);
  for (const batch of syntheticTrace(ROWS, LIVE_PAGES, CPUS).batches) {
    const lines = [];
    for (let i = 0; i < batch.length; i++) {
      const isAlloc = batch.op[i] === 0;
      lines.push(
        `${batch.ts[i]},${batch.cpu[i]},task,${isAlloc ? 'alloc' : 'free'},0x${batch.id[i].toString(16)},${batch.order[i]},${isAlloc ? gfp.get(batch.gfp[i]) : ''}`,
      );
    }
    writeSync(file, `${lines.join('\n')}\n`);
  }
  closeSync(file);
}

/** Runs both alternately; the ratio of their times, and each one's median. */
function pair(a, b) {
  const times = { a: [], b: [], ratio: [] };
  for (let round = 0; round < ROUNDS; round++) {
    times.a.push(a());
    times.b.push(b());
    times.ratio.push(times.a.at(-1) / times.b.at(-1));
  }
  return { a: median(times.a), b: median(times.b), ratio: median(times.ratio) };
}

function commandBench(directory) {
  const csv = join(directory, 'million.csv');
  const arrow = join(directory, 'million.arrow');
  writeCsvFile(csv);
  seconds(process.execPath, [SPBSIM, 'import', csv, '-o', arrow]);
  const parse = () => seconds(process.execPath, ['--input-type=module', '-e', CSV_PARSE, csv]);
  const run = (file) => () => seconds(process.execPath, [SPBSIM, 'run', file]);
  return [
    { name: 'run, CSV', file: csv, goal: 0.5 },
    { name: 'run, Arrow', file: arrow, goal: 0.25 },
  ].map(({ name, file, goal }) => {
    const { a, b, ratio } = pair(run(file), parse);
    const size = (statSync(file).size / 1e6).toFixed(0);
    return {
      name,
      ratio,
      run_s: a,
      csv_parse_s: b,
      text: `spbsim ${name}, 1 M rows, ${size} MB: ${a.toFixed(2)} s, csv-parse alone ${b.toFixed(2)} s; ratio ${ratio.toFixed(2)} (goal ${goal})`,
    };
  });
}

function textBench(directory) {
  const path = join(directory, 'trace.txt');
  const text = gunzipSync(readFileSync(TRACE));
  const file = openSync(path, 'w');
  for (let i = 0; i < REPEATS; i++) writeSync(file, text);
  closeSync(file);
  const lines = REPEATS * text.toString('latin1').split('\n').length;
  const info = () => seconds(process.execPath, [SPBSIM, 'info', path]);
  const perl = () => seconds('perl', ['-ne', PERL, path]);
  const { a, b, ratio } = pair(perl, info);
  return [
    {
      name: 'tracefs text',
      ratio,
      spbsim_lines_per_s: lines / b,
      perl_lines_per_s: lines / a,
      text: `tracefs text: spbsim info ${(lines / b / 1e6).toFixed(2)} M lines/s, Perl ${(lines / a / 1e6).toFixed(2)} M; ${ratio.toFixed(2)} times (goal 2)`,
    },
  ];
}

export async function ingestBench() {
  const directory = mkdtempSync(join(tmpdir(), 'spbsim-bench-'));
  try {
    return [...commandBench(directory), ...textBench(directory)];
  } finally {
    rmSync(directory, { recursive: true });
  }
}
