/** The machine's background on the trace's clock. model: gfp C10; page-allocator 3.9, 5 */
import { describe, expect, test } from 'vitest';
import { GFP_HIGHUSER_MOVABLE, GFP_WRITE_BIT } from '../../src/mm/gfp.js';
import { allocPages } from '../../src/mm/page-alloc/alloc-pages.js';
import { freePages } from '../../src/mm/page-alloc/free-owned.js';
import type { PageAllocator } from '../../src/mm/page-alloc/page-allocator.js';
import { ZONE_RECLAIM_ACTIVE } from '../../src/mm/page-alloc/zone.js';
import { enableLru } from '../../src/mm/reclaim/lru.js';
import { SimBackground } from '../../src/sim/background.js';
import { smallMachine } from './support.js';

const START = 1_000_000;
const PAGE_CACHE = GFP_HIGHUSER_MOVABLE | GFP_WRITE_BIT;

function machine(knobs = {}, cpus = 2): { mm: PageAllocator; background: SimBackground } {
  const mm = smallMachine({ memory_pages: 64 * 256, cpus, knobs });
  enableLru(mm);
  return { mm, background: new SimBackground(mm, START) };
}

/** Takes pages for the page cache until kswapd is wanted. */
function fill(mm: PageAllocator): number {
  let taken = 0;
  while (!mm.nodes[0]!.kswapd_awake) {
    if (allocPages(mm, 0, PAGE_CACHE, 0, -1, true) < 0) throw new Error('kswapd was never woken');
    taken++;
  }
  return taken;
}

describe('vmstat workers', () => {
  test('run once per interval and CPU, each CPU a little later than the one before', () => {
    const { mm, background } = machine();
    const interval = mm.policy['vmstat.interval_ns'];
    expect(background.due_ns).toBe(Math.min(START + interval, START + 500_000_000));
    const folds: number[] = [];
    for (const cpu of [0, 1]) freePages(mm, cpu, allocPages(mm, cpu, PAGE_CACHE, 3, -1, true), 3);
    const zone = mm.zones.find((candidate) => candidate.pcps[0]!.count > 0)!;
    zone.pcps[0]!.nr_free_diff += 1;
    zone.pcps[1]!.nr_free_diff += 1;
    zone.nr_free_pages -= 2;
    for (const at of [interval - 1, interval, interval + 11_999_999, interval + 12_000_000]) {
      background.runUntil(START + at);
      folds.push(zone.pcps.filter((pcp) => pcp.nr_free_diff !== 0).length);
    }
    expect(folds).toEqual([2, 1, 1, 0]);
  });

  test('let a raised high mark decay and drain what is above it', () => {
    const { mm, background } = machine({}, 1);
    const zone = mm.zones.find((candidate) => candidate.managed_pages > 4096)!;
    const pcp = zone.pcps[0]!;
    pcp.high_min = 60;
    pcp.high_max = 4000;
    pcp.high = 800;
    const pages = Array.from({ length: 600 }, () => allocPages(mm, 0, PAGE_CACHE, 0, -1, true));
    pcp.high = 4000;
    for (const pfn of pages) freePages(mm, 0, pfn, 0);
    const before = pcp.count;
    expect(before).toBeGreaterThan(300);
    const counts: number[] = [];
    for (let second = 1; second <= 60; second++) {
      background.runUntil(START + second * mm.policy['vmstat.interval_ns']);
      counts.push(pcp.count);
    }
    expect(pcp.high).toBe(pcp.high_min);
    expect(counts.at(-1)).toBeLessThan(before);
    expect([...counts].sort((a, b) => b - a)).toEqual(counts);
  });

  test('a CPU that is offline has none', () => {
    const { mm, background } = machine();
    mm.offline_cpus.add(1);
    const zone = mm.zones[0]!;
    zone.pcps[1]!.nr_free_diff = 5;
    zone.nr_free_pages -= 5;
    background.runUntil(START + 10 * mm.policy['vmstat.interval_ns']);
    expect(zone.pcps[1]!.nr_free_diff).toBe(5);
  });
});

