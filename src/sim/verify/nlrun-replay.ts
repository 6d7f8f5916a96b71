/**
 * Runs the calls of a scripted run of kmalloc_nolock in the model and compares each with what the kernel did: cache, slab and
 * slot, counters, slabs made and gone, what waits for the deferred work, charges.
 */
import { Context } from '../../mm/context.js';
import { GFP_ACCOUNT_BIT, GFP_ATOMIC, GFP_KSWAPD_RECLAIM_BIT, GFP_NOWARN_BIT } from '../../mm/gfp.js';
import { MemcgLock } from '../../mm/memcg/memcg-charges.js';
import type { PageAllocator } from '../../mm/page-alloc/page-allocator.js';
import type { Policy } from '../../mm/policy.js';
import { DeferredWork } from '../../mm/slab/deferred.js';
import { kfreeNolock } from '../../mm/slab/kfree-nolock.js';
import { KmallocCaches } from '../../mm/slab/kmalloc.js';
import { KMALLOC_SIZES, KmallocType, NR_KMALLOC_BUCKETS } from '../../mm/slab/kmalloc-caches.js';
import { kmallocNolock } from '../../mm/slab/kmalloc-nolock.js';
import type { KmemCache } from '../../mm/slab/kmem-cache.js';
import { hasVector } from '../../mm/slab/obj-ext.js';
import { allocObject, freeObject } from '../../mm/slab/object-calls.js';
import { SlabAllocator } from '../../mm/slab/slab-allocator.js';
import type { SlabObserver, SlabPages } from '../../mm/slab/slab-interfaces.js';
import { SLAB_STAT_NAMES, SlabStat, type SlabStatName } from '../../mm/slab/slab-stats.js';
import { NO_SLAB } from '../../mm/slab/slab-table.js';
import { validateSlabs } from '../../mm/slab/validate-slab.js';
import type { VerifyDivergence } from '../../report/verify-result.js';
import { DumpProblem } from '../../trace/oracle/dump-checks.js';
import type { NlrunDeferred, NlrunOp, NlrunSlab, NlrunState } from '../../trace/oracle/nlrun.js';
import type { NlrunCall, NlrunHeader } from '../../trace/oracle/nlrun-lines.js';
import type { SlabRunGeometry } from '../../trace/oracle/slab-run-lines.js';
import { heldPageLocks, heldSlabLocks } from './held-locks.js';
import { NlrunCharges } from './nlrun-charges.js';
import { loadNlrunStart, type UnseenSlabs } from './nlrun-start.js';
import { nlrunDivergence } from './nlrun-text.js';
import { Tally } from './slab-tally.js';

export const NLRUN_PARTS = [
  ...(['slabs and slots', 'counters', 'slabs made', 'slabs gone', 'deferred work'] as const),
] as const;

const CONTEXTS: Readonly<Record<string, Context>> = { T: Context.task, D: Context.task, N: Context.nmi };
const CACHE_LINE_BYTES = 64;
/** Slots are below it. */
const SLOT_RANGE = 0x1_0000;
/** Where the model's slabs differ from the record's, their labels are below this, which no record has. */
const OWN_LABEL = -2;

interface Outcome {
  readonly slab: number;
  readonly slot: number;
}

export class NlrunReplay implements SlabObserver {
  readonly slabs: SlabAllocator;
  readonly kmalloc: KmallocCaches;
  readonly deferred: DeferredWork;
  /** null where nothing was accounted */
  readonly charges: NlrunCharges | null;
  /** by the record's numbers */
  readonly caches: KmemCache[] = [];
  readonly tally: Tally;
  operations = 0;
  matched = 0;
  failures = 0;
  failures_matched = 0;
  first_divergence: VerifyDivergence | null = null;
  /** the record's number of each of the model's slabs */
  readonly labels: number[] = [];
  tidStep = 0;

  readonly #out = new Map<number, Outcome>();
  readonly #statItems: readonly (number | undefined)[];
  #unseen: readonly UnseenSlabs[] = [];
  #expected: readonly NlrunSlab[] = [];
  readonly #made: number[] = [];
  readonly #gone: number[] = [];
  #nextOwnLabel = OWN_LABEL;

