/**
 * A request in the slow path: what it is, and what it has gone through so far.
 * model: page-allocator 4.9, 10a.4
 */
import {
  GFP_DIRECT_RECLAIM_BIT,
  GFP_NOFAIL_BIT,
  GFP_NORETRY_BIT,
  GFP_RETRY_MAYFAIL_BIT,
  GFP_THISNODE_BIT,
} from '../gfp.js';
import { CompactResult } from '../reclaim/compaction-suitable.js';
import { CompactPriority, compactionAllowed } from '../reclaim/direct-compact.js';
import { Migratetype, PAGE_ALLOC_COSTLY_ORDER, PAGEBLOCK_ORDER } from '../types.js';
import { getPageFromFreelist } from './freelist-walk.js';
import type { PageAllocator } from './page-allocator.js';
import { cmaFlag, reserveFlags, slowFlags } from './slow-flags.js';
import { ALLOC_KSWAPD, ALLOC_NOFRAGMENT } from './watermark.js';
import type { Zone } from './zone.js';

export class SlowRequest {
  flags: number;
  /** rounds so far, over the whole request */
  rounds = 0;
  /** cut short by slowpath.max_rounds */
  bounded = false;
  /** rounds in a row in which reclaim found nothing; costly requests count all */
  no_progress = 0;
  /** pages of the last reclaim, or 1 where the OOM killer did something */
  progress = 0;
  compact_priority: number = CompactPriority.syncLight;
  compact_result: CompactResult = CompactResult.skipped;
  compact_retries = 0;

  constructor(
    readonly mm: PageAllocator,
    readonly zones: readonly Zone[],
    readonly cpu: number,
    readonly gfp: number,
    readonly order: number,
    readonly migratetype: number,
    readonly highestZone: number,
  ) {
    this.flags = slowFlags(mm, gfp, order, migratetype);
  }

  get mayReclaim(): boolean {
    return (this.gfp & GFP_DIRECT_RECLAIM_BIT) !== 0;
  }

  get mayCompact(): boolean {
    return this.mayReclaim && compactionAllowed(this.mm, this.gfp);
  }

  /** Worth compacting before anything is reclaimed. */
  get compactsFirst(): boolean {
    return this.mayCompact && (this.costly || (this.order > 0 && this.migratetype !== Migratetype.movable));
  }

  get costly(): boolean {
    return this.order > PAGE_ALLOC_COSTLY_ORDER;
  }

  get noRetry(): boolean {
    return (this.gfp & GFP_NORETRY_BIT) !== 0;
  }

  get thisNode(): boolean {
    return (this.gfp & GFP_THISNODE_BIT) !== 0;
  }

  get retryMayFail(): boolean {
    return (this.gfp & GFP_RETRY_MAYFAIL_BIT) !== 0;
  }

  get noFail(): boolean {
    return (this.gfp & GFP_NOFAIL_BIT) !== 0;
  }

  /** Order that reclaim and compaction work for. In defrag_mode of 7.2 a block that must not be mixed. */
  get aim(): number {
    const { mm } = this;
    const wholeBlock =
      mm.rules.defrag_mode &&
      mm.policy['slowpath.loop'] === 'compact_first_round' &&
      this.flags & ALLOC_NOFRAGMENT &&
      this.migratetype !== Migratetype.movable;
    return wholeBlock ? Math.max(this.order, PAGEBLOCK_ORDER) : this.order;
  }

  /** One walk over the zonelist. @returns lowest PFN, or -1 */
  attempt(flags: number = this.flags): number {
    const { mm, zones, cpu, gfp, order, migratetype, highestZone } = this;
    return getPageFromFreelist(mm, zones, cpu, gfp, order, migratetype, highestZone, flags);
  }

  /** Takes the reserves that mask or task give. Every other licence but the kswapd wake is lost then. */
  enterReserves(): boolean {
    const reserves = reserveFlags(this.mm, this.gfp);
    if (reserves === 0) return false;
    this.mm.requestTracer?.step('reserves', reserves);
    this.flags = cmaFlag(this.mm, this.migratetype) | reserves | (this.flags & ALLOC_KSWAPD);
    return true;
  }

  /**
   * In defrag_mode, and with superpageblocks, the last thing to give up before failing or killing is the purity of
   * blocks. model: spb 3.7
   */
  dropNoFragment(): boolean {
    if (!this.mm.rules.holds_out || (this.flags & ALLOC_NOFRAGMENT) === 0) return false;
    this.flags &= ~ALLOC_NOFRAGMENT;
    this.mm.requestTracer?.step('drop_nofragment', this.rounds);
    if (this.mm.spb !== null) this.mm.spb.stats.nofragment_dropped++;
    return true;
  }

  /** It has held out long enough: reclaim frees pages that it may not use. model: spb 3.7, 7 */
  get heldOutEnough(): boolean {
    const { spb, policy } = this.mm;
    if (spb === null || (this.flags & ALLOC_NOFRAGMENT) === 0) return false;
    spb.stats.reclaim_rounds++;
    // A movable request taints nothing: there is no use in its holding out.
    if (this.migratetype === Migratetype.movable) return true;
    // Before the model cuts the request short it has to have had its last chance.
    return this.rounds >= Math.min(policy['spb.taint_deadline_rounds'], policy['slowpath.max_rounds'] - 1);
  }

  /** Counts a round. False where the policy says that the kernel would go on forever. */
  nextRound(): boolean {
    if (this.rounds++ < this.mm.policy['slowpath.max_rounds']) {
      this.mm.requestTracer?.step('round', this.rounds);
      return true;
    }
    if (!this.bounded) this.mm.events.spbsim_slowpath_bounded++;
    this.bounded = true;
    return false;
  }
}