describe('kswapd', () => {
  test('starts its wake-up latency after it was woken, and reclaims until its cost has passed', () => {
    const { mm, background } = machine({ 'kswapd.wake_latency_ns': 40_000 });
    const node = mm.nodes[0]!;
    background.now_ns = START + 100;
    fill(mm);
    background.runUntil(START + 100 + 39_999);
    expect(mm.events.pageoutrun).toBe(0);
    background.runUntil(START + 100 + 40_000);
    expect(mm.events.pageoutrun).toBe(1);
    expect(node.kswapd_run).not.toBeNull();
    expect(mm.zones.some((zone) => zone.flags & ZONE_RECLAIM_ACTIVE)).toBe(true);
    background.runUntil(START + 450_000_000);
    expect(node.kswapd_run).toBeNull();
    expect(mm.zones.some((zone) => zone.flags & ZONE_RECLAIM_ACTIVE)).toBe(false);
    expect(mm.events.pgsteal_kswapd).toBeGreaterThan(0);
  });

  test('is not put off by requests that come while it is on its way', () => {
    const { mm, background } = machine({ 'kswapd.wake_latency_ns': 40_000 });
    background.now_ns = START;
    fill(mm);
    for (let at = 1000; at <= 40_000; at += 1000) {
      background.runUntil(START + at);
      allocPages(mm, 0, PAGE_CACHE, 0, -1, true);
    }
    expect(mm.events.pageoutrun).toBe(1);
  });

  test('naps, then sleeps, and can be woken anew', () => {
    const { mm, background } = machine();
    const node = mm.nodes[0]!;
    background.now_ns = START;
    fill(mm);
    background.runUntil(START + 10_000_000_000);
    expect(node.kswapd_awake).toBe(false);
    const runs = mm.events.pageoutrun;
    fill(mm);
    background.runUntil(START + 20_000_000_000);
    expect(mm.events.pageoutrun).toBeGreaterThan(runs);
  });

  test('a run that is under way when the trace ends is ended', () => {
    const { mm, background } = machine();
    background.now_ns = START;
    fill(mm);
    background.runUntil(START + mm.policy['kswapd.wake_latency_ns']);
    expect(mm.nodes[0]!.kswapd_run).not.toBeNull();
    background.drain();
    expect(mm.nodes[0]!.kswapd_run).toBeNull();
    expect(mm.zones.some((zone) => zone.flags & ZONE_RECLAIM_ACTIVE)).toBe(false);
  });
});

test('timers run in the order of their times, whoever waits', () => {
  const { mm, background } = machine();
  const times: number[] = [];
  const record = () => {
    if (times.at(-1) !== background.now_ns) times.push(background.now_ns);
  };
  background.now_ns = START;
  fill(mm);
  for (let step = 0; step < 200; step++) {
    background.runUntil(background.due_ns);
    record();
  }
  expect([...times].sort((a, b) => a - b)).toEqual(times);
  expect(times.length).toBeGreaterThan(100);
});

test('one long step and many short ones end alike', () => {
  const end = START + 5_000_000_000;
  const states = [end - START, 1_000_000].map((step) => {
    const { mm, background } = machine();
    background.now_ns = START;
    fill(mm);
    for (let at = START + step; at <= end; at += step) background.runUntil(at);
    return { events: { ...mm.events }, free: mm.zones.map((zone) => [...zone.nr_free]) };
  });
  expect(states[1]).toEqual(states[0]);
});

test('a leap of the clock ends in the state, and with the timers, that ticking through it ends in', () => {
  const LEAP_NS = 1000e9;
  // In steps of half a second nothing is ever long enough without a change to be passed over.
  const states = [1, 2000].map((steps) => {
    const { mm, background } = machine({}, 4);
    const zone = mm.zones.find((candidate) => candidate.managed_pages > 4096)!;
    const pages = Array.from({ length: 300 }, (_, i) => allocPages(mm, i & 3, PAGE_CACHE, 0, -1, true));
    for (const pcp of zone.pcps) pcp.high = 900;
    for (const [i, pfn] of pages.entries()) freePages(mm, i & 3, pfn, 0);
    for (let step = 1; step <= steps; step++) background.runUntil(START + (step * LEAP_NS) / steps);
    const lists = zone.pcps.map(({ high, count, nr_free_diff }) => [high, count, nr_free_diff]);
    return [background.due_ns, background.now_ns, zone.nr_free_pages, lists];
  });
  expect(states[0]).toEqual(states[1]);
});

test('a leap by months takes no longer than one by minutes', () => {
  const { background } = machine({}, 4);
  let turns = 0;
  const due = Object.getOwnPropertyDescriptor(background, 'due_ns')!.value as number;
  let held = due;
  Object.defineProperty(background, 'due_ns', {
    get: () => held,
    set: (ns: number) => {
      turns++;
      held = ns;
    },
  });
  background.runUntil(START + 100 * 86_400e9);
  expect(turns).toBeLessThan(100);
});
