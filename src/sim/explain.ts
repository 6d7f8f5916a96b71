/**
 * `spbsim explain`: replays a trace up to one event and tells what the model does for it.
 *
 * The events before are replayed as `run` does it. Only for the one event the model is listened to, which changes nothing
 * of what it decides; what is due in the background by then has run before.
 */
import { toolVersion } from '../config/tool-version.js';
import { GFP_ACCOUNT_BIT, GFP_DIRECT_RECLAIM_BIT, GFP_NOLOCK, gfpMigratetype, gfpZone } from '../mm/gfp.js';
import { zonesFor } from '../mm/page-alloc/alloc-pages.js';
import type { PageAllocator } from '../mm/page-alloc/page-allocator.js';
import { optionalFlag } from '../mm/page-alloc/slow-flags.js';
import { Migratetype } from '../mm/types.js';
import type { Explanation } from '../report/explain-document.js';
import {
  CTX_NAMES,
  type EventBatch,
  EventFlag,
  NO_ORDER,
  NONE_U32,
  OP_NAMES,
  Op,
} from '../trace/event-batch.js';
import { gfpDialect } from '../trace/gfp-text.js';
import { InputError } from '../trace/input-error.js';
import type { Join, TraceSet } from '../trace/trace-set.js';
import type { SimBackground } from './background.js';
import { MachineState } from './explain-changes.js';
import { EventFinder, type EventTarget, idText, isAllocation } from './explain-find.js';
import { typeName, zoneName, zoneNameOf } from './explain-names.js';
import { ExplainRecorder } from './explain-recorder.js';
import type { FreeRunningReplay } from './free-running.js';
import { Notes } from './notes.js';
import { openInputs } from './open-inputs.js';
import { beginFreeRunning, prepareStart, type Start, type StartRequest } from './prepare-run.js';
import { Tallies } from './tallies.js';

export interface ExplainRequest extends Omit<StartRequest, 'mode'> {
  readonly target: EventTarget;
  /** of a generated workload */
  readonly seed?: number | undefined;
  /** one stream by time stamps, or each behind the one before */
  readonly join?: Join;
  /** the inputs, if somebody has their events already */
  readonly traces?: () => Promise<TraceSet>;
  readonly onProgress?: (done: { events: number; ts_ns: number }) => void;
  readonly signal?: AbortSignal;
}

const DEFAULT_SEED = 1;

/** A replay that has come to the event. */
interface Moment {
  readonly request: ExplainRequest;
  readonly start: Start;
  readonly set: TraceSet;
  readonly replay: FreeRunningReplay;
  readonly background: SimBackground;
  readonly notes: Notes;
  readonly start_ns: number;
}

/** @throws InputError, UsageError; an AbortError if `signal` asks for an early end */
export async function explainEvent(request: ExplainRequest): Promise<Explanation> {
  const { inputs, join, open, signal, onProgress } = request;
  const start = await prepareStart({ ...request, mode: 'free' });
  const set = await (request.traces?.() ?? openInputs({ inputs, join, open }, request.seed ?? DEFAULT_SEED));
  const finder = new EventFinder(request.target);
  let moment: Moment | undefined;
  for await (const batch of set.source.batches()) {
    if (batch.length === 0) continue;
    moment ??= begin(request, start, set, batch.ts[0]!);
    const number = finder.events;
    const row = finder.find(batch);
    moment.replay.replay(batch, 0, row < 0 ? batch.length : row);
    if (row >= 0) return explainRow(moment, batch, row, number + row);
    onProgress?.({ events: finder.events, ts_ns: batch.ts[batch.length - 1]! });
    // Without a turn of the event loop an interrupt would not be seen.
    await new Promise((resolve) => setImmediate(resolve));
    signal?.throwIfAborted();
  }
  throw cutError(set) ?? finder.missing();
}

/** The event may stand in what an input that ends too early does not have. */
function cutError(set: TraceSet): InputError | undefined {
  const cut = set.report().inputs.find((input) => input.cut !== undefined);
  if (cut === undefined) return undefined;
  return new InputError({ file: cut.name, expectation: `ends too early, and before the event: ${cut.cut}` });
}

function begin(request: ExplainRequest, start: Start, set: TraceSet, start_ns: number): Moment {
  const notes = new Notes();
  return { request, start, set, notes, start_ns, ...beginFreeRunning(start, start_ns, notes, new Tallies()) };
}

