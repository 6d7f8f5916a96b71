/** What is posted to the batched counter of free pages, and in what portions. model: page-allocator 2.8; scenarios 47, 48 */
import { describe, expect, it } from 'vitest';
import { CLAIM_POLICY_NAMES, POLICY_NAMES } from '../policies.js';
import { B, Bench, range } from './support.js';

function counters(bench: Bench): { folded: number; diff: number } {
  return { folded: bench.zone.nr_free_pages, diff: bench.pcp.nr_free_diff };
}

/** Gives the CPU a part of the counter that it has not folded in yet. */
function withDiff(bench: Bench, diff: number): Bench {
  bench.zone.nr_free_pages -= diff;
  bench.pcp.nr_free_diff += diff;
  return bench;
}

describe('a claimed block', () => {
  //   block B, M:  [ 8..f o3 | 14..17 o2 | 100..1ff o8 | 244 LRU pages elsewhere ]   268 free
  it.each([
    // -8 +8 -4 +4 leave 10; -256 folds -246; +256 folds; -16 stays
    ['mainline-6.18', 10, -16],
    ['mainline-7.2', 10, -16],
    ['mainline-6.1', 0, -6],
  ] as const)('47 double posting: %s ends %i above the start with diff %i', (policy, folded, diff) => {
    const bench = new Bench(policy, { stat_threshold: 28 })
      .put(3, 'M', B + 8)
      .put(2, 'M', B + 0x14)
      .put(8, 'M', B + 0x100);
    withDiff(
      bench
        .lru(B, 8)
        .lru(B + 0x10, 4)
        .lru(B + 0x18, 0xe8),
      10,
    );
    const start = bench.zone.nr_free_pages;
    expect(bench.takes(1, 4, 'U')).toBe('B+0x100');
    expect(bench.blockType(B)).toBe('U');
    expect(counters(bench)).toEqual({ folded: start + folded, diff });
  });

  //   FL[10] = [B], diff 10:   -1024 folds -1014, then +1008 folds
  it.each([
    ['mainline-6.18', 10 - 16, 0],
    ['mainline-7.2', 10 - 16, 0],
    ['mainline-6.1', 0, 10 - 16],
  ] as const)('47 double posting: a whole chunk, %s', (policy, folded, diff) => {
    const bench = withDiff(new Bench(policy, { stat_threshold: 28 }).put(10, 'M', B), 10);
    const start = bench.zone.nr_free_pages;
    expect(bench.takes(1, 4, 'U')).toBe('B');
    expect(counters(bench)).toEqual({ folded: start + folded, diff });
  });
});

describe('refill', () => {
  it.each([
    ['mainline-6.1', -63, 0],
    ['mainline-6.18', -58, -5],
    ['mainline-7.2', -58, -5],
  ] as const)('48 refill posting: %s folds %i and keeps %i', (policy, folded, diff) => {
    const bench = new Bench(policy, { stat_threshold: 28 }).put(10, 'M', B);
    bench.alloc(0, 'M');
    expect(counters(bench)).toEqual({ folded: 1024 + folded, diff });
  });

  it.each(CLAIM_POLICY_NAMES)('48 refill posting: %s posts each stolen page net', (policy) => {
    const bench = new Bench(policy, { stat_threshold: 4, batch: 7 }).block('U', B).put(3, 'U', B + 8);
    bench.alloc(0, 'M');
    // 7 times -1: the fifth folds, two stay
    expect(counters(bench)).toEqual({ folded: 8 - 5, diff: -2 });
  });
});

describe.each(POLICY_NAMES)('frees and single removals, %s', (policy) => {
  it('48 a free posts its own size, whatever it merges to', () => {
    const bench = new Bench(policy, { stat_threshold: 28, direct: true }).put(9, 'M', B + 0x200);
    for (const pfn of range(B, 28)) bench.free(pfn, 0);
    expect(counters(bench)).toEqual({ folded: 512, diff: 28 });
    bench.free(B + 28, 0);
    expect(counters(bench)).toEqual({ folded: 541, diff: 0 });
  });

  it('48 the threshold itself is not beyond it, in either direction', () => {
    const bench = new Bench(policy, { stat_threshold: 16 }).put(10, 'M', B);
    bench.alloc(4, 'M');
    expect(counters(bench)).toEqual({ folded: 1024, diff: -16 });
    bench.alloc(4, 'M');
    expect(counters(bench)).toEqual({ folded: 992, diff: 0 });
  });

  it('48 a page on a per-CPU list is not free', () => {
    const bench = new Bench(policy);
    bench.free(B, 0);
    expect(counters(bench)).toEqual({ folded: 0, diff: 0 });
    bench.drainAll();
    expect(counters(bench)).toEqual({ folded: 1, diff: 0 });
  });
});
