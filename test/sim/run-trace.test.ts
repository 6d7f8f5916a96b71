/** The result document of real runs: valid, complete, and true to its own numbers. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { renderResultJson } from '../../src/report/result-json.js';
import { resultSchema } from '../../src/report/result-schema.js';
import type { RunResult } from '../../src/report/run-result.js';
import { POLICY_NAMES } from '../mm/policies.js';
import { fileOf, pressure, rows, run } from './support.js';

const RECORDING = fileURLToPath(new URL('../trace/data/recording', import.meta.url));

/** Checks a document against its schema, and its parts against each other. */
function expectSound(result: RunResult): void {
  expect(resultSchema.parse(JSON.parse(renderResultJson(result)))).toEqual(result);
  for (const zone of result.zones) {
    const inLists = zone.buddyinfo.reduce((sum, chunks, order) => sum + chunks * 2 ** order, 0);
    expect(zone.pagetype.map((row) => row.length)).toEqual(result.migratetypes.map(() => 11));
    zone.buddyinfo.forEach((chunks, order) => {
      expect(zone.pagetype.reduce((sum, row) => sum + row[order]!, 0)).toBe(chunks);
    });
    expect(inLists).toBeLessThanOrEqual(zone.managed_pages);
    expect(zone.map).toHaveLength(
      Math.ceil((zone.start_pfn + zone.spanned_pages) / 512) - (zone.map_first_pfn >>> 9),
    );
    const blocks = [...zone.map].filter((glyph) => glyph !== '_').length;
    expect(zone.pageblocks.reduce((sum, n) => sum + n, 0)).toBeGreaterThanOrEqual(blocks);
  }
  const allocated = result.events
    .filter(({ op }) => op === 'alloc')
    .reduce((sum, { count }) => sum + count, 0);
  expect(result.allocations.reduce((sum, { ok, failed }) => sum + ok + failed, 0)).toBe(allocated);
}

describe.each(POLICY_NAMES)('%s', (policyName) => {
  test('a CSV under pressure', async () => {
    const path = await fileOf(
      'pressure.csv',
      `op,id,order,gfp\n${pressure(18_000)}\n${rows(9000, 'free,p#,,')}\n`,
    );
    const result = await run([path], { policyName, series_ns: 1_000_000 });
    expectSound(result);
    expect(result.series.length).toBeGreaterThan(10);
    expect(result.vmstat.pgsteal_kswapd).toBeGreaterThan(0);
    expect(result.start_state.kind).toBe('fresh');
    expect(result.machine.origin).toBe('--memory 64MiB');
  });

  test.each(['free', 'pinned'] as const)('a recording, %s', async (mode) => {
    const result = await run([RECORDING], { policyName, mode, machine: undefined });
    expectSound(result);
    expect(result).toMatchObject({
      mode,
      machine: { kernel: '6.18.44', origin: 'recording/before', cpu_nodes: [0, 0] },
      start_state: { kind: 'kpageflags' },
    });
    expect(result.start_state.notes).toContain('the recording has no before/kpageflags');
    expect(result.findings_total.illegal_pfn).toBeUndefined();
  });
});

test('pinned and free runs of a recording count the same allocations', async () => {
  const [free, pinned] = await Promise.all(
    (['free', 'pinned'] as const).map((mode) => run([RECORDING], { mode, machine: undefined })),
  );
  expect(pinned!.allocations).toEqual(free!.allocations);
  expect(free!.allocations.every((row) => row.failed === 0)).toBe(true);
  expect(pinned!.vmstat.pgalloc_normal).toBe(free!.vmstat.pgalloc_normal);
});

describe('mistakes of the request', () => {
  test('a recording beside other traces', async () => {
    const path = await fileOf('other.csv', 'op,id\nalloc,a\n');
    await expect(run([path, RECORDING])).rejects.toThrow(/run it alone/);
  });

  test('pinned on a machine of its own', async () => {
    await expect(run([RECORDING], { mode: 'pinned' })).rejects.toThrow(/without --machine or --memory/);
  });

  test('a recording without zoneinfo', async () => {
    await expect(run([join(RECORDING, 'before')], { machine: undefined })).rejects.toThrow(/is no recording/);
  });
});

test('an abort ends the run at the next batch, with what there is', async () => {
  const controller = new AbortController();
  const path = await fileOf('long.csv', `op,id\n${rows(200_000, 'alloc,a#\nfree,a#')}\n`);
  const result = await run([path, path], {
    signal: controller.signal,
    onProgress: () => controller.abort(),
  });
  expect(result.interrupted).toBe(true);
  expect(result.span.events).toBe(65_536);
  expectSound(result);
});

test('objects of one trace can be freed in the next', async () => {
  const first = await fileOf('part-1.csv', 'ts,op,id\n0,alloc,x\n10,alloc,y\n');
  const second = await fileOf('part-2.csv', 'ts,op,id\n20,alloc,z\n30,free,y\n40,free,x\n50,free,z\n');
  const result = await run([first, second]);
  expect(result.notes).toEqual([]);
  expect(result.events).toEqual([
    { op: 'alloc', ctx: 'task', outcome: 'ok', count: 3 },
    { op: 'free', ctx: 'task', outcome: 'ok', count: 3 },
  ]);
});
