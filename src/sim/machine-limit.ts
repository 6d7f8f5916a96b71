/**
 * The largest machine that an input may declare. The model holds a few bytes for each page of the address range, so a
 * snapshot or machine file that claims petabytes would take the memory of whoever reads it.
 */
import type { MachineSpec } from '../mm/machine-spec.js';
import { PAGE_BYTES } from '../mm/types.js';

/** 4 TiB; a machine of this size takes about 10 GB of address space, and of memory what the trace touches. */
export const DEFAULT_MAX_MACHINE_PAGES = 2 ** 42 / PAGE_BYTES;

const GIB = 2 ** 30;

/** What is wrong with a machine that reaches beyond `max_pages`; undefined if it does not. */
export function machineSizeProblem(
  spec: MachineSpec,
  max_pages: number,
): { readonly expectation: string; readonly remedy: string } | undefined {
  const end = spec.zones.reduce((most, zone) => Math.max(most, zone.start_pfn + zone.spanned_pages), 0);
  if (end <= max_pages) return undefined;
  const gib = (pages: number) => `${Math.ceil((pages * PAGE_BYTES) / GIB).toLocaleString('en-US')} GiB`;
  return {
    expectation: `declares memory up to ${gib(end)}, the limit is ${gib(max_pages)}`,
    remedy: 'raise --max-machine if that is right',
  };
}
