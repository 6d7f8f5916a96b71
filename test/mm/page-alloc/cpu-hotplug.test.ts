/** CPUs that come and go. model: page-allocator 2.8, 3.3a, 3.9 */
import { describe, expect, it } from 'vitest';
import { offlineCpu, onlineCpu } from '../../../src/mm/page-alloc/cpu-hotplug.js';
import { freePages } from '../../../src/mm/page-alloc/free-owned.js';
import { PCPF_FREE_HIGH_BATCH } from '../../../src/mm/page-alloc/per-cpu-pages.js';
import { validate } from '../../../src/mm/page-alloc/validate.js';
import { POLICY_NAMES } from '../policies.js';
import { BASE, blockMachine, takeChunk } from './setup-support.js';

describe.each(POLICY_NAMES)('CPU hotplug, %s', (policy) => {
  function twoCpus() {
    const { mm, zone } = blockMachine(policy, 512, { cpu_nodes: [0, 0], cache_bytes: 4 << 20 });
    return { mm, zone, pcp: zone.pcps[0]!, other: zone.pcps[1]! };
  }

  it('a dead CPU leaves nothing behind', () => {
    const { mm, zone, other } = twoCpus();
    takeChunk(mm, BASE, 10, false);
    for (let i = 0; i < 10; i++) freePages(mm, 1, BASE + 2 * i, 0);
    zone.postFree(1, 3);
    zone.postFree(0, -3);
    expect(offlineCpu(mm, 1)).toBe(true);
    expect([other.count, other.nr_free_diff]).toEqual([0, 0]);
    expect([...mm.offline_cpus]).toEqual([1]);
    validate(mm);
  });

  it('its share of the zone goes to the others, and comes back with it', () => {
    const { mm, zone, pcp } = twoCpus();
    const before = [pcp.high_min, pcp.high_max, zone.stat_threshold];
    offlineCpu(mm, 1);
    expect(pcp.high_min).toBeGreaterThanOrEqual(2 * before[0]!);
    expect(pcp.high_min).toBeLessThanOrEqual(2 * before[0]! + 1);
    expect(zone.stat_threshold).toBeLessThan(before[2]!);
    expect(onlineCpu(mm, 1)).toBe(true);
    expect([pcp.high_min, pcp.high_max, zone.stat_threshold]).toEqual(before);
  });

  it('its cache is looked at when it comes up', () => {
    const { mm, other } = twoCpus();
    other.flags = 0;
    offlineCpu(mm, 1);
    onlineCpu(mm, 1);
    expect(other.flags).toBe(policy === 'mainline-6.1' ? 0 : PCPF_FREE_HIGH_BATCH);
  });

  it('nothing happens twice, and one CPU always stays', () => {
    const { mm } = twoCpus();
    expect(onlineCpu(mm, 1)).toBe(false);
    expect(offlineCpu(mm, 1)).toBe(true);
    expect(offlineCpu(mm, 1)).toBe(false);
    expect(offlineCpu(mm, 0)).toBe(false);
  });
});
