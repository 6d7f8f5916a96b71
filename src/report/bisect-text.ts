/** A bisection as text: what was found on the first line, then the figures, the event, and how to see why. */
import { basename } from 'node:path';
import type { BisectFound, BisectMetric, BisectReduced, BisectResult } from './bisect-result.js';
import { duration, plural, thousands } from './quantities.js';
import { printable } from './sanitize.js';
import { plainStyle, type TextStyle } from './text-style.js';
import { textTable, wrapItems } from './text-table.js';

const LABEL_WIDTH = 12;
const WIDTH = 100;

/** Rounded as far as it is still told apart from its neighbours in a table. */
function figure(value: number | null): string {
  if (value === null) return '';
  if (Number.isInteger(value)) return thousands(value);
  const [whole = '0', fraction = ''] = Math.abs(value).toFixed(3).split('.');
  return `${value < 0 ? '-' : ''}${thousands(Number(whole))}.${fraction}`;
}

function policyText({ policy, overrides }: BisectResult['a']): string {
  return printable([policy, ...overrides.map((text) => `--set ${text}`)].join(' '));
}

/** Words on lines of at most the width. */
function wrapped(text: string, style: (text: string) => string): string[] {
  return wrapItems(text.split(' '), 0, WIDTH, ' ').map(style);
}

function titleLines({ until, events, found }: BisectResult, style: TextStyle): string[] {
  const expression = printable(until).trim().replace(/\s+/g, ' ');
  const all = plural(events, 'event');
  if (found === null) return wrapped(`${expression} never holds in ${all}`, style.bad);
  if (found.events === 0) return wrapped(`${expression} holds before the first of ${all}`, style.warn);
  return wrapped(
    `${expression} holds after ${thousands(found.events)} of ${all} (t = ${duration(found.since_start_ns)})`,
    style.heading,
  );
}

function contextLines({ inputs, a, b, machine, start_state }: BisectResult, style: TextStyle): string[] {
  const items = [
    inputs.map((path) => printable(basename(path) || path)).join(' '),
    `A: ${policyText(a)}`,
    `B: ${policyText(b)}`,
    `machine: ${printable(machine)}`,
    `start state: ${start_state}`,
  ];
  return wrapItems(items, 0).map(style.dim);
}

function metricLines({ found, metrics }: BisectResult): string[] {
  const hasBefore = found !== null && found.events > 0;
  const after = found === null ? 'at the end' : hasBefore ? 'after' : 'at the start';
  const places = hasBefore ? ['before', after] : [after];
  const cells = ({ name, a, b }: BisectMetric) => {
    const of = (side: BisectMetric['a']) =>
      hasBefore ? [figure(side.before), figure(side.after)] : [figure(side.after)];
    return [name, ...of(a), ...of(b)];
  };
  const head = ['', ...places.map((place) => `A ${place}`), ...places.map((place) => `B ${place}`)];
  return textTable({ head, rows: metrics.map(cells), indent: 2 });
}

function labelled(label: string, items: readonly string[], gap = '   '): string[] {
  return wrapItems(items, LABEL_WIDTH + 2, WIDTH, gap).map((line, i) =>
    i === 0 ? `  ${label.padEnd(LABEL_WIDTH)}${line.trimStart()}` : line,
  );
}

function eventLines(found: BisectFound | null): string[] {
  const event = found?.event;
  if (event === undefined || event === null) return [];
  return labelled('event', [
    `#${thousands(event.number)}`,
    `at ${duration(event.since_start_ns)}`,
    `CPU ${event.cpu}, ${event.ctx}`,
    event.order === null ? event.op : `${event.op} order ${event.order}`,
    ...(event.gfp === null ? [] : [printable(event.gfp)]),
    ...(event.id === '' ? [] : [`id ${printable(event.id)}`]),
    ...(event.recorded_pfn === null ? [] : [`recorded pfn 0x${event.recorded_pfn.toString(16)}`]),
    ...(event.site === '' ? [] : [`site ${printable(event.site)}`]),
  ]);
}

function looksText({ looks }: BisectResult): string {
  const parts = looks
    .filter(({ from, to }) => to > from)
    .map(({ every, from, to }) => {
      const range = from === 0 ? `up to ${thousands(to)}` : `from ${thousands(from)} to ${thousands(to)}`;
      return every === 1 ? `after every event ${range}` : `after every ${thousands(every)} events ${range}`;
    });
  return parts.join(', ');
}

/** Whether something shorter than the distance of two looks could have been missed, and what to do about it. */
function looksLines(result: BisectResult): string[] {
  if (result.looks.every(({ every, from, to }) => every === 1 || from === to))
    return labelled('looked', ['after every event']);
  const rest =
    result.found === null
      ? '; an episode in between may have been missed'
      : '; an earlier episode in between may have been missed';
  return labelled(
    'looked',
    `${looksText(result)}${rest}; --exhaustive looks after every event`.split(' '),
    ' ',
  );
}

function reducedLines(reduced: BisectReduced | null): string[] {
  if (reduced === null) return [];
  const { file, events, objects, replays, is_minimal } = reduced;
  const texts = [
    `${plural(events, 'event')} of ${plural(objects, 'object')}, written to ${printable(file)}; ${plural(replays, 'replay')};`,
    is_minimal ? 'nothing more can be left out' : '--max-tests ran out: more might be left out',
  ];
  return labelled('reduced', texts.join(' ').split(' '), ' ');
}

function hintLines({ never_seen, see, cut }: BisectResult, style: TextStyle): string[] {
  const never =
    never_seen.length === 0
      ? []
      : labelled(
          'no value',
          `${never_seen.map(printable).join(', ')}: no run here has it, and every comparison with it is false`.split(
            ' ',
          ),
          ' ',
        ).map(style.warn);
  const why = see.map((command, i) => `  ${(i === 0 ? 'why' : '').padEnd(LABEL_WIDTH)}${printable(command)}`);
  return [...never, ...cut.flatMap((text) => labelled('cut', [printable(text)]).map(style.warn)), ...why];
}

export function renderBisect(result: BisectResult, style: TextStyle = plainStyle): string {
  const sections = [
    [...titleLines(result, style), ...contextLines(result, style)],
    metricLines(result),
    [
      ...eventLines(result.found),
      ...looksLines(result),
      ...reducedLines(result.reduced),
      ...hintLines(result, style),
    ],
  ];
  return `${sections.map((lines) => lines.join('\n')).join('\n\n')}\n`;
}
