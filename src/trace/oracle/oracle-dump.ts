/**
 * State dumps: the exact contents of all free lists and per-CPU lists of a real kernel at one moment, as a module
 * wrote them, one JSON object per line. Part of scripted runs, and beside workload traces as `state.jsonl`.
 *
 *     state            opens a dump
 *     zone             sizes, marks, counters    then, for that zone:
 *       free           one free list, head first
 *       pageblocks     type of every pageblock
 *       blockmovable   movable pages in use per block
 *       pcp, pcplist   per-CPU lists, head first
 *     endstate         closes it
 */
import * as z from 'zod';
import { NR_PCP_LISTS } from '../../mm/page-alloc/per-cpu-pages.js';
import { MAX_PAGE_ORDER, MIGRATE_TYPES, type Migratetype } from '../../mm/types.js';
import { checkDump, checkPcp, checkPcpList, checkZone, DumpProblem, MAX_CPUS, shown } from './dump-checks.js';

/** A list of blocks, head first: the head is handed out next. */
export interface DumpList {
  readonly order: number;
  readonly type: Migratetype;
  readonly pfns: Uint32Array;
}

export interface DumpPcpList extends DumpList {
  /** order × 3 + type for orders 0..3; 12 and 13 are the lists of huge pages (not movable, movable) */
  readonly pindex: number;
}

export interface DumpPcp {
  readonly cpu: number;
  /** pages */
  readonly count: number;
  readonly high: number;
  readonly batch: number;
  readonly expire: number;
  readonly nr_free_diff: number;
  readonly stat_threshold: number;
  /** 6.1 only */
  readonly free_factor: number | undefined;
  /** the five below: 6.7 and later */
  readonly high_min: number | undefined;
  readonly high_max: number | undefined;
  readonly flags: number | undefined;
  readonly alloc_factor: number | undefined;
  readonly free_count: number | undefined;
  readonly lists: readonly DumpPcpList[];
}

export interface DumpZone {
  /** node × max_nr_zones + index in the node */
  readonly zone: number;
  readonly name: string;
  readonly node: number;
  readonly start_pfn: number;
  /** pages, as all sizes here */
  readonly spanned: number;
  readonly present: number;
  readonly managed: number;
  /** min, low, high, promo, without boost */
  readonly wmark: readonly [number, number, number, number];
  readonly boost: number;
  readonly highatomic_reserved: number;
  /** undefined on 6.1, as trylock_free_pending */
  readonly highatomic_free: number | undefined;
  readonly trylock_free_pending: number | undefined;
  readonly lowmem_reserve: readonly number[];
  /** the folded counter, without the CPUs' own parts */
  readonly nr_free_pages: number;
  readonly drift_mark: number;
  readonly flags: number;
  readonly nr_isolate: number;
  readonly contiguous: boolean;
  readonly pageset_batch: number;
  /** 6.1 only */
  readonly pageset_high: number | undefined;
  readonly pageset_high_min: number | undefined;
  readonly pageset_high_max: number | undefined;
  /** considered, defer shift, order failed */
  readonly compact_deferred: readonly [number, number, number];
  /** free blocks by order */
  readonly nr_free: readonly number[];
  /** the lists that are not empty */
  readonly free: readonly DumpList[];
  readonly blocks: {
    readonly first_pfn: number;
    readonly pageblock_order: number;
    /** Migratetype per pageblock; NOT_OF_ZONE where the block is another zone's */
    readonly types: Uint8Array;
  };
  /** used LRU and driver-movable pages by block; blocks that are not listed have none */
  readonly movable: { readonly blocks: Uint32Array; readonly pages: Uint32Array };
  readonly pcps: readonly DumpPcp[];
}

export interface StateDump {
  /** before, after, initial, ckpt1.., final, before_freeall, after_freeall */
  readonly when: string;
  /** number of the operation it stands before; -1 in workload traces */
  readonly op: number;
  readonly cpu: number;
  readonly cpus: number;
  readonly jiffies: number;
  readonly zones: readonly DumpZone[];
}

/** Block type of a pageblock that lies in the zone's span but belongs to another zone. */
export const NOT_OF_ZONE = 0xff;

const count = z.number().int().nonnegative();
const whole = z.number().int();

