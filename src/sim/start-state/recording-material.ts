/**
 * All that a recording holds beside its events: read once, used for every replay of it.
 *
 * A directory with `state.jsonl` has the exact lists before (and after) the trace; they beat the snapshots. Without them
 * the start state is inferred from kpageflags and the trace itself, which takes a first pass over the events.
 */
import type { MachineSpec } from '../../mm/machine-spec.js';
import { loadExactState } from '../../mm/page-alloc/exact-state.js';
import { addMovable } from '../../mm/page-alloc/in-use.js';
import { PageAllocator } from '../../mm/page-alloc/page-allocator.js';
import { PageKind } from '../../mm/page-alloc/page-map.js';
import { PCPF_FREE_HIGH_BATCH } from '../../mm/page-alloc/per-cpu-pages.js';
import { setUpZones } from '../../mm/page-alloc/zone-setup.js';
import type { Policy } from '../../mm/policy.js';
import { setUpSuperpageblocks } from '../../mm/spb/setup.js';
import { openInput } from '../../trace/bytes/open-input.js';
import type { EventSource } from '../../trace/event-batch.js';
import { InputError } from '../../trace/input-error.js';
import type { TraceLimits } from '../../trace/limits.js';
import type { StateDump } from '../../trace/oracle/oracle-dump.js';
import {
  type Recording,
  readPageClasses,
  readSnapshot,
  type Snapshot,
} from '../../trace/recording/recording.js';
import { type Kpageflags, PAGE_CLASS_MASK, PageClass } from '../../trace/recording/snapshot/kpageflags.js';
import { type OpenOptions, openTrace } from '../../trace/source.js';
import { Forgiving } from '../../trace/trace-set.js';
import { machineProblem, machineSizeProblem } from '../machine-limit.js';
import { exactFromDump, machineFromDump } from './from-dump.js';
import { loadFromSnapshot } from './from-snapshot.js';
import { applyZoneinfo, machineFromZoneinfo } from './machine-from-zoneinfo.js';
import { type ScannedTrace, TraceScan } from './trace-scan.js';

/** Not recorded; large enough for FREE_HIGH_BATCH, as on any machine of the last fifteen years. */
const ASSUMED_CPU_CACHE_BYTES = 2 << 20;

/** Plain data: it can be given to another thread. */
export interface RecordingMaterial {
  readonly recording: Recording;
  /** how its trace is read */
  readonly open: OpenOptions;
  readonly before: Snapshot;
  readonly after: Snapshot;
  readonly kpageflags: Kpageflags | undefined;
  readonly dump_before: StateDump | undefined;
  readonly dump_after: StateDump | undefined;
  readonly spec: MachineSpec;
  readonly scan: ScannedTrace;
}

/** Opens the recording's trace anew. @throws InputError */
export async function openRecordedEvents({
  recording,
  open,
}: Pick<RecordingMaterial, 'recording' | 'open'>): Promise<EventSource> {
  return (await openTrace(recording.directory, open)).source;
}

export interface MaterialLimits {
  /** whether a trace that ends too early is taken as far as it goes */
  readonly takesCut: boolean;
  /** largest machine that the snapshots may declare */
  readonly max_machine_pages: number;
}

/**
 * Reads a recording's snapshots and makes the first pass over its trace.
 *
 * @param open  how to read the trace; a trace that ends too early is taken as far as it goes unless `strict`
 * @throws InputError
 */
