/**
 * What a kernel's build leaves of the slab allocator: limits that it changes, and what each cache is created with.
 * model: slub 3.6, 3.6a
 */
import type { MachineBuild } from '../machine-build.js';
import type { Policy } from '../policy.js';
import { type CacheSpec, orderOfBytes, type SlabGeometry, slabGeometry } from './geometry.js';
import type { SlabMachineSpec } from './slab-allocator.js';
import { type SlabDebug, withDebugFlags } from './slab-debug.js';
import { SLAB_DEBUG_METADATA, SLAB_RECLAIM_ACCOUNT } from './slab-flags.js';

/** Largest order that SLUB_TINY chooses for its own sake. */
const TINY_MAX_ORDER = 1;

/** The policy as far as the build leaves it: chains of CPUs need SMP, and SLUB_TINY keeps nothing back. */
export function policyOfBuild(asked: Policy, { smp, slub_tiny, slab_merge }: MachineBuild): Policy {
  const policy = slab_merge ? asked : { ...asked, 'slab.merge': false };
  if (slub_tiny)
    return {
      ...policy,
      'slab.max_order': Math.min(policy['slab.max_order'], TINY_MAX_ORDER),
      'slab.min_partial_least': 0,
      'slab.min_partial_most': 0,
      'slab.cpu_partial': false,
    };
  return smp ? policy : { ...policy, 'slab.cpu_partial': false };
}

/** Flags of a cache on this kernel: those of the boot line come in, those that its build does not know go. */
export function flagsOfCache({ name, flags }: CacheSpec, build: MachineBuild, debug: SlabDebug): number {
  return withDebugFlags(debug, name, build.slub_tiny ? flags & ~SLAB_RECLAIM_ACCOUNT : flags);
}

export interface CacheShape {
  readonly spec: CacheSpec;
  readonly geometry: SlabGeometry;
}

/** A cache as this kernel creates it. */
export function shapeOfCache(
  asked: CacheSpec,
  machine: SlabMachineSpec,
  build: MachineBuild,
  debug: SlabDebug,
  policy: Policy,
): CacheShape {
  const shapeWith = (flags: number): CacheShape => {
    const spec = flags === asked.flags ? asked : { ...asked, flags };
    return { spec, geometry: slabGeometry(spec, machine, policy) };
  };
  const shape = shapeWith(flagsOfCache(asked, build, debug));
  const { geometry, spec } = shape;
  const grows = orderOfBytes(geometry.size_bytes) > orderOfBytes(spec.object_size_bytes);
  return debug.keepsOrder && grows ? shapeWith(spec.flags & ~SLAB_DEBUG_METADATA) : shape;
}
