/** The program as a user runs it: real traces in, tables, kernel texts and documents out. */
import { once } from 'node:events';
import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stripVTControlCharacters } from 'node:util';
import { beforeAll, describe, expect, test } from 'vitest';
import { POLICY_PRESET_NAMES } from '../../src/config/policy-presets.js';
import { resultSchema } from '../../src/report/result-schema.js';
import type { RunResult } from '../../src/report/run-result.js';
import { verifySchema } from '../../src/report/verify-schema.js';
import { parseBuddyinfo } from '../../src/trace/recording/snapshot/buddyinfo.js';
import { parsePagetypeinfo } from '../../src/trace/recording/snapshot/pagetypeinfo.js';
import { parseVmstat } from '../../src/trace/recording/snapshot/vmstat.js';
import { parseZoneinfo } from '../../src/trace/recording/snapshot/zoneinfo.js';
import { outcomeOf, spbsim, spbsimIn, spbsimIntoClosedPipe, start } from './spbsim.js';

const repository = fileURLToPath(new URL('../../', import.meta.url));
const RECORDING = join(repository, 'test/trace/data/recording');
const FS_CHURN = join(repository, 'workloads/fs-churn');
const FIRST_STEPS = join(repository, 'workloads/csv/first-steps.csv');
const TWO_CPUS = join(repository, 'workloads/csv/two-cpus.csv');

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'spbsim-e2e-'));
});

async function runJson(...args: string[]): Promise<RunResult> {
  const { code, stdout, stderr } = await spbsim('run', ...args, '--json');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return resultSchema.parse(JSON.parse(stdout));
}

/** The texts of `--proc`, by the path that each stands under. */
function procTexts(stdout: string): Map<string, string> {
  const parts = stdout.split(/^==> (.+) <==\n/m);
  const texts = new Map<string, string>();
  for (let i = 1; i < parts.length; i += 2) texts.set(parts[i]!, parts[i + 1]!);
  return texts;
}

describe.each(POLICY_PRESET_NAMES)('%s', (policy) => {
  test('the bundled recording, in tables', async () => {
    const { code, stdout, stderr } = await spbsim('run', FS_CHURN, '--policy', policy, '--map');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(
      new RegExp(`^fs-churn   Linux 6\\.18\\.44, 2 CPUs, 1 node, 8\\.34 GiB managed   policy ${policy}`),
    );
    expect(stdout).toContain('start state: kpageflags');
    expect(stdout).toMatch(/^182,403 events over 2\.56 s \(traced\)/m);
    expect(stdout).toMatch(
      /^Allocations +order 0 +1 +2 +3 +4-8 +9-10 +failed +task +softirq +hardirq +nmi\n {2}unmovable/m,
    );
    expect(stdout).toMatch(
      /^Fragmentation +managed +free .* unus o3 +o9 +o10 .*blk U +M +R +H +empty\n {2}node 0 DMA /m,
    );
    expect(stdout).toContain('56 frees of pages that were in use before the trace began');
    expect(stdout).toContain('Pageblocks\n');
    for (const line of stdout.split('\n')) expect(line.length, line).toBeLessThanOrEqual(110);
    // Blocks that the kernel never gave to the allocator are no memory.
    expect(stdout).toMatch(/^ +DMA32 +2\.95 GiB .* 1,52\d +\d+ +0 +1,5\d\d$/m);
  });

  test('--proc prints what the document says, in the words of that kernel', async () => {
    const args = [TWO_CPUS, '--policy', policy, '--memory', '8GiB', '--nodes', '2', '--cpus', '2'];
    const result = await runJson(...args);
    const { stdout } = await spbsim('run', ...args, '--proc');
    const texts = procTexts(stdout);
    const zonesOf = (name: string) => texts.get(name)!;

    const buddyinfo = parseBuddyinfo(zonesOf('/proc/buddyinfo'), 'buddyinfo');
    expect(buddyinfo.map((zone) => [...zone.free])).toEqual(result.zones.map((zone) => zone.buddyinfo));

    const pagetypeinfo = parsePagetypeinfo(zonesOf('/proc/pagetypeinfo'), 'pagetypeinfo');
    expect(pagetypeinfo.types).toHaveLength(result.migratetypes.length);
    expect(pagetypeinfo.free.map((row) => [...row.free])).toEqual(
      result.zones.flatMap((zone) => zone.pagetype),
    );
    const blocks = pagetypeinfo.blocks.map((row) => pagetypeinfo.types.map((type) => row.blocks[type]));
    expect(blocks).toEqual(result.zones.map((zone) => zone.pageblocks));

    const vmstat = parseVmstat(zonesOf('/proc/vmstat'), 'vmstat');
    for (const name of ['pgfree', 'pgalloc_normal', 'compact_stall', 'oom_kill'])
      expect(vmstat.get(name), name).toBe(result.vmstat[name]);

    const zoneinfo = parseZoneinfo(zonesOf('/proc/zoneinfo'), 'zoneinfo');
    const populated = zoneinfo.zones.filter((zone) => zone.managed > 0);
    expect(
      populated.map(({ free, managed, spanned, pagesets }) => ({
        free,
        managed,
        spanned,
        counts: pagesets.map(({ count, high, batch }) => ({ count, high, batch })),
      })),
    ).toEqual(
      result.zones.map((zone) => ({
        free: zone.free_pages,
        managed: zone.managed_pages,
        spanned: zone.spanned_pages,
        counts: zone.pcp.map(({ count, high, batch }) => ({ count, high, batch })),
      })),
    );
    expect([...texts.keys()]).toEqual(
      expect.arrayContaining([
        '/sys/kernel/debug/extfrag/unusable_index',
        '/sys/kernel/debug/extfrag/extfrag_index',
      ]),
    );
  });

  test.runIf(policy.startsWith('mainline-'))('--check, --series and the pinned mode', async () => {
    const series = await runJson(
      FS_CHURN,
      '--policy',
      policy,
      '--mode',
      'pinned',
      '--check',
      '--series',
      '200ms',
    );
    expect(series.mode).toBe('pinned');
    expect(series.series).toHaveLength(12);
    expect(series.findings_total.illegal_pfn).toBeUndefined();
    const { stdout } = await spbsim('run', FIRST_STEPS, '--policy', policy, '--series', '100ms', '--check');
    expect(stdout).toMatch(/^Series\n +at +zone +free/m);
  });

  test.skipIf(policy.startsWith('mainline-'))(
    'the pinned mode is no way to run superpageblocks',
    async () => {
      const { code, stderr } = await spbsim('run', FS_CHURN, '--policy', policy, '--mode', 'pinned');
      expect({ code, stderr }).toEqual({
        code: 2,
        stderr: `--mode pinned follows a kernel that had no superpageblocks: leave it out, or take a mainline policy instead of ${policy}\n`,
      });
      const { stdout } = await spbsim('run', FS_CHURN, '--policy', policy, '--series', '500ms', '--check');
      expect(stdout).toMatch(/^Superpageblocks +total/m);
    },
  );
});