const stateLine = z.object({
  t: z.literal('state'),
  when: z.string().min(1).max(64),
  op: whole,
  cpu: count,
  ncpu: count,
  jiffies: count,
});

const zoneLine = z.object({
  t: z.literal('zone'),
  zone: count,
  name: z.string().min(1).max(32),
  node: count,
  start: count,
  spanned: count,
  present: count,
  managed: count,
  wmark: z.tuple([count, count, count, count]),
  boost: count,
  highatomic_reserved: count,
  highatomic_free: whole.optional(),
  trylock_free_pending: count.optional(),
  lowmem_reserve: z.array(count),
  nr_free_pages: whole,
  drift_mark: count,
  flags: count,
  nr_isolate: count,
  contiguous: whole,
  pageset_batch: count,
  pageset_high: count.optional(),
  pageset_high_min: count.optional(),
  pageset_high_max: count.optional(),
  compact_deferred: z.tuple([whole, whole, whole]),
  nr_free: z.array(count),
});

const pcpLine = z.object({
  t: z.literal('pcp'),
  zone: count,
  cpu: count,
  count: whole,
  high: count,
  batch: count,
  expire: count,
  free_factor: count.optional(),
  high_min: count.optional(),
  high_max: count.optional(),
  flags: count.optional(),
  alloc_factor: count.optional(),
  free_count: whole.optional(),
  nr_free_diff: whole,
  stat_threshold: count,
});

const pageblocksLine = z.object({
  t: z.literal('pageblocks'),
  zone: count,
  first_pfn: count,
  pageblock_order: count,
  mts: z.string().regex(/^[0-5.]*$/),
});

function checked<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const path = issue?.path.join('.') ?? '';
  throw new DumpProblem(
    path === '' ? what : `${what}.${path}`,
    `is not what a dump holds (${issue?.message ?? ''})`,
  );
}

/** PFNs of a list as a typed array; every one must be a whole number in range. */
function pfnList(value: unknown, what: string): Uint32Array {
  if (!Array.isArray(value)) throw new DumpProblem(what, 'has no array pfns');
  const pfns = new Uint32Array(value.length);
  for (let i = 0; i < pfns.length; i++) {
    const pfn: unknown = value[i];
    if (typeof pfn !== 'number' || !Number.isInteger(pfn) || pfn < 0 || pfn >= 0xffff_ffff) {
      throw new DumpProblem(what, 'holds something that is no PFN', shown(pfn));
    }
    pfns[i] = pfn;
  }
  return pfns;
}

function smallNumber(value: unknown, max: number, what: string, min = 0): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) {
    throw new DumpProblem(what, `is not a number from ${min} to ${max}`, shown(value));
  }
  return value;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
type OpenPcp = Omit<DumpPcp, 'lists'> & { readonly lists: DumpPcpList[] };
type OpenZone = Mutable<Omit<DumpZone, 'free' | 'pcps'>> & {
  readonly free: DumpList[];
  readonly pcps: OpenPcp[];
};

/** Puts the lines of one dump together. Feed it every line from `state` to `endstate`. */
export class DumpBuilder {
  #dump: (Mutable<Omit<StateDump, 'zones'>> & { zones: OpenZone[] }) | undefined;
  readonly #translate: (type: number) => Migratetype;

  /**
   * @param hasCma  whether the kernel numbers CMA 4 and Isolate 5; without CMA it numbers Isolate 4
   */
  constructor(hasCma: boolean) {
    this.#translate = (type) => (!hasCma && type >= 4 ? 5 : type) as Migratetype;
  }

  get isOpen(): boolean {
    return this.#dump !== undefined;
  }

