/**
 * Knob values as text: what is expected, what a user typed, how a value is printed.
 */
import { KNOBS, type KnobName, type KnobSpec, type KnobValue } from '../mm/policy.js';

/** The table under its general type: `as const` gives each knob a type of its own, which no loop can use. */
export const KNOB_TABLE: Readonly<Record<KnobName, KnobSpec>> = KNOBS;

export function isKnobName(name: string): name is KnobName {
  return Object.hasOwn(KNOBS, name);
}

function withUnit(text: string, unit: string): string {
  return unit === '' ? text : `${text} ${unit}`;
}

/** What a knob takes, for the end of an error message: `a whole number from 0 to 6 (doublings)`. */
export function knobExpectation(name: KnobName): string {
  const knob = KNOB_TABLE[name];
  switch (knob.type) {
    case 'number': {
      const unit = knob.unit === '' ? '' : ` (${knob.unit})`;
      return `a whole number from ${knob.min} to ${knob.max}${unit}`;
    }
    case 'boolean':
      return 'true or false';
    case 'enum':
      return `one of ${knob.values.join(', ')}`;
    case 'numbers':
      return `${knob.length} whole numbers of at least 0 (${knob.unit})`;
  }
}

/** Whether a value is of the knob's type and inside its range. The schema of policy files says the same in zod. */
export function isKnobValue(name: KnobName, value: unknown): value is KnobValue {
  const knob = KNOB_TABLE[name];
  switch (knob.type) {
    case 'number':
      return Number.isSafeInteger(value) && (value as number) >= knob.min && (value as number) <= knob.max;
    case 'boolean':
      return typeof value === 'boolean';
    case 'enum':
      return typeof value === 'string' && knob.values.includes(value);
    case 'numbers':
      return (
        Array.isArray(value) &&
        value.length === knob.length &&
        value.every((item) => Number.isSafeInteger(item) && item >= 0)
      );
  }
}

/** Decimal digits, which may be grouped by underscores as in this program's own source. */
function parseWholeNumber(text: string): number {
  return /^\d(?:_?\d)*$/.test(text) ? Number(text.replaceAll('_', '')) : Number.NaN;
}

const BOOLEAN_WORDS: ReadonlyMap<string, boolean> = new Map([
  ['true', true],
  ['on', true],
  ['yes', true],
  ['1', true],
  ['false', false],
  ['off', false],
  ['no', false],
  ['0', false],
]);

/** The value that a text such as that of `--set` means for this knob, or undefined if it means none. */
export function parseKnobValue(name: KnobName, text: string): KnobValue | undefined {
  const trimmed = text.trim();
  let value: unknown;
  switch (KNOB_TABLE[name].type) {
    case 'number':
      value = parseWholeNumber(trimmed);
      break;
    case 'boolean':
      value = BOOLEAN_WORDS.get(trimmed.toLowerCase());
      break;
    case 'enum':
      value = trimmed;
      break;
    case 'numbers':
      value = trimmed
        .replace(/^\[(.*)\]$/, '$1')
        .split(/[\s,]+/)
        .map(parseWholeNumber);
      break;
  }
  return isKnobValue(name, value) ? value : undefined;
}

/** A value as `--set` takes it. */
export function formatKnobValue(value: KnobValue): string {
  return Array.isArray(value) ? value.join(',') : String(value);
}

/** A value with its unit, for tables. */
export function describeKnobValue(name: KnobName, value: KnobValue): string {
  return withUnit(formatKnobValue(value), KNOB_TABLE[name].unit);
}
