/** Parsers of option values. Each throws a UsageError of one line that names the option. */
import { UsageError } from '../config/usage-error.js';

/** A whole number from `min` up. */
export function wholeNumber(option: string, min: number): (text: string) => number {
  return (text) => {
    const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
    if (!Number.isSafeInteger(value) || value < min) {
      throw new UsageError(`${option} ${text}: expected a whole number of at least ${min}`);
    }
    return value;
  };
}

/** A share from 0 to 1, also as `99.9%`. */
export function share(option: string): (text: string) => number {
  return (text) => {
    const match = /^(\d+(?:\.\d+)?|\.\d+)(%?)$/.exec(text);
    const value = match === null ? Number.NaN : Number(match[1]) / (match[2] === '%' ? 100 : 1);
    if (!(value >= 0 && value <= 1))
      throw new UsageError(`${option} ${text}: expected 0 to 1, or a percentage such as 99.9%`);
    return value;
  };
}

/** One of a few words. */
export function oneOf<const V extends readonly string[]>(
  option: string,
  values: V,
): (text: string) => V[number] {
  return (text) => {
    if (!values.includes(text)) throw new UsageError(`${option} ${text}: expected ${values.join(' or ')}`);
    return text;
  };
}

/** Adds a value to those given before: for options that may be repeated. */
export function repeated(text: string, before: readonly string[]): readonly string[] {
  return [...before, text];
}

const UNITS = 'kmgt';

/** A number of bytes, plain or with a unit such as `64KiB` or `1g`. */
export function byteSize(option: string): (text: string) => number {
  return (text) => {
    const match = /^(\d+(?:\.\d+)?)(?:([kmgt])(?:ib)?)?$/i.exec(text);
    const unit = match?.[2] === undefined ? 0 : UNITS.indexOf(match[2].toLowerCase()) + 1;
    const bytes = match === null ? Number.NaN : Number(match[1]) * 1024 ** unit;
    if (!Number.isSafeInteger(bytes) || bytes < 1)
      throw new UsageError(`${option} ${text}: expected a number of bytes, such as 65536 or 64KiB`);
    return bytes;
  };
}

/** Whole numbers and ranges of them, such as `0,2,4-7`. */
export function numberList(option: string): (text: string) => ReadonlySet<number> {
  return (text) => {
    const numbers = new Set<number>();
    for (const part of text.split(',')) {
      const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(part);
      const first = Number(match?.[1] ?? Number.NaN);
      const last = Number(match?.[2] ?? first);
      if (!(first <= last))
        throw new UsageError(`${option} ${text}: expected numbers and ranges, such as 0,2,4-7`);
      for (let number = first; number <= last; number++) numbers.add(number);
    }
    return numbers;
  };
}

/** `--max-machine` in pages; undefined leaves the default. */
export async function machineLimit(text: string | undefined): Promise<number | undefined> {
  if (text === undefined) return undefined;
  return (await import('../config/size.js')).parseSizePages(text, '--max-machine');
}

const MOST_SEEDS = 1000;

/** Seeds in the order given: `1..5`, `1,7`, `1..3,10`. */
export function seedRange(option: string): (text: string) => readonly number[] {
  return (text) => {
    const seeds: number[] = [];
    for (const part of text.split(',')) {
      const match = /^(\d{1,15})(?:\.\.(\d{1,15}))?$/.exec(part);
      const first = Number(match?.[1] ?? Number.NaN);
      const last = Number(match?.[2] ?? first);
      if (!(first <= last)) throw new UsageError(`${option} ${text}: expected seeds, such as 1..5 or 1,7`);
      if (last - first + seeds.length >= MOST_SEEDS)
        throw new UsageError(`${option} ${text}: more than ${MOST_SEEDS} seeds`);
      for (let seed = first; seed <= last; seed++) if (!seeds.includes(seed)) seeds.push(seed);
    }
    return seeds;
  };
}
