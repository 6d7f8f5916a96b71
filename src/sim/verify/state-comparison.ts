/**
 * Compares the model's state with a dump of a real kernel, list by list and counter by counter.
 *
 * What a kernel's dump does not hold (6.1 has no count of free HighAtomic pages and no high_min) is not compared.
 */
import {
  type ExactPcp,
  type ExactState,
  type ExactZone,
  NOT_THIS_ZONE,
} from '../../mm/page-alloc/exact-state.js';
import { pcpListOrder, pcpListType } from '../../mm/page-alloc/per-cpu-pages.js';
import { MIGRATETYPE_NAMES, ZONE_NAMES } from '../../mm/types.js';
import type { VerifyCheckpoint } from '../../report/verify-result.js';
import type { DumpZone, StateDump } from '../../trace/oracle/oracle-dump.js';
import { exactFromDump } from '../start-state/from-dump.js';

const PARTS = ['free lists', 'pcp lists', 'block types', 'counters', 'boost', 'reserves'] as const;
type Part = (typeof PARTS)[number];

const MAX_DIFFERENCES = 20;
/** PFNs shown of a list around the place where it first differs */
const SHOWN_PFNS = 4;

class Comparison {
  readonly compared = new Map<Part, number>(PARTS.map((part) => [part, 0]));
  readonly equal = new Map<Part, number>(PARTS.map((part) => [part, 0]));
  readonly differences: string[] = [];

  note(part: Part, isEqual: boolean, difference: () => string): void {
    this.compared.set(part, this.compared.get(part)! + 1);
    if (isEqual) this.equal.set(part, this.equal.get(part)! + 1);
    else if (this.differences.length < MAX_DIFFERENCES) this.differences.push(difference());
  }

  value(part: Part, name: string, kernel: number, model: number): void {
    this.note(part, kernel === model, () => `${name}: kernel ${kernel}, model ${model}`);
  }

  list(part: Part, name: string, kernel: readonly number[], model: readonly number[]): void {
    const at = firstDifference(kernel, model);
    this.note(part, at < 0, () => {
      const show = (pfns: readonly number[]) =>
        pfns
          .slice(at, at + SHOWN_PFNS)
          .map((pfn) => `0x${pfn.toString(16)}`)
          .join(' ') || 'end';
      return `${name}: differ from entry ${at} on: kernel ${show(kernel)} (${kernel.length} entries), model ${show(model)} (${model.length})`;
    });
  }
}

function firstDifference(a: readonly number[], b: readonly number[]): number {
  const length = Math.max(a.length, b.length);
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return i;
  return -1;
}

/** @param model as read out of the model, zones in the dump's order */
export function compareStates(dump: StateDump, model: ExactState): VerifyCheckpoint {
  const comparison = new Comparison();
  const kernel = exactFromDump(dump);
  kernel.zones.forEach((zone, i) => {
    const mine = model.zones.find((other) => other.node === zone.node && other.index === zone.index);
    if (mine !== undefined) compareZone(comparison, dump.zones[i]!, zone, mine);
  });
  const sum = (counts: Map<Part, number>) => [...counts.values()].reduce((total, n) => total + n, 0);
  return {
    name: dump.when,
    index: Math.max(0, dump.op),
    compared: sum(comparison.compared),
    equal: sum(comparison.equal),
    parts: PARTS.map((name) => ({
      name,
      compared: comparison.compared.get(name)!,
      equal: comparison.equal.get(name)!,
    })),
    differences: comparison.differences,
  };
}

function compareZone(comparison: Comparison, dump: DumpZone, kernel: ExactZone, model: ExactZone): void {
  const name = `node ${kernel.node} ${ZONE_NAMES[kernel.index]}`;
  const listsOf = (zone: ExactZone) =>
    new Map(zone.free.map((list) => [list.order * 8 + list.migratetype, list.pfns] as const));
  const [kernelLists, modelLists] = [listsOf(kernel), listsOf(model)];
  for (const key of [...new Set([...kernelLists.keys(), ...modelLists.keys()])].sort((a, b) => a - b)) {
    const list = `${name} free list order ${key >> 3} ${MIGRATETYPE_NAMES[key & 7]}`;
    comparison.list('free lists', list, kernelLists.get(key) ?? [], modelLists.get(key) ?? []);
  }
  kernel.block_types.forEach((type, i) => {
    if (type === NOT_THIS_ZONE) return;
    const pfn = `0x${(kernel.first_block_pfn + i * 512).toString(16)}`;
    comparison.value('block types', `${name} block at ${pfn}`, type, model.block_types[i]!);
  });
  comparison.value('counters', `${name} nr_free_pages`, kernel.nr_free_pages, model.nr_free_pages);
  comparison.value('counters', `${name} flags`, kernel.flags, model.flags);
  comparison.value('boost', `${name} watermark_boost`, kernel.boost, model.boost);
  kernel.watermark.forEach((mark, i) => {
    comparison.value('boost', `${name} watermark ${i}`, mark, model.watermark[i]!);
  });
  comparison.value(
    'reserves',
    `${name} nr_reserved_highatomic`,
    kernel.nr_reserved_highatomic,
    model.nr_reserved_highatomic,
  );
  if (dump.highatomic_free !== undefined)
    comparison.value(
      'reserves',
      `${name} nr_free_highatomic`,
      dump.highatomic_free,
      model.nr_free_highatomic,
    );
  kernel.lowmem_reserve.forEach((pages, i) => {
    comparison.value('reserves', `${name} lowmem_reserve[${i}]`, pages, model.lowmem_reserve[i]!);
  });
  for (const pcp of kernel.pcps) {
    const mine = model.pcps.find((other) => other.cpu === pcp.cpu);
    if (mine !== undefined) comparePcp(comparison, `${name} CPU ${pcp.cpu}`, dump, pcp, mine);
  }
}

function comparePcp(
  comparison: Comparison,
  name: string,
  dump: DumpZone,
  kernel: ExactPcp,
  model: ExactPcp,
): void {
  const raw = dump.pcps.find((pcp) => pcp.cpu === kernel.cpu);
  const fields: (keyof ExactPcp & ('count' | 'high' | 'batch' | 'nr_free_diff'))[] = [
    'count',
    'high',
    'batch',
    'nr_free_diff',
  ];
  for (const field of fields) comparison.value('counters', `${name} ${field}`, kernel[field], model[field]);
  if (raw?.free_factor !== undefined)
    comparison.value('counters', `${name} free_factor`, kernel.free_factor, model.free_factor);
  if (raw?.high_min !== undefined)
    for (const field of ['high_min', 'high_max', 'flags', 'alloc_factor', 'free_count'] as const)
      comparison.value('counters', `${name} ${field}`, kernel[field], model[field]);
  const listOf = (pcp: ExactPcp, index: number) => pcp.lists.find((list) => list.index === index)?.pfns ?? [];
  const indexes = new Set([...kernel.lists, ...model.lists].map((list) => list.index));
  for (const index of indexes) {
    const list = `${name} pcp list ${index} (order ${pcpListOrder(index)} ${MIGRATETYPE_NAMES[pcpListType(index)]})`;
    comparison.list('pcp lists', list, listOf(kernel, index), listOf(model, index));
  }
}
