/**
 * Programs attached to functions inside the allocators: what they allocate is asked for in the middle of an operation, by a
 * direct call with its locks held. model: slub 3.2, 3.4
 */
import { Kprobes } from '../actors/kprobes.js';
import { Marks } from '../actors/marks.js';
import { share } from '../options.js';
import { pointOptions, StrikePoints } from '../strike-points.js';
import { defineWorkload } from '../workload.js';
import { FILL_PART } from './parts.js';
import { MACHINE_OPTIONS, PROGRAM_OPTIONS, program, slabMachine } from './slab-machine.js';

export const kprobeInSlab = defineWorkload({
  name: 'kprobe-in-slab',
  summary: 'programs attached inside the allocators allocate with their locks held',
  defaults: { memory: '8GiB', nodes: 1, cpus: 8, duration: '10s' },
  hasSlab: true,
  options: {
    fires: share('5%', 'operations that run a program, of all'),
    nmis: share('2%', 'runs that an NMI strikes, with a program of its own'),
    ...PROGRAM_OPTIONS,
    // No point of the fast path: it calls no function that a program could be attached to.
    ...pointOptions({ cpu_slab: 4, list_lock: 4, page_alloc: 2, pcp: 1, zone: 1 }),
    ...MACHINE_OPTIONS,
  },
  build(world, options) {
    const start_ns = world.time(FILL_PART);
    const kprobes = new Kprobes(
      world,
      { fires: options.fires, nmis: options.nmis, start_ns },
      program(world, options, 'program'),
      program(world, options, 'program of the NMI'),
      new StrikePoints(options),
    );
    const actors = [
      new Marks(world, [
        ['fill', 0],
        ['attached', start_ns],
      ]),
      ...slabMachine(world, options, kprobes),
    ];
    return [{ actors, until_ns: world.scale.duration_ns }];
  },
});
