/** `spbsim info`: counts what traces hold; nothing is replayed. */
import { toolVersion } from '../config/tool-version.js';
import type { TraceInfo } from '../report/trace-info.js';
import { CTX_NAMES, type EventBatch, EventFlag, NO_ORDER, OP_NAMES, Op } from '../trace/event-batch.js';
import { EventTotals } from '../trace/event-totals.js';
import type { EventSelection } from '../trace/filter/event-filter.js';
import { gfpDialect } from '../trace/gfp-text.js';
import { openTraces } from '../trace/open-traces.js';
import type { OpenOptions } from '../trace/source.js';
import type { StringTable } from '../trace/string-table.js';
import type { Join, TraceSet } from '../trace/trace-set.js';
import { readInput } from './trace-notes.js';

export interface InfoRequest {
  readonly inputs: readonly string[];
  readonly join?: Join | undefined;
  readonly open: OpenOptions;
  readonly selection?: EventSelection | undefined;
  readonly onProgress?: (done: { events: number; ts_ns: number }) => void;
  readonly signal?: AbortSignal;
}

const ORDERS = 11;
const CONTEXTS = CTX_NAMES.length;
const NS_PER_S = 1e9;
/** Distinct gfp masks counted one by one; a trace has under a hundred. */
const MAX_GFP_MASKS = 1 << 12;
const MIGRATETYPES = ['unmovable', 'movable', 'reclaimable', 'both'] as const;

/** Counts by a number that grows with the trace, such as that of a string. */
class GrowingCounts {
  #counts = new Float64Array(1 << 8);

