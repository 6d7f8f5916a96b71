/**
 * A machine from three numbers: memory, nodes, CPUs.
 *
 * The layout is that of an x86-64 machine (model: page-allocator 2.1). What a size alone does not say is assumed, and
 * every assumption is a named constant here:
 *
 *   physical addresses   0      16 MiB           3 GiB    4 GiB
 *                        | DMA  | DMA32          | hole   | Normal …
 *                         RAM    RAM               PCI      the rest of the RAM
 *
 * - RAM fills addresses from 0 up to 3 GiB; what is left continues at 4 GiB. The gap is where PCI devices are mapped.
 * - PFN 0 and 0x9f..0xff (BIOS, video memory) are not RAM; the rest below 1 MiB is kept by the kernel.
 * - Nodes own equal, contiguous shares of the RAM, cut at multiples of the largest block.
 * - CPUs are dealt out to nodes in equal, contiguous ranges.
 * - Nodes are all equally far from each other.
 * - Of every zone above DMA the kernel keeps the `struct page` array of its own pages, 64 bytes for each (1.5625 %).
 * - The kernel image, its initramfs and early tables take 44 MiB from the first node's lowest zone above DMA, but
 *   never more than an eighth of it. (44 MiB is what Debian kernels booted with 512 MiB were seen to keep.)
 */
import type { MachineSpec, ZoneSpec } from '../mm/machine-spec.js';
import { MAX_PAGE_ORDER, PAGE_BYTES, ZoneIndex } from '../mm/types.js';
import { UsageError } from './usage-error.js';

const PAGES_PER_MIB = (1 << 20) / PAGE_BYTES;
const PAGES_PER_GIB = (1 << 30) / PAGE_BYTES;
const MAX_BLOCK_PAGES = 1 << MAX_PAGE_ORDER;

const FIRST_PFN = 1;
/** first PFN after the RAM that BIOS leaves below 640 KiB (its data area takes the last page) */
const LOW_HOLE_START = 0x9f;
const LOW_HOLE_END = 0x100;
const DMA_END = 16 * PAGES_PER_MIB;
/** where low RAM ends if there is more than this */
export const LOW_RAM_END = 3 * PAGES_PER_GIB;
const DMA32_END = 4 * PAGES_PER_GIB;

const STRUCT_PAGE_BYTES = 64;
const KERNEL_RESERVE_PAGES = 44 * PAGES_PER_MIB;
/** the kernel's fixed part takes at most 1/8 of its zone */
const KERNEL_RESERVE_DIVISOR = 8;

const LOCAL_DISTANCE = 10;
const REMOTE_DISTANCE = 20;

/** An L2 cache of 1 MiB and a slice of 1 MiB of a shared L3: enough to set FREE_HIGH_BATCH, model: page-allocator 3.3. */
export const DEFAULT_CPU_CACHE_BYTES = 2 << 20;
export const DEFAULT_CPUS_PER_NODE = 4;

const MIN_NODE_PAGES = 32 * PAGES_PER_MIB;
/** PFNs are 32 bits wide in traces and the last one means "none" */
const MAX_PFN = 0xffff_fffe;
const MAX_NODES = 1024;
const MAX_CPUS = 8192;

export interface MachineSize {
  /** all RAM of the machine, in pages */
  readonly memory_pages: number;
  readonly nodes?: number | undefined;
  readonly cpus?: number | undefined;
  readonly cpu_cache_bytes?: number | undefined;
  readonly thp?: boolean | undefined;
}

/** PFN of the n-th page of RAM. */
function physicalPfn(ramPage: number): number {
  return ramPage < LOW_RAM_END ? ramPage : DMA32_END + (ramPage - LOW_RAM_END);
}

/** Length of the overlap of [a, b) and [c, d). */
function overlap(a: number, b: number, c: number, d: number): number {
  return Math.max(0, Math.min(b, d) - Math.max(a, c));
}

function zonesOfNode(node: number, firstRamPage: number, endRamPage: number): ZoneSpec[] {
  const nodeStart = Math.max(FIRST_PFN, physicalPfn(firstRamPage));
  const nodeEnd = physicalPfn(endRamPage - 1) + 1;
  const zoneRanges = [
    [ZoneIndex.dma, 0, DMA_END],
    [ZoneIndex.dma32, DMA_END, DMA32_END],
    [ZoneIndex.normal, DMA32_END, MAX_PFN],
  ] as const;
  const zones: ZoneSpec[] = [];
  let kernelKept = node !== 0;
  for (const [index, zoneStart, zoneEnd] of zoneRanges) {
    const start = Math.max(zoneStart, nodeStart);
    const end = Math.min(zoneEnd, nodeEnd);
    const ram = overlap(start, end, 0, LOW_RAM_END) + overlap(start, end, DMA32_END, MAX_PFN);
    if (ram === 0) continue;
    const present = ram - overlap(start, end, LOW_HOLE_START, LOW_HOLE_END);
    let kept: number;
    if (index === ZoneIndex.dma) {
      kept = overlap(start, end, 0, LOW_HOLE_START);
    } else {
      kept = Math.ceil((present * STRUCT_PAGE_BYTES) / PAGE_BYTES);
      if (!kernelKept) kept += Math.min(KERNEL_RESERVE_PAGES, Math.floor(present / KERNEL_RESERVE_DIVISOR));
      kernelKept = true;
    }
    zones.push({
      node,
      index,
      start_pfn: start,
      spanned_pages: end - start,
      present_pages: present,
      managed_pages: present - kept,
    });
  }
  return zones;
}

/**
 * Builds a machine of a given size.
 *
 * @throws UsageError  if the numbers make no machine
 */
export function machineFromSize(size: MachineSize): MachineSpec {
  const nodes = size.nodes ?? 1;
  const cpus = size.cpus ?? nodes * DEFAULT_CPUS_PER_NODE;
  if (!Number.isInteger(nodes) || nodes < 1 || nodes > MAX_NODES) {
    throw new UsageError(`--nodes ${nodes}: expected 1 to ${MAX_NODES} nodes`);
  }
  if (!Number.isInteger(cpus) || cpus < 1 || cpus > MAX_CPUS) {
    throw new UsageError(`--cpus ${cpus}: expected 1 to ${MAX_CPUS} CPUs`);
  }
  const share = Math.floor(size.memory_pages / nodes / MAX_BLOCK_PAGES) * MAX_BLOCK_PAGES;
  if (share < MIN_NODE_PAGES) {
    throw new UsageError(
      `too little memory: each of ${nodes} node(s) needs at least ${MIN_NODE_PAGES / PAGES_PER_MIB} MiB`,
    );
  }
  if (physicalPfn(size.memory_pages) > MAX_PFN)
    throw new UsageError('too much memory: PFNs have 32 bits (16 TiB)');

  const zones: ZoneSpec[] = [];
  for (let node = 0; node < nodes; node++) {
    const end = node === nodes - 1 ? size.memory_pages : (node + 1) * share;
    zones.push(...zonesOfNode(node, node * share, end));
  }
  return {
    cpu_nodes: Array.from({ length: cpus }, (_, cpu) => Math.floor((cpu * nodes) / cpus)),
    node_distances: Array.from({ length: nodes }, (_, from) =>
      Array.from({ length: nodes }, (_, to) => (from === to ? LOCAL_DISTANCE : REMOTE_DISTANCE)),
    ),
    zones,
    cpu_cache_bytes: size.cpu_cache_bytes ?? DEFAULT_CPU_CACHE_BYTES,
    thp: size.thp ?? true,
  };
}
