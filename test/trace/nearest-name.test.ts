import { expect, test } from 'vitest';
import { nearestName } from '../../src/trace/nearest-name.js';

const names = ['alloc', 'free', 'kmalloc', 'kfree', 'cache_alloc', 'memcg_create'];

test.each([
  ['aloc', 'alloc'],
  ['allco', 'alloc'],
  ['Kmalloc', 'kmalloc'],
  ['memcg-create', 'memcg_create'],
  ['kfre', 'kfree'],
])('%s is meant to be %s', (word, meant) => {
  expect(nearestName(word, names)).toBe(meant);
});

test('a word that is like nothing has no neighbour', () => {
  expect(nearestName('zzz', names)).toBeUndefined();
  expect(nearestName('', names)).toBeUndefined();
  expect(nearestName('__proto__', names)).toBeUndefined();
  expect(nearestName('a'.repeat(1_000_000), names)).toBeUndefined();
});
