/** The replay loop against a bare loop that pops and pushes PFNs on an array for the same columns. */
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
import { Op } from '../../dist/trace/event-batch.js';
import { median, millions } from './figures.mjs';
import { syntheticTrace } from './synthetic.mjs';

const EVENTS = 4_000_000;
const PAGES_4GIB = 1 << 20;
const LIVE_PAGES = PAGES_4GIB >> 1;
const CPUS = 4;
const ROUNDS = 5;

function seconds(run) {
  const start = process.hrtime.bigint();
  run();
  return Number(process.hrtime.bigint() - start) / 1e9;
}

function bareLoop({ batches, ids }) {
  const stack = new Int32Array(PAGES_4GIB * 2);
  let top = 0;
  for (; top < PAGES_4GIB * 2; top++) stack[top] = top;
  const held = new Int32Array(ids);
  return seconds(() => {
    for (const { op, id, length } of batches)
      for (let i = 0; i < length; i++) {
        if (op[i] === Op.alloc) held[id[i]] = stack[--top];
        else stack[top++] = held[id[i]];
      }
  });
}

function replay({ batches }, policy) {
  const mm = new PageAllocator(machineFromSize({ memory_pages: PAGES_4GIB, cpus: CPUS }), policy);
  setUpZones(mm);
  bootFresh(mm);
  enableLru(mm);
  const background = new SimBackground(mm, 0);
  const options = { startIsRecorded: false, notes: new Notes(), tallies: new Tallies(), background };
  const run = new FreeRunningReplay(mm, options);
  return seconds(() => {
    for (const batch of batches) run.replay(batch);
  });
}

export async function replayBench() {
  const trace = syntheticTrace(EVENTS, LIVE_PAGES, CPUS);
  const results = [];
  for (const name of ['mainline-6.18', 'mainline-6.1', 'mainline-7.2']) {
    const { policy } = await resolvePolicy(name);
    const ratios = [];
    const bare = [];
    const model = [];
    for (let round = 0; round < ROUNDS; round++) {
      const a = bareLoop(trace);
      const b = replay(trace, policy);
      bare.push(EVENTS / a);
      model.push(EVENTS / b);
      ratios.push(a / b);
    }
    const ratio = median(ratios);
    results.push({
      name,
      ratio,
      bare_events_per_s: median(bare),
      model_events_per_s: median(model),
      text: `${name}: ${millions(median(model))} events/s, bare loop ${millions(median(bare))}; ratio ${ratio.toFixed(3)} (median of ${ROUNDS} pairs)`,
    });
  }
  return results;
}
