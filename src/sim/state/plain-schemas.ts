/** The zod schemas of what a state holds as plain data, by the name of the entry: nobody checks it later. Loaded only when a state is read. */
import { z } from 'zod';
import { KERNEL_CALLS } from '../../mm/interruption/hazard.js';
import { resultSchema } from '../../report/result-schema.js';
import { hazardSchema } from '../../report/slab/slab-schema.js';

const text = z.string().max(10_000);
const count = z.int().min(0);
const flags = z.int().min(0).max(0xffff_ffff);
const bytes = z
  .int()
  .min(0)
  .max(1 << 22);
const order = z.int().min(0).max(10);
/** Caches that a state may have: far more than a kernel makes, and few enough for memory. */
const MAX_CACHES = 1 << 16;

const cacheSpecSchema = z.strictObject({
  name: text,
  object_size_bytes: bytes.min(1),
  align_bytes: bytes,
  flags,
  hasConstructor: z.boolean(),
  freeptr_offset_bytes: bytes.optional(),
  usersize_bytes: bytes.optional(),
  sheaf_capacity: z.int().min(0).max(0xffff).optional(),
  recorded_shape: z.strictObject({ size_bytes: bytes.min(1), order }).optional(),
});

const interruptionSchema = z.strictObject({
  kind: z.enum(['deadlock', 'misuse', 'order']),
  cpu: count,
  stack: z.array(
    z.strictObject({ context: z.int().min(0).max(3), call: z.enum(KERNEL_CALLS), locks: z.array(text) }),
  ),
  wanted: text,
});

const slabinfoSchema = z.strictObject({
  name: text,
  active_objects: count,
  objects: count,
  size_bytes: bytes.min(1),
  objects_per_slab: z.int().min(1).max(0xffff),
  order,
  slabs: count,
});

const SCHEMAS: ReadonlyMap<string, z.ZodType> = new Map<string, z.ZodType>([
  ['samples', resultSchema.shape.series],
  ['caches', z.array(cacheSpecSchema).max(MAX_CACHES)],
  ['names', z.array(z.strictObject({ name: text, number: count })).max(MAX_CACHES)],
  ['site_names', z.array(text)],
  ['kept', z.array(hazardSchema)],
  ['hazards', z.array(interruptionSchema)],
  ['memcg_places', z.array(z.strictObject({ path: text, memcg: z.int() }))],
  ['listed_caches', z.array(slabinfoSchema).max(MAX_CACHES)],
]);

/** Whether an entry of plain data holds what its name says. */
export function isPlainOf(name: string, values: readonly unknown[]): boolean {
  return SCHEMAS.get(name)?.safeParse(values).success ?? false;
}
