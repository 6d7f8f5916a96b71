/**
 * Holds the model against a recording of a real machine: a pinned replay for what the kernel did, a free-running one for
 * what the policy would have made of the same requests.
 */
import { exactState } from '../../mm/page-alloc/exact-state.js';
import type { PageAllocator } from '../../mm/page-alloc/page-allocator.js';
import { validate } from '../../mm/page-alloc/validate.js';
import type { Policy } from '../../mm/policy.js';
import { enableLru } from '../../mm/reclaim/lru.js';
import type { ResultNote } from '../../report/run-result.js';
import type {
  VerifyBursts,
  VerifyCheckpoint,
  VerifyDivergence,
  VerifyRecording,
  VerifySlabs,
} from '../../report/verify-result.js';
import type { Recording } from '../../trace/recording/recording.js';
import type { OpenOptions } from '../../trace/source.js';
import { SimBackground } from '../background.js';
import { FreeRunningReplay } from '../free-running.js';
import { Notes } from '../notes.js';
import type { BurstMiss, BurstTally } from '../pinned/burst-log.js';
import { pinRecording } from '../pinned/pin-recording.js';
import type { PinnedReplay } from '../pinned/pinned-replay.js';
import { slabSources } from '../prepare-run.js';
import { zoneinfoOf } from '../start-state/machine-from-zoneinfo.js';
import {
  openRecordedEvents,
  type RecordingMaterial,
  readRecordingMaterial,
  startAllocator,
} from '../start-state/recording-material.js';
import { Tallies } from '../tallies.js';
import { blockTypeErrors, type Causes, freePageTotals, orderErrors } from './buddyinfo-error.js';
import { slabRecording } from './slab-recording.js';
import { compareStates } from './state-comparison.js';

export interface RecordingVerdict {
  readonly events: number;
  readonly compared: number;
  readonly matched: number;
  readonly recorded_failures: number;
  readonly first_divergence: VerifyDivergence | null;
  readonly checkpoints: VerifyCheckpoint[];
  readonly recording: VerifyRecording;
  readonly notes: ResultNote[];
}

const AFTER_MARK = /^spbsim: after\b/;

/** What the pinned replay leaves behind, taken at the moment at which `after/` was read. */
interface PinnedEnd {
  readonly replay: PinnedReplay;
  readonly notes: Notes;
  after_free_pages: VerifyRecording['after_free_pages'];
  after_buddyinfo: VerifyRecording['after_buddyinfo'];
  after_pagetypeinfo: VerifyRecording['after_pagetypeinfo'];
  checkpoints: VerifyCheckpoint[];
}

/** @throws InputError for a recording that cannot be replayed */
export async function verifyRecording(
  recording: Recording,
  policy: Policy,
  check: boolean,
  reading: { readonly open: OpenOptions; readonly max_machine_pages: number },
  onProgress?: (events: number) => void,
): Promise<RecordingVerdict> {
  const material = await readRecordingMaterial(
    recording,
    reading.open,
    { takesCut: false, max_machine_pages: reading.max_machine_pages },
    onProgress,
  );
  const pinned = await replayPinned(material, policy, check, onProgress);
  const free = await replayFree(material, policy, check, onProgress);
  const { replay, notes } = pinned;
  const { allocations, legal } = replay.legality;
  return {
    events: replay.event,
    compared: allocations,
    matched: legal,
    recorded_failures: notes.get('recorded_failures'),
    first_divergence: firstDivergence(replay),
    checkpoints: pinned.checkpoints,
    recording: {
      legality: {
        events: allocations,
        legal,
        illegal:
          legal === allocations
            ? []
            : [
                {
                  name: 'in_use',
                  count: allocations - legal,
                  meaning: 'pages handed out that the replay held to be in use',
                },
              ],
      },
      after_free_pages: pinned.after_free_pages,
      after_buddyinfo: pinned.after_buddyinfo,
      after_pagetypeinfo: pinned.after_pagetypeinfo,
      refill: bursts(replay.refills.tally, replay.refills.misses),
      drain: bursts(replay.drains.tally, replay.drains.misses),
      freerun_free_pages: free.free_pages,
      freerun_buddyinfo: free.buddyinfo,
      slabs: free.slabs,
    },
    notes: [...pinnedNotes(replay), ...notes.entries()],
  };
}

function bursts(tally: BurstTally, misses: readonly BurstMiss[]): VerifyBursts {
  return {
    observed: tally.observed,
    observed_size_predicted: tally.observed_size_predicted,
    known: tally.known,
    size_predicted: tally.size_predicted,
    pfn_predicted: tally.pfn_predicted,
    unordered: tally.unordered,
    expected_not_seen: tally.expected_not_seen,
    misses: misses.map(({ event, ts_ns, cpu, text }) => ({ event, ts_ns, cpu, text })),
  };
}

function pinnedNotes(replay: PinnedReplay): ResultNote[] {
  const { pops_known, popped_as_predicted } = replay.legality;
  return [
    {
      name: 'pops_on_known_lists',
      count: pops_known,
      meaning: 'allocations from per-CPU lists of known content',
    },
    {
      name: 'pops_predicted',
      count: popped_as_predicted,
      meaning: 'of these, handed out the page at the head of the list',
    },
    {
      name: 'direct_removals',
      count: replay.refills.direct_removals,
      meaning: 'allocations that passed their per-CPU list by (its lock was busy)',
    },
  ].filter((note) => note.count > 0);
}

