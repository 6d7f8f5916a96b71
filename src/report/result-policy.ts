import type { ResolvedPolicy } from '../config/resolve-policy.js';
import type { ResultPolicy } from './run-result.js';

/** A resolved policy as the documents carry it: complete, so that a result can be reproduced from itself. */
export function resultPolicy(resolved: ResolvedPolicy): ResultPolicy {
  const knobs: ResultPolicy['knobs'] = {};
  for (const [name, value] of Object.entries(resolved.policy)) {
    knobs[name] = Array.isArray(value) ? [...value] : (value as string | number | boolean);
  }
  return {
    name: resolved.name,
    description: resolved.description,
    text_layout: resolved.text_layout,
    overrides: [...resolved.overrides],
    knobs,
  };
}
