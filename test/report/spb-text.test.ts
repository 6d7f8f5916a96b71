/** Superpageblocks in the summary: the table of zones, where searches ended, and a line for each mechanism. */
import { stripVTControlCharacters } from 'node:util';
import { describe, expect, test } from 'vitest';
import type { RunResult } from '../../src/report/run-result.js';
import { renderSpbDetails, spbPassLines, spbWorkLines } from '../../src/report/spb-work-text.js';
import { spbZoneLines } from '../../src/report/spb-zones-text.js';
import { renderSummary } from '../../src/report/summary-text.js';
import { plainStyle, type TextStyle } from '../../src/report/text-style.js';
import { sampleRange, sampleResult, sampleSpb, sampleZone, sampleZoneSpb } from './sample-result.js';

const GIB_PAGES = 0x40000;
const EMPTY = sampleRange({ state: 'empty', free_pages: GIB_PAGES, movable_pages: 0 });
const TAINTED = sampleRange({ state: 'tainted', nonmovable_pages: 1000 });
const CLIPPED = sampleRange({ present_pages: GIB_PAGES - 1 });

/** A machine of two zones worth showing, and one that has no whole GiB. */
function machine(overrides: Partial<RunResult> = {}): RunResult {
  const zones = [
    sampleZone({ name: 'DMA', superpageblocks: sampleZoneSpb({ ranges: [CLIPPED] }) }),
    sampleZone({
      name: 'DMA32',
      superpageblocks: sampleZoneSpb({ ranges: [CLIPPED, EMPTY, TAINTED], ideal_empty: 2 }),
    }),
    sampleZone({
      superpageblocks: sampleZoneSpb({ ranges: [TAINTED, TAINTED, TAINTED, sampleRange()], ideal_empty: 3 }),
    }),
  ];
  return sampleResult({ zones, ...overrides });
}

describe('the table of zones', () => {
  test('counts by content, and has the ideal under it', () => {
    expect(spbZoneLines(machine(), plainStyle).join('\n')).toBe(
      `Superpageblocks  total  empty  clean  tainted  floor  efficiency  1 GiB now  +move  +reclaim
  node 0 DMA32       3      1      1        1      1        1.00          1      1         2
         Normal      4      0      1        3      1        0.33          0      0         1
  ideal packing             5               2
  counted by content: the policy knows nothing of superpageblocks
  left out, as it has no whole GiB: node 0 DMA`,
    );
  });

  test('a policy that has them says nothing of that, but where its counters differ', () => {
    const zones = machine().zones.map((zone) => ({
      ...zone,
      superpageblocks: { ...zone.superpageblocks, tainted_by_bits: 2, isolated: 1 },
    }));
    const text = spbZoneLines(machine({ zones, superpageblocks: sampleSpb() }), plainStyle).join('\n');
    expect(text).not.toContain('by content');
    expect(text).toContain('node 0 DMA32: 2 tainted by their sticky bits');
    expect(text).toContain('node 0 Normal: 1 on the list of isolated ones');
    expect(text).not.toContain('DMA:');
  });

  test('1 GiB pages that are held have a column, others no column for them', () => {
    const held = sampleZone({
      superpageblocks: sampleZoneSpb({ ranges: [sampleRange({ state: 'held' })] }),
    });
    expect(spbZoneLines(machine({ zones: [held] }), plainStyle)[0]).toContain('tainted  held  floor');
    expect(spbZoneLines(machine(), plainStyle)[0]).not.toContain('held');
  });

  test('a machine without a whole GiB has one line, unless the passes of its policy work in clipped ones', () => {
    const zones = [sampleZone({ superpageblocks: sampleZoneSpb({ ranges: [CLIPPED] }) })];
    expect(spbZoneLines(machine({ zones }), plainStyle)).toEqual([
      'Superpageblocks  none: no zone has a whole GiB',
    ]);
    const lines = spbZoneLines(machine({ zones, superpageblocks: sampleSpb() }), plainStyle);
    expect(lines).toHaveLength(3);
    expect(lines[1]).toMatch(/node 0 Normal +1 +0 +1 +0/);
  });

  test('several nodes are named once each', () => {
    const zones = [0, 1].flatMap((node) => machine().zones.map((zone) => ({ ...zone, node })));
    const lines = spbZoneLines(machine({ zones }), plainStyle);
    expect(lines.filter((line) => line.includes('node 1 DMA32'))).toHaveLength(1);
    expect(lines.at(-1)).toBe('  left out, as it has no whole GiB: node 0 DMA, node 1 DMA');
  });
});

