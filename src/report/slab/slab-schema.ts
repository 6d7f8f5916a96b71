/**
 * The part of the result document about slab caches: what each holds and where its bytes go, what became of calls from any
 * context, what waited to be freed, and what went wrong.
 *
 * Bytes of slabs are told apart without a rest: `requested_bytes` and the parts of `waste` together are all of them.
 */
import { z } from 'zod';
import {
  HAZARD_KINDS,
  NOLOCK_CAUSES,
  NOLOCK_CLASSES,
  NOLOCK_FREE_OUTCOMES,
  NOLOCK_LOCKS,
  NOLOCK_OUTCOMES,
} from './nolock-words.js';

const count = z.int().min(0);
/** ns of the trace's clock */
const timeNs = z.number();
const context = z.enum(['task', 'softirq', 'hardirq', 'nmi']);

export const slabWasteSchema = z.strictObject({
  rounding_bytes: count.describe(
    'objects larger than what was asked for: buckets, and the bucket after the right one',
  ),
  alignment_bytes: count.describe('slots larger than their object, debugging aside'),
  debug_bytes: count.describe('what slab_debug adds to the slots of objects: red zones, traces, sizes'),
  deferred_bytes: count.describe('slots that kfree_nolock gave back and irq_work has not freed yet'),
  free_cpu_bytes: count.describe(
    'free slots that a CPU keeps: of its slab, its chain, its sheaves; and of slabs put off',
  ),
  free_partial_bytes: count.describe("free slots of slabs on nodes' partial lists"),
  tail_bytes: count.describe('ends of slabs that hold no slot'),
});

const countsSchema = z.strictObject({
  allocated: count.describe('objects handed out'),
  failed: count.describe('requests that got none'),
  freed: count,
});

export const slabCacheSchema = z.strictObject({
  name: z.string(),
  number: count.describe('in the order in which caches were made, from 0'),
  reclaimable: z.boolean().describe('counted in nr_slab_reclaimable'),
  debug: z.boolean(),
  object_size_bytes: count,
  size_bytes: count.describe('of a slot'),
  order: z.int().min(0).max(10).describe('of a slab that got the pages it wanted'),
  objects_per_slab: count.describe('of such a slab'),
  slabs: count.describe('as the nodes count them'),
  partial_slabs: count.describe("on nodes' partial lists"),
  objects: count.describe('slots of all slabs, as the nodes count them: num_objs of slabinfo'),
  active_objects: count.describe('slots that are not free on partial lists: active_objs of slabinfo'),
  live_objects: count.describe('slots that somebody has'),
  pages: count,
  start_pages: count.describe('when counting began'),
  requested_bytes: count.describe('of live objects; of one whose request is not known, the whole object'),
  waste_bytes: count.describe('sum of `waste`'),
  waste: slabWasteSchema,
  ...countsSchema.shape,
  stats: z.record(z.string(), count).describe("counters that are not 0, by the kernel's name"),
});

export const slabTotalsSchema = z.strictObject({
  caches: count,
  slabs: count,
  objects: count,
  live_objects: count.describe('large ones among them'),
  pages: count.describe('of slabs and of large objects'),
  start_pages: count,
  reclaimable_pages: count,
  unreclaimable_pages: count,
  requested_bytes: count,
  waste_bytes: count,
  waste: slabWasteSchema,
  ...countsSchema.shape,
  stats: z.record(z.string(), count),
});

const siteSchema = z.strictObject({
  site: z.string(),
  ...countsSchema.shape,
  live_objects: count,
  live_bytes: count.describe('of slots'),
});

const nolockCallSchema = z.strictObject({
  context,
  lock: z.enum(NOLOCK_LOCKS).describe('that the interrupted code held'),
  size_class: z.enum(NOLOCK_CLASSES).describe('bytes of the bucket that fits'),
});

export const nolockSchema = z.strictObject({
  requests: z
    .array(
      nolockCallSchema.extend({
        outcome: z.enum(NOLOCK_OUTCOMES),
        cause: z.enum(NOLOCK_CAUSES).nullable().describe('of null; null for all others'),
        count,
      }),
    )
    .describe('kmalloc_nolock and alloc_pages_nolock'),
  frees: z
    .array(nolockCallSchema.extend({ outcome: z.enum(NOLOCK_FREE_OUTCOMES), count }))
    .describe('kfree_nolock and free_pages_nolock'),
  extra_slabs: count.describe('slabs made because list_lock was taken, though the list had free slots'),
  stolen: z
    .array(
      z.strictObject({
        node: count,
        zone: z.string(),
        block_type: z.string().describe('of the pageblock that the pages came from'),
        order: z.int().min(0).max(10),
        count,
      }),
    )
    .describe('unmovable pages that these calls took from pageblocks of another type'),
});

