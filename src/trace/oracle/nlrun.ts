/**
 * Scripted runs of kmalloc_nolock() and kfree_nolock() among kmalloc() and kfree(), on the kmalloc caches of a real kernel:
 * each call with the locks held below it, its slab and slot, counters, what waits for the deferred work, and, in
 * accounted runs, where the charges stand.
 *
 * Others use these caches, too: the first dump tells which slots are free, all others belong to somebody.
 */
import type { ByteInput } from '../bytes/open-input.js';
import { DumpProblem, shown } from './dump-checks.js';
import { readDumpLines } from './dump-lines.js';
import {
  chargeLine,
  deferredLine,
  type NlrunCall,
  type NlrunCharge,
  type NlrunHeader,
  nlrunHeaderLine,
  nlrunSlabLine,
  parseNlrunCall,
} from './nlrun-lines.js';
import type { RunSlab, SlabRunPageSnap } from './slab-run.js';
import { geometryLine, goneLine, pagesnapLine, parsed, type SlabRunGeometry } from './slab-run-lines.js';
import { type SlabRunState, SlabStateBuilder } from './slab-state.js';

export interface NlrunSlab extends RunSlab {
  /** whether it has a vector of charges */
  readonly ext: 0 | 1;
}

export interface NlrunOp {
  readonly t: 'op';
  readonly op: number;
  readonly call: NlrunCall;
  readonly made: readonly NlrunSlab[];
  /** slabs whose pages went back */
  readonly gone: readonly number[];
  readonly charge: NlrunCharge | undefined;
}

/** A dump, with the slabs that it names for the first time. */
export interface NlrunState {
  readonly t: 'state';
  readonly state: SlabRunState;
  readonly found: readonly NlrunSlab[];
}

/** Objects that wait for the deferred work, newest first: cache, slab and slot. A cache of -1 is a vector. */
export interface NlrunDeferred {
  readonly t: 'deferred';
  readonly objects: readonly (readonly [cache: number, slab: number, slot: number])[];
  readonly slabs: number;
}

export type NlrunItem =
  | NlrunHeader
  | SlabRunGeometry
  | NlrunOp
  | NlrunState
  | NlrunDeferred
  | SlabRunPageSnap;

const MAX_CACHES = 256;

interface OpenOp {
  readonly op: number;
  readonly made: NlrunSlab[];
  readonly gone: number[];
  call: NlrunCall | undefined;
  charge: NlrunCharge | undefined;
}

/** Puts the lines together and holds them to each other. */
export class NlrunReader {
  #header: NlrunHeader | undefined;
  #caches = 0;
  readonly #slabs = new Map<number, NlrunSlab>();
  readonly #live = new Set<number>();
  #open: OpenOp | undefined;
  #state: SlabStateBuilder | undefined;
  #found: NlrunSlab[] = [];

