/**
 * What charging shares on one machine: the cgroups, the stocks of each CPU with their locks, whom a CPU's requests are
 * charged to, and who is asked to reclaim. The charges themselves are in try-charge.ts.
 * model: slub 5.5
 */
import { Context } from '../context.js';
import { arrays, type StateIo } from '../state-io.js';
import { ByteStock } from './byte-stock.js';
import { MemCgroups, NO_OBJCG, ROOT_MEMCG } from './mem-cgroups.js';
import { PageStock } from './page-stock.js';

/** Locks of the stocks, one of each per CPU. They are only ever tried. */
export const MemcgLock = { memcg_stock: 0, obj_stock: 1 } as const;
export type MemcgLock = (typeof MemcgLock)[keyof typeof MemcgLock];

/** What the code that a request interrupted has locked on the CPU of the request. */
export interface InterruptedMemcgLocks {
  holds(lock: MemcgLock, cpu: number): boolean;
}

/** Told of every stock lock that is taken and let go: interruptions may strike there. */
export interface MemcgLockListener {
  enter(lock: MemcgLock, cpu: number): void;
  leave(lock: MemcgLock, cpu: number): void;
}

/** Makes room below a limit that a charge met. */
export interface MemcgReclaim {
  /** @param memcg whose limit it is, the charged one or one above it @returns pages that it got back */
  reclaim(memcg: number, pages: number, gfp: number, cpu: number): number;
}

export class MemcgCharges {
  readonly groups = new MemCgroups();
  readonly pages: PageStock;
  readonly bytes: ByteStock;
  /** memory cgroup of the task on each CPU */
  readonly task: Int32Array;
  /** charged in place of it, if it is not the root */
  readonly active: Int32Array;
  /** charged for what interrupts the task of a CPU; the root: nobody is */
  readonly interruptActive: Int32Array;
  interrupted: InterruptedMemcgLocks | null = null;
  locks: MemcgLockListener | null = null;
  /** null: charges that meet a limit are refused at once */
  reclaim: MemcgReclaim | null = null;
  /** slot of a page stock that gives way; the kernel draws lots. model: slub 5.5.2 */
  victimSlot: () => number = () => 0;

  constructor(readonly cpus: number) {
    this.pages = new PageStock(cpus, this.groups.memory);
    this.bytes = new ByteStock(cpus, this.groups);
    this.task = new Int32Array(cpus);
    this.active = new Int32Array(cpus);
    this.interruptActive = new Int32Array(cpus);
  }

  /** Object cgroup that a request is charged to; NO_OBJCG for none. model: slub 5.5.1 */
  objcgOf(cpu: number, context: Context): number {
    if (context !== Context.task) return this.#objcg(this.interruptActive[cpu]!);
    const active = this.active[cpu]!;
    return this.#objcg(active === ROOT_MEMCG ? this.task[cpu]! : active);
  }

  #objcg(memcg: number): number {
    return memcg === ROOT_MEMCG ? NO_OBJCG : this.groups.objcg[memcg]!;
  }

  /** Takes a lock of this CPU's stocks if it is free. */
  tryLock(lock: MemcgLock, cpu: number): boolean {
    if (this.interrupted?.holds(lock, cpu) === true) return false;
    if (this.locks !== null) this.locks.enter(lock, cpu);
    return true;
  }

  unlock(lock: MemcgLock, cpu: number): void {
    if (this.locks !== null) this.locks.leave(lock, cpu);
  }

  serialize(io: StateIo): void {
    io.part('groups', this.groups);
    io.part('pages', this.pages);
    io.part('bytes', this.bytes);
    arrays<MemcgCharges>(io, this, ['task', 'active', 'interruptActive']);
    if (!io.isLoading) return;
    const { groups, pages, bytes, task, active, interruptActive } = this;
    for (const named of [pages.cached, task, active, interruptActive])
      for (const memcg of named) groups.checkMemcg(io, memcg);
    for (const objcg of bytes.cached)
      if (objcg < 0 || objcg >= groups.nr_objcgs) io.refuse(`there is no object cgroup ${objcg}`);
  }
}
