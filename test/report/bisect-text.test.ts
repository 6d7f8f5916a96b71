/** The text of a bisection: every shape of an answer, and nothing of a stranger's in it. */
import { describe, expect, test } from 'vitest';
import type { BisectResult } from '../../src/report/bisect-result.js';
import { bisectSchema } from '../../src/report/bisect-schema.js';
import { renderBisect } from '../../src/report/bisect-text.js';

const RESULT: BisectResult = {
  schema: 'spbsim.bisect/1',
  tool: { name: 'spbsim', version: '0.1.0' },
  inputs: ['traces/ramp.csv'],
  cut: [],
  until: 'a.spb_tainted > b.spb_tainted',
  a: { policy: 'mainline-6.18', overrides: [] },
  b: { policy: 'spb-v2', overrides: ['spb.wq_shared=false'] },
  machine: '--memory 2GiB',
  start_state: 'fresh',
  events: 1_234_567,
  found: {
    events: 5000,
    since_start_ns: 412_000_000,
    event: {
      number: 4999,
      ts_ns: 412_000_000,
      since_start_ns: 412_000_000,
      op: 'alloc',
      cpu: 3,
      ctx: 'softirq',
      id: '',
      recorded_pfn: 0x1a2b,
      order: 2,
      gfp: 'GFP_ATOMIC',
      site: 'alloc_skb',
    },
  },
  metrics: [
    { name: 'spb_tainted', a: { before: 3, after: 4 }, b: { before: 3, after: 3 } },
    { name: 'unusable_index.Normal.9', a: { before: 0.25, after: 0.375 }, b: { before: null, after: 1 } },
    { name: 'free_pages.Normal', a: { before: 1_000_000, after: 999_996 }, b: { before: 0, after: 12 } },
  ],
  never_seen: [],
  looks: [{ every: 1, from: 0, to: 5024 }],
  reduced: null,
  see: ['spbsim explain traces/ramp.csv --event 4999 --policy mainline-6.18'],
};

describe('a bisection', () => {
  test('that found something', () => {
    expect(bisectSchema.parse(RESULT)).toEqual(RESULT);
    expect(
      renderBisect(RESULT),
    ).toBe(`a.spb_tainted > b.spb_tainted holds after 5,000 of 1,234,567 events (t = 412.0 ms)
ramp.csv   A: mainline-6.18   B: spb-v2 --set spb.wq_shared=false   machine: --memory 2GiB
start state: fresh

                            A before  A after  B before  B after
  spb_tainted                      3        4         3        3
  unusable_index.Normal.9      0.250    0.375                  1
  free_pages.Normal        1,000,000  999,996         0       12

  event       #4,999   at 412.0 ms   CPU 3, softirq   alloc order 2   GFP_ATOMIC
              recorded pfn 0x1a2b   site alloc_skb
  looked      after every event
  why         spbsim explain traces/ramp.csv --event 4999 --policy mainline-6.18
`);
  });

  test('that looked with steps, and reduced', () => {
    const text = renderBisect({
      ...RESULT,
      looks: [
        { every: 1, from: 0, to: 2048 },
        { every: 1024, from: 2048, to: 5120 },
        { every: 32768, from: 5120, to: 5120 },
      ],
      reduced: { file: 'small.csv', events: 4, objects: 1, replays: 214, is_minimal: false },
    });
    const joined = text.replace(/\n {14}/g, ' ');
    expect(joined).toContain(
      '  looked      after every event up to 2,048, after every 1,024 events from 2,048 to 5,120; an earlier episode in between may have been missed; --exhaustive looks after every event\n',
    );
    expect(joined).toContain(
      '  reduced     4 events of 1 object, written to small.csv; 214 replays; --max-tests ran out: more might be left out\n',
    );
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(100);
  });

  test('that found nothing, with steps', () => {
    const text = renderBisect({
      ...RESULT,
      found: null,
      looks: [{ every: 1024, from: 0, to: 1_234_567 }],
      never_seen: ['a.spb_evacuations'],
      see: [],
    });
    expect(text).toMatch(/^a\.spb_tainted > b\.spb_tainted never holds in 1,234,567 events\n/);
    expect(text.replace(/\n {14}/g, ' ')).toContain('; an episode in between may have been missed;');
    expect(text).toContain('  no value    a.spb_evacuations: ');
    expect(text).not.toContain('before');
  });

  test('with an expression of many lines', () => {
    const until = Array.from({ length: 12 }, () => 'a.spb_tainted > b.spb_tainted').join('\n  || ');
    const text = renderBisect({ ...RESULT, until });
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(100);
    expect(text.startsWith('a.spb_tainted > b.spb_tainted || a.spb_tainted > ')).toBe(true);
  });

  test('of hostile texts', () => {
    const hostile = '\u001b[31m\u202e\u0000\nred';
    const text = renderBisect({
      ...RESULT,
      inputs: [hostile],
      until: hostile,
      cut: [hostile],
      machine: hostile,
      a: { policy: hostile, overrides: [hostile] },
      found: {
        ...RESULT.found!,
        event: { ...RESULT.found!.event!, id: hostile, site: hostile, gfp: hostile },
      },
      reduced: { file: hostile, events: 1, objects: 1, replays: 1, is_minimal: true },
      see: [hostile],
      never_seen: [hostile],
    });
    expect(text.replaceAll('\n', '')).not.toMatch(/\p{Cc}|\u202e/u);
    // The first line is the expression, trimmed.
    expect(text.match(/^red/gm)).toHaveLength(1);
  });
});
