/**
 * Damages samples of every format and gives them to the program, as often as is asked for:
 *
 *     node test/hostile/mutate.mjs --count 1000000 --seed 1 [--jobs 2] [--first 0]
 *     node test/hostile/mutate.mjs --seed 1 --only 4711        one case again, with its error
 *
 * Exit code 1 if a case failed: threw something that is no message to the user, gave an event that cannot be, took too
 * long or too much memory. A failed case is named by seed and number; that is all that is needed to see it again.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';

/** Longest that one case may take. A case takes about a millisecond. */
const HANG_S = 60;
const MAX_RSS_MB = 1500;
const MAX_FAILURES = 20;
/** Where a job tells its state. */
const Slot = { case: 0, done: 1, refused: 2 };
const SLOTS = 4;

async function job() {
  const { seed, first, end, step, state, directory } = workerData;
  const progress = new Float64Array(state);
  const [{ Cases }, { loadSamples }] = await Promise.all([
    import('./mutate-cases.mjs'),
    import('./samples.mjs'),
  ]);
  const cases = new Cases(await loadSamples(), seed, directory);
  await cases.start();
  const kinds = new Map();
  for (let index = first; index < end; index += step) {
    progress[Slot.case] = index;
    const kind = cases.kindOf(index).kind;
    const count = kinds.get(kind) ?? { cases: 0, refused: 0, ms: 0 };
    kinds.set(kind, count);
    const start = performance.now();
    try {
      if ((await cases.try(index)).isRefused) count.refused++;
    } catch (error) {
      const stack =
        error instanceof Error
          ? `${error.stack}${error.cause ? `\n  cause: ${error.cause.stack}` : ''}`
          : String(error);
      parentPort.postMessage({ failure: { index, kind, text: stack } });
    }
    count.ms += performance.now() - start;
    count.cases++;
    progress[Slot.done]++;
  }
  parentPort.postMessage({ kinds });
}

class Jobs {
  failures = [];
  kinds = new Map();
  peak_rss = 0;

  constructor(options, directory) {
    this.options = options;
    this.directory = directory;
  }

  async run() {
    const { first, count, jobs, seed } = this.options;
    const watch = setInterval(() => this.#watch(), 200);
    this.workers = Array.from({ length: jobs }, (_, number) => {
      const state = new SharedArrayBuffer(SLOTS * 8);
      const data = {
        ...{ seed, first: first + number, end: first + count, step: jobs, state },
        directory: join(this.directory, `job-${number}`),
      };
      const worker = new Worker(new URL(import.meta.url), { workerData: data });
      return { worker, progress: new Float64Array(state), last: -1, since: performance.now() };
    });
    try {
      await Promise.all(this.workers.map((entry) => this.#ended(entry)));
    } finally {
      clearInterval(watch);
      this.#watch();
    }
  }

  #ended(entry) {
    return new Promise((resolve) => {
      entry.worker.on('message', (message) => {
        if (message.failure !== undefined) this.#fail(message.failure);
        else this.#count(message.kinds);
      });
      entry.worker.on('error', (error) => {
        this.#fail({ index: entry.progress[Slot.case], kind: 'thread', text: String(error?.stack ?? error) });
      });
      entry.worker.on('exit', () => {
        entry.isDone = true;
        resolve();
      });
    });
  }

  #fail(failure) {
    this.failures.push(failure);
    if (this.failures.length <= MAX_FAILURES)
      process.stderr.write(
        `case ${failure.index} (${failure.kind}), seed ${this.options.seed}:\n${failure.text}\n\n`,
      );
    if (this.failures.length >= MAX_FAILURES) for (const { worker } of this.workers) void worker.terminate();
  }

  #count(kinds) {
    for (const [kind, { cases, refused, ms }] of kinds) {
      const sum = this.kinds.get(kind) ?? { cases: 0, refused: 0, ms: 0 };
      this.kinds.set(kind, { cases: sum.cases + cases, refused: sum.refused + refused, ms: sum.ms + ms });
    }
  }

  /** A job that stays at one case hangs; it cannot tell so itself. */
  #watch() {
    const rss = process.memoryUsage.rss();
    this.peak_rss = Math.max(this.peak_rss, rss);
    for (const entry of this.workers ?? []) {
      const index = entry.progress[Slot.case];
      if (entry.isDone || index !== entry.last) {
        entry.last = index;
        entry.since = performance.now();
      } else if (performance.now() - entry.since > HANG_S * 1000) {
        this.#fail({ index, kind: 'hang', text: `not done after ${HANG_S} s` });
        void entry.worker.terminate();
      }
    }
    if (rss > MAX_RSS_MB * 1e6 && this.tooLarge === undefined) {
      this.tooLarge = rss;
      const at = this.workers.map(({ progress }) => progress[Slot.case]).join(' or ');
      this.#fail({ index: at, kind: 'memory', text: `${Math.round(rss / 1e6)} MB in use` });
    }
  }
}

function wholeNumber(text, name) {
  if (!/^\d+$/.test(text)) throw new Error(`--${name} ${text}: expected a whole number`);
  return Number(text);
}

async function main() {
  const { values } = parseArgs({
    options: {
      count: { type: 'string', default: '20000' },
      seed: { type: 'string', default: '1' },
      jobs: { type: 'string', default: '2' },
      first: { type: 'string', default: '0' },
      only: { type: 'string' },
    },
  });
  const only = values.only;
  const options = {
    seed: wholeNumber(values.seed, 'seed'),
    jobs: only === undefined ? wholeNumber(values.jobs, 'jobs') : 1,
    first: wholeNumber(only ?? values.first, 'first'),
    count: only === undefined ? wholeNumber(values.count, 'count') : 1,
  };
  const directory = mkdtempSync(join(tmpdir(), 'spbsim-mutate-'));
  const jobs = new Jobs(options, directory);
  const start = performance.now();
  try {
    await jobs.run();
  } finally {
    if (only === undefined) rmSync(directory, { recursive: true, force: true });
    else process.stderr.write(`files: ${directory}\n`);
  }
  const seconds = (performance.now() - start) / 1000;
  const kinds = [...jobs.kinds].map(([kind, { cases, refused, ms }]) => ({
    ...{ kind, cases, refused },
    us_per_case: Math.round((ms * 1000) / cases),
  }));
  const cases = kinds.reduce((sum, kind) => sum + kind.cases, 0);
  const summary = {
    ...{ seed: options.seed, first: options.first, cases, failures: jobs.failures.length },
    seconds: Math.round(seconds * 10) / 10,
    cases_per_s: Math.round(cases / seconds),
    peak_rss_mb: Math.round(jobs.peak_rss / 1e6),
    kinds: kinds.sort((a, b) => b.cases - a.cases),
  };
  process.stdout.write(`${JSON.stringify(summary, undefined, 1)}\n`);
  if (jobs.failures.length > 0 || cases !== options.count) process.exitCode = 1;
}

await (isMainThread ? main() : job());
