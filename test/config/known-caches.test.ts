/** The table of well-known caches against what real kernels showed of theirs. */
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { KNOWN_CACHE_NAMES, knownCache } from '../../src/config/known-caches.js';
import { slabGeometry } from '../../src/mm/slab/geometry.js';
import { cacheId, isMergeable } from '../../src/mm/slab/merge.js';
import { policyNamed } from '../mm/policies.js';
import { Rig } from '../mm/slab/support.js';
import { readSysfsCaches } from '../mm/slab/sysfs-caches.js';
import { BUNDLED, NEEDS_REFERENCE, REFERENCE } from '../oracle/material.js';

const MACHINE = { present_cpus: 1, possible_cpus: 1, cache_line_bytes: 64 };

/** Letters of the directory's name that tell flags: `aA` for accounted and reclaimable; '' for neither, or unknown. */
function letters(id: string): string {
  return /^:([a-zA-Z]+)-/.exec(id)?.[1] ?? '';
}

const KERNELS = ['6.1.192/oracle-micro', '6.18.2/slab-1cpu', '7.2.12/nmi'];

test.each(KERNELS)('flags of known caches are those of %s', (directory) => {
  const { aliases } = readSysfsCaches(join(BUNDLED, directory));
  const rig = new Rig({ cpus: 1 });
  const wrong: Record<string, string> = {};
  let compared = 0;
  for (const [name, id] of aliases) {
    const spec = knownCache(name);
    if (spec === undefined) continue;
    compared++;
    if (letters(cacheId(rig.slabs.createCache(spec))) !== letters(id)) wrong[name] = letters(id);
  }
  expect(compared).toBeGreaterThan(50);
  expect(wrong).toEqual({});
});

describe.skipIf(REFERENCE === undefined)(`a distribution's 6.18 ${NEEDS_REFERENCE}`, () => {
  const sysfs = REFERENCE === undefined ? undefined : readSysfsCaches(join(REFERENCE, 'oracle/6.18.15/mem'));
  const policy = policyNamed('mainline-6.18');

  test('names, groups, slots, slabs and alignments of all its caches that the table knows', () => {
    const wrong: string[] = [];
    let compared = 0;
    for (const name of KNOWN_CACHE_NAMES) {
      const directory = sysfs?.aliases.get(name) ?? name;
      const row = sysfs?.directories.get(directory);
      if (row === undefined) continue;
      compared++;
      const spec = knownCache(name)!;
      const geometry = slabGeometry(spec, MACHINE, policy);
      const rig = new Rig({ cpus: 1 });
      const found = isMergeable(spec, policy) ? cacheId(rig.slabs.createCache(spec)) : name;
      const isShared = directory !== name;
      const computed = [found, geometry.size_bytes, geometry.objects, geometry.order];
      const recorded = [directory, row.size_bytes, row.objects, row.order];
      // Those of a shared cache are of its first or its largest user.
      if (!isShared) {
        computed.push(geometry.object_size_bytes, geometry.align_bytes);
        recorded.push(row.object_size_bytes, row.align_bytes);
      }
      if (computed.join() !== recorded.join()) wrong.push(`${name}: ${recorded} computed ${computed}`);
    }
    expect(wrong).toEqual([]);
    expect(compared).toBeGreaterThan(150);
  });

  test('the families with a size in their names', () => {
    for (const name of ['bio-128', 'bio-272', 'msg_msg-2k', 'memdup_user-96']) {
      const row = sysfs!.directories.get(name)!;
      const geometry = slabGeometry(knownCache(name)!, MACHINE, policy);
      expect([name, geometry.object_size_bytes, geometry.size_bytes, geometry.align_bytes]).toEqual([
        name,
        row.object_size_bytes,
        row.size_bytes,
        row.align_bytes,
      ]);
    }
  });
});

test('the table has each name once, and nothing for names that are none', () => {
  expect(new Set(KNOWN_CACHE_NAMES).size).toBe(KNOWN_CACHE_NAMES.length);
  for (const name of ['', '__proto__', 'constructor', 'bio-', 'bio-x', 'bio-1234567', 'msg_msg-'])
    expect(knownCache(name)).toBeUndefined();
});
