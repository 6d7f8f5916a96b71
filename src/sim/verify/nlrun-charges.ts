/**
 * The charges of an accounted run: one cgroup with the record's limit, and memory for vectors, whose caches are not in the
 * record.
 *
 * Whether kfree_nolock of a vector is done at once or put off depends on those caches, too. That one answer is taken from
 * the recorded length of the deferred list.
 */
import { MemcgCharges } from '../../mm/memcg/memcg-charges.js';
import { PAGE_COUNTER_MAX } from '../../mm/memcg/page-counter.js';
import { MEMCG_CHARGE_BATCH_PAGES } from '../../mm/memcg/page-stock.js';
import { validateMemcg } from '../../mm/memcg/validate-memcg.js';
import { EXT_FROM_NOLOCK, hasVector } from '../../mm/slab/obj-ext.js';
import type { SlabAllocator } from '../../mm/slab/slab-allocator.js';
import { SlabMemcg } from '../../mm/slab/slab-memcg.js';
import type { VectorMemory } from '../../mm/slab/vector-memory.js';
import { PAGE_BYTES } from '../../mm/types.js';
import { DumpProblem, shown } from '../../trace/oracle/dump-checks.js';
import type { NlrunCharge, NlrunHeader } from '../../trace/oracle/nlrun-lines.js';
import type { VectorRequests } from './nlrun-vector-pages.js';
import type { Tally } from './slab-tally.js';

/** Low bits of a vector's word that a record shows. */
const EXT_FLAGS = 7;

/** Name of the memory of vectors; those from before the run have that of their slab. */
const MADE_HERE = -2;

/** Vectors that come from outside of the recorded caches. */
class OutsideVectors implements VectorMemory {
  /** freed, and perhaps by kfree_nolock: on the deferred list or not, nobody has said yet */
  undecided = 0;
  /** on the deferred list */
  waiting = 0;
  /** slabs whose vector was made before the run, while nothing has shown how */
  readonly unknown = new Set<number>();
  requests: VectorRequests | null = null;

  alloc(_cpu: number, bytes: number, _gfp: number, _node: number, noSpin: boolean): number {
    this.requests?.requested(bytes, noSpin);
    return MADE_HERE;
  }

  free(_cpu: number, memory: number, isFromNolock: boolean): void {
    if (this.unknown.delete(memory) || isFromNolock) this.undecided++;
  }
}

export class NlrunCharges {
  readonly memcg = new MemcgCharges(1);
  readonly slab: SlabMemcg;
  readonly #vectors = new OutsideVectors();
  readonly #group: number;
  /** bytes charged for what others have */
  #others_bytes = 0;
  #hasBegun = false;

