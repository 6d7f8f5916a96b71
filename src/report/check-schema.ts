/**
 * The check document `spbsim.check/1`: budgets, what was measured, and whether it stayed within them.
 *
 * As in `result-schema.ts`, types and the published JSON schema are made from this. All reporters are views of it.
 */
import { z } from 'zod';
import { count, toolSchema } from './result-schema.js';

export const CHECK_SCHEMA_ID = 'spbsim.check/1';

const runSchema = z.strictObject({
  trace: z.string().describe('as named on the command line or in the budget file'),
  policy: z.string().describe('name, and what was overridden: spb-v2+pcp.batch_scale_max=4'),
  seed: z.int(),
  machine: z.string().describe('where the machine came from: a recording, --memory 4GiB'),
  input_sha256: z.array(z.string()).describe('digest of each input'),
  events: count,
});

const itemSchema = z.strictObject({
  budget: z.string().describe('as written: spb_tainted <= 20'),
  place: z
    .strictObject({ file: z.string(), line: count, column: count })
    .nullable()
    .describe('where it is written; null for --fail-on'),
  why: z.string().nullable().describe("the owner's words on why the limit is what it is"),
  metric: z.string(),
  subject: z.string().describe('group of the metric in tables'),
  unit: z.string(),
  meaning: z.string().describe('what the metric counts'),
  better: z.enum(['lower', 'higher', 'neither']),
  trace: z.string(),
  policy: z.string(),
  seed: z.int().nullable().describe('null where the value is taken over all seeds'),
  over_seeds: z.enum(['each', 'min', 'median', 'max']),
  operator: z.enum(['<=', '<', '>=', '>', '==']),
  value: z.number().nullable().describe('measured; null if the run has no such number'),
  limit: z.number().nullable().describe('after adding the baseline; null if that is missing'),
  baseline: z.number().nullable().describe('stored value, for limits relative to it'),
  status: z.enum(['within', 'exceeded', 'no_value', 'no_baseline']),
  excess: z
    .number()
    .describe('how bad: distance beyond the limit as a share of it; 0 within, largest for what is missing'),
  see: z.string().describe('command that shows why'),
});

export const checkSchema = z.strictObject({
  schema: z.literal(CHECK_SCHEMA_ID),
  tool: toolSchema,
  verdict: z.enum(['passed', 'failed']),
  budget: z.string().nullable().describe('path of the budget file'),
  baseline: z.string().nullable().describe('path of the baseline file'),
  counts: z.strictObject({ items: count, within: count, failed: count, runs: count }),
  runs: z.array(runSchema),
  items: z.array(itemSchema).describe('what failed first, the worst first; then the rest as written'),
  notes: z.array(z.string()).describe('what to know before trusting the verdict, one sentence each'),
});
