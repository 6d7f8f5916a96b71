/** What the tests of saved runs share: traces held in memory, sessions on them, and a way through the bytes of a file. */
import { machineFromSize } from '../../../src/config/machine-by-size.js';
import { type ResolvedPolicy, resolvePolicy } from '../../../src/config/resolve-policy.js';
import { generate } from '../../../src/gen/generate.js';
import type { MachineSpec } from '../../../src/mm/machine-spec.js';
import { bootFresh } from '../../../src/mm/page-alloc/boot.js';
import { PageAllocator } from '../../../src/mm/page-alloc/page-allocator.js';
import { setUpZones } from '../../../src/mm/page-alloc/zone-setup.js';
import type { RunResult } from '../../../src/report/run-result.js';
import type { Start } from '../../../src/sim/prepare-run.js';
import { ReplaySession, type SessionOptions } from '../../../src/sim/replay-session.js';
import { readRecordingMaterial, startAllocator } from '../../../src/sim/start-state/recording-material.js';
import { resumedSession } from '../../../src/sim/state/resume.js';
import { STATE_SCHEMA_ID, type StateHead } from '../../../src/sim/state/saved-state.js';
import { Snapshot } from '../../../src/sim/state/snapshot.js';
import { readStateBytes, stateBytes } from '../../../src/sim/state/state-file.js';
import { CsvReader } from '../../../src/trace/csv/reader.js';
import { EventBatch, type EventSource } from '../../../src/trace/event-batch.js';
import { openRecording } from '../../../src/trace/recording/recording.js';
import { openTrace } from '../../../src/trace/source.js';
import { inputOf } from '../../trace/helpers.js';

export const GIB_PAGES = 1 << 18;

export const POLICIES = [
  'mainline-6.1',
  'mainline-6.18',
  'mainline-7.2',
  'spb-v2',
  'spb-v2-lists',
  'spb-v2-bitmap',
  'spb-v2-r-c',
  'spb-v2-noshrink',
  'workloads/policies/mainline-with-shrinkers.yaml',
] as const;

/** All events of a trace in one batch, and how a replay of it begins. */
export interface Story {
  readonly name: string;
  readonly memory_pages: number;
  readonly events: EventBatch;
  readonly start: (policy: ResolvedPolicy) => Start;
}

/** Whole numbers below `n`, the same for the same seed (mulberry32). */
export function dice(seed: number): (n: number) => number {
  let state = seed >>> 0;
  return (n) => {
    state = (state + 0x6d2b_79f5) >>> 0;
    let hash = Math.imul(state ^ (state >>> 15), state | 1);
    hash ^= hash + Math.imul(hash ^ (hash >>> 7), hash | 61);
    return Math.floor((((hash ^ (hash >>> 14)) >>> 0) / 2 ** 32) * n);
  };
}

async function allEvents(source: EventSource, most = Number.POSITIVE_INFINITY): Promise<EventBatch> {
  const parts: EventBatch[] = [];
  let events = 0;
  for await (const batch of source.batches()) {
    const rows = Math.min(batch.length, most - events);
    const copy = new EventBatch(source.strings, Math.max(1, rows));
    copy.copyRows(batch, 0, rows, 0);
    copy.length = rows;
    parts.push(copy);
    events += rows;
    if (events === most) break;
  }
  const all = new EventBatch(source.strings, Math.max(1, events));
  for (const part of parts) {
    all.copyRows(part, 0, part.length, all.length);
    all.length += part.length;
  }
  return all;
}

export function freshStart(spec: MachineSpec): Story['start'] {
  return ({ policy }) => {
    const mm = new PageAllocator(spec, policy);
    setUpZones(mm);
    bootFresh(mm);
    return { mm, origin: 'test', kernel: null, state: { kind: 'fresh', notes: [] }, material: undefined };
  };
}

function pagesOf(spec: MachineSpec): number {
  return spec.zones.reduce((sum, zone) => sum + zone.managed_pages, 0);
}

function on(spec: MachineSpec): Pick<Story, 'memory_pages' | 'start'> {
  return { memory_pages: pagesOf(spec), start: freshStart(spec) };
}

export async function csvStory(name: string, text: string, spec: MachineSpec): Promise<Story> {
  return { name, ...on(spec), events: await allEvents(new CsvReader(await inputOf(text))) };
}

