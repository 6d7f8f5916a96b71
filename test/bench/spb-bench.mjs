/**
 * Replay with superpageblocks beside mainline, on 4 GiB and on 256 GiB: events per second, what a search reads, and the peak
 * memory of a generated workload that uses a whole 256 GiB machine.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { machineFromSize } from '../../dist/config/machine-by-size.js';
import { resolvePolicy } from '../../dist/config/resolve-policy.js';
import { bootFresh } from '../../dist/mm/page-alloc/boot.js';
import { PageAllocator } from '../../dist/mm/page-alloc/page-allocator.js';
import { setUpZones } from '../../dist/mm/page-alloc/zone-setup.js';
import { enableLru } from '../../dist/mm/reclaim/lru.js';
import { SimBackground } from '../../dist/sim/background.js';
import { FreeRunningReplay } from '../../dist/sim/free-running.js';
import { Notes } from '../../dist/sim/notes.js';
import { Tallies } from '../../dist/sim/tallies.js';
import { median, millions } from './figures.mjs';
import { syntheticTrace } from './synthetic.mjs';

const EVENTS = 4_000_000;
const PAGES_PER_GIB = 1 << 18;
const CPUS = 4;
const ROUNDS = 5;
const POLICIES = ['mainline-6.18', 'spb-v2', 'spb-v2-bitmap'];

function replay({ batches }, policy, gib) {
  const mm = new PageAllocator(machineFromSize({ memory_pages: gib * PAGES_PER_GIB, cpus: CPUS }), policy);
  setUpZones(mm);
  bootFresh(mm);
  enableLru(mm);
  const background = new SimBackground(mm, 0);
  const options = { startIsRecorded: false, notes: new Notes(), tallies: new Tallies(), background };
  const run = new FreeRunningReplay(mm, options);
  const start = process.hrtime.bigint();
  for (const batch of batches) run.replay(batch);
  return { seconds: Number(process.hrtime.bigint() - start) / 1e9, stats: mm.spb?.stats };
}

async function speed(gib) {
  const trace = syntheticTrace(EVENTS, Math.min(2 * PAGES_PER_GIB, EVENTS >> 2), CPUS);
  const rates = new Map(POLICIES.map((name) => [name, []]));
  const probes = new Map();
  // In turns, so that all have their share of a noisy machine.
  for (let round = 0; round < ROUNDS; round++)
    for (const name of POLICIES) {
      const { policy } = await resolvePolicy(name);
      const { seconds, stats } = replay(trace, policy, gib);
      rates.get(name).push(EVENTS / seconds);
      if (stats !== undefined) probes.set(name, stats.probes / EVENTS);
    }
  return POLICIES.map((name) => {
    const rate = median(rates.get(name));
    const reads = probes.has(name) ? `, ${probes.get(name).toFixed(4)} probes per event` : '';
    return {
      name: `${name} ${gib} GiB`,
      events_per_s: rate,
      probes_per_event: probes.get(name) ?? null,
      text: `${name}, ${gib} GiB: ${millions(rate)} events/s (median of ${ROUNDS})${reads}`,
    };
  });
}

/** A machine whose memory is all used, from the generator straight into the model, in a process of its own. */
function wholeMachine(policy) {
  const runOne = fileURLToPath(new URL('../../docs/tools/experiments/run-one.mjs', import.meta.url));
  const request = {
    kind: 'workload',
    name: 'syzkaller-mix',
    gib: 256,
    cpus: 16,
    duration_ns: 120e9,
    seed: 1,
    policy,
  };
  const { stdout } = spawnSync(process.execPath, [runOne, JSON.stringify(request)], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  const { events, wall_s, peak_rss_bytes } = JSON.parse(stdout);
  return {
    name: `syzkaller-mix 256 GiB ${policy}`,
    events_per_s: events / wall_s,
    peak_rss_bytes,
    text: `syzkaller-mix on 256 GiB, ${policy}: ${events} events, ${millions(events / wall_s)}/s with generation, reclaim and compaction; peak memory ${Math.round(peak_rss_bytes / 2 ** 20)} MiB`,
  };
}

export async function spbBench() {
  return [...(await speed(4)), ...(await speed(256)), wholeMachine('mainline-6.18'), wholeMachine('spb-v2')];
}
