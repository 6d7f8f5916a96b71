/** The file that a bug leaves: it names command, versions and inputs, and never hides the bug itself. */
import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { writeReproducer } from '../../src/cli/reproducer.js';

async function scratch(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'spbsim-reproducer-'));
}

test('names the command and the digests of its files and directories', async () => {
  const directory = await scratch();
  const trace = join(directory, 'a.csv');
  await writeFile(trace, 'op\n');
  const out = await scratch();
  const path = await writeReproducer(['run', trace, directory, '--check'], new Error('lost page'), [out]);
  const written: unknown = JSON.parse(await readFile(path!, 'utf8'));
  // sha256sum of the three bytes
  const sha256 = '24491142bff2885f2b9078df5c5f1859297fae6201f0fbb5472d10c7cb8db2f4';
  expect(written).toMatchObject({
    schema: 'spbsim.reproducer/1',
    args: ['run', trace, directory, '--check'],
    inputs: [
      { path: trace, bytes: 3, sha256 },
      { path: trace, bytes: 3, sha256 },
    ],
    error: expect.stringContaining('Error: lost page'),
  });
});

test('goes to the next directory where the first cannot be written, and gives up quietly', async () => {
  const out = await scratch();
  const missing = join(out, 'missing');
  expect(await writeReproducer(['run'], new Error('x'), [missing, out])).toMatch(
    /spbsim-reproducer-[0-9a-f]{8}\.json$/,
  );
  expect(await writeReproducer(['run'], new Error('x'), [missing])).toBeUndefined();
});
