/** The slab side of a replay: the machine's slab allocator, the caches that the trace names, the objects that it holds. */
import { Context } from '../../mm/context.js';
import { waitsForLocks } from '../../mm/interruption/hazard.js';
import type { PageAllocator } from '../../mm/page-alloc/page-allocator.js';
import { validateSlabs } from '../../mm/slab/validate-slab.js';
import type { StateIo } from '../../mm/state-io.js';
import { ZONE_NAMES } from '../../mm/types.js';
import type { ResultSlab } from '../../report/slab/result-slab.js';
import type { SlabinfoCache } from '../../trace/recording/snapshot/slabinfo.js';
import { callOf } from '../interruption/op-calls.js';
import { StockLocks } from '../interruption/stock-locks.js';
import type { Notes } from '../notes.js';
import { buildSlabStart, type SlabStartSources } from '../start-state/slab-start.js';
import type { StartObjects } from '../start-state/start-objects.js';
import type { CacheDirectory } from './cache-directory.js';
import { hazardsOfCalls } from './call-hazards.js';
import { MemcgDirectory } from './memcg-directory.js';
import { NolockCalls } from './nolock-calls.js';
import { SlabObservations } from './observations.js';
import { resultMemcgs } from './result-memcgs.js';
import { putOffBy, resultSlab } from './result-slab.js';
import { SlabIrqs } from './slab-irqs.js';
import type { SlabMachine } from './slab-machine.js';
import { SlabOps } from './slab-ops.js';

export class SlabReplay {
  readonly machine: SlabMachine;
  readonly names: CacheDirectory;
  readonly start: StartObjects;
  readonly observations: SlabObservations;
  readonly nolock: NolockCalls;
  readonly irqs: SlabIrqs;
  readonly memcgs: MemcgDirectory;
  readonly ops: SlabOps;
  /** what was inferred of the state that it begins with */
  readonly notes: readonly string[];
  /** caches that the recording listed */
  readonly listed: readonly SlabinfoCache[];

  /** @param sources what a recording tells of the slabs that it begins with */
  constructor(mm: PageAllocator, notes: Notes, sources: SlabStartSources = NOTHING_RECORDED) {
    const start = buildSlabStart(mm, sources);
    this.machine = start.machine;
    this.names = start.names;
    this.start = start.objects;
    this.listed = sources.slabinfo ?? [];
    this.notes = sources === NOTHING_RECORDED ? [] : start.notes;
    const zones = mm.zones.map(({ node, index }) => ({ node, name: ZONE_NAMES[index]! }));
    this.observations = new SlabObservations(this.machine.slabs, zones);
    this.nolock = new NolockCalls(this.machine, this.observations);
    this.irqs = new SlabIrqs(this.machine.deferred);
    this.irqs.onRun = (now_ns) => this.noteBacklog(now_ns);
    const { file } = sources;
    this.memcgs = new MemcgDirectory(this.machine, notes, file === undefined ? {} : { file });
    this.ops = new SlabOps(start, this, notes);
  }

  serialize(io: StateIo): void {
    io.part('machine', this.machine);
    io.part('memcgs', this.memcgs);
    io.part('names', this.names);
    io.part('start', this.start);
    io.part('observations', this.observations);
    io.part('irqs', this.irqs);
    io.part('ops', this.ops);
  }

  /** Stocks of memory cgroups have locks that something may strike at; null: nobody listens any more. */
  listenToStocks(locks: StockLocks | null): void {
    const accounts = this.memcgs.accounts;
    if (accounts === null) return;
    if (locks === null) StockLocks.detach(accounts.charges);
    else locks.attach(accounts.charges);
    this.nolock.held.stocks = locks;
    this.nolock.held.refusals = accounts.charges.groups;
  }

  /** Counting begins: what is live stays. */
  beginCounting(ts_ns: number): void {
    this.observations.begin(ts_ns);
    this.memcgs.clearCounts();
  }

  /** A call that no NMI may make, though nothing says what that struck. model: slub 7.4 */
  noteNmiCall(op: number, cpu: number, ts_ns: number): void {
    const call = callOf(op);
    if (!waitsForLocks(call)) return;
    const { hazards } = this.observations;
    const wanted = `${call} in an NMI`;
    hazards.addInterruption(
      { kind: 'misuse', cpu, stack: [{ context: Context.nmi, call, locks: [] }], wanted },
      ts_ns,
    );
    hazards.countMore('misuse', 1);
  }

  /** What waits for irq_work, if that changed since the last time. */
  noteBacklog(ts_ns: number): void {
    const { waiting_objects, waiting_slabs, waiting_bytes } = this.machine.deferred;
    const { backlog } = this.observations;
    if (waiting_bytes === backlog.now_bytes && waiting_objects === backlog.now_objects) return;
    backlog.note(ts_ns, waiting_objects, waiting_slabs, waiting_bytes);
  }

  /** @throws InvariantError */
  validate(): void {
    validateSlabs(this.machine.slabs, { deferred: this.machine.deferred.waitingSlabs() });
    this.memcgs.validate();
  }

  /** @param ts_ns end of what is told */
  result(ts_ns: number): ResultSlab {
    const { machine, observations, irqs } = this;
    const { mm, slabs, deferred } = machine;
    observations.backlog.advance(ts_ns);
    observations.backlog.irq_works = irqs.runs;
    const zoneStacks = mm.zones
      .map(({ node, index, trylock_free_pages: stack }) => ({
        node,
        zone: ZONE_NAMES[index]!,
        pages: stack.stranded_pages,
        peak_pages: stack.peak_stranded_pages,
      }))
      .filter(({ peak_pages }) => peak_pages > 0);
    const putOff = putOffBy(deferred);
    const memcgs = resultMemcgs(this.memcgs);
    const result = resultSlab(slabs, observations, { putOff, zoneStacks, memcgs });
    return hazardsOfCalls(result, slabs.hazards);
  }
}

const NOTHING_RECORDED: SlabStartSources = { slabinfo: undefined, kpageflags: undefined, scan: undefined };
