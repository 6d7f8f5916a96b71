/**
 * Runs one row of a nolock table in the model and puts what came of it beside what the kernel recorded, column by column,
 * in words.
 */
import { Context } from '../../mm/context.js';
import { kfreeNolock } from '../../mm/slab/kfree-nolock.js';
import { kmallocNolock, ZERO_SIZE } from '../../mm/slab/kmalloc-nolock.js';
import type { KmemCache } from '../../mm/slab/kmem-cache.js';
import { NO_SLAB, NO_SLOT, SLAB_FROZEN } from '../../mm/slab/slab-table.js';
import type { AllocRow, FreeRow } from '../../trace/oracle/nolock-table.js';
import { NolockMachine } from './nolock-machine.js';
import type { RowColumn } from './table-tally.js';

export const NOLOCK_PARTS = ['prepared states', 'results', 'counters', 'deferred lists', 'slabs'] as const;
type NolockPart = (typeof NOLOCK_PARTS)[number];
type Column = RowColumn<NolockPart>;

/** Contexts of the tables: called directly, in an NMI, in a hardirq. */
const CONTEXTS = { D: Context.task, N: Context.nmi, H: Context.hardirq } as const;

type Deltas = Readonly<Record<string, number>>;

export function deltas(before: Deltas, after: Deltas): Deltas {
  return Object.fromEntries(
    Object.entries(after)
      .map(([name, value]) => [name, value - before[name]!] as const)
      .filter(([, by]) => by !== 0),
  );
}

export function countersText(moved: Deltas): string {
  const names = Object.keys(moved).sort();
  return names.map((name) => `${name} ${moved[name]}`).join(', ') || 'none';
}

export function lengthsText(all: readonly (readonly [number, number])[]): string {
  return all.map(([objects, slabs]) => `${objects}/${slabs}`).join(' ');
}

export function lengthsOf({ deferred }: NolockMachine): [number, number] {
  return [deferred.objects[0]!.length, deferred.slabs[0]!.length];
}

/** Runs a row of the table of kmalloc_nolock(). */
export function allocRow(
  machine: NolockMachine,
  cache: KmemCache,
  next: KmemCache | undefined,
  row: AllocRow,
  isAccounted: boolean,
): Column[] {
  const { slabs, deferred } = machine;
  prepareAlloc(machine, cache, next, row);
  const pre = preColumns(machine, cache);
  const before = { own: cache.totals(), next: next?.totals() ?? {} };
  const slabsBefore = [cache.nr_slabs[0]!, next?.nr_slabs[0] ?? 0] as const;
  const lengths = [lengthsOf(machine)];
  machine.hold(row.held, cache, next);
  const gfp = NolockMachine.gfp(isAccounted);
  const slab = kmallocNolock(machine.kmalloc, 0, row.size, gfp, -1, CONTEXTS[row.ctx]);
  machine.letGo();
  lengths.push(lengthsOf(machine));
  const result = resultText(machine, slab);
  const made = [cache.nr_slabs[0]! - slabsBefore[0], (next?.nr_slabs[0] ?? 0) - slabsBefore[1]];
  const after = { own: cache.totals(), next: next?.totals() ?? {} };
  deferred.run(0);
  lengths.push(lengthsOf(machine));
  const irqWork = deltas(after.own, cache.totals());
  const ended = cache.nr_slabs[0]! - slabsBefore[0];
  const { freelist, slab_freelist, cpu_partial, nr_partial } = row.pre;
  return [
    {
      part: 'prepared states',
      kernel: `private ${freelist}, own ${slab_freelist}, chain ${cpu_partial}, node ${nr_partial}`,
      model: pre,
    },
    { part: 'results', kernel: recordedResult(row), model: result },
    counters('', row.stats, deltas(before.own, after.own)),
    counters('next ', row.stats_next ?? {}, deltas(before.next, after.next)),
    counters('irq_work ', row.stats_irq_work, irqWork),
    { part: 'deferred lists', kernel: lengthsText(row.deferred), model: lengthsText(lengths) },
    {
      part: 'slabs',
      kernel: `${row.new_slabs.join('/')} new, ${row.nr_slabs_end} at the end`,
      model: `${made.join('/')} new, ${ended} at the end`,
    },
  ];

  function resultText(of: NolockMachine, got: number): string {
    if (got === NO_SLAB) return 'NULL';
    if (got === ZERO_SIZE) return 'ZERO_SIZE_PTR';
    const { name } = slabs.caches[slabs.table.cache[got]!]!;
    return `${name}, order ${slabs.table.order[got]}, ${of.zoneNameOf(got)}`;
  }
}

