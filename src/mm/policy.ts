/**
 * Every rule that a kernel version, a patch or an idea changes, as a named knob.
 *
 * A knob has a unit, a default and the section of the model's documentation that it comes from. Presets and policy
 * files are sets of knob values; the model reads a `Policy` and never asks for a version.
 */
import type { KnobSpec } from './knobs/knob.js';
import { PAGE_ALLOC_KNOBS } from './knobs/page-alloc-knobs.js';
import { RECLAIM_KNOBS } from './knobs/reclaim-knobs.js';
import { SLAB_KNOBS } from './knobs/slab-knobs.js';
import { SPB_KNOBS } from './knobs/spb-knobs.js';

export type { KnobSpec, KnobValue } from './knobs/knob.js';

/** All knobs; the defaults are those of `mainline-6.18`. */
export const KNOBS = {
  ...PAGE_ALLOC_KNOBS,
  ...RECLAIM_KNOBS,
  ...SLAB_KNOBS,
  ...SPB_KNOBS,
} as const satisfies Record<string, KnobSpec>;

export type KnobName = keyof typeof KNOBS;

type ValueOf<S extends KnobSpec> = S extends { type: 'number' }
  ? number
  : S extends { type: 'boolean' }
    ? boolean
    : S extends { type: 'enum'; values: infer V extends readonly string[] }
      ? V[number]
      : readonly number[];

/** A complete set of knob values. */
export type Policy = { readonly [K in KnobName]: ValueOf<(typeof KNOBS)[K]> };

export const KNOB_NAMES = Object.keys(KNOBS) as readonly KnobName[];

/** All knobs at their defaults. */
export function defaultPolicy(): Policy {
  return Object.fromEntries(KNOB_NAMES.map((name) => [name, KNOBS[name].default])) as unknown as Policy;
}
