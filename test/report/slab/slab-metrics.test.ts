/** Metrics of the slab section, and results that have none. */
import { describe, expect, test } from 'vitest';
import { compareMetrics, countVerdicts } from '../../../src/report/diff/compare-metrics.js';
import { jsonSchema } from '../../../src/report/json-schema.js';
import { METRIC_FAMILIES, metricsOf } from '../../../src/report/metrics/catalogue.js';
import { renderResultJson } from '../../../src/report/result-json.js';
import { resultSchema } from '../../../src/report/result-schema.js';
import type { RunResult } from '../../../src/report/run-result.js';
import {
  HAZARD_KINDS,
  NOLOCK_CAUSES,
  NOLOCK_CLASSES,
  NOLOCK_LOCKS,
} from '../../../src/report/slab/nolock-words.js';
import { renderSummary } from '../../../src/report/summary-text.js';
import { sampleResult } from '../sample-result.js';
import { busySlab, sampleSlab } from './sample-slab.js';

const SUBJECTS = new Set(['Slab', 'Any context', 'Hazards']);
const FAMILIES = METRIC_FAMILIES.filter(({ subject }) => SUBJECTS.has(subject));

function metrics(slab: RunResult['slab']): Record<string, number> {
  const all = metricsOf(sampleResult({ slab }));
  const names = new Set(FAMILIES.map(({ name }) => name));
  return Object.fromEntries([...all].filter(([name]) => names.has(name.split('.')[0]!)));
}

/** A document from before there was a slab section. */
function without(): RunResult {
  const { slab: _, ...older } = sampleResult();
  return older;
}

describe('metrics of slabs', () => {
  test('all figures of a busy machine', () => {
    expect(metrics(busySlab())).toEqual({
      hazards: 3,
      'hazards.deadlock': 3,
      'hazards.misuse': 0,
      'hazards.order': 0,
      'hazards.warning': 0,
      'hazards.leak': 0,
      'hazards.loop': 0,
      'hazards.drift': 0,
      'hazards.double_use': 0,
      slab_pages: 1214,
      slab_reclaimable_pages: 1200,
      slab_unreclaimable_pages: 14,
      slab_slabs: 310,
      slab_objects: 4371,
      slab_requested_bytes: 4_517_280,
      slab_waste_bytes: 455_264,
      slab_allocated: 94_000,
      slab_failed: 7,
      slab_made: 208,
      slab_order_fallback: 3,
      memcg_charge_refused: 7,
      memcg_uncharged_objects: 45,
      slab_fastpath_ratio: 0.98617,
      'slab_waste_bytes.rounding': 12_384,
      'slab_waste_bytes.alignment': 30_240,
      'slab_waste_bytes.debug': 0,
      'slab_waste_bytes.deferred': 256,
      'slab_waste_bytes.free_cpu': 24_224,
      'slab_waste_bytes.free_partial': 121_760,
      'slab_waste_bytes.tail': 266_400,
      nolock_requests: 12_846,
      nolock_failures: 24,
      nolock_failure_ratio: 0.001868,
      nolock_next_bucket: 90,
      nolock_extra_slabs: 7,
      nolock_stolen_pages: 47,
      nolock_frees: 1005,
      nolock_frees_deferred: 900,
      deferred_irq_works: 41,
      deferred_objects: 4,
      deferred_peak_objects: 850,
      deferred_peak_slabs: 3,
      deferred_peak_bytes: 66_688,
      zone_stack_pages: 2,
      zone_stack_peak_pages: 5,
      'nolock_failures.task': 0,
      'nolock_failures.softirq': 0,
      'nolock_failures.hardirq': 0,
      'nolock_failures.nmi': 24,
      'nolock_failures_lock.none': 3,
      'nolock_failures_lock.cpu_slab': 8,
      'nolock_failures_lock.cpu_slab_next': 2,
      'nolock_failures_lock.list_lock': 0,
      'nolock_failures_lock.zone': 11,
      'nolock_failures_class.64': 13,
      'nolock_failures_class.4096': 0,
      'nolock_failures_class.8192': 8,
      'nolock_failures_class.large': 3,
      'nolock_failures_cause.too_large': 3,
      'nolock_failures_cause.busy': 8,
      'nolock_failures_cause.busy_twice': 2,
      'nolock_failures_cause.no_pages': 11,
    });
  });

  test('parts are those of their sums', () => {
    const all = metrics(busySlab());
    for (const name of [
      'hazards',
      'slab_waste_bytes',
      'nolock_failures',
      'nolock_failures_lock',
      'nolock_failures_cause',
      'nolock_failures_class',
    ]) {
      const parts = Object.entries(all).filter(([key]) => key.startsWith(`${name}.`));
      const sum = parts.reduce((total, [, value]) => total + value, 0);
      expect(sum, name).toBe(all[name.replace(/_(lock|cause|class)$/, '')]);
    }
  });

  test('without calls from any context a budget of none holds, and there is no share', () => {
    const quiet = metrics(sampleSlab());
    expect(quiet).toMatchObject({
      nolock_failures: 0,
      'nolock_failures.nmi': 0,
      hazards: 0,
      deferred_peak_bytes: 0,
    });
    expect(Object.keys(quiet).filter((name) => /ratio|_lock|_class|_cause/.test(name))).toEqual([
      'slab_fastpath_ratio',
    ]);
  });

  test('asking for no bytes lowers no share', () => {
    const nobody = { context: 'nmi', lock: 'none', size_class: '8', cause: null } as const;
    const requests = [
      { ...nobody, outcome: 'zero_size' as const, count: 98 },
      { ...nobody, outcome: 'fast' as const, count: 1 },
      { ...nobody, outcome: 'null' as const, cause: 'build' as const, count: 1 },
    ];
    expect(
      metrics(sampleSlab({ nolock: { requests, frees: [], extra_slabs: 0, stolen: [] } })),
    ).toMatchObject({ nolock_requests: 100, nolock_failures: 1, nolock_failure_ratio: 0.5 });
  });

  test('every word fits the names that the schema of metrics allows', () => {
    const { patternProperties } = (
      jsonSchema('result') as unknown as {
        properties: { metrics: { patternProperties: Record<string, unknown> } };
      }
    ).properties.metrics;
    const patterns = Object.keys(patternProperties).map((pattern) => new RegExp(pattern, 'u'));
    const names = [
      ...HAZARD_KINDS.map((kind) => `hazards.${kind}`),
      ...NOLOCK_LOCKS.map((lock) => `nolock_failures_lock.${lock}`),
      ...NOLOCK_CLASSES.map((size) => `nolock_failures_class.${size}`),
      ...NOLOCK_CAUSES.map((cause) => `nolock_failures_cause.${cause}`),
      ...Object.keys(sampleSlab().totals.waste).map(
        (part) => `slab_waste_bytes.${part.replace('_bytes', '')}`,
      ),
    ];
    expect(names.filter((name) => !patterns.some((pattern) => pattern.test(name)))).toEqual([]);
  });
});

