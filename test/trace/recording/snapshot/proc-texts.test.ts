import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parseRingStats } from '../../../../src/trace/recording/ring-stats.js';
import { parseBuddyinfo } from '../../../../src/trace/recording/snapshot/buddyinfo.js';
import { parseMeminfo } from '../../../../src/trace/recording/snapshot/meminfo.js';
import { parsePagetypeinfo } from '../../../../src/trace/recording/snapshot/pagetypeinfo.js';
import { parseVmstat } from '../../../../src/trace/recording/snapshot/vmstat.js';
import { parseZoneinfo } from '../../../../src/trace/recording/snapshot/zoneinfo.js';
import { dataPath } from '../../helpers.js';

const text = (name: string) => readFileSync(dataPath(name), 'utf8');

describe('buddyinfo', () => {
  test('free blocks by zone and order', () => {
    const zones = parseBuddyinfo(text('recording/before/buddyinfo'), 'buddyinfo');
    expect(zones.map(({ node, zone }) => [node, zone])).toEqual([
      [0, 0],
      [0, 1],
      [0, 2],
    ]);
    expect(zones[2]?.free).toEqual([4185, 1729, 732, 362, 397, 519, 786, 509, 380, 175, 270]);
    const pages = zones.flatMap((zone) => zone.free.map((blocks, order) => blocks << order));
    expect(pages.reduce((a, b) => a + b)).toBe(1_391_937);
  });

  test('what is no line of it', () => {
    expect(() => parseBuddyinfo('Node 0, zone DMA 1 2 3\n', 'b')).toThrow(
      'b:1  "Node 0, zone DMA 1 2 3" has 3 orders instead of 11; copy the file again from /proc',
    );
    expect(() => parseBuddyinfo('\nhello\u001b\n', 'b')).toThrow(
      'b:2  "hello\\x1b" is not a line of buddyinfo',
    );
    expect(() => parseBuddyinfo(`Node 0, zone HighMem ${'0 '.repeat(11)}\n`, 'b')).toThrow(
      '"HighMem" is not a zone',
    );
  });
});

describe('pagetypeinfo', () => {
  test('without CMA: Isolate is told by its name', () => {
    const info = parsePagetypeinfo(text('recording/before/pagetypeinfo'), 'p');
    expect(info.pageblock_order).toBe(9);
    expect(info.types).toEqual([0, 1, 2, 3, 5]);
    expect(info.free).toHaveLength(15);
    expect(info.free.at(-1)).toMatchObject({ node: 0, zone: 2, type: 5 });
    expect(info.free.find(({ zone, type }) => zone === 2 && type === 2)?.free[0]).toBe(4022);
    expect(info.blocks[2]).toEqual({ node: 0, zone: 2, blocks: [305, 2183, 264, 0, 0, 0] });
  });

  test('with CMA', () => {
    const info = parsePagetypeinfo(text('pagetypeinfo-cma'), 'p');
    expect(info.types).toEqual([0, 1, 2, 3, 4, 5]);
    expect(info.free).toHaveLength(12);
  });

  test('counts that the kernel gave up on', () => {
    const lists = 'Node    0, zone   Normal, type      Movable >100000      0      1 >100000 0 0 0 0 0 0 10 ';
    const info = parsePagetypeinfo(`Page block order: 9\nPages per block:  512\n\n${lists}\n`, 'p');
    expect(info.free[0]?.free.slice(0, 4)).toEqual([100_000, 0, 1, 100_000]);
    expect(info.free[0]?.capped.slice(0, 4)).toEqual([true, false, false, true]);
  });

  test('what is no line of it', () => {
    expect(() => parsePagetypeinfo('', 'p')).toThrow('holds no "Page block order"');
    expect(() => parsePagetypeinfo('Page block order: 9\nNode 0, zone DMA 1 2\n', 'p')).toThrow(
      'p:2  "Node 0, zone DMA 1 2" has 2 types, its header has 0',
    );
  });
});

