/**
 * Writes docs/experiments-nolock.md: allocation from any context, measured.
 *
 *     npm run build && node docs/tools/nolock-experiments.mjs
 *
 * Every run is `spbsim run … --json` with the arguments shown there; its result depends on them alone.
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const OUTPUT = new URL('../experiments-nolock.md', import.meta.url);
const SPBSIM = fileURLToPath(new URL('../../bin/spbsim.js', import.meta.url));
const CHURN = 'gen:bpf-map-churn:duration=2s';
const LOCKS = ['cpu_slab', 'list_lock', 'pcp', 'zone', 'fastpath'];
const SIZES = [8, 64, 256, 1024, 4096, 8192];
const SEEDS = [1, 2, 3];

const number = (n) => n.toLocaleString('en-US');
const percent = (part, whole) => (whole === 0 ? '–' : `${((100 * part) / whole).toFixed(1)} %`);

function run(...args) {
  process.stderr.write(`${args.filter((arg) => !arg.startsWith('nmi:') && arg !== '--inject').join(' ')}\n`);
  const text = execFileSync(process.execPath, [SPBSIM, 'run', ...args, '--json'], { maxBuffer: 1 << 28 });
  return JSON.parse(text);
}

const storm = SIZES.flatMap((size) =>
  LOCKS.flatMap((lock) => ['--inject', `nmi:kmalloc_nolock(${size})@${lock}:p=0.02,live=300`]),
);

/** Requests of NMIs, summed over seeds: [lock][size class] -> all, none, from the next larger cache. */
function outcomes(...args) {
  const table = new Map();
  for (const seed of SEEDS) {
    const { slab } = run(CHURN, ...storm, '--seed', String(seed), ...args);
    for (const row of slab.nolock.requests) {
      if (row.context !== 'nmi') continue;
      const key = `${row.lock} ${row.class ?? row.size_class}`;
      const cell = table.get(key) ?? { all: 0, none: 0, next: 0 };
      cell.all += row.count;
      if (row.outcome === 'null') cell.none += row.count;
      if (row.outcome === 'next_bucket') cell.next += row.count;
      table.set(key, cell);
    }
  }
  return table;
}

function failureTable(columns) {
  const locks = ['none', 'fastpath', 'cpu_slab', 'list_lock', 'pcp', 'zone', 'several'];
  const lines = [
    `| lock | size | ${columns.map(([name]) => name).join(' | ')} |`,
    `| --- | --: | ${columns.map(() => '--:').join(' | ')} |`,
  ];
  for (const lock of locks)
    for (const size of SIZES) {
      const cells = columns.map(([, table]) => table.get(`${lock} ${size}`));
      if (cells.every((cell) => cell === undefined || cell.none + cell.next === 0)) continue;
      const texts = cells.map((cell) =>
        cell === undefined
          ? '–'
          : `${percent(cell.none, cell.all)} (${number(cell.next)} of ${number(cell.all)})`,
      );
      lines.push(`| ${lock} | ${size} | ${texts.join(' | ')} |`);
    }
  return lines.join('\n');
}

function backlogTable() {
  const lines = [
    '| delay of the irq_work | most objects | most memory | share of frees deferred |',
    '| --: | --: | --: | --: |',
  ];
  for (const delay_ns of [0, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000]) {
    const { metrics } = run(CHURN, '--set', `slab.irq_work_delay_ns=${delay_ns}`);
    const share = percent(metrics.nolock_frees_deferred, metrics.nolock_frees);
    const kib = (metrics.deferred_peak_bytes / 1024).toFixed(1);
    lines.push(
      `| ${number(delay_ns / 1000)} µs | ${number(metrics.deferred_peak_objects)} | ${kib} KiB | ${share} |`,
    );
  }
  return lines.join('\n');
}

