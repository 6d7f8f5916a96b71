/**
 * What is done with damaged inputs, and what must hold: every failure is an InputError or a UsageError of one short
 * line without control characters; every event that comes out is one that the replay may rely on; what is written and
 * read again is the same.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseConfig } from '../../dist/config/config-file.js';
import { checkMachineFile } from '../../dist/config/machine-file.js';
import { checkPolicyFile } from '../../dist/config/policy-file.js';
import { resolvePolicy } from '../../dist/config/resolve-policy.js';
import { importTrace } from '../../dist/sim/import-trace.js';
import { machineSizeProblem } from '../../dist/sim/machine-limit.js';
import { runTraces } from '../../dist/sim/run-trace.js';
import { verifyInput } from '../../dist/sim/verify/verify-input.js';
import { ArrowReader } from '../../dist/trace/arrow/reader.js';
import { openChunks, peekInput } from '../../dist/trace/bytes/open-input.js';
import { CsvReader } from '../../dist/trace/csv/reader.js';
import { detectFormat, LOOK_BYTES } from '../../dist/trace/detect-format.js';
import { NO_ORDER, OP_NAMES } from '../../dist/trace/event-batch.js';
import { DEFAULT_LIMITS } from '../../dist/trace/limits.js';
import { OracleSource } from '../../dist/trace/oracle/oracle-source.js';
import { openTrace } from '../../dist/trace/source.js';
import { createTraceStrings } from '../../dist/trace/string-table.js';
import { TextReader } from '../../dist/trace/text/reader.js';
import { mutate, Random } from './mutator.mjs';

/** Few, so that batches end in the middle of the samples. */
const BATCH_EVENTS = 16;
/** 32 MiB: nothing that a damaged file declares may take more. */
const MAX_MACHINE_PAGES = 8192;
const LONGEST_MESSAGE = 2000;
const MACHINE = {
  cpu_nodes: [0, 0],
  node_distances: [[10]],
  zones: [{ node: 0, index: 2, start_pfn: 1, spanned_pages: 4095, present_pages: 4095, managed_pages: 4000 }],
  cpu_cache_bytes: 2 << 20,
  thp: true,
};

/** Limits low enough to be met by a sample. */
const LOW_LIMITS = {
  line_bytes: 200,
  record_bytes: 60,
  strings: 6,
  string_bytes: 100,
  inflation_ratio: 2,
  inflated_bytes: 3000,
};

/** @throws {Error} if the error is none that an input may cause */
function checkError(error) {
  const name = error instanceof Error ? error.name : 'not an Error';
  if (name !== 'InputError' && name !== 'InputErrors' && name !== 'UsageError') throw error;
  const lines = error.message.split('\n');
  const count = name === 'InputErrors' ? error.errors.length : 1;
  if (lines.length !== count) throw new Error(`a message of ${lines.length} lines: ${error.message}`);
  for (const line of lines) {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it is about
    if (/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e]/.test(line))
      throw new Error(`a message with control characters: ${JSON.stringify(line)}`);
    if (line.length > LONGEST_MESSAGE) throw new Error(`a message of ${line.length} characters: ${line}`);
  }
}

function checkEvents(batch, last_ts) {
  let last = last_ts;
  for (let i = 0; i < batch.length; i++) {
    const wrong = (what) => {
      throw new Error(`event ${i} of a batch has ${what}`);
    };
    const ts = batch.ts[i];
    if (!(ts >= last && ts <= Number.MAX_SAFE_INTEGER)) wrong(`time ${ts} behind ${last}`);
    last = ts;
    if (batch.op[i] >= OP_NAMES.length) wrong(`op ${batch.op[i]}`);
    if (batch.ctx[i] > 3) wrong(`context ${batch.ctx[i]}`);
    if (batch.order[i] > 10 && batch.order[i] !== NO_ORDER) wrong(`order ${batch.order[i]}`);
    const { strings } = batch;
    if (batch.id[i] !== 0xffff_ffff && batch.id[i] >= strings.ids.size) wrong('an id of no table');
    if (batch.site[i] >= strings.sites.size) wrong('a site of no table');
    if (batch.cache[i] >= strings.caches.size) wrong('a cache of no table');
    if (batch.memcg[i] >= strings.memcgs.size) wrong('a cgroup of no table');
    if (batch.arg[i] >= strings.args.size) wrong('arguments of no table');
  }
  return last;
}

/** Files come in large chunks, pipes in small ones. */
async function* inChunks(bytes, random) {
  const size = random.oneOf([bytes.length, bytes.length, 1 + random.below(64), 1 + random.below(4096)]) || 1;
  for (let at = 0; at < bytes.length; at += size) {
    yield Buffer.from(bytes.subarray(at, at + size));
  }
}

