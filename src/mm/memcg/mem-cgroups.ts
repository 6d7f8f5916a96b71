/**
 * Memory cgroups and their object cgroups. A memory cgroup is a number, that of its page counter; objects are charged to
 * an object cgroup, which stands for a memory cgroup and keeps the bytes of charged pages that no object uses.
 *
 * Going offline, which gives object cgroups to the parent, is not here.
 * model: slub 5.5
 */
import type { StateIo } from '../state-io.js';
import { NO_COUNTER, PAGE_COUNTER_MAX, PageCounters } from './page-counter.js';

/** Nothing is charged to it. */
export const ROOT_MEMCG = 0;
/** What belongs to the root is charged to none. */
export const NO_OBJCG = 0;

const FIRST_GROUPS = 16;

export class MemCgroups {
  readonly memory = new PageCounters();
  /** object cgroup of each memory cgroup */
  objcg = new Int32Array(FIRST_GROUPS);
  /** memory cgroup that each object cgroup stands for */
  memcg = new Int32Array(FIRST_GROUPS);
  /** left-over bytes of each object cgroup, in charged pages that no stock has */
  charged_bytes = new Float64Array(FIRST_GROUPS);
  nr_objcgs = 1;

  constructor() {
    this.memory.create(NO_COUNTER, PAGE_COUNTER_MAX);
  }

  /** @returns the new memory cgroup, which has an object cgroup of its own */
  create(parent: number = ROOT_MEMCG, max_pages: number = PAGE_COUNTER_MAX): number {
    const memcg = this.memory.create(parent, max_pages);
    const objcg = this.nr_objcgs++;
    if (Math.max(memcg, objcg) >= this.objcg.length) this.#grow();
    this.objcg[memcg] = objcg;
    this.memcg[objcg] = memcg;
    return memcg;
  }

  /** Memory cgroups, the root among them. */
  get count(): number {
    return this.memory.count;
  }

  /** Whether accounting has begun: with the first memory cgroup beside the root. model: slub 2.7 */
  get isOnline(): boolean {
    return this.memory.count > 1;
  }

  addChargedBytes(objcg: number, bytes: number): void {
    this.charged_bytes[objcg] = this.charged_bytes[objcg]! + bytes;
  }

  #grow(): void {
    const length = this.objcg.length * 2;
    const { objcg, memcg, charged_bytes } = this;
    this.objcg = new Int32Array(length);
    this.memcg = new Int32Array(length);
    this.charged_bytes = new Float64Array(length);
    this.objcg.set(objcg);
    this.memcg.set(memcg);
    this.charged_bytes.set(charged_bytes);
  }

  serialize(io: StateIo): void {
    io.part('memory', this.memory);
    this.nr_objcgs = io.number('nr_objcgs', this.nr_objcgs);
    this.objcg = io.growing('objcg', this.objcg);
    this.memcg = io.growing('memcg', this.memcg);
    this.charged_bytes = io.growing('charged_bytes', this.charged_bytes);
  }
}
