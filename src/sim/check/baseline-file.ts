/**
 * Baselines: what budgets are relative to. A file that people review: sorted, one number a line, nothing of the clock.
 */
import { isFile, quoteValue, readConfig } from '../../config/config-file.js';
import { METRIC_FAMILIES } from '../../report/metrics/catalogue.js';
import { inertJson } from '../../report/sanitize.js';
import { writeOutput } from '../../trace/bytes/output-file.js';

/** What was measured in one run. */
export interface BaselineRun {
  readonly trace: string;
  readonly policy: string;
  readonly seed: number;
  /** where the machine came from: other machines have other numbers */
  readonly machine: string;
  readonly input_sha256: readonly string[];
  readonly metrics: Readonly<Record<string, number>>;
}

type RunKey = Pick<BaselineRun, 'trace' | 'policy' | 'seed'>;

export class Baseline {
  readonly #runs: readonly BaselineRun[];

  constructor(runs: readonly BaselineRun[] = []) {
    this.#runs = runs;
  }

  get runs(): readonly BaselineRun[] {
    return this.#runs;
  }

  find({ trace, policy, seed }: RunKey): BaselineRun | undefined {
    return this.#runs.find((run) => run.trace === trace && run.policy === policy && run.seed === seed);
  }

  /** The same with some runs measured anew; what was not run stays. */
  with(runs: readonly BaselineRun[]): Baseline {
    const fresh = new Baseline(runs);
    return new Baseline([...this.#runs.filter((run) => fresh.find(run) === undefined), ...runs]);
  }
}

export const NO_BASELINE = new Baseline();

/** A missing file is an empty baseline: the first `--update-baseline` writes it. @throws InputError */
export async function readBaseline(path: string): Promise<Baseline> {
  if (!(await isFile(path))) return NO_BASELINE;
  const document = await readConfig(path);
  const { baselineFileSchema } = await import('./budget-schema.js');
  const checked = baselineFileSchema.safeParse(document.value);
  if (checked.success) return new Baseline(checked.data.runs);
  const [issue] = checked.error.issues;
  const keys = issue!.path as (string | number)[];
  throw document.error(
    keys,
    `${keys.join('.') || quoteValue(path)}: ${issue!.message}: is no baseline; write one with spbsim check --update-baseline`,
  );
}

const FAMILY_ORDER: ReadonlyMap<string, number> = new Map(METRIC_FAMILIES.map(({ name }, at) => [name, at]));

function byCatalogue(a: string, b: string): number {
  const order = (metric: string) => FAMILY_ORDER.get(metric.split('.', 1)[0]!) ?? 0;
  return order(a) - order(b) || (a < b ? -1 : a > b ? 1 : 0);
}

function byKey(a: BaselineRun, b: BaselineRun): number {
  const less = (x: string, y: string) => (x < y ? -1 : x > y ? 1 : 0);
  return less(a.trace, b.trace) || less(a.policy, b.policy) || a.seed - b.seed;
}

/** Words that YAML takes for something else than a text. */
const NO_TEXT = /^(?:true|false|null|yes|no|on|off|y|n)$/i;

/** A text that YAML takes for just this text, whatever is in it. */
function quoted(text: string): string {
  return /^[A-Za-z_][\w./-]*$/.test(text) && !NO_TEXT.test(text) ? text : inertJson(JSON.stringify(text));
}

function runLines(run: BaselineRun): string[] {
  const metrics = Object.entries(run.metrics).sort(([a], [b]) => byCatalogue(a, b));
  return [
    `  - trace: ${quoted(run.trace)}`,
    `    policy: ${quoted(run.policy)}`,
    `    seed: ${run.seed}`,
    `    machine: ${quoted(run.machine)}`,
    `    input_sha256: [${run.input_sha256.map(quoted).join(', ')}]`,
    ...(metrics.length === 0
      ? ['    metrics: {}']
      : ['    metrics:', ...metrics.map(([name, value]) => `      ${quoted(name)}: ${value}`)]),
  ];
}

export function baselineText(baseline: Baseline): string {
  const runs = [...baseline.runs].sort(byKey);
  return [
    '# Written by spbsim check --update-baseline; limits such as <= +2% are relative to it.',
    'schema: spbsim.baseline/1',
    runs.length === 0 ? 'runs: []' : 'runs:',
    ...runs.flatMap(runLines),
    '',
  ].join('\n');
}

/** @throws InputError if it cannot be written */
export async function writeBaseline(path: string, baseline: Baseline): Promise<void> {
  const bytes = new TextEncoder().encode(baselineText(baseline));
  await writeOutput(
    path,
    (async function* () {
      yield bytes;
    })(),
  );
}
