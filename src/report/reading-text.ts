/** What the readers found in the inputs, in full: what `--verbose` adds. */
import { plural, thousands } from './quantities.js';
import type { ResultReadInput } from './run-result.js';
import { printable } from './sanitize.js';
import { plainStyle, type TextStyle } from './text-style.js';
import { wrapItems } from './text-table.js';

const INDENT = 2;
const PAGE_WIDTH = 100;

export function renderReading(inputs: readonly ResultReadInput[], style: TextStyle = plainStyle): string {
  return `${inputs.map((input) => section(input, style).join('\n')).join('\n\n')}\n`;
}

function section(input: ResultReadInput, style: TextStyle): string[] {
  const { kernel } = input;
  const why = kernel.reasons.length === 0 ? '' : `: ${kernel.reasons.join(', ')}`;
  const lines = [
    `${style.heading(printable(input.path))}   ${printable(input.format)}   gfp words of Linux ${kernel.generation} (${kernel.how}${printable(why)})`,
  ];
  if (input.cut !== null) lines.push(`  ${style.warn(printable(input.cut))}`);
  if (input.kinds.length > 0) {
    const kinds = input.kinds.map(
      ({ name, events, used }) => `${printable(name)} ${thousands(events)}${used ? '' : ' (not replayed)'}`,
    );
    lines.push(
      ...wrapItems(kinds, INDENT, PAGE_WIDTH).map((line, i) => (i === 0 ? `  ${line.trimStart()}` : line)),
    );
  }
  for (const { cpu, events, gaps } of input.lost)
    lines.push(
      `  CPU ${cpu} lost ${events === 0 ? 'events' : thousands(events)} in ${plural(gaps, 'place')}`,
    );
  for (const { kind, lines: count, example_line, example } of input.not_understood) {
    lines.push(`  ${style.warn(`${plural(count, 'line')} not understood`)}: ${printable(kind)}`);
    lines.push(`    line ${thousands(example_line)}: ${printable(example)}`);
  }
  for (const remark of input.remarks) lines.push(`  ${printable(remark)}`);
  return lines;
}