describe('zoneinfo', () => {
  test('6.18: all zones, marks, counters, per-CPU lists', () => {
    const { zones, nodes } = parseZoneinfo(text('recording/before/zoneinfo'), 'z');
    expect(zones.map((zone) => zone.zone)).toEqual([0, 1, 2, 3, 4]);
    expect(zones[2]).toMatchObject({
      free: 615_243,
      boost: 0,
      min: 10_891,
      low: 13_613,
      high: 16_335,
      promo: 19_057,
      spanned: 5_505_024,
      present: 5_505_024,
      managed: 1_409_024,
      cma: 0,
      protection: [0, 0, 0, 0, 0],
      start_pfn: 1_048_576,
      node_unreclaimable: false,
      reserved_highatomic: undefined,
    });
    expect(zones[2]?.counters.get('nr_mlock')).toBe(2806);
    expect(zones[1]?.protection).toEqual([0, 0, 5504, 5504, 5504]);
    expect(zones[2]?.pagesets).toEqual([
      { cpu: 0, count: 5514, high: 88_064, batch: 63, high_min: 6806, high_max: 88_064, stat_threshold: 28 },
      { cpu: 1, count: 4032, high: 12_378, batch: 63, high_min: 6806, high_max: 88_064, stat_threshold: 28 },
    ]);
    expect(zones[3]).toMatchObject({ min: 32, managed: 0, start_pfn: undefined, pagesets: [] });
    expect(nodes.get(0)?.get('nr_kernel_stack')).toBe(1488);
    expect(nodes.get(0)?.has('nr_free_pages')).toBe(false);
  });

  test('6.1: no promo, no limits of tuning', () => {
    const { zones } = parseZoneinfo(text('zoneinfo-6.1'), 'z');
    expect(zones[1]).toMatchObject({ promo: undefined, high: 8419 });
    expect(zones[1]?.pagesets).toEqual([
      {
        cpu: 0,
        count: 119,
        high: 7016,
        batch: 31,
        high_min: undefined,
        high_max: undefined,
        stat_threshold: 6,
      },
    ]);
  });

  test('7.2: highatomic', () => {
    const { zones } = parseZoneinfo(text('zoneinfo-7.2'), 'z');
    expect(zones[0]).toMatchObject({ reserved_highatomic: 0, free_highatomic: 0 });
  });

  test('what is no line of it', () => {
    expect(() => parseZoneinfo('  pages free 1\n', 'z')).toThrow(
      'z:1  "  pages free 1" stands before the first zone',
    );
    expect(() => parseZoneinfo('Node 0, zone DMA\n  pages free x\n', 'z')).toThrow(
      'is not a line of zoneinfo',
    );
  });
});

test('vmstat and meminfo are names and numbers', () => {
  expect(parseVmstat(text('recording/before/vmstat'), 'v').get('nr_unstable')).toBe(0);
  expect(parseVmstat('__proto__ 3\n', 'v').get('__proto__')).toBe(3);
  expect(() => parseVmstat('a b\n', 'v')).toThrow('v:1  "a b" is not a line of vmstat');
  expect(parseMeminfo('Active(anon):   12 kB\nHugePages_Total:  3\n', 'm')).toEqual(
    new Map([
      ['Active(anon)', 12],
      ['HugePages_Total', 3],
    ]),
  );
  expect(() => parseMeminfo('MemTotal 3\n', 'm')).toThrow('m:1  "MemTotal 3" is not a line of meminfo');
});

test('ring statistics, with CPU titles and without', () => {
  expect(parseRingStats('== cpu3\nentries: 5\noverrun: 7\ndropped events: 1\n')).toEqual([
    { cpu: 3, entries: 5, overrun: 7, dropped: 1 },
  ]);
  expect(
    parseRingStats('entries: 1\noverrun: 0\nentries: 2\noverrun: 3\n').map((one) => one.overrun),
  ).toEqual([0, 3]);
});
