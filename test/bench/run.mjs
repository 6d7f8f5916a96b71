/**
 * `npm run bench`: speed as ratios measured in one run, with absolute figures beside them.
 *
 *     node test/bench/run.mjs [--json] [name...]
 */

import { ingestBench } from './ingest-bench.mjs';
import { largeBench } from './large-bench.mjs';
import { memoryBench } from './memory-bench.mjs';
import { readBench } from './read-bench.mjs';
import { replayBench } from './replay-bench.mjs';
import { slabBench } from './slab-bench.mjs';
import { spbBench } from './spb-bench.mjs';
import { startupBench } from './startup-bench.mjs';

const BENCHES = {
  replay: replayBench,
  memory: memoryBench,
  read: readBench,
  spb: spbBench,
  slab: slabBench,
  startup: startupBench,
  ingest: ingestBench,
  large: largeBench,
};
const names = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
const json = process.argv.includes('--json');
const results = [];
for (const name of names.length > 0 ? names : Object.keys(BENCHES)) {
  const bench = BENCHES[name];
  if (bench === undefined) {
    console.error(`no bench named ${name}; there are ${Object.keys(BENCHES).join(', ')}`);
    process.exit(2);
  }
  for (const result of await bench()) {
    results.push({ bench: name, ...result });
    if (!json) console.log(`${name.padEnd(8)}${result.text}`);
  }
}
if (json) console.log(JSON.stringify(results, null, 2));