export async function readRecordingMaterial(
  recording: Recording,
  open: OpenOptions,
  limits: MaterialLimits,
  onProgress?: (events: number) => void,
): Promise<RecordingMaterial> {
  const before = await readSnapshot(recording.before, open.limits);
  const after = await readSnapshot(recording.after, open.limits);
  const dumps = recording.state === undefined ? [] : await readDumps(recording, recording.state, open.limits);
  const dump_before = dumps.find((dump) => dump.when === 'before');
  const spec = machineOf(recording, before, dump_before);
  const problem = machineProblem(spec) ?? machineSizeProblem(spec, limits.max_machine_pages);
  if (problem !== undefined) throw new InputError({ file: machineFile(recording, dump_before), ...problem });
  const kpageflags = await readPageClasses(recording.before, {
    maxPages: limits.max_machine_pages,
    limits: open.limits,
  });
  const end = spec.zones.reduce((most, zone) => Math.max(most, zone.start_pfn + zone.spanned_pages), 0);
  const scan = new TraceScan(end);
  const reader = new Forgiving(await openRecordedEvents({ recording, open }), !limits.takesCut);
  for await (const batch of reader.batches()) {
    scan.add(batch);
    onProgress?.(scan.events);
  }
  return {
    recording,
    open,
    before,
    after,
    kpageflags,
    dump_before,
    dump_after: dumps.find((dump) => dump.when === 'after'),
    spec,
    scan: scan.result(),
  };
}

/** The file that describes the machine. */
function machineFile(recording: Recording, dump: StateDump | undefined): string {
  return (dump === undefined ? recording.before.zoneinfo : recording.state) ?? recording.directory;
}

async function readDumps(
  recording: Recording,
  path: string,
  limits: TraceLimits | undefined,
): Promise<StateDump[]> {
  const { readStateDumps } = await import('../../trace/oracle/oracle-run.js');
  return readStateDumps(await openInput(path, limits), { hasCma: recording.kernel.generation === '7.2' });
}

function machineOf(recording: Recording, before: Snapshot, dump: StateDump | undefined): MachineSpec {
  if (dump !== undefined) return machineFromDump(dump);
  if (before.zoneinfo !== undefined) return machineFromZoneinfo(before.zoneinfo, ASSUMED_CPU_CACHE_BYTES);
  throw new InputError({
    file: recording.directory,
    expectation: 'has no before/zoneinfo, so its machine is unknown',
    remedy: 'record it again with the snapshot, or replay the trace file alone with --memory or --machine',
  });
}

export interface StartedAllocator {
  readonly mm: PageAllocator;
  readonly kind: 'kpageflags' | 'exact';
  readonly notes: string[];
}

/** An allocator in the state that the recording's trace begins with. */
export function startAllocator(material: RecordingMaterial, policy: Policy): StartedAllocator {
  const mm = new PageAllocator(material.spec, policy);
  const { dump_before, before } = material;
  if (dump_before !== undefined) {
    loadExactState(mm, exactFromDump(dump_before));
    markLruPages(mm, material);
    setUpSuperpageblocks(mm, true);
    return { mm, kind: 'exact', notes: ['all lists as the kernel held them (state.jsonl)'] };
  }
  setUpZones(mm);
  if (before.zoneinfo !== undefined) applyZoneinfo(mm, before.zoneinfo);
  for (const zone of mm.zones) for (const pcp of zone.pcps) pcp.flags |= PCPF_FREE_HIGH_BATCH;
  const notes = loadFromSnapshot(mm, {
    scan: material.scan,
    kpageflags: material.kpageflags,
    pagetypeinfo: before.pagetypeinfo,
    buddyinfo: before.buddyinfo,
  });
  setUpSuperpageblocks(mm, true);
  return { mm, kind: 'kpageflags', notes };
}

/** A dump counts the movable pages of a block but does not name them; kpageflags does. */
function markLruPages(mm: PageAllocator, material: RecordingMaterial): void {
  const classes = material.kpageflags?.classes;
  if (classes === undefined) return;
  const { state } = mm.pages;
  const counted = mm.pages.blockMovable.slice();
  const end = Math.min(classes.length, mm.pages.end_pfn);
  for (let pfn = 0; pfn < end; pfn++) {
    const kind = classes[pfn]! & PAGE_CLASS_MASK;
    if (kind !== PageClass.anon && kind !== PageClass.file) continue;
    if (state[pfn] !== 0 || mm.pages.buddyHead(pfn) >= 0 || mm.findZone(pfn) === undefined) continue;
    state[pfn] = PageKind.lru << 4;
    addMovable(mm, pfn, 0, 1);
  }
  // The dump's own count is exact; kpageflags was read a moment apart from it.
  mm.pages.blockMovable.set(counted);
}
