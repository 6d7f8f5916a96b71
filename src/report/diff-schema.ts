/**
 * The diff document `spbsim.diff/1`: two runs side by side, on one or more traces and seeds.
 *
 * As in `result-schema.ts`, types and the published JSON schema are made from this.
 */
import { z } from 'zod';
import { explainSchema } from './explain-schema.js';
import { count, toolSchema } from './result-schema.js';

export const DIFF_SCHEMA_ID = 'spbsim.diff/1';

const sideSchema = z.strictObject({
  label: z.string().describe('what tables call it'),
  policy: z.string(),
  overrides: z.array(z.string()).describe('--set texts'),
  machine: z.string().describe('where the machine came from'),
  saved: z.string().nullable().describe('path of the saved result; null for a replay'),
});

const spreadSchema = z
  .strictObject({ min: z.number(), median: z.number(), max: z.number() })
  .describe('over the seeds');

const rowSchema = z.strictObject({
  metric: z.string(),
  subject: z.string(),
  unit: z.string(),
  better: z.enum(['lower', 'higher', 'neither']),
  is_detail: z.boolean().describe('a part of another row: of one zone or order'),
  a: spreadSchema.nullable().describe('null where A has no such number'),
  b: spreadSchema.nullable(),
  difference: z.number().nullable().describe('of the medians, B - A'),
  change: z.number().nullable().describe('difference / A; null where that is 0'),
  verdict: z
    .enum(['better', 'worse', 'unclear', 'changed', 'equal', 'only_a', 'only_b'])
    .describe('of B against A. unclear: seeds disagree; changed: neither direction is better'),
});

const mapHalfSchema = z
  .strictObject({ state: z.string(), picture: z.string().describe('a glyph for 16 pageblocks') })
  .nullable();

const mapRowSchema = z.strictObject({
  node: count,
  zone: z.string(),
  start_pfn: count,
  a: mapHalfSchema,
  b: mapHalfSchema,
});

const firstDifferenceSchema = z.strictObject({
  seed: z.int(),
  event: explainSchema.shape.event,
  a_pfn: count.nullable().describe('page of the event under A; null where it failed'),
  b_pfn: count.nullable(),
  a: explainSchema.nullable().describe('what A did; null where that was not asked for'),
  b: explainSchema.nullable(),
});

const countsSchema = z.strictObject({
  better: count,
  worse: count,
  unclear: count,
  changed: count,
  equal: count,
  only_a: count,
  only_b: count,
});

const caseSchema = z.strictObject({
  trace: z.string(),
  inputs: z.array(z.strictObject({ path: z.string(), sha256: z.string() })).describe('those of A'),
  seeds: z.array(z.int()),
  events: count,
  span_ns: z.number().describe('of the trace, from its first event to its last'),
  start_state: z.string(),
  same_pages: z
    .boolean()
    .nullable()
    .describe('every event was about the same page on both sides; null for saved results, which do not say'),
  first_difference: firstDifferenceSchema.nullable().describe('of the first seed that shows one'),
  counts: countsSchema,
  rows: z.array(rowSchema).describe('all metrics; by subject, what changed most first'),
  map: z.array(mapRowSchema).describe('1 GiB ranges at the end, of the first seed'),
});

export const diffSchema = z.strictObject({
  schema: z.literal(DIFF_SCHEMA_ID),
  tool: toolSchema,
  kind: z.enum(['policies', 'machines', 'results']),
  a: sideSchema,
  b: sideSchema,
  knobs: z
    .array(z.strictObject({ knob: z.string(), a: z.string(), b: z.string() }))
    .describe('in which the policies differ'),
  counts: countsSchema.describe('over all cases'),
  cases: z.array(caseSchema).describe('one for each trace'),
  notes: z.array(z.string()).describe('what to know before comparing, one sentence each'),
});
