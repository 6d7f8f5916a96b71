/** What a caller may ask for, and what is answered to what makes no sense. */
import { describe, expect, test } from 'vitest';
import { UsageError } from '../../src/config/usage-error.js';
import { type GenerateOptions, generate, WORKLOADS } from '../../src/gen/generate.js';
import { optionValues } from '../../src/gen/options.js';
import { GIB_PAGES } from './support.js';

function complaint(name: string, options: GenerateOptions): string {
  try {
    generate(name, options);
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError);
    return (error as Error).message;
  }
  return 'nothing';
}

test('there are the ten workloads, each described in a line', () => {
  expect([...WORKLOADS.keys()]).toEqual([
    'slab-ramp',
    'syzkaller-mix',
    'fs-metadata',
    'hugepage-1g-demand',
    'net-softirq',
    'steady-server',
    'bpf-nmi-storm',
    'bpf-map-churn',
    'kprobe-in-slab',
    'rt-timer',
  ]);
  for (const [name, workload] of WORKLOADS) {
    expect(workload.name).toBe(name);
    expect(workload.summary).not.toBe('');
    expect(workload.summary.length + name.length).toBeLessThan(97);
    for (const [option, { doc }] of Object.entries(workload.options)) {
      expect(option).toMatch(/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/);
      expect(doc, option).not.toBe('');
    }
  }
});

test.each([...WORKLOADS.values()])(
  '$name: the defaults are valid, and fit the ids that there are',
  (workload) => {
    const values = optionValues(workload.name, workload.options, {});
    for (const [name, value] of Object.entries(values)) {
      const { min, max } = workload.options[name];
      expect(value, name).toBeGreaterThanOrEqual(min);
      expect(value, name).toBeLessThanOrEqual(max);
    }
    expect(generate(workload.name).scale).toMatchObject({ seed: 1, nodes: 1, cpus: workload.defaults.cpus });
  },
);

test('options are texts as on the command line, or numbers in their unit', () => {
  const specs = WORKLOADS.get('syzkaller-mix')!.options;
  const values = optionValues('syzkaller-mix', specs, {
    used: '110%',
    nonmovable: 0.03,
    slab: '.25',
    waves: '1_000',
    'task-lifetime': '1.5s',
    'task-memory': '2MiB',
    'demand-1g': 50,
  });
  expect(values).toMatchObject({
    used: 1.1,
    nonmovable: 0.03,
    slab: 0.25,
    waves: 1000,
    'task-lifetime': 1.5e9,
    'task-memory': 512,
    'demand-1g': 50,
    vms: 48,
  });
});

describe('mistakes', () => {
  test.each<[string, GenerateOptions, string]>([
    ['slab-rmap', {}, 'there is no workload slab-rmap; did you mean slab-ramp?'],
    [
      'x',
      {},
      'there is no workload x: slab-ramp, syzkaller-mix, fs-metadata, hugepage-1g-demand, net-softirq, steady-server, bpf-nmi-storm, bpf-map-churn, kprobe-in-slab, rt-timer',
    ],
    ['slab-ramp', { set: { slab_to: '5%' } }, 'slab-ramp has no option slab_to; did you mean slab-to?'],
    ['slab-ramp', { set: { constructor: 1 } }, 'slab-ramp has no option constructor'],
    ['slab-ramp', { set: { anon: '120%' } }, 'anon=120%: expected a share from 0% to 100%, such as 35%'],
    ['slab-ramp', { set: { anon: Number.NaN } }, 'anon=NaN: expected a share from 0% to 100%, such as 35%'],
    ['slab-ramp', { set: { processes: '0' } }, 'processes=0: expected a whole number from 1 to 65536'],
    ['slab-ramp', { set: { processes: 1.5 } }, 'processes=1.5: expected a whole number from 1 to 65536'],
    ['slab-ramp', { set: { 'folio-order': 10 } }, 'folio-order=10: expected a whole number from 0 to 9'],
    [
      'fs-metadata',
      { set: { commit: '30' } },
      'commit=30: expected a time from 1000 ns to 24 h with its unit, such as 30s',
    ],
    [
      'hugepage-1g-demand',
      { set: { size: '1MiB' } },
      'size=1MiB: expected a size of 2048 KiB to 16 GiB, such as 1GiB',
    ],
    [
      'slab-ramp',
      { set: { anon: '96%' } },
      'anon and kernel and slab-to are 102% of memory together, and none of it can be reclaimed: at most 95% fit',
    ],
    [
      'slab-ramp',
      { set: { used: '30%' } },
      'used=30% is not more than anon, kernel, slab-from together: nothing is left for page cache',
    ],
    ['slab-ramp', { seed: -1 }, 'seed -1: expected a whole number from 0 to 9007199254740991'],
    ['slab-ramp', { cpus: 9000 }, 'cpus 9000: expected a whole number from 1 to 8192'],
    [
      'slab-ramp',
      { memory_pages: 100 },
      'memory_pages 100: expected a whole number from 16384 to 4294967296',
    ],
    [
      'slab-ramp',
      { memory_pages: 1024 * GIB_PAGES },
      'about 14 million objects would live at the same time, and a trace has ids for 3.9 million: less --memory, a larger folio-order, more thp, or smaller shares of small pages',
    ],
  ])('%s %j', (name, options, expected) => {
    expect(complaint(name, options)).toBe(expected);
  });
});
