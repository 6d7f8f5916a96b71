/** The words of an expression: numbers, names, operators, each with its place. */
import { expressionError } from './expression-error.js';

export type TokenKind = 'number' | 'name' | 'operator' | 'end';

export interface Token {
  readonly kind: TokenKind;
  readonly text: string;
  /** of its first character, from 0 */
  readonly at: number;
  /** of a number; NaN for all others */
  readonly value: number;
}

/** Longer than anybody writes by hand. */
export const MAX_EXPRESSION = 4096;

const SPACE = /[ \t\r\n]*/y;
const NUMBER = /(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?%?/y;
const NAME = /[A-Za-z_][A-Za-z0-9_.:]*/y;
/** Two characters first. */
const OPERATOR = /<=|>=|==|!=|&&|\|\||[-+*/<>!(),]/y;

/** What people write who think in another language. */
const MEANT: ReadonlyMap<string, string> = new Map([
  ['=', '=='],
  ['&', '&&'],
  ['|', '||'],
]);

function matchAt(pattern: RegExp, source: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(source)?.[0];
}

function numberValue(text: string): number {
  return text.endsWith('%') ? Number(text.slice(0, -1)) / 100 : Number(text);
}

/** @throws UsageError  at a character that begins no word */
export function tokenize(source: string, option: string): Token[] {
  if (source.length > MAX_EXPRESSION)
    throw expressionError(source, MAX_EXPRESSION, `longer than ${MAX_EXPRESSION} characters`, option);
  const tokens: Token[] = [];
  let at = (matchAt(SPACE, source, 0) ?? '').length;
  while (at < source.length) {
    const token = tokenAt(source, at, option);
    tokens.push(token);
    at += token.text.length;
    at += (matchAt(SPACE, source, at) ?? '').length;
  }
  tokens.push({ kind: 'end', text: '', at: source.length, value: Number.NaN });
  return tokens;
}

function tokenAt(source: string, at: number, option: string): Token {
  const name = matchAt(NAME, source, at);
  if (name !== undefined) return { kind: 'name', text: name, at, value: Number.NaN };
  const number = matchAt(NUMBER, source, at);
  if (number !== undefined) return numberAt(source, at, number, option);
  const operator = matchAt(OPERATOR, source, at);
  if (operator !== undefined) return { kind: 'operator', text: operator, at, value: Number.NaN };
  const found = source[at] as string;
  const meant = MEANT.get(found);
  const problem =
    meant === undefined
      ? 'this character means nothing here'
      : `"${found}" alone means nothing: write ${meant}`;
  throw expressionError(source, at, problem, option);
}

function numberAt(source: string, at: number, text: string, option: string): Token {
  const end = at + text.length;
  if (matchAt(NAME, source, end) !== undefined)
    throw expressionError(
      source,
      end,
      'a number ends here, and something else begins without an operator',
      option,
    );
  const value = numberValue(text);
  if (!Number.isFinite(value)) throw expressionError(source, at, 'this number is too large', option);
  return { kind: 'number', text, at, value };
}