function readerOf({ format, dialect }, input, options) {
  switch (format) {
    case 'csv':
      return new CsvReader(input, options);
    case 'text':
      return new TextReader(input, { ...options, dialect });
    case 'arrow-file':
    case 'arrow-stream':
      return new ArrowReader(input, options);
    case 'oracle':
      return new OracleSource(input);
    default:
      return undefined;
  }
}

/** Reads the bytes as openTrace() would a file of them. @returns format, or nothing if it is none */
async function read(bytes, random, expected) {
  const limits = random.below(8) === 0 ? LOW_LIMITS : DEFAULT_LIMITS;
  const input = await openChunks(inChunks(bytes, random), 'damaged', limits);
  const peeked = await peekInput(input, LOOK_BYTES);
  let detected = detectFormat(peeked.head);
  // What no longer looks like its format is read as it all the same now and then: a flag might say so one day.
  if (detected.format === undefined && expected !== undefined && random.below(4) === 0)
    detected = { format: expected };
  const options = {
    limits,
    strings: createTraceStrings(limits),
    batchEvents: BATCH_EVENTS,
    kernel: random.oneOf([undefined, '6.1', '6.18', '7.2']),
    strict: random.below(8) === 0,
    maxErrors: random.oneOf([1, 1, 5]),
    skipInvalid: random.below(4) === 0,
  };
  const reader = readerOf(detected, peeked.input, options);
  if (reader === undefined) {
    for await (const _ of peeked.input.chunks);
    return undefined;
  }
  let last = Number.NEGATIVE_INFINITY;
  try {
    for await (const batch of reader.batches()) last = checkEvents(batch, last);
  } finally {
    // A report looks through tables that are larger than the sample: now and then is often enough.
    if (random.below(16) === 0)
      JSON.stringify(typeof reader.report === 'function' ? reader.report() : reader.report);
  }
  return detected.format;
}

/** Everything that a test of a case may need: a directory of its own, the samples, the policy. */
export class Cases {
  #samples;
  #seed;
  #directory;
  #policy;

  constructor(samples, seed, directory) {
    this.#samples = samples;
    this.#seed = seed;
    this.#directory = directory;
    mkdirSync(directory, { recursive: true });
  }

  async start() {
    this.#policy = await resolvePolicy('mainline-6.18');
  }

  /** The kind of a case: what its number says. Reading is fast, so most cases read. */
  kindOf(index) {
    const random = new Random(this.#seed, index);
    const turn = random.below(1000);
    const share = SHARES.find(({ below }) => turn < below);
    return { kind: share.kind, random };
  }

  #damaged(kind, random) {
    const samples = this.#samples.get(kind);
    const sample = random.oneOf(samples);
    const other =
      random.below(4) === 0
        ? random.oneOf(this.#samples.get(random.oneOf(TRACE_KINDS)))
        : random.oneOf(samples);
    return mutate(sample, other, random);
  }

  #file(name, bytes) {
    const path = join(this.#directory, name);
    writeFileSync(path, bytes);
    return path;
  }

  /** Makes and tries a case. @throws {Error} if something holds that must not. @returns what came of it */
  async try(index) {
    const { kind, random } = this.kindOf(index);
    try {
      await this.#try(kind, random);
      return { kind, isRefused: false };
    } catch (error) {
      checkError(error);
      return { kind, isRefused: true };
    }
  }

  /** Files of a case, for a reproducer. */
  keep() {
    return this.#directory;
  }

  async #try(kind, random) {
    switch (kind) {
      case 'run':
        return this.#run(random);
      case 'import':
        return this.#import(random);
      case 'recording':
        return this.#recording(random);
      case 'verify':
        return this.#verify(random);
      case 'policy': {
        const text = this.#damaged('policy', random).toString();
        return checkPolicyFile(await parseConfig(text, 'policy.yaml'));
      }
      case 'machine':
        return this.#machine(random);
      default:
        return read(this.#damaged(kind, random), random, EXPECTED.get(kind));
    }
  }

  #request(random, inputs) {
    return {
      inputs,
      policy: this.#policy,
      machine: MACHINE,
      mode: 'free',
      check: true,
      join: random.oneOf(['time', 'append']),
      open: { skipInvalid: random.below(2) === 0, maxErrors: 3 },
      max_machine_pages: MAX_MACHINE_PAGES,
      seed: 1,
    };
  }

