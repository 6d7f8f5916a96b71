import { inKernelOrder, vmstatNames } from './kernel-counters.js';
import type { RunResult } from './run-result.js';

/** `/proc/vmstat`: the counters that the model keeps, in the kernel's order. model: page-allocator 6.4 */
export function renderVmstat(result: RunResult): string {
  return inKernelOrder(result.vmstat, vmstatNames(result.policy.text_layout))
    .map(([name, value]) => `${name} ${value}\n`)
    .join('');
}
