/**
 * Compares caches and lists of the model with what a slab run recorded: geometry once, the lists at each dump.
 *
 * Slabs have the record's numbers there and numbers of their own here; `labels` translates.
 */
import type { CacheSpec, SlabGeometry } from '../../mm/slab/geometry.js';
import { kmallocAlignment } from '../../mm/slab/kmalloc-caches.js';
import type { KmemCache } from '../../mm/slab/kmem-cache.js';
import type { SlabAllocator } from '../../mm/slab/slab-allocator.js';
import { CMPXCHG_DOUBLE, OBJECT_POISON, SLAB_KMALLOC } from '../../mm/slab/slab-flags.js';
import { SLAB_STAT_NAMES, SlabStat } from '../../mm/slab/slab-stats.js';
import { NO_SLAB, SLAB_EXISTS, SLAB_FROZEN, SLAB_NODE_PARTIAL } from '../../mm/slab/slab-table.js';
import type { VerifyCheckpoint } from '../../report/verify-result.js';
import type { SlabRunGeometry } from '../../trace/oracle/slab-run-lines.js';
import type { SlabRunState, StateCpu, StateNode, StateSlab } from '../../trace/oracle/slab-state.js';
import { Tally } from './slab-tally.js';

const MIN_KMALLOC_BYTES = 8;

/** What the recorded cache was created with: derived flags are taken out again, and so is what they aligned. */
export function specFromRun(geometry: SlabRunGeometry, policy: SlabAllocator['policy']): CacheSpec {
  const flags = geometry.flags & ~(OBJECT_POISON | CMPXCHG_DOUBLE);
  const { object_size } = geometry;
  return {
    name: geometry.name,
    object_size_bytes: object_size,
    align_bytes: flags & SLAB_KMALLOC ? kmallocAlignment(object_size, MIN_KMALLOC_BYTES, policy) : 0,
    flags,
    hasConstructor: geometry.ctor !== 0,
  };
}

/** Each column of the recorded geometry against what the model computed from size, flags and constructor. */
export function compareGeometry(tally: Tally, kernel: SlabRunGeometry, model: SlabGeometry): void {
  const columns: readonly (readonly [name: string, kernel: number, model: number])[] = [
    ['size', kernel.size, model.size_bytes],
    ['inuse', kernel.inuse, model.inuse_bytes],
    ['offset', kernel.offset, model.offset_bytes],
    ['align', kernel.align, model.align_bytes],
    ['red_left_pad', kernel.red_left_pad, model.red_left_pad_bytes],
    ['order', kernel.oo[0], model.order],
    ['objects', kernel.oo[1], model.objects],
    ['min order', kernel.min[0], model.min_order],
    ['min objects', kernel.min[1], model.min_objects],
    ['min_partial', kernel.min_partial, model.min_partial],
    ['cpu_partial', kernel.cpu_partial, model.cpu_partial],
    ['cpu_partial_slabs', kernel.cpu_partial_slabs, model.cpu_partial_slabs],
    ['flags', kernel.flags, model.flags],
    ['allocflags', kernel.allocflags, model.alloc_gfp],
  ];
  for (const [column, recorded, computed] of columns)
    tally.value('geometry', `${kernel.name} ${column}`, recorded, computed);
}

const STATE_PARTS = [
  'node lists',
  'chains',
  'private freelists',
  'slab freelists',
  'slab counters',
  'statistics',
  'transactions',
] as const;

export interface SlabSide {
  readonly slabs: SlabAllocator;
  /** caches by the record's numbers, where those are not the model's */
  readonly caches?: readonly KmemCache[];
  /** the record's number of each of the model's slabs */
  readonly labels: readonly number[];
  /** of what the record counts in one transaction; 0 until the first shows it */
  readonly tidStep: number;
}

/** All lists and counters of all caches, in order. */
export function compareSlabState(state: SlabRunState, side: SlabSide): VerifyCheckpoint {
  const tally = new Tally(STATE_PARTS);
  const caches = side.caches ?? side.slabs.caches;
  for (const { cache, stats } of state.caches) compareStats(tally, caches[cache]!, stats);
  for (const cpu of state.cpus) compareCpu(tally, side, caches[cpu.cache]!, cpu);
  for (const node of state.nodes) compareNode(tally, side, caches[node.cache]!, node);
  compareSlabs(tally, side, state.slabs);
  return {
    name: state.when,
    index: state.op,
    compared: tally.compared,
    equal: tally.equal,
    parts: tally.parts,
    differences: tally.differences,
  };
}

