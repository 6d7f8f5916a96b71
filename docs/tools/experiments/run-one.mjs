/**
 * One run of an experiment in a process of its own: `node run-one.mjs '{"kind": …}'` prints its result as JSON.
 *
 * The trace comes straight from the generator, so no text is written or read on the way.
 */
import { machineFromSize } from '../../../dist/config/machine-by-size.js';
import { resolvePolicy } from '../../../dist/config/resolve-policy.js';
import { generate } from '../../../dist/gen/generate.js';
import { GFP_HIGHUSER_MOVABLE, GFP_KERNEL, GFP_RECLAIMABLE_BIT } from '../../../dist/mm/gfp.js';
import { allocPages } from '../../../dist/mm/page-alloc/alloc-pages.js';
import { bootFresh } from '../../../dist/mm/page-alloc/boot.js';
import { freePages } from '../../../dist/mm/page-alloc/free-owned.js';
import { PageAllocator } from '../../../dist/mm/page-alloc/page-allocator.js';
import { setUpZones } from '../../../dist/mm/page-alloc/zone-setup.js';
import { enableLru } from '../../../dist/mm/reclaim/lru.js';
import { vmstatCounters } from '../../../dist/mm/vmstat.js';
import { SimBackground } from '../../../dist/sim/background.js';
import { FreeRunningReplay } from '../../../dist/sim/free-running.js';
import { Notes } from '../../../dist/sim/notes.js';
import { resultSpb, resultZoneSpb, spbCounts } from '../../../dist/sim/result-spb.js';
import { Tallies } from '../../../dist/sim/tallies.js';

const PAGES_PER_GIB = 1 << 18;

function machine(gib, cpus, policy) {
  const mm = new PageAllocator(machineFromSize({ memory_pages: gib * PAGES_PER_GIB, cpus }), policy);
  setUpZones(mm);
  bootFresh(mm);
  enableLru(mm);
  return mm;
}

function withoutRanges(section) {
  const { ranges: _, ...rest } = section;
  return rest;
}

/** A generated workload under a policy; with `every_ns`, the superpageblocks of the Normal zone over time. */
async function workload(request) {
  const {
    name,
    gib,
    cpus,
    seed,
    duration_ns,
    events: most,
    set,
    policy: policyName,
    knobs,
    every_ns,
  } = request;
  const { policy } = await resolvePolicy(policyName, knobs ?? []);
  const mm = machine(gib, cpus, policy);
  const trace = generate(name, {
    seed,
    memory_pages: gib * PAGES_PER_GIB,
    cpus,
    duration_ns,
    events: most,
    set,
  });
  const notes = new Notes();
  const series = [];
  const normal = mm.zones.at(-1);
  const sample = (ts_ns) =>
    series.push({
      ts_ns,
      ...spbCounts(mm, normal, false),
      slab_pages: mm.slabObjects?.pagesOf(0) ?? null,
      nonmovable_pages: resultZoneSpb(mm, normal, false).nonmovable_pages,
    });
  let background;
  let replay;
  let events = 0;
  let due_ns = 0;
  const start = process.hrtime.bigint();
  for await (const batch of trace.batches()) {
    if (batch.length === 0) continue;
    if (replay === undefined) {
      background = new SimBackground(mm, batch.ts[0]);
      replay = new FreeRunningReplay(mm, {
        startIsRecorded: false,
        notes,
        tallies: new Tallies(),
        background,
      });
      due_ns = batch.ts[0];
    }
    let from = 0;
    if (every_ns !== undefined)
      for (let i = 0; i < batch.length; i++) {
        if (batch.ts[i] < due_ns) continue;
        replay.replay(batch, from, i);
        from = i;
        sample(due_ns);
        due_ns += every_ns;
      }
    replay.replay(batch, from, batch.length);
    events += batch.length;
  }
  background.drain();
  if (every_ns !== undefined) sample(due_ns);
  const wall_s = Number(process.hrtime.bigint() - start) / 1e9;
  return {
    events,
    wall_s,
    peak_rss_bytes: process.resourceUsage().maxRSS * 1024,
    zone: withoutRanges(resultZoneSpb(mm, normal, false)),
    all_zones: mm.zones.map((zone) => withoutRanges(resultZoneSpb(mm, zone, false))),
    spb: resultSpb(mm),
    vmstat: Object.fromEntries(vmstatCounters(mm)),
    notes: Object.fromEntries(notes.entries().map(({ name: note, count }) => [note, count])),
    series,
  };
}

