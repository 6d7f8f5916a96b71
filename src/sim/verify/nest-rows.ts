/**
 * Runs one row of a table of nested calls: a call of the model is interrupted where the kernel's was, and the inner call is
 * made there, really. What came of both is put beside what the kernel recorded, column by column, in words.
 */
import { Context } from '../../mm/context.js';
import { GFP_ATOMIC } from '../../mm/gfp.js';
import { CpuContexts, type StrikePoint } from '../../mm/interruption/cpu-contexts.js';
import { kmallocNolock } from '../../mm/slab/kmalloc-nolock.js';
import type { KmemCache } from '../../mm/slab/kmem-cache.js';
import { allocObject, freeObject } from '../../mm/slab/object-calls.js';
import { SlabLock } from '../../mm/slab/slab-interfaces.js';
import { NO_SLOT } from '../../mm/slab/slab-table.js';
import type { NestRow, Probe } from '../../trace/oracle/nest-table.js';
import type { NolockMachine, Slot } from './nolock-machine.js';
import { countersText, deltas, lengthsOf, lengthsText } from './nolock-rows.js';
import type { RowColumn } from './table-tally.js';

export const NEST_PARTS = [
  'prepared states',
  'locks at the probe',
  'results',
  'counters',
  'deferred lists',
  'slabs',
] as const;
type Column = RowColumn<(typeof NEST_PARTS)[number]>;

/** Where the model comes to what was probed. The counters of a zone change under its lock. */
const POINTS: Readonly<Record<Probe, StrikePoint>> = {
  '__slab_alloc.constprop.0': 'slab_alloc',
  get_partial_node: 'get_partial_node',
  allocate_slab: 'allocate_slab',
  alloc_frozen_pages_nolock_noprof: 'alloc_pages_nolock',
  __alloc_frozen_pages_noprof: 'alloc_pages',
  get_page_from_freelist: 'get_page_from_freelist',
  __rmqueue_pcplist: 'pcp',
  __mod_zone_page_state: 'zone',
  mod_node_page_state: 'pages_obtained',
  __slab_free: 'slab_free',
  put_cpu_partial: 'put_cpu_partial',
  __put_partials: 'put_partials',
};

/**
 * Frees by the rest of the kernel, once interrupts were on again: the calls of a row free nothing there themselves. How many
 * they were comes from the record, what they did to the cache is compared.
 */
export function foreignFrees({ stats_irq_work }: NestRow): number {
  return stats_irq_work.free_slowpath ?? 0;
}

/** @returns the columns; a probe that the outer call did not come to is a column that differs */
export function nestRow(machine: NolockMachine, cache: KmemCache, row: NestRow): Column[] {
  const { slabs, kmalloc, deferred } = machine;
  const object = prepare(machine, cache, row);
  const contexts = new CpuContexts(1);
  contexts.irqWork = deferred;
  contexts.attach(slabs, machine.mm);
  // The recorder had them off, so that it could look at what is left to later.
  contexts.setInterrupts(0, false);
  const before = cache.totals();
  const nr_slabs = cache.nr_slabs[0]!;
  const nr_partial = [cache.nr_partial[0]!];
  const lengths = [lengthsOf(machine)];
  let inner: Slot | null | undefined;
  let locks = 'not reached';
  contexts.strike = (point) => {
    if (point !== POINTS[row.probe] || inner !== undefined) return;
    inner = null;
    locks = locksText(machine, cache);
    // A breakpoint is an exception that the kernel serves as an NMI.
    const context = row.inner_ctx === 'N' || row.in_nmi_at_probe === 1 ? Context.nmi : Context.task;
    inner = contexts.run(0, context, 'kmalloc_nolock', () =>
      answer(machine, kmallocNolock(kmalloc, 0, cache.geometry.object_size_bytes, 0, -1, context)),
    );
  };
  const outer = contexts.run(0, Context.task, row.outer, () => outerCall(machine, cache, row, object));
  contexts.strike = null;
  const middle = cache.totals();
  const made = cache.nr_slabs[0]! - nr_slabs;
  nr_partial.push(cache.nr_partial[0]!);
  lengths.push(lengthsOf(machine));
  const cpuSlab = cache.cpuSlab[0]!;
  contexts.setInterrupts(0, true);
  contexts.detach();
  for (let left = foreignFrees(row); left > 0; left--) freeForeign(machine, cache);
  nr_partial.push(cache.nr_partial[0]!);
  lengths.push(lengthsOf(machine));

  // A free gets no object, so there is nothing that the inner one could be the same as.
  const isSameSlab = row.outer !== 'kfree' && inner?.slab === outer?.slab;
  const isSameObject = isSameSlab && inner?.slot === outer?.slot;
  const results = [nameOf(machine, inner), row.outer === 'kfree' ? 'freed' : nameOf(machine, outer)];
  const wanted = [row.inner ?? 'NULL', row.outer === 'kfree' ? 'freed' : (row.outer_result ?? 'NULL')];
  const { LL, list_lock, pcp_top, zone_top } = row.locks;
  return [
    { part: 'prepared states', kernel: `node ${row.nr_partial[0]}`, model: `node ${nr_partial[0]}` },
    { part: 'locks at the probe', kernel: bits([LL, list_lock, pcp_top, zone_top]), model: locks },
    { part: 'results', kernel: wanted.join(' in '), model: results.join(' in ') },
    {
      part: 'results',
      kernel: sameText(row.same_object === 1, row.same_slab === 1),
      model: sameText(isSameObject, isSameSlab),
    },
    {
      part: 'counters',
      kernel: countersText(row.stats),
      model: countersText(deltas(before, middle)),
    },
    {
      part: 'counters',
      kernel: `irq_work ${countersText(row.stats_irq_work)}`,
      model: `irq_work ${countersText(deltas(middle, cache.totals()))}`,
    },
    { part: 'deferred lists', kernel: lengthsText(row.deferred), model: lengthsText(lengths) },
    {
      part: 'slabs',
      kernel: `${row.new_slabs} new, cpu slab of ${row.cpu_slab}, node ${row.nr_partial.join(' ')}`,
      model: `${made} new, cpu slab of ${ownerOf(cpuSlab)}, node ${nr_partial.join(' ')}`,
    },
  ];

  function ownerOf(slab: number): string {
    if (row.outer !== 'kfree' && slab === outer?.slab) return 'outer';
    return slab === inner?.slab ? 'inner' : 'nobody';
  }
}