  /** @param mm the model's page allocator, where that decides which PFNs slabs get, so that they are compared, too */
  constructor(
    readonly header: NlrunHeader,
    policy: Policy,
    readonly pages: SlabPages,
    readonly mm: PageAllocator | null,
  ) {
    this.slabs = new SlabAllocator(
      {
        present_cpus: 1,
        possible_cpus: 1,
        cache_line_bytes: CACHE_LINE_BYTES,
        cpu_nodes: [0],
        node_order: [[0]],
        tid_step: 1,
      },
      policy,
      pages,
    );
    this.kmalloc = new KmallocCaches(this.slabs, { min_bytes: KMALLOC_SIZES[0], hasMemcg: true });
    this.deferred = new DeferredWork(this.slabs);
    this.slabs.deferred = this.deferred;
    this.slabs.observer = this;
    this.charges = header.acct === 1 ? new NlrunCharges(this.slabs, header) : null;
    this.tally = new Tally(this.charges === null ? NLRUN_PARTS : [...NLRUN_PARTS, 'charges', 'vectors']);
    const known: ReadonlySet<string> = new Set(SLAB_STAT_NAMES);
    this.#statItems = header.stats.map((name) =>
      known.has(name) ? SlabStat[name as SlabStatName] : undefined,
    );
  }

  /** @throws DumpProblem for a cache that is none of those asked, or was named before */
  addCache({ name }: SlabRunGeometry): KmemCache {
    const type = this.charges === null ? KmallocType.normal : KmallocType.cgroup;
    for (let bucket = 0; bucket < NR_KMALLOC_BUCKETS; bucket++) {
      const cache = this.kmalloc.cache(type, bucket);
      if (cache.name !== name || this.caches.includes(cache)) continue;
      this.caches.push(cache);
      return cache;
    }
    throw new DumpProblem('geometry.name', 'is no kmalloc cache that such a run uses, or stands twice', name);
  }

  start(state: NlrunState): void {
    const { unseen, tidStep } = loadNlrunStart(this.slabs, this.caches, state, ({ n, ext }, own) => {
      this.labels[own] = n;
      if (ext === 1 && this.charges !== null) this.charges.giveVector(own);
    });
    this.#unseen = unseen;
    this.tidStep = tidStep;
  }

  slabMade(_cache: KmemCache, slab: number): void {
    this.labels[slab] = this.#expected[this.#made.length]?.n ?? this.#nextOwnLabel--;
    this.#made.push(slab);
  }

  slabGone(_cache: KmemCache, slab: number): void {
    this.#gone.push(this.labels[slab]!);
  }

  /** Runs one operation. The record's pages have been put in place. */
  operation(op: NlrunOp): void {
    const { call, charge } = op;
    this.#expected = op.made;
    this.#made.length = 0;
    this.#gone.length = 0;
    if (charge !== undefined) this.charges?.begin(charge);
    // What the work finds is recorded, and what a free leaves.
    const foundSame = call.kind !== 'work' || this.#sameDeferred(op.op, call);
    const before = this.#counters();
    this.#hold(call);
    const { slab, slot } = this.#run(call);
    this.#letGo();
    const deltas = this.#counters().map((value, i) => value - before[i]!);
    this.operations++;
    const checks = [
      this.#samePlace(op.op, call, slab, slot),
      this.#sameCounters(op.op, call, deltas),
      this.#sameSlabs(op),
      foundSame,
      call.kind === 'work' || this.#sameDeferred(op.op, call),
    ];
    if (charge !== undefined && this.charges !== null)
      checks.push(this.charges.compare(this.tally, charge, slab, slot));
    if (checks.every((isSame) => isSame)) this.matched++;
    else this.first_divergence ??= this.#divergence(op, slab, slot, deltas);
  }

  #hold({ kind, cache, held }: NlrunCall): void {
    const names: ReadonlySet<string> = new Set(this.header.held[held]!);
    if (kind === 'work' || names.size === 0) return;
    const own = this.caches[cache]!;
    const next = this.kmalloc.cacheFor(own.geometry.object_size_bytes + 1, this.#accountFlag) ?? undefined;
    this.slabs.interrupted = heldSlabLocks(names, own, next);
    if (this.mm !== null) this.mm.interrupted = heldPageLocks(names, this.mm);
    if (this.charges !== null)
      this.charges.memcg.interrupted = {
        holds: (lock) => names.has(lock === MemcgLock.obj_stock ? 'obj_stock' : 'memcg_stock'),
      };
  }

  #letGo(): void {
    this.slabs.interrupted = null;
    if (this.mm !== null) this.mm.interrupted = null;
    if (this.charges !== null) this.charges.memcg.interrupted = null;
  }

  get #accountFlag(): number {
    return this.charges === null ? 0 : GFP_ACCOUNT_BIT;
  }

  #run(call: NlrunCall): Outcome {
    const { slabs, kmalloc } = this;
    const gfp = this.#accountFlag;
    const context = CONTEXTS[call.context]!;
    switch (call.kind) {
      case 'kmalloc':
      case 'kmalloc_atomic': {
        const wish = call.kind === 'kmalloc' ? GFP_KSWAPD_RECLAIM_BIT | GFP_NOWARN_BIT : GFP_ATOMIC;
        const cache = kmalloc.cacheFor(call.size_bytes, gfp)!;
        return this.#handOut(call, allocObject(slabs, cache, 0, wish | gfp, -1, context));
      }
      case 'kmalloc_nolock':
        return this.#handOut(call, kmallocNolock(kmalloc, 0, call.size_bytes, gfp, -1, context));
      case 'kfree': {
        const own = this.#takeBack(call);
        // Where the model has long differed its object may be of another cache.
        if (own !== undefined) freeObject(slabs, this.#cacheOf(own.slab), 0, own.slab, own.slot);
        return NONE;
      }
      case 'kfree_nolock': {
        const own = this.#takeBack(call);
        if (own !== undefined) kfreeNolock(this.deferred, 0, own.slab, own.slot, context);
        return NONE;
      }
      case 'work':
        this.charges?.workRuns();
        this.deferred.run(0);
        return NONE;
    }
  }

  #handOut(call: NlrunCall, slab: number): Outcome {
    if (slab === NO_SLAB) return NONE;
    const own = { slab, slot: this.slabs.slot };
    if (call.slab >= 0) this.#out.set(call.slab * SLOT_RANGE + call.slot, own);
    return own;
  }

  #takeBack({ slab, slot }: NlrunCall): Outcome | undefined {
    const key = slab * SLOT_RANGE + slot;
    const own = this.#out.get(key);
    this.#out.delete(key);
    return own;
  }

  #counters(): number[] {
    return this.caches.flatMap((cache) =>
      this.#statItems.map((item) => (item === undefined ? 0 : cache.total(item))),
    );
  }

  #waiting(): { objects: number; slabs: number } {
    return { objects: this.deferred.objects[0]!.length, slabs: this.deferred.slabs[0]!.length };
  }

  #samePlace(op: number, call: NlrunCall, slab: number, slot: number): boolean {
    if (!isAllocation(call)) return true;
    const { got, cache, size_bytes } = call;
    const kernel = got < 0 ? 'nothing' : `slab ${call.slab} slot ${call.slot} of ${this.caches[got]!.name}`;
    const isAsked = this.kmalloc.cacheFor(size_bytes, this.#accountFlag) === this.caches[cache];
    const model = this.#placeText(slab, slot);
    const same = this.tally.note(
      'slabs and slots',
      isAsked && kernel === model,
      () => `op ${op}: kernel ${kernel}, model ${model}${isAsked ? '' : ', from another cache'}`,
    );
    if (got < 0) {
      this.failures++;
      if (same) this.failures_matched++;
    }
    return same;
  }

  #cacheOf(slab: number): KmemCache {
    return this.slabs.caches[this.slabs.table.cache[slab]!]!;
  }

  #placeText(slab: number, slot: number): string {
    if (slab === NO_SLAB) return 'nothing';
    return `slab ${this.labels[slab]} slot ${slot} of ${this.#cacheOf(slab).name}`;
  }

  #sameCounters(op: number, { stats }: NlrunCall, deltas: readonly number[]): boolean {
    const left = [...deltas];
    for (const { cache, deltas: moved } of stats)
      for (const [index, delta] of moved) {
        const at = cache * this.#statItems.length + index;
        left[at] = left[at]! - delta;
      }
    const same = left.every((delta) => delta === 0);
    return this.tally.note('counters', same, () => `op ${op}: counters`);
  }

  #sameSlabs({ op, made, gone }: NlrunOp): boolean {
    let isEqual = true;
    for (let i = 0; i < Math.max(made.length, this.#made.length); i++) {
      const kernel = made[i];
      const model = this.#made[i];
      const same = kernel !== undefined && model !== undefined && this.#isSlab(kernel, model);
      this.tally.note('slabs made', same, () => `op ${op}: slab ${kernel?.n ?? 'none'} differs`);
      isEqual &&= same;
      if (kernel === undefined || model === undefined || this.charges === null) continue;
      const ext = hasVector(this.slabs.table.ext[model]!) ? 1 : 0;
      isEqual = this.tally.value('vectors', `op ${op} slab ${kernel.n}`, kernel.ext, ext) && isEqual;
    }
    if (gone.length === 0 && this.#gone.length === 0) return isEqual;
    const sorted = (labels: readonly number[]) => [...labels].sort((a, b) => a - b);
    return this.tally.list('slabs gone', `op ${op}: slabs gone`, sorted(gone), sorted(this.#gone)) && isEqual;
  }

  #isSlab(kernel: NlrunSlab, model: number): boolean {
    const { table } = this.slabs;
    return (
      table.order[model] === kernel.order &&
      table.objects[model] === kernel.objects &&
      table.cache[model] === this.caches[kernel.cache]!.number &&
      (this.mm === null || table.pfn[model] === kernel.pfn)
    );
  }

  /** What waits for the deferred work. */
  #sameDeferred(op: number, { deferred }: NlrunCall): boolean {
    if (deferred === undefined) return true;
    const own = this.#waiting();
    const vectors = this.charges?.waitingVectors(deferred.objects, own.objects) ?? 0;
    const objects = own.objects + vectors;
    return this.tally.note(
      'deferred work',
      deferred.objects === objects && deferred.slabs === own.slabs,
      () =>
        `op ${op}: kernel ${deferred.objects} objects and ${deferred.slabs} slabs, model ${objects} and ${own.slabs}`,
    );
  }

  /** The deferred list of a dump, newest first. */
  compareDeferred({ objects, slabs }: NlrunDeferred): void {
    const { table } = this.slabs;
    const own = this.deferred.objects[0]!.newestFirst().flatMap(({ slab, slot }) => [
      this.caches.findIndex((cache) => cache.number === table.cache[slab]),
      this.labels[slab]!,
      slot,
    ]);
    const kernel = objects.filter(([cache]) => cache >= 0).flat();
    const name = `deferred objects before op ${this.operations}`;
    this.tally.list('deferred work', name, kernel, own);
    const vectors = this.charges?.waitingVectors(objects.length, own.length / 3) ?? 0;
    this.tally.value('deferred work', `${name}, vectors`, objects.length - kernel.length / 3, vectors);
    this.tally.value('deferred work', 'deferred slabs', slabs, this.deferred.slabs[0]!.length);
  }

  validate(): void {
    validateSlabs(this.slabs, {
      deferred: this.deferred.waitingSlabs(),
      unseen: (cache) => this.#unseen[this.caches.indexOf(cache)] ?? { slabs: 0, objects: 0 },
    });
    this.charges?.validate();
  }

  #divergence(op: NlrunOp, slab: number, slot: number, deltas: readonly number[]): VerifyDivergence {
    return nlrunDivergence(op, this.header, this.caches, {
      place: this.#placeText(slab, slot),
      deltas,
      made: this.#made.map((one) => this.labels[one]!),
      gone: this.#gone,
      differences: this.tally.differences,
    });
  }
}

const NONE: Outcome = { slab: NO_SLAB, slot: -1 };

function isAllocation({ kind }: NlrunCall): boolean {
  return kind === 'kmalloc' || kind === 'kmalloc_atomic' || kind === 'kmalloc_nolock';
}