  /** @returns what the line finished, in order @throws DumpProblem */
  take(value: unknown): NlrunItem[] {
    if (Array.isArray(value)) return this.#call(value);
    if (value === null || typeof value !== 'object')
      throw new DumpProblem('line', 'is neither operation nor object');
    const line = value as Readonly<Record<string, unknown>>;
    if (line.t === 'run') {
      if (this.#header !== undefined) throw new DumpProblem('run', 'stands twice');
      this.#header = parsed(nlrunHeaderLine, line, 'run');
      return [this.#header];
    }
    if (this.#state !== undefined) return this.#stateLine(this.#state, line);
    switch (line.t) {
      case 'geometry':
        return [this.#geometry(line)];
      case 'slab': {
        const { op, slab } = this.#slab(line);
        return this.#grouped(op, (open) => open.made.push(slab));
      }
      case 'gone': {
        const { op, n } = parsed(goneLine, line, 'gone');
        return this.#grouped(op, (open) => open.gone.push(n));
      }
      case 'mc': {
        const charge = parsed(chargeLine, line, 'mc');
        return this.#grouped(charge.op, (open) => {
          open.charge = charge;
        });
      }
      case 'deferred':
        return [...this.#endOp(), parsed(deferredLine, line, 'deferred')];
      case 'pagesnap':
        return [...this.#endOp(), parsed(pagesnapLine, line, 'pagesnap')];
      case 'state':
        this.#state = new SlabStateBuilder(line, this.#slabs, this.#caches, this.#needHeader());
        return this.#endOp();
      case 'endrun':
        return this.#endOp();
      default:
        throw new DumpProblem('t', 'is not a line of such a run', shown(line.t));
    }
  }

  /** What is left at the end of the file. @throws DumpProblem when that cuts a dump */
  end(): NlrunItem[] {
    if (this.#state !== undefined) throw new DumpProblem('state', 'has no end');
    return this.#endOp();
  }

  #needHeader(): NlrunHeader {
    if (this.#header === undefined)
      throw new DumpProblem('run', 'is missing: the first line is {"t":"run",…}');
    return this.#header;
  }

  #geometry(line: unknown): SlabRunGeometry {
    const geometry = parsed(geometryLine, line, 'geometry');
    this.#needHeader();
    if (geometry.cache !== this.#caches || geometry.cache >= MAX_CACHES)
      throw new DumpProblem(
        'geometry.cache',
        `is not the next cache, ${this.#caches}, of at most ${MAX_CACHES}`,
        shown(geometry.cache),
      );
    this.#caches++;
    return geometry;
  }

  #slab(line: unknown): { op: number; slab: NlrunSlab } {
    const { op, t: _, ...slab } = parsed(nlrunSlabLine, line, 'slab');
    if (this.#slabs.has(slab.n)) throw new DumpProblem('slab.n', 'was made before', shown(slab.n));
    if (slab.cache >= this.#caches) throw new DumpProblem('slab.cache', 'has no geometry', shown(slab.cache));
    if (slab.node !== 0) throw new DumpProblem('slab.node', "is not the run's node, 0", shown(slab.node));
    this.#slabs.set(slab.n, slab);
    return { op, slab };
  }

  #stateLine(builder: SlabStateBuilder, line: Readonly<Record<string, unknown>>): NlrunItem[] {
    if (line.t === 'slab') {
      this.#found.push(this.#slab(line).slab);
      return [];
    }
    const state = builder.take(line);
    if (state === undefined) return [];
    const found = this.#found;
    this.#state = undefined;
    this.#found = [];
    return [{ t: 'state', state, found }];
  }

  #call(line: readonly unknown[]): NlrunItem[] {
    if (this.#state !== undefined) throw new DumpProblem('operation', 'stands inside a dump');
    const { op, call } = parseNlrunCall(line, this.#needHeader(), this.#caches);
    return this.#grouped(op, (open) => {
      if (open.call !== undefined)
        throw new DumpProblem('operation', 'has the number of the one before', shown(op));
      open.call = call;
    });
  }

  #grouped(op: number, add: (open: OpenOp) => void): NlrunItem[] {
    const done = this.#open !== undefined && this.#open.op !== op ? this.#endOp() : [];
    this.#open ??= { op, made: [], gone: [], call: undefined, charge: undefined };
    add(this.#open);
    return done;
  }

  #endOp(): NlrunItem[] {
    const open = this.#open;
    if (open === undefined) return [];
    this.#open = undefined;
    const { op, call, made, gone, charge } = open;
    if (call === undefined)
      throw new DumpProblem('op', 'is the number of no operation that stands beside', shown(op));
    this.#follow(call);
    for (const n of gone)
      if (!this.#slabs.delete(n)) throw new DumpProblem('gone.n', 'is no slab that is there', shown(n));
    return [{ t: 'op', op, call, made, gone, charge }];
  }

  /** Keeps track of what is handed out. */
  #follow({ kind, cache, got, slab: n, slot }: NlrunCall): void {
    if (n < 0) return;
    const frees = kind === 'kfree' || kind === 'kfree_nolock';
    const of = frees ? cache : got;
    const slab = this.#slabs.get(n);
    if (slab === undefined || slab.cache !== of)
      throw new DumpProblem('slab', `is none of cache ${of}`, shown(n));
    if (slot >= slab.objects) throw new DumpProblem('slot', `is not one of slab ${n}`, shown(slot));
    const key = n * 0x1_0000 + slot;
    if (frees && !this.#live.delete(key))
      throw new DumpProblem('slot', `of slab ${n} is freed but was not out`, shown(slot));
    if (!frees && this.#live.has(key))
      throw new DumpProblem('slot', `of slab ${n} is handed out twice`, shown(slot));
    if (!frees) this.#live.add(key);
  }
}

/**
 * The items of such a run in the order of the file, each operation as one.
 *
 * @throws InputError  with the line, for anything that is not what the format says
 */
export async function* readNlrun(input: ByteInput): AsyncGenerator<NlrunItem> {
  yield* readDumpLines(input, new NlrunReader());
}
