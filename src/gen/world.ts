/**
 * What the actors of one workload share: how large the machine and the story are, the rows that they write, and chance.
 */
import { DEFAULT_LIMITS } from '../trace/limits.js';
import { createTraceStrings, type TraceStrings } from '../trace/string-table.js';
import { type ByteRequests, byteRequests } from './byte-requests.js';
import { pageRequests, type Requests } from './page-requests.js';
import { Prng } from './prng.js';
import { TraceRows } from './trace-rows.js';

/** Sizes of everything. */
export interface Scale {
  readonly seed: number;
  readonly memory_pages: number;
  readonly nodes: number;
  readonly cpus: number;
  /** length of the story; times inside it are parts of this, unless an option says otherwise */
  readonly duration_ns: number;
}

/** Somebody who asks for memory and gives it back. */
export interface Actor {
  /** when it wants to act next; infinite if never */
  due_ns: number;
  /** objects that it has at the same time, about, at most */
  readonly objects: number;
  /** Writes what it does at `due_ns`, at most STEP_EVENTS rows, and sets the next time. */
  step(): void;
}

/** Actors that act together until a time; what is due later is left undone. */
export interface Stage {
  readonly actors: readonly Actor[];
  readonly until_ns: number;
}

export class World {
  readonly strings: TraceStrings = createTraceStrings(DEFAULT_LIMITS, 'the generated trace');
  readonly rows: TraceRows;
  readonly requests: Requests;
  readonly byteRequests: ByteRequests;

  constructor(readonly scale: Scale) {
    this.rows = new TraceRows(this.strings, scale.seed);
    this.requests = pageRequests(this.strings.sites);
    this.byteRequests = byteRequests(this.strings.sites);
  }

  /** A stream of chance of its own. */
  prng(name: string): Prng {
    return new Prng(this.scale.seed, name);
  }

  /** A share of all memory, in pages. */
  pages(share: number): number {
    return Math.floor(this.scale.memory_pages * share);
  }

  /** A part of the story, in ns. */
  time(part: number): number {
    return Math.floor(this.scale.duration_ns * part);
  }

  /** Node to ask for where somebody is bound to the n-th of them; -1, the local one, where there is only one. */
  node(n: number): number {
    return this.scale.nodes === 1 ? -1 : n % this.scale.nodes;
  }
}
