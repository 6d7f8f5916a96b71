/** One dump of all lists of a slab run, put together from its lines. */
import * as z from 'zod';
import { DumpProblem, shown } from './dump-checks.js';
import type { RunSlab } from './slab-run.js';
import { parsed, type SlabRunHeader } from './slab-run-lines.js';

const count = z.number().int().nonnegative();
const list = z.array(count);

const stateLine = z.object({ t: z.literal('state'), when: z.string().min(1).max(64), op: count });
const cacheLine = z.object({
  t: z.literal('cache'),
  cache: count,
  live: count,
  stats: z.record(z.string(), count),
});
const cpuLine = z.object({
  t: z.literal('cpu'),
  cache: count,
  cpu: count,
  slab: count.nullable(),
  freelist: list,
  tid: count,
  partial: list,
  partial_slabs: count,
});
const nodeLine = z.object({
  t: z.literal('node'),
  cache: count,
  node: count,
  nr_partial: count,
  nr_slabs: count,
  total_objects: count,
  partial: list,
  full: list,
});
const slabLine = z.object({
  t: z.literal('ss'),
  n: count,
  inuse: count,
  objects: count,
  frozen: count.max(1),
  np: count.max(1),
  fl: list,
});

export type StateCache = z.infer<typeof cacheLine>;
export type StateCpu = z.infer<typeof cpuLine>;
export type StateNode = z.infer<typeof nodeLine>;
export type StateSlab = z.infer<typeof slabLine>;

export interface SlabRunState {
  readonly t: 'state';
  readonly when: string;
  /** number of the operation it stands before */
  readonly op: number;
  readonly caches: readonly StateCache[];
  readonly cpus: readonly StateCpu[];
  readonly nodes: readonly StateNode[];
  readonly slabs: readonly StateSlab[];
}

export class SlabStateBuilder {
  readonly #when: string;
  readonly #op: number;
  readonly #caches: StateCache[] = [];
  readonly #cpus: StateCpu[] = [];
  readonly #nodes: StateNode[] = [];
  readonly #slabs: StateSlab[] = [];

  constructor(
    line: unknown,
    readonly known: ReadonlyMap<number, RunSlab>,
    readonly nr_caches: number,
    readonly header: Pick<SlabRunHeader, 'cpus' | 'nodes'>,
  ) {
    const { when, op } = parsed(stateLine, line, 'state');
    this.#when = when;
    this.#op = op;
  }

  /** The whole dump at its last line, undefined before. @throws DumpProblem */
  take(line: Readonly<Record<string, unknown>>): SlabRunState | undefined {
    switch (line.t) {
      case 'cache': {
        const cache = parsed(cacheLine, line, 'cache');
        this.#inRange(cache.cache, this.nr_caches, 'cache.cache');
        this.#caches.push(cache);
        return undefined;
      }
      case 'cpu': {
        const cpu = parsed(cpuLine, line, 'cpu');
        this.#inRange(cpu.cache, this.nr_caches, 'cpu.cache');
        this.#inRange(cpu.cpu, this.header.cpus, 'cpu.cpu');
        this.#known([...cpu.partial, ...(cpu.slab === null ? [] : [cpu.slab])], 'cpu');
        this.#cpus.push(cpu);
        return undefined;
      }
      case 'node': {
        const node = parsed(nodeLine, line, 'node');
        this.#inRange(node.cache, this.nr_caches, 'node.cache');
        this.#inRange(node.node, this.header.nodes, 'node.node');
        this.#known([...node.partial, ...node.full], 'node');
        this.#nodes.push(node);
        return undefined;
      }
      case 'ss': {
        const slab = parsed(slabLine, line, 'ss');
        this.#known([slab.n], 'ss.n');
        this.#slabs.push(slab);
        return undefined;
      }
      case 'endstate':
        return {
          t: 'state',
          when: this.#when,
          op: this.#op,
          caches: this.#caches,
          cpus: this.#cpus,
          nodes: this.#nodes,
          slabs: this.#slabs,
        };
      default:
        throw new DumpProblem('t', 'is not a line of a dump', shown(line.t));
    }
  }

  #inRange(value: number, end: number, what: string): void {
    if (value >= end) throw new DumpProblem(what, `is not below ${end}`, shown(value));
  }

  #known(slabs: readonly number[], what: string): void {
    for (const n of slabs)
      if (!this.known.has(n)) throw new DumpProblem(what, 'names a slab that is not there', shown(n));
  }
}
