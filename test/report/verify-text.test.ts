import { describe, expect, test } from 'vitest';
import { renderVerify } from '../../src/report/verify-text.js';
import { sampleRecording, sampleVerify } from './sample-verify.js';

describe('the report of a verification', () => {
  test('an oracle run in which everything is equal', () => {
    expect(renderVerify(sampleVerify())).toBe(
      `7.2.12 mixed_orders seed 12, 126,249 operations   replayed in 0.08 s (1.6 M/s)
  PFNs            63,329 of 63,329 equal (100 %)        failures 409 of 409
  checkpoints     5 of 5: free lists, pcp lists, block types, counters, boost, reserves equal
model agrees with the kernel: policy mainline-7.2
`,
    );
  });

  test('a slab run, with its pages', () => {
    const parts = ['slabs and slots', 'counters', 'slabs made', 'lists of shrinks'].map((name, i) => ({
      name,
      compared: 300 * (3 - i),
      equal: 300 * (3 - i),
    }));
    const agreement = { compared: 8000, equal: 8000 };
    const slab = {
      parts,
      pages: {
        operations: agreement,
        slabs: { compared: 421, equal: 420 },
        failures: { compared: 185, equal: 185 },
      },
    };
    const text = renderVerify(sampleVerify({ title: '6.18.2 slab frag seed 73', slab }));
    expect(text.split('\n').slice(1)).toEqual([
      '  operations      63,329 of 63,329 equal (100 %)        failures 409 of 409',
      '  checkpoints     5 of 5: free lists, pcp lists, block types, counters, boost, reserves equal',
      '  compared        slabs and slots 900 of 900',
      '                  counters 600 of 600',
      '                  slabs made 300 of 300',
      '  pages           PFN and order of 420 of 421 slabs equal',
      "                  operations on the model's own pages 8,000 of 8,000, failures 185 of 185",
      // One page in another place is a difference, however many operations agree.
      'model differs from the kernel: policy mainline-7.2, agreement 100 %',
      '',
    ]);
    const agreeing = { ...slab, pages: { ...slab.pages, slabs: { compared: 421, equal: 421 } } };
    expect(renderVerify(sampleVerify({ slab: agreeing }))).toContain('model agrees with the kernel');
    expect(renderVerify(sampleVerify({ slab: { parts, pages: null } }))).not.toContain('pages  ');
  });

  test('the first divergence with its context, and the first checkpoint that differs', () => {
    const { checkpoints, policy } = sampleVerify();
    const differences = Array.from(
      { length: 7 },
      (_, i) => `zone DMA32 order ${i}: kernel 3 chunks, model 2`,
    );
    const text = renderVerify(
      sampleVerify({
        agreement: 812 / 63_329,
        matched: 812,
        policy: { ...policy, overrides: ['pcp.batch_scale_max=4'] },
        first_divergence: {
          index: 813,
          ts_ns: null,
          text: 'alloc order 0 GFP_KERNEL on CPU 0',
          kernel: '0x1a3f2',
          model: '0x1a3c0',
          context: ['both lists were empty; kernel refilled 252 pages, model 126 (alloc_factor 2)'],
        },
        checkpoints: [{ ...checkpoints[0]!, equal: 590, differences }, checkpoints[1]!],
      }),
    );
    expect(text).toBe(
      `7.2.12 mixed_orders seed 12, 126,249 operations   replayed in 0.08 s (1.6 M/s)
  PFNs            812 of 63,329 equal (1.3 %)        failures 409 of 409
  first           op 813  alloc order 0 GFP_KERNEL on CPU 0: kernel 0x1a3f2, model 0x1a3c0
                  both lists were empty; kernel refilled 252 pages, model 126 (alloc_factor 2)
  checkpoints     1 of 2: free lists, pcp lists, block types, counters, boost, reserves equal
                  ckpt1, before op 0: 590 of 600 values equal
                  zone DMA32 order 0: kernel 3 chunks, model 2
                  zone DMA32 order 1: kernel 3 chunks, model 2
                  zone DMA32 order 2: kernel 3 chunks, model 2
                  zone DMA32 order 3: kernel 3 chunks, model 2
                  zone DMA32 order 4: kernel 3 chunks, model 2
                  and 5 more
model differs from the kernel: policy mainline-7.2 --set pcp.batch_scale_max=4, agreement 1.3 %
`,
    );
  });

  test('a refill whose place in its list is unknown is told apart from one that is exact', () => {
    const recording = sampleRecording();
    const refill = {
      ...recording.refill,
      known: 200,
      size_predicted: 200,
      pfn_predicted: 198,
      unordered: 148,
    };
    const text = renderVerify(
      sampleVerify({ kind: 'recording', checkpoints: [], recording: { ...recording, refill } }),
    );
    expect(text).toContain(
      'every PFN 99.0 % predicted (25.0 % by place, 148 by list and order only: their place is unknown)',
    );
  });

  test('a recording: legality, tables, bursts, free run', () => {
    const text = renderVerify(
      sampleVerify({
        kind: 'recording',
        title: 'fs-churn, Linux 6.18.44',
        compared: 110_000,
        matched: 109_990,
        agreement: 109_990 / 110_000,
        checkpoints: [],
        recording: sampleRecording(),
        notes: [{ name: 'untraced', count: 31, meaning: 'pages allocated without an event' }],
      }),
    );
    expect(text).toBe(
      `fs-churn, Linux 6.18.44, 126,249 events   replayed in 0.08 s (1.6 M/s)
  PFNs            109,990 of 110,000 legal (99.990 %)        failures 409 of 409
  illegal         10 handed out while in use in the model
  free pages      predicted 772,854, real 772,900 (-46, 0.006 %)
  buddyinfo       1 of 2 orders equal
                                order  predicted  real  chunks  causes (pages)
                  node 0 DMA32      0         12    10      +2  per_cpu_contents 2
  block types     1 of 2 counts equal
                  node 0 DMA32 Unmovable 3, real 4
  refills         1,234 of 1,300 on known lists: size 99.7 %, every PFN 97.2 % predicted
  drains          20 observed, none on a list of known content
  free-running    predicted 772,900, real 772,900 (0, 0.000 %)
                  0 of 1 orders equal
                                order  predicted  real  chunks  causes (pages)
                  node 0 DMA32     10        750   752      -2
  notes           31 pages allocated without an event
model differs from the kernel: policy mainline-7.2, agreement 99.990 %
`,
    );
  });
});
