/** The lines of scripted slab runs, one by one: what each may hold. */
import * as z from 'zod';
import { MAX_PAGE_ORDER } from '../../mm/types.js';
import { DumpProblem, MAX_CPUS, shown } from './dump-checks.js';
import type { SlabOpKind, SlabRunCall } from './slab-run.js';

const count = z.number().int().nonnegative();
const MAX_OBJECTS = 32_767;
const MAX_NODES = 1024;
const objects = count.min(1).max(MAX_OBJECTS);
const order = count.max(MAX_PAGE_ORDER);
/** Of an object: the largest slab has 4 MiB, and debugging may treble an object. */
const objectBytes = count.max(2 ** 20);
const MAX_BULK = 2 ** 20;
const slabNumber = count.max(2 ** 31);

export const headerLine = z.object({
  t: z.literal('run'),
  name: z.string().min(1).max(64),
  seed: count,
  nops: count,
  mode: z.string().max(32),
  release: z.string().min(1).max(128),
  cpus: count.min(1).max(MAX_CPUS),
  nodes: count.min(1).max(MAX_NODES),
  gfps: z.array(z.tuple([z.string().max(32), count.max(0xffff_ffff)])).min(1),
  stats: z.array(z.string().max(64)).max(256),
});
export type SlabRunHeader = z.infer<typeof headerLine>;

export const geometryLine = z.object({
  t: z.literal('geometry'),
  cache: count.max(0xffff),
  name: z.string().min(1).max(64),
  size: count.min(1),
  object_size: objectBytes.min(1),
  inuse: count,
  offset: count,
  align: count,
  red_left_pad: count,
  oo: z.tuple([order, objects]),
  min: z.tuple([order, objects]),
  min_partial: count,
  cpu_partial: count,
  cpu_partial_slabs: count,
  flags: count.max(0xffff_ffff),
  allocflags: count.max(0xffff_ffff),
  ctor: count.max(1),
  remote_node_defrag_ratio: count,
});
export type SlabRunGeometry = z.infer<typeof geometryLine>;

export const slabLine = z.object({
  t: z.literal('slab'),
  op: count,
  n: slabNumber,
  cache: count,
  pfn: count.max(0xffff_fffe),
  order,
  objects,
  node: count,
});
export const goneLine = z.object({ t: z.literal('gone'), op: count, n: slabNumber });
export const orderLine = z.object({
  t: z.literal('order'),
  op: count,
  nodes: z.array(z.array(slabNumber)).max(MAX_NODES),
});
export const pagefreeLine = z.object({
  t: z.literal('pagefree'),
  op: count,
  order,
  pfns: z.array(count.max(0xffff_fffe)),
});
export const pagesnapLine = z.object({ t: z.literal('pagesnap'), op: count, name: z.string().max(64) });

/** @throws DumpProblem */
export function parsed<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw new DumpProblem([what, ...(issue?.path ?? [])].join('.'), `is not valid (${issue?.message ?? ''})`);
}

export function isWhole(value: unknown, max: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= max;
}

/** @throws DumpProblem */
export function whole(value: unknown, max: number, what: string): number {
  if (!isWhole(value, max)) throw new DumpProblem(what, `is not a number from 0 to ${max}`, shown(value));
  return value;
}

const MAX_INDEX = Number.MAX_SAFE_INTEGER;
const MAX_SLAB = 2 ** 31;

function pairs(value: unknown, what: string): number[] {
  if (!Array.isArray(value) || value.length % 2 !== 0)
    throw new DumpProblem(what, 'has no list of slabs and slots', shown(value));
  return value.map((entry: unknown, i) => whole(entry, i % 2 === 0 ? MAX_SLAB : MAX_OBJECTS, what));
}

type Stats = SlabRunCall['stats'];

/** @throws DumpProblem */
export function statsOf(value: unknown, names: readonly string[], what: string): Stats {
  if (!Array.isArray(value)) throw new DumpProblem(what, 'has no list of counters', shown(value));
  return value.map((entry: unknown) => {
    if (!Array.isArray(entry) || entry.length !== 2 || !isWhole(entry[0], names.length - 1))
      throw new DumpProblem(what, 'names a counter that the header does not list', shown(entry));
    if (typeof entry[1] !== 'number' || !Number.isInteger(entry[1]))
      throw new DumpProblem(what, 'has a counter that moved by no whole number', shown(entry));
    return [entry[0], entry[1]] as const;
  });
}

/** Numbers of the operation's own fields, and the kind that its letter stands for. */
const LETTERS: ReadonlyMap<string, readonly [SlabOpKind, fields: number]> = new Map([
  ['a', ['alloc', 8]],
  ['n', ['alloc', 8]],
  ['b', ['bulk_alloc', 8]],
  ['f', ['free', 7]],
  ['g', ['bulk_free', 7]],
  ['l', ['flush', 5]],
  ['s', ['shrink', 5]],
]);

/** One call and the number of its operation. @throws DumpProblem */
export function parseOperation(
  line: readonly unknown[],
  header: SlabRunHeader,
  caches: number,
): { op: number; call: SlabRunCall } {
  const [index, letter, context] = line;
  const op = whole(index, MAX_INDEX, 'operation');
  if (typeof letter !== 'string') throw new DumpProblem('operation', 'has no letter', shown(letter));
  const known = LETTERS.get(letter.charAt(0));
  if (known === undefined || (letter.length > 1 && letter.charAt(0) !== 'n'))
    throw new DumpProblem('operation', 'is not one of a, nK, b, f, g, l, s', letter);
  const [kind, fields] = known;
  if (line.length !== fields && line.length !== fields + 1)
    throw new DumpProblem(letter, `has ${line.length} fields and not ${fields} or ${fields + 1}`);
  if (context !== 'T' && context !== 'H')
    throw new DumpProblem(letter, 'runs in no context that is known (T, H)', shown(context));
  const isAlloc = kind === 'alloc' || kind === 'bulk_alloc';
  const call: SlabRunCall = {
    kind,
    context,
    cpu: whole(line[3], header.cpus - 1, `${letter}.cpu`),
    cache: whole(line[4], caches - 1, `${letter}.cache`),
    gfp: isAlloc ? whole(line[5], header.gfps.length - 1, `${letter}.gfp`) : 0,
    node: letter.charAt(0) === 'n' ? whole(Number(letter.slice(1)), header.nodes - 1, 'node') : -1,
    wanted: kind === 'bulk_alloc' ? whole(line[6], MAX_BULK, 'b.wanted') : 1,
    places: placesOf(kind, line, letter),
    stats:
      line.length > fields ? statsOf(line[fields], header.stats, letter) : usualStats(kind, header.stats),
  };
  return { op, call };
}

function placesOf(kind: SlabOpKind, line: readonly unknown[], letter: string): number[] {
  switch (kind) {
    case 'alloc':
      return line[6] === null && line[7] === null ? [] : pairs(line.slice(6, 8), letter);
    case 'bulk_alloc':
      return line[7] === null ? [] : pairs(line[7], letter);
    case 'free':
      return pairs(line.slice(5, 7), letter);
    case 'bulk_free':
      return pairs(line[6], letter);
    default:
      return [];
  }
}

/** What moved where the line says nothing. */
function usualStats(kind: SlabOpKind, names: readonly string[]): Stats {
  const name = kind === 'alloc' ? 'alloc_fastpath' : kind === 'free' ? 'free_fastpath' : undefined;
  if (name === undefined) return [];
  const index = names.indexOf(name);
  if (index < 0) throw new DumpProblem('run.stats', `does not list ${name}`);
  return [[index, 1]];
}
