/** Packets that are received in softirq on every CPU and freed by tasks on others: atomic requests in bursts. */
import { Marks } from '../actors/marks.js';
import { network } from '../actors/network.js';
import { PageCache } from '../actors/page-cache.js';
import { Processes } from '../actors/processes.js';
import { order, rate, share, size, time } from '../options.js';
import { MAX_FOLIO_ORDER } from '../page-mix.js';
import { checkFits, defineWorkload, restForCache } from '../workload.js';
import { FILL_PART, kernelPages, polyline, pool } from './parts.js';

const GIB_PAGES = 1 << 18;
const PROCESSES = 16;

export const netSoftirq = defineWorkload({
  name: 'net-softirq',
  summary: 'packets received in softirq in bursts, freed by tasks on other CPUs',
  defaults: { memory: '8GiB', nodes: 1, cpus: 8, duration: '10s' },
  options: {
    net: rate('200000', 'pages of packets per second, all CPUs together'),
    latency: time('1ms', 'mean time until a reader looks; one in 48 takes 24 times as long'),
    backlog: size('64MiB', 'packets that wait at most; what comes then is dropped', 64, GIB_PAGES),
    sends: share('15%', 'bursts that tasks send instead'),
    used: share('90%', 'memory in use, of all; above 100% reclaim has to run', 2),
    anon: share('25%', 'anonymous memory, of memory'),
    thp: share('80%', 'huge pages, of anonymous memory'),
    kernel: share('3%', 'pages that the kernel keeps for itself, of memory'),
    churn: share('30%', 'page cache that is read in per minute, of memory', 100),
    'folio-order': order('4', 'largest page-cache folio', MAX_FOLIO_ORDER),
  },
  build(world, options) {
    const { used, anon, kernel } = options;
    const fill_ns = world.time(FILL_PART);
    checkFits({ anon, kernel });
    const actors = [
      new Marks(world, [
        ['fill', 0],
        ['steady', fill_ns],
      ]),
      ...network(world, {
        pages_per_second: options.net,
        latency_ns: options.latency,
        backlog_pages: options.backlog,
        sends: options.sends,
      }),
      new PageCache(world, {
        target_pages: restForCache(world, used, { anon, kernel }),
        fill_ns,
        churn_pages: world.pages(options.churn) / 60,
        maxFolioOrder: options['folio-order'],
        writes: 0.2,
        deletes: 0.1,
      }),
      pool(world, {
        name: 'kernel',
        mix: kernelPages(world),
        target: polyline([
          [0, 0],
          [fill_ns, world.pages(kernel)],
        ]),
        most_pages: world.pages(kernel),
        turnover: 0.5,
      }),
      new Processes(world, {
        name: 'processes',
        count: PROCESSES,
        pages: world.pages(anon) / PROCESSES,
        thp: options.thp,
        huge: world.requests.huge,
        fill_ns,
        lifetime_ns: world.scale.duration_ns,
        bound: true,
      }),
    ];
    return [{ actors, until_ns: world.scale.duration_ns }];
  },
});