function firstDivergence(replay: PinnedReplay): VerifyDivergence | null {
  const first = replay.illegal[0];
  if (first === undefined) return null;
  return {
    index: first.event,
    ts_ns: first.ts_ns,
    text: `alloc order ${first.order} on CPU ${first.cpu}`,
    kernel: `0x${first.pfn.toString(16)}`,
    model: 'holds it to be in use',
    context: ['a free before it is missing from the trace, or the start state is wrong about it'],
  };
}

async function replayPinned(
  material: RecordingMaterial,
  policy: Policy,
  check: boolean,
  onProgress?: (events: number) => void,
): Promise<PinnedEnd> {
  const started = startAllocator(material, policy);
  const { mm } = started;
  const notes = new Notes();
  const pinned = pinRecording(material, started, notes, null, (name) => {
    if (AFTER_MARK.test(name)) takeAfter(material, mm, notes, pinned.replay, end);
  });
  const { replay } = pinned;
  const end: PinnedEnd = {
    replay,
    notes,
    after_free_pages: null,
    after_buddyinfo: [],
    after_pagetypeinfo: [],
    checkpoints: [],
  };
  const reader = await openRecordedEvents(material);
  for await (const batch of reader.batches()) {
    replay.replay(batch);
    onProgress?.(replay.event);
    if (check) pinned.validate();
  }
  replay.finish();
  // Without marks the snapshot after the trace is all there is.
  if (end.after_free_pages === null) takeAfter(material, mm, notes, replay, end);
  if (material.dump_after !== undefined)
    end.checkpoints.push({ ...compareStates(material.dump_after, exactState(mm)), index: replay.event });
  return end;
}

function takeAfter(
  material: RecordingMaterial,
  mm: PageAllocator,
  notes: Notes,
  replay: PinnedReplay,
  end: PinnedEnd,
): void {
  const { buddyinfo, pagetypeinfo } = material.after;
  if (buddyinfo !== undefined) {
    end.after_free_pages = freePageTotals(mm, buddyinfo);
    end.after_buddyinfo = orderErrors(mm, buddyinfo, pinnedCauses(notes, replay));
  }
  if (pagetypeinfo !== undefined) end.after_pagetypeinfo = blockTypeErrors(mm, pagetypeinfo);
}

/** Pages whose way the trace does not show; each moves chunks between orders as it splits or fails to merge. */
function pinnedCauses(notes: Notes, replay: PinnedReplay): Causes {
  return [
    { name: 'freed without an event', pages: notes.get('silent_frees') },
    {
      name: 'allocated without an event (bulk, migration targets)',
      pages: notes.get('untraced_allocations'),
    },
    {
      name: 'left a per-CPU list without an event (bulk)',
      pages: notes.get('untraced_takes') + replay.refills.untraced_takes,
    },
    { name: 'refills without an event', pages: notes.get('refills_without_event') },
  ].filter((cause) => cause.pages > 0);
}

async function replayFree(
  material: RecordingMaterial,
  policy: Policy,
  check: boolean,
  onProgress?: (events: number) => void,
): Promise<{
  free_pages: VerifyRecording['freerun_free_pages'];
  buddyinfo: VerifyRecording['freerun_buddyinfo'];
  slabs: VerifySlabs | null;
}> {
  const { mm } = startAllocator(material, policy);
  enableLru(mm);
  const notes = new Notes();
  const background = new SimBackground(mm, material.scan.first_ns);
  const replay = new FreeRunningReplay(mm, {
    startIsRecorded: true,
    notes,
    tallies: new Tallies(),
    background,
    slabStart: slabSources(material),
  });
  const { buddyinfo } = material.after;
  const result: Awaited<ReturnType<typeof replayFree>> = { free_pages: null, buddyinfo: [], slabs: null };
  const slabs = slabRecording(material, replay);
  const take = () => {
    if (buddyinfo === undefined) return;
    result.free_pages = freePageTotals(mm, buddyinfo);
    result.buddyinfo = orderErrors(mm, buddyinfo, freeRunCauses(material, mm, notes));
  };
  replay.onMark = (name) => {
    if (!AFTER_MARK.test(name)) return;
    take();
    slabs?.atMark();
  };
  let events = 0;
  const reader = await openRecordedEvents(material);
  for await (const batch of reader.batches()) {
    if (slabs === null) replay.replay(batch);
    else slabs.replayBatch(batch);
    events += batch.length;
    onProgress?.(events);
    if (check) validate(mm);
  }
  if (result.free_pages === null) take();
  if (slabs !== null) result.slabs = slabs.result();
  return result;
}

function freeRunCauses(material: RecordingMaterial, mm: PageAllocator, notes: Notes): Causes {
  let modelPcp = 0;
  let realPcp = 0;
  for (const zone of mm.zones)
    zone.pcps.forEach((pcp, cpu) => {
      modelPcp += pcp.count;
      const zoneinfo = material.after.zoneinfo;
      const real = zoneinfo === undefined ? undefined : zoneinfoOf(zoneinfo, zone);
      realPcp += real?.pagesets.find((pageset) => pageset.cpu === cpu)?.count ?? 0;
    });
  return [
    { name: 'on per-CPU lists, kernel minus model', pages: realPcp - modelPcp },
    {
      name: 'allocated without an event (bulk, migration targets)',
      pages: notes.get('untraced_allocations'),
    },
    { name: 'failed in the model', pages: notes.get('model_failures') },
  ].filter((cause) => cause.pages !== 0);
}
