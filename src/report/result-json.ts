/**
 * A document as JSON text: keys in the order of the schema, lists of plain values on one line.
 *
 * `JSON.stringify` with indentation puts each of a zone's eleven numbers on a line of its own, which nobody can read
 * or compare.
 */
import type { RunResult } from './run-result.js';
import { inertJson } from './sanitize.js';
import type { TraceInfo } from './trace-info.js';
import type { VerifyResult } from './verify-result.js';

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

const RESULT_KEYS: readonly (keyof RunResult)[] = [
  'schema',
  'tool',
  'interrupted',
  'inputs',
  'mode',
  'injected',
  'seed',
  'policy',
  'machine',
  'migratetypes',
  'start_state',
  'span',
  'events',
  'allocations',
  'notes',
  'vmstat',
  'nodes',
  'zones',
  'superpageblocks',
  'slab',
  'series',
  'findings',
  'findings_total',
  'metrics',
  'performance',
];

/** The figures that a CI job reads come first. */
const VERIFY_KEYS: readonly (keyof VerifyResult)[] = [
  'schema',
  'agreement',
  'compared',
  'matched',
  'first_divergence',
  'kind',
  'title',
  'tool',
  'input',
  'kernel',
  'policy',
  'operations',
  'failures',
  'checkpoints',
  'recording',
  'slab',
  'notes',
  'performance',
];

function isPlain(value: Json): boolean {
  return value === null || typeof value !== 'object';
}

function format(value: Json, indent: string): string {
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  const inner = `${indent}  `;
  if (Array.isArray(value)) {
    if (value.length === 0) return '[]';
    if (value.every(isPlain)) return `[${value.map((item) => JSON.stringify(item)).join(', ')}]`;
    return `[\n${value.map((item) => inner + format(item, inner)).join(',\n')}\n${indent}]`;
  }
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  if (entries.length === 0) return '{}';
  const lines = entries.map(([key, item]) => `${inner}${JSON.stringify(key)}: ${format(item, inner)}`);
  return `{\n${lines.join(',\n')}\n${indent}}`;
}

function ordered<T extends object>(document: T, keys: readonly (keyof T)[]): string {
  const first = keys.filter((key) => Object.hasOwn(document, key));
  const all = new Set<PropertyKey>([...first, ...Object.keys(document)]);
  const sorted = Object.fromEntries([...all].map((key) => [key, document[key as keyof T]]));
  return `${inertJson(format(sorted as Json, ''))}\n`;
}

/** Any value of JSON in the same form. */
export function jsonText(value: unknown): string {
  return `${inertJson(format(value as Json, ''))}\n`;
}

/** The result document as text. */
export function renderResultJson(result: RunResult): string {
  return ordered(result, RESULT_KEYS);
}

/** The verification document as text; `agreement`, `compared` and `first_divergence` follow the schema's name. */
export function renderVerifyJson(result: VerifyResult): string {
  return ordered(result, VERIFY_KEYS);
}

/** The info document as text. */
export function renderInfoJson(info: TraceInfo): string {
  return jsonText(info);
}
