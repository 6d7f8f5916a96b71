/**
 * Calls of kmalloc_nolock() that interrupted other calls of a real kernel: from probes inside the slow paths (`nest`), and
 * from NMIs that struck anywhere (`nlnat`).
 */
import * as z from 'zod';
import type { ByteInput } from '../bytes/open-input.js';
import { checkTableEnd, readTableLines } from './table-lines.js';

const count = z.number().int().nonnegative();
const bit = z.union([z.literal(0), z.literal(1)]);
const name = z.string().min(1).max(64);
const release = z.string().min(1).max(128);
const counters = z.record(z.string().max(64), z.number().int());
/** objects and slabs on the deferred lists */
const lengths = z.tuple([count, count]);
/** A state is prepared slab by slab. */
const prepared = count.max(256);

/** Functions that were probed, by the names that the machine's symbol table has for them. */
export const PROBES = [
  '__slab_alloc.constprop.0',
  'get_partial_node',
  'allocate_slab',
  'alloc_frozen_pages_nolock_noprof',
  '__alloc_frozen_pages_noprof',
  'get_page_from_freelist',
  '__rmqueue_pcplist',
  '__mod_zone_page_state',
  'mod_node_page_state',
  '__slab_free',
  'put_cpu_partial',
  '__put_partials',
] as const;
export type Probe = (typeof PROBES)[number];

const nestHeader = z.object({ t: z.literal('run'), name: z.literal('nest'), release, cpus: z.literal(1) });
const nestLine = z.object({
  t: z.literal('nest'),
  id: count,
  outer: z.enum(['kmalloc', 'kmalloc_nolock', 'kfree']),
  bucket: name,
  state: z.enum(['empty', 'cpu_partial', 'node_partial_many', 'free_full', 'free_full_chain_full']),
  pcp: z.enum(['-', 'd', 'f']),
  probe: z.enum(PROBES),
  probe_kind: z.enum(['entry', 'int3']),
  /** D called by the probe's handler, N in an NMI that it sent */
  inner_ctx: z.enum(['D', 'N']),
  in_nmi_at_probe: bit,
  /** of the interrupted code, as measured */
  locks: z.object({ LL: bit, list_lock: bit, pcp_top: bit, zone_top: bit }),
  inner: name.nullable(),
  /** what the interrupted allocation got in the end */
  outer_result: name.nullish(),
  same_object: bit,
  same_slab: bit,
  cpu_slab: z.string().max(16),
  new_slabs: z.number().int(),
  nr_partial: z.tuple([prepared, count, count]),
  deferred: z.tuple([lengths, lengths, lengths]),
  stats: counters,
  stats_irq_work: counters,
});
export type NestRow = z.infer<typeof nestLine>;

const nestEnd = z.object({ t: z.literal('endrun'), rows: count, overflow: z.literal(0) });
const noProbe = z.object({ t: z.literal('noprobe') });
const anyNestLine = z.discriminatedUnion('t', [nestHeader, nestLine, noProbe, nestEnd]);

export interface NestTable {
  readonly header: z.infer<typeof nestHeader>;
  readonly rows: readonly NestRow[];
}

/** @throws InputError with the line, for anything that is not what the format says */
export async function readNestTable(input: ByteInput): Promise<NestTable> {
  let header: NestTable['header'] | undefined;
  const rows: NestRow[] = [];
  let end: number | undefined;
  await readTableLines(input, anyNestLine, (line) => {
    if (line.t === 'run') header = line;
    else if (line.t === 'endrun') end = line.rows;
    else if (line.t === 'nest') rows.push(line);
    return line.t === 'nest';
  });
  checkTableEnd(input.name, header !== undefined, 'endrun.rows', end, rows.length);
  return { header: header!, rows };
}

const natHeader = z.object({
  t: z.literal('run'),
  name: z.literal('nlnat'),
  seed: count,
  release,
  nmis: count,
});
const natLine = z.object({
  t: z.literal('nat'),
  /** function that was interrupted */
  ip: z.string().max(128),
  /** bytes that were asked for, those of a bucket */
  bucket: count.min(1),
  LL: bit,
  list_lock: bit,
  pcp: bit,
  zone: bit,
  LLnext: bit,
  irqs_off: bit,
  /** bytes of the bucket that served */
  result: count.min(1).nullable(),
  fast: count,
  slow: count,
  new_slab: count,
  deferred: lengths,
});
export type NatRow = z.infer<typeof natLine>;

const natEnd = z.object({ t: z.literal('endrun'), overflow: z.literal(0) });
const anyNatLine = z.discriminatedUnion('t', [natHeader, natLine, natEnd]);

export interface NatTable {
  readonly header: z.infer<typeof natHeader>;
  readonly rows: readonly NatRow[];
}

/** @throws InputError with the line, for anything that is not what the format says */
export async function readNatTable(input: ByteInput): Promise<NatTable> {
  let header: NatTable['header'] | undefined;
  const rows: NatRow[] = [];
  let hasEnd = false;
  await readTableLines(input, anyNatLine, (line) => {
    if (line.t === 'run') header = line;
    else if (line.t === 'endrun') hasEnd = true;
    else rows.push(line);
    return line.t === 'nat';
  });
  checkTableEnd(input.name, header !== undefined, 'run.nmis', hasEnd ? header?.nmis : undefined, rows.length);
  return { header: header!, rows };
}
