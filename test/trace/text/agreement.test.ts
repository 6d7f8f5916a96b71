/**
 * Whole samples of real kernels in every text that tools make of them: the counts are those of the samples' own tables,
 * and two texts of one run hold the same events. Needs the shared data (SPBSIM_SHARED); skipped without.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { openInput } from '../../../src/trace/bytes/open-input.js';
import type { KernelGeneration } from '../../../src/trace/kernel-generation.js';
import { TextReader } from '../../../src/trace/text/reader.js';
import { eventsOf, type SeenEvent } from '../helpers.js';

const shared = process.env.SPBSIM_SHARED ?? fileURLToPath(new URL('../../../../shared', import.meta.url));
const hasShared = existsSync(join(shared, 'recordings')) && existsSync(join(shared, 'oracle'));

const KERNELS: Readonly<Record<string, KernelGeneration>> = {
  '6.1.192': '6.1',
  '6.18.15': '6.18',
  '7.2.12': '7.2',
};

async function readerOf(path: string, kernel: KernelGeneration): Promise<TextReader> {
  return new TextReader(await openInput(join(shared, path)), { kernel, strict: true });
}

async function reportOf(path: string, kernel: KernelGeneration) {
  const reader = await readerOf(path, kernel);
  let events = 0;
  for await (const batch of reader.batches()) events += batch.length;
  const report = reader.report();
  expect(report.emitted).toBe(events);
  return report;
}

/** Counts by kind that the tables beside the samples give: `events {'kfree': 1, ...}` below `== KERNEL/LOAD/:`. */
function tables(): (readonly [string, string, Record<string, number>])[] {
  if (!hasShared) return [];
  return Object.keys(KERNELS).flatMap((release) => {
    const stats = readFileSync(join(shared, 'oracle', release, 'STATS.txt'), 'utf8');
    return stats.split('== ').flatMap((section) => {
      const load = /^[\d.]+\/([\w-]+)\/:/.exec(section)?.[1];
      const counts = /^ +events (\{.*\})$/m.exec(section)?.[1];
      if (load === undefined || counts === undefined) return [];
      if (!existsSync(join(shared, 'oracle', release, load, 'trace.txt.xz'))) return [];
      return [[release, load, JSON.parse(counts.replaceAll("'", '"')) as Record<string, number>] as const];
    });
  });
}

describe.skipIf(!hasShared)('counts by kind', () => {
  test.each(tables())('%s/%s', async (release, load, counts) => {
    const report = await reportOf(`oracle/${release}/${load}/trace.txt.xz`, KERNELS[release]!);
    expect(Object.fromEntries(report.by_kind.map((kind) => [kind.name, kind.events]))).toEqual(counts);
    expect(report).toMatchObject({
      dialect: 'tracefs',
      skipped: [],
      other_lines: [],
      gfp_unknown: [],
      notes: [],
    });
    const counted = report.by_kind.filter((kind) => !kind.used).reduce((sum, kind) => sum + kind.events, 0);
    expect(report.emitted + report.frees.joined + counted + report.null_frees).toBe(report.events);
  });

  // The perf samples have no table: their counts were taken with grep.
  test.each([
    [
      '6.1.192',
      68_287,
      {
        kfree: 14_520,
        kmalloc: 2458,
        kmem_cache_alloc: 27_597,
        kmem_cache_free: 18_754,
        mm_page_alloc: 1792,
      },
    ],
    [
      '7.2.12',
      67_450,
      {
        kfree: 16_093,
        kmalloc: 4073,
        kmem_cache_alloc: 26_627,
        kmem_cache_free: 17_529,
        mm_page_alloc: 1517,
      },
    ],
  ] as const)('%s/perf', async (release, events, counts) => {
    const report = await reportOf(`oracle/${release}/perf/perf.txt.xz`, KERNELS[release]!);
    expect(Object.fromEntries(report.by_kind.map((kind) => [kind.name, kind.events]))).toMatchObject(counts);
    expect(report).toMatchObject({ dialect: 'perf', events, lines: events, skipped: [], other_lines: [] });
  });
});

test.skipIf(!hasShared)('tracefs text and trace-cmd report of one run hold the same events', async () => {
  const net = 'oracle/6.1.192/net';
  const text = await readerOf(`${net}/trace.txt.xz`, '6.1');
  const report = await readerOf(`${net}/report.txt.xz`, '6.1');
  const [fromText, fromReport] = [await eventsOf(text), await eventsOf(report)];
  expect(report.report()).toMatchObject({ dialect: 'trace-cmd', events: 157_796, skipped: [] });
  expect(report.report().by_kind).toEqual(text.report().by_kind);
  expect(report.report().null_frees).toBe(text.report().null_frees);
  expect(fromReport).toHaveLength(fromText.length);
  // trace-cmd does not print modules; it shows every context but NMI, of which there is none here.
  const comparable = (event: SeenEvent) => ({ ...event, site: event.site.replace(/ \[\w+\]$/, '') });
  const different = fromReport.filter(
    (event, i) => JSON.stringify(event) !== JSON.stringify(comparable(fromText[i]!)),
  );
  expect(different).toEqual([]);
  expect(text.report().by_ctx.softirq).toBe(54_159);
});
