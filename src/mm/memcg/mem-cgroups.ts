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
  /** requests that each memory cgroup was refused a charge for, because it or one above it is full */
  refused = new Float64Array(FIRST_GROUPS);

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

  noteRefused(memcg: number): void {
    this.refused[memcg] = this.refused[memcg]! + 1;
  }

  /** Peaks begin with what is charged, refusals with none. */
  clearCounts(): void {
    this.memory.peak_pages.set(this.memory.usage_pages);
    this.refused.fill(0);
  }

  #grow(): void {
    const length = this.objcg.length * 2;
    const { objcg, memcg, charged_bytes, refused } = this;
    this.objcg = new Int32Array(length);
    this.memcg = new Int32Array(length);
    this.charged_bytes = new Float64Array(length);
    this.refused = new Float64Array(length);
    this.objcg.set(objcg);
    this.memcg.set(memcg);
    this.charged_bytes.set(charged_bytes);
    this.refused.set(refused);
  }

  serialize(io: StateIo): void {
    io.part('memory', this.memory);
    this.nr_objcgs = io.number('nr_objcgs', this.nr_objcgs);
    this.objcg = io.growing('objcg', this.objcg);
    this.memcg = io.growing('memcg', this.memcg);
    this.charged_bytes = io.growing('charged_bytes', this.charged_bytes);
    this.refused = io.growing('refused', this.refused);
    if (io.isLoading) this.#checkLoaded(io);
  }

  #checkLoaded(io: StateIo): void {
    const columns = [this.objcg, this.memcg, this.charged_bytes, this.refused];
    if (columns.some(({ length }) => length < Math.max(this.count, this.nr_objcgs)))
      io.refuse('memory cgroups have no object cgroups');
    for (let at = 0; at < this.count; at++) {
      const objcg = this.objcg[at]!;
      if (objcg < 0 || objcg >= this.nr_objcgs) io.refuse(`there is no object cgroup ${objcg}`);
    }
    for (let at = 0; at < this.nr_objcgs; at++) this.checkMemcg(io, this.memcg[at]!);
  }

  /** While loading: refuses the number of a memory cgroup that is none. */
  checkMemcg(io: StateIo, memcg: number): void {
    if (memcg < 0 || memcg >= this.count) io.refuse(`there is no memory cgroup ${memcg}`);
  }
}
