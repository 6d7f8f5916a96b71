/**
 * Configuration files, YAML or JSON, with the place of every value for error messages.
 *
 * One parser serves both: JSON is YAML, and so even a JSON file's errors name line and column.
 */
import { readFile, stat } from 'node:fs/promises';
import { InputError } from '../trace/input-error.js';
import { sanitize } from '../trace/sanitize.js';

/** Larger than any configuration by far; a trace given by mistake must not be parsed as YAML. */
const MAX_CONFIG_BYTES = 4 << 20;

/** Longest message: what it quotes may be as long as the file. Lists of all that is known are shorter. */
const MESSAGE_CHARACTERS = 600;

export interface ConfigDocument {
  readonly path: string;
  readonly value: unknown;
  /** the error for what stands under these keys, with line and column as near as they can be found */
  error(keys: readonly (string | number)[], text: string): InputError;
}

/** Whether there is a file (not a directory) of that name. */
export async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}

/** Parses the text of a configuration file; `path` is only for messages. */
export async function parseConfig(text: string, path: string): Promise<ConfigDocument> {
  const { LineCounter, isMap, isPair, isScalar, isSeq, parseDocument } = await import('yaml');
  const lines = new LineCounter();
  const errorAt = (offset: number, text: string) => {
    const { line, col } = lines.linePos(offset);
    return new InputError({ file: path, line, column: col, expectation: sanitize(text, MESSAGE_CHARACTERS) });
  };
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    // Warnings go to stderr past all that makes text fit for it.
    logLevel: 'error',
    stringKeys: true,
  });
  const [error] = document.errors;
  if (error !== undefined) {
    const [reason] = error.message.split('\n');
    const isDeep = reason === 'Maximum call stack size exceeded';
    throw errorAt(error.pos[0], isDeep ? 'is nested too deeply' : `not valid YAML or JSON: ${reason}`);
  }

  const errorUnder = (keys: readonly (string | number)[], text: string): InputError => {
    let node: unknown = document.contents;
    let offset: number | undefined;
    for (const key of keys) {
      if (isMap(node)) {
        const pair = node.items.find(
          (item) => isPair(item) && isScalar(item.key) && String(item.key.value) === String(key),
        );
        if (pair === undefined) break;
        if (isScalar(pair.key) && pair.key.range) offset = pair.key.range[0];
        node = pair.value;
      } else if (isSeq(node) && typeof key === 'number') {
        node = node.items[key];
        const range = (node as { range?: [number, number, number] | null } | undefined)?.range;
        if (range) offset = range[0];
      } else break;
    }
    if (offset !== undefined) return errorAt(offset, text);
    return new InputError({ file: path, expectation: sanitize(text, MESSAGE_CHARACTERS) });
  };

  let value: unknown;
  try {
    value = document.toJS() as unknown;
  } catch (error) {
    // Aliases that multiply without bound; the parser counts them only here.
    const [reason] = (error as Error).message.split('\n');
    throw new InputError({ file: path, expectation: `not valid YAML: ${reason}` });
  }
  return { path, value, error: errorUnder };
}

/** Reads and parses a configuration file. */
export async function readConfig(path: string): Promise<ConfigDocument> {
  const { size } = await stat(path);
  if (size > MAX_CONFIG_BYTES) {
    throw new InputError({
      file: path,
      expectation: `is ${size} bytes long; a configuration file has at most ${MAX_CONFIG_BYTES}`,
    });
  }
  return parseConfig(await readFile(path, 'utf8'), path);
}

export function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const SHOWN_LENGTH = 60;

/** A value of a file as an error message quotes it. */
export function quoteValue(value: unknown): string {
  if (typeof value === 'number') return String(value);
  let text: string;
  try {
    text = JSON.stringify(value) ?? String(value);
  } catch {
    // An anchor that stands inside itself.
    return 'a value without end';
  }
  return text.length > SHOWN_LENGTH ? `${text.slice(0, SHOWN_LENGTH)}…` : text;
}
