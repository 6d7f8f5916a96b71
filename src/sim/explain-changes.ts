/**
 * What an event changed: the machine before it, compared with the machine after it.
 * model: spb 2.4, 2.5
 */
import type { PageAllocator } from '../mm/page-alloc/page-allocator.js';
import type { Zone } from '../mm/page-alloc/zone.js';
import { stateOf, takeCensus } from '../mm/spb/census.js';
import { PAGEBLOCK_ORDER } from '../mm/types.js';
import { vmstatCounters } from '../mm/vmstat.js';
import type { ExplainChanges } from '../report/explain-document.js';
import { typeName, zoneName } from './explain-names.js';
import { placeName } from './result-spb.js';

interface RangeState {
  readonly start_pfn: number;
  readonly content: string;
  readonly list: string | null;
}

interface ZoneState {
  readonly zone: Zone;
  readonly ranges: readonly RangeState[];
  readonly free_pages: number;
  readonly boost_pages: number;
}

export class MachineState {
  readonly #zones: readonly ZoneState[];
  readonly #blockType: Uint8Array;
  readonly #vmstat: ReadonlyMap<string, number>;
  readonly #kswapd: readonly boolean[];

  /** @param unknownCounts see `resultZoneSpb` */
  constructor(
    readonly mm: PageAllocator,
    readonly unknownCounts: boolean,
  ) {
    this.#zones = mm.zones.map((zone) => ({
      zone,
      ranges: rangesOf(mm, zone, unknownCounts),
      free_pages: freePages(zone),
      boost_pages: zone.watermark_boost,
    }));
    this.#blockType = mm.pages.blockType.slice();
    this.#vmstat = new Map(vmstatCounters(mm));
    this.#kswapd = mm.nodes.map((node) => node.kswapd_awake);
  }

  /** @param contents what the event put into pageblocks, or took out of them */
  changes(contents: ExplainChanges['contents']): ExplainChanges {
    return {
      superpageblocks: this.#zones.flatMap((state) => this.#changedRanges(state)),
      contents,
      pageblocks: this.#changedBlocks(),
      zones: this.#zones.flatMap(({ zone, free_pages, boost_pages }) => {
        const free = freePages(zone) - free_pages;
        const boost = zone.watermark_boost - boost_pages;
        return free === 0 && boost === 0
          ? []
          : [{ zone: zoneName(zone), free_pages: free, boost_pages: boost }];
      }),
      kswapd_woken: this.mm.nodes.flatMap(({ node, kswapd_awake }, at) =>
        kswapd_awake && !this.#kswapd[at] ? [node] : [],
      ),
      vmstat: Object.fromEntries(
        vmstatCounters(this.mm)
          .map(([name, value]): [string, number] => [name, value - (this.#vmstat.get(name) ?? 0)])
          .filter(([, change]) => change !== 0),
      ),
    };
  }

  #changedRanges({ zone, ranges }: ZoneState): ExplainChanges['superpageblocks'] {
    const now = new Map(
      rangesOf(this.mm, zone, this.unknownCounts).map((range) => [range.start_pfn, range] as const),
    );
    return ranges.flatMap((before) => {
      const after = now.get(before.start_pfn);
      if (after === undefined || (after.content === before.content && after.list === before.list)) return [];
      return [
        {
          zone: zoneName(zone),
          start_pfn: before.start_pfn,
          content: { before: before.content, after: after.content },
          list:
            before.list === null || after.list === null ? null : { before: before.list, after: after.list },
        },
      ];
    });
  }

  #changedBlocks(): ExplainChanges['pageblocks'] {
    const { blockType } = this.mm.pages;
    const changed: ExplainChanges['pageblocks'] = [];
    this.#blockType.forEach((before, block) => {
      const after = blockType[block]!;
      if (before !== after)
        changed.push({
          pfn: block << PAGEBLOCK_ORDER,
          type: { before: typeName(before), after: typeName(after) },
        });
    });
    return changed;
  }
}

function rangesOf(mm: PageAllocator, zone: Zone, unknownCounts: boolean): RangeState[] {
  const spbs = zone.spb;
  return takeCensus(mm, zone, unknownCounts).ranges.map((range) => {
    const spb = spbs?.indexOf(range.start_pfn) ?? -1;
    return {
      start_pfn: range.start_pfn,
      content: stateOf(range),
      list: spbs === null || spb < 0 ? null : placeName(spbs.place[spb]!),
    };
  });
}

/** On the buddy lists and on per-CPU lists. */
function freePages(zone: Zone): number {
  const waiting = zone.pcps.reduce((sum, pcp) => sum + pcp.count, 0);
  return zone.nr_free.reduce((sum, chunks, order) => sum + chunks * 2 ** order, waiting);
}
