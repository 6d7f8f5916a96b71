/** A policy against itself: whatever the trace, nothing differs, no page is another, and nothing is to be explained. */
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { machineFromSize } from '../../src/config/machine-by-size.js';
import { POLICY_PRESET_NAMES } from '../../src/config/policy-presets.js';
import { resolvePolicy } from '../../src/config/resolve-policy.js';
import { renderDiff } from '../../src/report/diff/diff-text.js';
import { runDiff } from '../../src/sim/diff/run-diff.js';
import { fileOf } from '../sim/support.js';
import { busyTables, csvText } from './traces.js';

const RECORDING = fileURLToPath(new URL('../trace/data/recording', import.meta.url));
const GENERATED = 'gen:syzkaller-mix:memory=256MiB,cpus=2,duration=2s,events=4000';

const BASES: ReadonlySet<string> = new Set(['mainline-6.18', 'spb-v2']);

async function selfDiff(policy: string, trace: string, memory_pages: number | undefined, cpus = 2) {
  const machine = memory_pages === undefined ? undefined : machineFromSize({ memory_pages, cpus });
  const side = { policy: await resolvePolicy(policy, []), machine };
  return runDiff({
    kind: 'policies',
    sides: [
      { label: 'a', ...side },
      { label: 'b', ...side },
    ],
    traces: [trace],
    seeds: trace === GENERATED ? [1, 2] : [1],
    open: {},
    check: false,
    explains: true,
  });
}

describe.each(POLICY_PRESET_NAMES)('%s', (policy) => {
  test('against itself: an empty difference', async () => {
    const cases: [trace: string, memory_pages?: number, cpus?: number][] = [[RECORDING], [GENERATED]];
    // All of them for the presets that others are made from; they take a while.
    const tables = BASES.has(policy) ? busyTables() : busyTables().slice(0, 2);
    for (const [table, { memory_mib = 64, cpus = 2 }] of tables)
      cases.push([await fileOf(`${table.name}.csv`, csvText(table)), memory_mib * 256, cpus]);
    for (const [trace, memory_pages, cpus] of cases) {
      const result = await selfDiff(policy, trace, memory_pages, cpus);
      const { equal, ...others } = result.counts;
      expect(equal).toBeGreaterThan(100);
      expect(others).toEqual({ better: 0, worse: 0, unclear: 0, changed: 0, only_a: 0, only_b: 0 });
      const [each] = result.cases;
      expect(each).toMatchObject({ same_pages: true, first_difference: null });
      expect(each!.events).toBeGreaterThan(100);
      for (const { a, b } of each!.map) expect(a).toEqual(b);
      expect(result.knobs).toEqual([]);
      expect(renderDiff(result)).toMatch(
        /\n\nno difference: all \d+ metrics are equal, and every event was about the same page\n$/,
      );
    }
  });
});
