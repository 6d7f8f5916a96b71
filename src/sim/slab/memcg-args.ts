/**
 * Settings of a memory cgroup, as `memcg_create` and `memcg_set` have them in `arg`:
 *
 *     max=64MiB
 *     max=max;high=48MiB
 *
 * Bytes, with or without a unit, or `max` for no limit. model: slub 5.5.4
 */
import { parseSize } from '../../config/size.js';
import { PAGE_COUNTER_MAX } from '../../mm/memcg/page-counter.js';
import { PAGE_BYTES } from '../../mm/types.js';
import { InputError } from '../../trace/input-error.js';
import { nearestName } from '../../trace/nearest-name.js';

/** Files of the kernel beside `memory.max` that say how much; read, and without effect. */
const NOT_MODELLED: ReadonlySet<string> = new Set(['high', 'low', 'min']);
/** Of every op: the recorded call failed. */
const FAILED = 'failed';
const KEYS = ['max', ...NOT_MODELLED];

export interface MemcgSettings {
  /** undefined: left as it is */
  readonly max_pages: number | undefined;
  /** settings that the model does not have */
  readonly not_modelled: number;
}

/**
 * @param op named in errors, like the file
 * @throws InputError
 */
export function memcgSettings(text: string, op: string, file: string): MemcgSettings {
  let max_pages: number | undefined;
  let not_modelled = 0;
  for (const pair of text.split(';')) {
    if (pair.trim() === '') continue;
    const at = pair.indexOf('=');
    const key = (at < 0 ? pair : pair.slice(0, at)).trim();
    const value = at < 0 ? '' : pair.slice(at + 1).trim();
    if (key === FAILED) continue;
    if (!KEYS.includes(key)) throw unknownKey(key, op, file);
    const pages = pagesOf(value);
    if (pages === undefined)
      throw new InputError({
        file,
        field: `${op} ${key}`,
        value,
        expectation: 'is not a number of bytes',
        remedy: 'give bytes such as 1048576 or 64MiB, or max',
      });
    if (key === 'max') max_pages = pages;
    else not_modelled++;
  }
  return { max_pages, not_modelled };
}

/** Bytes below a page do not count. */
function pagesOf(value: string): number | undefined {
  if (value === 'max') return PAGE_COUNTER_MAX;
  const bytes = /^\d{1,16}$/.test(value) ? Number(value) : parseSize(value);
  if (bytes === undefined || !Number.isSafeInteger(bytes)) return undefined;
  return Math.min(PAGE_COUNTER_MAX, Math.floor(bytes / PAGE_BYTES));
}

function unknownKey(key: string, op: string, file: string): InputError {
  const meant = nearestName(key, KEYS);
  return new InputError({
    file,
    field: `${op} arg`,
    value: key,
    expectation: 'is no setting of a memory cgroup',
    remedy: meant === undefined ? `use ${KEYS.join(', ')}` : `did you mean ${meant}?`,
  });
}
