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
const sum = (rows) => rows.reduce((all, { count }) => all + count, 0);
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

/** Requests that got nothing, by cause. */
function causesOf(rows) {
  const causes = new Map();
  for (const { cause, count } of rows)
    if (cause !== null) causes.set(cause, (causes.get(cause) ?? 0) + count);
  return [...causes].map(([cause, count]) => `${cause} ${number(count)}`).join(', ') || '–';
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

function causeTable() {
  const lines = ['| run | seed 1: why, and how often |', '| --- | --- |'];
  for (const [name, ...args] of [
    ['`mainline-6.18`'],
    ['… without the next cache', '--set', 'slab.nolock_retry=none'],
    ['`mainline-7.2`', '--policy', 'mainline-7.2'],
  ]) {
    const { slab } = run(CHURN, ...storm, ...args);
    lines.push(`| ${name} | ${causesOf(slab.nolock.requests.filter(({ context }) => context === 'nmi'))} |`);
  }
  return lines.join('\n');
}

function backlogTable() {
  const lines = [
    '| delay of the irq_work | most objects | most memory | when, of 2 s | share of frees deferred |',
    '| --: | --: | --: | --: | --: |',
  ];
  for (const delay_ns of [0, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000]) {
    const { metrics, slab } = run(CHURN, '--set', `slab.irq_work_delay_ns=${delay_ns}`);
    const peak = `${(slab.deferred.peak_ns / 1e9).toFixed(2)} s`;
    const share = percent(metrics.nolock_frees_deferred, metrics.nolock_frees);
    const kib = (metrics.deferred_peak_bytes / 1024).toFixed(1);
    lines.push(
      `| ${number(delay_ns / 1000)} µs | ${number(metrics.deferred_peak_objects)} | ${kib} KiB | ${peak} | ${share} |`,
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
    '| policy | calls, those of the trace included | new slabs beside a list with free slots | cpu slabs displaced | fast paths that began anew |',
    '| --- | --: | --: | --: | --: |',
  ];
  for (const policy of ['mainline-6.18', 'mainline-7.2', 'spb-v2']) {
    const { metrics, slab } = run(CHURN, ...storm, '--policy', policy);
    const stat = (name) => number(slab.totals.stats[name] ?? 0);
    lines.push(
      `| \`${policy}\` | ${number(metrics.nolock_requests)} | ${number(metrics.nolock_extra_slabs)} | ` +
        `${stat('cpuslab_flush')} | ${stat('cmpxchg_double_cpu_fail')} |`,
    );
  }
  return lines.join('\n');
}

const TIGHT = 'gen:bpf-map-churn:duration=2s,memory=512MiB,used=120%,folio-order=0,churn=100%';
const PAGE_STRIKES = ['--inject', 'nmi:alloc_nolock(0)@any:p=0.05,live=60000'];
const ZONE_STRIKES = ['pcp', 'zone'].flatMap((lock) => [
  '--inject',
  `nmi:alloc_nolock(0)@${lock}:p=0.1,live=2000`,
]);

/** Pages of NMIs: what they take of other types' pageblocks, and what their frees leave on the stack of a zone. */
function pagesTable() {
  const lines = [
    "| run | seed | requests for pages | got nothing | in movable blocks | in HighAtomic blocks | frees left on the zone's stack | most pages on it |",
    '| --- | --: | --: | --: | --: | --: | --: | --: |',
  ];
  const runs = [
    ['memory full', TIGHT, PAGE_STRIKES],
    ['memory to spare', CHURN, ZONE_STRIKES],
  ];
  for (const [name, trace, args] of runs)
    for (const seed of SEEDS) {
      const { slab } = run(trace, ...args, '--seed', String(seed));
      const { requests, frees, stolen } = slab.nolock;
      const ofPages = requests.filter(({ size_class }) => size_class === 'pages');
      const cells = [
        sum(ofPages),
        sum(ofPages.filter(({ outcome }) => outcome === 'null')),
        ...['movable', 'highatomic'].map((type) => sum(stolen.filter((row) => row.block_type === type))),
        sum(frees.filter(({ outcome }) => outcome === 'zone_stack')),
        slab.zone_stacks.reduce((most, { peak_pages }) => Math.max(most, peak_pages), 0),
      ];
      lines.push(`| ${name} | ${seed} | ${cells.map(number).join(' | ')} |`);
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

${causeTable()}

## N2: what waits while the irq_work does not run

\`spbsim run ${CHURN} --set slab.irq_work_delay_ns=N\`

${backlogTable()}

The generator lets one half of the CPUs store and the other half delete, so almost every free is one of another CPU's slab and left to the irq_work:
that share is of its making. Up to a millisecond bursts
decide how much waits at most, from there on the delay does: a tenfold delay holds up to seven times as much.

## N3: the list of the first version

\`spbsim run gen:bpf-map-churn:duration=T --set slab.deferred_objects=per_slab\` against the default, \`per_cpu\`.

${listTable()}

The first version of the series left such objects with their slab until somebody came by that slab. Full slabs that no CPU has are never visited, so
they stay, and the map makes new ones for as long as it runs: that is what drove its author's stress test out of memory and led to the list per
CPU with an irq_work. With that, memory stays where it was.

## N4: what such calls take

The storm of N1, seed 1: \`spbsim run ${CHURN} --policy POLICY\`, with every \`--inject\` of N1.

${takenTable()}

A list that is locked costs a new slab though there are free slots. A strike between a fast path's read and its exchange costs the call below one
turn. Cpu slabs are displaced where a strike comes while a new slab's pages are being got. With sheaves there are neither, nor these counters.

NMIs that ask for pages, on a machine whose memory is full, \`spbsim run ${TIGHT}
--inject '${PAGE_STRIKES[1]}'\`; and on one with memory to spare, \`spbsim run ${CHURN} --inject '${ZONE_STRIKES[1]}' --inject '${ZONE_STRIKES[3]}'\`:

${pagesTable()}

Only where memory is full do unmovable pages land in pageblocks of other types, and how many is chance: seeds differ fifteenfold. A block that is claimed whole becomes
unmovable and is not among them. The type is that of the block when the request has ended; why some lie in HighAtomic blocks was not looked
into. A free that finds the zone locked leaves its page on the zone's stack. Only an ordinary free that goes
straight to the buddy lists takes the stack along (model: page-allocator 3.10): with memory to spare all but a few went that way, on the full machine
none did before the end.
`;
writeFileSync(OUTPUT, page);
