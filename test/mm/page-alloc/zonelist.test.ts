/** The order in which nodes and zones are tried. model: page-allocator 2.3; scenario 38 */
import { describe, expect, it } from 'vitest';
import { nodeOrders } from '../../../src/mm/page-alloc/zonelist.js';
import { ZoneIndex } from '../../../src/mm/types.js';
import { BASE, machine } from './setup-support.js';

const yes = (nodes: number) => new Array<boolean>(nodes).fill(true);

describe('38 zonelist', () => {
  it('four equally distant nodes: each begins with itself and goes round', () => {
    const distances = [0, 1, 2, 3].map((from) => [0, 1, 2, 3].map((to) => (from === to ? 10 : 20)));
    expect(nodeOrders(distances, yes(4), yes(4)).map((order) => order.join(''))).toEqual([
      '0123',
      '1230',
      '2301',
      '3012',
    ]);
  });

  it('nearer nodes come first, nodes without CPUs before their equals, nodes without memory never', () => {
    const distances = [
      [10, 20, 30, 20],
      [20, 10, 20, 30],
      [30, 20, 10, 20],
      [20, 30, 20, 10],
    ];
    expect(nodeOrders(distances, yes(4), yes(4))[0]).toEqual([0, 1, 3, 2]);
    expect(nodeOrders(distances, yes(4), [true, true, true, false])[0]).toEqual([0, 3, 1, 2]);
    expect(nodeOrders(distances, [true, false, true, true], yes(4))[0]).toEqual([0, 3, 2]);
    expect(nodeOrders(distances, [false, true, true, true], yes(4))[0]).not.toContain(0);
  });

  it('inside a node from the highest zone down, never above the one that the request allows', () => {
    const { dma, dma32, normal, movable } = ZoneIndex;
    const mm = machine('mainline-6.18', [
      { index: dma, start: 0x200, spanned: 0x200 },
      { index: dma32, start: 0x1000, spanned: 0x1000 },
      { index: normal, start: BASE, spanned: 0x1000 },
      { index: movable, start: BASE + 0x1000, spanned: 0 },
      { node: 1, index: normal, start: BASE + 0x8000, spanned: 0x1000 },
      { node: 1, index: movable, start: BASE + 0x9000, spanned: 0x1000 },
    ]);
    const text = (node: number, highest: number) =>
      mm.zonelists.fallback[node]![highest]!.map((zone) => `${zone.node}:${zone.index}`).join(' ');
    expect(text(0, movable)).toBe('0:2 0:1 0:0 1:3 1:2');
    expect(text(1, normal)).toBe('1:2 0:2 0:1 0:0');
    expect(text(0, dma)).toBe('0:0');
    expect(mm.zonelists.thisnode[1]![normal]!.map((zone) => zone.node)).toEqual([1]);
  });
});