  async #run(random) {
    const inputs = [this.#file('run-a', this.#damaged(random.oneOf(TRACE_KINDS), random))];
    if (random.below(4) === 0)
      inputs.push(this.#file('run-b', this.#damaged(random.oneOf(TRACE_KINDS), random)));
    return runTraces(this.#request(random, inputs));
  }

  async #import(random) {
    const input = this.#file('import', this.#damaged(random.oneOf(TRACE_KINDS), random));
    const format = random.oneOf(['csv', 'arrow-file', 'arrow-stream']);
    const output = join(this.#directory, `out-${format}${random.oneOf(['', '', '', '.gz', '.zst'])}`);
    const imported = await importTrace({
      inputs: [input],
      output,
      format,
      open: { skipInvalid: true },
      anonymise: random.below(4) === 0,
    });
    const left_out = imported.notes.filter(({ name }) => name === 'left_out');
    // What we wrote, we must be able to read, all of it.
    let events = 0;
    try {
      const written = await openTrace(output, { strict: true });
      let last = Number.NEGATIVE_INFINITY;
      for await (const batch of written.source.batches()) {
        last = checkEvents(batch, last);
        events += batch.length;
      }
    } catch (error) {
      throw new Error(`what was imported cannot be read: ${error.message}`, { cause: error });
    }
    if (events !== imported.events)
      throw new Error(
        `${imported.events} events written, ${events} read (${left_out.length} kinds left out)`,
      );
  }

  async #recording(random) {
    const directory = join(this.#directory, 'recording');
    rmSync(directory, { recursive: true, force: true });
    for (const place of ['before', 'after']) mkdirSync(join(directory, place), { recursive: true });
    // One or two files are damaged, a few are missing.
    const files = RECORDING_FILES.filter(() => random.below(12) !== 0);
    const damaged = new Set([random.oneOf(files), random.oneOf(files)]);
    for (const [path, kind] of files) {
      const isDamaged = [...damaged].some(([name]) => name === path);
      const bytes = isDamaged ? this.#damaged(kind, random) : random.oneOf(this.#samples.get(kind));
      writeFileSync(join(directory, path), bytes);
    }
    const request = {
      ...this.#request(random, [directory]),
      machine: undefined,
      mode: random.oneOf(['free', 'pinned']),
    };
    if (random.below(2) === 0) return runTraces(request);
    return verifyInput({
      input: directory,
      policy: undefined,
      overrides: [],
      check: true,
      max_machine_pages: MAX_MACHINE_PAGES,
    });
  }

  async #verify(random) {
    const input = this.#file('run.jsonl', this.#damaged('oracle', random));
    return verifyInput({
      input,
      policy: undefined,
      overrides: [],
      check: false,
      max_machine_pages: MAX_MACHINE_PAGES,
    });
  }

  async #machine(random) {
    const text = this.#damaged('machine', random).toString();
    const machine = await checkMachineFile(await parseConfig(text, 'machine.yaml'));
    if (machineSizeProblem(machine, MAX_MACHINE_PAGES) !== undefined || machine.cpu_nodes.length > 64)
      return undefined;
    const input = this.#file('ok.csv', 'op,id,order\nalloc,a,0\nalloc,b,9\nfree,a,\nfree,b,\n');
    return runTraces({ ...this.#request(random, [input]), machine });
  }
}

const TRACE_KINDS = ['text', 'csv', 'arrow', 'arrow-foreign', 'oracle', 'gzip', 'zstd', 'xz'];
const EXPECTED = new Map([
  ['text', 'text'],
  ['csv', 'csv'],
  ['arrow', 'arrow-stream'],
  ['arrow-foreign', 'arrow-file'],
  ['oracle', 'oracle'],
]);

const RECORDING_FILES = [
  ['trace', 'recorded'],
  ['kernel', 'kernel'],
  ['stats', 'stats'],
  ...['before', 'after'].flatMap((place) =>
    ['buddyinfo', 'pagetypeinfo', 'zoneinfo', 'vmstat', 'meminfo', 'kpageflags'].map((name) => [
      `${place}/${name}`,
      name,
    ]),
  ),
];

/** Of a thousand cases, below which number a kind ends. */
const SHARES = [];
for (const [kind, share] of [
  ['text', 396],
  ['csv', 266],
  ['arrow', 150],
  ['arrow-foreign', 15],
  ['oracle', 40],
  ['gzip', 20],
  ['zstd', 20],
  ['xz', 10],
  ['policy', 20],
  ['machine', 20],
  ['run', 15],
  ['import', 10],
  ['recording', 8],
  ['verify', 10],
])
  SHARES.push({ kind, below: (SHARES.at(-1)?.below ?? 0) + share });
if (SHARES.at(-1).below !== 1000) throw new Error('the shares do not make a thousand');