/** xorshift32: the same numbers everywhere. */
function dice(seed) {
  let x = seed | 1;
  return (sides) => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) % sides;
  };
}

/**
 * What a search costs as memory grows: a machine filled with huge pages, a quarter of which are freed in every eighth
 * superpageblock, then order-0 requests of all types and as many frees.
 */
async function probes({ superpageblocks, policy: policyName, knobs, operations }) {
  const { policy } = await resolvePolicy(policyName, knobs ?? []);
  // 4 GiB below the Normal zone, which begins with the kernel's own pages.
  const mm = machine(superpageblocks + 4, 4, policy);
  const roll = dice(superpageblocks);
  const huge = [];
  for (;;) {
    const pfn = allocPages(mm, 0, GFP_HIGHUSER_MOVABLE & ~0x400, 9, -1, true);
    if (pfn < 0) break;
    huge.push(pfn);
  }
  // One superpageblock in eight has room; all others are full, as on a machine whose memory is all used.
  for (let i = 0; i < huge.length; i++)
    if ((huge[i] >>> 18) % 8 === 3 && roll(4) === 0) freePages(mm, 0, huge[i], 9);
  const gfps = [
    GFP_HIGHUSER_MOVABLE,
    GFP_HIGHUSER_MOVABLE,
    GFP_HIGHUSER_MOVABLE,
    GFP_KERNEL,
    GFP_KERNEL | GFP_RECLAIMABLE_BIT,
  ];
  const live = [];
  const step = () => {
    if (live.length > 0 && roll(100) < 49) {
      const at = roll(live.length);
      const { pfn, movable } = live[at];
      live[at] = live.at(-1);
      live.pop();
      // Movable pages may have moved or been reclaimed: only what is sure to be there is given back.
      if (!movable || mm.pages.state[pfn] >> 4 === 8) freePages(mm, roll(4), pfn, 0);
      return 0;
    }
    const gfp = gfps[roll(gfps.length)] & ~0x400;
    const movable = (gfp & 8) !== 0;
    const pfn = allocPages(mm, roll(4), gfp, 0, -1, movable);
    if (pfn >= 0) live.push({ pfn, movable });
    return 1;
  };
  for (let i = 0; i < operations; i++) step();
  const before = { ...mm.spb.stats, flips: flips(mm) };
  let allocations = 0;
  for (let i = 0; i < operations; i++) allocations += step();
  const { stats } = mm.spb;
  return {
    superpageblocks: mm.zones.at(-1).spb.nr_superpageblocks,
    allocations,
    searches: stats.searches - before.searches,
    visited: stats.visited - before.visited,
    probes: stats.probes - before.probes,
    flips: flips(mm) - before.flips,
  };
}

function flips(mm) {
  return mm.zones.reduce((sum, zone) => sum + (zone.spb.bitmaps?.flips ?? 0), 0);
}

/** A recording, free-running from its real start state. */
async function recording({ input, policy: policyName }) {
  const { runTraces } = await import('../../../dist/sim/run-trace.js');
  const { DEFAULT_LIMITS } = await import('../../../dist/trace/limits.js');
  const result = await runTraces({
    inputs: [input],
    policy: await resolvePolicy(policyName),
    machine: undefined,
    mode: 'free',
    check: false,
    seed: 1,
    open: { maxErrors: 20, skipInvalid: false, strict: false, limits: DEFAULT_LIMITS },
  });
  const zones = result.zones.map(({ node, name, superpageblocks, unusable_index }) => ({
    node,
    name,
    unusable_order9: unusable_index[9],
    ...withoutRanges(superpageblocks),
  }));
  return { events: result.span.events, zones, spb: result.superpageblocks, vmstat: result.vmstat };
}

const KINDS = { workload, probes, recording };
const request = JSON.parse(process.argv[2]);
console.log(JSON.stringify(await KINDS[request.kind](request)));
