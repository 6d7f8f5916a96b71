/**
 * Scripted slab runs on a real kernel: each operation on private caches with the slab and slot that it concerned and the
 * counters that it moved, and complete dumps of all lists in between.
 *
 * One JSON value per line. What belongs to one operation stands on several lines, in no fixed order; here it comes
 * together.
 */
import type { ByteInput } from '../bytes/open-input.js';
import { DumpProblem, shown } from './dump-checks.js';
import { readDumpLines } from './dump-lines.js';
import {
  geometryLine,
  goneLine,
  headerLine,
  orderLine,
  pagefreeLine,
  pagesnapLine,
  parsed,
  parseOperation,
  type SlabRunGeometry,
  type SlabRunHeader,
  slabLine,
} from './slab-run-lines.js';
import { type SlabRunState, SlabStateBuilder } from './slab-state.js';

/** A slab that an operation made. */
export interface RunSlab {
  readonly n: number;
  readonly cache: number;
  readonly pfn: number;
  readonly order: number;
  readonly objects: number;
  readonly node: number;
}

export type SlabOpKind = 'alloc' | 'bulk_alloc' | 'free' | 'bulk_free' | 'flush' | 'shrink';

/** One call of the slab allocator. */
export interface SlabRunCall {
  readonly kind: SlabOpKind;
  /** T task, H hardirq */
  readonly context: string;
  readonly cpu: number;
  readonly cache: number;
  /** index into the header's requests; allocations only */
  readonly gfp: number;
  /** wanted node, -1 for none */
  readonly node: number;
  /** objects asked for by a bulk allocation */
  readonly wanted: number;
  /** slab and slot of each object, in turns; empty for an allocation that failed */
  readonly places: readonly number[];
  /** counters that moved: index into the header's names, and by how much */
  readonly stats: readonly (readonly [index: number, delta: number])[];
}

/** One operation: a call, or a shrink with the flush of each CPU before it. */
export interface SlabRunOp {
  readonly t: 'op';
  readonly op: number;
  readonly calls: readonly SlabRunCall[];
  readonly made: readonly RunSlab[];
  /** slabs whose pages went back */
  readonly gone: readonly number[];
  /** nodes' partial lists after a shrink */
  readonly lists: readonly (readonly number[])[] | undefined;
}

/** Single pages of the fragmented memory, given back one by one. */
export interface SlabRunPageFree {
  readonly t: 'pagefree';
  readonly op: number;
  /** of the holes that this makes */
  readonly order: number;
  readonly pfns: readonly number[];
}

/** The page allocator's lists were dumped here, into the file beside this one. */
export interface SlabRunPageSnap {
  readonly t: 'pagesnap';
  readonly op: number;
  readonly name: string;
}

export type SlabRunItem =
  | SlabRunHeader
  | SlabRunGeometry
  | SlabRunOp
  | SlabRunState
  | SlabRunPageFree
  | SlabRunPageSnap;

/** Caches times CPUs: each has lists and counters of its own. */
const MAX_CPU_STATES = 2 ** 16;

/** An operation of which some lines are still to come. */
interface OpenGroup {
  readonly op: number;
  readonly made: RunSlab[];
  readonly gone: number[];
  lists: readonly (readonly number[])[] | undefined;
  readonly calls: SlabRunCall[];
}

/** Puts the lines together and holds them to each other: who frees what is not out, names a slab that nobody made. */
export class SlabRunReader {
  #header: SlabRunHeader | undefined;
  #caches = 0;
  readonly #slabs = new Map<number, RunSlab>();
  readonly #live = new Set<number>();
  #group: OpenGroup | undefined;
  #state: SlabStateBuilder | undefined;

