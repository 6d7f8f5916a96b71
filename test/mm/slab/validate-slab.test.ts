/** Every check of validateSlabs notices what it is there for. */
import { expect, test } from 'vitest';
import { flushCpuSlab } from '../../../src/mm/slab/flush-shrink.js';
import type { KmemCache } from '../../../src/mm/slab/kmem-cache.js';
import type { CacheSheaves } from '../../../src/mm/slab/sheaves/cache-sheaves.js';
import { SLAB_DEBUG_FZPU } from '../../../src/mm/slab/slab-flags.js';
import { SlabStat } from '../../../src/mm/slab/slab-stats.js';
import {
  NO_SLOT,
  SLAB_FROZEN,
  SLAB_NODE_PARTIAL,
  SLAB_ON_FULL_LIST,
} from '../../../src/mm/slab/slab-table.js';
import { validateSlabs } from '../../../src/mm/slab/validate-slab.js';
import { Rig } from './support.js';

/** A cache with slabs in every place: a CPU's, a chain, a node's list, a full one. */
function everywhere(): { rig: Rig; cache: KmemCache; debug: KmemCache; full: number } {
  const rig = new Rig({ cpus: 2 });
  const cache = rig.cache(256);
  const { objects } = cache.geometry;
  const places = rig.take(cache, 4 * objects);
  rig.take(cache, 2);
  rig.free(cache, places[0]!, 1);
  flushCpuSlab(rig.slabs, cache, 1);
  rig.free(cache, places[objects]!, 1);
  rig.free(cache, places[objects + 1]!, 1);
  const debug = rig.cache(64, { flags: SLAB_DEBUG_FZPU });
  rig.take(debug, debug.geometry.objects + 1);
  validateSlabs(rig.slabs);
  return { rig, cache, debug, full: places[2 * objects]!.slab };
}

test.each<[string, (at: ReturnType<typeof everywhere>) => void, RegExp]>([
  [
    'a count of the list',
    ({ cache }) => {
      cache.nr_partial[0]!++;
    },
    /nr_partial/,
  ],
  [
    'a count of slabs',
    ({ cache }) => {
      cache.nr_slabs[0]!--;
    },
    /nr_slabs/,
  ],
  [
    'a count of objects',
    ({ cache }) => {
      cache.total_objects[0]!++;
    },
    /total_objects/,
  ],
  [
    'a length of a chain',
    ({ cache }) => {
      cache.cpu_partial_count[1]!++;
    },
    /chain of 1 counted as 2/,
  ],
  [
    'pages',
    ({ rig }) => {
      rig.slabs.nr_slab_unreclaimable_pages[0]!++;
    },
    /slab pages/,
  ],
  [
    'inuse',
    ({ rig, full }) => {
      rig.slabs.table.inuse[full]!--;
    },
    /inuse/,
  ],
  [
    'a mark of the list',
    ({ rig, full }) => rig.slabs.table.setFlag(full, SLAB_NODE_PARTIAL),
    /mark node-partial/,
  ],
  ['a mark of freezing', ({ rig, full }) => rig.slabs.table.setFlag(full, SLAB_FROZEN), /mark frozen/],
  [
    'a mark of the full list',
    ({ rig, full }) => rig.slabs.table.setFlag(full, SLAB_ON_FULL_LIST),
    /mark full/,
  ],
  [
    'a slab in two places',
    ({ cache }) => {
      cache.cpuPartial[0] = cache.cpuPartial[1]!;
      cache.cpu_partial_count[0] = 1;
    },
    /two places/,
  ],
  [
    'a slab that is gone',
    ({ cache }) => {
      cache.cpuSlab[0] = 40;
    },
    /does not exist/,
  ],
  [
    'slots without a slab',
    ({ cache }) => {
      cache.freelist[1] = 3;
    },
    /slots without a slab/,
  ],
  [
    'a link back',
    ({ rig, cache }) => {
      rig.slabs.table.prev[cache.partial.head[0]!] = 1;
    },
    /linked wrongly/,
  ],
  [
    'an end of a list',
    ({ cache }) => {
      cache.partial.tail[0] = 77;
    },
    /ends elsewhere/,
  ],
  [
    'a freelist in a circle',
    ({ rig, cache }) => rig.slabs.table.linkFree(cache.cpuPartial[1]!, 1, 1),
    /on a freelist twice/,
  ],
  [
    'a freelist that leaves the slab',
    ({ rig, cache }) => rig.slabs.table.linkFree(cache.cpuPartial[1]!, 1, 999),
    /slot 999/,
  ],
  [
    'a slot that is free twice',
    ({ rig, cache }) => {
      const slab = cache.cpuSlab[0]!;
      rig.slabs.table.freelist[slab] = cache.freelist[0]!;
      rig.slabs.table.linkFree(slab, cache.freelist[0]!, NO_SLOT);
      rig.slabs.table.inuse[slab]!--;
    },
    /twice/,
  ],
  [
    'a free slab that is nowhere',
    ({ cache }) => {
      cache.cpuPartial[1] = -1;
      cache.cpu_partial_count[1] = 0;
    },
    /on no list/,
  ],
  [
    'slabs of the table',
    ({ rig }) => {
      rig.slabs.table.count++;
    },
    /the table counts/,
  ],
])('%s', (_what, damage, text) => {
  const at = everywhere();
  damage(at);
  expect(() => validateSlabs(at.rig.slabs)).toThrow(text);
});

