/**
 * From the cells of a row to an event: the state that rows share, and the checks that need it.
 *
 * Both ways of reading cells, from strings (rows.ts) and from bytes (scanner.ts), put what they found into `values` and
 * the two arrays of text places, and call append(). Time, nesting, the life of ids and what an op cannot do without are
 * checked here only, so the two ways cannot disagree about them. A row that is refused has changed nothing that a second
 * append() of the same row would notice.
 */

import { type EventBatch, EventFlag, NO_ORDER, NONE_U32, Op } from '../event-batch.js';
import { Nesting, NestingProblem } from '../nesting.js';
import type { StringTable, TraceStrings } from '../string-table.js';
import {
  ASKS_MEMORY,
  Column,
  CSV_COLUMNS,
  FREES_OBJECT,
  FREES_PAGES,
  HAS_ORDER,
  MAX_CPU,
  NEEDS_CACHE,
  NEEDS_CACHE_OR_SIZE,
  NEEDS_ID,
  NEEDS_MEMCG,
  NEEDS_SIZE,
  saysFailed,
} from './columns.js';
import { FreedIds } from './freed-ids.js';

const DEFAULT_GAP_NS = 1000;
const FIRST_ARGS = 1 << 8;
const SLASH = 0x2f;

/** Value of a cell that is empty, or whose column the file does not have. It is also what an empty node means: local. */
export const EMPTY = -1;

/** Why append() refused a row. */
export const RowProblem = {
  none: 0,
  /** before the row above */
  ts: 1,
  /** deeper than the row above on its CPU allows */
  depth: 2,
  /** a recorded failure with a PFN */
  failedPfn: 3,
  noId: 4,
  noSize: 5,
  noCache: 6,
  noCacheOrSize: 7,
  noMemcg: 8,
  freedTwice: 9,
  /** of a context that cannot interrupt that of the row it nests in */
  context: 10,
} as const;
export type RowProblem = (typeof RowProblem)[keyof typeof RowProblem];

/** What an argument number says, once it has been looked at. */
const ArgKind = { unknown: 0, plain: 1, failed: 2 } as const;

/** Ops that free_ids follow: what append() has to do with an id. */
const Life = { none: 0, pages: 1, object: 2, freesPages: 3, freesObject: 4 } as const;
const LIFE = new Uint8Array(256);
for (const op of Object.values(Op)) {
  if (ASKS_MEMORY[op] === 1) LIFE[op] = HAS_ORDER[op] === 1 ? Life.pages : Life.object;
  else if (FREES_PAGES[op] === 1) LIFE[op] = Life.freesPages;
  else if (FREES_OBJECT[op] === 1) LIFE[op] = Life.freesObject;
}

export class RowEvents {
  /** by column: the number, or the number of the word, that the row's cell holds; EMPTY if it holds none */
  readonly values = new Float64Array(CSV_COLUMNS.length).fill(EMPTY);
  /** by column: where the row's texts stand in the bytes given to append(); empty where both are equal */
  readonly starts = new Int32Array(CSV_COLUMNS.length);
  readonly ends = new Int32Array(CSV_COLUMNS.length);
  /** ns */
  lastTs = -DEFAULT_GAP_NS;
  /** rows that became events */
  emitted = 0;
  /** line of the last row */
  rowLine = 0;
  /** where the id of a row with RowProblem.freedTwice was freed first */
  freedLine = 0;
  /** what the next row of each CPU may interrupt */
  readonly nesting = new Nesting(MAX_CPU + 1);
  #argKinds = new Uint8Array(FIRST_ARGS);
  /** of pages and of cache objects: ids are unique among live objects of a kind */
  readonly #freedPages = new FreedIds();
  readonly #freedObjects: FreedIds;
  readonly #ids: StringTable;
  readonly #caches: StringTable;
  readonly #memcgs: StringTable;
  readonly #sites: StringTable;
  readonly #args: StringTable;

  /** @param kernelGfp  bits of GFP_KERNEL, which an empty gfp of an allocation means */
  constructor(
    strings: TraceStrings,
    readonly kernelGfp: number,
  ) {
    this.#ids = strings.ids;
    this.#freedObjects = new FreedIds(strings.ids);
    this.#caches = strings.caches;
    this.#memcgs = strings.memcgs;
    this.#sites = strings.sites;
    this.#args = strings.args;
  }