const BUSY = sampleSpb({
  outcomes: [
    { outcome: 'NO_PAGE', migratetype: 'unmovable', order: 0, count: 5 },
    { outcome: 'PASS_1', migratetype: 'unmovable', order: 0, count: 900 },
    { outcome: 'PASS_1', migratetype: 'movable', order: 9, count: 1000 },
    { outcome: 'PASS_2D', migratetype: 'reclaimable', order: 3, count: 90 },
    { outcome: 'PASS_3', migratetype: 'movable', order: 4, count: 4 },
    { outcome: 'PASS_1', migratetype: 'highatomic', order: 2, count: 1 },
  ],
  claim_refused: { ISOLATE: 0, INSUFFICIENT_COMPAT: 7 },
  refusals: [
    { stage: 'CLAIM', reason: 'INSUFFICIENT_COMPAT', migratetype: 'unmovable', order: 0, count: 5 },
    { stage: 'CLAIM', reason: 'INSUFFICIENT_COMPAT', migratetype: 'unmovable', order: 1, count: 2 },
    { stage: 'CLAIM', reason: 'INSUFFICIENT_COMPAT', migratetype: 'movable', order: 5, count: 1 },
  ],
  relax_steps: { NORETRY_SKIP: 0, ADD_TAINTED_OK: 11 },
  search: {
    searches: 2000,
    visited: 6000,
    probes: 1000,
    bitmap_flips: 0,
    visits_histogram: [
      { up_to: 1, searches: 1500 },
      { up_to: 2, searches: 0 },
      { up_to: 4, searches: 499 },
      { up_to: null, searches: 1 },
    ],
    fall_throughs: 3,
    fall_throughs_with_buddy: 0,
  },
  fallback: {
    claims_preferred: 1,
    claims_other: 2,
    steals: 4,
    taints_by_pass3: 2,
    taints_by_claim: 1,
    taints_by_steal: 0,
    nofragment_dropped: 1,
    reclaim_rounds: 16,
    spb_highorder_refused: 12,
  },
  evacuation: {
    requested: 5,
    dropped: 1,
    calls: 4,
    successes: 3,
    phase1_blocks: 2,
    phase2_blocks: 1,
    moved_pages: 1234,
    failed_pages: 6,
  },
  defrag: { offered: 10, in_cooldown: 4, runs: 3, no_progress: 1, moved_pages: 99, blocks_freed: 2 },
  slab_shrink: { queued: 12, ran: 11, rounds: 13, objects: 20_480, pages: 700 },
  work: {
    evacuate: { runs: 4, busy_ns: 2e6, waited_ns: 4e6, most_waited_ns: 3e6 },
    defrag: { runs: 0, busy_ns: 0, waited_ns: 0, most_waited_ns: 0 },
    slab_shrink: { runs: 11, busy_ns: 9e3, waited_ns: 110e3, most_waited_ns: 20e3 },
  },
  contig: {
    calls: 9,
    failed: 1,
    gigantic_allocated: 8,
    gigantic_from_empty: 7,
    gigantic_migrated_pages: 80_000,
    gigantic_most_migrated_pages: 70_000,
    thp_tried: 31,
    thp_allocated: 30,
  },
});

