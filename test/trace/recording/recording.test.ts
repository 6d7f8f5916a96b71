import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openRecording, readPageClasses, readSnapshot } from '../../../src/trace/recording/recording.js';
import { dataPath, errorOf } from '../helpers.js';

test('a recording: kernel, trace, statistics, two snapshots, and what is missing', async () => {
  const recording = await openRecording(dataPath('recording'));
  expect(recording.kernel).toEqual({ release: '6.18.44', generation: '6.18', sure: true, note: undefined });
  expect(recording).toMatchObject({
    name: 'recording',
    trace: dataPath('recording/trace.gz'),
    state: undefined,
  });
  expect(recording.ring_stats).toEqual([
    { cpu: 0, entries: 85002, overrun: 0, dropped: 0 },
    { cpu: 1, entries: 136661, overrun: 0, dropped: 0 },
  ]);
  expect(recording.missing).toEqual([
    'before/slabinfo',
    'before/kpageflags',
    'after/pagetypeinfo',
    'after/slabinfo',
    'after/kpageflags',
  ]);
});

test('its texts, packed or not', async () => {
  const recording = await openRecording(dataPath('recording'));
  const before = await readSnapshot(recording.before);
  const after = await readSnapshot(recording.after);
  expect(before.buddyinfo).toHaveLength(3);
  expect(before.vmstat?.get('nr_free_pages')).toBe(1_391_937);
  expect(before.meminfo?.get('MemTotal')).toBe(24_684_092);
  expect(before.pagetypeinfo?.blocks).toHaveLength(3);
  expect(after.zoneinfo?.zones).toHaveLength(5);
  expect(after.pagetypeinfo).toBeUndefined();
  expect(await readPageClasses(recording.before)).toBeUndefined();
});

test('a directory without a trace is no recording', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'spbsim-'));
  try {
    expect((await errorOf(openRecording(directory))).message).toBe(
      `${directory}  is no recording: it has no file named trace, trace.txt, trace.gz or trace.xz; give the directory that the recorder wrote, or a trace file`,
    );
    await writeFile(join(directory, 'trace.txt'), '');
    const recording = await openRecording(directory);
    expect(recording.missing).toHaveLength(16);
    expect(recording.kernel).toMatchObject({ generation: '6.18', sure: false });
  } finally {
    await rm(directory, { recursive: true });
  }
});
