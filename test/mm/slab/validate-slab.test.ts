/** Every check of validateSlabs notices what it is there for. */
import { expect, test } from 'vitest';
import { flushCpuSlab } from '../../../src/mm/slab/flush-shrink.js';
import type { KmemCache } from '../../../src/mm/slab/kmem-cache.js';
import { SLAB_DEBUG_FZPU } from '../../../src/mm/slab/slab-flags.js';
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
