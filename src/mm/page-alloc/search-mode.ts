/**
 * What the search remembers while one zone lock is held: after a steal, the rest of a refill is stolen too.
 * The order of the values is the order in which the stages are tried.
 * model: page-allocator 4.6; spb 3.2
 */
export const SearchMode = { normal: 0, cma: 1, claim: 2, steal: 3 } as const;
