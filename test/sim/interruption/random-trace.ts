/** Random traces of slab and page operations on several CPUs, with rows nested in others, and what is alive at their end. */
import { CTX_NAMES, LOCK_POINTS } from '../../../src/trace/event-batch.js';
import { dice } from '../state/support.js';

export interface RandomTrace {
  readonly csv: string;
  /** objects that somebody has at the end, by the operation that made them; pages by themselves */
  readonly live: {
    readonly kmalloc: number;
    readonly named: number;
    readonly nolock: number;
    readonly pages: number;
  };
}

type Kind = 'kmalloc' | 'named' | 'nolock' | 'alloc' | 'alloc_nolock';

interface Live {
  readonly id: string;
  readonly kind: Kind;
  readonly cache: string;
  readonly order: number;
}

const CACHES = ['inode', 'task', 'vma'];
const CPUS = 4;
const SIZES = [8, 24, 64, 96, 200, 700, 2000, 4096, 8192];
const FREES: Readonly<Record<Kind, string>> = {
  kmalloc: 'kfree',
  named: 'cache_free',
  nolock: 'kfree_nolock',
  alloc: 'free',
  alloc_nolock: 'free_nolock',
};
const NAMED_SIZES = [40, 1200, 184];

/** Calls that wait come from contexts that may make them only; all of them leave the machine far from full. */
export function randomTrace(groups: number, seed: number): RandomTrace {
  const roll = dice(seed);
  const lines = ['ts,cpu,op,id,size,order,gfp,ctx,depth,at,cache'];
  const live: Live[] = [];
  let ts = 0;
  let ids = 0;
  /** objects from before the group, the first ones of `live` */
  let before = 0;
  for (const [i, cache] of CACHES.entries())
    lines.push(`0,0,cache_create,,${NAMED_SIZES[i]},,,task,0,,${cache}`);

  function take(where: string, gfp: string, tail: string, kind: Kind): void {
    const id = `o${ids++}`;
    const at = roll(CACHES.length);
    const size = SIZES[roll(SIZES.length)]!;
    const order = kind === 'alloc' || kind === 'alloc_nolock' ? roll(3) : 0;
    const cache = kind === 'named' ? CACHES[at]! : '';
    if (kind === 'kmalloc') lines.push(`${where},kmalloc,${id},${size},,${gfp},${tail},`);
    else if (kind === 'nolock') lines.push(`${where},kmalloc_nolock,${id},${size},,,${tail},`);
    else if (kind === 'named')
      lines.push(`${where},cache_alloc,${id},${NAMED_SIZES[at]},,${gfp},${tail},${cache}`);
    else if (kind === 'alloc') lines.push(`${where},alloc,${id},,${order},${gfp},${tail},`);
    else lines.push(`${where},alloc_nolock,${id},,${order},,${tail},`);
    live.push({ id, kind, cache, order });
  }

  function give(where: string, tail: string, at: number): void {
    const [{ id, kind, cache }] = live.splice(at, 1) as [Live];
    lines.push(`${where},${FREES[kind]},${id},,,,${tail},${cache}`);
  }

  /** @param anyContext only calls from any context */
  function row(cpu: number, ctx: number, depth: number, anyContext: boolean): void {
    const point = depth === 0 ? '' : LOCK_POINTS[roll(LOCK_POINTS.length)];
    const where = `${ts},${cpu}`;
    const tail = `${CTX_NAMES[ctx]},${depth},${point}`;
    const gfp = ctx === 0 && depth === 0 ? 'GFP_KERNEL' : 'GFP_ATOMIC';
    // What a row of this group gets may not be there yet when a row that is nested in it strikes.
    if (before > 0 && roll(500) < before) {
      const at = roll(before);
      const isNolock = live[at]!.kind === 'nolock' || live[at]!.kind === 'alloc_nolock';
      if (isNolock || !anyContext) {
        before--;
        give(where, tail, at);
        return;
      }
    }
    const kinds: readonly Kind[] = anyContext
      ? ['nolock', 'nolock', 'alloc_nolock']
      : ['kmalloc', 'kmalloc', 'named', 'named', 'nolock', 'alloc', 'alloc_nolock'];
    take(where, gfp, tail, kinds[roll(kinds.length)]!);
  }

  for (let group = 0; group < groups; group++) {
    ts += roll(50) === 0 ? roll(50_000_000) : roll(5000);
    const cpu = roll(CPUS);
    before = live.length;
    let ctx = roll(3) === 0 ? roll(4) : 0;
    row(cpu, ctx, 0, ctx === 3);
    for (let depth = 1; ctx < 3 && roll(3) === 0; depth++) {
      ctx += 1 + roll(3 - ctx);
      for (let rows = 1 + roll(2); rows > 0; rows--) row(cpu, ctx, depth, true);
    }
  }
  const of = (kind: Kind) => live.filter((each) => each.kind === kind);
  const pages = [...of('alloc'), ...of('alloc_nolock')].reduce((sum, { order }) => sum + 2 ** order, 0);
  return {
    csv: `${lines.join('\n')}\n`,
    live: { kmalloc: of('kmalloc').length, named: of('named').length, nolock: of('nolock').length, pages },
  };
}
