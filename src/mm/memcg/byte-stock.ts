/**
 * The byte stock of each CPU: what is left of pages charged to one object cgroup. Whoever calls has its lock.
 * model: slub 5.5.3
 */
import { arrays, type StateIo } from '../state-io.js';
import { PAGE_BYTES } from '../types.js';
import { type MemCgroups, NO_OBJCG, ROOT_MEMCG } from './mem-cgroups.js';

export class ByteStock {
  /** object cgroup that each CPU's bytes belong to, or NO_OBJCG */
  readonly cached: Int32Array;
  readonly nr_bytes: Float64Array;

  constructor(
    readonly cpus: number,
    readonly groups: MemCgroups,
  ) {
    this.cached = new Int32Array(cpus);
    this.nr_bytes = new Float64Array(cpus);
  }

  consume(cpu: number, objcg: number, bytes: number): boolean {
    if (this.cached[cpu] !== objcg || this.nr_bytes[cpu]! < bytes) return false;
    this.nr_bytes[cpu] = this.nr_bytes[cpu]! - bytes;
    return true;
  }

  /**
   * Adds bytes. Those of another object cgroup give way, and what this one has left over elsewhere comes in.
   *
   * @param mayUncharge whole pages need not stay: a charge leaves them, for the next one may want them
   * @returns pages that do not stay
   */
  refill(cpu: number, objcg: number, bytes: number, mayUncharge: boolean): number {
    const { groups } = this;
    const isOther = this.cached[cpu] !== objcg;
    if (isOther) {
      this.drain(cpu);
      this.cached[cpu] = objcg;
      this.nr_bytes[cpu] = groups.charged_bytes[objcg]!;
      groups.charged_bytes[objcg] = 0;
    }
    const all = this.nr_bytes[cpu]! + bytes;
    if (!(mayUncharge || isOther) || all <= PAGE_BYTES) {
      this.nr_bytes[cpu] = all;
      return 0;
    }
    this.nr_bytes[cpu] = all % PAGE_BYTES;
    return Math.floor(all / PAGE_BYTES);
  }

  /** Empties a CPU's stock: whole pages go back to the counters, the rest to the object cgroup. */
  drain(cpu: number): void {
    const objcg = this.cached[cpu]!;
    if (objcg === NO_OBJCG) return;
    const { groups } = this;
    const bytes = this.nr_bytes[cpu]!;
    const memcg = groups.memcg[objcg]!;
    if (memcg !== ROOT_MEMCG) groups.memory.uncharge(memcg, Math.floor(bytes / PAGE_BYTES));
    groups.addChargedBytes(objcg, bytes % PAGE_BYTES);
    this.nr_bytes[cpu] = 0;
    this.cached[cpu] = NO_OBJCG;
  }

  /** Whether a CPU has bytes of a memory cgroup or of one below it. */
  has(cpu: number, memcg: number): boolean {
    const objcg = this.cached[cpu]!;
    return objcg !== NO_OBJCG && this.groups.memory.isBelow(this.groups.memcg[objcg]!, memcg);
  }

  serialize(io: StateIo): void {
    arrays<ByteStock>(io, this, ['cached', 'nr_bytes']);
  }
}
