/** Allocates 8 GiB of a 256 GiB machine in a stream of batches, frees it, and prints the peak of its memory. */
import { machineFromSize } from '../../dist/config/machine-by-size.js';
import { bootFresh } from '../../dist/mm/page-alloc/boot.js';
import { PageAllocator } from '../../dist/mm/page-alloc/page-allocator.js';
import { setUpZones } from '../../dist/mm/page-alloc/zone-setup.js';
import { defaultPolicy } from '../../dist/mm/policy.js';
import { enableLru } from '../../dist/mm/reclaim/lru.js';
import { SimBackground } from '../../dist/sim/background.js';
import { FreeRunningReplay } from '../../dist/sim/free-running.js';
import { Notes } from '../../dist/sim/notes.js';
import { resultZones } from '../../dist/sim/result-zones.js';
import { Tallies } from '../../dist/sim/tallies.js';
import { EventBatch, NONE_U32, Op } from '../../dist/trace/event-batch.js';
import { createTraceStrings } from '../../dist/trace/string-table.js';

const PAGES = (8 * 2 ** 30) / 4096;
const GFP_HIGHUSER_MOVABLE = 0x100cca;
const CPUS = 16;

const spec = machineFromSize({ memory_pages: (256 * 2 ** 30) / 4096, cpus: CPUS });
const mm = new PageAllocator(spec, defaultPolicy());
setUpZones(mm);
bootFresh(mm);
enableLru(mm);
const background = new SimBackground(mm, 0);
const replay = new FreeRunningReplay(mm, {
  startIsRecorded: false,
  notes: new Notes(),
  tallies: new Tallies(),
  background,
});
const batch = new EventBatch(createTraceStrings());
let event = 0;
for (const op of [Op.alloc, Op.free]) {
  for (let done = 0; done < PAGES; done += batch.capacity) {
    for (let i = 0; i < batch.capacity; i++) {
      batch.ts[i] = event++ * 100;
      batch.cpu[i] = (i >> 10) % CPUS;
      batch.op[i] = op;
      batch.order[i] = 0;
      batch.gfp[i] = GFP_HIGHUSER_MOVABLE;
      batch.node[i] = -1;
      batch.pfn[i] = NONE_U32;
      batch.id[i] = done + i;
    }
    batch.length = batch.capacity;
    replay.replay(batch);
  }
}
const zones = resultZones(mm);
console.log(
  JSON.stringify({
    touched_bytes: PAGES * 4096,
    free_pages: zones.reduce((sum, zone) => sum + zone.free_pages, 0),
    peak_rss_bytes: process.resourceUsage().maxRSS * 1024,
  }),
);
