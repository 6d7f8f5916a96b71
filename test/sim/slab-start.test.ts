/** The slab allocator that a recording begins with: what slabinfo counts, on pages that kpageflags shows. */
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { machineFromSize } from '../../src/config/machine-by-size.js';
import { bootFresh } from '../../src/mm/page-alloc/boot.js';
import { drainAllPages } from '../../src/mm/page-alloc/drain-all.js';
import { PageAllocator } from '../../src/mm/page-alloc/page-allocator.js';
import { validate } from '../../src/mm/page-alloc/validate.js';
import { setUpZones } from '../../src/mm/page-alloc/zone-setup.js';
import { destroyCache } from '../../src/mm/slab/destroy.js';
import type { KmemCache } from '../../src/mm/slab/kmem-cache.js';
import { slabFree } from '../../src/mm/slab/slab-free.js';
import { NO_SLAB } from '../../src/mm/slab/slab-table.js';
import { validateSlabs } from '../../src/mm/slab/validate-slab.js';
import type { StateIo } from '../../src/mm/state-io.js';
import { Migratetype } from '../../src/mm/types.js';
import { readRecordingMaterial, startAllocator } from '../../src/sim/start-state/recording-material.js';
import { freeCounts } from '../../src/sim/start-state/slab-fill.js';
import { buildSlabStart, type SlabStart } from '../../src/sim/start-state/slab-start.js';
import { TraceScan } from '../../src/sim/start-state/trace-scan.js';
import { Snapshot } from '../../src/sim/state/snapshot.js';
import { Op } from '../../src/trace/event-batch.js';
import { openRecording } from '../../src/trace/recording/recording.js';
import { type Kpageflags, PageClass, PageMark } from '../../src/trace/recording/snapshot/kpageflags.js';
import { parseSlabinfo } from '../../src/trace/recording/snapshot/slabinfo.js';
import { openTrace } from '../../src/trace/source.js';
import { policyNamed } from '../mm/policies.js';
import { FS_CHURN, NEEDS_REFERENCE, REFERENCE } from '../oracle/material.js';
import { B, type Bench, bench } from './pinned-support.js';

const PAGES = 16 * 512;

/** All pages in use for an unknown purpose, but for slabs of 2^order pages at these places. */
function shown(...slabs: readonly [pfn: number, order: number][]): Kpageflags {
  const classes = new Uint8Array(B + PAGES).fill(PageClass.other, B);
  for (const [pfn, order] of slabs) {
    classes.fill(PageClass.slab | PageMark.compound_tail, pfn, pfn + 2 ** order);
    classes[pfn] = PageClass.slab | (order > 0 ? PageMark.compound_head : 0);
  }
  return { classes, counts: [], raw: undefined };
}

function row(name: string, counts: [active: number, objects: number, slabs: number], shape: string): string {
  const [active, objects, slabs] = counts;
  return `${name} ${active} ${objects} ${shape} : tunables 0 0 0 : slabdata ${slabs} ${slabs} 0\n`;
}

interface More {
  readonly kpageflags?: Kpageflags | undefined;
  readonly scan?: TraceScan;
}

function start({ mm }: Pick<Bench, 'mm'>, slabinfo: string, { kpageflags, scan }: More = {}): SlabStart {
  const begun = buildSlabStart(mm, { slabinfo: parseSlabinfo(slabinfo, 'slabinfo'), kpageflags, scan });
  expectSound(begun);
  validate(mm);
  return begun;
}

/** Every slot is on one freelist or alive, and all counts agree with the lists. */
function expectSound({ machine, objects }: SlabStart): void {
  validateSlabs(machine.slabs, { isLive: (slab, slot) => objects.isUnnamed(slab, slot) });
}

function slabsOf({ machine: { slabs } }: SlabStart, cache: KmemCache): number[] {
  const numbers = Array.from({ length: slabs.table.end }, (_, slab) => slab);
  return numbers
    .filter((slab) => slabs.table.exists(slab) && slabs.table.cache[slab] === cache.number)
    .sort((a, b) => slabs.table.pfn[a]! - slabs.table.pfn[b]!);
}