  add(number: number, amount = 1): void {
    if (number >= this.#counts.length) {
      const grown = new Float64Array(Math.max(number + 1, this.#counts.length * 2));
      grown.set(this.#counts);
      this.#counts = grown;
    }
    (this.#counts[number] as number) += amount;
  }

  get(number: number): number {
    return this.#counts[number] ?? 0;
  }
}

class InfoCounts {
  readonly totals = new EventTotals();
  readonly opContexts = new Float64Array(OP_NAMES.length * CONTEXTS);
  readonly allocOrders = new Float64Array(ORDERS);
  readonly freeOrders = new Float64Array(ORDERS);
  readonly requests = new Float64Array(MIGRATETYPES.length);
  readonly gfp = new Map<number, number>();
  readonly sites = new GrowingCounts();
  readonly memcgs = new GrowingCounts();
  readonly cacheAllocs = new GrowingCounts();
  readonly cacheFrees = new GrowingCounts();
  readonly cacheBytes = new GrowingCounts();
  /** by size class */
  readonly kmallocs = new Map<number, { allocs: number; bytes: number }>();
  failed = 0;

  add(batch: EventBatch): void {
    this.totals.add(batch);
    for (let i = 0; i < batch.length; i++) {
      const op = batch.op[i]!;
      this.opContexts[op * CONTEXTS + batch.ctx[i]!]!++;
      if ((batch.flags[i]! & EventFlag.failed) !== 0) this.failed++;
      if (batch.site[i] !== 0) this.sites.add(batch.site[i]!);
      if (batch.memcg[i] !== 0) this.memcgs.add(batch.memcg[i]!);
      this.#addObject(batch, i, op);
    }
  }

  #addObject(batch: EventBatch, i: number, op: number): void {
    const order = batch.order[i]!;
    switch (op) {
      case Op.alloc:
      case Op.alloc_nolock:
        this.allocOrders[order]!++;
        this.requests[(batch.gfp[i]! >> 3) & 3]!++;
        this.#addGfp(batch.gfp[i]!);
        break;
      case Op.free:
      case Op.free_nolock:
        if (order !== NO_ORDER) this.freeOrders[order]!++;
        break;
      case Op.cache_alloc:
        this.cacheAllocs.add(batch.cache[i]!);
        this.cacheBytes.add(batch.cache[i]!, batch.size[i]!);
        this.#addGfp(batch.gfp[i]!);
        break;
      case Op.cache_free:
        this.cacheFrees.add(batch.cache[i]!);
        break;
      case Op.kmalloc:
      case Op.kmalloc_nolock:
        this.#addKmalloc(batch.size[i]!);
        this.#addGfp(batch.gfp[i]!);
        break;
    }
  }

  #addKmalloc(bytes: number): void {
    const known = this.kmallocs.get(sizeClass(bytes));
    if (known === undefined) this.kmallocs.set(sizeClass(bytes), { allocs: 1, bytes });
    else {
      known.allocs++;
      known.bytes += bytes;
    }
  }

  #addGfp(bits: number): void {
    const known = this.gfp.get(bits);
    if (known !== undefined || this.gfp.size < MAX_GFP_MASKS) this.gfp.set(bits, (known ?? 0) + 1);
  }
}

/** The kmalloc size class that serves so many bytes; beyond the largest the pages that do. */
function sizeClass(bytes: number): number {
  if (bytes > 64 && bytes <= 96) return 96;
  if (bytes > 128 && bytes <= 192) return 192;
  return Math.max(8, 2 ** Math.ceil(Math.log2(Math.max(1, bytes))));
}

/** Reads the inputs to their end and says what they hold. @throws InputError */
export async function inspectTraces(request: InfoRequest): Promise<TraceInfo> {
  const { inputs, join, open, selection, signal } = request;
  const tables = ['caches', 'memcgs', 'sites'] as const;
  const set = await openTraces({ inputs, join, open, selection, tables });
  const counts = new InfoCounts();
  for await (const batch of set.source.batches()) {
    if (signal?.aborted) break;
    counts.add(batch);
    request.onProgress?.({ events: counts.totals.events, ts_ns: counts.totals.last_ts ?? 0 });
    await new Promise((resolve) => setImmediate(resolve));
  }
  return document(set, counts, signal?.aborted ?? false);
}

function document(set: TraceSet, counts: InfoCounts, interrupted: boolean): TraceInfo {
  const { totals } = counts;
  const { strings } = set.source;
  const report = set.report();
  const first_ns = totals.first_ts ?? 0;
  const last_ns = totals.last_ts ?? 0;
  const span_s = (last_ns - first_ns) / NS_PER_S;
  const dialect = gfpDialect(set.kernel.generation);
  return {
    schema: 'spbsim.info/1',
    tool: { name: 'spbsim', version: toolVersion() },
    interrupted,
    inputs: report.inputs.map(readInput),
    filtered: report.filtered,
    span: { first_ns, last_ns, events: totals.events },
    events_per_s: span_s > 0 ? totals.events / span_s : 0,
    events: eventRows(counts),
    cpus: [...totals.by_cpu].flatMap((events, cpu) => (events > 0 ? [{ cpu, events }] : [])),
    alloc_orders: [...counts.allocOrders],
    free_orders: [...counts.freeOrders],
    migratetypes: Object.fromEntries(MIGRATETYPES.map((name, type) => [name, counts.requests[type]!])),
    failed_allocations: counts.failed,
    gfp: [...counts.gfp]
      .map(([bits, events]) => ({ gfp: dialect.format(bits), events }))
      .sort((a, b) => b.events - a.events || (a.gfp < b.gfp ? -1 : 1)),
    caches: cacheRows(strings.caches, counts),
    sites: rowsOf(strings.sites, counts.sites).map(({ name, events }) => ({ site: name, events })),
    memcgs: rowsOf(strings.memcgs, counts.memcgs).map(({ name, events }) => ({ memcg: name, events })),
    distinct_ids: report.distinct_ids,
  };
}

function eventRows(counts: InfoCounts): TraceInfo['events'] {
  return OP_NAMES.map((op, number) => ({
    op,
    events: counts.totals.by_op[number]!,
    by_ctx: Object.fromEntries(
      CTX_NAMES.map((ctx, c) => [ctx, counts.opContexts[number * CONTEXTS + c]!]),
    ) as TraceInfo['events'][number]['by_ctx'],
  })).filter(({ events }) => events > 0);
}

function rowsOf(table: StringTable, counts: GrowingCounts): { name: string; events: number }[] {
  const rows: { name: string; events: number }[] = [];
  for (let number = 1; number < table.size; number++)
    if (counts.get(number) > 0) rows.push({ name: table.get(number), events: counts.get(number) });
  return rows.sort((a, b) => b.events - a.events || (a.name < b.name ? -1 : 1));
}

/** Caches by name and kmalloc by size class, most allocated first. */
function cacheRows(table: StringTable, counts: InfoCounts): TraceInfo['caches'] {
  const rows: TraceInfo['caches'] = [];
  for (let number = 0; number < table.size; number++) {
    const allocs = counts.cacheAllocs.get(number);
    const frees = counts.cacheFrees.get(number);
    if (allocs + frees === 0) continue;
    const bytes = counts.cacheBytes.get(number);
    rows.push({ cache: number === 0 ? '' : table.get(number), allocs, frees, bytes });
  }
  for (const [size, { allocs, bytes }] of counts.kmallocs)
    rows.push({ cache: `kmalloc ${size}`, allocs, frees: 0, bytes });
  return rows.sort((a, b) => b.allocs + b.frees - a.allocs - a.frees || (a.cache < b.cache ? -1 : 1));
}
