/**
 * Doubly linked lists of slabs, head first, one per node: the partial lists and, in debug caches, the full lists. The
 * links are columns of the slab table, so a slab stands on one list at a time.
 * model: slub 0, 2.1
 */
import { arrays, type StateIo } from '../state-io.js';
import { NO_SLAB, type SlabTable } from './slab-table.js';

export class SlabList {
  /** by node */
  readonly head: Int32Array;
  readonly tail: Int32Array;

  constructor(
    readonly table: SlabTable,
    nodes: number,
  ) {
    this.head = new Int32Array(nodes).fill(NO_SLAB);
    this.tail = new Int32Array(nodes).fill(NO_SLAB);
  }

  serialize(io: StateIo): void {
    arrays<SlabList>(io, this, ['head', 'tail']);
  }

  addHead(node: number, slab: number): void {
    const { next, prev } = this.table;
    const first = this.head[node]!;
    next[slab] = first;
    prev[slab] = NO_SLAB;
    if (first === NO_SLAB) this.tail[node] = slab;
    else prev[first] = slab;
    this.head[node] = slab;
  }

  addTail(node: number, slab: number): void {
    const { next, prev } = this.table;
    const last = this.tail[node]!;
    prev[slab] = last;
    next[slab] = NO_SLAB;
    if (last === NO_SLAB) this.head[node] = slab;
    else next[last] = slab;
    this.tail[node] = slab;
  }

  remove(node: number, slab: number): void {
    const { next, prev } = this.table;
    const before = prev[slab]!;
    const after = next[slab]!;
    if (before === NO_SLAB) this.head[node] = after;
    else next[before] = after;
    if (after === NO_SLAB) this.tail[node] = before;
    else prev[after] = before;
    next[slab] = NO_SLAB;
    prev[slab] = NO_SLAB;
  }

  /** The slabs of one node's list, head first. */
  slabs(node: number): number[] {
    const found: number[] = [];
    for (let slab = this.head[node]!; slab !== NO_SLAB; slab = this.table.next[slab]!) found.push(slab);
    return found;
  }
}
