/** The parts that generators are made of: chance, ids, mixes of pages, curves. */
import { describe, expect, test } from 'vitest';
import { polyline, wave } from '../../src/gen/models/parts.js';
import { MAX_OBJECTS, ObjectIds } from '../../src/gen/object-ids.js';
import { folioMix, PageMix } from '../../src/gen/page-mix.js';
import { Prng } from '../../src/gen/prng.js';
import { StringTable } from '../../src/trace/string-table.js';
import { expectNear, mean } from './support.js';

const REQUEST = { gfp: 0xcc0, gfpLarge: 0x40cc0, site: 1 };

function draws(count: number, draw: () => number): number[] {
  return Array.from({ length: count }, draw);
}

describe('the stream of chance', () => {
  test('is the same on every machine', () => {
    const prng = new Prng(1, 'gaps');
    expect(draws(4, () => prng.next())).toEqual([2542089944, 2714546626, 930029527, 2893437532]);
    expect(draws(4, () => prng.exponential(1000))).toEqual([257, 309, 3264, 2627]);
  });

  test('differs between seeds and names', () => {
    const first = [
      [1, 'a'],
      [2, 'a'],
      [2 ** 32 + 1, 'a'],
      [1, 'b'],
    ].map(([seed, name]) => new Prng(Number(seed), String(name)).next());
    expect(new Set(first).size).toBe(4);
  });

  test('is even, exponential and as likely as asked for', () => {
    const prng = new Prng(7, 'test');
    const even = draws(20_000, () => prng.below(10));
    for (let n = 0; n < 10; n++) expectNear(even.filter((value) => value === n).length, 2000, 0.1);
    expectNear(draws(20_000, () => Number(prng.chance(0.3))).filter((hit) => hit === 1).length, 6000, 0.05);
    expectNear(mean(draws(20_000, () => prng.between(3, 5))), 4, 0.01);
    const times = draws(50_000, () => prng.exponential(1000));
    expectNear(mean(times), 1000, 0.03);
    // An exponential variable is above three times its mean in e^-3 of all cases.
    expectNear(times.filter((time) => time > 3000).length / times.length, 0.05, 0.15);
    expect(times.every((time) => Number.isSafeInteger(time) && time >= 0)).toBe(true);
  });

  test('neither chance 0 nor chance 1 is a matter of chance', () => {
    const prng = new Prng(3, 'test');
    expect(draws(1000, () => Number(prng.chance(0))).includes(1)).toBe(false);
    expect(draws(1000, () => Number(prng.chance(1))).includes(0)).toBe(false);
  });
});

describe('ids', () => {
  test('are used again, the last one first, and are never more than objects at a time', () => {
    const strings = new StringTable('ids');
    const ids = new ObjectIds(strings);
    const taken = draws(5000, () => ids.take(3, 1));
    expect(taken).toEqual(Array.from({ length: 5000 }, (_, i) => i + 1));
    expect([strings.get(1), strings.get(5000)]).toEqual(['a1', 'a5000']);
    ids.release(17);
    ids.release(4000);
    expect([ids.take(9, 2), ids.take(0, 0)]).toEqual([4000, 17]);
    expect([ids.orderOf(4000), ids.migratetypeOf(4000)]).toEqual([9, 2]);
    expect([ids.orderOf(17), ids.migratetypeOf(17)]).toEqual([0, 0]);
    expect([ids.made, ids.live]).toEqual([5000, 5000]);
    expect(strings.find('a4999')).toBe(4999);
  });

  test('end: then nothing is taken', () => {
    const ids = new ObjectIds(new StringTable('ids'));
    for (let n = 0; n < MAX_OBJECTS; n++) ids.take(0, 0);
    expect(ids.take(0, 0)).toBe(0);
    ids.release(5);
    expect(ids.take(0, 0)).toBe(5);
  });
});

describe('mixes', () => {
  test('give each kind its share of pages, not of requests', () => {
    const mix = new PageMix([
      { request: REQUEST, order: 0, share: 0.5 },
      { request: REQUEST, order: 3, share: 0.5 },
    ]);
    const prng = new Prng(1, 'mix');
    const orders = draws(20_000, () => mix.orders[mix.pick(prng)]);
    const large = orders.filter((order) => order === 3).length * 8;
    expectNear(large / (large + orders.filter((order) => order === 0).length), 0.5, 0.05);
    expectNear(mean(orders.map((order) => 1 << order)), mix.mean_pages, 0.05);
  });

  test('of folios have every order up to the largest', () => {
    for (const maxOrder of [0, 4, 9]) {
      const mix = folioMix(REQUEST, maxOrder);
      const prng = new Prng(1, 'folios');
      const orders = new Set(draws(20_000, () => mix.orders[mix.pick(prng)]));
      expect([...orders].sort()).toEqual(Array.from({ length: maxOrder + 1 }, (_, order) => order));
    }
  });
});

describe('curves', () => {
  test('go straight from point to point and are level outside', () => {
    const curve = polyline([
      [10, 100],
      [20, 200],
      [40, 0],
    ]);
    expect([0, 10, 15, 20, 30, 40, 99].map(curve)).toEqual([100, 100, 150, 200, 100, 0, 0]);
  });

  test('waves go up and down around 1', () => {
    expect([0, 1, 2, 3, 4, 5].map((quarter) => wave(quarter * 25, 100, 0.4))).toEqual([
      1, 1.4, 1, 0.6, 1, 1.4,
    ]);
  });
});
