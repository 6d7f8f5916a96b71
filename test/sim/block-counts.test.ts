/** Counts that are kept from one look to the next, held against counting everything anew. */
import { describe, expect, test } from 'vitest';
import { machineFromSize } from '../../src/config/machine-by-size.js';
import { resolvePolicy } from '../../src/config/resolve-policy.js';
import { Prng } from '../../src/gen/prng.js';
import { lruPages } from '../../src/mm/vmstat.js';
import { METRIC_FAMILIES, METRIC_KEYS } from '../../src/report/metrics/catalogue.js';
import { BlockCounts } from '../../src/sim/block-counts.js';
import { LiveMetrics } from '../../src/sim/live-metrics.js';
import { Notes } from '../../src/sim/notes.js';
import { beginFreeRunning, prepareStart } from '../../src/sim/prepare-run.js';
import { liveZones, resultZones } from '../../src/sim/result-zones.js';
import { Tallies } from '../../src/sim/tallies.js';
import { CsvReader } from '../../src/trace/csv/reader.js';
import { inputOf } from '../trace/helpers.js';

const GIB_PAGES = 1 << 18;
/** 128 MiB, which is what comes and goes at once */
const SECTION_PAGES = 1 << 15;
const KINDS = ['GFP_HIGHUSER_MOVABLE|__GFP_WRITE', 'GFP_KERNEL', 'GFP_KERNEL|__GFP_RECLAIMABLE'];

/** All that changes what is in a pageblock: pages, ranges, whole GiBs, memory that comes and goes. */
function rows(nodes: number, count: number): string {
  const prng = new Prng(nodes, 'blocks');
  const live: string[] = [];
  const lines: string[] = [];
  for (let i = 0; lines.length < count; i++) {
    const at = (i * 50_000).toString();
    const kind = prng.below(20);
    if (kind < 6 && live.length > 0) lines.push(`${at},${live.splice(prng.below(live.length), 1)[0]},,,,`);
    else if (kind === 6) {
      lines.push(`${at},contig_alloc,r${i},,GFP_KERNEL,1,pages=${1 << prng.below(19)}`);
      live.push(`contig_free,r${i}`);
    } else if (kind === 7) {
      const start = SECTION_PAGES * (1 + prng.below(15));
      const op = prng.below(2) === 0 ? 'mem_offline' : 'mem_online';
      const node = nodes > 1 && start >= GIB_PAGES ? 1 : 0;
      lines.push(`${at},${op},,,,${node},start_pfn=${start};pages=${SECTION_PAGES};zone=DMA32`);
    } else if (kind === 8) lines.push(`${at},drop_caches,,,,,`);
    else {
      const order = prng.below(3) === 0 ? 10 - prng.below(3) : prng.below(4);
      lines.push(`${at},alloc,p${i},${order},${KINDS[prng.below(3)]},${prng.below(2)},`);
      live.push(`free,p${i}`);
    }
  }
  return `ts,op,id,order,gfp,node,arg\n${lines.join('\n')}\n`;
}

describe.each([
  ['mainline-6.18', 1, false],
  ['spb-v2', 2, false],
  ['mainline-7.2', 2, true],
] as const)('%s, %i nodes, unknown pages count: %s', (policyName, nodes, unknownCounts) => {
  test('after every event', async () => {
    const policy = await resolvePolicy(policyName, []);
    const machine = machineFromSize({ memory_pages: 2 * GIB_PAGES, nodes, cpus: 2 });
    const start = await prepareStart({ inputs: [], policy, machine, mode: 'free', open: {} });
    const { mm } = start;
    const [notes, tallies] = [new Notes(), new Tallies()];
    const { replay } = beginFreeRunning(start, 0, notes, tallies);
    const blocks = new BlockCounts(mm);
    const metrics = new LiveMetrics({ mm, notes, tallies, unknownCounts }, [
      'spb_tainted',
      'gigantic_after_reclaim',
    ]);
    const reader = new CsvReader(await inputOf(rows(nodes, 300)));
    const states = new Set<string>();
    for await (const batch of reader.batches())
      for (let row = 0; row < batch.length; row++) {
        replay.replay(batch, row, row + 1);
        // Sometimes several events pass between two looks.
        if (row % 7 === 3) continue;
        blocks.isStale = true;
        const seen = liveZones(mm, unknownCounts, { block: blocks.countOf, lru: lruPages });
        const anew = resultZones(mm, unknownCounts);
        expect(
          seen.map((zone) => ({ ...zone })),
          `after event ${row}`,
        ).toEqual(anew);
        const [tainted, gigantic] = metrics.read(row + 1);
        const sum = (of: (zone: (typeof anew)[number]) => number) =>
          anew.reduce((total, zone) => total + of(zone), 0);
        expect(tainted).toBe(sum((zone) => zone.superpageblocks.tainted));
        expect(gigantic).toBe(sum((zone) => zone.superpageblocks.gigantic_after_reclaim));
        states.add(JSON.stringify(anew.map(({ superpageblocks }) => superpageblocks)));
      }
    expect(states.size).toBeGreaterThan(100);
    expect(
      tallies.eventRows().filter(({ op, outcome }) => op.startsWith('mem_') && outcome === 'ok').length,
    ).toBeGreaterThan(0);
  });
});

test('a look at a counter looks at nothing else', async () => {
  const policy = await resolvePolicy('spb-v2', []);
  const machine = machineFromSize({ memory_pages: GIB_PAGES, cpus: 2 });
  const { mm } = await prepareStart({ inputs: [], policy, machine, mode: 'free', open: {} });
  const about = (names: readonly string[]) => {
    const { comparesMemory, walksPages } = new LiveMetrics(
      { mm, notes: new Notes(), tallies: new Tallies(), unknownCounts: false },
      names,
    );
    return { comparesMemory, walksPages };
  };
  expect(
    about(['alloc_failed', 'pgfree', 'unusable_index.Normal.9', 'spb_searches', 'notes.warm_up']),
  ).toEqual({
    comparesMemory: false,
    walksPages: false,
  });
  expect(about(['alloc_failed', 'spb_tainted.Normal'])).toEqual({ comparesMemory: true, walksPages: false });
  expect(about(['nr_inactive_file'])).toEqual({ comparesMemory: false, walksPages: true });
  expect(about(['gigantic_after_reclaim.DMA32'])).toEqual({ comparesMemory: true, walksPages: true });
  expect(METRIC_KEYS).toHaveLength(METRIC_FAMILIES.length);
});
