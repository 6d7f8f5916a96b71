/** What the workloads of allocation from any context have in common: a machine with page cache, and users of its slabs. */
import { MAX_RUN_ALLOCS, NolockProgram } from '../actors/nolock-program.js';
import { PageCache } from '../actors/page-cache.js';
import { type Interrupter, SlabLoad } from '../actors/slab-load.js';
import { count, type OptionSpec, type OptionValues, order, rate, share } from '../options.js';
import { MAX_FOLIO_ORDER } from '../page-mix.js';
import type { ByteRequest } from '../trace-rows.js';
import { restForCache } from '../workload.js';
import type { Actor, World } from '../world.js';
import { FILL_PART } from './parts.js';

/** Largest size that is served from any context. model: slub 3.2 */
const MAX_NOLOCK_BYTES = 8192;
const MAX_OBJECTS = 1 << 20;

export const MACHINE_OPTIONS = {
  load: rate('200000', 'operations of ordinary users per second'),
  objects: count('20000', 'objects that they have', MAX_OBJECTS, 1),
  pages: share('10%', 'operations on pages, of theirs'),
  softirqs: share('20%', 'bursts in softirq, of theirs'),
  used: share('50%', 'memory in use by page cache', 2),
  churn: share('10%', 'page cache that is read in per minute, of memory', 100),
  'folio-order': order('4', 'largest page-cache folio', MAX_FOLIO_ORDER),
};

export const PROGRAM_OPTIONS = {
  'size-from': count('16', 'smallest object of a program, in bytes', MAX_NOLOCK_BYTES, 1),
  'size-to': count('256', 'largest, in bytes', MAX_NOLOCK_BYTES, 1),
  allocs: count('2', 'objects of one run at most', MAX_RUN_ALLOCS, 1),
  keep: count('1000', 'objects that its runs keep', MAX_OBJECTS),
};

/** Bytes of one kind of object. */
export function bytesOption(standard: string, doc: string): OptionSpec {
  return count(standard, doc, MAX_NOLOCK_BYTES, 1);
}

export function slabMachine(
  world: World,
  options: OptionValues<typeof MACHINE_OPTIONS>,
  interrupter: Interrupter,
): readonly Actor[] {
  return [
    new PageCache(world, {
      target_pages: restForCache(world, options.used, {}),
      fill_ns: world.time(FILL_PART),
      churn_pages: world.pages(options.churn) / 60,
      maxFolioOrder: options['folio-order'],
      writes: 0.2,
      deletes: 0.1,
    }),
    new SlabLoad(
      world,
      {
        operations_per_second: options.load,
        objects: options.objects,
        pages: options.pages,
        softirqs: options.softirqs,
      },
      interrupter,
    ),
  ];
}

export function program(
  world: World,
  options: OptionValues<typeof PROGRAM_OPTIONS>,
  name: string,
  request: ByteRequest = world.byteRequests.program,
): NolockProgram {
  return new NolockProgram(world, {
    name,
    request,
    size_from: options['size-from'],
    size_to: options['size-to'],
    allocs: options.allocs,
    keep: options.keep,
  });
}
