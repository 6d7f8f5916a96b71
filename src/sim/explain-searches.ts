/**
 * Searches over superpageblocks, as an explanation tells them: one record for each, equal ones in a row folded.
 *
 * A refill searches once for every page of it. What differs between two such searches is as a rule the page alone.
 * model: spb 3.3, 3.4, 3.5, 3.9
 */
import type { SearchStage } from '../mm/page-alloc/request-tracer.js';
import type { Zone } from '../mm/page-alloc/zone.js';
import { REFUSAL_NAMES } from '../mm/spb/spb-types.js';
import type { ExplainSearch } from '../report/explain-document.js';
import { typeName, zoneName } from './explain-names.js';
import { placeName } from './result-spb.js';

type Pass = ExplainSearch['passes'][number];

/** Adds to the count of a name, in order of first mention. */
function countName(counts: { name: string; count: number }[], name: string): void {
  const known = counts.find((each) => each.name === name);
  if (known === undefined) counts.push({ name, count: 1 });
  else known.count++;
}

/** A search that has begun and may go on. */
export class OpenSearch {
  readonly step: ExplainSearch;
  /** its outcome has been reported: another pass is another search */
  ended = false;

  constructor(
    readonly stage: SearchStage,
    readonly zone: Zone,
    order: number,
    migratetype: number,
    refills: boolean,
    /** entries of the CPU's list that is being refilled, when it began */
    readonly entries: number,
  ) {
    this.step = {
      step: 'search',
      zone: zoneName(zone),
      refills,
      stage,
      order,
      migratetype: typeName(migratetype),
      outcome: null,
      times: 1,
      passes: [],
      taken: null,
      listed: 0,
      triggered: [],
    };
  }

  pass(name: string): void {
    this.step.passes.push({ pass: name, looked_at: [], claims_refused: [] });
  }

  /** Stages that are no pass look at superpageblocks, too. */
  #current(): Pass {
    if (this.step.passes.length === 0) this.pass('');
    return this.step.passes.at(-1)!;
  }

  visit(spb_start_pfn: number, why: string): void {
    const spbs = this.zone.spb!;
    const list = placeName(spbs.place[spbs.indexOf(spb_start_pfn)]!);
    const { looked_at } = this.#current();
    const known = looked_at.find((each) => each.list === list && each.why === why);
    if (known === undefined) looked_at.push({ list, why, count: 1 });
    else known.count++;
  }

  refused(reason: number): void {
    const name = REFUSAL_NAMES[reason]!.toLowerCase().replaceAll('_', ' ');
    countName(this.#current().claims_refused, name);
  }

  triggered(what: string): void {
    countName(this.step.triggered, what);
  }

  take(pfn: number, chunkOrder: number, fromType: number, how: string): void {
    const spbs = this.zone.spb!;
    const spb = spbs.indexOf(pfn);
    this.step.taken = {
      first_pfn: pfn,
      last_pfn: pfn,
      superpageblock: spb < 0 ? null : spbs.start_pfn(spb),
      list: spb < 0 ? null : placeName(spbs.place[spb]!),
      from: typeName(fromType),
      how,
      least_chunk_order: chunkOrder,
      most_chunk_order: chunkOrder,
    };
  }
}

/** What two searches have in common when they are told as one. */
function keyOf({ zone, refills, stage, order, migratetype, outcome, passes, taken }: ExplainSearch): string {
  const from = taken === null ? null : [taken.superpageblock, taken.from, taken.how];
  return JSON.stringify([zone, refills, stage, order, migratetype, outcome, passes, from]);
}

/** Puts a search into the one before it, if they differ in the page only. @returns whether they do */
export function foldSearch(into: ExplainSearch, search: ExplainSearch): boolean {
  if (keyOf(into) !== keyOf(search)) return false;
  into.times += search.times;
  into.listed += search.listed;
  for (const { name, count } of search.triggered) {
    const known = into.triggered.find((each) => each.name === name);
    if (known === undefined) into.triggered.push({ name, count });
    else known.count += count;
  }
  if (into.taken === null || search.taken === null) return true;
  into.taken.last_pfn = search.taken.last_pfn;
  into.taken.least_chunk_order = Math.min(into.taken.least_chunk_order, search.taken.least_chunk_order);
  into.taken.most_chunk_order = Math.max(into.taken.most_chunk_order, search.taken.most_chunk_order);
  return true;
}