  constructor(
    readonly slabs: SlabAllocator,
    header: NlrunHeader,
  ) {
    this.slab = new SlabMemcg(slabs, this.memcg, this.#vectors);
    this.#group = this.memcg.groups.create(0, header.max_pages ?? PAGE_COUNTER_MAX);
    this.memcg.task[0] = this.#group;
    slabs.charges = this.slab;
  }

  /** From now on they are told of each request for a vector. */
  tellOfVectors(requests: VectorRequests): void {
    this.#vectors.requests = requests;
  }

  /** A slab of the first dump that has a vector; whose its charges are is not known. */
  giveVector(slab: number): void {
    const { table } = this.slabs;
    table.ext[slab] = this.slab.vectors.create(table.objects[slab]!, slab, false);
    this.#vectors.unknown.add(slab);
  }

  /**
   * The first state that a record shows is that after the first operation: it is put in before, so that there is
   * something to charge from, and again behind it. @throws DumpProblem for stocks that cannot be
   */
  begin(charge: NlrunCharge): void {
    if (this.#hasBegun) return;
    this.#load(charge);
  }

  /** @returns whether this was the first operation, of which the sums cannot be compared */
  #hasJustBegun(charge: NlrunCharge): boolean {
    if (this.#hasBegun) return false;
    this.#load(charge);
    this.#hasBegun = true;
    return true;
  }

  #load({ usage, stock_pages, stock_bytes, stock_ours, charged_bytes }: NlrunCharge): void {
    const { groups, pages, bytes } = this.memcg;
    if (stock_pages > MEMCG_CHARGE_BATCH_PAGES)
      throw new DumpProblem('mc.stock_pages', 'is more than a stock keeps', shown(stock_pages));
    const objcg = groups.objcg[this.#group]!;
    const before = groups.memory.usage_pages[this.#group]!;
    groups.memory.uncharge(this.#group, before);
    groups.memory.charge(this.#group, usage);
    pages.cached[0] = this.#group;
    pages.nr_pages[0] = stock_pages;
    bytes.cached[0] = stock_ours === 1 ? objcg : 0;
    bytes.nr_bytes[0] = stock_ours === 1 ? stock_bytes : 0;
    groups.charged_bytes[objcg] = charged_bytes;
    const kept = stock_pages * PAGE_BYTES + bytes.nr_bytes[0]! + charged_bytes;
    this.#others_bytes = usage * PAGE_BYTES - kept - this.slab.bytesInUse()[objcg]!;
    if (this.#others_bytes < 0)
      throw new DumpProblem('mc.usage', 'is less than what stocks and objects have', shown(usage));
  }

  /** @param slab that gave an object, -1 for none @returns whether all sums are equal */
  compare(tally: Tally, charge: NlrunCharge, slab: number, slot: number): boolean {
    const isFirst = this.#hasJustBegun(charge);
    this.#learnOrigin(slab, charge);
    const own = this.#now(slab, slot);
    const names = isFirst ? (['charged', 'ext_flags'] as const) : SUMS;
    const different = names.filter((name) => own[name] !== charge[name]);
    const show = (side: Sums) => different.map((name) => `${name} ${side[name]}`).join(', ');
    return tally.note(
      'charges',
      different.length === 0,
      () => `op ${charge.op}: kernel ${show(charge)}, model ${show(own)}`,
    );
  }

  /** Takes over, once, how a vector was made before the run: nothing else says it. */
  #learnOrigin(slab: number, { ext_flags }: NlrunCharge): void {
    if (slab < 0 || ext_flags < 0) return;
    const { ext } = this.slabs.table;
    if (hasVector(ext[slab]!) && this.#vectors.unknown.delete(slab))
      ext[slab] = ext[slab]! | (ext_flags & EXT_FROM_NOLOCK);
  }

  #now(slab: number, slot: number): Sums {
    const { groups, pages, bytes } = this.memcg;
    const objcg = groups.objcg[this.#group]!;
    const isOurs = bytes.cached[0] === objcg;
    const word = slab < 0 ? 0 : this.slabs.table.ext[slab]!;
    const isCharged = hasVector(word) && this.slab.vectors.get(word, slot) === objcg;
    return {
      usage: groups.memory.usage_pages[this.#group]!,
      stock_pages: pages.pagesOf(0, this.#group),
      stock_bytes: bytes.nr_bytes[0]!,
      stock_ours: isOurs ? 1 : 0,
      charged_bytes: groups.charged_bytes[objcg]!,
      charged: slab < 0 ? -1 : isCharged ? 1 : 0,
      ext_flags: slab < 0 ? -1 : word & EXT_FLAGS,
    };
  }

  /** Vectors on the deferred list, given its recorded length and what else the model has there. */
  waitingVectors(recorded: number, others: number): number {
    const vectors = this.#vectors;
    const more = recorded - others - vectors.waiting;
    if (more > 0 && more <= vectors.undecided) vectors.waiting += more;
    vectors.undecided = 0;
    return vectors.waiting;
  }

  /** The deferred work is about to run. */
  workRuns(): void {
    this.#vectors.waiting = 0;
  }

  /** Throws an InvariantError where charges and what is charged for differ. */
  validate(): void {
    if (!this.#hasBegun) return;
    const bytes = this.slab.bytesInUse();
    const objcg = this.memcg.groups.objcg[this.#group]!;
    validateMemcg(this.memcg, {
      bytesOf: (of) => bytes[of]! + (of === objcg ? this.#others_bytes : 0),
    });
  }
}

const SUMS = [
  ...(['usage', 'stock_pages', 'stock_bytes', 'stock_ours', 'charged_bytes'] as const),
  ...(['charged', 'ext_flags'] as const),
] as const;
type Sums = Pick<NlrunCharge, (typeof SUMS)[number]>;