function pfnsOf(begun: SlabStart, name: string): string[] {
  const { table } = begun.machine.slabs;
  const numbers = slabsOf(begun, begun.names.named(name)!);
  return numbers.map((slab) => `${(table.pfn[slab]! - B).toString(16)}/${table.order[slab]}`);
}

/** Free slots of the slabs on the nodes' lists: what slabinfo does not count as active. */
function listedFree({ machine: { slabs } }: SlabStart, cache: KmemCache): number {
  let free = 0;
  for (let node = 0; node < cache.nodes; node++)
    for (const slab of cache.partial.slabs(node))
      free += slabs.table.objects[slab]! - slabs.table.inuse[slab]!;
  return free;
}

/** Frees every object of the start and destroys the caches. @returns slabs left */
function freeAll({ machine: { slabs }, objects }: SlabStart): number {
  let left = 0;
  for (const cache of slabs.caches) {
    for (let slab = objects.takeUnknown(cache); slab !== NO_SLAB; slab = objects.takeUnknown(cache))
      slabFree(slabs, cache, 0, slab, objects.slot);
    left += destroyCache(slabs, cache, 0);
  }
  return left;
}

const FILP = '192 21 1';
const TASK = '8768 3 8';

describe('slabs of a recording', () => {
  const places: [number, number][] = Array.from({ length: 10 }, (_, i) => [B + 0x100 + 2 * i, 0]);

  test('are as many as slabinfo counts, on pages that are slabs, with as many free slots on the lists', () => {
    const on = bench('mainline-6.18');
    const begun = start(on, row('filp', [150, 210, 10], FILP), { kpageflags: shown(...places) });
    const cache = begun.names.named('filp')!;
    expect([cache.nr_slabs[0], cache.total_objects[0], listedFree(begun, cache)]).toEqual([10, 210, 60]);
    expect(pfnsOf(begun, 'filp')).toEqual(places.map(([pfn]) => `${(pfn - B).toString(16)}/0`));
    // 60 free slots in 21 to a slab, half of each free: six slabs. One for each CPU, half free. Two are left for the chains.
    expect([cache.nr_partial[0], [...cache.cpuSlab].every((slab) => slab !== NO_SLAB)]).toEqual([6, true]);
    expect([...cache.cpu_partial_count]).toEqual([1, 1]);
    expect([objectsAlive(begun), begun.objects.aliveIn(cache)]).toEqual([210 - 60 - 40, 210 - 60 - 40]);
    expect(begun.machine.slabs.nr_slab_unreclaimable_pages[0]).toBe(10);
    expect(begun.notes).toHaveLength(1);
  });

  test('give back exactly their pages', () => {
    const on = bench('mainline-6.18');
    const kpageflags = shown(...places, [B + 0x200, 3], [B + 0x208, 3], [B + 0x212, 1]);
    const text =
      row('filp', [150, 210, 10], FILP) +
      row('task_struct', [6, 6, 2], TASK) +
      row('x', [4, 8, 1], '1024 8 2');
    const begun = start(on, text, { kpageflags });
    expect(freeAll(begun)).toBe(0);
    expect([objectsAlive(begun), begun.machine.slabs.table.count]).toEqual([0, 0]);
    drainAllPages(on.mm);
    validate(on.mm);
    expect(on.zone.nr_free_pages).toBe(10 + 16 + 2);
    for (const [pfn] of places) expect(on.mm.pages.buddyHead(pfn)).toBe(pfn);
    expect(on.mm.pages.buddyHead(B + 0x101)).toBe(-1);
  });

  test('of the smaller order are told by the count of objects', () => {
    const on = bench('mainline-6.18');
    // kmalloc-1k: 4 KiB hold 4, 16 KiB hold 16. Three slabs with 24 objects: one large, two small.
    const kpageflags = shown([B + 4, 2], [B + 8, 0], [B + 9, 0], [B + 11, 0]);
    const begun = start(on, row('kmalloc-1k', [24, 24, 3], '1024 16 4'), { kpageflags });
    expect(pfnsOf(begun, 'kmalloc-1k')).toEqual(['4/2', '8/0', '9/0']);
    expect(begun.names.named('kmalloc-1k')!.total_objects[0]).toBe(24);
  });

  test('lie in pageblocks of their mobility, as far as there are any', () => {
    const on = bench('mainline-6.18');
    on.mm.pages.blockType[(B >>> 9) + 1] = Migratetype.reclaimable;
    const kpageflags = shown([B + 1, 0], [B + 2, 0], [B + 513, 0], [B + 514, 0]);
    const text = row('dentry', [63, 63, 3], '192 21 1') + row('filp', [21, 21, 1], FILP);
    const begun = start(on, text, { kpageflags });
    expect([pfnsOf(begun, 'dentry'), pfnsOf(begun, 'filp')]).toEqual([['2/0', '201/0', '202/0'], ['1/0']]);
    expect(begun.machine.slabs.nr_slab_reclaimable_pages[0]).toBe(3);
  });

  test('of several caches lie between each other', () => {
    const on = bench('mainline-6.18');
    const kpageflags = shown(...Array.from({ length: 8 }, (_, i): [number, number] => [B + i, 0]));
    const text = row('filp', [42, 42, 2], FILP) + row('vmap_area', [336, 336, 6], '72 56 1');
    const begun = start(on, text, { kpageflags });
    expect(pfnsOf(begun, 'filp')).toEqual(['2/0', '6/0']);
  });

  test('are no pages that an event before the snapshot freed', async () => {
    const on = bench('mainline-6.18');
    const scan = new TraceScan(B + PAGES);
    scan.firstEvent[B + 1] = 2;
    scan.firstEvent[B + 2] = 2 | 0x10;
    const begun = start(on, row('filp', [21, 21, 1], FILP), {
      kpageflags: shown([B + 1, 0], [B + 2, 0]),
      scan,
    });
    expect(pfnsOf(begun, 'filp')).toEqual(['2/0']);
  });

  test('are no pages that somebody else has', () => {
    const on = bench('mainline-6.18');
    on.zone.addTail(B + 4, 2, 1);
    on.zone.nr_free_pages += 4;
    const kpageflags = shown([B + 4, 2], [B + 8, 2]);
    expect(pfnsOf(start(on, row('x', [4, 4, 1], '4096 4 4'), { kpageflags }), 'x')).toEqual(['8/2']);
  });

  test('stand on other pages in use where none are shown, and are left out where there are none', () => {
    const on = bench('mainline-6.18');
    const classes = new Uint8Array(B + PAGES).fill(PageClass.anon, B);
    classes[B + 7] = PageClass.slab;
    classes.fill(PageClass.other, B + 20, B + 22);
    const begun = start(on, row('filp', [100, 105, 5], FILP), {
      kpageflags: { classes, counts: [], raw: undefined },
    });
    expect(pfnsOf(begun, 'filp')).toEqual(['7/0', '14/0', '15/0']);
    expect(begun.notes.slice(1)).toEqual([
      '2 of them stand on pages that before/kpageflags does not show as slabs',
      '2 slabs of before/slabinfo found no pages that were in use',
    ]);
    expect(listedFree(begun, begun.names.named('filp')!)).toBe(3);
  });

  test('stand anywhere without kpageflags, and do not exist without slabinfo', () => {
    const on = bench('mainline-6.18');
    const begun = start(on, row('filp', [100, 105, 5], FILP) + row('task_struct', [3, 3, 1], TASK));
    expect([pfnsOf(begun, 'task_struct'), pfnsOf(begun, 'filp')]).toEqual([
      ['0/3'],
      ['8/0', '9/0', 'a/0', 'b/0', 'c/0'],
    ]);
    expect(begun.notes[1]).toContain('no before/kpageflags');
    const none = buildSlabStart(bench('mainline-6.18').mm, {
      slabinfo: undefined,
      kpageflags: undefined,
      scan: undefined,
    });
    expect([none.machine.slabs.table.count, objectsAlive(none), none.objects.takeUnknownKmalloc()]).toEqual([
      0,
      0,
      NO_SLAB,
    ]);
    expect(none.notes[0]).toContain('no before/slabinfo');
  });

  test('are no more than there is memory, whatever slabinfo says', () => {
    const on = bench('mainline-6.18');
    const most = 2 ** 53 - 1;
    const text =
      row('filp', [0, most, most], FILP) +
      row('a', [most, most, most], '512 8 1') +
      row('kmalloc-4k', [0, 1, most], '4096 8 8');
    const begun = start(on, text);
    expect(begun.machine.slabs.table.count).toBeGreaterThan(100);
    expect(begun.machine.slabs.table.count).toBeLessThanOrEqual(PAGES);
  });

  test('and CPUs have slabs of their own node', () => {
    const mm = new PageAllocator(
      machineFromSize({ memory_pages: 1 << 16, cpus: 4, nodes: 2 }),
      policyNamed('mainline-6.18'),
    );
    setUpZones(mm);
    bootFresh(mm);
    const classes = new Uint8Array(mm.pages.end_pfn).fill(PageClass.other);
    for (const { zones } of mm.nodes) {
      const pfn = takeChunk(mm, zones.at(-1)!.start_pfn);
      classes.fill(PageClass.slab, pfn, pfn + 3);
    }
    const kpageflags = { classes, counts: [], raw: undefined };
    const begun = start({ mm }, row('filp', [126, 126, 6], FILP), { kpageflags });
    const cache = begun.names.named('filp')!;
    expect([...cache.nr_slabs]).toEqual([3, 3]);
    const nodes = [...cache.cpuSlab].map((slab) => begun.machine.slabs.table.node[slab]);
    expect(nodes).toEqual(mm.spec.cpu_nodes);
    expect(new Set(nodes).size).toBe(2);
  });
});

