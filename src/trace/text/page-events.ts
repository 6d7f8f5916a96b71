/**
 * From the payload of a page event to the columns of an event: which fields it needs, what they may hold.
 * model: page-allocator 7.1, 8.8
 */
import { EventFlag, NONE_U32, Op } from '../event-batch.js';
import { Handling } from './event-kinds.js';
import type { GfpBytes } from './gfp-bytes.js';
import { Field, type FieldName, PagePayload } from './page-payload.js';

const MAX_ORDER = 10;
/** Kernels have five or six; more cannot be meant. */
const MAX_MIGRATETYPE = 15;
const TOO_LARGE = `with an order above ${MAX_ORDER}`;
const NO_TYPE = `with a migratetype above ${MAX_MIGRATETYPE}`;
/** The type that a request's flags ask for stands in these bits. */
const GFP_TYPE_SHIFT = 3;
const GFP_TYPE_MASK = 3;

const NEEDS_ALLOC = Field.pfn | Field.order | Field.gfp_flags;
const NEEDS_FREE = Field.pfn | Field.order;
const NEEDS_LIST = Field.pfn | Field.order | Field.migratetype;
const NEEDS_ZONE_LOCKED = NEEDS_LIST | Field.percpu_refill;
const NEEDS_EXTFRAG =
  Field.pfn |
  Field.alloc_order |
  Field.fallback_order |
  Field.alloc_migratetype |
  Field.fallback_migratetype |
  Field.change_ownership;

/** The event whose payload was read last. One object for all lines of a trace. */
export class PageEvents {
  op: Op = Op.alloc;
  pfn = 0;
  order = 0;
  gfp = 0;
  migratetype = 0;
  flags = 0;
  size = 0;
  readonly #payload = new PagePayload();
  readonly #gfpBytes: GfpBytes;

  constructor(gfpBytes: GfpBytes) {
    this.#gfpBytes = gfpBytes;
  }

  /** Reads the payload bytes[start..end); what is wrong with it, or undefined. */
  read(handling: Handling, bytes: Uint8Array, start: number, end: number): string | undefined {
    const payload = this.#payload;
    payload.parse(bytes, start, end);
    const { seen, pfn } = payload;
    if (pfn === NONE_U32 && (seen & Field.pfn) !== 0) return 'with a pfn beyond 0xfffffffe';
    this.pfn = pfn;
    this.order = payload.order;
    this.gfp = 0;
    this.migratetype = payload.migratetype;
    this.flags = EventFlag.hasPfn;
    this.size = 0;
    switch (handling) {
      case Handling.alloc:
        return this.#alloc(bytes);
      case Handling.free:
        this.op = Op.free;
        this.migratetype = 0;
        if ((seen & NEEDS_FREE) !== NEEDS_FREE) return without(NEEDS_FREE & ~seen);
        return payload.order > MAX_ORDER ? TOO_LARGE : undefined;
      case Handling.free_batched:
        this.op = Op.free;
        this.order = 0;
        this.migratetype = 0;
        return (seen & Field.pfn) === 0 ? without(Field.pfn) : undefined;
      case Handling.zone_locked:
        this.op = Op.obs_refill;
        if ((seen & NEEDS_ZONE_LOCKED) !== NEEDS_ZONE_LOCKED) return without(NEEDS_ZONE_LOCKED & ~seen);
        if (payload.percpuRefill !== 0) this.flags |= EventFlag.refill;
        return this.#rangeProblem();
      case Handling.pcpu_drain:
        this.op = Op.obs_drain;
        if ((seen & NEEDS_LIST) !== NEEDS_LIST) return without(NEEDS_LIST & ~seen);
        return this.#rangeProblem();
      default:
        return this.#extfrag();
    }
  }

  #rangeProblem(): string | undefined {
    if (this.order > MAX_ORDER) return TOO_LARGE;
    return this.migratetype > MAX_MIGRATETYPE ? NO_TYPE : undefined;
  }

  #alloc(bytes: Uint8Array): string | undefined {
    const payload = this.#payload;
    const { seen } = payload;
    const needs = payload.isNoPfn ? NEEDS_ALLOC & ~Field.pfn : NEEDS_ALLOC;
    if ((seen & needs) !== needs) return without(needs & ~seen);
    this.op = Op.alloc;
    if ((seen & Field.migratetype) === 0) this.migratetype = 0;
    const problem = this.#rangeProblem();
    if (problem !== undefined) return problem;
    const { gfpStart, gfpEnd, gfpHash } = payload;
    const gfp = this.#gfpBytes.bits(bytes, payload.words.view(bytes), gfpStart, gfpEnd, gfpHash);
    this.gfp = gfp;
    if ((seen & Field.migratetype) === 0) this.migratetype = (gfp >> GFP_TYPE_SHIFT) & GFP_TYPE_MASK;
    if (payload.isNoPfn || (payload.pfn === 0 && payload.isNullPage)) {
      this.pfn = NONE_U32;
      this.flags = EventFlag.failed;
    }
    return undefined;
  }

  #extfrag(): string | undefined {
    const payload = this.#payload;
    const { seen, fallbackOrder, fallbackMigratetype } = payload;
    if ((seen & NEEDS_EXTFRAG) !== NEEDS_EXTFRAG) return without(NEEDS_EXTFRAG & ~seen);
    this.op = Op.obs_extfrag;
    this.order = payload.allocOrder;
    this.migratetype = payload.allocMigratetype;
    if (fallbackOrder > MAX_ORDER) return TOO_LARGE;
    if (fallbackMigratetype > MAX_MIGRATETYPE) return NO_TYPE;
    const owns = payload.changeOwnership !== 0 ? 1 : 0;
    this.size = fallbackOrder | (fallbackMigratetype << 8) | (owns << 16);
    return this.#rangeProblem();
  }
}

function without(fields: number): string {
  const names = (Object.keys(Field) as FieldName[]).filter((name) => (fields & Field[name]) !== 0);
  return `without a readable ${names.join(', ')}`;
}
