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
