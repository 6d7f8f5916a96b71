/** A small explanation, made by hand. */
import type { Explanation } from '../../src/report/explain-document.js';

export const ZONE = 'node 0 Normal';

export function sampleExplanation(overrides: Partial<Explanation> = {}): Explanation {
  return {
    schema: 'spbsim.explain/1',
    tool: { name: 'spbsim', version: '0.1.0' },
    inputs: ['traces/slab-ramp.csv'],
    policy: { name: 'spb-v2', overrides: [] },
    machine: '--memory 64GiB',
    start_state: 'fresh',
    event: {
      number: 48_211,
      ts_ns: 41_204_000_000,
      since_start_ns: 31_204_000_000,
      op: 'alloc',
      cpu: 3,
      ctx: 'task',
      id: 'a77',
      recorded_pfn: null,
      order: 0,
      site: 'ext4_alloc_inode',
    },
    request: {
      kind: 'N',
      migratetype: 'reclaimable',
      pages: 1,
      gfp: 'GFP_KERNEL|__GFP_RECLAIMABLE',
      gfp_bits: 0xcd0,
      node: 0,
      zonelist: [ZONE, 'node 0 DMA32'],
      may_reclaim: true,
      is_optional: false,
    },
    steps: [],
    outcome: { result: 'allocated', pfn: 0x7b2e40, pages: 1, zone: ZONE, notes: [] },
    changes: {
      superpageblocks: [],
      contents: [],
      pageblocks: [],
      zones: [],
      kswapd_woken: [],
      vmstat: {},
    },
    ...overrides,
  };
}
