/**
 * What a bug report needs to make a bug happen again, written where the user sees it: the command, the versions, the
 * inputs with their digests, and the error. Nothing of the inputs themselves is copied.
 */
import { createHash } from 'node:crypto';
import { readdir, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { toolVersion } from '../config/tool-version.js';
import { digestInput } from '../sim/input-digest.js';

/** Files of a directory that are listed; recordings have about twenty. */
const MAX_FILES = 100;

interface ReproducerInput {
  readonly path: string;
  readonly sha256: string;
  readonly bytes: number;
}

/**
 * Writes `spbsim-reproducer-<digest>.json` to the working directory, or to that for temporary files.
 *
 * @param args  the command line behind the program's name
 * @returns the file's path; undefined if it could not be written, for this must not hide the error itself
 */
export async function writeReproducer(
  args: readonly string[],
  error: Error,
  directories: readonly string[] = ['.', tmpdir()],
): Promise<string | undefined> {
  const text = `${JSON.stringify(
    {
      schema: 'spbsim.reproducer/1',
      spbsim: toolVersion(),
      node: process.version,
      platform: `${process.platform}-${process.arch}`,
      args,
      inputs: await inputsAmong(args),
      error: error.stack ?? error.message,
    },
    null,
    2,
  )}\n`;
  const name = `spbsim-reproducer-${createHash('sha256').update(text).digest('hex').slice(0, 8)}.json`;
  for (const directory of directories) {
    const path = join(directory, name);
    try {
      await writeFile(path, text);
      return path;
    } catch {
      // A directory that cannot be written: the next one may be.
    }
  }
  return undefined;
}

/** Arguments that are files or directories of files. */
async function inputsAmong(args: readonly string[]): Promise<ReproducerInput[]> {
  const inputs: ReproducerInput[] = [];
  for (const arg of args) {
    try {
      const found = await stat(arg);
      const names = found.isDirectory() ? (await readdir(arg)).sort().slice(0, MAX_FILES) : [];
      const paths = found.isDirectory() ? names.map((name) => join(arg, name)) : [arg];
      for (const path of paths) {
        if (!(await stat(path)).isFile()) continue;
        const { sha256, bytes } = await digestInput(path, '', path);
        inputs.push({ path, sha256, bytes });
      }
    } catch {
      // Not a path, or one that is gone.
    }
  }
  return inputs;
}