  /** Whether the arguments with this number say that the recorded allocation failed. */
  #isFailed(arg: number): boolean {
    if (arg === 0) return false;
    if (arg >= this.#argKinds.length) {
      const kinds = new Uint8Array(Math.max(arg + 1, this.#argKinds.length * 2));
      kinds.set(this.#argKinds);
      this.#argKinds = kinds;
    }
    let kind = this.#argKinds[arg];
    if (kind === ArgKind.unknown) {
      kind = saysFailed(this.#args.get(arg)) ? ArgKind.failed : ArgKind.plain;
      this.#argKinds[arg] = kind;
    }
    return kind === ArgKind.failed;
  }

  /** What the row's op cannot do without and does not have. */
  #missing(op: number, hasPfn: boolean, failed: boolean): RowProblem {
    const { values, starts, ends } = this;
    if (failed && hasPfn) return RowProblem.failedPfn;
    if (NEEDS_ID[op] === 1 && !hasPfn && !failed && starts[Column.id] === ends[Column.id])
      return RowProblem.noId;
    if (NEEDS_SIZE[op] === 1 && values[Column.size] === EMPTY) return RowProblem.noSize;
    if (starts[Column.cache] === ends[Column.cache]) {
      if (NEEDS_CACHE[op] === 1) return RowProblem.noCache;
      if (NEEDS_CACHE_OR_SIZE[op] === 1 && values[Column.size] === EMPTY) return RowProblem.noCacheOrSize;
    }
    if (NEEDS_MEMCG[op] === 1 && starts[Column.memcg] === ends[Column.memcg]) return RowProblem.noMemcg;
    return RowProblem.none;
  }

  /** Follows an object's life. @returns line of the row that has freed the id before, 0 if none has */
  #follow(op: number, id: number, order: number, line: number): number {
    switch (LIFE[op]) {
      case Life.pages:
        this.#freedPages.allocated(id, order);
        return 0;
      case Life.object:
        this.#freedObjects.allocated(id, order);
        return 0;
      case Life.freesPages:
        return this.#freedPages.freed(id, order, line);
      case Life.freesObject:
        return this.#freedObjects.freed(id, order, line);
      default:
        return 0;
    }
  }

  /**
   * Appends the event of the row whose cells were put here to `batch`, which has room.
   *
   * @param bytes  that hold the row's texts
   * @param line   of the row's first character, from 1
   * @returns RowProblem.none, or why there is no event
   * @throws InputError  if a string table is full
   */
  append(bytes: Uint8Array, line: number, batch: EventBatch): RowProblem {
    const { values, starts, ends } = this;
    this.rowLine = line;
    const op = values[Column.op];
    let ts = values[Column.ts];
    if (ts === EMPTY) ts = Math.min(this.lastTs + DEFAULT_GAP_NS, Number.MAX_SAFE_INTEGER);
    if (ts < this.lastTs) return RowProblem.ts;
    let cpu = values[Column.cpu];
    if (cpu === EMPTY) cpu = 0;
    let depth = values[Column.depth];
    if (depth === EMPTY) depth = 0;
    let ctx = values[Column.ctx];
    if (ctx === EMPTY) ctx = 0;
    if (depth !== 0) {
      const nests = this.nesting.check(cpu, depth, ctx);
      if (nests !== NestingProblem.none)
        return nests === NestingProblem.depth ? RowProblem.depth : RowProblem.context;
    }

    const cache = this.#caches.internBytes(bytes, starts[Column.cache], ends[Column.cache]);
    const memcgStart = starts[Column.memcg];
    const memcgEnd = ends[Column.memcg];
    const isRoot = memcgEnd - memcgStart === 1 && bytes[memcgStart] === SLASH;
    const memcg = isRoot ? 0 : this.#memcgs.internBytes(bytes, memcgStart, memcgEnd);
    const site = this.#sites.internBytes(bytes, starts[Column.site], ends[Column.site]);
    const arg = this.#args.internBytes(bytes, starts[Column.arg], ends[Column.arg]);
    const failed = this.#isFailed(arg);
    const pfnCell = values[Column.pfn];
    const hasPfn = pfnCell !== EMPTY;
    const missing = this.#missing(op, hasPfn, failed);
    if (missing !== RowProblem.none) return missing;

    let order = values[Column.order];
    if (order === EMPTY) order = FREES_PAGES[op] === 1 ? NO_ORDER : 0;
    let id = NONE_U32;
    if (starts[Column.id] !== ends[Column.id]) {
      id = this.#ids.internBytes(bytes, starts[Column.id], ends[Column.id]);
      // Recorded PFNs may come free twice: what was between may be lost. An id is the trace's own word.
      if (!hasPfn && !failed) {
        const before = this.#follow(op, id, order, line);
        if (before !== 0) {
          this.freedLine = before;
          return RowProblem.freedTwice;
        }
      }
    }
    const asks = ASKS_MEMORY[op] === 1;
    let gfp = values[Column.gfp];
    if (gfp === EMPTY) gfp = asks ? this.kernelGfp : 0;
    const size = values[Column.size];
    const at = values[Column.at];

    const n = batch.length;
    batch.length = n + 1;
    batch.ts[n] = ts;
    batch.cpu[n] = cpu;
    batch.ctx[n] = ctx;
    batch.op[n] = op;
    batch.order[n] = order;
    batch.gfp[n] = gfp;
    batch.id[n] = id;
    batch.pfn[n] = hasPfn ? pfnCell : NONE_U32;
    batch.migratetype[n] = asks ? (gfp >> 3) & 3 : 0;
    batch.flags[n] = (failed ? EventFlag.failed : 0) | (hasPfn ? EventFlag.hasPfn : 0);
    batch.size[n] = size === EMPTY ? 0 : size;
    batch.node[n] = values[Column.node];
    batch.cache[n] = cache;
    batch.memcg[n] = memcg;
    batch.site[n] = site;
    batch.arg[n] = arg;
    batch.depth[n] = depth;
    batch.at[n] = at === EMPTY ? 0 : at;
    batch.pid[n] = NONE_U32;
    this.lastTs = ts;
    this.nesting.follow(cpu, depth, ctx);
    this.emitted++;
    return RowProblem.none;
  }
}
