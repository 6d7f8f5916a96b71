/** The lines of runs that mix kmalloc_nolock and kfree_nolock with kmalloc and kfree, one by one: what each may hold. */
import * as z from 'zod';
import { DumpProblem, shown } from './dump-checks.js';
import { headerLine, isWhole, slabLine, statsOf, whole } from './slab-run-lines.js';

const count = z.number().int().nonnegative();
const MAX_OBJECTS = 32_767;
const MAX_SLAB = 2 ** 31;
const MAX_BYTES = 8192;

export const NLRUN_LOCKS = [
  ...(['LL', 'LLnext', 'list_lock', 'pcp_top', 'pcp_all', 'zone_top', 'zone_all'] as const),
  ...(['obj_stock', 'memcg_stock'] as const),
] as const;
export type NlrunLock = (typeof NLRUN_LOCKS)[number];
const KNOWN_LOCKS: ReadonlySet<string> = new Set(NLRUN_LOCKS);

const held = z
  .string()
  .max(64)
  .transform((text) => (text === 'none' ? [] : text.split('+')))
  .refine((names): names is NlrunLock[] => names.every((lock) => KNOWN_LOCKS.has(lock)), {
    message: `not none or ${NLRUN_LOCKS.join(', ')} joined by +`,
  });

export const nlrunHeaderLine = headerLine.omit({ gfps: true }).extend({
  name: z.literal('nlrun'),
  acct: z.union([z.literal(0), z.literal(1)]),
  // Operations name no CPU, and lists of one node only.
  cpus: z.literal(1),
  nodes: z.literal(1),
  held: z.array(held).min(1).max(64),
  /** limit of the cgroup of an accounted run */
  max_pages: count.optional(),
});
export type NlrunHeader = z.infer<typeof nlrunHeaderLine>;

export const nlrunSlabLine = slabLine.extend({ ext: z.union([z.literal(0), z.literal(1)]) });

/** Where the charges stand after an operation. */
export const chargeLine = z.object({
  t: z.literal('mc'),
  op: count,
  usage: count,
  stock_pages: count.max(255),
  stock_bytes: count,
  stock_ours: count.max(1),
  charged_bytes: count,
  charged: z.number().int().min(-1).max(1),
  ext_flags: z.number().int().min(-1).max(7),
});
export type NlrunCharge = Readonly<z.infer<typeof chargeLine>>;

export const deferredLine = z.object({
  t: z.literal('deferred'),
  objects: z.array(z.tuple([z.number().int().min(-1), z.number().int(), z.number().int()])),
  slabs: count,
});

export type NlrunKind = 'kmalloc' | 'kmalloc_atomic' | 'kmalloc_nolock' | 'kfree' | 'kfree_nolock' | 'work';

/** A counter of a cache that moved, and by how much. */
export interface NlrunStats {
  readonly cache: number;
  readonly deltas: readonly (readonly [index: number, delta: number])[];
}

/** One call. */
export interface NlrunCall {
  readonly kind: NlrunKind;
  /** T task, D called directly below the locks, N in an NMI */
  readonly context: string;
  /** index into the header's sets of held locks */
  readonly held: number;
  /** of an allocation */
  readonly size_bytes: number;
  /** cache that is asked for, or that the freed object is of */
  readonly cache: number;
  /** cache that gave the object, its slab and slot; -1 for none */
  readonly got: number;
  readonly slab: number;
  readonly slot: number;
  /** what waits for the deferred work: after a free, before the work. undefined where it is not recorded */
  readonly deferred: { readonly objects: number; readonly slabs: number } | undefined;
  readonly stats: readonly NlrunStats[];
}

const KINDS: ReadonlyMap<unknown, NlrunKind> = new Map([
  ['k', 'kmalloc'],
  ['j', 'kmalloc_atomic'],
  ['K', 'kmalloc_nolock'],
  ['F', 'kfree'],
  ['Z', 'kfree_nolock'],
  ['W', 'work'],
]);
/** Fields before the counters. */
const FIELDS = 9;
const WORK_FIELDS = 4;
const CONTEXTS: ReadonlySet<unknown> = new Set(['T', 'D', 'N']);

/** One call and the number of its operation. @throws DumpProblem */
export function parseNlrunCall(
  line: readonly unknown[],
  header: NlrunHeader,
  caches: number,
): { op: number; call: NlrunCall } {
  const op = whole(line[0], Number.MAX_SAFE_INTEGER, 'operation');
  const kind = KINDS.get(line[1]);
  if (kind === undefined)
    throw new DumpProblem('operation', 'is not one of k, j, K, F, Z, W', shown(line[1]));
  const fields = kind === 'work' ? WORK_FIELDS : FIELDS;
  if (line.length < fields)
    throw new DumpProblem(kind, `has ${line.length} fields and not ${fields} or more`);
  const stats = line.slice(fields).map((entry) => cacheStats(entry, header, caches, kind));
  if (kind === 'work') return { op, call: { ...NOTHING, deferred: lengths(line, 2), stats } };
  if (!CONTEXTS.has(line[2]))
    throw new DumpProblem(kind, 'runs in no context that is known (T, D, N)', shown(line[2]));
  const context = line[2] as string;
  const locks = whole(line[3], header.held.length - 1, `${kind}.held`);
  const call =
    kind === 'kfree' || kind === 'kfree_nolock' ? freeOf(line, caches, kind) : allocOf(line, caches, kind);
  return { op, call: { ...NOTHING, ...call, kind, context, held: locks, stats } };
}

const NOTHING: NlrunCall = {
  kind: 'work',
  context: 'T',
  held: 0,
  size_bytes: 0,
  cache: -1,
  got: -1,
  slab: -1,
  slot: -1,
  deferred: undefined,
  stats: [],
};

function allocOf(line: readonly unknown[], caches: number, kind: string): Partial<NlrunCall> {
  const size_bytes = whole(line[4], MAX_BYTES, `${kind}.size`);
  if (size_bytes === 0) throw new DumpProblem(`${kind}.size`, 'is no size that a cache serves', '0');
  const cache = whole(line[5], caches - 1, `${kind}.want`);
  if (line[6] === null && line[7] === null && line[8] === null) return { size_bytes, cache };
  return {
    size_bytes,
    cache,
    got: whole(line[6], caches - 1, `${kind}.got`),
    slab: whole(line[7], MAX_SLAB, `${kind}.slab`),
    slot: whole(line[8], MAX_OBJECTS, `${kind}.slot`),
  };
}

function freeOf(line: readonly unknown[], caches: number, kind: string): Partial<NlrunCall> {
  return {
    cache: whole(line[4], caches - 1, `${kind}.cache`),
    slab: whole(line[5], MAX_SLAB, `${kind}.slab`),
    slot: whole(line[6], MAX_OBJECTS, `${kind}.slot`),
    deferred: lengths(line, 7),
  };
}

function lengths(line: readonly unknown[], at: number): { objects: number; slabs: number } {
  return {
    objects: whole(line[at], Number.MAX_SAFE_INTEGER, 'deferred objects'),
    slabs: whole(line[at + 1], Number.MAX_SAFE_INTEGER, 'deferred slabs'),
  };
}

function cacheStats(entry: unknown, { stats }: NlrunHeader, caches: number, kind: string): NlrunStats {
  if (!Array.isArray(entry) || !isWhole(entry[0], caches - 1))
    throw new DumpProblem(kind, 'has counters of no cache', shown(entry));
  return { cache: entry[0], deltas: statsOf(entry.slice(1), stats, kind) };
}
