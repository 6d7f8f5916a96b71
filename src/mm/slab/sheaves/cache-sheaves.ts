/**
 * The sheaves of one cache. A sheaf is a number; its objects are a span of one arena, the last one is handed out first.
 *
 *     main:   one per CPU, there until the cache goes
 *     spare:  at most one per CPU, empty or full unless an interruption came between
 *     barn:   by node, a list of full sheaves and one of empty ones; what was put there last is taken first
 *
 * Who changes a CPU's two has its local lock, who changes a barn has that barn's; a sheaf that is in none of these places
 * is in the hands of whoever took it out.
 * model: slub 8a.2, 8a.3
 */
import { arrays, numbers, type StateIo } from '../../state-io.js';
import { ObjectArray } from '../object-array.js';
import { NO_SLAB } from '../slab-table.js';

export const NO_SHEAF = -1;

export class CacheSheaves {
  readonly main: Int32Array;
  readonly spare: Int32Array;
  /** first sheaf of each node's lists, and how many they have */
  readonly fullHead: Int32Array;
  readonly emptyHead: Int32Array;
  readonly nr_full: Int32Array;
  readonly nr_empty: Int32Array;

  /** objects of each sheaf: `capacity` places, of which the first `size` count */
  readonly objects: ObjectArray;
  /** by sheaf */
  size: Int32Array;
  /** next sheaf of a barn's list */
  next: Int32Array;
  /** object that the sheaf itself is kept in; NO_SLAB for one that takes no memory of the model */
  homeSlab: Int32Array;
  homeSlot: Int32Array;

  /** sheaves that exist */
  count = 0;
  /** numbers from this on were never used */
  end = 0;
  /** numbers that can be used again, linked by `next` */
  freeHead = NO_SHEAF;

  constructor(
    readonly capacity: number,
    readonly cpus: number,
    nodes: number,
  ) {
    const first = 2 * cpus;
    this.main = new Int32Array(cpus).fill(NO_SHEAF);
    this.spare = new Int32Array(cpus).fill(NO_SHEAF);
    this.fullHead = new Int32Array(nodes).fill(NO_SHEAF);
    this.emptyHead = new Int32Array(nodes).fill(NO_SHEAF);
    this.nr_full = new Int32Array(nodes);
    this.nr_empty = new Int32Array(nodes);
    this.objects = new ObjectArray(first * capacity);
    this.size = new Int32Array(first);
    this.next = new Int32Array(first);
    this.homeSlab = new Int32Array(first);
    this.homeSlot = new Int32Array(first);
    for (let cpu = 0; cpu < cpus; cpu++) this.main[cpu] = this.create(NO_SLAB, 0);
  }

  serialize(io: StateIo): void {
    arrays<CacheSheaves>(io, this, ['main', 'spare', 'fullHead', 'emptyHead', 'nr_full', 'nr_empty']);
    numbers<CacheSheaves>(io, this, ['count', 'end', 'freeHead']);
    this.size = io.growing('size', this.size);
    this.next = io.growing('next', this.next);
    this.homeSlab = io.growing('homeSlab', this.homeSlab);
    this.homeSlot = io.growing('homeSlot', this.homeSlot);
    this.objects.slab = io.growing('slab', this.objects.slab);
    this.objects.slot = io.growing('slot', this.objects.slot);
    const { slab, slot } = this.objects;
    const sheaves = this.size.length;
    if (slab.length !== sheaves * this.capacity || slot.length !== slab.length)
      io.refuse(`${sheaves} sheaves with ${slab.length} places`);
  }

  /** A new empty sheaf. @param homeSlab slab of the object that it is kept in */
  create(homeSlab: number, homeSlot: number): number {
    let sheaf = this.freeHead;
    if (sheaf === NO_SHEAF) sheaf = this.#grow();
    else this.freeHead = this.next[sheaf]!;
    this.size[sheaf] = 0;
    this.next[sheaf] = NO_SHEAF;
    this.homeSlab[sheaf] = homeSlab;
    this.homeSlot[sheaf] = homeSlot;
    this.count++;
    return sheaf;
  }

  /** Forgets an empty sheaf that is in no place. */
  release(sheaf: number): void {
    this.next[sheaf] = this.freeHead;
    this.freeHead = sheaf;
    this.count--;
  }

  #grow(): number {
    const sheaf = this.end++;
    if (sheaf < this.size.length) return sheaf;
    const length = this.size.length * 2;
    this.size = longer(this.size, length);
    this.next = longer(this.next, length);
    this.homeSlab = longer(this.homeSlab, length);
    this.homeSlot = longer(this.homeSlot, length);
    this.objects.grow(length * this.capacity);
    return sheaf;
  }

  /** First place of a sheaf in `objects`. */
  base(sheaf: number): number {
    return sheaf * this.capacity;
  }

  isFull(sheaf: number): boolean {
    return this.size[sheaf]! >= this.capacity;
  }

  push(sheaf: number, slab: number, slot: number): void {
    const size = this.size[sheaf]!;
    this.objects.slab[this.base(sheaf) + size] = slab;
    this.objects.slot[this.base(sheaf) + size] = slot;
    this.size[sheaf] = size + 1;
  }

  swapMainAndSpare(cpu: number): void {
    const main = this.main[cpu]!;
    this.main[cpu] = this.spare[cpu]!;
    this.spare[cpu] = main;
  }

  putFull(node: number, sheaf: number): void {
    this.next[sheaf] = this.fullHead[node]!;
    this.fullHead[node] = sheaf;
    this.nr_full[node] = this.nr_full[node]! + 1;
  }

  putEmpty(node: number, sheaf: number): void {
    this.next[sheaf] = this.emptyHead[node]!;
    this.emptyHead[node] = sheaf;
    this.nr_empty[node] = this.nr_empty[node]! + 1;
  }

  /** Takes a full sheaf that is there. */
  takeFull(node: number): number {
    const sheaf = this.fullHead[node]!;
    this.fullHead[node] = this.next[sheaf]!;
    this.next[sheaf] = NO_SHEAF;
    this.nr_full[node] = this.nr_full[node]! - 1;
    return sheaf;
  }

  /** Takes an empty sheaf that is there. */
  takeEmpty(node: number): number {
    const sheaf = this.emptyHead[node]!;
    this.emptyHead[node] = this.next[sheaf]!;
    this.next[sheaf] = NO_SHEAF;
    this.nr_empty[node] = this.nr_empty[node]! - 1;
    return sheaf;
  }
}

function longer(array: Int32Array, length: number): Int32Array {
  const copy = new Int32Array(length);
  copy.set(array);
  return copy;
}
