/** Counters of slab pages among those of /proc/vmstat, /proc/zoneinfo, and metrics of a run under way. */
import { describe, expect, test } from 'vitest';
import { vmstatCounters } from '../../../src/mm/vmstat.js';
import { renderVmstat } from '../../../src/report/proc-vmstat.js';
import { renderZoneinfo } from '../../../src/report/proc-zoneinfo.js';
import { LiveMetrics } from '../../../src/sim/live-metrics.js';
import { Notes } from '../../../src/sim/notes.js';
import { resultNodes } from '../../../src/sim/result-zones.js';
import { Tallies } from '../../../src/sim/tallies.js';
import { sampleResult } from '../../report/sample-result.js';
import { busySlab } from '../../report/slab/sample-slab.js';
import { smallMachine } from '../support.js';

const SLAB = {
  nr_slab_reclaimable_pages: Float64Array.of(120),
  nr_slab_unreclaimable_pages: Float64Array.of(34),
};

describe('slab pages', () => {
  const mm = smallMachine();

  test('are among the counters where slabs are modelled, and nothing is said of them elsewhere', () => {
    const names = (counters: readonly (readonly [string, number])[]) => counters.map(([name]) => name);
    expect(names(vmstatCounters(mm)).filter((name) => name.includes('slab_'))).toEqual([]);
    expect(resultNodes(mm)[0]!.counters).toEqual({});
    expect(Object.fromEntries(vmstatCounters(mm, undefined, SLAB))).toMatchObject({
      nr_slab_reclaimable: 120,
      nr_slab_unreclaimable: 34,
    });
    expect(resultNodes(mm, SLAB)[0]!.counters).toEqual({
      nr_slab_reclaimable: 120,
      nr_slab_unreclaimable: 34,
    });
  });

  test('stand where the kernel prints them', () => {
    const vmstat = Object.fromEntries(vmstatCounters(mm, undefined, SLAB));
    const lines = renderVmstat(sampleResult({ vmstat })).split('\n');
    const at = lines.indexOf('nr_slab_reclaimable 120');
    expect(lines[at + 1]).toBe('nr_slab_unreclaimable 34');
    expect(lines.findIndex((line) => line.startsWith('nr_free_cma'))).toBeLessThan(at);
    expect(lines.findIndex((line) => line.startsWith('pgalloc'))).toBeGreaterThan(at);
    const nodes = resultNodes(mm, SLAB);
    expect(renderZoneinfo(sampleResult({ nodes }))).toContain(
      '  per-node stats\n      nr_slab_reclaimable 120\n      nr_slab_unreclaimable 34\n',
    );
  });
});

describe('metrics of a run under way', () => {
  const parts = { mm: smallMachine(), notes: new Notes(), tallies: new Tallies(), unknownCounts: false };
  const NAMES = ['slab_pages', 'nolock_failures.nmi', 'hazards.deadlock'];

  test('are those of its slab section, made once for all of them', () => {
    let made = 0;
    const slab = () => {
      made++;
      return busySlab();
    };
    const values = new LiveMetrics({ ...parts, slab }, NAMES).read(1);
    expect([...values]).toEqual([1214, 24, 3]);
    expect(made).toBe(1);
  });

  test('have no value without one', () => {
    expect([...new LiveMetrics(parts, NAMES).read(1)]).toEqual([Number.NaN, Number.NaN, Number.NaN]);
  });
});
