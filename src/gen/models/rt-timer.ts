/**
 * Timers of programs on a kernel for real time: their memory is asked for with a raw lock held, in hardirq, and in hardirqs
 * that come in the middle of an operation, where such a kernel has nothing to give. For machines built for real time; any
 * other gives what it has.
 */
import { bpfTimers } from '../actors/bpf-timers.js';
import { Marks } from '../actors/marks.js';
import { count, rate, share } from '../options.js';
import { pointOptions, StrikePoints } from '../strike-points.js';
import { defineWorkload } from '../workload.js';
import { FILL_PART } from './parts.js';
import { bytesOption, MACHINE_OPTIONS, PROGRAM_OPTIONS, program, slabMachine } from './slab-machine.js';

const MAX_TIMERS = 1 << 20;

export const rtTimer = defineWorkload({
  name: 'rt-timer',
  summary: 'timers of programs, made below a raw lock, expire in hardirq; for real-time kernels',
  defaults: { memory: '8GiB', nodes: 1, cpus: 8, duration: '10s' },
  hasSlab: true,
  kernel: { preempt_rt: true },
  options: {
    starts: rate('20000', 'timers that are made per second, all CPUs together'),
    timers: count('2000', 'timers that are pending', MAX_TIMERS, 1),
    timer: bytesOption('96', 'a timer, in bytes'),
    locked: share('30%', 'timers that are made with hrtimer_bases.lock held'),
    hardirqs: share('50%', 'timers that expire in hardirq; the others do in softirq'),
    inside: share('50%', 'expiries in hardirq that come inside an operation, of those'),
    ...PROGRAM_OPTIONS,
    ...pointOptions({ any: 1, fastpath: 1, cpu_slab: 4, list_lock: 2, pcp: 1, zone: 1 }),
    ...MACHINE_OPTIONS,
  },
  build(world, options) {
    const start_ns = world.time(FILL_PART);
    const plan = {
      starts_per_second: options.starts,
      timers: options.timers,
      timer_bytes: options.timer,
      locked: options.locked,
      hardirqs: options.hardirqs,
      inside: options.inside,
      start_ns,
    };
    const callback = program(world, options, 'callback');
    const { timers, interrupts } = bpfTimers(world, plan, callback, new StrikePoints(options));
    const actors = [
      new Marks(world, [
        ['fill', 0],
        ['timers', start_ns],
      ]),
      ...slabMachine(world, options, interrupts),
      timers,
    ];
    return [{ actors, until_ns: world.scale.duration_ns }];
  },
});
