/**
 * The result document `spbsim.result/1`: everything that a run knows, under one name each.
 *
 * This schema is the single source: the TypeScript types are inferred from it and the published JSON schema is made
 * from it, so the descriptions below are the documentation of both. Loading it loads zod, so at run time only the
 * `schema` command and tests do; everything else imports types from `run-result.ts`.
 */
import { z } from 'zod';
import { metricsSchema } from './metrics/metrics-schema.js';
import { slabSchema } from './slab/slab-schema.js';
import { spbSchema, zoneSpbSchema } from './spb-schema.js';

export const RESULT_SCHEMA_ID = 'spbsim.result/1';

export const count = z.int().min(0);
const signed = z.int();
/** ns of the trace's clock */
const timeNs = z.number();
const perOrder = z.array(count).length(11);

export const toolSchema = z.strictObject({ name: z.literal('spbsim'), version: z.string() });

export const inputSchema = z.strictObject({
  path: z.string().describe('as given on the command line'),
  format: z
    .string()
    .describe('what it was taken for: csv, arrow, tracefs, latency, trace-cmd, perf, recording, oracle'),
  sha256: z
    .string()
    .describe('digest of the bytes as stored, lower-case hex; of a directory, of its trace file'),
  bytes: count,
});

/** An input as the reader found it. */
export const readInputSchema = inputSchema.extend({
  kernel: z
    .strictObject({
      generation: z.string().describe('whose gfp words the trace uses: 6.1, 6.18 or 7.2'),
      release: z.string().describe('as the recording says it, else empty'),
      how: z.enum(['given', 'recorded', 'guessed', 'assumed']),
      reasons: z.array(z.string()).describe('what a guess stands on'),
    })
    .describe('the kernel that made the trace'),
  cut: z.string().nullable().describe('why the input ends too early; null if it is whole'),
  kinds: z
    .array(
      z.strictObject({
        name: z.string(),
        events: count,
        used: z.boolean().describe('whether events of this kind become events of the replay'),
      }),
    )
    .describe('events by the name that the recorder gave them, most frequent first; empty for CSV'),
  not_understood: z
    .array(
      z.strictObject({
        kind: z.string().describe('why'),
        lines: count,
        example_line: count,
        example: z.string().describe('the first such line, made safe to print'),
      }),
    )
    .describe('lines or rows that were left out, by kind'),
  lost: z
    .array(z.strictObject({ cpu: count, events: count.describe('0: not said'), gaps: count }))
    .describe('events that the recorder lost'),
  remarks: z.array(z.string()).describe('what to know before trusting the numbers, one sentence each'),
});

export const policySchema = z.strictObject({
  name: z.string(),
  description: z.string(),
  text_layout: z.enum(['6.1', '6.18', '7.2']).describe('whose /proc layouts the kernel texts follow'),
  overrides: z.array(z.string()).describe('--set texts, in the order given'),
  knobs: z.record(z.string(), z.union([z.number(), z.boolean(), z.string(), z.array(z.number())])),
});

const zoneSpecSchema = z.strictObject({
  node: count,
  index: count.describe('0 DMA, 1 DMA32, 2 Normal, 3 Movable, 4 Device'),
  start_pfn: count,
  spanned_pages: count,
  present_pages: count,
  managed_pages: count,
});

export const machineSchema = z.strictObject({
  kernel: z.string().nullable().describe('kernel that the trace was recorded on, if known'),
  origin: z
    .string()
    .describe('how the machine was derived: a recording, --memory, a machine file, a default'),
  cpu_nodes: z.array(count).describe('index = CPU, value = its node'),
  node_distances: z.array(z.array(count)),
  zones: z.array(zoneSpecSchema),
  cpu_cache_bytes: count,
  thp: z.boolean(),
});

export const startStateSchema = z.strictObject({
  kind: z
    .enum(['fresh', 'kpageflags', 'exact'])
    .describe(
      'fresh: after boot, all memory free; kpageflags: from a recording, list order unknown; exact: lists in order',
    ),
  notes: z.array(z.string()).describe('what was inferred, one sentence each'),
});

export const noteSchema = z.strictObject({
  name: z.string().describe('snake_case name of the counter'),
  count,
  meaning: z.string().describe('what was counted, to be read after the number'),
});

const eventCountSchema = z.strictObject({
  op: z.string(),
  ctx: z.string(),
  outcome: z.string().describe('ok, failed, or why it was not replayed'),
  count,
});

const allocationCountSchema = z.strictObject({
  migratetype: z.string().describe("of the request, kernel's spelling in lower case"),
  ctx: z.string(),
  order: z.int().min(0).max(10),
  ok: count,
  failed: count,
});

const pcpSchema = z.strictObject({
  cpu: count,
  count: count.describe('pages on this list'),
  high: count,
  high_min: count,
  high_max: count,
  batch: count,
});

