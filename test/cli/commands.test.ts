/**
 * What the commands hand to the engines and what they make of the answers; the engines themselves are stood in for.
 */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { main } from '../../src/cli/main.js';
import { machineFromSize } from '../../src/config/machine-by-size.js';
import { InvariantError } from '../../src/mm/invariant.js';
import { runTraces } from '../../src/sim/run-trace.js';
import { verifyInput } from '../../src/sim/verify/verify-input.js';
import { DEFAULT_LIMITS } from '../../src/trace/limits.js';
import { sampleResult } from '../report/sample-result.js';
import { sampleVerify } from '../report/sample-verify.js';

vi.mock('../../src/sim/run-trace.js', () => ({ runTraces: vi.fn() }));
vi.mock('../../src/sim/verify/verify-input.js', () => ({ verifyInput: vi.fn() }));

let stdout = '';
let stderr = '';
beforeEach(() => {
  stdout = '';
  stderr = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    stdout += text;
    return true;
  });
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    stderr += text;
    return true;
  });
  vi.mocked(runTraces).mockReset().mockResolvedValue(sampleResult());
  vi.mocked(verifyInput).mockReset().mockResolvedValue(sampleVerify());
});
afterEach(() => {
  vi.restoreAllMocks();
  process.exitCode = undefined;
});

async function spbsim(...args: string[]): Promise<number> {
  process.exitCode = undefined;
  await main(['node', 'spbsim', ...args]);
  return Number(process.exitCode ?? 0);
}

describe('run', () => {
  test('without options leaves the machine to the recording', async () => {
    expect(await spbsim('run', 'a.csv', 'b.csv')).toBe(0);
    expect(vi.mocked(runTraces).mock.calls[0]![0]).toMatchObject({
      inputs: ['a.csv', 'b.csv'],
      policy: { name: 'mainline-6.18', overrides: [] },
      machine: undefined,
      mode: 'free',
      check: false,
      open: { maxErrors: 20, skipInvalid: false, strict: false, kernel: undefined, limits: DEFAULT_LIMITS },
      join: 'time',
      max_machine_pages: undefined,
      seed: 1,
    });
    expect(stdout).toContain('Allocations ');
    expect(stdout).not.toContain('==> ');
  });

  test('hands on everything that was asked for', async () => {
    const options =
      '--policy mainline-7.2 --set pcp.batch_scale_max=4 --set reclaim.swap=on --memory 8GiB --nodes 2 --cpus 4 ' +
      '--mode pinned --from 1.5s --to 2s --series 200ms --check --max-errors 3 --skip-invalid --seed 7 ' +
      '--strict --kernel 6.1 --join append --max-line 64KiB --max-record 2m --max-strings 100 --max-string-bytes 1GiB ' +
      '--max-ratio 7 --max-unpacked 1024 --max-machine 1TiB';
    await spbsim('run', 'a.csv', ...options.split(' '));
    const request = vi.mocked(runTraces).mock.calls[0]![0];
    expect(request).toMatchObject({
      policy: { name: 'mainline-7.2', policy: { 'pcp.batch_scale_max': 4, 'reclaim.swap': true } },
      machine: machineFromSize({ memory_pages: 2 ** 21, nodes: 2, cpus: 4 }),
      machineOrigin: '--memory 8GiB --nodes 2 --cpus 4',
      mode: 'pinned',
      from_ns: 1.5e9,
      to_ns: 2e9,
      series_ns: 2e8,
      check: true,
      open: {
        maxErrors: 3,
        skipInvalid: true,
        strict: true,
        kernel: '6.1',
        limits: {
          line_bytes: 1 << 16,
          record_bytes: 2 << 20,
          strings: 100,
          string_bytes: 1 << 30,
          inflation_ratio: 7,
          inflated_bytes: 1024,
        },
      },
      join: 'append',
      max_machine_pages: 2 ** 28,
      seed: 7,
    });
  });

  test('--json prints the document and nothing else', async () => {
    await spbsim('run', 'a.csv', '--json', '--map');
    expect(JSON.parse(stdout)).toEqual(sampleResult());
  });

  test('--map, --series and --proc follow the summary', async () => {
    await spbsim('run', 'a.csv', '--proc', '--map', '--series', '1s');
    const places = ['Allocations', 'Pageblocks', 'Series', '==> /proc/buddyinfo <=='].map((text) =>
      stdout.indexOf(text),
    );
    expect(places).toEqual([...places].sort((a, b) => a - b));
    expect(places[0]).toBeGreaterThan(0);
  });

  test('an interrupted run prints what there is and exits with 130', async () => {
    vi.mocked(runTraces).mockImplementation(async ({ signal }) => {
      process.emit('SIGINT');
      return sampleResult({ interrupted: signal?.aborted ?? false });
    });
    expect(await spbsim('run', 'a.csv')).toBe(130);
    expect(stdout).toContain('interrupted: what follows is of the part that ran');
    expect(process.listenerCount('SIGINT')).toBe(0);
  });

  test('a broken invariant is 4, with its stack and reproducer', async () => {
    vi.mocked(runTraces).mockRejectedValue(
      Object.assign(new InvariantError('lost page'), { reproducer: 'r.csv' }),
    );
    expect(await spbsim('run', 'a.csv')).toBe(4);
    expect(stderr).toContain('InvariantError: lost page');
    expect(stderr).toContain('reproducer: r.csv');
    expect(stdout).toBe('');
  });
});

describe('verify', () => {
  test('without --policy the engine chooses, and gets the overrides', async () => {
    expect(await spbsim('verify', 'x', '--set', 'pcp.batch_scale_max=4', '--check')).toBe(0);
    expect(vi.mocked(verifyInput).mock.calls[0]![0]).toMatchObject({
      input: 'x',
      policy: undefined,
      overrides: ['pcp.batch_scale_max=4'],
      check: true,
    });
  });

  test.each([
    [0.9995, '99.9%', 0],
    [0.999, '0.999', 0],
    [0.9985, '99.9%', 1],
    [1, '1', 0],
    [0.5, '1', 1],
  ])('agreement %d with --min-agreement %s exits with %i', async (agreement, minimum, code) => {
    vi.mocked(verifyInput).mockResolvedValue(sampleVerify({ agreement }));
    expect(await spbsim('verify', 'x', '--min-agreement', minimum, '--json')).toBe(code);
    expect(JSON.parse(stdout)).toMatchObject({ agreement });
    expect(stderr.includes('is below --min-agreement')).toBe(code === 1);
  });

  test.each([
    ['oracle', 1],
    ['recording', 0],
  ] as const)('a difference without --min-agreement: for an %s it exits with %i', async (kind, code) => {
    vi.mocked(verifyInput).mockResolvedValue(sampleVerify({ kind, agreement: 0.1, matched: 1 }));
    expect(await spbsim('verify', 'x')).toBe(code);
    expect(stdout).toContain('model differs from the kernel');
  });

  test('an oracle run whose last lists differ fails, though every PFN was right', async () => {
    const [first] = sampleVerify().checkpoints;
    vi.mocked(verifyInput).mockResolvedValue(sampleVerify({ checkpoints: [{ ...first!, equal: 599 }] }));
    expect(await spbsim('verify', 'x')).toBe(1);
  });
});
