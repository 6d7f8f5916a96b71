/**
 * Caches of a machine whose /proc/slabinfo is at hand: what it says decides, the table of known caches adds what it does
 * not say.
 * model: slab-caches 2, 3.3
 */
import { knownCache } from '../../config/known-caches.js';
import type { Policy } from '../../mm/policy.js';
import {
  type CacheSpec,
  type RecordedShape,
  type SlabMachine,
  slabGeometry,
} from '../../mm/slab/geometry.js';
import {
  type KmallocSetup,
  type KmallocType,
  kmallocCacheSpec,
  NR_KMALLOC_BUCKETS,
  NR_KMALLOC_TYPES,
} from '../../mm/slab/kmalloc-caches.js';
import type { SlabinfoCache } from '../../trace/recording/snapshot/slabinfo.js';

/** The machine that geometry is computed for. */
export interface ShapeRules {
  readonly machine: SlabMachine;
  readonly policy: Policy;
}

export interface RecordedCache {
  readonly spec: CacheSpec;
  /** the kernel cut its slabs in another way than the model would, for slots of that size */
  readonly differs: boolean;
  /** nothing but the report is known of it */
  readonly isUnknown: boolean;
}

/** A spec that comes out as this shape: as it is, if it does so by itself. */
export function withShape(spec: CacheSpec, shape: RecordedShape, { machine, policy }: ShapeRules): CacheSpec {
  const computed = slabGeometry(spec, machine, policy);
  const agrees = computed.size_bytes === shape.size_bytes && computed.order === shape.order;
  return agrees ? spec : { ...spec, recorded_shape: shape };
}

/** Order that the model gives slots of a size. */
export function orderOfSlots(size_bytes: number, { machine, policy }: ShapeRules): number {
  return slabGeometry(plainCache('', size_bytes), machine, policy).order;
}

/** A cache of which nothing is known but its size. */
export function plainCache(name: string, object_size_bytes: number): CacheSpec {
  return { name, object_size_bytes, align_bytes: 0, flags: 0, hasConstructor: false };
}

export function recordedCache(row: SlabinfoCache, rules: ShapeRules): RecordedCache {
  const { name, size_bytes, order } = row;
  const known = knownCache(name);
  const object_size_bytes = Math.min(known?.object_size_bytes ?? size_bytes, size_bytes);
  const base = { ...(known ?? plainCache(name, size_bytes)), object_size_bytes };
  return {
    spec: withShape(base, { size_bytes, order }, rules),
    differs: orderOfSlots(size_bytes, rules) !== order,
    isUnknown: known === undefined,
  };
}

/** Shapes of the kmalloc caches that are not as the model computes them, by name. */
export function kmallocShapes(
  rows: readonly SlabinfoCache[],
  setup: KmallocSetup,
  rules: ShapeRules,
): Map<string, RecordedShape> {
  const byName = new Map(rows.map((row) => [row.name, row]));
  const shapes = new Map<string, RecordedShape>();
  for (let type = 0; type < NR_KMALLOC_TYPES; type++)
    for (let bucket = 0; bucket < NR_KMALLOC_BUCKETS; bucket++) {
      const spec = kmallocCacheSpec(type as KmallocType, bucket, setup, rules.policy);
      const row = byName.get(spec.name);
      if (row === undefined) continue;
      const { recorded_shape } = withShape(spec, { size_bytes: row.size_bytes, order: row.order }, rules);
      if (recorded_shape !== undefined && row.size_bytes >= spec.object_size_bytes)
        shapes.set(spec.name, recorded_shape);
    }
  return shapes;
}
