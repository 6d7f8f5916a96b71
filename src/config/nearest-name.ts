import { nearestName } from '../trace/nearest-name.js';

function leaf(name: string): string {
  return name.slice(name.lastIndexOf('.') + 1).toLowerCase();
}

/**
 * `; did you mean X?`, or nothing: the tail of an error message.
 *
 * A name is also near when only its group is missing or wrong: `batch_scale_max` means `pcp.batch_scale_max`.
 */
export function didYouMean(given: string, known: readonly string[]): string {
  const nearest = known.find((name) => leaf(name) === leaf(given)) ?? nearestName(given, known);
  return nearest === undefined ? '' : `; did you mean ${nearest}?`;
}
