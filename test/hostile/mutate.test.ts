/** The mutator, for a while: docs/hostile-input.md says how to run it for longer. Needs the built program. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const MUTATE = fileURLToPath(new URL('./mutate.mjs', import.meta.url));
const CASES = 20_000;
/** What all jobs together may take; they hold the samples and the program twice. */
const MEMORY_MB = 900;

interface Summary {
  readonly cases: number;
  readonly failures: number;
  readonly peak_rss_mb: number;
  readonly kinds: readonly { readonly kind: string; readonly cases: number; readonly refused: number }[];
}

describe('damaged samples', () => {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [MUTATE, '--count', String(CASES), '--seed', '20261120'],
    { encoding: 'utf8', maxBuffer: 1 << 26 },
  );
  const summary = JSON.parse(stdout || '{}') as Summary;

  test('none of them crashes, hangs, or gives what cannot be', () => {
    expect(stderr).toBe('');
    expect({ status, cases: summary.cases, failures: summary.failures }).toEqual({
      ...{ status: 0, cases: CASES, failures: 0 },
    });
  });

  test('memory stays bounded', () => {
    expect(summary.peak_rss_mb).toBeLessThan(MEMORY_MB);
  });

  test('of every kind some are refused and some are read', () => {
    expect(summary.kinds.length).toBeGreaterThanOrEqual(14);
    for (const { kind, cases, refused } of summary.kinds) {
      expect(refused, kind).toBeGreaterThan(0);
      expect(refused, kind).toBeLessThan(cases);
    }
  });
});
