/** Which of the formats a scripted run has: its first line says so. */
import { readLines } from '../../trace/bytes/line-reader.js';
import { openInput } from '../../trace/bytes/open-input.js';
import type { TraceLimits } from '../../trace/limits.js';

/** As for the readers that follow: a longer line is theirs to complain of. */
const MAX_LINE_BYTES = 64 << 20;
const NOLOCK_TABLES: ReadonlySet<unknown> = new Set(['nltab', 'nlfree']);

export type ScriptedRunKind = 'pages' | 'slab' | 'nolock' | 'nlrun' | 'nest' | 'nlnat';

export async function scriptedRunKind(path: string, limits?: TraceLimits): Promise<ScriptedRunKind> {
  const header = await firstValue(path, limits);
  if (header?.t !== 'run' || header.mix !== undefined) return 'pages';
  const { name } = header;
  if (NOLOCK_TABLES.has(name)) return 'nolock';
  if (name === 'nlrun' || name === 'nest' || name === 'nlnat') return name;
  return header.stats === undefined ? 'pages' : 'slab';
}

/** The first line as an object; undefined if it is none, which the reader of the run will complain of. */
async function firstValue(path: string, limits?: TraceLimits): Promise<Record<string, unknown> | undefined> {
  const input = await openInput(path, limits);
  for await (const lines of readLines(input.chunks, input.name, MAX_LINE_BYTES, 'check how it was made'))
    for (const text of lines) {
      if (text === '') continue;
      try {
        const value: unknown = JSON.parse(text);
        return value === null || typeof value !== 'object' ? undefined : (value as Record<string, unknown>);
      } catch {
        return undefined;
      }
    }
  return undefined;
}
