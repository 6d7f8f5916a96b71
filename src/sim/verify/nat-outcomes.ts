/**
 * What an NMI that calls kmalloc_nolock() may come to in the model: which locks it can find held, and which answers follow
 * from them. A record of NMIs that struck anywhere tells the locks, but not what the cache and the page lists held; so
 * every state is prepared and the call is made in each.
 */
import { Context } from '../../mm/context.js';
import { CpuContexts } from '../../mm/interruption/cpu-contexts.js';
import type { Policy } from '../../mm/policy.js';
import { flushCpuSlab } from '../../mm/slab/flush-shrink.js';
import { kfreeNolock } from '../../mm/slab/kfree-nolock.js';
import { kmallocNolock } from '../../mm/slab/kmalloc-nolock.js';
import type { KmemCache } from '../../mm/slab/kmem-cache.js';
import { freeObject } from '../../mm/slab/object-calls.js';
import { SlabLock } from '../../mm/slab/slab-interfaces.js';
import type { NatRow } from '../../trace/oracle/nest-table.js';
import type { TableLock } from '../../trace/oracle/nolock-table.js';
import { NolockMachine, type Slot } from './nolock-machine.js';
import { lengthsOf } from './nolock-rows.js';

const STATES = ['fast', 'refill', 'cpu_partial', 'node_partial', 'empty'] as const;
type State = (typeof STATES)[number];
/** Slabs that leave a chain and a node's list enough to be drained and freed. */
const SLABS = 16;

export type NatLocks = Pick<NatRow, 'LL' | 'list_lock' | 'pcp' | 'zone' | 'LLnext' | 'irqs_off'>;

export class NatOutcomes {
  /** by locks and bytes */
  readonly #answers = new Map<string, ReadonlySet<string>>();
  readonly #lockSets = new Map<number, ReadonlySet<string>>();
  readonly #lengths = new Map<number, ReadonlySet<string>>();

  constructor(readonly policy: Policy) {}

  /** Whether an operation of the bucket, or of the next one, comes to a point with just these locks. */
  areReachable(bytes: number, locks: NatLocks): boolean {
    let sets = this.#lockSets.get(bytes);
    if (sets === undefined) {
      sets = lockSetsOf(this.policy, bytes);
      this.#lockSets.set(bytes, sets);
    }
    // Interrupts may be off without any lock, too.
    return (
      sets.has(locksText(locks)) || (locks.irqs_off === 1 && sets.has(locksText({ ...locks, irqs_off: 0 })))
    );
  }

  /** All answers of a request of so many bytes, in the words of `answerText`. */
  answers(bytes: number, locks: NatLocks): ReadonlySet<string> {
    const key = `${bytes} ${locksText(locks)}`;
    let answers = this.#answers.get(key);
    if (answers === undefined) {
      answers = answersOf(this.policy, bytes, locks);
      this.#answers.set(key, answers);
    }
    return answers;
  }

  /** Lengths of the deferred lists, which do not depend on the bucket. */
  lengths(irqs_off: number): ReadonlySet<string> {
    let lengths = this.#lengths.get(irqs_off);
    if (lengths === undefined) {
      lengths = lengthsAfter(this.policy, irqs_off === 1);
      this.#lengths.set(irqs_off, lengths);
    }
    return lengths;
  }
}

export function locksText({ LL, list_lock, pcp, zone, LLnext, irqs_off }: NatLocks): string {
  const names = [
    LL && 'cpu_slab',
    LLnext && 'cpu_slab of the next cache',
    list_lock && 'list_lock',
    pcp && 'pcp',
    zone && 'zone',
  ].filter((name) => name !== 0);
  return `${names.join(' + ') || 'nothing'} held, interrupts ${irqs_off === 1 ? 'off' : 'on'}`;
}

export function answerText(bytes: number | null, fast: number, slow: number, new_slab: number): string {
  const got = bytes === null ? 'NULL' : `${bytes} bytes`;
  return `${got} (alloc_fastpath ${fast}, alloc_slowpath ${slow}, alloc_slab ${new_slab})`;
}

function cachesOf(machine: NolockMachine, bytes: number): { cache: KmemCache; next: KmemCache | undefined } {
  const cache = machine.kmalloc.cacheFor(bytes, 0)!;
  return machine.caches(cache.name)!;
}

