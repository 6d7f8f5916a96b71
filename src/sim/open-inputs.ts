/** Opens what a command is to replay: traces, or a workload that is generated meanwhile. */
import { openTraces, type TracesRequest } from '../trace/open-traces.js';
import type { TraceSet } from '../trace/trace-set.js';
import { isGenerated } from './generated-name.js';

/** @throws InputError, UsageError */
export async function openInputs(request: TracesRequest, seed: number): Promise<TraceSet> {
  if (!request.inputs.some(isGenerated)) return openTraces(request);
  const { openGenerated } = await import('./generated-input.js');
  return openGenerated(request.inputs, seed);
}
