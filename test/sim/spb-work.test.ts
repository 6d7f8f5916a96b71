/** Superpageblock work on the clock of a run. model: spb 4.1 */
import { expect, test } from 'vitest';
import { machineFromSize } from '../../src/config/machine-by-size.js';
import { bootFresh } from '../../src/mm/page-alloc/boot.js';
import { PageAllocator } from '../../src/mm/page-alloc/page-allocator.js';
import { setUpZones } from '../../src/mm/page-alloc/zone-setup.js';
import { SpbNodeWork } from '../../src/mm/spb/node-work.js';
import { SimBackground } from '../../src/sim/background.js';
import { policyNamed } from '../mm/policies.js';

const MINUTE_NS = 60_000_000_000;

/** A machine whose slab shrinker is this function; each run takes a minute. */
function shrinking(run: (work: SpbNodeWork) => void) {
  const mm = new PageAllocator(machineFromSize({ memory_pages: 1 << 19 }), policyNamed('spb-v2'));
  setUpZones(mm);
  bootFresh(mm);
  const work: SpbNodeWork = new SpbNodeWork(mm, 0, mm.spb!, {
    evacuate: () => 0,
    defrag: () => 0,
    slab_shrink: () => {
      run(work);
      return MINUTE_NS;
    },
  });
  mm.spb!.nodes[0] = work;
  const background = new SimBackground(mm, 0);
  work.raiseSlabShrink();
  return { mm, work, background };
}

test('what waits when a trace ends is done', () => {
  const { mm, work, background } = shrinking(() => undefined);
  background.drain();
  expect([mm.spb!.stats.spb_slab_shrink_ran, work.backlog]).toEqual([1, 0]);
});

test('work that triggers itself for ever does not keep a run from ending', () => {
  const { mm, work, background } = shrinking((again) => again.raiseSlabShrink());
  background.drain();
  expect(mm.spb!.stats.spb_slab_shrink_ran).toBe(60);
  expect(work.backlog).toBeGreaterThan(0);
});