function answersOf(policy: Policy, bytes: number, locks: NatLocks): Set<string> {
  const names: TableLock[] = [];
  if (locks.LL) names.push('LL');
  if (locks.LLnext) names.push('LLnext');
  if (locks.list_lock) names.push('list_lock');
  if (locks.pcp) names.push('pcp_top');
  if (locks.zone) names.push('zone_top');
  const answers = new Set<string>();
  for (const state of STATES)
    for (const isFilled of [false, true]) {
      const machine = new NolockMachine(policy, new Map());
      const { cache, next } = cachesOf(machine, bytes);
      if (next !== undefined) machine.take(next);
      prepare(machine, cache, state);
      machine.preparePages(cache, isFilled);
      const before = cache.totals();
      machine.hold(names, cache, next);
      const slab = kmallocNolock(machine.kmalloc, 0, bytes, 0, -1, Context.nmi);
      machine.letGo();
      const after = cache.totals();
      const moved = (name: 'alloc_fastpath' | 'alloc_slowpath' | 'alloc_slab') => after[name] - before[name];
      const { caches, table } = machine.slabs;
      const got = slab < 0 ? null : caches[table.cache[slab]!]!.geometry.object_size_bytes;
      answers.add(answerText(got, moved('alloc_fastpath'), moved('alloc_slowpath'), moved('alloc_slab')));
    }
  return answers;
}

function prepare(machine: NolockMachine, cache: KmemCache, state: State): void {
  if (state === 'fast') machine.take(cache);
  else if (state === 'refill') machine.makeRefill(cache);
  else if (state === 'empty') machine.makeEmpty(cache);
  else machine.makePartial(cache, 1, state === 'node_partial');
}

/**
 * The NMI frees an object, too, of the CPU's slab or of another; where interrupts are off, so may have one before it, whose
 * deferred work still waits.
 */
function lengthsAfter(policy: Policy, irqsOff: boolean): Set<string> {
  const found = new Set<string>();
  for (const waiting of irqsOff ? [0, 1] : [0])
    for (const isOwn of [false, true]) {
      const machine = new NolockMachine(policy, new Map());
      const { cache } = cachesOf(machine, 64);
      const others: Slot[] = [machine.take(cache), machine.take(cache)];
      flushCpuSlab(machine.slabs, cache, 0);
      machine.fill(machine.kmalloc.cacheFor(64, 0)!);
      const own = machine.take(cache);
      for (const { slab, slot } of [...others.slice(0, waiting), isOwn ? own : others[1]!])
        kfreeNolock(machine.deferred, 0, slab, slot, Context.nmi);
      found.add(lengthsOf(machine).join('/'));
    }
  return found;
}

/** Locks that are held at the points which operations of the bucket, and of the next one, come to. */
function lockSetsOf(policy: Policy, bytes: number): Set<string> {
  const machine = new NolockMachine(policy, new Map());
  const { slabs, mm } = machine;
  const { cache, next } = cachesOf(machine, bytes);
  const top = mm.zones.at(-1)!;
  const contexts = new CpuContexts(1);
  contexts.attach(slabs, mm);
  const found = new Set<string>();
  contexts.strike = () => {
    const isHeld = (of: KmemCache | undefined, lock: SlabLock) =>
      of !== undefined && slabs.isHeldBelow(lock, of, 0) ? 1 : 0;
    found.add(
      locksText({
        LL: isHeld(cache, SlabLock.cpu_slab),
        LLnext: isHeld(next, SlabLock.cpu_slab),
        list_lock: isHeld(cache, SlabLock.list_lock),
        pcp: contexts.holdsPcp(top, 0) ? 1 : 0,
        zone: contexts.holdsZone(top) ? 1 : 0,
        irqs_off: contexts.areInterruptsOff(0) ? 1 : 0,
      }),
    );
  };
  for (const of of [cache, next]) if (of !== undefined) useAllPaths(machine, of);
  contexts.detach();
  return found;
}

/** Fills slabs, frees into them until they are empty, and takes from chain and list. */
function useAllPaths(machine: NolockMachine, cache: KmemCache): void {
  const objects: Slot[] = [];
  for (let i = 0; i < SLABS; i++)
    for (let left = cache.geometry.objects; left > 0; left--) objects.push(machine.take(cache));
  const { objects: perSlab } = cache.geometry;
  // One of each slab first, so that the chain fills up and is drained; then half of the slabs wholly.
  const firsts = objects.filter((_, i) => i % perSlab === 0);
  const rest = objects.filter((_, i) => i % perSlab !== 0 && i < objects.length >> 1);
  for (const { slab, slot } of [...firsts, ...rest]) freeObject(machine.slabs, cache, 0, slab, slot);
  for (let taken = 0; taken < SLABS; taken++) machine.take(cache);
}
