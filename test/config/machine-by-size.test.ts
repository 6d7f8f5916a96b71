import { describe, expect, test } from 'vitest';
import { machineFromSize } from '../../src/config/machine-by-size.js';

const MIB = 256;
const GIB = 1024 * MIB;

describe('a machine by its size', () => {
  // DMA has what a real 6.18 machine's zoneinfo shows: spanned 4095, present 3998, managed 3840.
  test('512 MiB: DMA and DMA32 only', () => {
    const { zones, cpu_nodes, node_distances } = machineFromSize({ memory_pages: 512 * MIB, cpus: 1 });
    expect(zones).toEqual([
      { node: 0, index: 0, start_pfn: 1, spanned_pages: 4095, present_pages: 3998, managed_pages: 3840 },
      {
        node: 0,
        index: 1,
        start_pfn: 0x1000,
        spanned_pages: 0x20000 - 0x1000,
        present_pages: 126_976,
        managed_pages: 126_976 - 126_976 / 64 - 44 * MIB,
      },
    ]);
    expect(cpu_nodes).toEqual([0]);
    expect(node_distances).toEqual([[10]]);
  });

  // RAM:  | 0 .. 3 GiB |  hole  | 4 .. 6 GiB |
  test('5 GiB: the hole below 4 GiB is spanned by DMA32 and pushes 2 GiB above', () => {
    const { zones } = machineFromSize({ memory_pages: 5 * GIB });
    expect(zones.map((zone) => [zone.index, zone.start_pfn, zone.spanned_pages, zone.present_pages])).toEqual(
      [
        [0, 1, 4095, 3998],
        [1, 0x1000, 0x100000 - 0x1000, 782_336],
        [2, 0x100000, 2 * GIB, 2 * GIB],
      ],
    );
    expect(zones[2]!.managed_pages).toBe(2 * GIB - (2 * GIB) / 64);
  });

  test('exactly 3 GiB has no Normal zone and no hole', () => {
    const { zones } = machineFromSize({ memory_pages: 3 * GIB });
    expect(zones).toHaveLength(2);
    expect(zones[1]!.spanned_pages).toBe(3 * GIB - 0x1000);
  });

  test('256 GiB, 2 nodes, 64 CPUs: equal contiguous shares, node 1 all Normal', () => {
    const machine = machineFromSize({ memory_pages: 256 * GIB, nodes: 2, cpus: 64 });
    expect(machine.zones.map((zone) => [zone.node, zone.index])).toEqual([
      [0, 0],
      [0, 1],
      [0, 2],
      [1, 2],
    ]);
    const [, , normal0, normal1] = machine.zones;
    expect(normal0!.start_pfn + normal0!.spanned_pages).toBe(normal1!.start_pfn);
    expect(normal1!.start_pfn).toBe(129 * GIB);
    expect(normal1!.present_pages).toBe(128 * GIB);
    expect(machine.cpu_nodes.slice(0, 32)).toEqual(Array(32).fill(0));
    expect(machine.cpu_nodes.slice(32)).toEqual(Array(32).fill(1));
    expect(machine.node_distances).toEqual([
      [10, 20],
      [20, 10],
    ]);
    expect(machine.thp).toBe(true);
  });

  test.each([
    [64 * MIB, 1],
    [4 * GIB, 3],
    [6 * GIB, 2],
    [7 * GIB, 5],
    [1024 * GIB, 8],
  ])('%i pages on %i nodes: all RAM is present once, in ascending zones', (pages, nodes) => {
    const { zones } = machineFromSize({ memory_pages: pages, nodes });
    const present = zones.reduce((sum, zone) => sum + zone.present_pages, 0);
    // all but PFN 0 and the 97 pages of the BIOS hole
    expect(present).toBe(pages - 98);
    expect(new Set(zones.map((zone) => zone.node)).size).toBe(nodes);
    for (const [position, zone] of zones.entries()) {
      expect(zone.managed_pages).toBeGreaterThan(0);
      expect(zone.managed_pages).toBeLessThanOrEqual(zone.present_pages);
      expect(zone.present_pages).toBeLessThanOrEqual(zone.spanned_pages);
      const next = zones[position + 1];
      if (next !== undefined) expect(zone.start_pfn + zone.spanned_pages).toBeLessThanOrEqual(next.start_pfn);
    }
  });

  test.each([
    [{ memory_pages: 16 * MIB }, /needs at least 32 MiB/],
    [{ memory_pages: 64 * MIB, nodes: 4 }, /each of 4 node\(s\) needs at least 32 MiB/],
    [{ memory_pages: 16 * 1024 * GIB }, /too much memory/],
    [{ memory_pages: GIB, nodes: 0 }, /--nodes 0/],
    [{ memory_pages: GIB, cpus: 0 }, /--cpus 0/],
  ])('%j is no machine', (size, message) => {
    expect(() => machineFromSize(size)).toThrow(message);
  });
});
