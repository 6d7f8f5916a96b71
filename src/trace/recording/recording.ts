/**
 * A recording: a directory with the trace of a live machine and the kernel's own reports from before and after.
 *
 *     kernel | version     release
 *     trace                the tracefs text
 *     stats | ring_stats   whether events were lost
 *     before/ after/       buddyinfo pagetypeinfo zoneinfo vmstat meminfo slabinfo kpageflags
 *     state.jsonl          exact lists at the trace's start and end, if some module dumped them
 *
 * Every name may carry `.txt` or `.bin` and `.gz` or `.xz`. What is missing is done without, and said in `missing`.
 */
import { readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { openInput, readWholeInput } from '../bytes/open-input.js';
import { fromSystemError, InputError } from '../input-error.js';
import { guessKernel, type KernelGuess } from '../kernel-generation.js';
import type { TraceLimits } from '../limits.js';
import { parseRingStats, type RingStats } from './ring-stats.js';
import { type BuddyinfoZone, parseBuddyinfo } from './snapshot/buddyinfo.js';
import { type Kpageflags, type KpageflagsOptions, readKpageflags } from './snapshot/kpageflags.js';
import { parseMeminfo } from './snapshot/meminfo.js';
import { type Pagetypeinfo, parsePagetypeinfo } from './snapshot/pagetypeinfo.js';
import { parseSlabinfo, type SlabinfoCache } from './snapshot/slabinfo.js';
import { parseVmstat } from './snapshot/vmstat.js';
import { parseZoneinfo, type Zoneinfo } from './snapshot/zoneinfo.js';

export const SNAPSHOT_FILES = [
  'buddyinfo',
  'pagetypeinfo',
  'zoneinfo',
  'vmstat',
  'meminfo',
  'slabinfo',
  'kpageflags',
] as const;
export type SnapshotFile = (typeof SNAPSHOT_FILES)[number];

/** Paths of one snapshot's files; those that are missing are left out. */
export type SnapshotPaths = Readonly<Partial<Record<SnapshotFile, string>>>;

export interface Recording {
  readonly directory: string;
  /** last part of the path, for titles */
  readonly name: string;
  readonly kernel: KernelGuess;
  readonly trace: string;
  readonly ring_stats: readonly RingStats[];
  readonly before: SnapshotPaths;
  readonly after: SnapshotPaths;
  /** state.jsonl, which beats the snapshots */
  readonly state: string | undefined;
  /** what a complete recording also has, such as `after/kpageflags` */
  readonly missing: readonly string[];
}

/** Parsed texts of a snapshot; undefined where the file is missing. */
export interface Snapshot {
  readonly buddyinfo: readonly BuddyinfoZone[] | undefined;
  readonly pagetypeinfo: Pagetypeinfo | undefined;
  readonly zoneinfo: Zoneinfo | undefined;
  readonly vmstat: ReadonlyMap<string, number> | undefined;
  readonly meminfo: ReadonlyMap<string, number> | undefined;
  readonly slabinfo: readonly SlabinfoCache[] | undefined;
}

/** Larger than that of any machine: what is read whole must not be a trace, or worse, given by mistake. */
const MAX_TEXT_BYTES: Readonly<Record<Exclude<SnapshotFile, 'kpageflags'>, number>> = {
  buddyinfo: 4 << 20,
  pagetypeinfo: 16 << 20,
  zoneinfo: 64 << 20,
  vmstat: 1 << 20,
  meminfo: 1 << 20,
  slabinfo: 4 << 20,
};
const MAX_SMALL_FILE_BYTES = 1 << 20;

const SUFFIX = /(?:\.(?:txt|bin))?(?:\.(?:gz|xz|zst))?$/;

/** Files of a directory by their names without suffixes; empty if there is no such directory. */
async function filesByStem(directory: string): Promise<Map<string, string>> {
  let names: string[];
  try {
    names = await readdir(directory);
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) {
      return new Map();
    }
    throw fromSystemError(error, directory);
  }
  const files = new Map<string, string>();
  // Sorted, so that of `trace` and `trace.gz` the unpacked one is taken.
  for (const name of names.sort()) {
    const stem = name.replace(SUFFIX, '');
    if (!files.has(stem)) files.set(stem, join(directory, name));
  }
  return files;
}

