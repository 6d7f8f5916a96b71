/**
 * The explanation document `spbsim.explain/1`: one event of a trace, every step that the model took for it, and what is
 * different afterwards. Types and the published JSON schema are made from this.
 * model: page-allocator 4; spb 3
 */
import { z } from 'zod';
import { count, startStateSchema, toolSchema } from './result-schema.js';

export const EXPLAIN_SCHEMA_ID = 'spbsim.explain/1';

const pfn = z.int().min(0);
const order = z.int().min(0).max(10);
const zone = z.string().describe('such as `node 0 Normal`');
const migratetype = z.string().describe('such as `unmovable`');
const refills = z.boolean().describe("for the CPU's list, not for the request itself");

const visitSchema = z.strictObject({
  list: z.string().describe('list of superpageblocks, such as tainted/full'),
  why: z.string().describe('what it lacked'),
  count,
});

const takenSchema = z.strictObject({
  first_pfn: pfn,
  last_pfn: pfn.describe('of the last page taken, where several searches are told as one'),
  superpageblock: pfn.nullable().describe('first PFN of the one that gave it'),
  list: z.string().nullable().describe('list that it is on now'),
  from: migratetype.describe('type of the free list'),
  how: z.string().describe('as it is, relabelled, block claimed, claimed by fallback, stolen'),
  least_chunk_order: order,
  most_chunk_order: order,
});

const namedCountSchema = z.strictObject({ name: z.string(), count });

const passSchema = z.strictObject({
  pass: z.string().describe('`1` to `4`; empty for stages that are no pass'),
  looked_at: z.array(visitSchema).describe('superpageblocks that gave nothing'),
  claims_refused: z.array(namedCountSchema),
});

export const explainStepSchema = z.discriminatedUnion('step', [
  z.strictObject({
    step: z.literal('walk').describe('a walk over the zonelist begins'),
    path: z.enum(['fast', 'slow']),
    mark: z.enum(['min', 'low', 'high', 'promo', 'none']),
    flags: z.array(z.string()).describe("allocation flags, by the kernel's names without ALLOC_"),
  }),
  z.strictObject({
    step: z.literal('zone').describe('a zone was held to a mark'),
    zone,
    mark: z.string(),
    mark_pages: count.describe('boost and reserves of the request taken into account'),
    reserve_pages: count.describe('lowmem_reserve'),
    free_pages: count,
    unusable_pages: count.describe('free, but not for this request'),
    verdict: z
      .enum(['passes', 'below', 'no_chunk', 'ignored'])
      .describe('no_chunk: enough pages, but no chunk is large enough; ignored: below, but it may use all'),
  }),
  z.strictObject({
    step: z.literal('zone_skipped'),
    zone,
    why: z
      .enum(['kswapd_awake', 'remote', 'must_not_taint'])
      .describe('must_not_taint: no superpageblock is tainted or empty, and the request may not taint one'),
  }),
  z.strictObject({
    step: z.literal('cpu_list'),
    zone,
    cpu: count,
    order,
    migratetype,
    entries: count.describe('before'),
    served: z.boolean(),
  }),
  z.strictObject({
    step: z.literal('refill'),
    zone,
    wanted: count.describe('chunks'),
    got: count,
  }),
  z.strictObject({
    step: z.literal('chunk').describe('taken from the smallest sufficient chunk of a list'),
    zone,
    refills,
    order,
    migratetype,
    times: count,
    first_pfn: pfn,
    last_pfn: pfn,
    least_chunk_order: order,
    most_chunk_order: order,
  }),
  z.strictObject({
    step: z.literal('fallback').describe("taken from another type's list"),
    zone,
    refills,
    how: z.enum(['block_claimed', 'stolen']),
    pfn,
    order,
    chunk_order: order,
    from: migratetype,
    to: migratetype,
  }),
  z.strictObject({
    step: z.literal('search').describe('superpageblocks were searched'),
    zone,
    refills,
    stage: z
      .enum(['owned', 'whole_block', 'adopt', 'search', 'claim', 'steal'])
      .describe('owned: blocks that the CPU owns; whole_block, adopt: one that it then owns'),
    order,
    migratetype,
    outcome: z.string().nullable().describe('as spb_alloc_walk names it; null where that is not reported'),
    times: count.describe('searches in a row that differ in the page only'),
    passes: z.array(passSchema),
    taken: takenSchema.nullable(),
    listed: count.describe("pages that it added to the CPU's list"),
    triggered: z.array(namedCountSchema),
  }),
  z.strictObject({
    step: z.literal('slow'),
    what: z.enum([
      'begins',
      'round',
      'reserves',
      'held_out',
      'drop_nofragment',
      'oom',
      'reclaim',
      'drain',
      'compact',
      'evacuate',
      'empty_block',
    ]),
    value: z.int().describe('the round, pages reclaimed or moved, or 0'),
    result: z.string().describe('empty where there is none'),
  }),
  z.strictObject({ step: z.literal('relax').describe('a request that cannot reclaim'), what: z.string() }),
  z.strictObject({ step: z.literal('trigger'), what: z.string() }),
  z.strictObject({
    step: z.literal('evacuation'),
    zone,
    phase1_blocks: count,
    phase2_blocks: count,
  }),
  z.strictObject({
    step: z.literal('contig').describe('a range was tried as a whole'),
    zone: z.string(),
    outcome: z.string(),
    first_pfn: pfn,
    last_pfn: pfn.describe('start of the last range, where several are told as one'),
    pages: count,
    times: count,
  }),
  z.strictObject({
    step: z.literal('free'),
    zone,
    pfn,
    order,
    where: z.enum(['cpu_list', 'buddy', 'in_use']).describe('where it is after the event'),
    cpu: count.nullable().describe('whose list'),
    entries: count.nullable().describe('of this list, after'),
    chunk_pfn: pfn.nullable().describe('free chunk that it is part of'),
    chunk_order: order.nullable(),
    migratetype: z.string().nullable().describe('of the list'),
  }),
  z.strictObject({
    step: z.literal('drain').describe("pages went from a CPU's list to the buddy lists"),
    chunks: count,
    pages: count,
    migratetypes: z.array(migratetype),
  }),
]);

