/**
 * A server in equilibrium: workers that stay and helpers that do not, page cache, slab, and some network. What two
 * workloads are made of.
 */
import { Migratetype } from '../../mm/types.js';
import { network } from '../actors/network.js';
import { PageCache } from '../actors/page-cache.js';
import { Processes } from '../actors/processes.js';
import { count, type OptionValues, order, rate, share, size, time } from '../options.js';
import { MAX_FOLIO_ORDER } from '../page-mix.js';
import { checkFits, restForCache } from '../workload.js';
import type { Actor, World } from '../world.js';
import { FILL_PART, kernelPages, polyline, pool, reclaimableSlab } from './parts.js';

const GIB_PAGES = 1 << 18;
const NET_LATENCY_NS = 1e6;
const NET_BACKLOG_PAGES = 4096;

export const SERVER_OPTIONS = {
  used: share('103%', 'memory in use, of all; above 100% reclaim has to run', 2),
  anon: share('45%', 'anonymous memory of the workers, of memory'),
  workers: count('32', 'workers', 65_536, 1),
  'worker-lifetime': time('5min', 'mean time that one lives'),
  thp: share('80%', 'huge pages, of their memory'),
  forks: rate('20', 'helpers per second'),
  'helper-lifetime': time('1s', 'mean time that one of them lives'),
  'helper-memory': size('1MiB', 'its memory', 1, GIB_PAGES),
  slab: share('6%', 'reclaimable slab, of memory'),
  kernel: share('3%', 'pages that the kernel keeps for itself, of memory'),
  turnover: share('20%', 'slab and kernel pages that are exchanged per minute', 100),
  net: rate('10000', 'pages of packets per second'),
  churn: share('10%', 'page cache that is read in per minute, of memory', 100),
  'folio-order': order('4', 'largest page-cache folio', MAX_FOLIO_ORDER),
};

/** @param headroom  share of memory that is left to others */
export function server(
  world: World,
  options: OptionValues<typeof SERVER_OPTIONS>,
  headroom: Readonly<Record<string, number>> = {},
): Actor[] {
  const { used, anon, slab, kernel, turnover, workers, forks } = options;
  checkFits({ anon, slab, kernel, ...headroom });
  const fill_ns = world.time(FILL_PART);
  const filling = (pages: number) =>
    polyline([
      [0, 0],
      [fill_ns, pages],
    ]);
  return [
    new PageCache(world, {
      target_pages: restForCache(world, used, { anon, slab, kernel }),
      fill_ns,
      churn_pages: world.pages(options.churn) / 60,
      maxFolioOrder: options['folio-order'],
      writes: 0.3,
      deletes: 0.1,
    }),
    pool(world, {
      name: 'slab',
      mix: reclaimableSlab(world),
      target: filling(world.pages(slab)),
      most_pages: world.pages(slab),
      turnover,
    }),
    pool(world, {
      name: 'kernel',
      mix: kernelPages(world),
      target: filling(world.pages(kernel)),
      most_pages: world.pages(kernel),
      turnover,
      sharedType: Migratetype.unmovable,
    }),
    new Processes(world, {
      name: 'workers',
      count: workers,
      pages: world.pages(anon) / workers,
      thp: options.thp,
      huge: world.requests.hugeAdvised,
      fill_ns,
      lifetime_ns: options['worker-lifetime'],
      bound: true,
    }),
    new Processes(world, {
      name: 'helpers',
      count: Math.ceil((forks * options['helper-lifetime']) / 1e9),
      pages: options['helper-memory'],
      thp: 0,
      huge: world.requests.huge,
      fill_ns,
      lifetime_ns: options['helper-lifetime'],
      bound: false,
    }),
    ...network(world, {
      pages_per_second: options.net,
      latency_ns: NET_LATENCY_NS,
      backlog_pages: NET_BACKLOG_PAGES,
      sends: 0.2,
    }),
  ];
}