/** Frees an object of a full slab that is on no list: such slabs hold what the state was prepared with. */
function freeForeign({ slabs }: NolockMachine, cache: KmemCache): void {
  const { table } = slabs;
  for (let slab = 0; slab < table.end; slab++) {
    const isFull = table.exists(slab) && table.freelist[slab] === NO_SLOT && cache.cpuSlab[0] !== slab;
    if (!isFull || table.cache[slab] !== cache.number) continue;
    freeObject(slabs, cache, 0, slab, 0);
    return;
  }
}

/** Brings the machine into the row's state. @returns the object that a kfree frees */
function prepare(machine: NolockMachine, cache: KmemCache, { state, pcp, nr_partial }: NestRow): Slot | null {
  let object: Slot | null = null;
  if (state === 'empty') machine.makeEmpty(cache);
  else if (state === 'cpu_partial') machine.makePartial(cache, 1, false);
  else if (state === 'node_partial_many') machine.makePartial(cache, nr_partial[0], true);
  else {
    object = machine.fill(cache);
    if (state === 'free_full') machine.fill(cache);
    else machine.makePartial(cache, cache.cpu_partial_slabs, false);
  }
  if (pcp !== '-') machine.preparePages(cache, pcp === 'f');
  return object;
}

function outerCall(
  machine: NolockMachine,
  cache: KmemCache,
  { outer }: NestRow,
  object: Slot | null,
): Slot | null {
  const { slabs, kmalloc } = machine;
  if (object !== null) {
    freeObject(slabs, cache, 0, object.slab, object.slot);
    return object;
  }
  if (outer === 'kmalloc') return answer(machine, allocObject(slabs, cache, 0, GFP_ATOMIC, -1));
  return answer(machine, kmallocNolock(kmalloc, 0, cache.geometry.object_size_bytes, 0, -1, Context.task));
}

function answer({ slabs }: NolockMachine, slab: number): Slot | null {
  return slab < 0 ? null : { slab, slot: slabs.slot };
}

function nameOf({ slabs }: NolockMachine, place: Slot | null | undefined): string {
  if (place === undefined) return 'not called';
  return place === null ? 'NULL' : slabs.caches[slabs.table.cache[place.slab]!]!.name;
}

function locksText({ slabs, mm }: NolockMachine, cache: KmemCache): string {
  const top = mm.zones.at(-1)!;
  const held = [
    slabs.isHeldBelow(SlabLock.cpu_slab, cache, 0),
    slabs.isHeldBelow(SlabLock.list_lock, cache, 0),
    mm.interrupted!.holdsPcp(top, 0),
    mm.interrupted!.holdsZone(top),
  ];
  return bits(held.map(Number));
}

function bits([cpuSlab, list, pcp, zone]: readonly number[]): string {
  return `cpu_slab ${cpuSlab}, list_lock ${list}, pcp ${pcp}, zone ${zone}`;
}

function sameText(isSameObject: boolean, isSameSlab: boolean): string {
  return `${isSameObject ? 'the same object' : 'two objects'}, ${isSameSlab ? 'one slab' : 'two slabs'}`;
}
