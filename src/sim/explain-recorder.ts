/**
 * Listens to the model while it handles one event, and keeps what it hears as the steps of an explanation.
 *
 * What reclaim, compaction and evacuation do inside is left out: their result is the step. Listening turns the model's
 * shortcuts off and changes no decision.
 * model: page-allocator 4; spb 3, 6.2
 */
import type { ContigOutcome } from '../mm/page-alloc/contig-alloc.js';
import type { PageAllocator, PageAllocTracer } from '../mm/page-alloc/page-allocator.js';
import { isPcp, PageKind } from '../mm/page-alloc/page-map.js';
import type { PfnDeque } from '../mm/page-alloc/pfn-deque.js';
import type {
  RequestStep,
  RequestTracer,
  RequestWork,
  SearchStage,
} from '../mm/page-alloc/request-tracer.js';
import {
  ALLOC_NO_WATERMARKS,
  ALLOC_RESERVES,
  boostedMark,
  markForReserves,
  unusableFree,
} from '../mm/page-alloc/watermark.js';
import type { Zone } from '../mm/page-alloc/zone.js';
import type { SpbTracer } from '../mm/spb/spb-tracer.js';
import { OUTCOME_NAMES, RELAX_NAMES, SUPERPAGEBLOCK_ORDER } from '../mm/spb/spb-types.js';
import { PAGEBLOCK_ORDER } from '../mm/types.js';
import type { ExplainChanges, ExplainStep, ExplainStepOf } from '../report/explain-document.js';
import { compactResultName, flagNames, MARK_NAMES, markName, typeName, zoneName } from './explain-names.js';
import { foldSearch, OpenSearch } from './explain-searches.js';

export class ExplainRecorder implements PageAllocTracer, SpbTracer, RequestTracer {
  readonly steps: ExplainStep[] = [];
  readonly contents: ExplainChanges['contents'] = [];
  /** page that a zone gave last */
  taken_pfn = -1;
  /** of a request for a whole range */
  asked_pages = 0;
  /** pages that were freed for the event itself */
  freed_pages = 0;
  #order = 0;
  #migratetype = 0;
  #path: 'fast' | 'slow' = 'fast';
  #search: OpenSearch | null = null;
  /** the chunk before the last one of a row */
  #chunkBefore = -1;
  /** the list that is being refilled */
  #list: PfnDeque | null = null;
  #refill: ExplainStepOf<'refill'> | null = null;
  /** pages moved when each piece of work began that is under way; what it does inside is not told */
  readonly #works: number[] = [];

  /** @param isWhole a whole range is allocated or freed: its single pages are not told */
  constructor(
    readonly mm: PageAllocator,
    readonly isWhole: boolean,
  ) {}

  attach(): void {
    const { mm } = this;
    mm.tracer = this;
    mm.requestTracer = this;
    mm.spb?.setTracer(this, mm.zones);
  }

  detach(): void {
    const { mm } = this;
    mm.tracer = null;
    mm.requestTracer = null;
    mm.spb?.setTracer(null, mm.zones);
    this.#close();
    for (const step of this.steps) if (step.step === 'free') this.#locate(step);
  }

