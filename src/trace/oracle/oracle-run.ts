/**
 * Scripted runs on a real kernel: the operations, the PFN that each one really got, and complete dumps of the
 * allocator's lists before, in between and after. The judge of the model.
 *
 * One JSON value per line. Dumps are put together into one object each, operations come as they stand.
 */
import * as z from 'zod';
import { MAX_PAGE_ORDER } from '../../mm/types.js';
import { readLines } from '../bytes/line-reader.js';
import type { ByteInput } from '../bytes/open-input.js';
import { InputError } from '../input-error.js';
import { guessKernel } from '../kernel-generation.js';
import { DumpProblem, shown } from './dump-checks.js';
import { DumpBuilder, type StateDump } from './oracle-dump.js';

export interface OracleRunHeader {
  readonly t: 'run';
  readonly mix: string;
  readonly seed: number;
  readonly nops: number;
  readonly release: string;
  /** name and mask of the requests, in the bit layout of the release; operations name them by index */
  readonly gfps: readonly (readonly [name: string, mask: number])[];
  readonly max_nr_zones: number;
}

export interface OracleZonelist {
  readonly t: 'zonelist';
  readonly node: number;
  readonly kind: 'fallback' | 'nofallback';
  /** zone numbers, first choice first */
  readonly zones: readonly number[];
}

export interface OracleAlloc {
  readonly t: 'alloc';
  readonly op: number;
  readonly gfp: number;
  readonly order: number;
  /** undefined: the kernel gave nothing */
  readonly pfn: number | undefined;
}

export interface OracleFree {
  readonly t: 'free';
  readonly op: number;
  /** the operation that allocated it */
  readonly of: number;
  readonly order: number;
  readonly pfn: number;
}

/** A short look at one zone, before operation `op`. */
export interface OracleCheck {
  readonly t: 'check';
  readonly op: number;
  readonly zone: number;
  readonly nr_free: readonly number[];
  readonly pcp_count: number;
  readonly pcp_high: number;
  readonly boost: number;
  readonly highatomic: number;
}

export interface OracleState {
  readonly t: 'state';
  readonly state: StateDump;
}

/** The end of the run proper; frees of what is left follow. */
export interface OracleEnd {
  readonly t: 'endrun';
  readonly mix: string;
  readonly live: number;
}

export interface OracleFreeAll {
  readonly t: 'freeall';
  readonly n: number;
}

/** Counters of a run that interrupted itself by NMIs. */
export interface OracleNmi {
  readonly t: 'nmi';
  readonly counters: Readonly<Record<string, number>>;
}

export type OracleItem =
  | OracleRunHeader
  | OracleZonelist
  | OracleAlloc
  | OracleFree
  | OracleCheck
  | OracleState
  | OracleEnd
  | OracleFreeAll
  | OracleNmi;

const count = z.number().int().nonnegative();

const runLine = z.object({
  t: z.literal('run'),
  mix: z.string().min(1).max(64),
  seed: count,
  nops: count,
  release: z.string().min(1).max(128),
  gfps: z.array(z.tuple([z.string().max(32), count.max(0xffff_ffff)])).min(1),
  max_nr_zones: count.min(1).max(16),
});
const zonelistLine = z.object({
  t: z.literal('zonelist'),
  node: count,
  kind: z.enum(['fallback', 'nofallback']),
  zones: z.array(count),
});
const endLine = z.object({ t: z.literal('endrun'), mix: z.string(), live: count });
const freeallLine = z.object({ t: z.literal('freeall'), n: count });
const nmiLine = z.record(z.string(), z.union([z.string(), z.number()]));

/** Longest line: a dump's longest list of a large machine. */
const MAX_LINE_BYTES = 64 << 20;

export interface OracleOptions {
  /**
   * Whether the kernel has CMA, so that type 4 is CMA and not Isolate. By default as the release in the run's header
   * suggests; files without one (`state.jsonl`) are taken to have it.
   */
  readonly hasCma?: boolean;
}

function isWhole(value: unknown, max: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= max;
}

const MAX_PFN = 0xffff_fffe;

function operation(op: readonly unknown[]): OracleAlloc | OracleFree | OracleCheck {
  const [index, kind, a, b, c] = op;
  if (!isWhole(index, Number.MAX_SAFE_INTEGER))
    throw new DumpProblem('operation', 'has no number', shown(index));
  if (kind === 'A') {
    if (op.length !== 5 || !isWhole(a, 0xffff)) throw new DumpProblem('A', 'names no request', shown(a));
    if (!isWhole(b, MAX_PAGE_ORDER)) throw new DumpProblem('A', 'has no order', shown(b));
    if (c !== null && !isWhole(c, MAX_PFN)) throw new DumpProblem('A', 'has no PFN', shown(c));
    return { t: 'alloc', op: index, gfp: a, order: b, pfn: c === null ? undefined : c };
  }
  if (kind === 'F') {
    if (op.length !== 5 || !isWhole(a, Number.MAX_SAFE_INTEGER)) {
      throw new DumpProblem('F', 'names no operation', shown(a));
    }
    if (!isWhole(b, MAX_PAGE_ORDER)) throw new DumpProblem('F', 'has no order', shown(b));
    if (!isWhole(c, MAX_PFN)) throw new DumpProblem('F', 'has no PFN', shown(c));
    return { t: 'free', op: index, of: a, order: b, pfn: c };
  }
  if (kind === 'C') {
    if (op.length !== 8 || !isWhole(a, 0xffff)) throw new DumpProblem('C', 'names no zone', shown(a));
    if (!Array.isArray(b) || !b.every((n) => isWhole(n, Number.MAX_SAFE_INTEGER))) {
      throw new DumpProblem('C', 'has no free counts');
    }
    const rest = op.slice(4);
    if (!rest.every((n): n is number => typeof n === 'number' && Number.isInteger(n))) {
      throw new DumpProblem('C', 'holds something that is no number');
    }
    const [pcp_count = 0, pcp_high = 0, boost = 0, highatomic = 0] = rest;
    return { t: 'check', op: index, zone: a, nr_free: b as number[], pcp_count, pcp_high, boost, highatomic };
  }
  throw new DumpProblem('operation', 'is not A, F or C', shown(kind));
}