  /** @returns what the line finished, in order @throws DumpProblem */
  take(value: unknown): SlabRunItem[] {
    if (Array.isArray(value)) return this.#operation(value);
    if (value === null || typeof value !== 'object')
      throw new DumpProblem('line', 'is neither operation nor object');
    const line = value as Readonly<Record<string, unknown>>;
    if (line.t === 'run') {
      if (this.#header !== undefined) throw new DumpProblem('run', 'stands twice');
      this.#header = parsed(headerLine, line, 'run');
      return [this.#header];
    }
    if (this.#state !== undefined) return this.#stateLine(this.#state, line);
    switch (line.t) {
      case 'geometry':
        return [this.#geometry(line)];
      case 'slab': {
        const { op, t: _, ...slab } = parsed(slabLine, line, 'slab');
        this.#checkSlab(slab);
        this.#slabs.set(slab.n, slab);
        return this.#grouped(op, (group) => group.made.push(slab));
      }
      case 'gone': {
        const { op, n } = parsed(goneLine, line, 'gone');
        return this.#grouped(op, (group) => group.gone.push(n));
      }
      case 'order': {
        const { op, nodes } = parsed(orderLine, line, 'order');
        return this.#grouped(op, (group) => {
          group.lists = nodes;
        });
      }
      case 'pagefree':
        return [...this.#endGroup(), parsed(pagefreeLine, line, 'pagefree')];
      case 'pagesnap':
        return [...this.#endGroup(), parsed(pagesnapLine, line, 'pagesnap')];
      case 'state':
        this.#state = new SlabStateBuilder(line, this.#slabs, this.#caches, this.#needHeader());
        return this.#endGroup();
      case 'endrun':
        return this.#endGroup();
      default:
        throw new DumpProblem('t', 'is not a line of a slab run', shown(line.t));
    }
  }

  /** What is left at the end of the file. @throws DumpProblem when that cuts a dump */
  end(): SlabRunItem[] {
    if (this.#state !== undefined) throw new DumpProblem('state', 'has no end');
    return this.#endGroup();
  }

  #needHeader(): SlabRunHeader {
    if (this.#header === undefined)
      throw new DumpProblem('run', 'is missing: the first line is {"t":"run",…}');
    return this.#header;
  }

  #stateLine(builder: SlabStateBuilder, line: Readonly<Record<string, unknown>>): SlabRunItem[] {
    const state = builder.take(line);
    if (state === undefined) return [];
    this.#state = undefined;
    return [state];
  }

  #geometry(line: unknown): SlabRunGeometry {
    const geometry = parsed(geometryLine, line, 'geometry');
    if (geometry.cache !== this.#caches)
      throw new DumpProblem(
        'geometry.cache',
        `is not the next cache, ${this.#caches}`,
        shown(geometry.cache),
      );
    this.#caches++;
    const { cpus } = this.#needHeader();
    if (this.#caches * cpus > MAX_CPU_STATES)
      throw new DumpProblem('geometry.cache', `is one of too many for ${cpus} CPUs`, shown(geometry.cache));
    return geometry;
  }

  #checkSlab(slab: RunSlab): void {
    if (this.#slabs.has(slab.n)) throw new DumpProblem('slab.n', 'was made before', shown(slab.n));
    if (slab.cache >= this.#caches) throw new DumpProblem('slab.cache', 'has no geometry', shown(slab.cache));
    if (slab.node >= this.#needHeader().nodes)
      throw new DumpProblem('slab.node', "is not one of the run's nodes", shown(slab.node));
  }

  #operation(line: readonly unknown[]): SlabRunItem[] {
    if (this.#state !== undefined) throw new DumpProblem('operation', 'stands inside a dump');
    const { op, call } = parseOperation(line, this.#needHeader(), this.#caches);
    return this.#grouped(op, (group) => {
      const first = group.calls[0];
      if (first !== undefined && (first.kind !== 'flush' || first.cache !== call.cache))
        throw new DumpProblem('operation', 'has the number of the one before', shown(op));
      group.calls.push(call);
    });
  }

  #grouped(op: number, add: (group: OpenGroup) => void): SlabRunItem[] {
    const done = this.#group !== undefined && this.#group.op !== op ? this.#endGroup() : [];
    this.#group ??= { op, made: [], gone: [], lists: undefined, calls: [] };
    add(this.#group);
    return done;
  }

  #endGroup(): SlabRunItem[] {
    const group = this.#group;
    if (group === undefined) return [];
    this.#group = undefined;
    const { op, calls, made, gone, lists } = group;
    if (calls.length === 0)
      throw new DumpProblem('op', 'is the number of no operation that stands beside', shown(op));
    for (const call of calls) this.#follow(call);
    for (const n of gone)
      if (!this.#slabs.delete(n)) throw new DumpProblem('gone.n', 'is no slab that is there', shown(n));
    return [{ t: 'op', op, calls, made, gone, lists }];
  }

  /** Keeps track of what is handed out. */
  #follow({ kind, places, cache }: SlabRunCall): void {
    const gives = kind === 'free' || kind === 'bulk_free';
    for (let i = 0; i < places.length; i += 2) {
      const n = places[i]!;
      const slot = places[i + 1]!;
      const slab = this.#slabs.get(n);
      if (slab === undefined || slab.cache !== cache)
        throw new DumpProblem('slab', `is none of cache ${cache}`, shown(n));
      if (slot >= slab.objects) throw new DumpProblem('slot', `is not one of slab ${n}`, shown(slot));
      const key = n * 0x1_0000 + slot;
      if (gives && !this.#live.delete(key))
        throw new DumpProblem('slot', `of slab ${n} is freed but was not out`, shown(slot));
      if (!gives && this.#live.has(key))
        throw new DumpProblem('slot', `of slab ${n} is handed out twice`, shown(slot));
      if (!gives) this.#live.add(key);
    }
  }
}

/**
 * The items of a slab run in the order of the file, each operation as one.
 *
 * @throws InputError  with the line, for anything that is not what the format says
 */
export async function* readSlabRun(input: ByteInput): AsyncGenerator<SlabRunItem> {
  yield* readDumpLines(input, new SlabRunReader());
}