  get #muted(): boolean {
    return this.isWhole || this.#works.length > 0;
  }

  #add(step: ExplainStep): void {
    this.#close();
    this.steps.push(step);
  }

  // ---- the walk

  walk(_zones: readonly Zone[], order: number, migratetype: number, flags: number): void {
    if (this.#muted) return;
    this.#order = order;
    this.#migratetype = migratetype;
    this.#add({ step: 'walk', path: this.#path, mark: markName(flags), flags: flagNames(flags) });
  }

  zonePassedOver(zone: Zone, why: ExplainStepOf<'zone_skipped'>['why']): void {
    if (!this.#muted) this.#add({ step: 'zone_skipped', zone: zoneName(zone), why });
  }

  zoneMark(
    zone: Zone,
    order: number,
    mark: number,
    highestZone: number,
    flags: number,
    passed: boolean,
  ): void {
    if (this.#muted) return;
    const pages = boostedMark(zone, mark);
    const mark_pages = (flags & ALLOC_RESERVES) === 0 ? pages : markForReserves(pages, flags);
    const reserve_pages = zone.lowmem_reserve[highestZone]!;
    const free_pages = zone.folded_free_pages;
    const unusable_pages = unusableFree(zone, this.mm.rules, order, flags);
    const isAbove = free_pages - unusable_pages > mark_pages + reserve_pages;
    let verdict: ExplainStepOf<'zone'>['verdict'] = 'passes';
    if (!passed) verdict = isAbove && order > 0 ? 'no_chunk' : 'below';
    // The last test of a request without marks: whatever it says, the zone is taken.
    if (!passed && flags & ALLOC_NO_WATERMARKS) verdict = 'ignored';
    this.#add({
      step: 'zone',
      zone: zoneName(zone),
      mark: MARK_NAMES[mark] ?? String(mark),
      mark_pages,
      reserve_pages,
      free_pages,
      unusable_pages,
      verdict,
    });
  }

  cpuList(zone: Zone, cpu: number, order: number, migratetype: number, length: number): void {
    if (this.#muted) return;
    this.#add({
      step: 'cpu_list',
      zone: zoneName(zone),
      cpu,
      order,
      migratetype: typeName(migratetype),
      entries: length,
      served: length > 0,
    });
  }

  refill(zone: Zone, list: PfnDeque, _order: number, chunks: number): void {
    if (this.#muted) return;
    this.#list = list;
    this.#refill = { step: 'refill', zone: zoneName(zone), wanted: chunks, got: 0 };
    this.#add(this.#refill);
  }

  refilled(chunks: number): void {
    if (this.#muted || this.#refill === null) return;
    this.#close();
    this.#refill.got = chunks;
    this.#refill = null;
    this.#list = null;
  }

  taken(_zone: Zone, pfn: number): void {
    if (this.#muted) return;
    this.#close();
    this.taken_pfn = pfn;
  }

  // ---- lists of a zone without superpageblocks

  chunk(zone: Zone, pfn: number, order: number, chunkOrder: number, migratetype: number): void {
    if (this.#muted) return;
    const last = this.#last('chunk');
    const refills = this.#list !== null;
    if (
      last?.zone === zoneName(zone) &&
      last.refills === refills &&
      last.order === order &&
      last.migratetype === typeName(migratetype)
    ) {
      last.times++;
      this.#chunkBefore = last.last_pfn;
      last.last_pfn = pfn;
      last.least_chunk_order = Math.min(last.least_chunk_order, chunkOrder);
      last.most_chunk_order = Math.max(last.most_chunk_order, chunkOrder);
      return;
    }
    this.#add({
      step: 'chunk',
      zone: zoneName(zone),
      refills,
      order,
      migratetype: typeName(migratetype),
      times: 1,
      first_pfn: pfn,
      last_pfn: pfn,
      least_chunk_order: chunkOrder,
      most_chunk_order: chunkOrder,
    });
  }

  #last<S extends ExplainStep['step']>(step: S): ExplainStepOf<S> | undefined {
    const last = this.steps.at(-1);
    return last?.step === step ? (last as ExplainStepOf<S>) : undefined;
  }

  /** What a search over superpageblocks takes is told by the search. */
  extfrag(pfn: number, order: number, fallbackOrder: number, migratetype: number, fallback: number): void {
    const zone = this.mm.zoneOf(pfn);
    if (this.#muted || zone.spb !== null) return;
    this.#forgetChunk(pfn);
    const isClaimed = this.mm.pages.blockType[pfn >>> PAGEBLOCK_ORDER] === migratetype;
    this.#add({
      step: 'fallback',
      zone: zoneName(zone),
      refills: this.#list !== null,
      how: isClaimed ? 'block_claimed' : 'stolen',
      pfn,
      order,
      chunk_order: fallbackOrder,
      from: typeName(fallback),
      to: typeName(migratetype),
    });
  }

  /** A chunk that was taken from a block that had just been claimed is told as that. */
  #forgetChunk(pfn: number): void {
    const last = this.#last('chunk');
    if (last?.last_pfn !== pfn) return;
    last.times--;
    last.last_pfn = this.#chunkBefore;
    if (last.times === 0) this.steps.pop();
  }

  zoneLocked(): void {}

  // ---- superpageblocks

  stage(stage: SearchStage, zone: Zone): void {
    if (this.#muted) return;
    this.#close();
    const order = stage === 'whole_block' ? PAGEBLOCK_ORDER : this.#order;
    this.#search = new OpenSearch(
      stage,
      zone,
      order,
      this.#migratetype,
      this.#list !== null,
      this.#list?.length ?? 0,
    );
  }

  pass(name: string, zone: Zone): void {
    if (this.#muted) return;
    if (this.#search === null || this.#search.ended) this.stage('search', zone);
    this.#search!.pass(name);
  }

  visit(spb_start_pfn: number, why: string): void {
    if (!this.#muted) this.#search?.visit(spb_start_pfn, why);
  }

  claimRefused(_pfn: number, _start_mt: number, _block_mt: number, reason: number): void {
    if (!this.#muted) this.#search?.refused(reason);
  }

  take(pfn: number, _order: number, chunkOrder: number, fromType: number, how: string): void {
    if (!this.#muted) this.#search?.take(pfn, chunkOrder, fromType, how);
  }

  allocWalk(_zone: Zone, order: number, migratetype: number, _flags: number, outcome: number): void {
    if (this.#muted || this.#search === null) return;
    const { step } = this.#search;
    step.outcome = OUTCOME_NAMES[outcome]!;
    step.order = order;
    step.migratetype = typeName(migratetype);
    this.#search.ended = true;
  }

  #close(): void {
    const search = this.#search;
    if (search === null) return;
    this.#search = null;
    search.step.listed = Math.max(0, (this.#list?.length ?? 0) - search.entries);
    const before = this.#last('search');
    if (before === undefined || !foldSearch(before, search.step)) this.steps.push(search.step);
  }

  trigger(what: string): void {
    if (this.#search !== null) this.#search.triggered(what);
    else this.#add({ step: 'trigger', what });
  }

  fallThrough(): void {}

  atomicRelax(_order: number, _migratetype: number, _gfp: number, step: number): void {
    this.#add({ step: 'relax', what: RELAX_NAMES[step]!.toLowerCase() });
  }

  evacuateForOrderDone(
    zone: Zone,
    _order: number,
    _migratetype: number,
    phase1: number,
    phase2: number,
  ): void {
    this.#add({ step: 'evacuation', zone: zoneName(zone), phase1_blocks: phase1, phase2_blocks: phase2 });
  }

  pbTaint(pfn: number, bit: number, set: boolean, firstOrLast: boolean): void {
    const superpageblock = (pfn >>> SUPERPAGEBLOCK_ORDER) << SUPERPAGEBLOCK_ORDER;
    // The bits are 1 << migratetype.
    const holds = typeName(Math.log2(bit));
    const known = this.contents.find(
      (each) => each.superpageblock === superpageblock && each.holds === holds && each.begins === set,
    );
    if (known === undefined) {
      this.contents.push({ superpageblock, holds, begins: set, pageblocks: 1, first_or_last: firstOrLast });
      return;
    }
    known.pageblocks++;
    known.first_or_last ||= firstOrLast;
  }

  // ---- the slow path

  step(step: RequestStep, value: number): void {
    if (this.#muted) return;
    if (step === 'slow_path') this.#path = 'slow';
    const result = step === 'reserves' ? flagNames(value).join(', ') : '';
    this.#add({
      step: 'slow',
      what: step === 'slow_path' ? 'begins' : step,
      value: result ? 0 : value,
      result,
    });
  }

  begins(_work: RequestWork): void {
    this.#close();
    this.#works.push(this.mm.events.pgmigrate_success);
  }

  ends(work: RequestWork, value: number): void {
    const moved = this.mm.events.pgmigrate_success - this.#works.pop()!;
    if (this.#muted) return;
    if (work === 'empty_block') {
      // For other orders than that of a huge page nothing was tried.
      if (value < 0 && moved === 0 && this.#last('contig') === undefined) return;
      if (value >= 0) this.taken_pfn = value;
    }
    const result = work === 'compact' ? compactResultName(value) : '';
    this.#add({ step: 'slow', what: work, value: work === 'reclaim' ? value : moved, result });
  }

  contigAsked(pages: number): void {
    this.asked_pages = pages;
  }

  contig(zone: Zone | undefined, start: number, pages: number, outcome: ContigOutcome): void {
    const name = zone === undefined ? '' : zoneName(zone);
    if (outcome === 'allocated') this.taken_pfn = start;
    const text = outcome.replaceAll('_', ' ');
    const last = this.#last('contig');
    if (last?.zone === name && last.outcome === text && last.pages === pages) {
      last.times++;
      last.last_pfn = start;
      return;
    }
    this.#add({
      step: 'contig',
      zone: name,
      outcome: text,
      first_pfn: start,
      last_pfn: start,
      pages,
      times: 1,
    });
  }

  // ---- frees

  freed(zone: Zone, pfn: number, order: number): void {
    if (this.#works.length > 0) return;
    this.freed_pages += 1 << order;
    if (this.isWhole) return;
    this.#add({
      step: 'free',
      zone: zoneName(zone),
      pfn,
      order,
      where: 'in_use',
      cpu: null,
      entries: null,
      chunk_pfn: null,
      chunk_order: null,
      migratetype: null,
    });
  }

  pcpuDrain(_pfn: number, order: number, migratetype: number): void {
    if (this.#muted) return;
    const type = typeName(migratetype);
    const last = this.#last('drain');
    if (last === undefined) {
      this.#add({ step: 'drain', chunks: 1, pages: 1 << order, migratetypes: [type] });
      return;
    }
    last.chunks++;
    last.pages += 1 << order;
    if (!last.migratetypes.includes(type)) last.migratetypes.push(type);
  }

  /** Where a freed page is now. */
  #locate(step: ExplainStepOf<'free'>): void {
    const { pages } = this.mm;
    const zone = this.mm.zoneOf(step.pfn);
    const state = pages.state[pages.node(step.pfn, step.order)]!;
    if (isPcp(state) && (state & 15) === step.order) {
      const cpu = zone.pcps.findIndex((pcp) => pcp.lists.some((list) => list.indexOf(step.pfn) >= 0));
      const list = zone.pcps[cpu]?.lists.find((each) => each.indexOf(step.pfn) >= 0);
      step.where = 'cpu_list';
      step.cpu = cpu < 0 ? null : cpu;
      step.entries = list?.length ?? null;
      step.migratetype = typeName((state >> 4) - PageKind.pcp);
      return;
    }
    const head = pages.buddyHead(step.pfn);
    if (head < 0) return;
    const order = pages.buddyOrder(head);
    step.where = 'buddy';
    step.chunk_pfn = head;
    step.chunk_order = order;
    step.migratetype = typeName(pages.listType(head, order));
  }
}
