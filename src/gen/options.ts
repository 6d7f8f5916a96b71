/**
 * Options of workloads: what they are called, what they take, and values read from text.
 */
import { parseDuration } from '../config/duration.js';
import { didYouMean } from '../config/nearest-name.js';
import { parseSize } from '../config/size.js';
import { UsageError } from '../config/usage-error.js';
import { PAGE_BYTES } from '../mm/types.js';

/**
 * `share` is a part of 1, `time` in ns, `size` in pages, `rate` per second, `order` of pages; `count` has no unit.
 */
export type OptionUnit = 'share' | 'count' | 'rate' | 'time' | 'size' | 'order';

export interface OptionSpec {
  readonly unit: OptionUnit;
  /** as a user would type it */
  readonly default: string;
  readonly min: number;
  readonly max: number;
  readonly doc: string;
}

export type OptionSpecs = Readonly<Record<string, OptionSpec>>;
export type OptionValues<S extends OptionSpecs> = { readonly [K in keyof S]: number };

const MAX_RATE = 10_000_000;
const HOUR_NS = 3600e9;

/** A share of something; above 100 % only where `max` allows. */
export function share(standard: string, doc: string, max = 1): OptionSpec {
  return { unit: 'share', default: standard, min: 0, max, doc };
}

export function count(standard: string, doc: string, max: number, min = 0): OptionSpec {
  return { unit: 'count', default: standard, min, max, doc };
}

export function rate(standard: string, doc: string): OptionSpec {
  return { unit: 'rate', default: standard, min: 0, max: MAX_RATE, doc };
}

export function time(standard: string, doc: string): OptionSpec {
  return { unit: 'time', default: standard, min: 1000, max: 24 * HOUR_NS, doc };
}

/** @param min, max  in pages */
export function size(standard: string, doc: string, min: number, max: number): OptionSpec {
  return { unit: 'size', default: standard, min, max, doc };
}

export function order(standard: string, doc: string, max: number): OptionSpec {
  return { unit: 'order', default: standard, min: 0, max, doc };
}

function percent(part: number): string {
  return `${part * 100}%`;
}

/** What an option takes, for the end of an error message. */
function expectation(spec: OptionSpec): string {
  switch (spec.unit) {
    case 'share':
      return `a share from ${percent(spec.min)} to ${percent(spec.max)}, such as ${spec.default}`;
    case 'time':
      return `a time from ${spec.min} ns to ${spec.max / HOUR_NS} h with its unit, such as ${spec.default}`;
    case 'size':
      return `a size of ${(spec.min * PAGE_BYTES) / 1024} KiB to ${(spec.max * PAGE_BYTES) / 2 ** 30} GiB, such as ${spec.default}`;
    default:
      return `a whole number from ${spec.min} to ${spec.max}`;
  }
}

function parseShare(text: string): number {
  const match = /^(\d+(?:\.\d+)?|\.\d+)(%?)$/.exec(text);
  return match === null ? Number.NaN : Number(match[1]) / (match[2] === '%' ? 100 : 1);
}

function parseValue(unit: OptionUnit, text: string): number {
  switch (unit) {
    case 'share':
      return parseShare(text);
    case 'time':
      return parseDuration(text) ?? Number.NaN;
    case 'size':
      return (parseSize(text) ?? Number.NaN) / PAGE_BYTES;
    default:
      return /^\d(?:_?\d)*$/.test(text) ? Number(text.replaceAll('_', '')) : Number.NaN;
  }
}

function isInside(spec: OptionSpec, value: number): boolean {
  const isWhole = spec.unit === 'share' || Number.isSafeInteger(value);
  return isWhole && value >= spec.min && value <= spec.max;
}

/**
 * All values of a workload's options: the given ones, as text or as numbers in the unit of the option, and the defaults.
 *
 * @throws UsageError  if an option is unknown, or its value is out of range
 */
export function optionValues<S extends OptionSpecs>(
  workload: string,
  specs: S,
  given: Readonly<Record<string, string | number>>,
): OptionValues<S> {
  const values = new Map<string, number>();
  for (const [name, spec] of Object.entries(specs)) values.set(name, parseValue(spec.unit, spec.default));
  for (const [name, value] of Object.entries(given)) {
    const spec = Object.hasOwn(specs, name) ? specs[name] : undefined;
    if (spec === undefined)
      throw new UsageError(`${workload} has no option ${name}${didYouMean(name, Object.keys(specs))}`);
    const parsed = typeof value === 'number' ? value : parseValue(spec.unit, value.trim());
    if (!isInside(spec, parsed)) throw new UsageError(`${name}=${value}: expected ${expectation(spec)}`);
    values.set(name, parsed);
  }
  return Object.fromEntries(values) as OptionValues<S>;
}
