/**
 * The kernel's two fragmentation figures, in 1/1000 and in its integer arithmetic.
 *
 * Both are functions of the number of free chunks per order. `Math.trunc` is C's division.
 * model: page-allocator 6.5, 6.6
 */

function freePages(buddyinfo: readonly number[]): number {
  return buddyinfo.reduce((sum, chunks, order) => sum + chunks * 2 ** order, 0);
}

/** How many chunks of this order could be had without moving anything. */
function suitableChunks(buddyinfo: readonly number[], order: number): number {
  return buddyinfo.reduce((sum, chunks, k) => (k >= order ? sum + chunks * 2 ** (k - order) : sum), 0);
}

/** Share of free memory that is in chunks too small for `order`: 0 none, 1000 all. */
export function unusableIndex(buddyinfo: readonly number[], order: number): number {
  const free = freePages(buddyinfo);
  if (free === 0) return 1000;
  return Math.trunc(((free - suitableChunks(buddyinfo, order) * 2 ** order) * 1000) / free);
}

/**
 * Why an allocation of `order` would fail: toward 1000 because memory is fragmented, toward 0 because it is short;
 * -1000 if it would not fail. May be a little below 0 when there are very few chunks.
 */
export function extfragIndex(buddyinfo: readonly number[], order: number): number {
  const chunks = buddyinfo.reduce((sum, n) => sum + n, 0);
  if (chunks === 0) return 0;
  if (suitableChunks(buddyinfo, order) > 0) return -1000;
  const wanted = Math.trunc((freePages(buddyinfo) * 1000) / 2 ** order);
  return 1000 - Math.trunc((1000 + wanted) / chunks);
}

/** The unusable index of every order. */
export function unusableIndexes(buddyinfo: readonly number[]): number[] {
  return buddyinfo.map((_, order) => unusableIndex(buddyinfo, order));
}

/** The fragmentation index of every order. */
export function extfragIndexes(buddyinfo: readonly number[]): number[] {
  return buddyinfo.map((_, order) => extfragIndex(buddyinfo, order));
}
