/**
 * Memory cgroups of a trace: who pays for what a row asks for, and the ops that make, set and end them.
 *
 * Nothing is accounted before the first row that names a cgroup below the root: until then `slabs.charges` is null. A cgroup
 * that has ended keeps what is charged to it; who asks at its path is charged to the nearest one above that lives.
 * model: slub 5.5.4
 */
import { Context } from '../../mm/context.js';
import { ROOT_MEMCG } from '../../mm/memcg/mem-cgroups.js';
import type { MemcgCharges } from '../../mm/memcg/memcg-charges.js';
import { drainStocksBelow } from '../../mm/memcg/try-charge.js';
import type { StateIo } from '../../mm/state-io.js';
import { type EventBatch, EventFlag, Op } from '../../trace/event-batch.js';
import type { Notes } from '../notes.js';
import type { RareOutcome } from '../rare-ops.js';
import { MemcgAccounts } from './memcg-accounts.js';
import { type MemcgSettings, memcgSettings } from './memcg-args.js';
import { MemcgPlaces, NO_MEMCG } from './memcg-places.js';
import type { SlabMachine } from './slab-machine.js';

/** As many as a kernel has numbers for at a time; here those that ended count too. */
export const DEFAULT_MAX_MEMCGS = 65_535;
/** Of {@link MemcgDirectory.setCurrent}: there is nothing to put back. */
export const NOTHING_TO_RESTORE = -1;

const FIRST_NUMBERS = 64;
const ACTIVE = /(?:^|;)\s*active=1\s*(?:;|$)/;

export interface MemcgDirectoryOptions {
  readonly max_memcgs?: number;
  /** the input, for errors */
  readonly file?: string;
}

export class MemcgDirectory {
  /** called when accounting begins: whoever keeps contexts listens to the locks of the stocks from then on */
  onCharges: ((charges: MemcgCharges) => void) | null = null;
  readonly #places: MemcgPlaces;
  /** place + 1 by number of the path in the trace; forgotten and found again at will */
  #byText = new Uint32Array(FIRST_NUMBERS);
  /** 1, or 2 for an argument that asks for an active memory cgroup, by number of the argument; likewise */
  #actives = new Uint32Array(FIRST_NUMBERS);
  #accounts: MemcgAccounts | null = null;
  readonly #file: string;

  constructor(
    readonly machine: SlabMachine,
    readonly notes: Notes,
    { max_memcgs = DEFAULT_MAX_MEMCGS, file = 'trace' }: MemcgDirectoryOptions = {},
  ) {
    this.#file = file;
    this.#places = new MemcgPlaces({ create: (parent) => this.#make(parent), max_memcgs, file });
  }

  /** null before the first row that names a cgroup */
  get accounts(): MemcgAccounts | null {
    return this.#accounts;
  }

  /** Memory cgroups that were made, in that order, the root not among them. */
  memcgs(): ReturnType<MemcgPlaces['memcgs']> {
    return this.#places.memcgs();
  }