  #zone(value: unknown, what: string): OpenZone {
    const zone = this.#dump?.zones.find((candidate) => candidate.zone === value);
    if (zone === undefined)
      throw new DumpProblem(what, 'names a zone that no line before described', shown(value));
    return zone;
  }

  #type(value: unknown, what: string): Migratetype {
    return this.#translate(smallNumber(value, MIGRATE_TYPES - 1, what));
  }

  /** Takes one line. The finished dump at `endstate`, undefined before. @throws DumpProblem */
  take(line: Readonly<Record<string, unknown>>): StateDump | undefined {
    const kind = line.t;
    if (kind === 'state') {
      if (this.#dump !== undefined) throw new DumpProblem('state', 'begins before the one above has ended');
      const { when, op, cpu, ncpu, jiffies } = checked(stateLine, line, 'state');
      smallNumber(ncpu, MAX_CPUS, 'state.ncpu', 1);
      this.#dump = { when, op, cpu, cpus: ncpu, jiffies, zones: [] };
      return undefined;
    }
    const dump = this.#dump;
    if (dump === undefined) throw new DumpProblem(shown(kind), 'stands outside of a dump');
    switch (kind) {
      case 'zone': {
        const { t: _, start, contiguous, ...rest } = checked(zoneLine, line, 'zone');
        checkZone(rest, start, dump.zones);
        dump.zones.push({
          ...rest,
          start_pfn: start,
          contiguous: contiguous !== 0,
          highatomic_free: rest.highatomic_free,
          trylock_free_pending: rest.trylock_free_pending,
          pageset_high: rest.pageset_high,
          pageset_high_min: rest.pageset_high_min,
          pageset_high_max: rest.pageset_high_max,
          free: [],
          blocks: { first_pfn: start, pageblock_order: 0, types: new Uint8Array(0) },
          movable: { blocks: new Uint32Array(0), pages: new Uint32Array(0) },
          pcps: [],
        });
        return undefined;
      }
      case 'free':
        this.#zone(line.zone, 'free.zone').free.push({
          order: smallNumber(line.order, MAX_PAGE_ORDER, 'free.order'),
          type: this.#type(line.mt, 'free.mt'),
          pfns: pfnList(line.pfns, 'free'),
        });
        return undefined;
      case 'pageblocks': {
        const { zone, first_pfn, pageblock_order, mts } = checked(pageblocksLine, line, 'pageblocks');
        const types = Uint8Array.from(mts, (mark) =>
          mark === '.' ? NOT_OF_ZONE : this.#translate(Number(mark)),
        );
        this.#zone(zone, 'pageblocks.zone').blocks = { first_pfn, pageblock_order, types };
        return undefined;
      }
      case 'blockmovable': {
        if (!Array.isArray(line.counts)) throw new DumpProblem('blockmovable', 'has no array counts');
        const counts = line.counts as readonly unknown[];
        const blocks = new Uint32Array(counts.length);
        const pages = new Uint32Array(counts.length);
        counts.forEach((pair, i) => {
          if (!Array.isArray(pair))
            throw new DumpProblem('blockmovable.counts', 'holds something that is no pair');
          blocks[i] = smallNumber(pair[0], 0xffff_fffe, 'blockmovable block');
          pages[i] = smallNumber(pair[1], 0xffff_fffe, 'blockmovable pages');
        });
        this.#zone(line.zone, 'blockmovable.zone').movable = { blocks, pages };
        return undefined;
      }
      case 'pcp': {
        const { t: _, zone, ...rest } = checked(pcpLine, line, 'pcp');
        const { pcps } = this.#zone(zone, 'pcp.zone');
        checkPcp(rest, dump.cpus, pcps);
        pcps.push({
          ...rest,
          free_factor: rest.free_factor,
          high_min: rest.high_min,
          high_max: rest.high_max,
          flags: rest.flags,
          alloc_factor: rest.alloc_factor,
          free_count: rest.free_count,
          lists: [],
        });
        return undefined;
      }
      case 'pcplist': {
        const zone = this.#zone(line.zone, 'pcplist.zone');
        const pcp = zone.pcps.find((candidate) => candidate.cpu === line.cpu);
        if (pcp === undefined)
          throw new DumpProblem('pcplist', 'stands before its pcp line', shown(line.cpu));
        const pindex = smallNumber(line.pindex, NR_PCP_LISTS - 1, 'pcplist.pindex');
        const order = smallNumber(line.order, MAX_PAGE_ORDER, 'pcplist.order');
        checkPcpList(pindex, order, pcp.lists);
        const type = this.#type(line.mt, 'pcplist.mt');
        pcp.lists.push({ pindex, order, type, pfns: pfnList(line.pfns, 'pcplist') });
        return undefined;
      }
      case 'endstate':
        if (line.when !== dump.when)
          throw new DumpProblem('endstate', `closes another dump than "${dump.when}"`);
        checkDump(dump);
        this.#dump = undefined;
        return dump;
      default:
        throw new DumpProblem('t', 'is not a line of a dump', shown(kind));
    }
  }
}
