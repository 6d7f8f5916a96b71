import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { familyOf, METRIC_FAMILIES, metricsOf } from '../../../src/report/metrics/catalogue.js';
import { renderCatalogueMarkdown } from '../../../src/report/metrics/catalogue-text.js';
import { familyKey, SUBJECTS } from '../../../src/report/metrics/metric.js';
import { metricsSchema } from '../../../src/report/metrics/metrics-schema.js';
import type { RunResult } from '../../../src/report/run-result.js';
import { spbsim } from '../../cli/spbsim.js';

async function resultOf(...args: string[]): Promise<RunResult> {
  const { stdout } = await spbsim('run', ...args, '--json');
  return JSON.parse(stdout) as RunResult;
}

const TWO_NODES = ['workloads/gen/slab-ramp.csv.gz', '--memory', '16GiB', '--nodes', '2', '--cpus', '4'];

describe('the catalogue of metrics', () => {
  it('names each family once, and every name can be read back', () => {
    const keys = METRIC_FAMILIES.map(familyKey);
    expect(new Set(keys).size).toBe(keys.length);
    for (const family of METRIC_FAMILIES) {
      const member = [family.name, ...family.labels.map(() => 'x')].join('.');
      expect(familyOf(member)).toBe(family);
    }
    expect(new Set(METRIC_FAMILIES.map(({ subject }) => subject))).toEqual(new Set(SUBJECTS));
  });

  it.each(['__proto__', 'constructor', 'spb_tainted.Normal.9.1', '', '.', 'unusable_index'])(
    'knows no %j',
    (name) => {
      expect(familyOf(name)).toBeUndefined();
    },
  );

  it.each(['mainline-6.1', 'mainline-6.18', 'mainline-7.2', 'spb-v2'])(
    'has every counter of a run of %s, with its value',
    async (policy) => {
      const result = await resultOf(...TWO_NODES, '--policy', policy);
      for (const [name, value] of Object.entries(result.vmstat)) {
        expect(familyOf(name), name).toBeDefined();
        expect(result.metrics[name], name).toBe(value);
      }
      for (const [name, value] of Object.entries(result.metrics)) {
        expect(familyOf(name), name).toBeDefined();
        expect(value, name).toBeGreaterThanOrEqual(0);
      }
      expect(result.metrics).toEqual(Object.fromEntries(metricsOf(result)));
    },
  );

  it('sums zones over nodes and shows each node where there are several', async () => {
    const { metrics, zones } = await resultOf(...TWO_NODES);
    const normal = zones.filter(({ name }) => name === 'Normal');
    expect(normal.length).toBeGreaterThan(1);
    const tainted = normal.map(({ superpageblocks }) => superpageblocks.tainted);
    expect(metrics['spb_tainted.Normal']).toBe(tainted.reduce((a, b) => a + b));
    for (const [at, zone] of normal.entries())
      expect(metrics[`spb_tainted.node${zone.node}:Normal`]).toBe(tainted[at]);
    const free = (of: readonly RunResult['zones'][number][], least: number) =>
      of.reduce(
        (sum, zone) => sum + zone.buddyinfo.reduce((s, n, o) => s + (o >= least ? n * 2 ** o : 0), 0),
        0,
      );
    const unusable = 1 - free(normal, 9) / free(normal, 0);
    expect(metrics['unusable_index.Normal.9']).toBeCloseTo(unusable, 2);
    const one = await resultOf('workloads/gen/slab-ramp.csv.gz', '--memory', '4GiB');
    expect(Object.keys(one.metrics).filter((name) => name.includes('node'))).toEqual([]);
  });

  it('counts requests in every way to the same sum', async () => {
    const { metrics, allocations } = await resultOf(
      'workloads/gen/hugepage-1g-demand.csv.gz',
      '--memory',
      '1GiB',
    );
    const sumOf = (start: string) =>
      Object.entries(metrics).reduce((sum, [name, value]) => (name.startsWith(start) ? sum + value : sum), 0);
    for (const name of ['alloc_ok', 'alloc_failed']) {
      expect(sumOf(`${name}.`)).toBe(metrics[name]);
      expect(sumOf(`${name}_type.`)).toBe(metrics[name]);
    }
    expect(metrics.alloc_failed).toBeGreaterThan(0);
    expect(metrics.alloc_failed).toBe(allocations.reduce((sum, { failed }) => sum + failed, 0));
  });

  it('has a JSON schema that takes every metric of a run and no other name', async () => {
    const schema = z.toJSONSchema(metricsSchema) as {
      properties: Record<string, unknown>;
      patternProperties: Record<string, unknown>;
    };
    const { metrics } = await resultOf(...TWO_NODES, '--policy', 'spb-v2');
    const patterns = Object.keys(schema.patternProperties).map((pattern) => new RegExp(pattern, 'u'));
    const known = (name: string) =>
      Object.hasOwn(schema.properties, name) || patterns.some((pattern) => pattern.test(name));
    expect(Object.keys(metrics).filter((name) => !known(name))).toEqual([]);
    expect(known('spb_taintd')).toBe(false);
    expect(known('unusable_index.Normal')).toBe(false);
  });

  it('is what the docs page shows', async () => {
    const page = await readFile('docs/metrics.md', 'utf8');
    expect(page.endsWith(renderCatalogueMarkdown(METRIC_FAMILIES))).toBe(true);
  });
});

describe('spbsim metrics', () => {
  it('finds metrics by words of name, subject and meaning', async () => {
    const { stdout, code } = await spbsim('metrics', '--grep', 'TAINTED bits');
    expect(code).toBe(0);
    expect(stdout).toContain('spb_tainted_by_bits[.ZONE]');
    expect(stdout).not.toContain('pgsteal');
  });

  it('fails as grep does where nothing is found', async () => {
    const { stderr, code } = await spbsim('metrics', '--grep', 'no\u001b[31msuch');
    expect(code).toBe(1);
    expect(stderr).toBe('no metric has "nosuch" in its name or meaning\n');
  });

  it('prints JSON with all that the table says', async () => {
    const { stdout } = await spbsim('metrics', '--json');
    const rows = JSON.parse(stdout) as { key: string; better: string; unit: string }[];
    expect(rows.map(({ key }) => key)).toEqual(METRIC_FAMILIES.map(familyKey));
    expect(rows.find(({ key }) => key === 'pgsteal_kswapd')).toMatchObject({
      better: 'lower',
      unit: 'pages',
    });
  });
});