  /**
   * Who pays for what a row asks for. A row of a task says in which cgroup the task of its CPU is; one that interrupts
   * another changes nothing of that. With `active=1` in `arg` a row of any context charges the cgroup that it names, while
   * it runs.
   *
   * @returns for {@link restore}, when the row and all that interrupts it are through
   * @throws InputError for a path that cannot be, or too many cgroups
   */
  setCurrent(batch: EventBatch, i: number, cpu: number): number {
    const text = batch.memcg[i]!;
    if (text === 0 && this.#accounts === null) return NOTHING_TO_RESTORE;
    const payer = text === 0 ? ROOT_MEMCG : this.#places.payerOf(this.#placeOfText(batch, text));
    this.#accounts ??= this.#begin();
    const { charges } = this.#accounts;
    const isTask = batch.ctx[i] === Context.task;
    if (isTask && batch.depth[i] === 0) charges.task[cpu] = payer;
    if (text === 0 || !this.#isActive(batch, i)) return NOTHING_TO_RESTORE;
    const active = isTask ? charges.active : charges.interruptActive;
    const before = active[cpu]!;
    active[cpu] = payer;
    return before;
  }

  /** @param before what {@link setCurrent} of the same row returned */
  restore(batch: EventBatch, i: number, cpu: number, before: number): void {
    if (before === NOTHING_TO_RESTORE || this.#accounts === null) return;
    const { active, interruptActive } = this.#accounts.charges;
    const current = batch.ctx[i] === Context.task ? active : interruptActive;
    current[cpu] = before;
  }

  /**
   * Charges pages that were just handed out.
   *
   * @param gfp of the request; without reclaim bits the charge does not wait
   * @returns false: they must go back, the request fails
   */
  chargePages(cpu: number, pfn: number, order: number, gfp: number, context: Context): boolean {
    return this.#accounts === null || this.#accounts.pages.charge(cpu, pfn, order, gfp, context);
  }

  /** Before pages go back. */
  unchargePages(cpu: number, pfn: number, order: number): void {
    if (this.#accounts !== null) this.#accounts.pages.uncharge(cpu, pfn, order);
  }

  /** `memcg_create`, `memcg_set`, `memcg_offline`, `memcg_remove`. @throws InputError */
  replay(batch: EventBatch, i: number): RareOutcome {
    if (batch.flags[i]! & EventFlag.failed) {
      this.notes.add('recorded_failures');
      return 'failed';
    }
    switch (batch.op[i]) {
      case Op.memcg_create:
        return this.#create(batch, i);
      case Op.memcg_set:
        return this.#set(batch, i);
      case Op.memcg_offline:
        return this.#end(pathOf(batch, i)) === 'ended' ? 'ok' : 'failed';
      case Op.memcg_remove:
        return this.#end(pathOf(batch, i)) === 'refused' ? 'failed' : 'ok';
      default:
        return 'not_modelled';
    }
  }

  /** Counting begins anew; what is charged stays. */
  clearCounts(): void {
    this.#accounts?.slab.clearCounts();
  }

  /** Throws an InvariantError where charges and what is charged for differ. */
  validate(): void {
    this.#accounts?.validate();
  }

  #begin(): MemcgAccounts {
    const accounts = new MemcgAccounts(this.machine);
    this.machine.slabs.charges = accounts.slab;
    this.onCharges?.(accounts.charges);
    return accounts;
  }

  #make(parent: number): number {
    this.#accounts ??= this.#begin();
    return this.#accounts.charges.groups.create(parent);
  }

  #placeOfText(batch: EventBatch, text: number): number {
    const known = this.#byText[text] ?? 0;
    if (known !== 0) return known - 1;
    const place = this.#places.meet(batch.strings.memcgs.get(text));
    this.#byText = reaching(this.#byText, text);
    this.#byText[text] = place + 1;
    return place;
  }

  /** Fails where one lives already, or none above. */
  #create(batch: EventBatch, i: number): RareOutcome {
    const settings = memcgSettings(argOf(batch, i), 'memcg_create', this.#file);
    const path = pathOf(batch, i);
    const known = this.#places.find(path);
    if (known !== undefined && this.#places.memcgAt(known) !== NO_MEMCG) return 'failed';
    const memcg =
      known === undefined ? this.#places.memcgAt(this.#places.meet(path)) : this.#places.revive(known);
    if (memcg === NO_MEMCG) return 'failed';
    this.#apply(memcg, settings);
    return 'ok';
  }

  /** Fails for the root, which has no limit, and where none lives. */
  #set(batch: EventBatch, i: number): RareOutcome {
    const settings = memcgSettings(argOf(batch, i), 'memcg_set', this.#file);
    const memcg = this.#places.memcgAt(this.#places.meet(pathOf(batch, i)));
    if (memcg === NO_MEMCG || memcg === ROOT_MEMCG) return 'failed';
    this.#apply(memcg, settings);
    return 'ok';
  }

  /** Where more is charged than a new limit allows, stocks are emptied; objects stay. */
  #apply(memcg: number, { max_pages, not_modelled }: MemcgSettings): void {
    if (not_modelled > 0) this.notes.add('memcg_settings', not_modelled);
    if (max_pages === undefined) return;
    const { charges } = this.#accounts!;
    const { memory } = charges.groups;
    memory.max_pages[memcg] = max_pages;
    if (memory.usage_pages[memcg]! > max_pages) drainStocksBelow(charges, memcg);
  }

  /** Ends the memory cgroup of a path, unless it is the root or one below it lives. */
  #end(path: string): 'ended' | 'refused' | 'gone' {
    const at = this.#places.find(path);
    if (at === undefined || !this.#places.mayEnd(at)) return 'refused';
    const memcg = this.#places.memcgAt(at);
    if (memcg === NO_MEMCG) return 'gone';
    this.#leave(memcg, this.#places.end(at));
    return 'ended';
  }

  /** Whoever is in a cgroup that ends is charged above it from now on. */
  #leave(memcg: number, parent: number): void {
    const { charges } = this.#accounts!;
    drainStocksBelow(charges, memcg);
    for (const current of [charges.task, charges.active, charges.interruptActive])
      for (let cpu = 0; cpu < charges.cpus; cpu++) if (current[cpu] === memcg) current[cpu] = parent;
  }

  #isActive(batch: EventBatch, i: number): boolean {
    const arg = batch.arg[i]!;
    if (arg === 0) return false;
    this.#actives = reaching(this.#actives, arg);
    if (this.#actives[arg] === 0) this.#actives[arg] = ACTIVE.test(argOf(batch, i)) ? 2 : 1;
    return this.#actives[arg] === 2;
  }

  serialize(io: StateIo): void {
    this.#accounts = io.optional('accounts', this.#accounts, () => this.#begin());
    io.part('places', this.#places);
    if (!io.isLoading) return;
    this.machine.slabs.charges = this.#accounts?.slab ?? null;
    this.#byText.fill(0);
    this.#actives.fill(0);
    const count = this.#accounts?.charges.groups.count ?? 1;
    if (this.#places.count !== count) io.refuse(`${this.#places.count} of ${count} memory cgroups`);
  }
}

/** An array that has an element of that number. */
function reaching(array: Uint32Array<ArrayBuffer>, number: number): Uint32Array<ArrayBuffer> {
  if (number < array.length) return array;
  const more = new Uint32Array(Math.max(number + 1, array.length * 2));
  more.set(array);
  return more;
}

function pathOf(batch: EventBatch, i: number): string {
  const text = batch.memcg[i]!;
  return text === 0 ? '/' : batch.strings.memcgs.get(text);
}

function argOf(batch: EventBatch, i: number): string {
  return batch.strings.args.get(batch.arg[i]!);
}
