/**
 * The largest machine that an input may declare. The model holds a few bytes for each page of the address range, so a
 * snapshot or machine file that claims petabytes would take the memory of whoever reads it.
 */
import { zoneProblem } from '../config/zone-problem.js';
import type { MachineSpec } from '../mm/machine-spec.js';
import { PAGE_BYTES, ZONE_NAMES } from '../mm/types.js';

/** 4 TiB; a machine of this size takes about 10 GB of address space, and of memory what the trace touches. */
export const DEFAULT_MAX_MACHINE_PAGES = 2 ** 42 / PAGE_BYTES;

const MIB = 2 ** 20;
const GIB = 2 ** 30;
/** What 31 bits of list nodes can number: pages, their blocks and some heads. */
const MODEL_MAX_PAGES = 2 ** 31 - 2 ** 23;
/** Lists of one zone and one CPU take 5 KB. The largest machines there are have half as many. */
const MAX_PER_CPU_LISTS = 2 ** 17;

export interface MachineProblem {
  readonly expectation: string;
  readonly remedy?: string;
}

/** What is wrong with a machine that a recording or a dump describes; undefined if nothing is. */
export function machineProblem(spec: MachineSpec): MachineProblem | undefined {
  if (spec.zones.length === 0)
    return { expectation: 'describes no zone that has memory', remedy: 'record it again' };
  const problem = zoneProblem(spec.zones);
  if (problem === undefined) return undefined;
  const { node, index } = spec.zones[problem.index]!;
  return { expectation: `describes node ${node}, zone ${ZONE_NAMES[index]} wrong: ${problem.text}` };
}

function sizeText(pages: number): string {
  const bytes = pages * PAGE_BYTES;
  const [unit, name] = bytes < GIB ? [MIB, 'MiB'] : [GIB, 'GiB'];
  return `${Math.ceil(bytes / unit).toLocaleString('en-US')} ${name}`;
}

/** What is wrong with a machine that reaches beyond `max_pages`; undefined if it does not. */
export function machineSizeProblem(spec: MachineSpec, max_pages: number): MachineProblem | undefined {
  const lists = spec.zones.length * spec.cpu_nodes.length;
  if (lists > MAX_PER_CPU_LISTS) {
    return {
      expectation: `declares ${spec.cpu_nodes.length} CPUs for each of ${spec.zones.length} zones, more than ${MAX_PER_CPU_LISTS.toLocaleString('en-US')} per-CPU lists`,
      remedy: 'give fewer CPUs or nodes',
    };
  }
  const end = spec.zones.reduce((most, zone) => Math.max(most, zone.start_pfn + zone.spanned_pages), 0);
  if (end <= Math.min(max_pages, MODEL_MAX_PAGES)) return undefined;
  if (end > MODEL_MAX_PAGES)
    return { expectation: `declares memory up to ${sizeText(end)}, more than the model can hold (8 TiB)` };
  return {
    expectation: `declares memory up to ${sizeText(end)}, the limit is ${sizeText(max_pages)}`,
    remedy: 'raise --max-machine if that is right',
  };
}
