/**
 * What a replay starts from: the machine in its start state, made from the options of a command and from the recording, if
 * the input is one.
 */
import { type BuildChoice, withBuild } from '../config/machine-build.js';
import { machineFromSize } from '../config/machine-by-size.js';
import type { ResolvedPolicy } from '../config/resolve-policy.js';
import { UsageError } from '../config/usage-error.js';
import type { MachineSpec } from '../mm/machine-spec.js';
import { bootFresh } from '../mm/page-alloc/boot.js';
import { PageAllocator } from '../mm/page-alloc/page-allocator.js';
import { setUpZones } from '../mm/page-alloc/zone-setup.js';
import { enableLru } from '../mm/reclaim/lru.js';
import type { ResultStartState } from '../report/run-result.js';
import { InputError } from '../trace/input-error.js';
import { isDirectory, openRecording, type Recording } from '../trace/recording/recording.js';
import type { OpenOptions } from '../trace/source.js';
import { SimBackground } from './background.js';
import { FreeRunningReplay, type FreeRunOptions } from './free-running.js';
import { isGenerated } from './generated-name.js';
import { DEFAULT_MAX_MACHINE_PAGES, type MachineProblem, machineSizeProblem } from './machine-limit.js';
import type { Notes } from './notes.js';
import {
  type RecordingMaterial,
  readRecordingMaterial,
  startAllocator,
} from './start-state/recording-material.js';
import type { SlabStartSources } from './start-state/slab-start.js';
import type { Tallies } from './tallies.js';

const DEFAULT_MEMORY_PAGES = 1 << 20;

export interface StartRequest {
  readonly inputs: readonly string[];
  readonly policy: ResolvedPolicy;
  /** undefined: derived from the recording, or the default machine */
  readonly machine: MachineSpec | undefined;
  /** how `machine` was chosen, for the result document */
  readonly machineOrigin?: string;
  /** changes the kernel's build of whatever machine it is */
  readonly build?: BuildChoice | undefined;
  readonly mode: 'free' | 'pinned';
  readonly open: OpenOptions;
  /** what the recording holds, if somebody has read it */
  readonly material?: RecordingMaterial | undefined;
  /** largest machine that an input may declare; 4 TiB by default */
  readonly max_machine_pages?: number | undefined;
}

/** What a replay starts with. */
export interface Start {
  readonly mm: PageAllocator;
  readonly origin: string;
  readonly kernel: string | null;
  readonly state: ResultStartState;
  /** the recording whose own pages are in the start state */
  readonly material: RecordingMaterial | undefined;
}

/** @throws InputError, UsageError */
export async function prepareStart(request: StartRequest): Promise<Start> {
  if (request.mode === 'pinned' && request.policy.policy['spb.enabled'])
    throw new UsageError(
      `--mode pinned follows a kernel that had no superpageblocks: leave it out, or take a mainline policy instead of ${request.policy.name}`,
    );
  const recording = await onlyRecording(request.inputs);
  const maxPages = request.max_machine_pages ?? DEFAULT_MAX_MACHINE_PAGES;
  if (recording !== undefined && request.machine === undefined) {
    const material = request.material ?? (await readMaterial(recording, request));
    const { mm, kind, notes } = startAllocator(
      { ...material, spec: withBuild(material.spec, request.build) },
      request.policy.policy,
    );
    const missing = recording.missing.map((name) => `the recording has no ${name}`);
    return {
      mm,
      origin: withBuildText(`${recording.name}/before`, request.build),
      kernel: recording.kernel.release === '' ? null : recording.kernel.release,
      state: { kind, notes: [...notes, ...missing] },
      material,
    };
  }
  if (request.mode === 'pinned')
    throw new InputError({
      file: request.inputs[0]!,
      expectation: 'is replayed on a machine of its own, where recorded PFNs mean nothing',
      remedy: 'pin a recording (a directory) without --machine or --memory, or leave --mode pinned out',
    });
  const generated = request.machine === undefined ? request.inputs.find(isGenerated) : undefined;
  const spec =
    request.machine ??
    (generated === undefined
      ? machineFromSize({ memory_pages: DEFAULT_MEMORY_PAGES })
      : (await import('./generated-input.js')).generatedMachine(generated));
  const tooLarge = machineSizeProblem(spec, maxPages);
  if (tooLarge !== undefined) throw machineError(request.machineOrigin, tooLarge);
  const mm = new PageAllocator(withBuild(spec, request.build), request.policy.policy);
  setUpZones(mm);
  bootFresh(mm);
  return {
    mm,
    origin: withBuildText(
      request.machineOrigin ?? (generated === undefined ? 'default: 4 GiB, 1 node' : 'as the workload says'),
      request.build,
    ),
    kernel: recording?.kernel.release || null,
    state: { kind: 'fresh', notes: ['all managed memory free, as after boot'] },
    material: undefined,
  };
}

