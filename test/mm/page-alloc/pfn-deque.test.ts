/** The ring behind a per-CPU list behaves as a plain array does. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PfnDeque } from '../../../src/mm/page-alloc/pfn-deque.js';

type Step = readonly ['pushHead' | 'pushTail' | 'popHead' | 'popTail' | 'removeAt' | 'clear', number];

const step: fc.Arbitrary<Step> = fc.tuple(
  fc.oneof(
    { weight: 80, arbitrary: fc.constantFrom('pushHead' as const, 'pushTail' as const) },
    { weight: 50, arbitrary: fc.constantFrom('popHead' as const, 'popTail' as const, 'removeAt' as const) },
    { weight: 1, arbitrary: fc.constant('clear' as const) },
  ),
  fc.nat(0x3fff_ffff),
);

function apply(deque: PfnDeque, list: number[], [what, value]: Step): void {
  if (what === 'pushHead') {
    deque.pushHead(value);
    list.unshift(value);
  } else if (what === 'pushTail') {
    deque.pushTail(value);
    list.push(value);
  } else if (what === 'clear') {
    deque.clear();
    list.length = 0;
  } else if (list.length === 0) {
    return;
  } else if (what === 'popHead') {
    expect(deque.popHead()).toBe(list.shift());
  } else if (what === 'popTail') {
    expect(deque.popTail()).toBe(list.pop());
  } else {
    const index = value % list.length;
    deque.removeAt(index);
    list.splice(index, 1);
  }
}

describe('PfnDeque', () => {
  it('agrees with an array after every step', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300, size: 'max' }), (steps) => {
        const deque = new PfnDeque();
        const list: number[] = [];
        for (const each of steps) {
          apply(deque, list, each);
          expect(deque.length).toBe(list.length);
        }
        expect(deque.toArray()).toEqual(list);
        list.forEach((pfn, index) => {
          expect(deque.at(index)).toBe(pfn);
          expect(deque.indexOf(pfn)).toBe(list.indexOf(pfn));
        });
        expect(deque.indexOf(0x4000_0000)).toBe(-1);
      }),
      { seed: 7, numRuns: 200 },
    );
  });

  it('keeps its order when it grows while wrapped around', () => {
    const deque = new PfnDeque();
    for (let pfn = 0; pfn < 10; pfn++) deque.pushTail(pfn);
    for (let pfn = 0; pfn < 10; pfn++) expect(deque.popHead()).toBe(pfn);
    for (let pfn = 0; pfn < 40; pfn++) deque.pushTail(pfn);
    expect(deque.toArray()).toEqual(Array.from({ length: 40 }, (_, pfn) => pfn));
  });

  it.each([0, 1, 7, 8, 14, 15])('takes entry %i out of a full ring', (index) => {
    const deque = new PfnDeque();
    // the head stands in the middle of the ring
    for (let pfn = 8; pfn < 16; pfn++) deque.pushTail(pfn);
    for (let pfn = 7; pfn >= 0; pfn--) deque.pushHead(pfn);
    deque.removeAt(index);
    expect(deque.toArray()).toEqual(
      Array.from({ length: 16 }, (_, pfn) => pfn).filter((pfn) => pfn !== index),
    );
  });
});
