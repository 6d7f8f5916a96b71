/**
 * A profiler whose perf-event program allocates in NMIs, on a machine whose tasks and softirqs use the same caches all the
 * time. Some NMIs strike inside an operation, at the locks that it takes. model: slub 3.2, 3.4
 */
import { Marks } from '../actors/marks.js';
import { NmiStrikes, NmisBetween } from '../actors/nmi-storm.js';
import { rate, share } from '../options.js';
import { pointOptions, StrikePoints } from '../strike-points.js';
import { defineWorkload } from '../workload.js';
import { FILL_PART } from './parts.js';
import { MACHINE_OPTIONS, PROGRAM_OPTIONS, program, slabMachine } from './slab-machine.js';

export const bpfNmiStorm = defineWorkload({
  name: 'bpf-nmi-storm',
  summary: 'perf-event programs allocate in NMIs that strike inside slab and page operations',
  defaults: { memory: '8GiB', nodes: 1, cpus: 8, duration: '10s' },
  hasSlab: true,
  options: {
    nmis: rate('10000', 'NMIs per second, all CPUs together'),
    inside: share('50%', 'NMIs that strike inside an operation, of all'),
    ...PROGRAM_OPTIONS,
    ...pointOptions({
      any: 1,
      fastpath: 4,
      cpu_slab: 4,
      list_lock: 2,
      page_alloc: 1,
      install: 1,
      pcp: 1,
      zone: 1,
    }),
    ...MACHINE_OPTIONS,
  },
  build(world, options) {
    const start_ns = world.time(FILL_PART);
    const plan = { nmis_per_second: options.nmis, inside: options.inside, start_ns };
    // One program for all NMIs: objects of one are freed by another.
    const ofNmis = program(world, options, 'program');
    const strikes = new NmiStrikes(world, plan, ofNmis, new StrikePoints(options));
    const actors = [
      new Marks(world, [
        ['fill', 0],
        ['storm', start_ns],
      ]),
      ...slabMachine(world, options, strikes),
      new NmisBetween(world, plan, ofNmis),
    ];
    return [{ actors, until_ns: world.scale.duration_ns }];
  },
});