describe('import', () => {
  test.each([
    ['a recording', RECORDING],
    ['tracefs text of 6.1', join(repository, 'test/trace/data/tracefs-6.1-mem.txt')],
    ['a trace CSV', TWO_CPUS],
  ])('%s: the CSV runs as the original does', async (_, input) => {
    const csv = join(directory, 'imported.csv.gz');
    const imported = await spbsim('import', input, '-o', csv);
    expect(imported).toMatchObject({ code: 0, stdout: '' });
    expect(imported.stderr).toMatch(/ -> .*imported\.csv\.gz {3}[\d,]+ events {3}[\d.,]+ \w+ {3}Linux /);
    const machine = ['--memory', '4GiB', '--cpus', '2'];
    const [original, copy] = await Promise.all([runJson(input, ...machine), runJson(csv, ...machine)]);
    expect(copy.allocations).toEqual(original.allocations);
    expect(copy.zones.map((zone) => zone.buddyinfo)).toEqual(original.zones.map((zone) => zone.buddyinfo));
    expect(copy.vmstat).toEqual(original.vmstat);
  });

  test('to stdout, and from there into a run', async () => {
    const { stdout } = await spbsim('import', RECORDING, '-o', '-');
    expect(stdout.split('\n')[0]).toBe(
      'ts,cpu,ctx,op,id,order,gfp,node,pfn,memcg,site,cache,size,depth,at,arg',
    );
    await writeFile(join(directory, 'piped.csv'), stdout);
    expect((await runJson(join(directory, 'piped.csv'))).span.events).toBe(
      stdout.trimEnd().split('\n').length - 1,
    );
  });
});

