/** `spbsim metrics`: the catalogue as a table, as JSON, or as the page of the docs. */
import { METRIC_FAMILIES } from '../../report/metrics/catalogue.js';
import { renderCatalogueMarkdown, renderCatalogueText } from '../../report/metrics/catalogue-text.js';
import { familyKey, type MetricFamily } from '../../report/metrics/metric.js';
import { jsonText } from '../../report/result-json.js';
import { printable } from '../../report/sanitize.js';
import { terminalStyle } from '../../report/text-style.js';
import { ExitCode } from '../exit-codes.js';
import { print } from '../output.js';

export interface MetricsOptions {
  readonly grep?: string;
  readonly json?: true;
  readonly markdown?: true;
}

/** Families whose name, subject or meaning holds all words, whatever their case. */
function matching(words: string): readonly MetricFamily[] {
  const wanted = words.toLowerCase().split(/\s+/);
  return METRIC_FAMILIES.filter((family) => {
    const text = `${familyKey(family)} ${family.subject} ${family.meaning} ${family.kernel}`.toLowerCase();
    return wanted.every((word) => text.includes(word));
  });
}

export async function metricsCommand(options: MetricsOptions): Promise<void> {
  const families = options.grep === undefined ? METRIC_FAMILIES : matching(options.grep);
  if (options.json) {
    const rows = families.map(({ read: _, ...family }) => ({ key: familyKey(family), ...family }));
    return print(jsonText(rows));
  }
  if (options.markdown) return print(renderCatalogueMarkdown(families));
  if (families.length === 0) {
    // As grep does: nothing found is an answer, and a failure.
    process.exitCode = ExitCode.failed;
    process.stderr.write(`no metric has "${printable(options.grep ?? '')}" in its name or meaning\n`);
    return;
  }
  await print(renderCatalogueText(families, await terminalStyle()));
}
