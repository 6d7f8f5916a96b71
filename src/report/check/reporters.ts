/** The reporters of `spbsim check` by name, and what `--reporter NAME[=FILE]` asks for. */
import { didYouMean } from '../../config/nearest-name.js';
import { UsageError } from '../../config/usage-error.js';
import type { CheckResult } from '../check-result.js';
import type { TextStyle } from '../text-style.js';
import { renderCheckGithub } from './github.js';
import { renderCheckJson } from './json.js';
import { renderCheckJunit } from './junit.js';
import { renderCheckMarkdown } from './markdown.js';
import { shown } from './outside-text.js';
import { renderCheckSarif } from './sarif.js';
import { renderCheckText } from './text.js';

export interface CheckReportOptions {
  /** colours, for `text` on a terminal; files have none */
  readonly style?: TextStyle;
  /** also what is within limits, in `text`; the others always hold it or never do */
  readonly all?: boolean;
}

export interface CheckReporter {
  readonly name: string;
  /** for `--help` */
  readonly meaning: string;
  render(result: CheckResult, options?: CheckReportOptions): string;
}

export const CHECK_REPORTERS: readonly CheckReporter[] = [
  {
    name: 'text',
    meaning: 'for people: what failed, the worst first',
    render: (result, { style, all = false } = {}) => renderCheckText(result, style, { all }),
  },
  { name: 'json', meaning: 'the whole document spbsim.check/1', render: (result) => renderCheckJson(result) },
  {
    name: 'junit',
    meaning: 'JUnit XML, a test case per budget',
    render: (result) => renderCheckJunit(result),
  },
  {
    name: 'markdown',
    meaning: 'for the step summary of a CI job',
    render: (result) => renderCheckMarkdown(result),
  },
  {
    name: 'github',
    meaning: 'annotations on the lines of the budget file, as workflow commands',
    render: (result) => renderCheckGithub(result),
  },
  {
    name: 'sarif',
    meaning: 'SARIF 2.1.0, for services that show findings beside the code',
    render: (result) => renderCheckSarif(result),
  },
];

export interface ReporterChoice {
  readonly reporter: CheckReporter;
  /** null: stdout */
  readonly file: string | null;
}

/** Reads the value of `--reporter`: `junit`, `junit=out/report.xml`. */
export function parseReporter(text: string): ReporterChoice {
  const equals = text.indexOf('=');
  const name = equals < 0 ? text : text.slice(0, equals);
  const names = CHECK_REPORTERS.map((reporter) => reporter.name);
  const reporter = CHECK_REPORTERS.find((known) => known.name === name);
  if (reporter === undefined) {
    throw new UsageError(
      `--reporter: "${shown(name)}" is not a reporter${didYouMean(name, names)}   (known: ${names.join(', ')})`,
    );
  }
  const file = equals < 0 ? null : text.slice(equals + 1);
  if (file === '') {
    throw new UsageError(
      `--reporter: "${name}=" names no file; give ${name}=FILE, or ${name} alone for standard output`,
    );
  }
  return { reporter, file };
}