describe('where searches ended', () => {
  test('by pass, in the order of the passes, and by type', () => {
    expect(spbPassLines(BUSY, plainStyle).join('\n')).toBe(
      `Searches    share  movable  unmovable  reclaimable  highatomic
  pass 1   95.1 %    1,000        900            0           1
  pass 2d   4.5 %        0          0           90           0
  pass 3    0.2 %        4          0            0           0
  no page   0.3 %        0          5            0           0`,
    );
  });

  test('by order, and how many superpageblocks were looked at', () => {
    expect(renderSpbDetails(BUSY, plainStyle)).toBe(
      `Searches by order               order 0  1-3  4-8   9-10
  pass 1           movable            0    0    0  1,000
                   unmovable        900    0    0      0
                   highatomic         0    1    0      0
  pass 2d          reclaimable        0   90    0      0
  pass 3           movable            0    0    4      0
  no page          unmovable          5    0    0      0
Looked at    0-1: 1,500 searches   3-4: 499 searches   5 and more: 1 search

Claims refused                           order 0  1-3  4-8  9-10
  claim: insufficient compat  movable          0    0    1     0
                              unmovable        5    2    0     0
`,
    );
  });

  test('of a run without any', () => {
    expect(spbPassLines(sampleSpb(), plainStyle)).toEqual([]);
    expect(renderSpbDetails(sampleSpb(), plainStyle)).toBe('Searches by order  none\n');
  });

  test('an outcome that this program does not know is shown as it is', () => {
    const spb = sampleSpb({
      outcomes: [{ outcome: '\u001b[2JPASS_9', migratetype: '\u001b[1mx', order: 0, count: 1 }],
    });
    expect(spbPassLines(spb, plainStyle).join('\n')).toMatch(/ x\n {2}PASS_9 +100 % +1$/);
  });
});

describe('what the mechanisms did', () => {
  test('a line each', () => {
    const lines = spbWorkLines(BUSY, plainStyle);
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(100);
    expect(lines.join('\n')).toBe(
      `Fallback     claims 3 (2 beyond the preferred superpageblocks)   steals 4
             superpageblocks tainted 3 (2 by pass 3, 1 by claims)
Refused      optional high orders 12   claims 7 (insufficient compat 7)
Relaxed      add tainted ok 11   NOFRAGMENT given up 1   rounds of reclaim before 16
Evacuation   queued 5 (1 dropped for want of a descriptor)   ran 4 (1 moved nothing)
             blocks 3 (2 of the own type, 1 of movable type)   pages moved 1,234
             pages that could not move 6
Defrag       offered 10 (4 in cooldown)   ran 3 (1 without progress)   pages moved 99
             blocks freed 2
Slab shrink  queued 12   ran 11   rounds 13   objects 20,480   pages freed 700
Work waits   evacuate 1.0 ms each, 3.0 ms at most (busy 2.0 ms)
             slab shrink 10.0 us each, 20.0 us at most (busy 9.0 us)
Contiguous   requests 9 (1 failed)   1 GiB pages 8 (7 without moving a page)
             pages moved 80,000 (10,000 for each of them, 70,000 at most)
             2 MiB pages tried 31 (30 had)
Search cost  2,000 searches by lists   3.00 looked at each   0.50 probes each
             fell through to pass 3 3`,
    );
  });

  test('what is zero is not mentioned', () => {
    expect(spbWorkLines(sampleSpb(), plainStyle)).toEqual([]);
    const shrunk = sampleSpb({ slab_shrink: { queued: 1, ran: 0, rounds: 0, objects: 0, pages: 0 } });
    expect(spbWorkLines(shrunk, plainStyle)).toEqual(['Slab shrink  queued 1']);
  });

  test('they stand in the summary only where the policy has them', () => {
    const text = renderSummary(machine({ superpageblocks: BUSY }));
    const places = [
      'Superpageblocks ',
      'Allocations ',
      'Searches ',
      'Fragmentation ',
      'Machinery ',
      'Evacuation ',
      'Events ',
    ].map((word) => text.indexOf(`\n${word}`));
    expect(places).toEqual([...places].sort((a, b) => a - b));
    expect(Math.min(...places)).toBeGreaterThan(0);
    expect(renderSummary(machine())).not.toMatch(/Searches|Evacuation/);
  });

  test('colour adds nothing but colour', () => {
    const red = (text: string) => `\u001b[31m${text}\u001b[39m`;
    const style: TextStyle = { good: red, bad: red, warn: red, dim: red, heading: red };
    const result = machine({ superpageblocks: BUSY });
    expect(stripVTControlCharacters(renderSummary(result, style))).toBe(renderSummary(result));
    expect(stripVTControlCharacters(renderSpbDetails(BUSY, style))).toBe(renderSpbDetails(BUSY, plainStyle));
  });
});