test('a slot that is neither handed out nor free', () => {
  const { rig } = everywhere();
  expect(() => validateSlabs(rig.slabs, { isLive: () => false })).toThrow(/lost or in two places/);
});

/** A cache with sheaves in every place: main and spare ones of two CPUs, full and empty ones of the barn. */
function sheavesEverywhere(): { rig: Rig; cache: KmemCache; sheaves: CacheSheaves } {
  const rig = new Rig({ cpus: 2, policy: { 'slab.kind': 'sheaves', 'slab.cpu_partial': false } });
  const cache = rig.cache(4096);
  const places = rig.take(cache, 40);
  for (const place of places.splice(0, 30)) rig.free(cache, place);
  rig.take(cache, 12, 1);
  validateSlabs(rig.slabs);
  const sheaves = cache.sheaves!;
  expect([sheaves.nr_full[0]! > 0, sheaves.nr_empty[0]! > 0]).toEqual([true, true]);
  return { rig, cache, sheaves };
}

test.each<[string, (at: ReturnType<typeof sheavesEverywhere>) => void, RegExp]>([
  [
    'a sheaf in two places',
    ({ sheaves }) => {
      sheaves.main[1] = sheaves.main[0]!;
    },
    /two places/,
  ],
  [
    'a sheaf that does not exist',
    ({ sheaves }) => {
      sheaves.spare[0] = 99;
    },
    /does not exist/,
  ],
  [
    'a sheaf that is lost',
    ({ sheaves }) => {
      sheaves.spare[0] = -1;
    },
    /sheaves, \d+ found/,
  ],
  [
    'sheaves that no counter knows',
    ({ cache }) => {
      cache.stats[SlabStat.sheaf_free]!++;
    },
    /by the counters/,
  ],
  [
    'a count of full sheaves',
    ({ sheaves }) => {
      sheaves.nr_full[0]!++;
    },
    /counts of full sheaves/,
  ],
  [
    'a count of empty sheaves',
    ({ sheaves }) => {
      sheaves.nr_empty[0]!--;
    },
    /counts of empty sheaves/,
  ],
  [
    'a full sheaf with room',
    ({ sheaves }) => {
      sheaves.size[sheaves.fullHead[0]!]!--;
    },
    /a full sheaf is not/,
  ],
  [
    'an empty sheaf with objects',
    ({ sheaves }) => {
      sheaves.size[sheaves.emptyHead[0]!]!++;
    },
    /an empty sheaf is not/,
  ],
  [
    'more objects than fit',
    ({ sheaves }) => {
      sheaves.size[sheaves.main[0]!] = 5;
    },
    /holds 5 of 4/,
  ],
  [
    'an object of no slab',
    ({ sheaves }) => {
      sheaves.objects.slab[sheaves.base(sheaves.fullHead[0]!)] = 999;
    },
    /not the cache's/,
  ],
  [
    'an object twice',
    ({ sheaves }) => {
      const at = sheaves.base(sheaves.fullHead[0]!);
      sheaves.objects.slab[at] = sheaves.objects.slab[at + 1]!;
      sheaves.objects.slot[at] = sheaves.objects.slot[at + 1]!;
    },
    /in a sheaf and free elsewhere/,
  ],
])('%s', (_what, damage, text) => {
  const at = sheavesEverywhere();
  damage(at);
  expect(() => validateSlabs(at.rig.slabs)).toThrow(text);
});
