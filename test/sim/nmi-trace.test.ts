/** A real trace with NMIs, from its text to the tables: every context as the kernel recorded it. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { machineFromSize } from '../../src/config/machine-by-size.js';
import { resolvePolicy } from '../../src/config/resolve-policy.js';
import { runTraces } from '../../src/sim/run-trace.js';
import { inspectTraces } from '../../src/sim/trace-info.js';
import { dataPath } from '../trace/helpers.js';

const PATH = dataPath('tracefs-7.2-nmi.txt');

/** Lines of a tracepoint in a context, told by the third of the flags: nothing but a look at the text. */
function lines(tracepoint: string, flags: string): number {
  const pattern = new RegExp(`\\[\\d+\\] ..[${flags}]..? +[\\d.]+: ${tracepoint}: `);
  return readFileSync(PATH, 'utf8')
    .split('\n')
    .filter((line) => pattern.test(line)).length;
}

test('info counts the page allocations of NMIs as such', async () => {
  const info = await inspectTraces({ inputs: [PATH], open: { kernel: '7.2' } });
  const inNmi = (op: string) => info.events.find((row) => row.op === op)?.by_ctx.nmi;
  expect(inNmi('alloc')).toBe(lines('mm_page_alloc', 'zZ'));
  expect(inNmi('alloc')).toBeGreaterThan(0);
  expect(info.events.find(({ op }) => op === 'alloc')?.by_ctx.task).toBe(lines('mm_page_alloc', '.'));
});

test('a run counts and serves them in their context', async () => {
  const result = await runTraces({
    inputs: [PATH],
    policy: await resolvePolicy('mainline-7.2', []),
    machine: machineFromSize({ memory_pages: 1 << 18, cpus: 1 }),
    mode: 'free',
    check: true,
    open: { kernel: '7.2' },
    seed: 1,
  });
  const served = result.allocations.filter(({ ctx }) => ctx === 'nmi').reduce((sum, row) => sum + row.ok, 0);
  expect(served).toBe(lines('mm_page_alloc', 'zZ'));
});