function recordedResult({ result, order, zone }: AllocRow): string {
  if (result === null) return 'NULL';
  return order === undefined ? result : `${result}, order ${order}, ${zone}`;
}

function counters(prefix: string, kernel: Deltas, model: Deltas): Column {
  return {
    part: 'counters',
    kernel: `${prefix}${countersText(kernel)}`,
    model: `${prefix}${countersText(model)}`,
  };
}

function prepareAlloc(
  machine: NolockMachine,
  cache: KmemCache,
  next: KmemCache | undefined,
  { state, pre, pcp }: AllocRow,
): void {
  if (next !== undefined) machine.take(next);
  if (state === 'empty') machine.makeEmpty(cache);
  else if (cache.isDebug || state === 'fast') machine.take(cache);
  else if (state === 'refill') machine.makeRefill(cache);
  else if (state === 'cpu_partial') machine.makePartial(cache, pre.cpu_partial, false);
  else machine.makePartial(cache, pre.nr_partial, true);
  if (pcp !== '-') machine.preparePages(cache, pcp === 'f');
}

function preColumns({ slabs: { table } }: NolockMachine, cache: KmemCache): string {
  const slab = cache.cpuSlab[0]!;
  const mine = cache.freelist[0]!;
  const own = slab === NO_SLAB ? -1 : table.slotsFrom(slab, table.freelist[slab]!).length;
  const privates = mine === NO_SLOT ? 0 : table.slotsFrom(slab, mine).length;
  return `private ${privates}, own ${own}, chain ${cache.cpu_partial_count[0]}, node ${cache.nr_partial[0]}`;
}

/** Runs a row of the table of kfree_nolock(). */
export function freeRow(
  machine: NolockMachine,
  cache: KmemCache,
  next: KmemCache | undefined,
  row: FreeRow,
): Column[] {
  const { deferred } = machine;
  const { table } = machine.slabs;
  const { slab, slot } = machine.makeObject(cache, row);
  const slabText = () => `inuse ${table.inuse[slab]}, frozen ${table.hasFlag(slab, SLAB_FROZEN) ? 1 : 0}`;
  const placeText = () => `${slabText()}, chain ${cache.cpu_partial_count[0]}, node ${cache.nr_partial[0]}`;
  const pre = `cpu slab ${cache.cpuSlab[0] === slab ? 1 : 0}, on node list ${machine.isOnNodeList(slab) ? 1 : 0}, ${placeText()}`;
  const before = cache.totals();
  const lengths = [lengthsOf(machine)];
  machine.hold(row.held, cache, next);
  kfreeNolock(deferred, 0, slab, slot, CONTEXTS[row.ctx]);
  machine.letGo();
  lengths.push(lengthsOf(machine));
  // A hardirq returns into the irq_work before anybody can look.
  if (row.ctx === 'H') deferred.run(0);
  const middle = cache.totals();
  const afterwards = slabText();
  deferred.run(0);
  lengths.push(lengthsOf(machine));
  const { pre: was, after, end } = row;
  return [
    {
      part: 'prepared states',
      kernel: `cpu slab ${was.is_cpu_slab}, on node list ${was.on_node_list}, inuse ${was.inuse}, frozen ${was.frozen}, chain ${was.cpu_partial}, node ${was.nr_partial}`,
      model: pre,
    },
    counters('', row.stats, deltas(before, middle)),
    counters('irq_work ', row.stats_irq_work, deltas(middle, cache.totals())),
    { part: 'deferred lists', kernel: lengthsText(row.deferred), model: lengthsText(lengths) },
    { part: 'slabs', kernel: `inuse ${after.inuse}, frozen ${after.frozen}`, model: afterwards },
    {
      part: 'slabs',
      kernel: `inuse ${end.inuse}, frozen ${end.frozen}, chain ${end.cpu_partial}, node ${end.nr_partial}`,
      model: placeText(),
    },
  ];
}
