/**
 * The zod schema of a state's head: what was replayed how, up to where. Loaded only when a state is read.
 */
import { z } from 'zod';
import { TEXT_LAYOUTS } from '../../config/policy-presets.js';
import { knobsSchema } from '../../config/policy-schema.js';
import { KNOB_NAMES } from '../../mm/policy.js';
import { MAX_NR_ZONES } from '../../mm/types.js';
import { noteSchema, readInputSchema, startStateSchema } from '../../report/result-schema.js';
import { STATE_SCHEMA_ID } from './saved-state.js';

const MAX_TEXT = 10_000;
const text = z.string().max(MAX_TEXT);
const count = z.int().min(0);
const pages = z.int().min(0).max(0xffff_ffff);
const node = z.int().min(0).max(1023);
const timeNs = z.number();

const zoneSchema = z.strictObject({
  node,
  index: z
    .int()
    .min(0)
    .max(MAX_NR_ZONES - 1),
  start_pfn: pages,
  spanned_pages: pages,
  present_pages: pages,
  managed_pages: pages,
});

const buildSchema = z.strictObject({
  preempt_rt: z.boolean(),
  smp: z.boolean(),
  slub_tiny: z.boolean(),
  cmpxchg_double: z.boolean(),
  slab_debug: text,
  slab_merge: z.boolean(),
});

const specSchema = z
  .strictObject({
    cpu_nodes: z.array(node).min(1).max(8192),
    node_distances: z
      .array(z.array(z.int().min(0).max(255)))
      .min(1)
      .max(1024),
    zones: z.array(zoneSchema).min(1).max(4096),
    cpu_cache_bytes: count,
    thp: z.boolean(),
    max_pfn: pages.optional(),
    build: buildSchema.optional(),
  })
  .refine(({ cpu_nodes, node_distances, zones }) => {
    const nodes = node_distances.length;
    return (
      node_distances.every((row) => row.length === nodes) &&
      cpu_nodes.every((of) => of < nodes) &&
      zones.every((zone) => zone.node < nodes)
    );
  }, 'names nodes that it does not have');

const policySchema = z.strictObject({
  name: text,
  description: text,
  text_layout: z.enum(TEXT_LAYOUTS),
  overrides: z.array(text),
  policy: knobsSchema.refine(
    (knobs) => KNOB_NAMES.every((name) => knobs[name] !== undefined),
    'does not have all knobs of this version',
  ),
  origin: z.record(z.string(), text),
});

export const headSchema = z.strictObject({
  schema: z.literal(STATE_SCHEMA_ID),
  tool: z.strictObject({ name: z.literal('spbsim'), version: text }),
  policy: policySchema,
  machine: z.strictObject({ kernel: text.nullable(), origin: text, spec: specSchema }),
  start_state: startStateSchema,
  seed: count,
  series_ns: timeNs.nullable(),
  from_ns: timeNs.nullable(),
  to_ns: timeNs.nullable(),
  join: z.enum(['time', 'append']),
  kernel: z.enum(['6.1', '6.18', '7.2']).nullable(),
  parts: z
    .array(
      z.strictObject({
        inputs: z.array(readInputSchema).min(1),
        notes: z.array(noteSchema),
        moved: count,
        events: count,
      }),
    )
    .min(1),
  events: count,
  start_ns: timeNs,
  read_ns: timeNs,
});
