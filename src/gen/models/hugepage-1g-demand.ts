/** A steady server on which somebody wants pages of 1 GiB, again and again: what a policy is meant to make possible. */
import { ContiguousDemand } from '../actors/contiguous.js';
import { Marks } from '../actors/marks.js';
import { share, size, time } from '../options.js';
import { defineWorkload } from '../workload.js';
import { FILL_PART } from './parts.js';
import { SERVER_OPTIONS, server } from './server.js';

const MAX_PAGES = 1 << 22;

export const hugepage1gDemand = defineWorkload({
  name: 'hugepage-1g-demand',
  summary: 'a steady server, and a demand for pages of 1 GiB that does not end',
  defaults: { memory: '64GiB', nodes: 1, cpus: 16, duration: '5min' },
  options: {
    ...SERVER_OPTIONS,
    interval: time('5s', 'between two demands'),
    hold: time('1min', 'time that such a page is kept'),
    size: size('1GiB', 'what is asked for', 512, MAX_PAGES),
    most: share('15%', 'memory that is held in such pages at most, of all'),
  },
  build(world, options) {
    const { size: pages, most, interval, hold } = options;
    const fill_ns = world.time(FILL_PART);
    const actors = [
      new Marks(world, [
        ['fill', 0],
        ['demand', fill_ns],
      ]),
      ...server(world, options, { most }),
      new ContiguousDemand(world, {
        pages,
        start_ns: fill_ns,
        interval_ns: interval,
        hold_ns: hold,
        count: Number.POSITIVE_INFINITY,
        most: Math.max(1, Math.floor(world.pages(most) / pages)),
      }),
    ];
    return [{ actors, until_ns: world.scale.duration_ns }];
  },
});
