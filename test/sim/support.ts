/** What the tests of the replay engines share: small machines, traces as text, and what must hold at the end. */
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { machineFromSize } from '../../src/config/machine-by-size.js';
import { resolvePolicy } from '../../src/config/resolve-policy.js';
import { bootFresh } from '../../src/mm/page-alloc/boot.js';
import { PageAllocator } from '../../src/mm/page-alloc/page-allocator.js';
import { isBuddy, isPcp } from '../../src/mm/page-alloc/page-map.js';
import { validate } from '../../src/mm/page-alloc/validate.js';
import { setUpZones } from '../../src/mm/page-alloc/zone-setup.js';
import type { Policy } from '../../src/mm/policy.js';
import { enableLru } from '../../src/mm/reclaim/lru.js';
import type { RunResult } from '../../src/report/run-result.js';
import { SimBackground } from '../../src/sim/background.js';
import { FreeRunningReplay } from '../../src/sim/free-running.js';
import { Notes } from '../../src/sim/notes.js';
import { type RunRequest, runTraces } from '../../src/sim/run-trace.js';
import { Tallies } from '../../src/sim/tallies.js';
import { CsvReader } from '../../src/trace/csv/reader.js';
import { policyNamed } from '../mm/policies.js';
import { inputOf } from '../trace/helpers.js';

export const MIB_PAGES = 256;

export interface FreeRunOptions {
  readonly policy?: string;
  readonly knobs?: Partial<Policy>;
  readonly memory_pages?: number;
  readonly cpus?: number;
  readonly nodes?: number;
  readonly batchEvents?: number;
  /** changes the machine before the replay: makes it the one that was recorded, for example */
  readonly prepare?: (mm: PageAllocator) => void;
  readonly startIsRecorded?: boolean;
}

export interface FreeRun {
  readonly mm: PageAllocator;
  readonly notes: Notes;
  readonly tallies: Tallies;
  readonly replay: FreeRunningReplay;
  readonly background: SimBackground;
  /** names of the marks that passed */
  readonly marks: string[];
}

export function smallMachine(options: FreeRunOptions = {}): PageAllocator {
  const spec = machineFromSize({
    memory_pages: options.memory_pages ?? 64 * MIB_PAGES,
    cpus: options.cpus ?? 2,
    nodes: options.nodes ?? 1,
  });
  const mm = new PageAllocator(spec, policyNamed(options.policy ?? 'mainline-6.18', options.knobs));
  setUpZones(mm);
  bootFresh(mm);
  return mm;
}

/** Replays a trace CSV freely on a small machine that has just been started, and validates it at the end. */
export async function freeRun(csv: string, options: FreeRunOptions = {}): Promise<FreeRun> {
  const mm = smallMachine(options);
  options.prepare?.(mm);
  enableLru(mm);
  const notes = new Notes();
  const tallies = new Tallies();
  const background = new SimBackground(mm, 0);
  const replay = new FreeRunningReplay(mm, {
    startIsRecorded: options.startIsRecorded ?? false,
    notes,
    tallies,
    background,
  });
  const marks: string[] = [];
  replay.onMark = (name) => marks.push(name);
  const reader = new CsvReader(await inputOf(csv), { batchEvents: options.batchEvents });
  for await (const batch of reader.batches()) replay.replay(batch);
  background.drain();
  validate(mm);
  return { mm, notes, tallies, replay, background, marks };
}

/** Non-zero notes as an object. */
export function notesOf(notes: Notes): Record<string, number> {
  return Object.fromEntries(notes.entries().map(({ name, count }) => [name, count]));
}

/** Pages on buddy lists and on per-CPU lists. */
export function freePagesOf(mm: PageAllocator): number {
  return mm.zones.reduce(
    (sum, zone) =>
      sum +
      zone.nr_free.reduce((pages, chunks, order) => pages + chunks * 2 ** order, 0) +
      zone.pcps.reduce((pages, pcp) => pages + pcp.count, 0),
    0,
  );
}

export function managedPagesOf(mm: PageAllocator): number {
  return mm.zones.reduce((sum, zone) => sum + zone.managed_pages, 0);
}

/** Pages and blocks that the model holds to be handed out. */
export function ownedOf(mm: PageAllocator): number {
  let owned = 0;
  for (let node = 0; node < mm.pages.headBase; node++) {
    const state = mm.pages.state[node]!;
    if (state !== 0 && !isBuddy(state) && !isPcp(state)) owned++;
  }
  return owned;
}

let directory: Promise<string> | undefined;

/** Writes a file into a directory of the test run. @returns its path */
export async function fileOf(name: string, content: string | Uint8Array): Promise<string> {
  directory ??= mkdtemp(join(tmpdir(), 'spbsim-sim-'));
  const path = join(await directory, name);
  await writeFile(path, content);
  return path;
}

/** What `spbsim run` would do, with a machine of 64 MiB unless told otherwise. */
export async function run(
  inputs: readonly string[],
  request: Partial<RunRequest> & { readonly policyName?: string } = {},
): Promise<RunResult> {
  const { policyName, ...rest } = request;
  return runTraces({
    inputs,
    policy: await resolvePolicy(policyName, []),
    machine: machineFromSize({ memory_pages: 64 * MIB_PAGES, cpus: 2 }),
    machineOrigin: '--memory 64MiB',
    mode: 'free',
    check: true,
    open: {},
    seed: 1,
    ...rest,
  });
}

/** The part of a result that two runs of the same input share. */
export function withoutClock(result: RunResult): Omit<RunResult, 'performance'> {
  const { performance: _, ...rest } = result;
  return rest;
}

export function noteCounts(result: RunResult): Record<string, number> {
  return Object.fromEntries(result.notes.map(({ name, count }) => [name, count]));
}

const MOVABLE = 'GFP_HIGHUSER_MOVABLE';

/** Rows `count` times over, with `#` standing for the number. */
export function rows(count: number, template: string): string {
  return Array.from({ length: count }, (_, i) => template.replaceAll('#', String(i))).join('\n');
}

/** More movable pages than a machine of 64 MiB has, so that reclaim has to take some back. */
export function pressure(pages = 20_000): string {
  return rows(pages, `alloc,p#,0,${MOVABLE}|__GFP_WRITE`);
}
