/** What the tests of Arrow share: traces made up at random, and ways to write and read them. */
import { ArrowReader, type ArrowReaderOptions } from '../../../src/trace/arrow/reader.js';
import { ArrowWriter, type ArrowWriterOptions } from '../../../src/trace/arrow/writer.js';
import {
  ASKS_MEMORY,
  FREES_OBJECT,
  FREES_PAGES,
  NEEDS_CACHE,
  NEEDS_MEMCG,
} from '../../../src/trace/csv/columns.js';
import {
  CTX_NAMES,
  EventBatch,
  EventFlag,
  LOCK_POINTS,
  NO_ORDER,
  NONE_U32,
  Op,
} from '../../../src/trace/event-batch.js';
import { MAX_DEPTH, Nesting } from '../../../src/trace/nesting.js';
import { createTraceStrings, type TraceStrings } from '../../../src/trace/string-table.js';
import { drain, eventsOf, inputOf, type SeenEvent } from '../helpers.js';
import { fc } from '../properties.js';

const OPS = Object.values(Op);
const NAMES = ['', 'kmalloc-64', 'dentry', 'naïve', '__proto__', 'a,b', '=1+1', '"q"', '  ', '🐧'];

/** Numbers from which one event is made; what does not fit is made to fit. */
export interface EventSeed {
  op: number;
  gap: number;
  cpu: number;
  ctx: number;
  order: number;
  gfp: number;
  id: number;
  pfn: number;
  flags: number;
  size: number;
  node: number;
  name: number;
  depth: number;
  at: number;
  pid: number;
  migratetype: number;
}

function oftenNone(max: number): fc.Arbitrary<number> {
  return fc.oneof(fc.constant(NONE_U32), fc.integer({ min: 0, max }));
}

export const eventSeed: fc.Arbitrary<EventSeed> = fc.record({
  op: fc.constantFrom(...OPS),
  gap: fc.oneof(fc.integer({ min: 0, max: 5000 }), fc.integer({ min: 0, max: 2 ** 40 })),
  cpu: fc.integer({ min: 0, max: 3 }),
  ctx: fc.integer({ min: 0, max: CTX_NAMES.length - 1 }),
  order: fc.integer({ min: 0, max: 11 }),
  gfp: fc.oneof(fc.constant(0), fc.constant(0xcc0), fc.integer({ min: 0, max: 0x3ff_ffff })),
  id: oftenNone(40),
  pfn: oftenNone(0xffff_fffe),
  flags: fc.integer({ min: 0, max: 7 }),
  size: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff_ffff })),
  node: fc.integer({ min: -1, max: 1023 }),
  name: fc.integer({ min: 0, max: NAMES.length ** 4 - 1 }),
  depth: fc.integer({ min: 0, max: MAX_DEPTH }),
  at: fc.integer({ min: 0, max: LOCK_POINTS.length - 1 }),
  pid: oftenNone(0xffff_fffe),
  migratetype: fc.integer({ min: 0, max: 5 }),
});

/** A batch of right events out of seeds. */
export function batchOf(
  seeds: readonly EventSeed[],
  strings: TraceStrings = createTraceStrings(),
): EventBatch {
  const batch = new EventBatch(strings, Math.max(1, seeds.length));
  const nesting = new Nesting(4);
  let ts = 0;
  seeds.forEach((seed, i) => {
    const { op, cpu } = seed;
    ts += seed.gap;
    let failed = (seed.flags & EventFlag.failed) !== 0;
    let pfn = failed ? NONE_U32 : seed.pfn;
    let id = NONE_U32;
    if (seed.id !== NONE_U32) {
      // Every object lives once: an id is allocated by one event and freed by none, or the other way round.
      id = strings.ids.intern(ASKS_MEMORY[op] === 1 ? `a${seed.id}-${i}` : `f${seed.id}-${i}`);
    }
    if (id === NONE_U32 && pfn === NONE_U32 && !failed) {
      if (FREES_OBJECT[op] === 1) pfn = 1;
      else id = strings.ids.intern(`n${i}`);
    }
    const name = (digit: number) =>
      NAMES[Math.floor(seed.name / NAMES.length ** digit) % NAMES.length] as string;
    const depth = Math.min(seed.depth, nesting.depthOf(cpu) + 1);
    const ctx = depth === 0 ? seed.ctx : Math.max(seed.ctx, nesting.contextBelow(cpu, depth));
    nesting.follow(cpu, depth, ctx);
    const arg = seed.size % 7 === 0 && pfn === NONE_U32 ? 'order=3;failed=1' : name(2);
    failed ||= arg.endsWith('failed=1');
    batch.ts[i] = ts;
    batch.cpu[i] = cpu;
    batch.ctx[i] = ctx;
    batch.op[i] = op;
    batch.order[i] = seed.order <= 10 ? seed.order : FREES_PAGES[op] === 1 ? NO_ORDER : 0;
    batch.gfp[i] = seed.gfp;
    batch.id[i] = id;
    batch.pfn[i] = pfn;
    batch.migratetype[i] = seed.migratetype;
    batch.flags[i] =
      (seed.flags & ~EventFlag.failed) |
      (failed ? EventFlag.failed : 0) |
      (pfn === NONE_U32 ? 0 : EventFlag.hasPfn);
    batch.size[i] = seed.size;
    batch.node[i] = seed.node;
    batch.cache[i] = strings.caches.intern(NEEDS_CACHE[op] === 1 ? 'named' : name(0));
    batch.memcg[i] = strings.memcgs.intern(NEEDS_MEMCG[op] === 1 && seed.name % 2 === 0 ? '/system' : '');
    batch.site[i] = strings.sites.intern(name(1));
    batch.arg[i] = strings.args.intern(arg);
    batch.depth[i] = depth;
    batch.at[i] = seed.at;
    batch.pid[i] = seed.pid;
  });
  batch.length = seeds.length;
  return batch;
}

/** One batch as a source. */
export async function* once(batch: EventBatch): AsyncGenerator<EventBatch> {
  yield batch;
}

/** The rows of a batch as tests see them. */
export function seen(batch: EventBatch): Promise<SeenEvent[]> {
  return eventsOf({ strings: batch.strings, batches: () => once(batch) });
}

export async function written(batch: EventBatch, options: ArrowWriterOptions): Promise<Buffer> {
  const { bytes, error } = await drain(new ArrowWriter(options).chunks(once(batch)));
  if (error !== undefined) throw error;
  return bytes;
}

/** What came out of an input: the events of whole batches, and the error that they end with. */
export interface Outcome {
  readonly events: readonly SeenEvent[];
  readonly error: string | undefined;
  readonly thrown: unknown;
}

export async function outcomeOf(
  bytes: Uint8Array,
  options: ArrowReaderOptions = {},
  pieceBytes?: number,
): Promise<Outcome> {
  const reader = new ArrowReader(await inputOf(bytes, 'trace.arrow', pieceBytes), options);
  const events: SeenEvent[] = [];
  try {
    for await (const batch of reader.batches()) {
      events.push(...(await eventsOf({ strings: reader.strings, batches: () => once(batch) })));
    }
  } catch (error) {
    return { events, error: error instanceof Error ? error.message : String(error), thrown: error };
  }
  return { events, error: undefined, thrown: undefined };
}

export async function readBack(
  bytes: Uint8Array,
  options: ArrowReaderOptions = {},
  pieceBytes?: number,
): Promise<SeenEvent[]> {
  const { events, thrown } = await outcomeOf(bytes, options, pieceBytes);
  if (thrown !== undefined) throw thrown;
  return [...events];
}
