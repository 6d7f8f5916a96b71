/**
 * The bisection document `spbsim.bisect/1`: after which event of a trace an expression over two policies holds, and what
 * both had there. Types and the published JSON schema are made from this.
 */
import { z } from 'zod';
import { count, startStateSchema, toolSchema } from './result-schema.js';

export const BISECT_SCHEMA_ID = 'spbsim.bisect/1';

const value = z.number().nullable().describe('null where the run has no such figure');

const placesSchema = z.strictObject({
  before: value.describe('one event before; null also where there is none'),
  after: value.describe('after the event; at the end of the trace if nothing was found'),
});

const sideSchema = z.strictObject({
  policy: z.string(),
  overrides: z.array(z.string()).describe('--set, --set-a or --set-b as given'),
});

const eventSchema = z.strictObject({
  number: count.describe('from 0, as `spbsim explain --event` counts'),
  ts_ns: z.number(),
  since_start_ns: z.number(),
  op: z.string(),
  cpu: count,
  ctx: z.string(),
  id: z.string().describe('empty where the recorded PFN names the object'),
  recorded_pfn: count.nullable(),
  order: count.nullable(),
  gfp: z.string().nullable().describe('null for what asks for no memory'),
  site: z.string(),
});

const foundSchema = z.strictObject({
  events: count.describe('length of the prefix after which the expression holds; 0: before the first event'),
  since_start_ns: z.number().describe('time of its last event, from the first one of the trace'),
  event: eventSchema.nullable().describe('its last event'),
});

const reducedSchema = z.strictObject({
  file: z.string(),
  events: count,
  objects: count.describe('allocations that its events name'),
  replays: count.describe('sub-traces that were tried'),
  is_minimal: z
    .boolean()
    .describe(
      'without any one of its objects, or of its other events, the expression does not hold at its end',
    ),
});

export const bisectSchema = z.strictObject({
  schema: z.literal(BISECT_SCHEMA_ID),
  tool: toolSchema,
  inputs: z.array(z.string()),
  cut: z.array(z.string()).describe('why inputs end too early, one line each'),
  until: z.string().describe('the expression'),
  a: sideSchema,
  b: sideSchema,
  machine: z.string().describe('how it was chosen'),
  start_state: startStateSchema.shape.kind,
  events: count.describe('events of the trace'),
  found: foundSchema.nullable(),
  metrics: z.array(
    z.strictObject({ name: z.string(), a: placesSchema, b: placesSchema }).describe('of the expression'),
  ),
  never_seen: z
    .array(z.string())
    .describe('metrics of the expression that had no value anywhere: comparisons with them are false'),
  looks: z
    .array(z.strictObject({ every: count, from: count, to: count }))
    .describe(
      'after every how many events both runs were looked at, by place in the trace; where it is more than 1, an episode between two looks may have been missed',
    ),
  reduced: reducedSchema.nullable(),
  see: z.array(z.string()).describe('commands that show why'),
});
