/** The synthetic traces of workloads/gen: made again by the commands of the README, small, and fit to be run. */
import { mkdtemp, readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { main } from '../../src/cli/main.js';
import { machineFromSize } from '../../src/config/machine-by-size.js';
import { resolvePolicy } from '../../src/config/resolve-policy.js';
import { parseSizePages } from '../../src/config/size.js';
import { WORKLOADS } from '../../src/gen/generate.js';
import { runTraces } from '../../src/sim/run-trace.js';

const WORKLOADS_DIRECTORY = fileURLToPath(new URL('../../workloads/', import.meta.url));
const BUNDLED = join(WORKLOADS_DIRECTORY, 'gen');
const MAX_BYTES = 200 << 10;

const readme = await readFile(join(WORKLOADS_DIRECTORY, 'README.md'), 'utf8');
/** Words of each command, `spbsim` left out. */
const commands = readme
  .replace(/\\\n/g, '')
  .split('\n')
  .filter((line) => /^ {4}spbsim gen .* -o workloads\/gen\//.test(line))
  .map((line) => line.trim().split(/ +/).slice(1));

beforeEach(() => {
  vi.spyOn(process.stderr, 'write').mockReturnValue(true);
});
afterEach(() => {
  vi.restoreAllMocks();
});

test('the README has a command for every file, and there is a file of every workload', async () => {
  const made = commands.map((words) => basename(words.at(-1) as string)).sort();
  expect(await readdir(BUNDLED)).toEqual(made);
  expect(made).toEqual([...WORKLOADS.keys()].map((name) => `${name}.csv.gz`).sort());
});

test.each(commands.map((words) => [basename(words.at(-1) as string), words] as const))(
  '%s is what its command makes',
  async (name, words) => {
    const path = join(await mkdtemp(join(tmpdir(), 'spbsim-gen-')), name);
    await main(['node', 'spbsim', ...words.slice(0, -1), path]);
    expect(process.exitCode ?? 0).toBe(0);
    const bundled = await readFile(join(BUNDLED, name));
    expect(bundled.length).toBeLessThanOrEqual(MAX_BYTES);
    expect(gunzipSync(await readFile(path)).equals(gunzipSync(bundled))).toBe(true);
  },
);

test.each(commands.map((words) => [basename(words.at(-1) as string), words] as const))(
  '%s runs on the machine that it was made for, and on a larger one',
  async (name, words) => {
    const memory = words[words.indexOf('--memory') + 1];
    for (const size of [memory, '4GiB']) {
      const result = await runTraces({
        inputs: [join(BUNDLED, name)],
        policy: await resolvePolicy('mainline-6.18', []),
        machine: machineFromSize({ memory_pages: parseSizePages(size, '--memory'), cpus: 4 }),
        mode: 'free',
        check: false,
        open: {},
        seed: 1,
      });
      const noted = result.notes.map(({ name: note }) => note);
      for (const mistake of ['unknown_frees', 'duplicate_ids', 'order_mismatches', 'cpus_outside_machine'])
        expect(noted).not.toContain(mistake);
      const failed = result.allocations.reduce((sum, row) => sum + row.failed, 0);
      expect(failed).toBeLessThan(result.span.events / 200);
      expect(result.vmstat.oom_kill).toBe(0);
    }
  },
);
