/** Which of the formats a scripted run has: its first line says so. */
import { readLines } from '../../trace/bytes/line-reader.js';
import { openInput } from '../../trace/bytes/open-input.js';
import { InputError } from '../../trace/input-error.js';
import type { TraceLimits } from '../../trace/limits.js';

/** As for the readers that follow: a longer line is theirs to complain of. */
const MAX_LINE_BYTES = 64 << 20;
/** Slab runs by the names in their headers that are no run of plain operations. */
const OTHER_SLAB_RUNS: ReadonlySet<unknown> = new Set(['nest', 'nlnat']);
const NOLOCK_TABLES: ReadonlySet<unknown> = new Set(['nltab', 'nlfree']);

export type ScriptedRunKind = 'pages' | 'slab' | 'nolock' | 'nlrun';

/** @throws InputError for a run of a kind that nothing here can verify */
export async function scriptedRunKind(path: string, limits?: TraceLimits): Promise<ScriptedRunKind> {
  const header = await firstValue(path, limits);
  if (header?.t !== 'run' || header.mix !== undefined) return 'pages';
  if (NOLOCK_TABLES.has(header.name)) return 'nolock';
  if (header.name === 'nlrun') return 'nlrun';
  if (!OTHER_SLAB_RUNS.has(header.name)) return header.stats === undefined ? 'pages' : 'slab';
  throw new InputError({
    file: path,
    line: 1,
    field: 'name',
    value: String(header.name),
    expectation: 'is a run of kmalloc_nolock, which cannot be verified yet',
    remedy: 'give a run of page or slab operations, or a table of kmalloc_nolock or kfree_nolock',
  });
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
