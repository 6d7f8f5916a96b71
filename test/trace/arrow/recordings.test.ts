/** Events of real kernels, their observations included, come back from Arrow as they were. */
import { expect, test } from 'vitest';
import { ArrowReader } from '../../../src/trace/arrow/reader.js';
import { ArrowWriter } from '../../../src/trace/arrow/writer.js';
import { openTrace } from '../../../src/trace/source.js';
import { dataPath, drain, eventsOf, inputOf } from '../helpers.js';

test.each([
  ['tracefs-6.1-mem.txt', true],
  ['tracefs-6.18-blocks.txt.xz', false],
  ['tracefs-7.2-nmi.txt', false],
])('%s', async (name, observes) => {
  const before = await eventsOf((await openTrace(dataPath(name))).source);
  expect(before.length).toBeGreaterThan(100);
  if (observes) expect(before.some((event) => event.op.startsWith('obs_'))).toBe(true);
  const opened = await openTrace(dataPath(name));
  const kernel = opened.kernel.generation;
  const { bytes, error } = await drain(
    new ArrowWriter({ format: 'file', kernel }).chunks(opened.source.batches()),
  );
  expect(error).toBeUndefined();
  const reader = new ArrowReader(await inputOf(bytes, 'trace.arrow'));
  expect(await eventsOf(reader)).toEqual(before);
  expect(reader.report()).toMatchObject({ rows: before.length, emitted: before.length, kernel });
});