function explainRow(moment: Moment, batch: EventBatch, row: number, number: number): Explanation {
  const { request, start, replay, background, notes, start_ns } = moment;
  const { mm } = start;
  const ts_ns = batch.ts[row]!;
  if (ts_ns >= background.due_ns) background.runUntil(ts_ns);
  const op = batch.op[row]!;
  // The zonelist may be another after the event: memory comes and goes.
  const asked = isAllocation(op) ? requestOf(moment, batch, row) : null;
  const before = new MachineState(mm, start.state.kind !== 'fresh');
  const recorder = new ExplainRecorder(mm, op === Op.contig_alloc || op === Op.contig_free);
  notes.clear();
  recorder.attach();
  try {
    replay.replay(batch, row, row + 1);
  } finally {
    recorder.detach();
  }
  return {
    schema: 'spbsim.explain/1',
    tool: { name: 'spbsim', version: toolVersion() },
    inputs: [...request.inputs],
    policy: { name: request.policy.name, overrides: [...request.policy.overrides] },
    machine: start.origin,
    start_state: start.state.kind,
    event: eventOf(batch, row, number, start_ns),
    request: asked !== null && recorder.asked_pages > 0 ? { ...asked, pages: recorder.asked_pages } : asked,
    steps: recorder.steps,
    outcome: outcomeOf(moment, batch, row, recorder),
    changes: before.changes(recorder.contents),
  };
}

/** What an event says of itself. @param number  from 0 */
export function eventOf(
  batch: EventBatch,
  row: number,
  number: number,
  start_ns: number,
): Explanation['event'] {
  const order = batch.order[row]!;
  return {
    number,
    ts_ns: batch.ts[row]!,
    since_start_ns: batch.ts[row]! - start_ns,
    op: OP_NAMES[batch.op[row]!]!,
    cpu: batch.cpu[row]!,
    ctx: CTX_NAMES[batch.ctx[row]!]!,
    id: idText(batch, row),
    recorded_pfn: batch.pfn[row] === NONE_U32 ? null : batch.pfn[row]!,
    order: order === NO_ORDER ? null : order,
    site: batch.strings.sites.get(batch.site[row]!),
  };
}

function requestOf({ start, set }: Moment, batch: EventBatch, row: number): Explanation['request'] {
  const { mm } = start;
  const recorded = batch.gfp[row]!;
  // This kind of request has a mask of its own, whatever the trace says.
  const gfp = batch.op[row] === Op.alloc_nolock ? GFP_NOLOCK | (recorded & GFP_ACCOUNT_BIT) : recorded;
  const migratetype = gfpMigratetype(gfp);
  const isMovable = migratetype === Migratetype.movable;
  const cpu = batch.cpu[row]! < mm.nr_cpus ? batch.cpu[row]! : 0;
  const node = batch.node[row]! < mm.nodes.length ? batch.node[row]! : -1;
  const highestZone = gfpZone(gfp);
  const zones = highestZone < 0 ? [] : zonesFor(mm, cpu, gfp, node, highestZone);
  return {
    kind: isMovable ? 'M' : 'N',
    migratetype: typeName(migratetype),
    pages: pagesOf(batch, row),
    gfp: gfpDialect(set.kernel.generation).format(gfp),
    gfp_bits: gfp,
    node: node < 0 ? mm.spec.cpu_nodes[cpu]! : node,
    zonelist: zones.map(zoneName),
    may_reclaim: (gfp & GFP_DIRECT_RECLAIM_BIT) !== 0,
    is_optional: mm.spb !== null && !isMovable && optionalFlag(gfp) !== 0,
  };
}

function pagesOf(batch: EventBatch, row: number): number {
  const order = batch.order[row]!;
  return order === NO_ORDER ? 1 : 1 << order;
}

function outcomeOf(
  moment: Moment,
  batch: EventBatch,
  row: number,
  recorder: ExplainRecorder,
): Explanation['outcome'] {
  const { start, notes } = moment;
  const told = notes.entries().map(({ name, meaning }) => ({ name, meaning }));
  const none = { pfn: null, zone: null, notes: told };
  if (!isAllocation(batch.op[row]!)) {
    const pages = recorder.freed_pages;
    return { result: pages > 0 ? 'freed' : 'not_replayed', pages, ...none };
  }
  const pages = recorder.asked_pages || pagesOf(batch, row);
  if (batch.flags[row]! & EventFlag.failed) return { result: 'not_replayed', pages, ...none };
  const pfn = givenPfn(moment, batch, row, recorder);
  if (pfn < 0) return { result: 'failed', pages, ...none };
  return { result: 'allocated', pfn, pages, zone: zoneNameOf(start.mm, pfn), notes: told };
}

/** First page that the event's object has now. What nothing names is known from the last page that a zone gave. */
function givenPfn(
  { replay, start }: Moment,
  batch: EventBatch,
  row: number,
  recorder: ExplainRecorder,
): number {
  if (batch.op[row] === Op.contig_alloc) return recorder.taken_pfn;
  if (batch.flags[row]! & EventFlag.hasPfn) return ownedPfn(start.mm, replay.owners.get(batch.pfn[row]!));
  const id = batch.id[row]!;
  return id === NONE_U32 ? recorder.taken_pfn : ownedPfn(start.mm, replay.owners.getId(id));
}

/** @param owned model PFN + 1, or a Fate */
function ownedPfn(mm: PageAllocator, owned: number): number {
  return owned > 0 && owned <= mm.pages.end_pfn ? owned - 1 : -1;
}
