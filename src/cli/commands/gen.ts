/** `spbsim gen`: lists the workloads, or writes the trace of one. */
import { UsageError } from '../../config/usage-error.js';
import type { GeneratedTrace, GenerateOptions } from '../../gen/generate.js';
import type { Workload } from '../../gen/workload.js';
import type { Written } from '../../gen/write-workload.js';
import { print } from '../output.js';
import { chooseFormat, type OutputChoice } from '../output-format.js';
import { watched } from '../watched.js';

export interface GenOptions extends OutputChoice {
  readonly seed: number;
  readonly duration?: string;
  readonly memory?: string;
  readonly nodes?: number;
  readonly cpus?: number;
  readonly events?: number;
  readonly set: readonly string[];
}

const LIST_INDENT = 4;

/** Writes the trace of a workload; without a name lists them all. */
export async function genCommand(name: string | undefined, options: GenOptions): Promise<void> {
  if (name === undefined) return print(await workloadList());
  const { generate } = await import('../../gen/generate.js');
  const trace = generate(name, await generateOptions(options));
  const format = await chooseFormat(options);
  const { writeWorkload } = await import('../../gen/write-workload.js');
  const written = await watched(async ({ onProgress, signal }) =>
    writeWorkload(trace, {
      output: options.output,
      format,
      onProgress,
      signal,
    }),
  );
  // On stderr, because stdout may be the trace itself.
  process.stderr.write(await summary(trace, options, written));
}

async function generateOptions(options: GenOptions): Promise<GenerateOptions> {
  const [{ parseSizePages }, { parseDurationOption }] = await Promise.all([
    import('../../config/size.js'),
    import('../../config/duration.js'),
  ]);
  const { seed, nodes, cpus, events, memory, duration } = options;
  return {
    seed,
    nodes,
    cpus,
    events,
    memory_pages: memory === undefined ? undefined : parseSizePages(memory, '--memory'),
    duration_ns: duration === undefined ? undefined : parseDurationOption(duration, '--duration'),
    set: assignments(options.set),
  };
}

/** The values of `--set`; of two for the same option the last one counts. */
function assignments(texts: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    texts.map((text) => {
      const at = text.indexOf('=');
      if (at <= 0) throw new UsageError(`--set ${text}: expected option=value, such as --set used=110%`);
      return [text.slice(0, at).trim(), text.slice(at + 1)];
    }),
  );
}

async function workloadList(): Promise<string> {
  const [{ WORKLOADS }, { textTable }, { terminalStyle }] = await Promise.all([
    import('../../gen/generate.js'),
    import('../../report/text-table.js'),
    import('../../report/text-style.js'),
  ]);
  const style = await terminalStyle();
  const parts = [...WORKLOADS.values()].map((workload) => {
    const rows = Object.entries(workload.options).map(([name, spec]) => [name, spec.default, spec.doc]);
    const head = ['option', 'default', 'is'].map(style.dim);
    return [
      `${style.heading(workload.name)}   ${workload.summary}`,
      `    ${defaultsText(workload)}`,
      ...textTable({ head, rows, left: [0, 2], indent: LIST_INDENT }),
      '',
    ].join('\n');
  });
  return `${parts.join('\n')}\nspbsim gen NAME --set OPTION=VALUE -o FILE\n`;
}

function defaultsText({ defaults }: Workload): string {
  const { memory, nodes, cpus, duration } = defaults;
  return `--memory ${memory} --nodes ${nodes} --cpus ${cpus} --duration ${duration}`;
}

async function summary(trace: GeneratedTrace, options: GenOptions, written: Written): Promise<string> {
  const [{ bytes, duration, pagesAsBytes, plural }, { printable }] = await Promise.all([
    import('../../report/quantities.js'),
    import('../../report/sanitize.js'),
  ]);
  const { memory_pages, nodes, cpus } = trace.scale;
  const machine = `${pagesAsBytes(memory_pages)}, ${plural(nodes, 'node')}, ${plural(cpus, 'CPU')}`;
  const size = written.bytes > 0 ? `   ${bytes(written.bytes)}` : '';
  return (
    `${trace.workload.name} seed ${options.seed} -> ${printable(options.output)}   ` +
    `${plural(written.events, 'event')} over ${duration(written.ts_ns)}${size}   for ${machine}\n`
  );
}
