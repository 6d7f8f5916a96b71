/** Splitting, merging and where a freed chunk lands in its list. model: page-allocator 3.6, 4.6; scenarios 1-10, 32 */
import { describe, expect, it } from 'vitest';
import { CLAIM_POLICY_NAMES, POLICY_NAMES } from '../policies.js';
import { B, Bench, remainders } from './support.js';

describe.each(POLICY_NAMES)('splitting a chunk, %s', (policy) => {
  //   B                                                       B+0x400
  //   [ .............................o10....................... ]
  //   [xx|o4|--o5--|----o6----|-------o7-------|... o8 ...|.. o9 .. ]
  it('1 split order: the lowest part is handed out, the upper halves stay, one on every order', () => {
    const bench = new Bench(policy).put(10, 'M', B);
    expect(bench.takes(1, 4, 'M')).toBe('B');
    expect(bench.buddy()).toEqual(remainders(4, 'M'));
    expect(bench.zone.nr_free_pages).toBe(1024 - 16);
    expect(bench.zone.pgalloc).toBe(16);
  });

  it('1 split order: a request of the largest order takes the chunk whole', () => {
    const bench = new Bench(policy).put(10, 'M', B, B + 0x400);
    expect(bench.takes(3, 10, 'M')).toBe('B B+0x400 none');
    expect(bench.buddy()).toEqual({});
  });
});

describe.each(POLICY_NAMES)('merging, %s', (policy) => {
  //   order 5   order 5    order 6          order 7 .. 9 are free
  //   B         B+0x20     B+0x40           B+0x80
  //   [ 1 ]     [ 2 ]      [    3     ]     [ . . . . . . . .
  it('7 merge chain: frees of the parts give the chunk back', () => {
    const bench = new Bench(policy).put(10, 'M', B);
    expect(bench.takes(2, 5, 'M')).toBe('B B+0x20');
    expect(bench.takes(1, 6, 'M')).toBe('B+0x40');
    const upper = remainders(7, 'M');
    bench.free(B, 5);
    expect(bench.buddy()).toEqual({ 'o5 M': 'B', ...upper });
    bench.free(B + 0x20, 5);
    expect(bench.buddy()).toEqual({ 'o6 M': 'B', ...upper });
    bench.free(B + 0x40, 6);
    expect(bench.buddy()).toEqual({ 'o10 M': 'B' });
    expect(bench.zone.nr_free_pages).toBe(1024);
  });

  //   order 0 frees, one digit = when:     B [4][.][2 2]      B+0x40 [1]      B+0x80 [3]
  it('8 tail placement: a chunk that may merge twice goes to the tail', () => {
    const bench = new Bench(policy, { direct: true });
    bench.free(B + 0x40, 0);
    bench.free(B + 2, 1);
    bench.free(B, 0);
    expect(bench.list(0, 'M')).toBe('B+0x40 B');
    bench.free(B + 0x80, 0);
    expect(bench.list(0, 'M')).toBe('B+0x80 B+0x40 B');
    bench.free(B + 1, 0);
    expect(bench.buddy()).toEqual({ 'o0 M': 'B+0x80 B+0x40', 'o2 M': 'B' });
  });

  //   [ B: freed, o9 | in use ]  [ B+0x400: free, o10 ]       the pair B..B+0x7ff would be of order 11
  it('9 no tail at the top: order 9 goes to the head whatever is free beside it', () => {
    const bench = new Bench(policy, { direct: true }).put(10, 'M', B + 0x400).put(9, 'M', B + 0x1000);
    bench.free(B, 9);
    expect(bench.list(9, 'M')).toBe('B B+0x1000');
  });

  it('9 no tail at the top: order 8 beside a free order 9 still goes to the tail', () => {
    const bench = new Bench(policy, { direct: true }).put(9, 'M', B + 0x200).put(8, 'M', B + 0x1000);
    bench.free(B, 8);
    expect(bench.list(8, 'M')).toBe('B+0x1000 B');
  });

  //   B   B+1  B+2
  //   [x] [.] [x]     a free order 1 at B is no buddy of order 0 at B+2
  it('10 exact order only: a larger free neighbour does not merge, but makes it likely', () => {
    const bench = new Bench(policy, { direct: true }).put(0, 'M', B + 1, B + 0x100);
    bench.free(B, 0);
    expect(bench.buddy()).toEqual({ 'o0 M': 'B+0x100', 'o1 M': 'B' });
    bench.free(B + 2, 0);
    expect(bench.buddy()).toEqual({ 'o0 M': 'B+0x100 B+0x2', 'o1 M': 'B' });
    bench.free(B + 3, 0);
    expect(bench.buddy()).toEqual({ 'o0 M': 'B+0x100', 'o2 M': 'B' });
  });

  it('10 exact order only: a smaller free chunk inside the buddy does not merge', () => {
    const bench = new Bench(policy, { direct: true }).put(1, 'M', B + 4);
    bench.free(B, 2);
    expect(bench.buddy()).toEqual({ 'o1 M': 'B+0x4', 'o2 M': 'B' });
  });

  //   [ H H H H H H H H | M M M M M M M M ]
  it('32 non-mergeable: a reserved block stays apart from its buddy', () => {
    const bench = new Bench(policy, { direct: true }).block('H', B).put(9, 'H', B);
    bench.free(B + 0x200, 9);
    expect(bench.buddy()).toEqual({ 'o9 H': 'B', 'o9 M': 'B+0x200' });
    expect([bench.blockType(B), bench.blockType(B + 0x200)]).toEqual(['H', 'M']);
  });

  it('32 non-mergeable: freeing the reserved half second keeps them apart too', () => {
    const bench = new Bench(policy, { direct: true }).block('H', B).put(9, 'M', B + 0x200);
    bench.free(B + 0x100, 8);
    bench.free(B, 8);
    expect(bench.buddy()).toEqual({ 'o9 H': 'B', 'o9 M': 'B+0x200' });
  });
});

//   before   [ U U U U . . . . | M M M M freed ]
//   after    6.1: one chunk on the M list over blocks U M;   6.18 and later: over blocks M M
describe('32 mergeable types: the freed page decides', () => {
  it.each([
    ['mainline-6.1', 'U'],
    ['mainline-6.18', 'M'],
    ['mainline-7.2', 'M'],
  ] as const)('%s leaves the absorbed block %s', (policy, absorbed) => {
    const bench = new Bench(policy, { direct: true }).block('U', B).put(9, 'U', B);
    bench.free(B + 0x200, 9);
    expect(bench.buddy()).toEqual({ 'o10 M': 'B' });
    expect([bench.blockType(B), bench.blockType(B + 0x200)]).toEqual([absorbed, 'M']);
  });

  it.each(CLAIM_POLICY_NAMES)('%s re-types upwards too', (policy) => {
    const bench = new Bench(policy, { direct: true }).block('R', B + 0x200).put(9, 'R', B + 0x200);
    bench.free(B, 9);
    expect(bench.buddy()).toEqual({ 'o10 M': 'B' });
    expect(bench.blockType(B + 0x200)).toBe('M');
  });
});