function listTable() {
  const lines = [
    '| time | per CPU: objects that wait | pages of slabs | with each slab: objects that wait | pages of slabs |',
    '| --: | --: | --: | --: | --: |',
  ];
  for (const duration of ['500ms', '1s', '2s', '4s']) {
    const cells = [];
    for (const where of ['per_cpu', 'per_slab']) {
      const { slab, metrics } = run(
        `gen:bpf-map-churn:duration=${duration}`,
        '--set',
        `slab.deferred_objects=${where}`,
      );
      cells.push(number(slab.deferred.now.objects), number(metrics.slab_pages));
    }
    lines.push(`| ${duration} | ${cells.join(' | ')} |`);
  }
  return lines.join('\n');
}

function takenTable() {
  const lines = [
    '| policy | calls | new slabs beside a list with free slots | unmovable pages in other pageblocks | cpu slabs displaced | fast paths that began anew |',
    '| --- | --: | --: | --: | --: | --: |',
  ];
  for (const policy of ['mainline-6.18', 'mainline-7.2', 'spb-v2']) {
    const { metrics, slab } = run(CHURN, ...storm, '--policy', policy);
    const stat = (name) => number(slab.totals.stats[name] ?? 0);
    lines.push(
      `| \`${policy}\` | ${number(metrics.nolock_requests)} | ${number(metrics.nolock_extra_slabs)} | ${number(metrics.nolock_stolen_pages)} | ` +
        `${stat('cpuslab_flush')} | ${stat('cmpxchg_double_cpu_fail')} |`,
    );
  }
  return lines.join('\n');
}

const page = `# Experiments: allocation from any context

Measured with this program. The page is written by one command, \`npm run build && node docs/tools/nolock-experiments.mjs\`; every figure depends on the
arguments given here alone. The trace is \`${CHURN}\` ([workloads.md](workloads.md)): elements of a hash map that are
allocated on one CPU and freed on another, beside kmalloc, kfree and pages. How often an NMI strikes where is of our making
(\`--inject\`), so the counts mean nothing; the shares below one lock do.

## N1: who gets nothing

NMIs ask for objects of six sizes at every lock that the trace takes, with a chance of 2 % each: \`--inject 'nmi:kmalloc_nolock(SIZE)@LOCK:p=0.02,live=300'\` for
each size and each of ${LOCKS.join(', ')}. Seeds ${SEEDS.join(', ')}, summed. Share of requests that got nothing; in brackets those that the next larger
cache served, of all. Pairs of lock and size that are not listed never failed and never needed another cache.

${failureTable([
  ['mainline-6.18', outcomes()],
  ['… without the next cache', outcomes('--set', 'slab.nolock_retry=none')],
  ['mainline-7.2 (sheaves)', outcomes('--policy', 'mainline-7.2')],
])}

With cpu slabs only the local lock of the right cache makes a request fail, and one retry in the next larger cache mends all of that but for the largest,
which has none: without the retry every request at that lock fails. A locked list, per-CPU list or zone does not: slots that are there, a new slab, the
buddy lists or another zone serve. With sheaves it is the other way round: whoever finds the local lock taken goes past the sheaves to the node's list, but where
that is locked a new slab cannot be put on it either, so the next cache is asked, and the largest has none. \`several\` is mostly a refill: list_lock and the local lock at once.

## N2: what waits while the irq_work does not run

\`spbsim run ${CHURN} --set slab.irq_work_delay_ns=N\`

${backlogTable()}

Almost every free is one of another CPU's slab, so almost all are left to the irq_work. Up to a millisecond bursts
decide how much waits at most, from there on the delay does: a tenfold delay holds up to seven times as much.

## N3: the list of the first version

\`spbsim run gen:bpf-map-churn:duration=T --set slab.deferred_objects=per_slab\` against the default, \`per_cpu\`.

${listTable()}

The first version of the series left such objects with their slab until somebody came by that slab. Full slabs that no CPU has are never visited, so
they stay, and the map makes new ones for as long as it runs: that is what drove its author's stress test out of memory and led to the list per
CPU with an irq_work. With that, memory stays where it was.

## N4: what such calls take

The storm of N1, seed 0.

${takenTable()}

A list that is locked costs a new slab though there are free slots. A strike between a fast path's read and its exchange costs the call below one
turn. Cpu slabs are displaced where a strike comes while a new slab's pages are being got.
`;
writeFileSync(OUTPUT, page);
