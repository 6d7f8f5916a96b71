/**
 * The info document `spbsim.info/1`: what a trace holds. Types and the published JSON schema are made from this.
 */
import { z } from 'zod';
import { count, readInputSchema, toolSchema } from './result-schema.js';

export const INFO_SCHEMA_ID = 'spbsim.info/1';

const timeNs = z.number();
const perOrder = z.array(count).length(11);

export const infoSchema = z.strictObject({
  schema: z.literal(INFO_SCHEMA_ID),
  tool: toolSchema,
  interrupted: z.boolean().describe('reading was stopped; everything below is of the part that was read'),
  inputs: z.array(readInputSchema),
  filtered: count.describe('events left out by --from, --to, --cpu, --event, --sample'),
  span: z.strictObject({ first_ns: timeNs, last_ns: timeNs, events: count }),
  events_per_s: z.number().min(0).describe("by the trace's clock"),
  events: z
    .array(
      z.strictObject({
        op: z.string().describe('as in the column op of a trace CSV; obs_ are observations of the kernel'),
        events: count,
        by_ctx: z.strictObject({ task: count, softirq: count, hardirq: count, nmi: count }),
      }),
    )
    .describe(
      'by op, in the order of the trace CSV; pairs of mm_page_free and its batched event are one free',
    ),
  cpus: z.array(z.strictObject({ cpu: count, events: count })),
  alloc_orders: perOrder.describe('page allocations by order'),
  free_orders: perOrder.describe('page frees by order, as far as the trace says it'),
  migratetypes: z.record(z.string(), count).describe('page allocations by the type asked for'),
  failed_allocations: count,
  gfp: z.array(z.strictObject({ gfp: z.string(), events: count })).describe('most frequent first'),
  caches: z
    .array(
      z.strictObject({
        cache: z.string().describe('name; empty where the kernel does not say it; `kmalloc N` by size class'),
        allocs: count,
        frees: count.describe('kfree names no cache'),
        bytes: count.describe('asked for'),
      }),
    )
    .describe('slab objects by cache, most events first'),
  sites: z
    .array(z.strictObject({ site: z.string(), events: count }))
    .describe('call sites, most events first'),
  memcgs: z.array(z.strictObject({ memcg: z.string(), events: count })),
  distinct_ids: count.describe('different objects named by ids or pointers'),
});
