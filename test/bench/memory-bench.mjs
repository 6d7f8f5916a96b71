/** Peak memory of a 256 GiB machine of which the trace touches 8 GiB, in a process of its own. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export async function memoryBench() {
  const child = fileURLToPath(new URL('./memory-child.mjs', import.meta.url));
  const run = spawnSync(process.execPath, [child], { encoding: 'utf8' });
  if (run.status !== 0) throw new Error(run.stderr);
  const result = JSON.parse(run.stdout);
  return [
    {
      name: '256 GiB, 8 GiB touched',
      ...result,
      text: `256 GiB machine, ${(result.touched_bytes / 2 ** 30).toFixed(1)} GiB touched: peak ${(result.peak_rss_bytes / 1e6).toFixed(0)} MB (limit 400 MB)`,
    },
  ];
}
