/**
 * Workloads named where a trace is expected: `gen:slab-ramp`, `gen:slab-ramp:memory=16GiB,duration=60s,used=101%`.
 *
 * Their events are made while they are replayed, from the command's seed; their machine is the one that they are made for,
 * unless another is given.
 */
import { parseDuration } from '../config/duration.js';
import { machineFromSize } from '../config/machine-by-size.js';
import { parseSize } from '../config/size.js';
import { UsageError } from '../config/usage-error.js';
import { type GeneratedTrace, type GenerateOptions, generate } from '../gen/generate.js';
import { DEFAULT_BUILD } from '../mm/machine-build.js';
import type { MachineSpec } from '../mm/machine-spec.js';
import { PAGE_BYTES } from '../mm/types.js';
import { NestedGroups } from '../trace/join/nested-groups.js';
import type { TraceSet } from '../trace/trace-set.js';
import { isGenerated, PREFIX } from './generated-name.js';

const WHOLE_NUMBER = /^\d{1,15}$/;

function fail(input: string, text: string): UsageError {
  return new UsageError(`${input}: ${text}`);
}

function parsed(
  input: string,
  key: string,
  value: string,
  parse: (text: string) => number | undefined,
): number {
  const number = parse(value);
  if (number === undefined) throw fail(input, `${key}=${value}: expected a value as for gen --${key}`);
  return number;
}

const whole = (text: string) => (WHOLE_NUMBER.test(text) ? Number(text) : undefined);
const pages = (text: string) => {
  const bytes = parseSize(text);
  return bytes === undefined ? undefined : Math.floor(bytes / PAGE_BYTES);
};

const OWN_OPTIONS: Readonly<
  Record<string, readonly [keyof GenerateOptions, (text: string) => number | undefined]>
> = {
  memory: ['memory_pages', pages],
  nodes: ['nodes', whole],
  cpus: ['cpus', whole],
  duration: ['duration_ns', parseDuration],
  events: ['events', whole],
};

/** @throws UsageError */
export function generatedTrace(input: string, seed: number): GeneratedTrace {
  const [name = '', ...rest] = input.slice(PREFIX.length).split(':');
  const options: Record<string, number> = {};
  const set = new Map<string, string>();
  const pairs = rest
    .join(':')
    .split(',')
    .filter((pair) => pair !== '');
  for (const pair of pairs) {
    const equals = pair.indexOf('=');
    if (equals <= 0)
      throw fail(input, `"${pair}": expected option=value, as in ${PREFIX}slab-ramp:memory=16GiB,used=101%`);
    const [key, value] = [pair.slice(0, equals), pair.slice(equals + 1)];
    const own = Object.hasOwn(OWN_OPTIONS, key) ? OWN_OPTIONS[key] : undefined;
    if (own === undefined) set.set(key, value);
    else options[own[0]] = parsed(input, key, value, own[1]);
  }
  return generate(name, { ...options, seed, set: Object.fromEntries(set) });
}

/** The machine that a workload is made for. */
export function generatedMachine(input: string): MachineSpec {
  const { scale, workload } = generatedTrace(input, 1);
  const { memory_pages, nodes, cpus } = scale;
  const spec = machineFromSize({ memory_pages, nodes, cpus });
  return { ...spec, build: { ...DEFAULT_BUILD, ...workload.kernel } };
}

/** The events of the one generated input. @throws UsageError if there are others beside it */
export function openGenerated(inputs: readonly string[], seed: number): TraceSet {
  const [input = ''] = inputs.filter(isGenerated);
  if (inputs.length > 1)
    throw fail(input, 'a generated workload stands alone: it cannot be joined with other traces');
  const trace = generatedTrace(input, seed);
  const kernel = { generation: '6.18', release: '', how: 'assumed', reasons: [] } as const;
  // As of traces that are read: a replay may count on groups that no end of a batch splits.
  const groups = new NestedGroups(trace);
  return {
    source: groups,
    kernel,
    files: [],
    report: () => ({
      inputs: [
        {
          name: input,
          format: 'generated',
          kernel,
          sha256: '',
          bytes: 0,
          report: { format: 'generated' },
          ring_stats: [],
          cut: undefined,
        },
      ],
      moved: 0,
      filtered: 0,
      nested_alone: groups.alone,
      distinct_ids: trace.strings.ids.size - 1,
    }),
  };
}