async function findSnapshot(
  directory: string,
): Promise<{ readonly paths: SnapshotPaths; readonly missing: string[] }> {
  const files = await filesByStem(directory);
  const paths: Partial<Record<SnapshotFile, string>> = {};
  const missing: string[] = [];
  for (const name of SNAPSHOT_FILES) {
    const path = files.get(name);
    if (path === undefined) missing.push(`${basename(directory)}/${name}`);
    else paths[name] = path;
  }
  return { paths, missing };
}

/** Whether the path is a directory; false too if it does not exist. */
export async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch {
    return false;
  }
}

/**
 * Looks at a recording's directory and reads its small files; the trace and the snapshots are opened later.
 *
 * @throws InputError  if it is no recording, which is: has no trace
 */
export async function openRecording(directory: string): Promise<Recording> {
  const files = await filesByStem(directory);
  const trace = files.get('trace');
  if (trace === undefined) {
    throw new InputError({
      file: directory,
      expectation: 'is no recording: it has no file named trace, trace.txt, trace.gz or trace.xz',
      remedy: 'give the directory that the recorder wrote, or a trace file',
    });
  }
  const missing: string[] = [];
  const kernelFile = files.get('kernel') ?? files.get('version');
  const statsFile = files.get('stats') ?? files.get('ring_stats');
  if (kernelFile === undefined) missing.push('kernel');
  if (statsFile === undefined) missing.push('stats');
  const kernel = guessKernel(
    kernelFile === undefined ? '' : (await readWholeInput(kernelFile, MAX_SMALL_FILE_BYTES)).toString(),
  );
  const stats =
    statsFile === undefined
      ? []
      : parseRingStats((await readWholeInput(statsFile, MAX_SMALL_FILE_BYTES)).toString());
  const before = await findSnapshot(join(directory, 'before'));
  const after = await findSnapshot(join(directory, 'after'));
  return {
    directory,
    name: basename(directory),
    kernel,
    trace,
    ring_stats: stats,
    before: before.paths,
    after: after.paths,
    state: files.get('state.jsonl'),
    missing: [...missing, ...before.missing, ...after.missing],
  };
}

/** Reads and parses the texts of a snapshot. @throws InputError */
export async function readSnapshot(paths: SnapshotPaths, limits?: TraceLimits): Promise<Snapshot> {
  const parsed = async <T>(name: keyof typeof MAX_TEXT_BYTES, parse: (text: string, file: string) => T) => {
    const path = paths[name];
    if (path === undefined) return undefined;
    return parse((await readWholeInput(path, MAX_TEXT_BYTES[name], limits)).toString(), path);
  };
  return {
    buddyinfo: await parsed('buddyinfo', parseBuddyinfo),
    pagetypeinfo: await parsed('pagetypeinfo', parsePagetypeinfo),
    zoneinfo: await parsed('zoneinfo', parseZoneinfo),
    vmstat: await parsed('vmstat', parseVmstat),
    meminfo: await parsed('meminfo', parseMeminfo),
    slabinfo: await parsed('slabinfo', parseSlabinfo),
  };
}

/** Reads a snapshot's kpageflags; undefined if there is none. @throws InputError */
export async function readPageClasses(
  paths: SnapshotPaths,
  options: KpageflagsOptions & { readonly limits?: TraceLimits | undefined } = {},
): Promise<Kpageflags | undefined> {
  if (paths.kpageflags === undefined) return undefined;
  const input = await openInput(paths.kpageflags, options.limits);
  return readKpageflags(input.chunks, paths.kpageflags, options);
}
