/**
 * The generators of workloads, for the command line and for whoever wants events without a file in between.
 *
 * A workload is a few actors, each with a time at which it wants to act next. Whoever is due first writes a burst of
 * rows and says when it comes again; so memory is that of the live objects, however long the trace is. The same arguments
 * give the same trace on every machine.
 */
import { parseDuration } from '../config/duration.js';
import { didYouMean } from '../config/nearest-name.js';
import { parseSize } from '../config/size.js';
import { UsageError } from '../config/usage-error.js';
import { InvariantError } from '../mm/invariant.js';
import { PAGE_BYTES } from '../mm/types.js';
import type { EventBatch, EventSource } from '../trace/event-batch.js';
import type { TraceStrings } from '../trace/string-table.js';
import { bpfMapChurn } from './models/bpf-map-churn.js';
import { bpfNmiStorm } from './models/bpf-nmi-storm.js';
import { fsMetadata } from './models/fs-metadata.js';
import { hugepage1gDemand } from './models/hugepage-1g-demand.js';
import { kprobeInSlab } from './models/kprobe-in-slab.js';
import { netSoftirq } from './models/net-softirq.js';
import { rtTimer } from './models/rt-timer.js';
import { slabRamp } from './models/slab-ramp.js';
import { steadyServer } from './models/steady-server.js';
import { syzkallerMix } from './models/syzkaller-mix.js';
import { MAX_OBJECTS } from './object-ids.js';
import { STEP_EVENTS, type TraceRows } from './trace-rows.js';
import type { Workload } from './workload.js';
import { type Actor, type Scale, type Stage, World } from './world.js';

/** By name. */
export const WORKLOADS: ReadonlyMap<string, Workload> = new Map(
  [
    ...[slabRamp, syzkallerMix, fsMetadata, hugepage1gDemand, netSoftirq, steadyServer],
    ...[bpfNmiStorm, bpfMapChurn, kprobeInSlab, rtTimer],
  ].map((workload) => [workload.name, workload]),
);

export interface GenerateOptions {
  /** 1 by default */
  readonly seed?: number | undefined;
  /** what is left out is as the workload says */
  readonly memory_pages?: number | undefined;
  readonly nodes?: number | undefined;
  readonly cpus?: number | undefined;
  readonly duration_ns?: number | undefined;
  /** the trace ends after so many events, if it has not ended before */
  readonly events?: number | undefined;
  /** options of the workload: texts as on the command line, or numbers in the unit of the option */
  readonly set?: Readonly<Record<string, string | number>> | undefined;
}

/** A trace that is made up while it is read. It can be read once. */
export interface GeneratedTrace extends EventSource {
  readonly workload: Workload;
  readonly scale: Scale;
  /** pages that the events so far have allocated and not freed, contiguous ranges left out */
  usedPages(): number;
}

const DEFAULT_SEED = 1;
const MIN_PAGES = (64 << 20) / PAGE_BYTES;
const MAX_PAGES = 2 ** 32;
const MAX_NODES = 1024;
const MAX_CPUS = 8192;
const MIN_DURATION_NS = 1e6;
/** 100 days: times of a trace are exact as far as 104 days */
const MAX_DURATION_NS = 100 * 24 * 3600e9;
/** Objects that a plan may count on; the rest is for those that come in larger numbers than on average. */
const PLANNED_OBJECTS = MAX_OBJECTS * 0.9375;

/** @throws UsageError  if there is no such workload */
export function findWorkload(name: string): Workload {
  const workload = WORKLOADS.get(name);
  if (workload !== undefined) return workload;
  const names = [...WORKLOADS.keys()];
  throw new UsageError(`there is no workload ${name}${didYouMean(name, names) || `: ${names.join(', ')}`}`);
}

/**
 * The events of a workload.
 *
 * @throws UsageError  if the name or an option is unknown, a value is out of range, or values contradict each other
 */
