/** `spbsim explain` as a user runs it: small traces in, the lines that answer the question out. */
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import { explainSchema } from '../../src/report/explain-schema.js';
import { spbsim } from './spbsim.js';

const FRAGMENTATION = fileURLToPath(new URL('../../workloads/csv/fragmentation.csv', import.meta.url));
const FS_CHURN = fileURLToPath(new URL('../../workloads/fs-churn', import.meta.url));
const MACHINE = ['--memory', '4GiB', '--cpus', '2'];

let trace: string;
beforeAll(async () => {
  trace = join(await mkdtemp(join(tmpdir(), 'spbsim-explain-')), 'story.csv');
  await writeFile(
    trace,
    `op,id,order,gfp,arg,ctx
alloc,m0,0,GFP_HIGHUSER_MOVABLE,,task
mark,,,,half way,task
alloc,u0,0,GFP_KERNEL,,task
alloc,u1,0,GFP_KERNEL,,softirq
free,u1,0,,,task
`,
  );
});

/** What the command prints where all is well. */
async function explained(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await spbsim('explain', ...args);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(100);
  return stdout;
}

describe('mainline-6.18', () => {
  test('an unmovable page out of a claimed block', async () => {
    expect(await explained(trace, ...MACHINE, '--event', '2')).toBe(
      `#2   at 2.0 us   CPU 0, task   alloc order 0   id u0
story.csv   policy mainline-6.18   machine: --memory 4GiB --cpus 2   start state: fresh

  request           N: unmovable   1 page   may reclaim
  gfp               GFP_KERNEL
  zonelist          node 0 Normal, node 0 DMA32, node 0 DMA

  fast path         mark low   NOFRAGMENT, KSWAPD
    node 0 Normal   passes: 257,997 free > high 6,405 + reserve 0
      CPU list      unmovable list of CPU 0, order 0   empty
      refill        126 chunks wanted, 126 came
        claim       took pfn 0x101400   movable list, out of a chunk of order 10
                    its block is unmovable now
        lists       took pfn 0x101401 first, 0x10147d last   125 times
                    unmovable list, out of chunks of order 0 to 6

  outcome           1 page at pfn 0x101400, node 0 Normal
  changes
    superpageblocks 0x100000: clean -> tainted
    pageblocks      0x101400 movable -> unmovable   0x101600 movable -> unmovable
    zones           node 0 Normal: -1 free
    counters        pgalloc_normal +1
`,
    );
  });

  test('the next one comes from the list of the CPU, and goes back there', async () => {
    const served = await explained(trace, ...MACHINE, '--id', 'u1');
    expect(served).toContain('#3   at 3.0 us   CPU 0, softirq   alloc order 0   id u1\n');
    expect(served).toMatch(/CPU list .* 125 chunks\n +the first one serves it: nothing was searched\n\n/);
    expect(await explained(trace, ...MACHINE, '--event', '4')).toContain(
      'to the unmovable list of CPU 0, which holds 125 chunks now\n',
    );
  });

  test('a request of a recording, in the words of its kernel', async () => {
    const text = await explained(FS_CHURN, '--event', '5000');
    expect(text).toMatch(/^#5,000 .* recorded pfn 0x154ce7\nfs-churn .* start state: kpageflags\n/);
    expect(text).toContain('GFP_HIGHUSER|__GFP_ACCOUNT\n');
  });
});

describe('spb-v2', () => {
  test('the same request goes through the passes, and taints an empty superpageblock', async () => {
    expect(await explained(trace, ...MACHINE, '--event', '2', '--policy', 'spb-v2')).toBe(
      `#2   at 2.0 us   CPU 0, task   alloc order 0   id u0
story.csv   policy spb-v2   machine: --memory 4GiB --cpus 2   start state: fresh

  request           N: unmovable   1 page   may reclaim
  gfp               GFP_KERNEL
  zonelist          node 0 Normal, node 0 DMA32, node 0 DMA

  fast path         mark low   NOFRAGMENT, KSWAPD
    node 0 Normal   passes: 257,985 free > high 6,405 + reserve 0
      no search     no superpageblock is tainted or empty, and it must not taint one
    node 0 DMA32    passes: 758,848 free > high 18,841 + reserve 1,008
      CPU list      unmovable list of CPU 0, order 0   empty
      refill        63 chunks wanted, 63 came
        own blocks  nothing
        whole block nothing
          passes    1, 2: nothing fits
        adopt       nothing
        passes      1, 2, 2b, 2c, 2d: nothing fits
        pass 3      took pfn 0x40000   movable list, out of a chunk of order 10: relabelled
                    superpageblock 0x40000 (tainted/almost_empty)
        pass 1      took pfn 0x40200 first, 0x4001e last   62 times
                    unmovable list, out of chunks of order 0 to 9: as it is
                    superpageblock 0x40000 (tainted/almost_empty)

  outcome           1 page at pfn 0x40000, node 0 DMA32
  changes
    superpageblocks 0x40000: empty -> tainted, list empty -> tainted/almost_empty
    contents        0x40000: 2 pageblocks begin to hold unmovable pages (the first there)
    pageblocks      0x40000 movable -> unmovable   0x40200 movable -> unmovable
    zones           node 0 DMA32: -1 free
    counters        pgalloc_dma32 +1
`,
    );
  });
});

test('--json prints the document and nothing else', async () => {
  const { code, stdout, stderr } = await spbsim('explain', trace, ...MACHINE, '--id', 'u0', '--json');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(explainSchema.parse(JSON.parse(stdout))).toMatchObject({
    schema: 'spbsim.explain/1',
    inputs: [trace],
    event: { number: 2, id: 'u0' },
    outcome: { result: 'allocated', pfn: 0x101400 },
  });
});

test('several inputs are one stream', async () => {
  const text = await explained(trace, trace, '--join', 'append', '--id', 'u0', '--nth', '2');
  expect(text).toContain('#7 ');
});

describe('mistakes', () => {
  test.each<[string, string[], string]>([
    ['no event', [], 'name one event: by its number (--event N) or by the id that it allocates (--id X)'],
    ['two', ['--event', '1', '--id', 'u0'], 'name one event: by its number'],
    ['--nth alone', ['--event', '1', '--nth', '2'], '--nth counts the allocations of an id'],
    ['no number', ['--event', 'u0'], '--event u0: expected a whole number of at least 0'],
    ['beyond the end', ['--event', '5'], '--event 5: the trace has 5 events, 0 to 4'],
    ['a mark', ['--event', '1'], 'event 1 is mark "half way": no page allocation or free'],
    ['unknown id', ['--id', 'u3'], '--id "u3": no object of the trace has this id; did you mean "u0"?'],
    ['pinned', ['--event', '1', '--mode', 'pinned'], "unknown option '--mode'"],
  ])('%s', async (_, args, message) => {
    const { code, stdout, stderr } = await spbsim('explain', trace, ...args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(message);
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
  });

  test('an input that is no trace', async () => {
    expect(await spbsim('explain', `${trace}.missing`, '--event', '1')).toMatchObject({
      code: 3,
      stdout: '',
    });
  });

  test('an id that would write to the terminal', async () => {
    const { code, stderr } = await spbsim('explain', FRAGMENTATION, '--id', '\u001b[2Jx');
    expect(code).toBe(2);
    expect(stderr).toMatch(/^--id "x": no object of the trace has this id/);
  });
});

test('the help starts with examples and lists the exit codes', async () => {
  const { code, stdout } = await spbsim('explain', '--help');
  expect(code).toBe(0);
  expect(stdout).toMatch(/^Examples:\n {2}spbsim explain /);
  expect(stdout).toContain('130  interrupted');
  for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(100);
});

test('the schema of the document is printed', async () => {
  const { code, stdout } = await spbsim('schema', 'explain');
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ title: 'spbsim.explain/1' });
});
