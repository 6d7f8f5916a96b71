import type { VerifyBursts, VerifyRecording, VerifyResult } from '../../src/report/verify-result.js';
import { sampleResult } from './sample-result.js';

const PARTS = ['free lists', 'pcp lists', 'block types', 'counters', 'boost', 'reserves'];

function checkpoint(name: string, index: number) {
  const parts = PARTS.map((part) => ({ name: part, compared: 100, equal: 100 }));
  return { name, index, compared: 600, equal: 600, parts, differences: [] };
}

/** An oracle run in which everything is equal. */
export function sampleVerify(overrides: Partial<VerifyResult> = {}): VerifyResult {
  const { policy, tool } = sampleResult();
  return {
    schema: 'spbsim.verify/1',
    agreement: 1,
    compared: 63_329,
    matched: 63_329,
    first_divergence: null,
    kind: 'oracle',
    title: '7.2.12 mixed_orders seed 12',
    tool,
    input: { path: 'mixed_orders-12.jsonl.xz', format: 'oracle', sha256: 'cd'.repeat(32), bytes: 700_000 },
    kernel: '7.2.12',
    policy: { ...policy, name: 'mainline-7.2' },
    operations: 126_249,
    failures: { kernel: 409, matched: 409 },
    checkpoints: ['ckpt1', 'ckpt2', 'ckpt3', 'final', 'after_freeall'].map((name, i) =>
      checkpoint(name, i * 30_000),
    ),
    recording: null,
    slab: null,
    notes: [],
    performance: { events: 126_249, wall_s: 0.08, events_per_s: 1_578_112, peak_rss_bytes: 100_000_000 },
    ...overrides,
  };
}

export function sampleRecording(): VerifyRecording {
  return {
    legality: {
      events: 110_000,
      legal: 109_990,
      illegal: [{ name: 'in_use', count: 10, meaning: 'handed out while in use in the model' }],
    },
    after_free_pages: { predicted: 772_854, real: 772_900 },
    after_buddyinfo: [
      {
        node: 0,
        zone: 'DMA32',
        order: 0,
        predicted: 12,
        real: 10,
        causes: [{ name: 'per_cpu_contents', pages: 2 }],
      },
      { node: 0, zone: 'DMA32', order: 1, predicted: 7, real: 7, causes: [] },
    ],
    after_pagetypeinfo: [
      { node: 0, zone: 'DMA32', migratetype: 'Movable', predicted: 1500, real: 1500 },
      { node: 0, zone: 'DMA32', migratetype: 'Unmovable', predicted: 3, real: 4 },
    ],
    refill: bursts(1_300, 1_234, 1_230, 1_200),
    drain: bursts(20, 0, 0, 0),
    freerun_free_pages: { predicted: 772_900, real: 772_900 },
    freerun_buddyinfo: [{ node: 0, zone: 'DMA32', order: 10, predicted: 750, real: 752, causes: [] }],
  };
}

function bursts(
  observed: number,
  known: number,
  size_predicted: number,
  pfn_predicted: number,
): VerifyBursts {
  return {
    observed,
    observed_size_predicted: size_predicted,
    known,
    size_predicted,
    pfn_predicted,
    unordered: 0,
    expected_not_seen: 0,
    misses: [],
  };
}