const beforeAfter = z.strictObject({ before: z.string(), after: z.string() });

export const explainSchema = z.strictObject({
  schema: z.literal(EXPLAIN_SCHEMA_ID),
  tool: toolSchema,
  inputs: z.array(z.string()).describe('paths as given'),
  policy: z.strictObject({ name: z.string(), overrides: z.array(z.string()) }),
  machine: z.string().describe('how it was derived'),
  start_state: startStateSchema.shape.kind,
  event: z.strictObject({
    number: count.describe('from 0, in the joined stream'),
    ts_ns: z.number(),
    since_start_ns: z.number(),
    op: z.string(),
    cpu: count,
    ctx: z.string(),
    id: z.string(),
    recorded_pfn: pfn.nullable(),
    order: order.nullable(),
    site: z.string(),
  }),
  request: z
    .strictObject({
      kind: z.enum(['M', 'N']).describe('movable or not, as the passes tell them apart'),
      migratetype,
      pages: count,
      gfp: z.string().describe("in the words of the trace's kernel"),
      gfp_bits: count,
      node: count.describe('preferred'),
      zonelist: z.array(zone),
      may_reclaim: z.boolean(),
      is_optional: z.boolean().describe('the caller can do with less: it may be refused rather than taint'),
    })
    .nullable()
    .describe('null for frees'),
  steps: z.array(explainStepSchema).describe('in order'),
  outcome: z.strictObject({
    result: z.enum(['allocated', 'failed', 'freed', 'not_replayed']),
    pfn: pfn.nullable().describe('first page given, in the model'),
    pages: count,
    zone: z.string().nullable(),
    notes: z.array(z.strictObject({ name: z.string(), meaning: z.string() })),
  }),
  changes: z
    .strictObject({
      superpageblocks: z.array(
        z.strictObject({
          zone,
          start_pfn: pfn,
          content: beforeAfter.describe('empty, clean, tainted or held'),
          list: beforeAfter.nullable().describe('null without superpageblocks'),
        }),
      ),
      contents: z
        .array(
          z.strictObject({
            superpageblock: pfn,
            holds: z.string().describe('unmovable, movable or reclaimable'),
            begins: z.boolean().describe('false: ends'),
            pageblocks: count,
            first_or_last: z.boolean().describe('of its kind in the superpageblock'),
          }),
        )
        .describe('PB_has bits that were set or cleared'),
      pageblocks: z.array(z.strictObject({ pfn, type: beforeAfter })).describe('that changed their type'),
      zones: z
        .array(
          z.strictObject({
            zone,
            free_pages: z.int().describe('change, on buddy lists and per-CPU lists'),
            boost_pages: z.int().describe('change of the watermark boost'),
          }),
        )
        .describe('that changed'),
      kswapd_woken: z.array(count).describe('nodes'),
      vmstat: z.record(z.string(), z.int()).describe('counters that changed, by how much'),
    })
    .describe('what is different afterwards'),
});
