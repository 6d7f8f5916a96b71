/**
 * Reclaimable slab that grows sevenfold within minutes on a machine whose memory is all used.
 *
 * Imitates what the superpageblock patches report of a 247 GB machine with a btrfs root: 16 minutes after boot, slab grew
 * from 1.7 to 11.7 GB in 6 minutes. model: spb 1.2; scenario 40
 */
import { Migratetype } from '../../mm/types.js';
import { Marks } from '../actors/marks.js';
import { PageCache } from '../actors/page-cache.js';
import { Processes } from '../actors/processes.js';
import { count, order, share } from '../options.js';
import { MAX_FOLIO_ORDER } from '../page-mix.js';
import { checkFits, defineWorkload, restForCache } from '../workload.js';
import { FILL_PART, kernelPages, polyline, pool, reclaimableSlab } from './parts.js';

/** 6 of 8 minutes */
const RAMP_END = FILL_PART + 6 / 8;
/** processes live for this part of the story */
const LIFETIME = 1 / 2;

export const slabRamp = defineWorkload({
  name: 'slab-ramp',
  summary: 'reclaimable slab grows from 1.7 to 11.7 GB in 6 minutes, memory all used',
  defaults: { memory: '247GiB', nodes: 1, cpus: 36, duration: '8min' },
  options: {
    'slab-from': share('0.69%', 'slab before the ramp, of memory'),
    'slab-to': share('4.74%', 'slab after the ramp, of memory'),
    'slab-turnover': share('10%', 'slab that is exchanged per minute', 100),
    used: share('105%', 'memory in use, of all; above 100% reclaim has to run', 2),
    anon: share('35%', 'anonymous memory, of memory'),
    processes: count('64', 'processes that have it', 65_536, 1),
    thp: share('97%', 'huge pages, of anonymous memory'),
    kernel: share('1%', 'pages that the kernel keeps for itself, of memory'),
    churn: share('5%', 'page cache that is read in per minute, of memory', 100),
    'folio-order': order(String(MAX_FOLIO_ORDER), 'largest page-cache folio', MAX_FOLIO_ORDER),
  },
  build(world, options) {
    const { anon, kernel, used } = options;
    const from = world.pages(options['slab-from']);
    const to = world.pages(options['slab-to']);
    const fill_ns = world.time(FILL_PART);
    const ramp_end_ns = world.time(RAMP_END);
    checkFits({ anon, kernel, 'slab-to': Math.max(options['slab-to'], options['slab-from']) });
    const cache = restForCache(world, used, { anon, kernel, 'slab-from': options['slab-from'] });
    const actors = [
      new Marks(world, [
        ['fill', 0],
        ['ramp', fill_ns],
        ['steady', ramp_end_ns],
      ]),
      new PageCache(world, {
        target_pages: cache,
        fill_ns,
        churn_pages: world.pages(options.churn) / 60,
        maxFolioOrder: options['folio-order'],
        writes: 0.25,
        deletes: 0.05,
      }),
      pool(world, {
        name: 'slab',
        mix: reclaimableSlab(world),
        target: polyline([
          [0, 0],
          [fill_ns, from],
          [ramp_end_ns, to],
        ]),
        most_pages: Math.max(from, to),
        turnover: options['slab-turnover'],
      }),
      pool(world, {
        name: 'kernel',
        mix: kernelPages(world),
        target: polyline([
          [0, 0],
          [fill_ns, world.pages(kernel)],
        ]),
        most_pages: world.pages(kernel),
        turnover: 0.1,
        sharedType: Migratetype.unmovable,
      }),
      new Processes(world, {
        name: 'processes',
        count: options.processes,
        pages: world.pages(anon) / options.processes,
        thp: options.thp,
        huge: world.requests.hugeAdvised,
        fill_ns,
        lifetime_ns: world.time(LIFETIME),
        bound: false,
      }),
    ];
    return [{ actors, until_ns: world.scale.duration_ns }];
  },
});
