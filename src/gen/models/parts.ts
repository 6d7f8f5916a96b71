/**
 * Parts that several workloads have: the kinds of slab and kernel pages, and curves that pools follow.
 */
import { PagePool } from '../actors/page-pool.js';
import { PageMix } from '../page-mix.js';
import type { World } from '../world.js';

/** The memory fills up in this part of the story, at its beginning. */
export const FILL_PART = 1 / 8;

/** Looks of a pool at its target during the story. */
const TICKS = 20_000;
/** Shorter ticks would only find nothing to do; after longer ones too much would be done at once. */
const MIN_TICK_NS = 20_000;
const MAX_TICK_NS = 100e6;

/** Dentries, inodes and what indexes their pages; a fifth of the memory is asked for in optional large slabs. */
export function reclaimableSlab(world: World): PageMix {
  const { dentry, inode, inodeOptional, xarray } = world.requests;
  return new PageMix([
    { request: dentry, order: 0, share: 0.1 },
    { request: dentry, order: 1, share: 0.3 },
    { request: xarray, order: 2, share: 0.15 },
    { request: inode, order: 2, share: 0.25 },
    { request: inodeOptional, order: 3, share: 0.2 },
  ]);
}

/** What the kernel keeps for itself besides page tables and stacks. */
export function kernelPages(world: World): PageMix {
  const { kmalloc, kmallocOptional, pipe, vmalloc } = world.requests;
  return new PageMix([
    { request: kmalloc, order: 0, share: 0.1 },
    { request: kmalloc, order: 1, share: 0.2 },
    { request: kmalloc, order: 2, share: 0.3 },
    { request: kmallocOptional, order: 3, share: 0.2 },
    { request: pipe, order: 0, share: 0.05 },
    { request: vmalloc, order: 0, share: 0.15 },
  ]);
}

export interface PoolShape {
  readonly name: string;
  readonly mix: PageMix;
  /** pages at a time */
  readonly target: (now_ns: number) => number;
  readonly most_pages: number;
  /** share exchanged per minute */
  readonly turnover: number;
  /** pages of the same type that others have are part of the target, too: the number of that migratetype */
  readonly sharedType?: number;
}

/** A pool that follows a curve. */
export function pool(world: World, shape: PoolShape): PagePool {
  const { name, mix, target, most_pages, turnover, sharedType } = shape;
  const { live_pages } = world.rows;
  const tick_ns = Math.min(MAX_TICK_NS, Math.max(MIN_TICK_NS, world.time(1 / TICKS)));
  const pages: PagePool = new PagePool(world, {
    name,
    mix,
    missing: (now_ns) => target(now_ns) - (sharedType === undefined ? pages.pages : live_pages[sharedType]),
    turnover,
    most_pages,
    tick_ns,
  });
  return pages;
}

/** A curve of straight lines through points, level before the first and after the last. */
export function polyline(
  points: readonly (readonly [at_ns: number, pages: number])[],
): (now_ns: number) => number {
  return (now_ns) => {
    let [before_ns, before] = points[0];
    for (const [at_ns, pages] of points) {
      if (now_ns < at_ns)
        return before + ((pages - before) * (now_ns - before_ns)) / Math.max(1, at_ns - before_ns);
      [before_ns, before] = [at_ns, pages];
    }
    return before;
  };
}

/** Up and down in straight lines between 1 - depth and 1 + depth, beginning in the middle. */
export function wave(now_ns: number, period_ns: number, depth: number): number {
  const phase = ((now_ns / period_ns) % 1) * 4;
  const height = phase < 1 ? phase : phase < 3 ? 2 - phase : phase - 4;
  return 1 + depth * height;
}
