/** The same trace and configuration give the same result, however the events come in. */
import { describe, expect, test } from 'vitest';
import { machineFromSize } from '../../src/config/machine-by-size.js';
import { exactState } from '../../src/mm/page-alloc/exact-state.js';
import { vmstatCounters } from '../../src/mm/vmstat.js';
import { POLICY_NAMES } from '../mm/policies.js';
import { fileOf, freeRun, notesOf, pressure, rows, run, withoutClock } from './support.js';

/** Enough to reclaim, compact and fail: movable pages, then kernel pages of all orders, on four CPUs over four seconds. */
function busyTrace(): string {
  const lines = ['ts,cpu,op,id,order,gfp'];
  let ts = 0;
  for (let i = 0; i < 12_000; i++) {
    ts += 350_000;
    const cpu = i % 4;
    lines.push(`${ts},${cpu},alloc,m${i},0,GFP_HIGHUSER_MOVABLE`);
    if (i % 3 === 0) lines.push(`${ts},${cpu},alloc,k${i},${i % 4},GFP_KERNEL`);
    if (i % 7 === 0) lines.push(`${ts},${(cpu + 1) % 4},free,m${Math.trunc(i / 2)},,`);
    if (i % 11 === 0 && i % 3 === 0) lines.push(`${ts},${cpu},free,k${i},,`);
    if (i % 1000 === 0) lines.push(`${ts},0,alloc,h${i},9,GFP_HIGHUSER_MOVABLE|__GFP_COMP`);
  }
  return `${lines.join('\n')}\n`;
}

const TIGHT = { memory_pages: 44 * 256, cpus: 4 };

describe.each(POLICY_NAMES)('%s', (policyName) => {
  test('two runs are equal to the last byte', async () => {
    const path = await fileOf('busy.csv', busyTrace());
    const options = { policyName, series_ns: 500_000_000, machine: machineFromSize(TIGHT) };
    const first = JSON.stringify(withoutClock(await run([path], options)));
    expect(JSON.stringify(withoutClock(await run([path], options)))).toBe(first);
  });

  test('batches may be cut anywhere', async () => {
    const csv = busyTrace();
    const results = [];
    for (const batchEvents of [1, 7, 65_536]) {
      const { mm, notes, tallies } = await freeRun(csv, { policy: policyName, ...TIGHT, batchEvents });
      results.push({
        state: exactState(mm),
        vmstat: vmstatCounters(mm),
        notes: notesOf(notes),
        events: tallies.eventRows(),
      });
    }
    expect(results[1]).toEqual(results[0]);
    expect(results[2]).toEqual(results[0]);
    const { vmstat } = results[0]!;
    expect(vmstat.find(([name]) => name === 'pageoutrun')![1]).toBeGreaterThan(0);
  });
});

test('samples are taken at the same points of the trace, wherever its batches end', async () => {
  const path = await fileOf('series.csv', `ts,op,id\n${rows(50, '#00000000,alloc,a#')}\n`);
  const { series, span } = await run([path], { series_ns: 1_000_000_000 });
  expect(series.map((sample) => sample.ts_ns)).toEqual([1e9, 2e9, 3e9, 4e9]);
  expect(span).toEqual({ first_ns: 0, last_ns: 4.9e9, events: 50 });
});

describe('two CPUs', () => {
  test('each serves its own requests from its own list, in the order of the trace', async () => {
    const csv = 'cpu,op,id\n0,alloc,a\n1,alloc,b\n0,alloc,c\n1,free,b\n0,free,a\n1,alloc,d\n0,alloc,e\n';
    const { mm, replay } = await freeRun(csv, { memory_pages: 1 << 20 });
    const pages = ['a', 'b', 'c', 'd', 'e'].map((_, id) => replay.owners.getId(id + 1) - 1);
    const [a, b, c, d, e] = pages as [number, number, number, number, number];
    expect([a, b]).toEqual([-2, -2]);
    // A list gives back last what came last: d is what b was, e what a was.
    const alone = await freeRun('cpu,op,id\n0,alloc,a\n1,alloc,b\n0,alloc,c\n', { memory_pages: 1 << 20 });
    const [wasA, wasB, wasC] = [1, 2, 3].map((id) => alone.replay.owners.getId(id) - 1);
    expect([c, d, e]).toEqual([wasC, wasB, wasA]);
    expect(Math.abs(wasA! - wasB!)).toBeGreaterThanOrEqual(63);
    expect(mm.zones.some((zone) => zone.pcps[0]!.count > 0 && zone.pcps[1]!.count > 0)).toBe(true);
  });
});

test('what waits in the background when a trace ends is ended', async () => {
  const { mm, background } = await freeRun(`op,id,order,gfp\n${pressure(15_000)}\n`);
  expect(mm.nodes[0]!.kswapd_run).toBeNull();
  expect(background.due_ns).toBeGreaterThan(0);
});