/** Makes a free chunk pages in use of which nothing is known. @returns its first PFN */
function takeChunk(mm: PageAllocator, from: number): number {
  for (let pfn = from; pfn < mm.pages.end_pfn; pfn++) {
    const order = mm.pages.buddyOrder(pfn);
    if (order < 0) continue;
    const zone = mm.zoneOf(pfn);
    zone.remove(pfn, order, mm.pages.listType(pfn, order));
    zone.nr_free_pages -= 1 << order;
    return pfn;
  }
  throw new Error('nothing is free');
}

function objectsAlive({ objects }: SlabStart): number {
  return objects.total;
}

describe('the kernel', () => {
  test('shows by its kmalloc caches whether it accounts them and what its smallest is', () => {
    const begun = start(bench('mainline-6.18'), row('kmalloc-64', [0, 0, 0], '64 64 1'));
    expect([begun.names.named('kmalloc-cg-64'), begun.names.named('kmalloc-32')]).toEqual([
      undefined,
      undefined,
    ]);
    expect(begun.machine.kmalloc.cacheFor(8, 0)!.name).toBe('kmalloc-64');
    const both = start(
      bench('mainline-6.18'),
      row('kmalloc-8', [0, 0, 0], '8 512 1') + row('kmalloc-cg-1k', [0, 0, 0], '1024 16 4'),
    );
    expect(both.machine.kmalloc.cacheFor(8, 0x40_0000)!.name).not.toBe('');
    expect(both.names.named('kmalloc-cg-64')).toBeDefined();
  });

  test('shows what slabs it cuts them from', () => {
    const begun = start(bench('mainline-6.18'), row('kmalloc-1k', [0, 0, 0], '1024 4 1'));
    expect(begun.names.named('kmalloc-1k')!.geometry).toMatchObject({ order: 0, objects: 4 });
    expect(begun.names.named('kmalloc-2k')!.geometry.order).toBe(3);
  });
});

