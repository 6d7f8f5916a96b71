/**
 * A machine that fuzzes kernels: virtual machines that are killed and started again, short processes, files that are read
 * all the time, slab that comes in waves. All memory is used, one twentieth of it by what cannot be moved.
 *
 * Imitates the machine of the superpageblock cover letter: 256 GB, syzkaller and the triage of its crashes, all memory
 * used; there, 50 huge pages of 1 GiB could be had without killing anybody. How much of its memory was not movable the
 * sources do not say; the twentieth is that of the scenario. model: spb 1.2; scenario 39
 */
import { Migratetype } from '../../mm/types.js';
import { ContiguousDemand } from '../actors/contiguous.js';
import { Marks } from '../actors/marks.js';
import { network } from '../actors/network.js';
import { PageCache } from '../actors/page-cache.js';
import { Processes } from '../actors/processes.js';
import { count, order, rate, share, size, time } from '../options.js';
import { MAX_FOLIO_ORDER } from '../page-mix.js';
import { checkFits, defineWorkload, restForCache } from '../workload.js';
import type { Actor, World } from '../world.js';
import { FILL_PART, kernelPages, pool, reclaimableSlab, wave } from './parts.js';

const GIB_PAGES = 1 << 18;
/** between two demands at the end */
const DEMAND_NS = 100e6;
const NET_LATENCY_NS = 2e6;
const NET_BACKLOG_PAGES = 2048;

const OPTIONS = {
  used: share('115%', 'memory in use, of all; above 100% reclaim has to run', 2),
  nonmovable: share('5%', 'memory that cannot be moved, of all'),
  slab: share('33.3%', 'reclaimable slab, of the memory that cannot be moved'),
  waves: count('6', 'times that the slab grows and shrinks', 10_000, 1),
  'wave-depth': share('40%', 'how far it does, of its mean'),
  turnover: share('10%', 'slab and kernel pages that are exchanged per minute', 100),
  anon: share('40%', 'anonymous memory of the virtual machines, of memory'),
  vms: count('48', 'virtual machines', 65_536, 1),
  'vm-lifetime': share('40%', 'mean time that one lives, of the duration', 100),
  thp: share('98%', 'huge pages, of their memory'),
  forks: rate('10', 'short processes per second'),
  'task-lifetime': time('500ms', 'mean time that one of them lives'),
  'task-memory': size('4MiB', 'its memory, four fifths of it in huge pages', 1, GIB_PAGES),
  net: rate('4000', 'pages of packets per second'),
  churn: share('10%', 'page cache that is read in per minute, of memory', 100),
  'folio-order': order(String(MAX_FOLIO_ORDER), 'largest page-cache folio', MAX_FOLIO_ORDER),
  'demand-1g': count('0', 'pages of 1 GiB that are asked for at the end', 65_536),
};

function processes(world: World, options: { readonly [K in keyof typeof OPTIONS]: number }): Actor[] {
  const fill_ns = world.time(FILL_PART);
  const { vms, forks } = options;
  return [
    new Processes(world, {
      name: 'virtual machines',
      count: vms,
      pages: world.pages(options.anon) / vms,
      thp: options.thp,
      huge: world.requests.hugeAdvised,
      fill_ns,
      lifetime_ns: world.time(options['vm-lifetime']),
      bound: true,
    }),
    new Processes(world, {
      name: 'tasks',
      count: Math.ceil((forks * options['task-lifetime']) / 1e9),
      pages: options['task-memory'],
      thp: 0.8,
      huge: world.requests.huge,
      fill_ns,
      lifetime_ns: options['task-lifetime'],
      bound: false,
    }),
  ];
}

export const syzkallerMix = defineWorkload({
  name: 'syzkaller-mix',
  summary: 'kernel fuzzing: virtual machines, short processes, slab in waves; all memory used',
  defaults: { memory: '256GiB', nodes: 1, cpus: 64, duration: '10min' },
  options: OPTIONS,
  build(world, options) {
    const { anon, nonmovable, used, slab } = options;
    checkFits({ anon, nonmovable });
    const cache = restForCache(world, used, { anon, nonmovable });
    const fill_ns = world.time(FILL_PART);
    const end_ns = world.scale.duration_ns;
    const period_ns = (end_ns - fill_ns) / options.waves;
    const filled = (now_ns: number) => Math.min(1, now_ns / Math.max(1, fill_ns));
    const slab_pages = world.pages(nonmovable * slab);
    const kernel_pages = world.pages(nonmovable * (1 - slab));
    const depth = options['wave-depth'];
    const actors = [
      new Marks(world, [
        ['fill', 0],
        ['steady', fill_ns],
      ]),
      new PageCache(world, {
        target_pages: cache,
        fill_ns,
        churn_pages: world.pages(options.churn) / 60,
        maxFolioOrder: options['folio-order'],
        writes: 0.2,
        deletes: 0.05,
      }),
      pool(world, {
        name: 'slab',
        mix: reclaimableSlab(world),
        target: (now_ns) =>
          now_ns < fill_ns
            ? slab_pages * filled(now_ns)
            : slab_pages * wave(now_ns - fill_ns, period_ns, depth),
        most_pages: slab_pages * (1 + depth),
        turnover: options.turnover,
      }),
      pool(world, {
        name: 'kernel',
        mix: kernelPages(world),
        target: (now_ns) => kernel_pages * filled(now_ns),
        most_pages: kernel_pages,
        turnover: options.turnover,
        sharedType: Migratetype.unmovable,
      }),
      ...processes(world, options),
      ...network(world, {
        pages_per_second: options.net,
        latency_ns: NET_LATENCY_NS,
        backlog_pages: NET_BACKLOG_PAGES,
        sends: 0.1,
      }),
    ];
    return [{ actors, until_ns: end_ns }, ...demand(world, options['demand-1g'])];
  },
});

/** What comes after the story: everybody else holds still. */
function demand(world: World, pages: number): { actors: Actor[]; until_ns: number }[] {
  if (pages === 0) return [];
  const start_ns = world.scale.duration_ns;
  const plan = { pages: GIB_PAGES, start_ns, interval_ns: DEMAND_NS, count: pages, most: pages };
  const actors = [
    new Marks(world, [['demand', start_ns]]),
    new ContiguousDemand(world, { ...plan, hold_ns: Number.POSITIVE_INFINITY }),
  ];
  return [{ actors, until_ns: Number.POSITIVE_INFINITY }];
}