/** What is known of the machine, and the build that it was given. */
function withBuildText(origin: string, build: BuildChoice | undefined): string {
  return build === undefined ? origin : `${origin} --build ${build.text}`;
}

function readMaterial(recording: Recording, request: StartRequest): Promise<RecordingMaterial> {
  return readRecordingMaterial(recording, request.open, {
    takesCut: !request.open.strict,
    max_machine_pages: request.max_machine_pages ?? DEFAULT_MAX_MACHINE_PAGES,
  });
}

/**
 * What the start of a replay takes from the recording that is replayed, for whoever makes several of them.
 *
 * @returns undefined where nothing is taken: for other inputs, and for a machine of its own
 * @throws InputError
 */
export async function materialOf(request: StartRequest): Promise<RecordingMaterial | undefined> {
  const recording = request.machine === undefined ? await onlyRecording(request.inputs) : undefined;
  return recording === undefined ? undefined : readMaterial(recording, request);
}

/** Of a machine of the command line a mistake of usage, of one in a file a mistake of the file. */
function machineError(origin = 'the machine', problem: MachineProblem): Error {
  const { expectation, remedy } = problem;
  if (!origin.startsWith('--')) return new InputError({ file: origin, ...problem });
  return new UsageError([`${origin} ${expectation}`, remedy ?? []].flat().join('; '));
}

/** The recording, if the inputs are just one. Several recordings have several start states. */
async function onlyRecording(inputs: readonly string[]): Promise<Recording | undefined> {
  const directories: string[] = [];
  for (const input of inputs) if (input !== '-' && (await isDirectory(input))) directories.push(input);
  if (directories.length === 0) return undefined;
  if (inputs.length > 1)
    throw new InputError({
      file: directories[0]!,
      expectation: 'is a recording with a start state of its own, which other traces cannot share',
      remedy: 'run it alone, or name its trace file instead of the directory',
    });
  return openRecording(directories[0]!);
}

/** What a recording tells of the slabs that it begins with; nothing where its trace has no slab events. */
export function slabSources(material: RecordingMaterial | undefined): SlabStartSources | undefined {
  if (!material?.scan.hasSlabEvents) return undefined;
  const { before, kpageflags, scan, recording } = material;
  return { slabinfo: before.slabinfo, kpageflags, scan, file: recording.before.slabinfo ?? recording.name };
}

/** A replay in which the policy decides every PFN, and the background that it runs with. */
export function beginFreeRunning(
  start: Start,
  start_ns: number,
  notes: Notes,
  tallies: Tallies,
  { inject, seed }: Pick<FreeRunOptions, 'inject' | 'seed'> = {},
): { readonly replay: FreeRunningReplay; readonly background: SimBackground } {
  const { mm, state } = start;
  enableLru(mm);
  const background = new SimBackground(mm, start_ns);
  const startIsRecorded = state.kind !== 'fresh';
  const slabStart = slabSources(start.material);
  const options = { startIsRecorded, notes, tallies, background, slabStart, inject, seed };
  const replay = new FreeRunningReplay(mm, options);
  return { replay, background };
}