describe('free slots', () => {
  test('are spread over the slabs, none of which is full and hardly any empty', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 64 }), { minLength: 1, maxLength: 30 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (objects, share) => {
          const most = objects.reduce((sum, each) => sum + each, 0);
          const free = objects.length + Math.floor(share * (most - objects.length));
          const counts = freeCounts(objects, free);
          expect(counts.reduce((sum, each) => sum + each, 0)).toBe(free);
          counts.forEach((count, i) => {
            expect(count).toBeGreaterThanOrEqual(1);
            expect(count).toBeLessThanOrEqual(objects[i]!);
          });
          const room = objects.reduce((sum, each) => sum + Math.max(1, each - 1), 0);
          if (free > room) return;
          for (const [i, count] of counts.entries())
            expect(count).toBeLessThanOrEqual(Math.max(1, objects[i]! - 1));
        },
      ),
    );
  });
});

describe('objects that nobody named', () => {
  const text =
    row('filp', [300, 420, 20], FILP) +
    row('kmalloc-64', [100, 128, 2], '64 64 1') +
    row('kmalloc-8', [512, 512, 1], '8 512 1');

  test('are each taken once, from the slots that were alive, in the same order every time', () => {
    const takeAll = () => {
      const begun = start(bench('mainline-6.18'), text);
      const cache = begun.names.named('filp')!;
      const alive = new Set<string>();
      for (const slab of slabsOf(begun, cache))
        for (let slot = 0; slot < 21; slot++)
          if (begun.objects.isUnnamed(slab, slot)) alive.add(`${slab}:${slot}`);
      const taken: string[] = [];
      for (
        let slab = begun.objects.takeUnknown(cache);
        slab !== NO_SLAB;
        slab = begun.objects.takeUnknown(cache)
      ) {
        taken.push(`${slab}:${begun.objects.slot}`);
        expect(begun.objects.isUnnamed(slab, begun.objects.slot)).toBe(false);
        expect(begun.objects.aliveIn(cache)).toBe(alive.size - taken.length);
      }
      expect(new Set(taken)).toEqual(alive);
      expect(taken).toHaveLength(alive.size);
      return taken;
    };
    expect(takeAll()).toEqual(takeAll());
  });

  test('of all slabs are taken alike', () => {
    const begun = start(bench('mainline-6.18'), text);
    const cache = begun.names.named('filp')!;
    const numbers = slabsOf(begun, cache);
    const alive = numbers.map(
      (slab) =>
        Array.from({ length: 21 }, (_, slot) => begun.objects.isUnnamed(slab, slot)).filter(Boolean).length,
    );
    const half = begun.objects.aliveIn(cache) / 2;
    const taken = new Map<number, number>();
    for (let i = 0; i < half; i++) {
      const slab = begun.objects.takeUnknown(cache);
      taken.set(slab, (taken.get(slab) ?? 0) + 1);
    }
    // Half of each, as chance has it: five standard deviations.
    numbers.forEach((slab, i) => {
      expect(Math.abs((taken.get(slab) ?? 0) - alive[i]! / 2)).toBeLessThan(
        1 + (5 * Math.sqrt(alive[i]!)) / 2,
      );
    });
  });

  test('of kmalloc caches are taken for pointers alone', () => {
    const begun = start(bench('mainline-6.18'), text);
    const { table, caches } = begun.machine.slabs;
    const counts = new Map<string, number>();
    const total =
      begun.objects.aliveIn(begun.names.named('kmalloc-64')!) +
      begun.objects.aliveIn(begun.names.named('kmalloc-8')!);
    for (let i = 0; i < total; i++) {
      const { name } = caches[table.cache[begun.objects.takeUnknownKmalloc()]!]!;
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    expect([...counts.keys()].sort()).toEqual(['kmalloc-64', 'kmalloc-8']);
    expect(begun.objects.takeUnknownKmalloc()).toBe(NO_SLAB);
    expect(begun.objects.aliveIn(begun.names.named('filp')!)).toBeGreaterThan(0);
  });
});

test('with sheaves no CPU has a slab, and half a main sheaf of what counts as active', () => {
  const begun = start(bench('mainline-7.2'), row('filp', [150, 210, 10], FILP));
  const { machine, names, objects } = begun;
  const cache = names.named('filp')!;
  const { main, size, capacity } = cache.sheaves!;
  expect(cache.cpuSlab.every((slab) => slab === NO_SLAB)).toBe(true);
  expect([...main].map((sheaf) => size[sheaf])).toEqual([capacity / 2, capacity / 2]);
  expect(listedFree(begun, cache)).toBe(210 - 150);
  let alive = 0;
  while (objects.takeUnknown(cache) !== NO_SLAB) alive++;
  expect(alive).toBe(150 - capacity);
  validateSlabs(machine.slabs);
});

test('a saved state goes on as if it had never been saved', async () => {
  const text = row('filp', [300, 420, 20], FILP) + row('kmalloc-64', [100, 128, 2], '64 64 1');
  const [saved, resumed] = [start(bench('mainline-6.18'), text), start(bench('mainline-6.18'), text)];
  const cache = saved.names.named('filp')!;
  const step = (begun: SlabStart) => {
    const slab = begun.objects.takeUnknown(begun.machine.slabs.caches[cache.number]!);
    slabFree(begun.machine.slabs, begun.machine.slabs.caches[cache.number]!, 0, slab, begun.objects.slot);
    return [slab, begun.objects.slot];
  };
  for (let i = 0; i < 100; i++) step(saved);
  const mine = { name: 'mine', align_bytes: 0, flags: 0, hasConstructor: false };
  saved.names.merged.create({ ...mine, object_size_bytes: 60 });
  saved.names.merged.create({ ...mine, object_size_bytes: 64 });
  const whole = { serialize: (io: StateIo) => serializeStart(saved, io) };
  Snapshot.of(whole).restore({ serialize: (io: StateIo) => serializeStart(resumed, io) });
  expectSound(resumed);
  const [a, b] = [saved, resumed].map(({ names }) => names.merged.slabs.caches.at(-1)!);
  expect([resumed.names.merged.references(b!), resumed.names.merged.objectSize(b!)]).toEqual([2, 64]);
  expect([saved.names.merged.references(a!), saved.names.merged.objectSize(a!)]).toEqual([2, 64]);
  for (let i = 0; i < 150; i++) expect(step(resumed)).toEqual(step(saved));
  expect(resumed.objects.total).toBe(saved.objects.total);
});

function serializeStart({ machine, names, objects }: SlabStart, io: StateIo): void {
  io.part('machine', machine);
  io.part('names', names);
  io.part('objects', objects);
}

/** By the lists: the counters of zones have parts that wait on CPUs. */
function freePagesIn(mm: PageAllocator): number {
  return mm.zones.reduce(
    (sum, zone) => sum + zone.nr_free.reduce((pages, chunks, order) => pages + chunks * 2 ** order, 0),
    0,
  );
}

async function begin(directory: string, policy: string) {
  const recording = await openRecording(directory);
  const limits = { takesCut: true, max_machine_pages: 1 << 28 };
  const material = await readRecordingMaterial(recording, {}, limits);
  const { mm } = startAllocator(material, policyNamed(policy));
  const { before, kpageflags, scan } = material;
  return { mm, before, begun: buildSlabStart(mm, { slabinfo: before.slabinfo, kpageflags, scan }) };
}

/** Pages as vmstat counted them just before or after slabinfo; large objects are in no slab. */
async function expectRecorded(directory: string, policy: string): Promise<void> {
  const { mm, before, begun } = await begin(directory, policy);
  const { slabs } = begun.machine;
  expectSound(begun);
  validate(mm);
  for (const row of before.slabinfo!) {
    const cache = begun.names.named(row.name)!;
    const sum = (counts: Iterable<number>) => [...counts].reduce((total, count) => total + count, 0);
    const found = [
      sum(cache.nr_slabs),
      sum(cache.total_objects),
      listedFree(begun, cache),
      cache.geometry.order,
    ];
    expect([row.name, ...found]).toEqual([
      row.name,
      row.slabs,
      row.objects,
      row.objects - row.active_objects,
      row.order,
    ]);
  }
  expect(begun.names.differing).toEqual([]);
  const total = (counts: Float64Array) => counts.reduce((sum, pages) => sum + pages, 0);
  const reclaimable = before.vmstat!.get('nr_slab_reclaimable')!;
  const unreclaimable = before.vmstat!.get('nr_slab_unreclaimable')!;
  expect(Math.abs(total(slabs.nr_slab_reclaimable_pages) / reclaimable - 1)).toBeLessThan(0.01);
  expect(total(slabs.nr_slab_unreclaimable_pages)).toBeLessThan(unreclaimable * 1.01);
  expect(total(slabs.nr_slab_unreclaimable_pages)).toBeGreaterThan(unreclaimable * 0.7);
}

test('fs-churn begins with the slabs that its kernel counted', async () => {
  await expectRecorded(FS_CHURN, 'mainline-6.18');
}, 60_000);

describe.skipIf(REFERENCE === undefined)(`recordings of real kernels ${NEEDS_REFERENCE}`, () => {
  const shared = REFERENCE ?? '';

  test.each([
    ['recordings/slab-churn', 'mainline-6.18'],
    ['recordings/npm-build', 'mainline-6.18'],
    ['oracle/6.18.15/mem', 'mainline-6.18'],
    ['oracle/6.1.192/mem', 'mainline-6.1'],
    ['oracle/7.2.12/mem', 'mainline-7.2'],
  ])(
    '%s begins with the slabs that its kernel counted',
    async (path, policy) => {
      await expectRecorded(join(shared, path), policy);
    },
    120_000,
  );

  test('all slabs of slab-churn give back all their pages', async () => {
    const {
      mm,
      before: snapshot,
      begun,
    } = await begin(join(shared, 'recordings/slab-churn'), 'mainline-6.18');
    expect(begun.machine.slabs.nr_slab_reclaimable_pages[0]).toBe(
      snapshot.vmstat!.get('nr_slab_reclaimable'),
    );
    drainAllPages(mm);
    const before = freePagesIn(mm);
    const { slabs } = begun.machine;
    const pages = slabs.nr_slab_reclaimable_pages[0]! + slabs.nr_slab_unreclaimable_pages[0]!;
    expect(freeAll(begun)).toBe(0);
    drainAllPages(mm);
    expect(freePagesIn(mm) - before).toBe(pages);
    validate(mm);
  }, 120_000);

  test('every object that slab-churn allocates has slots of the size that its kernel took', async () => {
    const directory = join(shared, 'recordings/slab-churn');
    const { begun } = await begin(directory, 'mainline-6.18');
    const wrong = new Map<string, number>();
    let compared = 0;
    for await (const batch of (await openTrace(directory, {})).source.batches())
      for (let i = 0; i < batch.length; i++) {
        const op = batch.op[i];
        if (op !== Op.kmalloc && op !== Op.cache_alloc) continue;
        const bytes = Number(/alloc=(\d+)/.exec(batch.strings.args.get(batch.arg[i]!))![1]);
        if (op === Op.kmalloc && bytes > 8192) continue;
        const cache =
          op === Op.kmalloc
            ? begun.machine.kmalloc.cacheFor(batch.size[i]!, batch.gfp[i]!)
            : begun.names.ofRequest(batch, i);
        compared++;
        if (cache?.geometry.size_bytes !== bytes)
          wrong.set(`${cache?.name} ${bytes}`, (wrong.get(`${cache?.name} ${bytes}`) ?? 0) + 1);
      }
    expect([...wrong]).toEqual([]);
    expect(compared).toBeGreaterThan(135_000);
    expect(begun.names.met_on_the_way).toBe(0);
  }, 120_000);
});
