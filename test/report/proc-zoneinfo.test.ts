import { describe, expect, test } from 'vitest';
import { renderVmstat } from '../../src/report/proc-vmstat.js';
import { renderZoneinfo } from '../../src/report/proc-zoneinfo.js';
import type { ResultZone, RunResult } from '../../src/report/run-result.js';
import { sampleResult, sampleZone } from './sample-result.js';

type Layout = RunResult['policy']['text_layout'];

/** The DMA zone of a small real machine (one CPU), with counters given in the wrong order on purpose. */
function machineWith(layout: Layout, zone: Partial<ResultZone>): RunResult {
  const base = sampleResult();
  return {
    ...base,
    policy: { ...base.policy, text_layout: layout },
    nodes: [
      { node: 0, unreclaimable: layout === '7.2', counters: { nr_mapped: 437, nr_inactive_anon: 127 } },
    ],
    zones: [
      sampleZone({
        name: 'DMA',
        start_pfn: 1,
        spanned_pages: 4095,
        present_pages: 3998,
        managed_pages: 3840,
        watermarks: { min: 190, low: 237, high: 284, promo: 331, boost: 0 },
        lowmem_reserve: [0, 442, 442, 442, 442],
        stat_threshold: 2,
        ...zone,
      }),
    ],
  };
}

function emptyZone(name: string, mark: number, promo: boolean): string {
  const promoLine = promo ? `        promo    ${mark}\n` : '';
  return `Node 0, zone ${name.padStart(8)}
  pages free     0
        boost    0
        min      ${mark}
        low      ${mark}
        high     ${mark}
${promoLine}        spanned  0
        present  0
        managed  0
        cma      0
        protection: (0, 0, 0, 0, 0)
`;
}

describe('/proc/zoneinfo', () => {
  // model: page-allocator 6.3
  test('6.1: no promo line, narrow page sets', () => {
    const result = machineWith('6.1', {
      free_pages: 3657,
      pcp: [{ cpu: 0, count: 33, high: 237, high_min: 0, high_max: 0, batch: 1 }],
      counters: { numa_hit: 696, nr_bounce: 0, nr_mlock: 0 },
    });
    expect(renderZoneinfo(result)).toBe(`Node 0, zone      DMA
  per-node stats
      nr_inactive_anon 127
      nr_mapped    437
  pages free     3657
        boost    0
        min      190
        low      237
        high     284
        spanned  4095
        present  3998
        managed  3840
        cma      0
        protection: (0, 442, 442, 442, 442)
      nr_free_pages 3657
      nr_mlock     0
      nr_bounce    0
      nr_free_cma  0
      numa_hit     696
  pagesets
    cpu: 0
              count: 33
              high:  237
              batch: 1
  vm stats threshold: 2
  node_unreclaimable:  0
  start_pfn:           1
${['DMA32', 'Normal', 'Movable', 'Device'].map((name) => emptyZone(name, 0, false)).join('')}`);
  });

  test('6.18: promo, free pages in whole blocks (isolated ones aside), wide page sets', () => {
    const isolated = [0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0];
    const empty = Array<number>(11).fill(0);
    const result = machineWith('6.18', {
      free_pages: 3840,
      pagetype: [empty, [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2], empty, empty, isolated],
      pcp: [
        { cpu: 0, count: 0, high: 0, high_min: 18, high_max: 240, batch: 1 },
        { cpu: 1, count: 528, high: 6693, high_min: 6630, high_max: 81920, batch: 63 },
      ],
    });
    expect(renderZoneinfo(result)).toBe(`Node 0, zone      DMA
  per-node stats
      nr_inactive_anon 127
      nr_mapped    437
  pages free     3840
        boost    0
        min      190
        low      237
        high     284
        promo    331
        spanned  4095
        present  3998
        managed  3840
        cma      0
        protection: (0, 442, 442, 442, 442)
      nr_free_pages 3840
      nr_free_pages_blocks 2560
      nr_free_cma  0
  pagesets
    cpu: 0
              count:    0
              high:     0
              batch:    1
              high_min: 18
              high_max: 240
  vm stats threshold: 2
    cpu: 1
              count:    528
              high:     6693
              batch:    63
              high_min: 6630
              high_max: 81920
  vm stats threshold: 2
  node_unreclaimable:  0
  start_pfn:           1
${emptyZone('DMA32', 0, true)}${emptyZone('Normal', 0, true)}${emptyZone('Movable', 32, true)}${emptyZone('Device', 0, true)}`);
  });

  // model: page-allocator 10a.7
  test('7.2: two more lines per zone', () => {
    const result = machineWith('7.2', { reserved_highatomic_pages: 512, free_highatomic_pages: 510 });
    expect(renderZoneinfo(result)).toContain(`  node_unreclaimable:  1
  start_pfn:           1
  reserved_highatomic: 512
  free_highatomic:     510
Node 0, zone    DMA32
`);
  });

  test('marks are shown with the boost in them', () => {
    const marks = { min: 190, low: 237, high: 284, promo: 331, boost: 512 };
    expect(renderZoneinfo(machineWith('6.18', { watermarks: marks }))).toContain(`        boost    512
        min      702
        low      749
        high     796
        promo    843
`);
  });

  test('every node has all its zones, and its own node counters', () => {
    const zones = [sampleZone({ node: 0 }), sampleZone({ node: 1 })];
    const nodes = [0, 1].map((node) => ({ node, unreclaimable: false, counters: { nr_mapped: node } }));
    const text = renderZoneinfo(sampleResult({ zones, nodes }));
    expect(text.match(/^Node 1, zone/gm)).toHaveLength(5);
    expect(text.match(/per-node stats/g)).toHaveLength(2);
    expect(text).toContain('      nr_mapped    1\n');
  });
});

describe('/proc/vmstat', () => {
  function order(layout: Layout, vmstat: Record<string, number>): string {
    const base = sampleResult({ vmstat });
    return renderVmstat({ ...base, policy: { ...base.policy, text_layout: layout } });
  }

  // model: page-allocator 6.4
  test('counters stand in the order of the file, one per line', () => {
    expect(order('6.18', { pgfree: 3, compact_stall: 4, pgalloc_normal: 2, nr_free_pages: 1 })).toBe(
      'nr_free_pages 1\npgalloc_normal 2\npgfree 3\ncompact_stall 4\n',
    );
  });

  test('7.2 keeps reclaim with the nodes, before the events', () => {
    const counters = { pgfree: 1, pgsteal_kswapd: 2, nr_mapped: 3 };
    expect(order('6.18', counters)).toBe('nr_mapped 3\npgfree 1\npgsteal_kswapd 2\n');
    expect(order('7.2', counters)).toBe('nr_mapped 3\npgsteal_kswapd 2\npgfree 1\n');
  });

  test('a counter that the kernel does not have comes last, one that is not kept is left out', () => {
    expect(order('6.1', { spb_slab_shrink_queued: 7, pgfree: 0 })).toBe(
      'pgfree 0\nspb_slab_shrink_queued 7\n',
    );
  });
});
