/**
 * What the superpageblock mechanisms of one machine share: rules, counters, the tracer and the background of each node.
 * model: spb 2, 4
 */
import type { Zone } from '../page-alloc/zone.js';
import { flags, numbers, type StateIo } from '../state-io.js';
import type { HeadPool } from './head-pool.js';
import type { SpbNodeWork } from './node-work.js';
import { PASSES, type Pass } from './pass-table.js';
import type { SpbRules } from './spb-rules.js';
import { SpbStats } from './spb-stats.js';
import type { SpbTracer } from './spb-tracer.js';

/** A superpageblock that is being emptied: nothing may be moved into it. */
export interface SpbSource {
  readonly zone: Zone;
  readonly spb: number;
}

export class SpbSystem {
  stats = new SpbStats();
  tracer: SpbTracer | null = null;
  /** what an evacuation empties right now */
  source: SpbSource | null = null;
  /** Pass 1 if it served the last search and the next one of the same refill may end there; these are owned by passes */
  lastPass: Pass | null = null;
  /** the superpageblock joined another list when it served the search */
  lastMoved = false;
  lastVisited = 0;
  /** free lists that the last search read in superpageblocks before the one that served it */
  lastProbes = 0;
  /** the sum of probes when a walk came to the superpageblock that it is at; owned by walk */
  probesBefore = 0;
  /** by node; null where it could not be set up, or has not been */
  readonly nodes: (SpbNodeWork | null)[];

  constructor(
    readonly rules: SpbRules,
    readonly heads: HeadPool,
    nr_nodes: number,
  ) {
    this.nodes = new Array<SpbNodeWork | null>(nr_nodes).fill(null);
  }

  /** What is shared; the background of each node is made with it. No evacuation is under way between two events. */
  serialize(io: StateIo): void {
    io.part('stats', this.stats);
    io.part('heads', this.heads);
    const last = this.lastPass === null ? -1 : PASSES.indexOf(this.lastPass);
    this.lastPass = PASSES[io.whole('last_pass', last, -1, PASSES.length - 1)] ?? null;
    flags<SpbSystem>(io, this, ['lastMoved']);
    numbers<SpbSystem>(io, this, ['lastVisited', 'lastProbes', 'probesBefore']);
  }

  /** Whether an evacuation is emptying this superpageblock right now: nothing may be moved into it. */
  isSource(zone: Zone, spb: number): boolean {
    return this.source !== null && this.source.spb === spb && this.source.zone === zone;
  }

  workOf(zone: Zone): SpbNodeWork | null {
    return this.nodes[zone.node]!;
  }

  setTracer(tracer: SpbTracer | null, zones: readonly Zone[]): void {
    this.tracer = tracer;
    for (const zone of zones) if (zone.spb !== null) zone.spb.tracer = tracer;
  }
}
