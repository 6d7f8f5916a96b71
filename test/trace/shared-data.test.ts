/**
 * The readers on whole recordings and scripted runs of real kernels: what they count is what the recordings' own
 * tables say. Needs the shared data (SPBSIM_SHARED, or a directory `shared` beside the repository); skipped without.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { openInput } from '../../src/trace/bytes/open-input.js';
import { Op } from '../../src/trace/event-batch.js';
import { readOracleRun, readStateDumps } from '../../src/trace/oracle/oracle-run.js';
import { openRecording, readPageClasses, readSnapshot } from '../../src/trace/recording/recording.js';
import { PageClass } from '../../src/trace/recording/snapshot/kpageflags.js';
import { openTrace } from '../../src/trace/source.js';

const shared = process.env.SPBSIM_SHARED ?? fileURLToPath(new URL('../../../shared', import.meta.url));
const hasShared = existsSync(join(shared, 'recordings')) && existsSync(join(shared, 'oracle'));
if (!hasShared) console.log('no shared recordings: set SPBSIM_SHARED; their tests are skipped');

async function importAll(path: string) {
  const opened = await openTrace(path);
  const allocOrders: number[] = Array(11).fill(0);
  const freeOrders: number[] = Array(11).fill(0);
  for await (const batch of opened.source.batches()) {
    for (let i = 0; i < batch.length; i++) {
      const counts =
        batch.op[i] === Op.alloc ? allocOrders : batch.op[i] === Op.free ? freeOrders : undefined;
      if (counts !== undefined) counts[batch.order[i]!] = (counts[batch.order[i]!] ?? 0) + 1;
    }
  }
  const report = opened.report();
  if (report.format !== 'text') throw new Error(`${path} is ${report.format}`);
  const kinds = Object.fromEntries(report.text.by_kind.map((kind) => [kind.name, kind.events]));
  return { report: report.text, kinds, allocOrders, freeOrders };
}

/** A dictionary as the tables print it: `{'a': 1, 0: 2}`. */
function dictionary(text: string): Record<string, number> {
  return JSON.parse(text.replace(/'/g, '"').replace(/(\d+):/g, '"$1":')) as Record<string, number>;
}

function byOrder(counts: readonly number[]): Record<string, number> {
  return Object.fromEntries(
    [...counts.entries()].filter(([, n]) => n > 0).map(([order, n]) => [String(order), n]),
  );
}

describe.skipIf(!hasShared)('recordings', () => {
  test.each([
    ['fs-churn', 221_663],
    ['slab-churn', 391_648],
    ['net-loopback', 474_450],
    ['npm-build', 1_223_955],
  ])('%s has %i events', async (name, events) => {
    const path = join(shared, 'recordings', name);
    const { report, kinds } = await importAll(path);
    expect(report).toMatchObject({
      events,
      entries_in_buffer: events,
      entries_written: events,
      skipped: [],
      lost: [],
      gfp_unknown: [],
      time_backwards: 0,
      notes: [],
      frees: { joined: kinds.mm_page_free_batched, alone: 0 },
    });
    // Every event is an operation, an observation, a second look at a free, or counted only.
    const counted = report.by_kind.filter((kind) => !kind.used).reduce((sum, kind) => sum + kind.events, 0);
    expect(report.emitted + report.frees.joined + report.null_frees + counted).toBe(events);
    const recording = await openRecording(path);
    expect(recording.ring_stats.reduce((sum, cpu) => sum + cpu.entries, 0)).toBe(events);

    const before = await readSnapshot(recording.before);
    const pages = await readPageClasses(recording.before);
    const free = before.vmstat?.get('nr_free_pages') ?? 0;
    // kpageflags is read last, about half a second after vmstat.
    expect(Math.abs((pages?.counts[PageClass.free] ?? 0) - free) / free).toBeLessThan(0.02);
  });
});

describe.skipIf(!hasShared)('workload traces with known totals', () => {
  test.each(
    ['6.1.192', '6.18.15', '7.2.12'].flatMap((kernel) =>
      ['boot', 'files', 'fork-smp2', 'mem', 'net', 'nmi', 'nmi2']
        .filter((load) => existsSync(join(shared, 'oracle', kernel, load)))
        .map((load) => [kernel, load] as const),
    ),
  )('%s/%s', async (kernel, load) => {
    const path = join(shared, 'oracle', kernel, load);
    const stats = readFileSync(join(shared, 'oracle', kernel, 'STATS.txt'), 'utf8');
    const section = stats.split('== ').find((part) => part.startsWith(`${kernel}/${load}/:`)) ?? '';
    const part = (pattern: RegExp) => pattern.exec(section)?.[1] ?? '';
    const { report, kinds, allocOrders, freeOrders } = await importAll(path);
    expect(kinds).toEqual(dictionary(part(/^ +events (\{.*\})$/m)));
    const ctx = dictionary(part(/context, all events (\{.*?\})/));
    expect(report.by_ctx).toEqual({
      task: ctx.task ?? 0,
      softirq: ctx.softirq ?? 0,
      hardirq: (ctx.hardirq ?? 0) + (ctx['hardirq-in-softirq'] ?? 0),
      nmi: ctx.NMI ?? 0,
    });
    expect(report.failed_allocs).toBe(Number(part(/failed (\d+)/)));
    expect(byOrder(freeOrders)).toEqual(dictionary(part(/free order (\{.*\})/)));
    // The table leaves failures out.
    const table = dictionary(part(/alloc order (\{.*?\})/));
    const total = Object.values(table).reduce((sum, n) => sum + n, 0);
    expect(allocOrders.reduce((sum, n) => sum + n, 0)).toBe(total + report.failed_allocs);
    expect(report.skipped).toEqual([]);
    expect(report.frees.alone).toBe(0);

    if (!existsSync(join(path, 'state.jsonl.xz'))) return;
    const dumps = await readStateDumps(await openInput(join(path, 'state.jsonl.xz')), {
      hasCma: kernel !== '6.1.192',
    });
    for (const dump of dumps) {
      for (const zone of dump.zones) {
        for (const pcp of zone.pcps) {
          const onLists = pcp.lists.reduce((sum, list) => sum + (list.pfns.length << list.order), 0);
          expect(onLists).toBe(pcp.count);
        }
      }
    }
  });

  test('trace-cmd report of the same run holds the same events', async () => {
    const text = await importAll(join(shared, 'oracle', '6.1.192', 'net'));
    const report = await importAll(join(shared, 'oracle', '6.1.192', 'net', 'report.txt.xz'));
    for (const name of [
      'mm_page_alloc',
      'mm_page_free',
      'mm_page_free_batched',
      'mm_page_alloc_zone_locked',
    ]) {
      expect(report.kinds[name]).toBe(text.kinds[name]);
    }
    expect(report.report.skipped).toEqual([]);
    expect(report.allocOrders).toEqual(text.allocOrders);
  });
});

describe.skipIf(!hasShared)('scripted runs', () => {
  const readme = hasShared ? readFileSync(join(shared, 'oracle', 'README.md'), 'utf8') : '';
  const runs = [...readme.matchAll(/^\| ([\d.]+\/oracle-\w+\/[\w-]+) \| (\d+) \| (\d+) \| (\d+) \|/gm)].map(
    (row) => [row[1] as string, Number(row[2]), Number(row[3]), Number(row[4])] as const,
  );
  test.each(runs)('%s', async (name, allocs, nulls, frees) => {
    const seen = { alloc: 0, null: 0, free: 0, state: 0 };
    for await (const item of readOracleRun(await openInput(join(shared, 'oracle', `${name}.jsonl.xz`)))) {
      if (item.t === 'alloc') {
        seen.alloc++;
        if (item.pfn === undefined) seen.null++;
      } else if (item.t === 'free') seen.free++;
      else if (item.t === 'state') seen.state++;
    }
    expect(seen).toEqual({ alloc: allocs, null: nulls, free: frees, state: 7 });
  });
});
