/**
 * Truth tables of kmalloc_nolock() and kfree_nolock() on a real kernel: one call a line, each from a state that was
 * prepared, in a context, with locks really held by the interrupted code.
 */
import * as z from 'zod';
import { MAX_PAGE_ORDER } from '../../mm/types.js';
import type { ByteInput } from '../bytes/open-input.js';
import { checkTableEnd, readTableLines } from './table-lines.js';

const count = z.number().int().nonnegative();
const order = count.max(MAX_PAGE_ORDER);
/** A state is prepared slab by slab. */
const prepared = count.max(256);
const name = z.string().min(1).max(64);
const counters = z.record(z.string().max(64), z.number().int());
/** objects and slabs on the deferred lists */
const lengths = z.tuple([count, count]);
const deferred = z.tuple([lengths, lengths, lengths]);
/** D direct, N in an NMI, H in a hardirq */
const context = z.enum(['D', 'N', 'H']);

const LOCKS = ['LL', 'LLnext', 'list_lock', 'pcp_top', 'pcp_all', 'zone_top', 'zone_all'] as const;
export type TableLock = (typeof LOCKS)[number];
const KNOWN_LOCKS: ReadonlySet<string> = new Set(LOCKS);
const held = z
  .string()
  .max(64)
  .transform((text) => (text === 'none' ? [] : text.split('+')))
  .refine((names): names is TableLock[] => names.every((lock) => KNOWN_LOCKS.has(lock)), {
    message: `not none or ${LOCKS.join(', ')} joined by +`,
  });

const headerLine = z.object({
  t: z.literal('run'),
  name: z.enum(['nltab', 'nlfree']),
  release: z.string().min(1).max(128),
  acct: z.union([z.literal(0), z.literal(1)]).default(0),
  cpus: z.literal(1),
});

const geometryLine = z.object({
  t: z.literal('geometry'),
  name,
  size: count.min(1),
  oo: z.tuple([order, count]),
  min: z.tuple([order, count]),
  min_partial: count,
  cpu_partial_slabs: count,
  flags: count.max(0xffff_ffff),
});
export type TableGeometry = z.infer<typeof geometryLine>;

const allocLine = z.object({
  t: z.literal('nl'),
  id: count,
  ctx: context,
  held,
  bucket: name,
  size: count,
  state: z.enum(['fast', 'refill', 'cpu_partial', 'node_partial', 'node_partial_many', 'empty']),
  pcp: z.enum(['-', 'd', 'f']),
  pre: z.object({
    freelist: count,
    slab_freelist: z.number().int().min(-1),
    cpu_partial: prepared,
    nr_partial: prepared,
  }),
  result: name.nullable(),
  order: order.optional(),
  zone: name.optional(),
  new_slabs: lengths,
  deferred,
  nr_slabs_end: z.number().int(),
  stats: counters,
  stats_next: counters.optional(),
  stats_irq_work: counters,
});
export type AllocRow = z.infer<typeof allocLine>;

const slabColumns = { inuse: count, frozen: count };
const freeLine = z.object({
  t: z.literal('nlfree'),
  id: count,
  ctx: context,
  held,
  bucket: name,
  object_in: z.enum(['cpu_slab', 'cpu_slab_drained', 'full', 'cpu_partial', 'node_partial']),
  pre: z.object({
    ...slabColumns,
    is_cpu_slab: count,
    on_node_list: count,
    cpu_partial: prepared,
    nr_partial: prepared,
  }),
  after: z.object(slabColumns),
  end: z.object({ ...slabColumns, cpu_partial: count, nr_partial: count }),
  deferred,
  stats: counters,
  stats_irq_work: counters,
});
export type FreeRow = z.infer<typeof freeLine>;

const endLine = z.object({ t: z.literal('endrun'), rows: count, overflow: z.literal(0) });
const anyLine = z.discriminatedUnion('t', [headerLine, geometryLine, allocLine, freeLine, endLine]);

export interface NolockTable {
  readonly header: z.infer<typeof headerLine>;
  readonly geometry: readonly TableGeometry[];
  readonly rows: readonly (AllocRow | FreeRow)[];
}

/** @throws InputError with the line, for anything that is not what the format says */
export async function readNolockTable(input: ByteInput): Promise<NolockTable> {
  let header: NolockTable['header'] | undefined;
  const geometry: TableGeometry[] = [];
  const rows: (AllocRow | FreeRow)[] = [];
  let end: number | undefined;
  await readTableLines(input, anyLine, (line) => {
    if (line.t === 'run') header = line;
    else if (line.t === 'geometry') geometry.push(line);
    else if (line.t === 'endrun') end = line.rows;
    else rows.push(line);
    return line.t === 'nl' || line.t === 'nlfree';
  });
  checkTableEnd(input.name, header !== undefined, 'endrun.rows', end, rows.length);
  return { header: header!, geometry, rows };
}