const backlogSampleSchema = z.strictObject({
  ts_ns: timeNs.describe('when the interval begins'),
  objects: count,
  slabs: count,
  bytes: count,
});

export const deferredSchema = z.strictObject({
  irq_works: count.describe('times that irq_work was queued'),
  now: z.strictObject({ objects: count, slabs: count, bytes: count }),
  peak: z.strictObject({ objects: count, slabs: count, bytes: count }).describe('of each by itself'),
  peak_ns: timeNs.nullable().describe('when the most bytes waited first; null if nothing ever did'),
  interval_ns: timeNs.describe('of the samples'),
  samples: z.array(backlogSampleSchema).describe('the most that waited in each interval, without gaps'),
});

export const hazardSchema = z.strictObject({
  kind: z.enum(HAZARD_KINDS),
  event: count.nullable().describe('number of the event, from 0'),
  ts_ns: timeNs.nullable(),
  cpu: count,
  wanted: z.string().nullable().describe('lock that was waited for'),
  stack: z
    .array(z.strictObject({ context, operation: z.string(), locks: z.array(z.string()) }))
    .describe('what ran on the CPU, what was interrupted first'),
  text: z.string(),
});

const memcgOwnSchema = z.strictObject({
  own_pages: count.describe('charged to it and to none below it; what CPUs keep charged ahead among them'),
  object_bytes: count.describe('of live slab objects that it pays: slots, and 8 bytes for each'),
  kmem_pages: count.describe('it pays one by one: page requests with __GFP_ACCOUNT, large kmalloc'),
  refused: count.describe('charges that found no room, in it or above it'),
});

export const memcgsSchema = z.strictObject({
  cgroups: count.describe('that were made; the root is not among them'),
  usage_pages: count.describe('charged to all of them'),
  refused: count.describe('charges that found no room'),
  uncharged: z
    .strictObject({
      softirq: count,
      hardirq: count,
      nmi: count,
      no_vector: count.describe('no memory for the vector that remembers who pays'),
    })
    .describe(
      'objects that should have been charged: interruptions with nobody to pay, and for want of memory',
    ),
  rows: z
    .array(
      memcgOwnSchema.extend({
        path: z.string(),
        online: z.boolean().describe('false: it has ended, and what it holds stays with it'),
        usage_pages: count.describe('those below it included'),
        usage_bytes: count,
        max_pages: count.nullable().describe('null: no limit'),
        peak_pages: count.describe('largest usage'),
      }),
    )
    .describe('by usage, most first, then by path'),
  others: memcgOwnSchema
    .extend({ cgroups: count })
    .describe('all others together; pages of those below others would be counted twice in a usage'),
});

export const slabSchema = z.strictObject({
  caches: z.array(slabCacheSchema).describe('by pages, most first, then by name'),
  large: z
    .strictObject({ live_objects: count, pages: count, requested_bytes: count })
    .describe('kmalloc above the largest bucket: pages of their own'),
  totals: slabTotalsSchema,
  nodes: z.array(z.strictObject({ node: count, reclaimable_pages: count, unreclaimable_pages: count })),
  contexts: z.array(countsSchema.extend({ context })).describe('slab calls of all kinds by context'),
  sites: z.strictObject({
    known: count.describe('sites that were counted each by itself: the first that came'),
    rows: z.array(siteSchema).describe('those of them with the most live bytes'),
    others: siteSchema.omit({ site: true }).describe('all other calls together'),
  }),
  nolock: nolockSchema.nullable().describe('null where nothing was called from any context'),
  deferred: deferredSchema,
  zone_stacks: z
    .array(z.strictObject({ node: count, zone: z.string(), pages: count, peak_pages: count }))
    .describe('pages that free_pages_nolock left because the zone was locked'),
  memcgs: memcgsSchema.nullable().describe('null where no event named a cgroup below the root'),
  hazards: z.array(hazardSchema).describe('the first of each kind; `hazards_total` counts all'),
  hazards_total: z.partialRecord(z.enum(HAZARD_KINDS), count),
});
