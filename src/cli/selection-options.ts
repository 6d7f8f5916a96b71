/** Options that take a part of a trace: `--from`, `--to`, `--cpu`, `--event`, `--sample`. */
import { type Command, Option } from 'commander';
import type { EventSelection } from '../trace/filter/event-filter.js';
import { numberList, share } from './option-values.js';

export interface SelectionOptions {
  readonly from?: string;
  readonly to?: string;
  readonly cpu?: ReadonlySet<number>;
  readonly event?: string;
  readonly sample?: number;
}

/** Names of tracepoints for those who know them better than ops. */
const TRACEPOINTS: ReadonlyMap<string, readonly string[]> = new Map([
  ['mm_page_alloc', ['alloc']],
  ['mm_page_free', ['free']],
  ['mm_page_free_batched', ['free']],
  ['mm_page_alloc_zone_locked', ['obs_refill']],
  ['mm_page_pcpu_drain', ['obs_drain']],
  ['mm_page_alloc_extfrag', ['obs_extfrag']],
  ['kmem_cache_alloc', ['cache_alloc']],
  ['kmem_cache_free', ['cache_free']],
  ['tracing_mark_write', ['mark']],
]);

export function addSelectionOptions(command: Command): Command {
  return command
    .option('--from <time>', 'events from this time after the first one, such as 1.5s')
    .option('--to <time>', 'events before this time after the first one')
    .addOption(
      new Option('--cpu <list>', 'events of these CPUs, such as 0,2,4-7').argParser(numberList('--cpu')),
    )
    .option('--event <list>', 'events of these kinds: ops (alloc,free) or tracepoints (mm_page_alloc)')
    .addOption(
      new Option('--sample <share>', 'a share of the objects with all their events, such as 1%').argParser(
        share('--sample'),
      ),
    );
}

/** What the options select; undefined if that is everything. @throws UsageError */
export async function chooseSelection(options: SelectionOptions): Promise<EventSelection | undefined> {
  const { from, to, cpu, event, sample } = options;
  if ([from, to, cpu, event, sample].every((option) => option === undefined)) return undefined;
  const [{ parseDurationOption }, { UsageError }] = await Promise.all([
    import('../config/duration.js'),
    import('../config/usage-error.js'),
  ]);
  const from_ns = from === undefined ? undefined : parseDurationOption(from, '--from');
  const to_ns = to === undefined ? undefined : parseDurationOption(to, '--to');
  if (from_ns !== undefined && to_ns !== undefined && from_ns >= to_ns)
    throw new UsageError(`--from ${from} --to ${to}: nothing lies between`);
  const ops = event === undefined ? undefined : await opsOf(event);
  return { from_ns, to_ns, cpus: cpu, ops, sample };
}

async function opsOf(list: string): Promise<ReadonlySet<number>> {
  const [{ OP_NAMES }, { didYouMean }, { UsageError }] = await Promise.all([
    import('../trace/event-batch.js'),
    import('../config/nearest-name.js'),
    import('../config/usage-error.js'),
  ]);
  const ops = new Set<number>();
  for (const name of list.split(',')) {
    for (const op of TRACEPOINTS.get(name) ?? [name]) {
      const number = OP_NAMES.indexOf(op);
      if (number < 0) {
        const names = [...OP_NAMES, ...TRACEPOINTS.keys()];
        throw new UsageError(`--event ${list}: "${name}" is no event${didYouMean(name, names)}`);
      }
      ops.add(number);
    }
  }
  return ops;
}