export function generate(name: string, options: GenerateOptions = {}): GeneratedTrace {
  const workload = findWorkload(name);
  const scale = scaleOf(workload, options);
  const world = new World(scale);
  const stages = workload.stages(world, options.set ?? {});
  checkObjects(stages);
  const events = options.events ?? Number.POSITIVE_INFINITY;
  check('events', events, 0, Number.POSITIVE_INFINITY);
  return new Generated(workload, scale, world, stages, events);
}

function check(name: string, value: number, min: number, max: number): number {
  if (value >= min && value <= max && (Number.isSafeInteger(value) || value === Number.POSITIVE_INFINITY))
    return value;
  throw new UsageError(`${name} ${value}: expected a whole number from ${min} to ${max}`);
}

function scaleOf({ defaults }: Workload, options: GenerateOptions): Scale {
  const memory_pages = options.memory_pages ?? (parseSize(defaults.memory) as number) / PAGE_BYTES;
  return {
    seed: check('seed', options.seed ?? DEFAULT_SEED, 0, Number.MAX_SAFE_INTEGER),
    memory_pages: check('memory_pages', memory_pages, MIN_PAGES, MAX_PAGES),
    nodes: check('nodes', options.nodes ?? defaults.nodes, 1, MAX_NODES),
    cpus: check('cpus', options.cpus ?? defaults.cpus, 1, MAX_CPUS),
    duration_ns: check(
      'duration_ns',
      options.duration_ns ?? (parseDuration(defaults.duration) as number),
      MIN_DURATION_NS,
      MAX_DURATION_NS,
    ),
  };
}

/** Every live object has an id, and there are only so many. */
function checkObjects(stages: readonly Stage[]): void {
  const objects = stages.reduce(
    (sum, { actors }) => sum + actors.reduce((all, actor) => all + actor.objects, 0),
    0,
  );
  if (objects <= PLANNED_OBJECTS) return;
  throw new UsageError(
    `about ${Math.ceil(objects / 1e6)} million objects would live at the same time, and a trace has ids for ${Math.floor(PLANNED_OBJECTS / 1e5) / 10} million: less --memory, a larger folio-order, more thp, or smaller shares of small pages`,
  );
}

class Generated implements GeneratedTrace {
  #isRead = false;

  constructor(
    readonly workload: Workload,
    readonly scale: Scale,
    readonly world: World,
    readonly stages: readonly Stage[],
    readonly events: number,
  ) {}

  get strings(): TraceStrings {
    return this.world.strings;
  }

  usedPages(): number {
    return this.world.rows.used_pages;
  }

  /** The batch is the same one every time: it is filled again when the next one is asked for. */
  async *batches(): AsyncGenerator<EventBatch> {
    if (this.#isRead) throw new Error('a generated trace can be read once');
    this.#isRead = true;
    let left = this.events;
    for (const batch of play(this.stages, this.world.rows)) {
      batch.length = Math.min(batch.length, left);
      left -= batch.length;
      if (batch.length > 0) yield batch;
      if (left === 0) return;
    }
  }
}

/** Lets the actors act, stage by stage, in the order of their times; among equals the first one of the list. */
function* play(stages: readonly Stage[], rows: TraceRows): Generator<EventBatch> {
  const { batch } = rows;
  const full = batch.capacity - STEP_EVENTS;
  for (const { actors, until_ns } of stages) {
    for (let actor = firstDue(actors); actor.due_ns < until_ns; actor = firstDue(actors)) {
      actor.step();
      if (batch.length <= full) continue;
      if (batch.length > batch.capacity)
        throw new InvariantError('an actor has written more than a step may');
      yield batch;
      batch.length = 0;
    }
  }
  yield batch;
}

function firstDue(actors: readonly Actor[]): Actor {
  let first = actors[0];
  for (let i = 1; i < actors.length; i++) if (actors[i].due_ns < first.due_ns) first = actors[i];
  return first;
}
