/**
 * Synthetic page events in memory columns: what the replay benches feed on.
 *
 * A steady server: 60 % movable pages that live long and die in random order, the rest short-lived; orders and gfp flags
 * in the proportions that recordings of live machines show (97 % order 0).
 */
import { EventBatch, NONE_U32, Op } from '../../dist/trace/event-batch.js';
import { createTraceStrings } from '../../dist/trace/string-table.js';

const GFP_KERNEL = 0xcc0;
const GFP_RECLAIMABLE = GFP_KERNEL | 0x10;
const GFP_HIGHUSER_MOVABLE = 0x100cca;

/** Deterministic and fast enough not to matter; xorshift32. */
function generator(seed) {
  let x = seed | 0 || 1;
  return (below) => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) % below;
  };
}

function pickOrder(random) {
  const r = random(1000);
  if (r < 970) return 0;
  if (r < 985) return 1;
  if (r < 995) return 2;
  return r < 999 ? 3 : 9;
}

function pickGfp(random) {
  const r = random(100);
  if (r < 60) return GFP_HIGHUSER_MOVABLE;
  return r < 85 ? GFP_KERNEL : GFP_RECLAIMABLE;
}

/**
 * @param events number of events
 * @param livePages pages held at the plateau
 * @param cpus events go round the CPUs in runs, as tasks do
 */
export function syntheticTrace(events, livePages, cpus, seed = 1) {
  const random = generator(seed);
  const strings = createTraceStrings();
  const batches = [];
  const liveIds = new Int32Array(events);
  const liveOrders = new Uint8Array(events);
  let live = 0;
  let pages = 0;
  let ids = 0;
  let cpu = 0;
  for (let done = 0; done < events; ) {
    const batch = new EventBatch(strings);
    const rows = Math.min(batch.capacity, events - done);
    for (let i = 0; i < rows; i++) {
      if (random(64) === 0) cpu = random(cpus);
      batch.ts[i] = (done + i) * 200;
      batch.cpu[i] = cpu;
      batch.node[i] = -1;
      batch.pfn[i] = NONE_U32;
      const grow = pages < livePages ? 70 : 50;
      if (live === 0 || random(100) < grow) {
        const order = pickOrder(random);
        batch.op[i] = Op.alloc;
        batch.order[i] = order;
        batch.gfp[i] = pickGfp(random);
        batch.id[i] = ids;
        liveIds[live] = ids++;
        liveOrders[live++] = order;
        pages += 1 << order;
      } else {
        // Most frees are of what was just allocated; the rest is of any age.
        const at = random(4) > 0 ? live - 1 - random(Math.min(live, 64)) : random(live);
        batch.op[i] = Op.free;
        batch.order[i] = liveOrders[at];
        batch.id[i] = liveIds[at];
        pages -= 1 << liveOrders[at];
        live--;
        liveIds[at] = liveIds[live];
        liveOrders[at] = liveOrders[live];
      }
    }
    batch.length = rows;
    batches.push(batch);
    done += rows;
  }
  return { batches, ids, events };
}