const zoneSchema = z.strictObject({
  node: count,
  name: z.string(),
  start_pfn: count,
  spanned_pages: count,
  present_pages: count,
  managed_pages: count,
  free_pages: count.describe(
    "the kernel's folded counter; per-CPU differences and per-CPU lists are not in it",
  ),
  cma_pages: count,
  buddyinfo: perOrder.describe('free chunks per order, all types'),
  pagetype: z.array(perOrder).describe('free chunks per order; rows in the order of `migratetypes`'),
  pageblocks: z.array(count).describe('blocks per type, in the order of `migratetypes`'),
  watermarks: z
    .strictObject({ min: count, low: count, high: count, promo: count, boost: count })
    .describe('pages; the marks without the boost'),
  lowmem_reserve: z
    .array(count)
    .min(4)
    .max(5)
    .describe('pages kept from requests of each higher kind of zone'),
  reserved_highatomic_pages: count,
  free_highatomic_pages: count,
  stat_threshold: count.describe('a per-CPU counter difference beyond this is folded'),
  pcp: z.array(pcpSchema),
  extfrag_index: z.array(z.int()).length(11).describe('1/1000; -1000 where a chunk of the order is free'),
  unusable_index: z.array(z.int()).length(11).describe('1/1000 of free memory too fragmented for the order'),
  counters: z.record(z.string(), signed).describe("other counters of the zone, by the kernel's name"),
  superpageblocks: zoneSpbSchema.describe('1 GiB ranges of the zone, counted alike for every policy'),
  map_first_pfn: count.describe('PFN of the first pageblock of `map`'),
  map: z.string().describe('one glyph per pageblock; see the legend that `spbsim run --map` prints'),
});

const nodeSchema = z.strictObject({
  node: count,
  unreclaimable: z.boolean().describe('kswapd has given up on it'),
  counters: z.record(z.string(), signed).describe("node counters by the kernel's name"),
});

const seriesZoneSchema = z.strictObject({
  node: count,
  name: z.string(),
  free_pages: count,
  pcp_pages: count.describe('on per-CPU lists'),
  unusable_order3: z.int().describe('1/1000'),
  unusable_order9: z.int().describe('1/1000'),
  unusable_order10: z.int().describe('1/1000'),
  extfrag_order9: z.int().describe('1/1000'),
  spb_empty: count.describe('1 GiB ranges; by content, with superpageblocks as their counters say'),
  spb_clean: count,
  spb_tainted: count,
});

const samplePointSchema = z.strictObject({
  ts_ns: timeNs,
  zones: z.array(seriesZoneSchema),
  vmstat: z
    .record(z.string(), signed)
    .describe('change since the previous sample; unchanged counters are left out'),
});

const findingSchema = z.strictObject({
  kind: z.string().describe('snake_case name of the kind of hazard or disagreement'),
  event: count.nullable().describe('number of the event, from 0'),
  ts_ns: timeNs.nullable(),
  text: z.string(),
});

export const resultSchema = z.strictObject({
  schema: z.literal(RESULT_SCHEMA_ID),
  tool: toolSchema,
  interrupted: z.boolean().describe('the run was stopped; everything below is of the part that ran'),
  inputs: z.array(readInputSchema),
  mode: z
    .enum(['free', 'pinned'])
    .describe('free: the policy decides each PFN; pinned: the recorded PFN is taken'),
  injected: z
    .array(z.string())
    .nullish()
    .describe('what --inject made strike inside the operations of the trace'),
  seed: z.int(),
  policy: policySchema,
  machine: machineSchema,
  migratetypes: z
    .array(z.string())
    .describe('rows of `pagetype` and `pageblocks`, as this kernel prints them'),
  start_state: startStateSchema,
  span: z.strictObject({ first_ns: timeNs, last_ns: timeNs, events: count }).describe('what was replayed'),
  events: z.array(eventCountSchema),
  allocations: z.array(allocationCountSchema),
  notes: z.array(noteSchema),
  vmstat: z.record(z.string(), signed).describe("by the kernel's name, in the order of its file"),
  nodes: z.array(nodeSchema),
  zones: z
    .array(zoneSchema)
    .describe('populated zones by node, then from DMA to Movable, at the end of the run'),
  superpageblocks: spbSchema.nullable().describe('what the series did; null for policies without it'),
  slab: slabSchema.nullish().describe('slab caches; null or missing where none were modelled'),
  series: z.array(samplePointSchema),
  findings: z.array(findingSchema).describe('the first of each kind; `findings_total` counts all'),
  findings_total: z.record(z.string(), count).describe('number of findings by kind'),
  metrics: metricsSchema,
  performance: z
    .strictObject({
      events: count,
      wall_s: z.number().min(0),
      events_per_s: z.number().min(0),
      peak_rss_bytes: count,
    })
    .describe('of this run; the only section that differs between two runs of the same input'),
});
