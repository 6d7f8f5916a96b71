/** What a budget file may hold. */
import { z } from 'zod';

const text = z.string().min(1);
const machine = {
  machine: text.optional(),
  memory: text.optional(),
  nodes: z.int().min(1).optional(),
  cpus: z.int().min(1).optional(),
  build: text.optional(),
};

export const traceEntrySchema = z.union([
  text,
  z.strictObject({ trace: text, name: text.optional(), ...machine }),
]);

export const budgetEntrySchema = z.union([
  text,
  z.strictObject({
    budget: text,
    trace: text.optional(),
    policy: text.optional(),
    seed: z.int().min(0).optional(),
    why: text.optional(),
  }),
]);

export const budgetFileSchema = z.strictObject({
  baseline: text.optional(),
  policies: z.array(text).min(1).optional(),
  set: z.array(text).optional(),
  seeds: z.union([z.int().min(0), text]).optional(),
  ...machine,
  traces: z.array(traceEntrySchema).min(1).optional(),
  budgets: z.array(budgetEntrySchema).min(1),
});

export const BUDGET_FILE_KEYS = Object.keys(budgetFileSchema.shape);

export const baselineFileSchema = z.strictObject({
  schema: z.literal('spbsim.baseline/1'),
  runs: z.array(
    z.strictObject({
      trace: text,
      policy: text,
      seed: z.int().min(0),
      machine: z.string(),
      input_sha256: z.array(z.string()),
      metrics: z.record(z.string(), z.number()),
    }),
  ),
});