export async function fileStory(path: string, spec: MachineSpec): Promise<Story> {
  return { name: path, ...on(spec), events: await allEvents((await openTrace(path)).source) };
}

/** A generated workload, on a machine that is too small for it. */
export async function generatedStory(
  name: string,
  made: Parameters<typeof generate>[1],
  spec: MachineSpec,
): Promise<Story> {
  return { name, ...on(spec), events: await allEvents(generate(name, made)) };
}

/** A recording with the state that it begins with. */
export async function recordedStory(directory: string, events: number): Promise<Story> {
  const recording = await openRecording(directory);
  const limits = { takesCut: true, max_machine_pages: 2 ** 30 };
  const material = await readRecordingMaterial(recording, {}, limits);
  return {
    name: directory,
    memory_pages: pagesOf(material.spec),
    events: await allEvents((await openTrace(directory)).source, events),
    start: ({ policy }) => {
      const { mm, kind, notes } = startAllocator(material, policy);
      return { mm, origin: 'test', kernel: '6.18.0', state: { kind, notes }, material };
    },
  };
}

/** Ops of every kind in no order, so close to the end of memory that everything there is has to work. */
export function roughTrace(events: number, seed: number, kind: 'small' | 'large'): string {
  const roll = dice(seed);
  const lines = ['ts,cpu,op,id,order,gfp,pfn,arg'];
  const live: { id: string; pfn: number; contig: boolean }[] = [];
  let ts = 1000;
  let ids = 0;
  const cell = (value: number) => (value < 0 ? '' : String(value));
  const allocate = (gfp: string, order: number) => {
    const pfn = roll(12) === 0 ? (roll(64) << 10) + 0x4000 : -1;
    const again = roll(200) === 0 && live.length > 0 ? live.splice(roll(live.length), 1)[0]!.id : '';
    const id = again.startsWith('i') ? again : `i${ids++}`;
    lines.push(`${ts},${roll(4)},alloc,${id},${order},${gfp},${cell(pfn)},`);
    live.push({ id, pfn, contig: false });
  };
  const orders = kind === 'small' ? [0, 0, 0, 1, 2, 9] : [9, 9, 9, 10, 4, 0];
  const ranges = kind === 'large' ? [64, 512, 4096, 64, 512, 4096, 512, GIB_PAGES] : [64, 512, 4096];
  const blocks: number[] = [];
  while (lines.length <= events) {
    ts += roll(40) === 0 ? roll(300_000_000) : roll(60_000);
    const what = roll(1000);
    if (what < 430) allocate('GFP_HIGHUSER_MOVABLE', orders[roll(orders.length)]!);
    else if (what < 500) allocate('GFP_HIGHUSER_MOVABLE|__GFP_WRITE', orders[roll(orders.length)]!);
    else if (what < 580) allocate('GFP_KERNEL', roll(5));
    else if (what < 640) allocate('GFP_NOFS|__GFP_RECLAIMABLE', roll(4));
    else if (what < 660) allocate('GFP_ATOMIC', roll(3));
    else if (what < 670) allocate('GFP_TRANSHUGE', 9);
    else if (what < 975 && live.length > 0) {
      const [gone] = live.splice(roll(4) === 0 ? live.length - 1 : roll(live.length), 1);
      const op = gone!.contig ? 'contig_free' : 'free';
      if (gone!.pfn >= 0 && roll(2) === 0) lines.push(`${ts},${roll(4)},free,,0,,${gone!.pfn},`);
      else lines.push(`${ts},${roll(4)},${op},${gone!.id},,,,`);
    } else if (what < 980) {
      const id = `c${ids++}`;
      lines.push(`${ts},0,contig_alloc,${id},,GFP_KERNEL,,pages=${ranges[roll(ranges.length)]}`);
      live.push({ id, pfn: -1, contig: true });
    } else if (what < 984 && live.length > 0) {
      const used = live[roll(live.length)]!;
      if (!used.contig) lines.push(`${ts},0,reference,${used.id},,,,`);
    } else if (what < 987) lines.push(`${ts},0,mark,,,,,step-${roll(3)}`);
    else if (what < 991) {
      const comes = blocks.length > 0 && roll(2) === 0;
      const [start] = comes ? blocks.splice(roll(blocks.length), 1) : [0x2000 + roll(16) * 512];
      if (!comes) blocks.push(start!);
      lines.push(
        `${ts},0,${comes ? 'mem_online' : 'mem_offline'},,,,,start_pfn=${start};pages=512;zone=DMA32`,
      );
    } else if (what < 994) lines.push(`${ts},${1 + roll(3)},cpu_${roll(2) === 0 ? 'off' : 'on'}line,,,,,`);
    else if (what < 995) lines.push(`${ts},0,drop_caches,,,,,`);
    else lines.push(`${ts},0,tick,,,,,`);
  }
  return `${lines.join('\n')}\n`;
}

