/**
 * Runs the operations of a slab run in the model and compares each with what the kernel did: slabs, slots, counters,
 * slabs made and gone, lists after a shrink.
 */

import type { Policy } from '../../mm/policy.js';
import { ObjectArray, slabAllocBulk, slabFreeBulk } from '../../mm/slab/bulk.js';
import { flushCpuSlab, shrinkCache } from '../../mm/slab/flush-shrink.js';
import type { KmemCache } from '../../mm/slab/kmem-cache.js';
import { slabAlloc } from '../../mm/slab/slab-alloc.js';
import { SlabAllocator } from '../../mm/slab/slab-allocator.js';
import { slabFree } from '../../mm/slab/slab-free.js';
import type { SlabObserver, SlabPages } from '../../mm/slab/slab-interfaces.js';
import { SLAB_STAT_NAMES, SlabStat, type SlabStatName } from '../../mm/slab/slab-stats.js';
import { NO_SLAB } from '../../mm/slab/slab-table.js';
import type { VerifyDivergence } from '../../report/verify-result.js';
import { gfpDialect } from '../../trace/gfp-text.js';
import { guessKernel } from '../../trace/kernel-generation.js';
import type { RunSlab, SlabRunCall, SlabRunOp } from '../../trace/oracle/slab-run.js';
import type { SlabRunGeometry, SlabRunHeader } from '../../trace/oracle/slab-run-lines.js';
import type { SlabRunState } from '../../trace/oracle/slab-state.js';
import { specFromRun } from './slab-compare.js';
import { sameNumbers, Tally } from './slab-tally.js';

const CACHE_LINE_BYTES = 64;
/** Slots are below it. */
const SLOT_RANGE = 0x1_0000;

export const OP_PARTS = [
  'slabs and slots',
  'counters',
  'slabs made',
  'slabs gone',
  'lists of shrinks',
] as const;

/** Where the model's slabs differ from the record's, their labels are below this, which no record has. */
const OWN_LABEL = -2;

/** What one call did in the model. */
interface CallOutcome {
  readonly call: SlabRunCall;
  readonly cache: KmemCache;
  /** what it handed out, by the record's numbers */
  readonly places: readonly number[];
  /** of the record's counters */
  readonly deltas: readonly number[];
  readonly isEqual: boolean;
}

export class SlabReplay implements SlabObserver {
  readonly slabs: SlabAllocator;
  readonly tally = new Tally(OP_PARTS);
  operations = 0;
  matched = 0;
  failures = 0;
  failures_matched = 0;
  first_divergence: VerifyDivergence | null = null;
  /** the record's number of each of the model's slabs */
  readonly labels: number[] = [];
  /** of one transaction in the record; 0 until it shows */
  tidStep = 0;

  /** what the model handed out, by the record's slab and slot */
  readonly #out = new Map<number, { slab: number; slot: number }>();
  readonly #objects = new ObjectArray(64);
  /** counters that the record has, in its order */
  readonly #statItems: readonly (number | undefined)[];
  #expected: readonly RunSlab[] = [];
  readonly #made: number[] = [];
  readonly #gone: number[] = [];
  #nextOwnLabel = OWN_LABEL;
  #last: CallOutcome | undefined;

