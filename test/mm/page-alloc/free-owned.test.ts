/** Frees in other shapes than the allocations had. model: page-allocator 3.1, 8.6 */
import { describe, expect, it } from 'vitest';
import { ownerOf, splitOwned } from '../../../src/mm/page-alloc/free-owned.js';
import { addMovable, markAllocated } from '../../../src/mm/page-alloc/in-use.js';
import { PageKind } from '../../../src/mm/page-alloc/page-map.js';
import { PAGEBLOCK_ORDER } from '../../../src/mm/types.js';
import { POLICY_NAMES } from '../policies.js';
import { B, Bench, name, range } from './support.js';

function owner(bench: Bench, pfn: number): string {
  const found = ownerOf(bench.mm, pfn);
  if (found === null) return 'none';
  return `${name(found.head)} o${found.order}${found.kind === PageKind.lru ? ' lru' : ''}`;
}

function movable(bench: Bench, pfn: number): number {
  return bench.mm.pages.blockMovable[pfn >>> PAGEBLOCK_ORDER]!;
}

/** A bench in whose lists nothing is kept back, with an allocation of 2^order pages at B. */
function withAllocation(order: number, lru: boolean): Bench {
  const bench = new Bench('mainline-6.18', { direct: true });
  markAllocated(bench.mm, B, order, lru);
  return bench;
}

describe('ownership of pages in use', () => {
  it.each(range(0, 11))('every page of an allocation of order %i is its own', (order) => {
    const bench = withAllocation(order, false);
    for (const pfn of [B, B + (1 << order) - 1]) expect(owner(bench, pfn)).toBe(`B o${order}`);
    expect(owner(bench, B + (1 << order))).toBe('none');
    bench.free(B, order);
    expect(owner(bench, B)).toBe('none');
  });

  it('a free chunk, a page on a per-CPU list and one of unknown history have no owner', () => {
    const bench = new Bench('mainline-6.18').put(3, 'M', B + 8);
    bench.free(B + 0x40, 0);
    expect([B + 9, B + 0x40, B + 0x80].map((pfn) => owner(bench, pfn))).toEqual(['none', 'none', 'none']);
  });

  it.each([
    { order: 3, piece: 0 },
    { order: 9, piece: 0 },
    { order: 10, piece: 0 },
    { order: 10, piece: 4 },
    { order: 10, piece: 9 },
  ])('order $order freed in pieces of order $piece', ({ order, piece }) => {
    const bench = withAllocation(order, true);
    const pieces = range(B, 1 << (order - piece), 1 << piece);
    // the second piece goes first: the rest stays owned, in pieces of that order
    bench.free(pieces[1]!, piece);
    expect(owner(bench, B)).toBe(`B o${piece} lru`);
    expect(owner(bench, pieces[1]!)).toBe('none');
    for (const pfn of pieces.filter((_, index) => index !== 1)) bench.free(pfn, piece);
    expect(bench.buddy()).toEqual({ [`o${order} M`]: 'B' });
    expect([movable(bench, B), movable(bench, B + 0x200)]).toEqual([0, 0]);
  });

  //   [ o0 lru | o0 lru | o1 lru | ???? o2 of unknown history ]  freed as one order 3
  it('one free over several allocations and pages of unknown history', () => {
    const bench = new Bench('mainline-6.18', { direct: true }).lru(B, 2);
    markAllocated(bench.mm, B + 2, 1, true);
    bench.lru(B + 8, 5);
    expect(movable(bench, B)).toBe(9);
    bench.free(B, 3);
    expect(movable(bench, B)).toBe(5);
    expect(bench.buddy()).toEqual({ 'o3 M': 'B' });
  });

  it('a free inside an allocation leaves its other pages movable', () => {
    const bench = withAllocation(9, true);
    expect(movable(bench, B)).toBe(512);
    bench.free(B + 0x10, 2);
    expect(movable(bench, B)).toBe(508);
    expect(owner(bench, B + 0x14)).toBe('B+0x14 o2 lru');
  });

  it('pages of order 10 count in both of their blocks', () => {
    const bench = withAllocation(10, true);
    expect([movable(bench, B), movable(bench, B + 0x200)]).toEqual([512, 512]);
    bench.free(B + 0x200, 9);
    expect([movable(bench, B), movable(bench, B + 0x200)]).toEqual([512, 0]);
    bench.free(B, 9);
    expect([movable(bench, B), movable(bench, B + 0x200)]).toEqual([0, 0]);
  });

  it('splitting changes no count and no list', () => {
    const bench = withAllocation(9, true);
    splitOwned(bench.mm, B, 9, 0, PageKind.lru);
    expect(movable(bench, B)).toBe(512);
    expect(owner(bench, B + 0x1ff)).toBe('B+0x1ff o0 lru');
    expect(bench.buddy()).toEqual({});
  });

  it('counting back and forth ends where it began', () => {
    const bench = new Bench('mainline-6.18');
    for (const order of range(0, 11)) addMovable(bench.mm, B, order, 1);
    for (const order of range(0, 11)) addMovable(bench.mm, B, order, -1);
    expect([movable(bench, B), movable(bench, B + 0x200)]).toEqual([0, 0]);
  });

  it.each(POLICY_NAMES)('pages counted once as freed, whatever the path, %s', (policy) => {
    const bench = new Bench(policy, { high: 5000 });
    bench.free(B, 0);
    bench.free(B + 0x400, 5);
    bench.free(B + 0x800, 10);
    bench.free(B + 0x1000, 9);
    bench.drainAll();
    expect(bench.mm.pgfree).toBe(1 + 32 + 1024 + 512);
  });
});
