/**
 * "Did you mean …?": the known name that a mistyped one most likely stands for.
 */

/** Longer words are not compared: nobody mistypes them, and the cost grows with the product of the lengths. */
const LONGEST_WORD = 64;

/** Edits (insert, delete, replace, swap of neighbours) that turn `a` into `b`; `limit + 1` as soon as there are more. */
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) > limit) return limit + 1;
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    let best = row;
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1];
      let cost = Math.min(
        (previous[column] as number) + 1,
        (current[column - 1] as number) + 1,
        (previous[column - 1] as number) + (same ? 0 : 1),
      );
      if (row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]) {
        cost = Math.min(cost, (beforePrevious[column - 2] as number) + 1);
      }
      current.push(cost);
      best = Math.min(best, cost);
    }
    if (best > limit) return limit + 1;
    beforePrevious = previous;
    previous = current;
  }
  return previous[b.length] as number;
}

/**
 * The candidate that differs least from `word`, or undefined when none is near enough to be meant.
 *
 * Case counts as half an edit at most: `gfp_kernel` finds `GFP_KERNEL`. Of equally near candidates the first wins.
 */
export function nearestName(word: string, candidates: Iterable<string>): string | undefined {
  if (word.length === 0 || word.length > LONGEST_WORD) return undefined;
  const limit = Math.max(1, Math.floor(word.length / 3));
  const folded = word.toLowerCase();
  let nearest: string | undefined;
  let nearestCost = Number.POSITIVE_INFINITY;
  for (const candidate of candidates) {
    const distance = editDistance(folded, candidate.toLowerCase(), limit);
    if (distance > limit) continue;
    const cost = distance + (distance === 0 || candidate[0] === word[0] ? 0 : 0.5);
    if (cost < nearestCost) {
      nearest = candidate;
      nearestCost = cost;
    }
  }
  return nearest;
}
