/** A server in equilibrium: nothing grows, everything is exchanged. The baseline that other workloads are compared with. */
import { Marks } from '../actors/marks.js';
import { defineWorkload } from '../workload.js';
import { FILL_PART } from './parts.js';
import { SERVER_OPTIONS, server } from './server.js';

export const steadyServer = defineWorkload({
  name: 'steady-server',
  summary: 'a server in equilibrium: workers, page cache, slab turnover, some network',
  defaults: { memory: '32GiB', nodes: 1, cpus: 16, duration: '5min' },
  options: SERVER_OPTIONS,
  build(world, options) {
    const marks = new Marks(world, [
      ['fill', 0],
      ['steady', world.time(FILL_PART)],
    ]);
    return [{ actors: [marks, ...server(world, options)], until_ns: world.scale.duration_ns }];
  },
});