/** Memory comes in front of and behind what there was, in use at once, and some of it goes again. */
export function hotplugTrace(): string {
  const lines = ['ts,cpu,op,id,order,gfp,arg'];
  let ts = 0;
  const allocations = (name: string) => {
    for (let i = 0; i < 300; i++) {
      ts += 1_000_000;
      const gfp = i % 5 === 0 ? 'GFP_KERNEL' : 'GFP_HIGHUSER_MOVABLE';
      lines.push(`${ts},${i % 4},alloc,${name}${i},${i % 5 === 0 ? 2 : 9},${gfp},`);
      if (i % 3 === 2) lines.push(`${ts},${i % 4},free,${name}${i - 1},,,`);
    }
  };
  const memory = (op: string, start: number, pages: number) => {
    ts += 1_000_000;
    lines.push(`${ts},0,${op},,,,start_pfn=${start};pages=${pages};zone=DMA32`);
  };
  const [gib, two] = [GIB_PAGES, 2 * GIB_PAGES];
  allocations('a');
  memory('mem_online', two, gib);
  allocations('b');
  memory('mem_online', two + gib, gib / 2);
  allocations('c');
  memory('mem_offline', two + gib, gib / 2);
  memory('mem_offline', two + gib / 2, gib / 4);
  allocations('d');
  return `${lines.join('\n')}\n`;
}

export function machine(memory_pages: number, nodes = 1): MachineSpec {
  return machineFromSize({ memory_pages, cpus: 4, nodes });
}

export async function optionsFor(
  policy: string,
  more: Partial<SessionOptions> = {},
): Promise<SessionOptions> {
  return { policy: await resolvePolicy(policy), mode: 'free', seed: 1, check: false, ...more };
}

export function newSession(story: Story, options: SessionOptions): ReplaySession {
  return new ReplaySession(options, story.start(options.policy));
}

/** The result document without what the clock decides. */
export function documentOf(result: RunResult): string {
  const { performance: _, ...document } = result;
  return JSON.stringify(document);
}

export function headOf(session: ReplaySession, options: SessionOptions): StateHead {
  const { start, events_read: events, start_ns, read_ns } = session;
  const input = {
    path: 'test.csv',
    format: 'csv',
    sha256: '',
    bytes: 0,
    kernel: { generation: '6.18', release: '', how: 'assumed' as const, reasons: [] },
    cut: null,
    kinds: [],
    not_understood: [],
    lost: [],
    remarks: [],
  };
  return {
    schema: STATE_SCHEMA_ID,
    tool: { name: 'spbsim', version: '0' },
    policy: options.policy,
    machine: { kernel: start.kernel, origin: start.origin, spec: start.mm.spec },
    start_state: start.state,
    seed: options.seed,
    series_ns: options.series_ns ?? null,
    from_ns: options.from_ns ?? null,
    to_ns: options.to_ns ?? null,
    join: 'time',
    kernel: null,
    parts: [{ inputs: [input], notes: [], moved: 0, events }],
    events,
    start_ns,
    read_ns,
  };
}

/** The bytes of a session's file, not packed. */
export async function bytesOf(
  session: ReplaySession,
  options: SessionOptions,
  events: EventBatch,
): Promise<Buffer> {
  const snapshot = Snapshot.of(session);
  const state = { head: headOf(session, options), ids: events.strings.ids.added(1), snapshot };
  const chunks: Uint8Array[] = [];
  for await (const chunk of stateBytes(state)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Another session in the state of a file. */
export async function sessionFrom(bytes: Uint8Array, options: SessionOptions): Promise<ReplaySession> {
  async function* chunks() {
    for (let at = 0; at < bytes.length; at += 100_000) yield bytes.subarray(at, at + 100_000);
  }
  const saved = await readStateBytes(chunks(), 'state');
  // The policy of a resumed run is the one that was saved.
  return resumedSession(
    { ...options, policy: saved.head.policy },
    { saved, kind: 'same', skip: 0, before: [] },
  );
}
