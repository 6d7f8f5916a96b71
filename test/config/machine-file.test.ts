import { describe, expect, test } from 'vitest';
import { parseConfig } from '../../src/config/config-file.js';
import { machineFromSize } from '../../src/config/machine-by-size.js';
import { checkMachineFile, readMachineFile } from '../../src/config/machine-file.js';
import { DEFAULT_BUILD } from '../../src/mm/machine-build.js';

async function machine(text: string) {
  return checkMachineFile(await parseConfig(text, 'machine.yaml'));
}

const ZONES = `
cpu_nodes: [0, 0, 1, 1]
zones:
  - {node: 0, zone: DMA, start_pfn: 1, spanned_pages: 4095, present_pages: 3998, managed_pages: 3840}
  - {node: 0, zone: DMA32, start_pfn: 4096, spanned_pages: 126976}
  - {node: 1, zone: Normal, start_pfn: 1048576, spanned_pages: 262144}
`;

describe('machine files', () => {
  test('by size: the same machine as the options give', async () => {
    expect(await machine('memory: 256GiB\nnodes: 2\ncpus: 64\ncpu_cache: 4MiB\nthp: false\n')).toEqual(
      machineFromSize({ memory_pages: 1 << 26, nodes: 2, cpus: 64, cpu_cache_bytes: 4 << 20, thp: false }),
    );
  });

  test('by zones: present defaults to spanned, managed to present, distances to 10 and 20', async () => {
    const spec = await machine(ZONES);
    expect(spec.zones[1]).toEqual({
      node: 0,
      index: 1,
      start_pfn: 4096,
      spanned_pages: 126_976,
      present_pages: 126_976,
      managed_pages: 126_976,
    });
    expect(spec.node_distances).toEqual([
      [10, 20],
      [20, 10],
    ]);
    expect(spec.cpu_nodes).toEqual([0, 0, 1, 1]);
  });

  test('the build of its kernel, where it is not an ordinary one', async () => {
    const spec = await machine('memory: 4GiB\ncpus: 1\nbuild: {smp: false, slab_debug: "FZ,kmalloc-64"}\n');
    expect(spec.build).toEqual({ ...DEFAULT_BUILD, smp: false, slab_debug: 'FZ,kmalloc-64' });
    expect((await machine(`${ZONES}build:\n  preempt_rt: true\n`)).build).toEqual({
      ...DEFAULT_BUILD,
      preempt_rt: true,
    });
    expect(await machine('memory: 4GiB\n')).not.toHaveProperty('build');
  });

  test.each([
    [
      'build key',
      'memory: 4GiB\nbuild:\n  premt_rt: true\n',
      /machine.yaml:3:3 {2}unknown key "premt_rt"; did you mean preempt_rt\?/,
    ],
    ['build value', 'memory: 4GiB\nbuild:\n  smp: 1\n', /machine.yaml:3:3 {2}build.smp 1/],
    [
      'one processor',
      'memory: 4GiB\ncpus: 2\nbuild:\n  smp: false\n',
      /machine.yaml:4:3 {2}build.smp false: a kernel for one processor has one CPU, this machine has 2/,
    ],
    [
      'slab_debug',
      'memory: 4GiB\nbuild:\n  slab_debug: FQ\n',
      /machine.yaml:3:3 {2}build.slab_debug "FQ": unknown option "q"/,
    ],
    [
      'tiny debug',
      'memory: 4GiB\nbuild:\n  slub_tiny: true\n  slab_debug: F\n',
      /machine.yaml:4:3 {2}build.slab_debug "F": a SLUB_TINY kernel/,
    ],
    ['size', 'memory: 4GB\n', /machine.yaml:1:1 {2}memory 4GB: expected a size with its unit/],
    ['tiny', 'memory: 1MiB\n', /machine.yaml:1:1 {2}too little memory/],
    ['key', 'memory: 4GiB\ncpu: 3\n', /machine.yaml:2:1 {2}unknown key "cpu"; did you mean cpus\?/],
    ['both', `memory: 4GiB\n${ZONES}`, /given by memory or by zones, not both/],
    ['neither', 'cpus: 4\n', /is not a machine: expected memory/],
    ['zone name', ZONES.replace('zone: Normal', 'zone: Nrmal'), /machine.yaml:6:\d+ {2}zones.2.zone "Nrmal"/],
    ['missing', ZONES.replace('start_pfn: 4096, ', ''), /zones.1.start_pfn is missing/],
    ['pfn 0', ZONES.replace('start_pfn: 1,', 'start_pfn: 0,'), /PFN 0 is never handed to the allocator/],
    [
      'managed',
      ZONES.replace('managed_pages: 3840', 'managed_pages: 3999'),
      /managed_pages is more than present_pages/,
    ],
    [
      'overlap',
      ZONES.replace('start_pfn: 4096', 'start_pfn: 4000'),
      /zones\[1\]: overlaps zone DMA of its node/,
    ],
    [
      'order',
      ZONES.replace('node: 1, zone: Normal', 'node: 0, zone: DMA'),
      /list zones by node, then from DMA/,
    ],
    ['twice', ZONES.replace('node: 1, zone: Normal', 'node: 0, zone: DMA32'), /there twice/],
    [
      'distances',
      `${ZONES}node_distances: [[10, 20], [20, 11]]\n`,
      /node_distances\[1\]: expected 2 numbers, 10 in column 1/,
    ],
    ['cpu', `${ZONES.replace('1, 1]', '1, 2]')}node_distances: [[10, 20], [20, 10]]\n`, /there is no node 2/],
  ])('%s: one line with its place', async (_, text, message) => {
    const error = await machine(text).catch((caught: unknown) => caught as Error);
    expect(error).toMatchObject({ name: 'InputError', message: expect.stringMatching(message) });
    expect((error as Error).message).not.toContain('\n');
  });

  test('a missing file is a wrong call', async () => {
    await expect(readMachineFile('no-such-machine.yaml')).rejects.toMatchObject({ name: 'UsageError' });
  });
});