describe('the section in documents', () => {
  test.each([
    ['busy', busySlab()],
    ['quiet', sampleSlab()],
  ])('%s: JSON and schema are inverse', (_name, slab) => {
    const result = sampleResult({ slab });
    expect(resultSchema.parse(JSON.parse(renderResultJson(result)))).toEqual(result);
  });

  test('an unknown word, a negative count, a lost field are refused', () => {
    const takes = (change: object) =>
      resultSchema.safeParse({ ...sampleResult(), slab: { ...busySlab(), ...change } }).success;
    expect(takes({})).toBe(true);
    expect(takes({ hazards_total: { toString: 1 } })).toBe(false);
    expect(takes({ zone_stacks: [{ node: 0, zone: 'DMA', pages: -1, peak_pages: 0 }] })).toBe(false);
    expect(takes({ totals: undefined })).toBe(false);
    expect(takes({ more: 1 })).toBe(false);
  });
});

describe('a result without a slab section', () => {
  test('is still a result, prints as before, and has no such metric', () => {
    expect(resultSchema.parse(without())).toEqual(without());
    expect(renderSummary(without())).toBe(renderSummary(sampleResult()));
    expect(JSON.parse(renderResultJson(without()))).not.toHaveProperty('slab');
    expect([...metricsOf(without())]).toEqual([...metricsOf(sampleResult())]);
    expect(metrics(undefined)).toEqual({});
  });

  test('beside one that has it: figures of one side only, which are no verdict', () => {
    const [older, newer] = [without(), sampleResult({ slab: busySlab() })].map((result) =>
      Object.fromEntries(metricsOf(result)),
    );
    const rows = compareMetrics([older!], [newer!]);
    const mine = rows.filter(({ subject }) => SUBJECTS.has(subject));
    expect(mine.length).toBe(Object.keys(metrics(busySlab())).length);
    expect(new Set(mine.map(({ verdict }) => verdict))).toEqual(new Set(['only_b']));
    expect(countVerdicts(rows)).toMatchObject({ better: 0, worse: 0, only_b: mine.length });
  });

  test('two that have it are compared in the right direction', () => {
    const [a, b] = [sampleSlab(), busySlab()].map((slab) =>
      Object.fromEntries(metricsOf(sampleResult({ slab }))),
    );
    const verdict = (metric: string) =>
      compareMetrics([a!], [b!]).find((row) => row.metric === metric)?.verdict;
    expect(verdict('hazards.deadlock')).toBe('worse');
    expect(verdict('nolock_failures')).toBe('worse');
    expect(verdict('deferred_peak_bytes')).toBe('worse');
    expect(verdict('nolock_requests')).toBe('changed');
    expect(verdict('slab_pages')).toBe('equal');
  });
});
