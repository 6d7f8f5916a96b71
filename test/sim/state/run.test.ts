/** Saving and going on as `runTraces` does it, where the command line cannot say when. */
import { expect, test } from 'vitest';
import type { RunResult } from '../../../src/report/run-result.js';
import type { RunRequest } from '../../../src/sim/run-trace.js';
import { continuationOf } from '../../../src/sim/state/resume.js';
import { readState } from '../../../src/sim/state/state-file.js';
import type { SaveOutcome } from '../../../src/sim/state/state-saver.js';
import { InputError } from '../../../src/trace/input-error.js';
import { fileOf, run } from '../support.js';
import { documentOf, roughTrace } from './support.js';

const EVENTS = 1_500;
const SMALL_BATCHES = { open: { batchEvents: 100 } };
const path = await fileOf('rough.csv', roughTrace(EVENTS, 2, 'small'));

async function saved(
  file: string,
  request: Partial<RunRequest>,
): Promise<[RunResult, SaveOutcome | undefined]> {
  let outcome: SaveOutcome | undefined;
  const onSaved = (told: SaveOutcome) => {
    outcome = told;
  };
  const result = await run([path], {
    ...SMALL_BATCHES,
    ...request,
    save: { path: file, at: undefined, onSaved },
  });
  return [result, outcome];
}

test('a run that is interrupted is saved where it stopped, and goes on there', async () => {
  const whole = documentOf(await run([path], SMALL_BATCHES));
  const file = await fileOf('interrupted.state', '');
  const controller = new AbortController();
  const onProgress = ({ events }: { events: number }) => {
    if (events >= 700) controller.abort();
  };
  const [result, outcome] = await saved(file, { signal: controller.signal, onProgress });
  expect(result.interrupted).toBe(true);
  expect(outcome).toMatchObject({ kind: 'saved', events: 700 });
  const resume = await continuationOf(await readState(file), [path]);
  expect(resume).toMatchObject({ kind: 'same', skip: 700 });
  expect(documentOf(await run([path], { ...SMALL_BATCHES, resume }))).toBe(whole);
  // Batches that are cut elsewhere make no difference.
  expect(documentOf(await run([path], { open: { batchEvents: 333 }, resume }))).toBe(whole);
});

test('a state that cannot be written costs no result', async () => {
  const [result, outcome] = await saved('no/such/directory/x.state', {});
  expect(result.span.events).toBe(EVENTS);
  expect(outcome?.kind).toBe('failed');
});

test('inputs that are read as other events than before are told', async () => {
  const rows = roughTrace(200, 3, 'small').split('\n');
  rows.splice(50, 0, '1,0,nonsense,,,,,');
  const input = await fileOf('invalid.csv', rows.join('\n'));
  const file = await fileOf('skipping.state', '');
  const skipping = { open: { skipInvalid: true } };
  await run([input], {
    ...skipping,
    save: { path: file, at: { kind: 'event', events: 120 }, onSaved: () => {} },
  });
  const resume = await continuationOf(await readState(file), [input]);
  const whole = documentOf(await run([input], skipping));
  expect(documentOf(await run([input], { ...skipping, resume }))).toBe(whole);
  const other = { ...resume, skip: resume.skip + 1 };
  await expect(run([input], { ...skipping, resume: other })).rejects.toThrow(InputError);
  await expect(run([input], { ...skipping, resume: { ...resume, skip: 1_000 } })).rejects.toThrow(
    'is read as other events',
  );
});