  constructor(
    readonly header: SlabRunHeader,
    policy: Policy,
    readonly pages: SlabPages,
    /** the model's page allocator decides which PFNs slabs get, so they are compared, too */
    readonly comparesPfns: boolean,
  ) {
    const nodes = Array.from({ length: header.nodes }, (_, node) => node);
    this.slabs = new SlabAllocator(
      {
        present_cpus: header.cpus,
        possible_cpus: header.cpus,
        cache_line_bytes: CACHE_LINE_BYTES,
        cpu_nodes: Array.from({ length: header.cpus }, (_, cpu) =>
          Math.trunc((cpu * header.nodes) / header.cpus),
        ),
        node_order: nodes.map((node) => [node, ...nodes.filter((other) => other !== node)]),
        tid_step: 1,
      },
      policy,
      pages,
    );
    this.slabs.observer = this;
    const known: ReadonlySet<string> = new Set(SLAB_STAT_NAMES);
    this.#statItems = header.stats.map((name) =>
      known.has(name) ? SlabStat[name as SlabStatName] : undefined,
    );
  }

  addCache(geometry: SlabRunGeometry): KmemCache {
    const cache = this.slabs.createCache(specFromRun(geometry, this.slabs.policy));
    cache.remote_node_defrag_ratio = geometry.remote_node_defrag_ratio;
    return cache;
  }

  slabMade(_cache: KmemCache, slab: number): void {
    const expected = this.#expected[this.#made.length];
    this.labels[slab] = expected?.n ?? this.#nextOwnLabel--;
    this.#made.push(slab);
  }

  slabGone(_cache: KmemCache, slab: number): void {
    this.#gone.push(this.labels[slab]!);
  }

  /** Runs one operation. The record's pages have been put in place. */
  operation(op: SlabRunOp): void {
    this.#expected = op.made;
    this.#made.length = 0;
    this.#gone.length = 0;
    this.operations++;
    let isEqual = true;
    let wrong: CallOutcome | undefined;
    for (const call of op.calls) {
      const outcome = this.#call(op, call);
      if (!outcome.isEqual) wrong ??= outcome;
      isEqual &&= outcome.isEqual;
    }
    if (!this.#sameSlabs(op)) isEqual = false;
    if (isEqual) this.matched++;
    else this.first_divergence ??= this.#divergence(op, wrong ?? this.#last!);
  }

  #call(op: SlabRunOp, call: SlabRunCall): CallOutcome {
    const cache = this.slabs.caches[call.cache]!;
    const before = this.#counters(cache);
    const places = this.#run(call, cache);
    const deltas = this.#counters(cache).map((value, i) => value - before[i]!);
    const outcome = { call, cache, places, deltas, isEqual: this.#compare(op.op, call, places, deltas) };
    this.#last = outcome;
    return outcome;
  }

  /** Finds out what the record counts as one transaction. */
  learnTidStep(state: SlabRunState): void {
    if (this.tidStep !== 0) return;
    for (const { cache, cpu, tid } of state.cpus) {
      const own = this.slabs.caches[cache]!.tid[cpu]! - cpu;
      if (own > 0 && tid > cpu) {
        this.tidStep = (tid - cpu) / own;
        return;
      }
    }
  }

  #counters(cache: KmemCache): number[] {
    return this.#statItems.map((item) => (item === undefined ? 0 : cache.total(item)));
  }

  /** @returns what the model handed out, slab and slot in turns, by the record's numbers */
  #run(op: SlabRunCall, cache: KmemCache): number[] {
    const { slabs } = this;
    const { cpu } = op;
    switch (op.kind) {
      case 'alloc': {
        const gfp = this.header.gfps[op.gfp]![1];
        const slab = slabAlloc(slabs, cache, cpu, gfp, op.node);
        return this.#handOut(op, slab === NO_SLAB ? [] : [slab, slabs.slot]);
      }
      case 'bulk_alloc': {
        const gfp = this.header.gfps[op.gfp]![1];
        const got = slabAllocBulk(slabs, cache, cpu, gfp, op.wanted, this.#objects);
        const places: number[] = [];
        for (let i = 0; i < got; i++) places.push(this.#objects.slab[i]!, this.#objects.slot[i]!);
        return this.#handOut(op, places);
      }
      case 'free': {
        const own = this.#takeBack(op.places[0]!, op.places[1]!);
        if (own !== undefined) slabFree(slabs, cache, cpu, own.slab, own.slot);
        return [];
      }
      case 'bulk_free': {
        this.#objects.reserve(op.places.length / 2);
        let count = 0;
        for (let i = 0; i < op.places.length; i += 2) {
          const own = this.#takeBack(op.places[i]!, op.places[i + 1]!);
          if (own === undefined) continue;
          this.#objects.slab[count] = own.slab;
          this.#objects.slot[count] = own.slot;
          count++;
        }
        slabFreeBulk(slabs, cache, cpu, this.#objects, count);
        return [];
      }
      case 'flush':
        flushCpuSlab(slabs, cache, cpu);
        return [];
      case 'shrink':
        shrinkCache(slabs, cache, cpu);
        return [];
    }
  }

  /** Remembers the model's objects under the record's names, and puts the record's numbers of slabs in. */
  #handOut(op: SlabRunCall, own: readonly number[]): number[] {
    const places: number[] = [];
    for (let i = 0; i < own.length; i += 2) {
      const slab = own[i]!;
      const slot = own[i + 1]!;
      if (i < op.places.length) this.#out.set(op.places[i]! * SLOT_RANGE + op.places[i + 1]!, { slab, slot });
      places.push(this.labels[slab]!, slot);
    }
    return places;
  }

  #takeBack(n: number, slot: number): { slab: number; slot: number } | undefined {
    const key = n * SLOT_RANGE + slot;
    const own = this.#out.get(key);
    this.#out.delete(key);
    return own;
  }

  #compare(
    op: number,
    { kind, places, stats }: SlabRunCall,
    own: readonly number[],
    deltas: readonly number[],
  ): boolean {
    const left = [...deltas];
    for (const [index, delta] of stats) left[index] = left[index]! - delta;
    const sameCounters = left.every((delta) => delta === 0);
    this.tally.note('counters', sameCounters, () => `op ${op}: counters`);
    if (kind !== 'alloc' && kind !== 'bulk_alloc') return sameCounters;
    const samePlaces = sameNumbers(places, own);
    this.tally.note('slabs and slots', samePlaces, () => `op ${op}: ${shownPlaces(places)}`);
    if (places.length === 0) {
      this.failures++;
      if (samePlaces) this.failures_matched++;
    }
    return sameCounters && samePlaces;
  }

  /** Slabs made and gone, and, after a shrink, the order of the lists. */
  #sameSlabs({ op, made, gone, lists, calls }: SlabRunOp): boolean {
    const { caches } = this.slabs;
    let isEqual = true;
    for (let i = 0; i < Math.max(made.length, this.#made.length); i++) {
      const kernel = made[i];
      const model = this.#made[i];
      const same = kernel !== undefined && model !== undefined && this.#isSlab(kernel, model);
      this.tally.note('slabs made', same, () => `op ${op}: ${this.#shownSlab(kernel, model)}`);
      isEqual &&= same;
    }
    if (gone.length > 0 || this.#gone.length > 0) {
      const sorted = (labels: readonly number[]) => [...labels].sort((a, b) => a - b);
      if (!this.tally.list('slabs gone', `op ${op}: slabs gone`, sorted(gone), sorted(this.#gone)))
        isEqual = false;
    }
    const cache = caches[calls[0]!.cache]!;
    for (const [node, list] of (lists ?? []).entries()) {
      const own = cache.partial.slabs(node).map((slab) => this.labels[slab]!);
      if (!this.tally.list('lists of shrinks', `op ${op} node ${node}`, list, own)) isEqual = false;
    }
    return isEqual;
  }

  #isSlab(kernel: RunSlab, model: number): boolean {
    const { table } = this.slabs;
    return (
      table.order[model] === kernel.order &&
      table.objects[model] === kernel.objects &&
      table.node[model] === kernel.node &&
      table.cache[model] === kernel.cache &&
      (!this.comparesPfns || table.pfn[model] === kernel.pfn)
    );
  }

  #shownSlab(kernel: RunSlab | undefined, model: number | undefined): string {
    const { table } = this.slabs;
    const show = (pfn: number, order: number, node: number) =>
      `0x${pfn.toString(16)} order ${order} node ${node}`;
    const theirs = kernel === undefined ? 'no slab' : show(kernel.pfn, kernel.order, kernel.node);
    const ours =
      model === undefined ? 'no slab' : show(table.pfn[model]!, table.order[model]!, table.node[model]!);
    return `kernel ${theirs}, model ${ours}`;
  }

  #divergence(op: SlabRunOp, { call, cache, places, deltas }: CallOutcome): VerifyDivergence {
    const { table } = this.slabs;
    const { cpu } = call;
    const slab = cache.cpuSlab[cpu]!;
    const label = (of: number) => (of === NO_SLAB ? 'none' : `${this.labels[of]}`);
    const freelist = slab === NO_SLAB ? [] : table.slotsFrom(slab, cache.freelist[cpu]!);
    const made = (ours: boolean) =>
      ours ? this.#made.map((one) => `${this.labels[one]}`) : op.made.map(({ n }) => `${n}`);
    const gone = (list: readonly number[]) => (list.length === 0 ? '' : `, slabs gone ${list.join(' ')}`);
    const news = (list: readonly string[]) => (list.length === 0 ? '' : `, slabs made ${list.join(' ')}`);
    const stats = (deltas: Iterable<readonly [number, number]>) =>
      [...deltas].map(([index, delta]) => `${this.header.stats[index]} +${delta}`).join(', ') || 'no counter';
    const moved = [...deltas.entries()].filter(([, delta]) => delta !== 0);
    const did = (objects: readonly number[], rest: string) =>
      call.kind === 'alloc' || call.kind === 'bulk_alloc' ? `${shownPlaces(objects)} (${rest})` : rest;
    return {
      index: op.op,
      ts_ns: null,
      text: this.#shownCall(call, cache),
      kernel: did(call.places, `${stats(call.stats)}${news(made(false))}${gone(op.gone)}`),
      model: did(places, `${stats(moved)}${news(made(true))}${gone(this.#gone)}`),
      context: [
        `after it, in the model: CPU ${cpu} has slab ${label(slab)} with ${freelist.length} private slots (${freelist.slice(0, 8).join(' ')}), chain of ${cache.cpu_partial_count[cpu]}`,
        ...Array.from({ length: cache.nodes }, (_, node) => {
          const list = cache.partial.slabs(node).map(label);
          return `node ${node}: nr_partial ${cache.nr_partial[node]}, list ${list.slice(0, 12).join(' ') || 'empty'}`;
        }),
      ],
    };
  }

  #shownCall(op: SlabRunCall, cache: KmemCache): string {
    const [name, gfp] = this.header.gfps[op.gfp]!;
    const words = gfpDialect(guessKernel(this.header.release).generation).format(gfp);
    const where = `${op.context === 'H' ? ' in hardirq' : ''} on CPU ${op.cpu}`;
    switch (op.kind) {
      case 'alloc':
        return `alloc ${cache.name} ${words} (${name})${op.node < 0 ? '' : ` node ${op.node}`}${where}`;
      case 'bulk_alloc':
        return `alloc ${op.wanted} × ${cache.name} ${words} (${name})${where}`;
      case 'free':
        return `free ${cache.name} ${shownPlaces(op.places)}${where}`;
      case 'bulk_free':
        return `free ${op.places.length / 2} × ${cache.name}${where}`;
      default:
        return `${op.kind} ${cache.name}${where}`;
    }
  }
}

const SHOWN_PLACES = 4;

function shownPlaces(places: readonly number[]): string {
  if (places.length === 0) return 'nothing';
  const shown: string[] = [];
  for (let i = 0; i < places.length && shown.length < SHOWN_PLACES; i += 2)
    shown.push(`slab ${places[i]} slot ${places[i + 1]}`);
  const more = places.length / 2 - shown.length;
  return more > 0 ? `${shown.join(', ')} and ${more} more` : shown.join(', ');
}
