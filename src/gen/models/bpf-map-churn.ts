/**
 * A hash map without preallocation: elements are allocated on some CPUs and freed on others, so that most frees are of
 * slabs that are another CPU's. model: slub 4.2, 4.3
 */
import { bpfMap } from '../actors/bpf-map.js';
import { Marks } from '../actors/marks.js';
import type { Interrupter } from '../actors/slab-load.js';
import { count, rate, share, time } from '../options.js';
import { defineWorkload } from '../workload.js';
import { FILL_PART } from './parts.js';
import { bytesOption, MACHINE_OPTIONS, slabMachine } from './slab-machine.js';

const MAX_ENTRIES = 1 << 21;
const NOBODY: Interrupter = { objects: 0, after: () => {} };

export const bpfMapChurn = defineWorkload({
  name: 'bpf-map-churn',
  summary: 'elements of a hash map are allocated on some CPUs and freed on others',
  defaults: { memory: '8GiB', nodes: 1, cpus: 8, duration: '10s' },
  hasSlab: true,
  options: {
    updates: rate('100000', 'elements that are stored per second, all CPUs together'),
    entries: count('50000', 'elements that the map holds', MAX_ENTRIES, 1),
    element: bytesOption('112', 'an element with its key, in bytes'),
    replaces: share('30%', 'updates that replace an element, of all'),
    softirq: share('80%', 'bursts in softirq, of those on the map'),
    swap: time('1s', 'time after which the CPUs that store become those that delete'),
    ...MACHINE_OPTIONS,
    load: rate('50000', 'operations of ordinary users per second'),
  },
  build(world, options) {
    const actors = [
      new Marks(world, [
        ['fill', 0],
        ['churn', world.time(FILL_PART)],
      ]),
      ...slabMachine(world, options, NOBODY),
      ...bpfMap(world, {
        updates_per_second: options.updates,
        entries: options.entries,
        element_bytes: options.element,
        replaces: options.replaces,
        softirqs: options.softirq,
        swap_ns: options.swap,
      }),
    ];
    return [{ actors, until_ns: world.scale.duration_ns }];
  },
});
