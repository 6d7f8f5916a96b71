/**
 * Writes docs/experiments.md: what superpageblocks do to fragmentation, measured.
 *
 *     npm run build && node docs/tools/experiments.mjs [--jobs N] [--quick] [RECORDING...]
 *
 * Every run is a process of its own; its result depends on the arguments in the tables alone, never on the machine it runs on.
 * Recordings (directories) are compared free-running; without any, the bundled one is. `--quick` takes one seed and small machines,
 * and prints instead of writing.
 */
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { renderExperiments } from './experiments/render.mjs';

const OUTPUT = new URL('../experiments.md', import.meta.url);
const RUN_ONE = fileURLToPath(new URL('./experiments/run-one.mjs', import.meta.url));

const { jobs, quick, recordings } = readArguments(process.argv.slice(2));
const seeds = quick ? [1] : [1, 2, 3, 4, 5];
const SECOND_NS = 1e9;

/** All runs, by the experiment that they are part of. */
const experiments = {
  r1: r1Runs(),
  r2: r2Runs(),
  r3: r3Runs(),
  e1: e1Runs(),
  recordings: recordings.flatMap((input) =>
    ['mainline-6.18', 'spb-v2', 'spb-v2-r-c'].map((policy) => ({
      kind: 'recording',
      input,
      name: basename(input),
      policy,
    })),
  ),
};

/** The comparison of mainline's taint and 1 GiB pages with those of every reading of the series. */
function r1Runs() {
  const base = {
    kind: 'workload',
    name: 'syzkaller-mix',
    // 256 GB as sold: 238 GiB in the Normal zone, and 3 GiB below.
    gib: quick ? 32 : 241,
    cpus: 16,
    duration_ns: (quick ? 60 : 240) * SECOND_NS,
    set: { 'demand-1g': quick ? 6 : 50 },
  };
  const policies = [
    // Shrinkers free slab under every kernel: without them mainline's slab would only grow.
    { policy: 'mainline-6.18', knobs: ['shrinker.model=reclaimable_pages'] },
    { policy: 'spb-v2-r-a' },
    { policy: 'spb-v2-r-b' },
    { policy: 'spb-v2-r-c' },
  ];
  const singles = ['spb-v2-noshrink', 'spb-v2-demand-only', 'spb-v2-nodefrag', 'spb-v2-noevac'].map(
    (policy) => ({ policy }),
  );
  return [
    ...policies.flatMap((choice) => seeds.map((seed) => ({ ...base, ...choice, seed }))),
    ...singles.map((choice) => ({ ...base, ...choice, seed: 1 })),
  ];
}

function r2Runs() {
  const base = {
    kind: 'workload',
    name: 'slab-ramp',
    gib: quick ? 32 : 247,
    cpus: 16,
    duration_ns: (quick ? 120 : 480) * SECOND_NS,
    every_ns: (quick ? 15 : 60) * SECOND_NS,
    seed: 1,
  };
  // With memory to spare nothing but the series itself shrinks slab; with all of it used, reclaim does, too.
  return ['60%', '105%'].flatMap((used) =>
    [
      { policy: 'mainline-6.18', knobs: ['shrinker.model=reclaimable_pages'] },
      { policy: 'spb-v2-noshrink' },
      { policy: 'spb-v2-demand-only' },
      { policy: 'spb-v2' },
    ].map((choice) => ({ ...base, ...choice, used, set: { used } })),
  );
}

/** Taint forbidden as far as the policy can: reclaim before taint, and no deadline to speak of. */
function r3Runs() {
  const base = {
    kind: 'workload',
    name: 'slab-ramp',
    gib: quick ? 8 : 32,
    cpus: 8,
    duration_ns: 120 * SECOND_NS,
    seed: 1,
  };
  return [1, 16, 256, 100_000].flatMap((rounds) => [
    {
      ...base,
      policy: 'spb-v2-r-c',
      knobs: [`spb.taint_deadline_rounds=${rounds}`, 'slowpath.max_rounds=100000', 'spb.slab_shrink=off'],
      rounds,
    },
  ]);
}

function e1Runs() {
  const sizes = quick ? [8, 64, 238] : [8, 64, 238, 1024, 4096];
  return sizes.flatMap((superpageblocks) =>
    ['spb-v2-lists', 'spb-v2-bitmap'].map((policy) => ({
      kind: 'probes',
      superpageblocks,
      policy,
      // Per-CPU lists would serve most requests without a search.
      knobs: ['pcp.kind=none'],
      operations: 200_000,
    })),
  );
}

function readArguments(argv) {
  const inputs = [];
  let parallel = Math.max(1, availableParallelism() >> 1);
  let isQuick = false;
  for (let i = 0; i < argv.length; i++) {
    if (argv[i] === '--jobs') parallel = Number(argv[++i]);
    else if (argv[i] === '--quick') isQuick = true;
    else inputs.push(argv[i]);
  }
  return { jobs: parallel, quick: isQuick, recordings: inputs.length > 0 ? inputs : ['workloads/fs-churn'] };
}

function runOne(request) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--max-old-space-size=8192', RUN_ONE, JSON.stringify(request)]);
    let out = '';
    let err = '';
    child.stdout.on('data', (chunk) => (out += chunk));
    child.stderr.on('data', (chunk) => (err += chunk));
    child.on('close', (code) =>
      code === 0
        ? resolve({ request, result: JSON.parse(out) })
        : reject(new Error(`${JSON.stringify(request)}\n${err}`)),
    );
  });
}

async function runAll() {
  const queue = Object.entries(experiments).flatMap(([name, runs]) =>
    runs.map((request, index) => ({ name, index, request })),
  );
  const results = Object.fromEntries(
    Object.entries(experiments).map(([name, runs]) => [name, new Array(runs.length)]),
  );
  let next = 0;
  const worker = async () => {
    while (next < queue.length) {
      const { name, index, request } = queue[next++];
      process.stderr.write(
        `${name} ${request.policy} ${request.seed ?? request.superpageblocks ?? request.name ?? ''}\n`,
      );
      results[name][index] = await runOne(request);
    }
  };
  await Promise.all(Array.from({ length: jobs }, worker));
  return results;
}

const text = renderExperiments(await runAll());
if (quick) process.stdout.write(text);
else writeFileSync(OUTPUT, text);
