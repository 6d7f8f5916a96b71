/**
 * Where the runs and recordings of real kernels are: a part of them in this repository, the rest as reference material
 * that is not part of it.
 */
import { existsSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const repository = fileURLToPath(new URL('../../', import.meta.url));

export const BUNDLED = join(repository, 'test/oracle/data');
export const FS_CHURN = join(repository, 'workloads/fs-churn');

/** The kernels of the scripted runs, and the preset that is to match each. */
export const POLICY_OF_KERNEL = {
  '6.1.192': 'mainline-6.1',
  '6.18.2': 'mainline-6.18',
  '7.2.12': 'mainline-7.2',
} as const;
export type Kernel = keyof typeof POLICY_OF_KERNEL;
export const KERNELS = Object.keys(POLICY_OF_KERNEL) as Kernel[];

/** Directory of the reference material; undefined where it is not at hand. */
export const REFERENCE: string | undefined = [process.env.SPBSIM_SHARED, join(repository, '../shared')]
  .filter((path) => path !== undefined)
  .find((path) => existsSync(join(path, 'oracle')) && existsSync(join(path, 'recordings')));

if (REFERENCE === undefined) {
  console.log('reference material is not here: its tests are skipped; SPBSIM_SHARED may name its directory');
}

/** Ends the name of a group of tests that needs the reference material, so that a skipped group says why. */
export const NEEDS_REFERENCE =
  REFERENCE === undefined
    ? '(skipped: the reference material is not here; SPBSIM_SHARED may name its directory)'
    : '(reference material)';

export interface ScriptedRun {
  /** `7.2.12/oracle-micro/mixed_orders-2` */
  readonly name: string;
  readonly kernel: Kernel;
  readonly path: string;
  /** the recorder kept the tracepoints of the run beside it */
  readonly hasEvents: boolean;
}

/** All scripted runs below a directory with one directory per kernel. */
export function scriptedRuns(directory: string): ScriptedRun[] {
  return KERNELS.flatMap((kernel) =>
    directories(join(directory, kernel))
      .filter((layout) => layout.startsWith('oracle-'))
      .flatMap((layout) => {
        const files = readdirSync(join(directory, kernel, layout)).sort();
        return files
          .filter((file) => file.endsWith('.jsonl.xz'))
          .map((file): ScriptedRun => {
            const path = join(directory, kernel, layout, file);
            return {
              name: relative(directory, path).replace('.jsonl.xz', ''),
              kernel,
              path,
              hasEvents: files.includes(file.replace('.jsonl.xz', '.events.txt.xz')),
            };
          });
      }),
  );
}

/** Names of the directories in a directory, sorted; none if it does not exist. */
export function directories(directory: string): string[] {
  if (!existsSync(directory)) return [];
  return readdirSync(directory, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();
}
