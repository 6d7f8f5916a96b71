/**
 * The verification document `spbsim.verify/1`: how far the model agrees with a real kernel, and where it first does not.
 *
 * As in `result-schema.ts`, types and the published JSON schema are made from this.
 */
import { z } from 'zod';
import { count, inputSchema, noteSchema, policySchema, toolSchema } from './result-schema.js';

export const VERIFY_SCHEMA_ID = 'spbsim.verify/1';

const ratio = z.number().min(0).max(1);
const signed = z.int();

const divergenceSchema = z.strictObject({
  index: count.describe('number of the operation or event, from 0'),
  ts_ns: z.number().nullable(),
  text: z.string().describe('the operation: alloc order 0 GFP_KERNEL on CPU 0'),
  kernel: z.string().describe('what the kernel did: a PFN in hex, `failed`, a list'),
  model: z.string().describe('what the model did'),
  context: z.array(z.string()).describe('lines that explain it, most telling first'),
});

const partSchema = z.strictObject({
  name: z.string().describe('free lists, pcp lists, block types, counters, boost, reserves'),
  compared: count,
  equal: count,
});

const checkpointSchema = z.strictObject({
  name: z.string(),
  index: count.describe('operation or event before which it was taken'),
  compared: count,
  equal: count,
  parts: z.array(partSchema),
  differences: z.array(z.string()).describe('the first few, one line each'),
});

const orderErrorSchema = z.strictObject({
  node: count,
  zone: z.string(),
  order: z.int().min(0).max(10),
  predicted: count.describe('free chunks'),
  real: count.describe('free chunks'),
  causes: z
    .array(z.strictObject({ name: z.string(), pages: signed }))
    .describe('named parts of the deviation; together they explain it'),
});

const burstSchema = z.strictObject({
  observed: count.describe('bursts in the trace'),
  observed_size_predicted: count.describe('of all observed, predicted in size'),
  known: count.describe('of the observed, on lists whose contents were known'),
  size_predicted: count.describe('of the known, predicted in size'),
  pfn_predicted: count.describe('of the known, predicted in size and in every PFN'),
  unordered: count.describe(
    'of pfn_predicted, bursts that took a chunk whose place in its list the start state cannot tell: the list was right, its order unknown',
  ),
  expected_not_seen: count.describe('bursts that the model expected where the trace has none'),
  misses: z
    .array(z.strictObject({ event: count, ts_ns: z.number(), cpu: count, text: z.string() }))
    .describe('the first wrong predictions'),
});

const threeCountsSchema = z.strictObject({ before: count, real: count, predicted: count });

const slabCacheSchema = z.strictObject({
  name: z.string(),
  order: count.describe('of its slabs, as slabinfo tells it'),
  slabs: threeCountsSchema.describe(
    '`predicted` is the nearest to `real` of what the model had while slabinfo was read',
  ),
  predicted_least: count.describe('slabs of the model while slabinfo was read'),
  predicted_most: count,
  error_slabs: signed.describe('slabs, predicted minus real'),
  active_objects: threeCountsSchema.describe("as slabinfo counts them: all but free ones on nodes' lists"),
  made: z
    .strictObject({ recorded: count, predicted: count })
    .describe('slabs made between the readings; recorded ones are those whose page the trace shows'),
  causes: z
    .strictObject({
      allocated: count,
      freed: count,
      implied_frees: count.describe(
        'allocated again though the trace shows no free: bulk frees have no event',
      ),
      start_frees: count.describe('objects from before the trace; which ones was chosen'),
      unknown_frees: count.describe('objects that the model did not have'),
    })
    .describe('events of the cache, and what had to be assumed of them'),
});

const recordingSlabsSchema = z.strictObject({
  moment: z
    .enum(['slabinfo', 'mark', 'end'])
    .describe(
      'what the comparison is of: the reading of after/slabinfo, the mark before it, the end of the trace',
    ),
  left_out_events: count.describe('slab events before before/slabinfo was read: it counts them already'),
  second_attempts: count.describe('slabs that the model made of the smaller order'),
  unknown_pointers: count.describe('frees of pointers of which not even the cache is known'),
  caches: z.array(slabCacheSchema).describe('those of after/slabinfo, the largest error in pages first'),
  pages: z
    .strictObject({
      window_ns: count,
      windows: count.describe('with slabs made in the kernel or in the model'),
      orders: z.array(
        z.strictObject({
          order: count,
          recorded: count,
          predicted: count,
          in_common: count.describe('sum over windows of the smaller of both'),
        }),
      ),
    })
    .describe('slabs made, by their order and in time'),
});

/** What only a recording can be asked: it has no exact lists, but the PFNs handed out and what was left at the end. */
const recordingSchema = z.strictObject({
  legality: z.strictObject({
    events: count,
    legal: count,
    illegal: z.array(noteSchema).describe('reasons, by name'),
  }),
  after_free_pages: z.strictObject({ predicted: count, real: count }).nullable(),
  after_buddyinfo: z.array(orderErrorSchema).describe('pinned replay against after/buddyinfo'),
  after_pagetypeinfo: z
    .array(
      z.strictObject({
        node: count,
        zone: z.string(),
        migratetype: z.string(),
        predicted: count,
        real: count,
      }),
    )
    .describe('pageblocks per type'),
  refill: burstSchema,
  drain: burstSchema,
  freerun_free_pages: z.strictObject({ predicted: count, real: count }).nullable(),
  freerun_buddyinfo: z.array(orderErrorSchema).describe('free-running replay against after/buddyinfo'),
  slabs: recordingSlabsSchema
    .nullable()
    .optional()
    .describe('free-running replay against after/slabinfo; only where the trace has slab events'),
});

const agreementSchema = z.strictObject({ compared: count, equal: count });

/** What only a slab run can be asked: each operation says which slab and slot it got and which counters it moved. */
const slabSchema = z.strictObject({
  parts: z
    .array(partSchema)
    .describe('what operations were compared in: slabs and slots, counters, slabs made …'),
  pages: z
    .strictObject({
      operations: agreementSchema.describe('equal in everything, pages included'),
      slabs: agreementSchema.describe('with the same first page, order and node'),
      failures: agreementSchema.describe('allocations that failed in the kernel'),
    })
    .nullable()
    .describe("the run again on the model's own page allocator; null where its lists were not recorded"),
});

export const verifySchema = z.strictObject({
  schema: z.literal(VERIFY_SCHEMA_ID),
  agreement: ratio.describe(
    'the figure that --min-agreement tests: PFNs matched of PFNs compared (oracle), legal PFNs of all (recording)',
  ),
  compared: count,
  matched: count,
  first_divergence: divergenceSchema.nullable(),
  kind: z.enum(['oracle', 'recording']),
  title: z.string().describe('what was verified, in a few words: `7.2.12 mixed_orders seed 12`'),
  tool: toolSchema,
  input: inputSchema,
  kernel: z.string().describe('release of the real kernel'),
  policy: policySchema,
  operations: count.describe('operations (oracle) or events (recording) executed'),
  failures: z
    .strictObject({ kernel: count, matched: count })
    .describe('allocations that failed in the kernel'),
  checkpoints: z.array(checkpointSchema),
  recording: recordingSchema.nullable(),
  slab: slabSchema.nullable().describe('of a slab run; its `compared` and `matched` are operations'),
  notes: z.array(noteSchema),
  performance: z.strictObject({
    events: count,
    wall_s: z.number().min(0),
    events_per_s: z.number().min(0),
    peak_rss_bytes: count,
  }),
});
