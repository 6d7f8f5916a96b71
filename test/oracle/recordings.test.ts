/**
 * The model against recordings of live machines. Their lists are not known exactly, but the PFNs that the kernel handed
 * out are, and its own tables from before and after.
 */
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { VerifyRecording, VerifyResult } from '../../src/report/verify-result.js';
import { buddyinfoError, predictedBursts, verify } from './agreement.js';
import { BUNDLED, directories, FS_CHURN, KERNELS, NEEDS_REFERENCE, REFERENCE } from './material.js';

/** What a recording must reach, as shares. */
const LEGAL = 0.999;
const BUDDYINFO_ERROR = 0.01;
const BURSTS = 0.95;

function recordingOf(result: VerifyResult): VerifyRecording {
  expect(result.kind).toBe('recording');
  return result.recording!;
}

describe('the bundled recording fs-churn', async () => {
  const result = await verify(FS_CHURN);
  const recording = recordingOf(result);

  test('hands out no page that the model holds to be in use', () => {
    expect(result).toMatchObject({ agreement: 1, policy: { name: 'mainline-6.18' } });
    expect(recording.legality).toEqual({ events: 72_820, legal: 72_820, illegal: [] });
  });

  test('ends with the buddyinfo that pinned replay predicts, order by order', () => {
    expect(recording.after_buddyinfo).toHaveLength(33);
    for (const { predicted, real } of recording.after_buddyinfo) expect(predicted).toBe(real);
    expect(recording.after_free_pages).toEqual({ predicted: 1_342_541, real: 1_342_541 });
  });

  test('ends with the buddyinfo that free-running replay predicts, order by order', () => {
    expect(recording.freerun_buddyinfo).toHaveLength(33);
    for (const { predicted, real } of recording.freerun_buddyinfo) expect(predicted).toBe(real);
  });

  test('refills its per-CPU lists with the pages that the model predicts', () => {
    const { refill } = recording;
    expect(refill.known).toBeGreaterThan(200);
    expect(refill.size_predicted / refill.known).toBeGreaterThanOrEqual(BURSTS);
    expect(predictedBursts(refill)).toBeGreaterThanOrEqual(BURSTS);
  });
});

test('a recording with exact lists at both ends agrees in every list (7.2.12, allocations in NMI context)', async () => {
  const result = await verify(join(BUNDLED, '7.2.12/nmi'));
  expect(result).toMatchObject({ agreement: 1, compared: 1531, policy: { name: 'mainline-7.2' } });
  expect(result.checkpoints).toHaveLength(1);
  for (const { compared, equal, differences } of result.checkpoints) {
    expect(differences).toEqual([]);
    expect(compared).toBeGreaterThan(100);
    expect(equal).toBe(compared);
  }
});

describe.skipIf(REFERENCE === undefined)(`recordings of a live machine ${NEEDS_REFERENCE}`, () => {
  const root = join(REFERENCE ?? '', 'recordings');
  const names = REFERENCE === undefined ? [] : directories(root).filter((name) => name !== 'fs-churn');

  test('of which there are some', () => {
    expect(names).not.toEqual([]);
  });

  test.each(names)('%s: legal pages, free lists and bursts as predicted', async (name) => {
    const result = await verify(join(root, name));
    const recording = recordingOf(result);
    expect(result.agreement).toBeGreaterThanOrEqual(LEGAL);
    expect(buddyinfoError(recording.after_buddyinfo)).toBeLessThanOrEqual(BUDDYINFO_ERROR);
    expect(predictedBursts(recording.refill)).toBeGreaterThanOrEqual(BURSTS);
    expect(predictedBursts(recording.drain)).toBeGreaterThanOrEqual(BURSTS);
    for (const { predicted, real, causes } of recording.after_buddyinfo) {
      if (predicted !== real) expect(causes).not.toEqual([]);
    }
  });
});

describe.skipIf(REFERENCE === undefined)(`workload traces of small machines ${NEEDS_REFERENCE}`, () => {
  const root = join(REFERENCE ?? '', 'oracle');
  const SNAPSHOTS_NEEDED = ['files', 'fork-smp2', 'mem', 'net', 'nmi2'];
  const traces =
    REFERENCE === undefined
      ? []
      : [...KERNELS, '6.18.15'].flatMap((kernel) =>
          directories(join(root, kernel))
            .filter((name) => SNAPSHOTS_NEEDED.includes(name))
            .map((name) => `${kernel}/${name}`),
        );

  test('of which there are some', () => {
    expect(traces).not.toEqual([]);
  });

  test.each(traces)('%s hands out legal pages', async (name) => {
    expect((await verify(join(root, name))).agreement).toBeGreaterThanOrEqual(LEGAL);
  });
});