/** What was handed out and not taken back: a free names one of these, and its order. */
class LiveAllocations {
  readonly #live = new Map<number, OracleAlloc>();

  /** @throws DumpProblem */
  follow(op: OracleAlloc | OracleFree | OracleCheck): void {
    if (op.t === 'alloc') {
      if (this.#live.has(op.op))
        throw new DumpProblem('A', 'has the number of another operation', shown(op.op));
      this.#live.set(op.op, op);
    } else if (op.t === 'free') {
      const of = this.#live.get(op.of);
      if (of === undefined)
        throw new DumpProblem('F', 'names no operation whose pages are in use', shown(op.of));
      if (of.order !== op.order)
        throw new DumpProblem('F', `is not the order of operation ${op.of}, ${of.order}`, shown(op.order));
      this.#live.delete(op.of);
    }
  }
}

function header<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new DumpProblem([what, ...(issue?.path ?? [])].join('.'), `is not valid (${issue?.message ?? ''})`);
}

/**
 * The items of a scripted run, or of a file that holds dumps only, in the order of the file.
 *
 * @throws InputError  with the line, for anything that is not what the format says, or when the file ends in a dump
 */
export async function* readOracleRun(
  input: ByteInput,
  options: OracleOptions = {},
): AsyncGenerator<OracleItem> {
  const file = input.name;
  let hasCma = options.hasCma ?? true;
  let builder = new DumpBuilder(hasCma);
  const live = new LiveAllocations();
  let gfps = Number.POSITIVE_INFINITY;
  let number = 0;
  const take = (text: string): OracleItem | undefined => {
    const value: unknown = JSON.parse(text);
    if (Array.isArray(value)) {
      if (builder.isOpen) throw new DumpProblem('operation', 'stands inside a dump');
      const op = operation(value);
      if (op.t === 'alloc' && op.gfp >= gfps) {
        throw new DumpProblem('A', 'names a request that the header does not list', shown(op.gfp));
      }
      live.follow(op);
      return op;
    }
    if (value === null || typeof value !== 'object')
      throw new DumpProblem('line', 'is neither operation nor object');
    const line = value as Readonly<Record<string, unknown>>;
    switch (line.t) {
      case 'run': {
        const run = header(runLine, line, 'run');
        gfps = run.gfps.length;
        hasCma = options.hasCma ?? guessKernel(run.release).generation === '7.2';
        builder = new DumpBuilder(hasCma);
        return run;
      }
      case 'zonelist':
        return header(zonelistLine, line, 'zonelist');
      case 'endrun':
        return header(endLine, line, 'endrun');
      case 'freeall':
        return header(freeallLine, line, 'freeall');
      case 'nmi': {
        const entries = Object.entries(header(nmiLine, line, 'nmi'));
        const numbers = entries.filter((entry): entry is [string, number] => typeof entry[1] === 'number');
        return { t: 'nmi', counters: Object.fromEntries(numbers) };
      }
      default: {
        const state = builder.take(line);
        return state === undefined ? undefined : { t: 'state', state };
      }
    }
  };
  for await (const lines of readLines(input.chunks, file, MAX_LINE_BYTES, 'check how it was made')) {
    for (const text of lines) {
      number++;
      if (text === '') continue;
      let item: OracleItem | undefined;
      try {
        item = take(text);
      } catch (error) {
        if (error instanceof SyntaxError) {
          throw new InputError({
            file,
            line: number,
            value: text,
            expectation: 'is not JSON',
            remedy: 'each line is one value',
          });
        }
        if (!(error instanceof DumpProblem)) throw error;
        const { field, value, expectation } = error;
        throw new InputError({ file, line: number, field, value, expectation });
      }
      if (item !== undefined) yield item;
    }
  }
  if (builder.isOpen) {
    throw new InputError({ file, line: number, expectation: 'ends in the middle of a dump' });
  }
}

/** The dumps of a `state.jsonl`, in order. @throws InputError */
export async function readStateDumps(input: ByteInput, options: OracleOptions = {}): Promise<StateDump[]> {
  const dumps: StateDump[] = [];
  for await (const item of readOracleRun(input, options)) if (item.t === 'state') dumps.push(item.state);
  return dumps;
}