describe('verify', () => {
  test('the bundled recording: every PFN legal, and the document valid', async () => {
    const { code, stdout } = await spbsim('verify', FS_CHURN, '--min-agreement', '99.9%', '--json');
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /^\{\n {2}"schema": "spbsim\.verify\/1",\n {2}"agreement": 1,\n {2}"compared": 72820,\n/,
    );
    expect(verifySchema.parse(JSON.parse(stdout)).recording!.legality.legal).toBe(72_820);
  });

  test('a policy of another kernel differs, and that is exit 1', async () => {
    const run = join(repository, 'test/oracle/data/6.1.192/oracle-micro/mixed_orders-2.jsonl.xz');
    expect((await spbsim('verify', run)).code).toBe(0);
    const { code, stdout, stderr } = await spbsim('verify', run, '--policy', 'mainline-7.2');
    expect({ code, stderr }).toEqual({ code: 1, stderr: '' });
    expect(stdout).toMatch(/^ {2}first +op [\d,]+ {2}alloc order \d .* on CPU 0: kernel \S+, model \S+$/m);
    const enough = await spbsim('verify', run, '--policy', 'mainline-7.2', '--min-agreement', '0.1');
    expect(enough.code).toBe(0);
    const strict = await spbsim('verify', run, '--policy', 'mainline-7.2', '--min-agreement', '100%');
    expect(strict.code).toBe(1);
    expect(strict.stderr).toMatch(/^agreement 0\.\d+ is below --min-agreement 1\n$/);
  });
});

describe('how output behaves', () => {
  test('into a pipe there are no escape codes and no progress', async () => {
    for (const args of [
      ['run', FIRST_STEPS, '--map', '--proc'],
      ['policy', 'list'],
      ['--help'],
      ['verify', RECORDING],
    ]) {
      const { stdout, stderr } = await spbsim(...args);
      expect(stdout).not.toContain('\u001b');
      expect(stderr).toBe('');
    }
  });

  test('FORCE_COLOR and NO_COLOR are heeded', async () => {
    const withEnv = async (env: Record<string, string>) =>
      (await outcomeOf(start(['run', FIRST_STEPS], { env }))).stdout;
    expect(await withEnv({ NO_COLOR: '1' })).not.toContain('\u001b');
    const coloured = await withEnv({ FORCE_COLOR: '1' });
    expect(coloured).toContain('\u001b[');
    // Colour changes nothing else: lines break where they would without it.
    const lines = stripVTControlCharacters(coloured).split('\n');
    expect(lines[0]).toBe((await withEnv({ NO_COLOR: '1' })).split('\n')[0]);
  });

  test.each([
    [['run', FIRST_STEPS, '--json']],
    [['run', FS_CHURN, '--json']],
    [['policy', 'show', '--docs']],
  ])('%j | head is quiet', async (args) => {
    expect(await spbsimIntoClosedPipe(...args)).toEqual({ code: 0, stderr: '' });
  });

  test('the same command gives the same document, timings aside', async () => {
    const [first, second] = await Promise.all([runJson(TWO_CPUS), runJson(TWO_CPUS)]);
    expect({ ...second, performance: null }).toEqual({ ...first, performance: null });
  });

  test('the trace may come from stdin, and is known by its digest like a file', async () => {
    const csv = await readFile(FIRST_STEPS, 'utf8');
    const fifo = await spbsimIn(directory, 'run', FIRST_STEPS, '--json');
    const { spawn } = await import('node:child_process');
    const child = spawn(process.execPath, [join(repository, 'bin/spbsim.js'), 'run', '-', '--json'], {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    child.stdin.end(csv);
    const piped = JSON.parse((await outcomeOf(child)).stdout) as RunResult;
    const named = JSON.parse(fifo.stdout) as RunResult;
    expect(piped.inputs).toEqual(named.inputs.map((input) => ({ ...input, path: '-' })));
    expect(piped.inputs[0]!.sha256).toMatch(/^[\da-f]{64}$/);
    expect(piped.zones).toEqual(named.zones);
  });
});

test('an interrupt ends a long run with what there is, and 130', async () => {
  const path = join(directory, 'long.csv');
  const rows = Array.from({ length: 400_000 }, (_, i) => `alloc,a${i}\nfree,a${i}`);
  await writeFile(path, `op,id\n${rows.join('\n')}\n`);
  const child = start(['run', path, path, path, path, '--json']);
  const outcome = outcomeOf(child);
  await once(child, 'spawn');
  await new Promise((resolve) => setTimeout(resolve, 1200));
  child.kill('SIGINT');
  const { code, stdout, stderr } = await outcome;
  expect({ code, stderr }).toEqual({ code: 130, stderr: '' });
  const result = resultSchema.parse(JSON.parse(stdout));
  expect(result.interrupted).toBe(true);
  expect(result.span.events).toBeLessThan(3_200_000);
});