function compareStats(tally: Tally, cache: KmemCache, kernel: Readonly<Record<string, number>>): void {
  for (const name of SLAB_STAT_NAMES)
    tally.value('statistics', `${cache.name} ${name}`, kernel[name] ?? 0, cache.total(SlabStat[name]));
}

function labelsOf(side: SlabSide, slabs: readonly number[]): number[] {
  return slabs.map((slab) => side.labels[slab] ?? NO_SLAB);
}

function chainOf(side: SlabSide, cache: KmemCache, cpu: number): number[] {
  const chain: number[] = [];
  for (let slab = cache.cpuPartial[cpu]!; slab !== NO_SLAB; slab = side.slabs.table.next[slab]!)
    chain.push(slab);
  return labelsOf(side, chain);
}

function compareCpu(tally: Tally, side: SlabSide, cache: KmemCache, kernel: StateCpu): void {
  const name = `${cache.name} CPU ${kernel.cpu}`;
  const slab = cache.cpuSlab[kernel.cpu]!;
  const label = slab === NO_SLAB ? NO_SLAB : (side.labels[slab] ?? NO_SLAB);
  tally.value('private freelists', `${name} slab`, kernel.slab ?? NO_SLAB, label);
  const freelist = slab === NO_SLAB ? [] : side.slabs.table.slotsFrom(slab, cache.freelist[kernel.cpu]!);
  tally.list('private freelists', `${name} freelist`, kernel.freelist, freelist);
  tally.list('chains', `${name} chain`, kernel.partial, chainOf(side, cache, kernel.cpu));
  const parked = cache.cpu_partial_count[kernel.cpu]!;
  tally.value('chains', `${name} chain length`, kernel.partial_slabs, parked);
  const transactions = (kernel.tid - kernel.cpu) / (side.tidStep === 0 ? 1 : side.tidStep);
  tally.value('transactions', `${name} transactions`, transactions, cache.tid[kernel.cpu]! - kernel.cpu);
}

function compareNode(tally: Tally, side: SlabSide, cache: KmemCache, kernel: StateNode): void {
  const { node } = kernel;
  const name = `${cache.name} node ${node}`;
  tally.value('node lists', `${name} nr_partial`, kernel.nr_partial, cache.nr_partial[node]!);
  tally.value('node lists', `${name} nr_slabs`, kernel.nr_slabs, cache.nr_slabs[node]!);
  tally.value('node lists', `${name} total_objects`, kernel.total_objects, cache.total_objects[node]!);
  tally.list('node lists', `${name} partial`, kernel.partial, labelsOf(side, cache.partial.slabs(node)));
  tally.list('node lists', `${name} full`, kernel.full, labelsOf(side, cache.full.slabs(node)));
}

function compareSlabs(tally: Tally, side: SlabSide, kernel: readonly StateSlab[]): void {
  const { table } = side.slabs;
  const own = new Map<number, number>();
  for (let slab = 0; slab < table.end; slab++)
    if (table.hasFlag(slab, SLAB_EXISTS)) own.set(side.labels[slab] ?? NO_SLAB, slab);
  tally.value('slab counters', 'slabs', kernel.length, table.count);
  for (const { n, inuse, objects, frozen, np, fl } of kernel) {
    const slab = own.get(n);
    if (!tally.note('slab counters', slab !== undefined, () => `slab ${n} is gone in the model`)) continue;
    const mine = slab!;
    tally.value('slab counters', `slab ${n} inuse`, inuse, table.inuse[mine]!);
    tally.value('slab counters', `slab ${n} objects`, objects, table.objects[mine]!);
    tally.value('slab counters', `slab ${n} frozen`, frozen, table.hasFlag(mine, SLAB_FROZEN) ? 1 : 0);
    tally.value('slab counters', `slab ${n} on a list`, np, table.hasFlag(mine, SLAB_NODE_PARTIAL) ? 1 : 0);
    tally.list('slab freelists', `slab ${n} freelist`, fl, table.slotsFrom(mine, table.freelist[mine]!));
  }
}
