/**
 * What a `cache_create` row says of its cache, as `key=value` pairs in `arg`:
 *
 *     size=208;align=64;flags=HWCACHE_ALIGN|ACCOUNT;ctor=1;usersize=40
 *
 * The column `size` does for `size` as well. model: slab-caches 4.1
 */
import type { CacheSpec } from '../../mm/slab/geometry.js';
import {
  SLAB_ACCOUNT,
  SLAB_CACHE_DMA,
  SLAB_CACHE_DMA32,
  SLAB_CONSISTENCY_CHECKS,
  SLAB_HWCACHE_ALIGN,
  SLAB_NO_MERGE,
  SLAB_NOLEAKTRACE,
  SLAB_PANIC,
  SLAB_POISON,
  SLAB_RECLAIM_ACCOUNT,
  SLAB_RED_ZONE,
  SLAB_STORE_USER,
  SLAB_TRACE,
  SLAB_TYPESAFE_BY_RCU,
} from '../../mm/slab/slab-flags.js';
import { PAGE_BYTES } from '../../mm/types.js';
import { InputError } from '../../trace/input-error.js';
import { nearestName } from '../../trace/nearest-name.js';

/** No cache of any kernel has larger objects, by far. */
export const MAX_OBJECT_BYTES = 1 << 20;
const MAX_SHEAF = 4096;

const FLAGS: ReadonlyMap<string, number> = new Map([
  ['ACCOUNT', SLAB_ACCOUNT],
  ['CACHE_DMA', SLAB_CACHE_DMA],
  ['CACHE_DMA32', SLAB_CACHE_DMA32],
  ['CONSISTENCY_CHECKS', SLAB_CONSISTENCY_CHECKS],
  ['HWCACHE_ALIGN', SLAB_HWCACHE_ALIGN],
  ['NOLEAKTRACE', SLAB_NOLEAKTRACE],
  ['NO_MERGE', SLAB_NO_MERGE],
  ['PANIC', SLAB_PANIC],
  ['POISON', SLAB_POISON],
  ['RECLAIM_ACCOUNT', SLAB_RECLAIM_ACCOUNT],
  ['RED_ZONE', SLAB_RED_ZONE],
  ['STORE_USER', SLAB_STORE_USER],
  ['TEMPORARY', SLAB_RECLAIM_ACCOUNT],
  ['TRACE', SLAB_TRACE],
  ['TYPESAFE_BY_RCU', SLAB_TYPESAFE_BY_RCU],
]);
const PREFIX = 'SLAB_';

/** Keys with numbers, and the largest of each. */
const NUMBER_KEYS: ReadonlyMap<string, number> = new Map([
  ['size', MAX_OBJECT_BYTES],
  ['align', PAGE_BYTES],
  ['ctor', 1],
  ['useroffset', MAX_OBJECT_BYTES],
  ['usersize', MAX_OBJECT_BYTES],
  ['freeptr_offset', MAX_OBJECT_BYTES],
  ['sheaf_capacity', MAX_SHEAF],
  // Of every op: the recorded call failed.
  ['failed', 1],
]);
const KEYS = [...NUMBER_KEYS.keys(), 'flags'].filter((key) => key !== 'failed');

interface Args {
  readonly numbers: ReadonlyMap<string, number>;
  readonly flags: number;
}

/**
 * @param size_bytes the row's column, 0 where it is empty
 * @param file named in errors
 * @throws InputError
 */
export function cacheSpecFromArgs(name: string, size_bytes: number, text: string, file: string): CacheSpec {
  const { numbers, flags } = parseArgs(text, file);
  const object_size_bytes = numbers.get('size') ?? size_bytes;
  if (object_size_bytes < 1 || object_size_bytes > MAX_OBJECT_BYTES)
    throw bad(
      file,
      'size',
      String(object_size_bytes),
      'is not the size of a cache’s objects',
      `give 1 to ${MAX_OBJECT_BYTES} bytes`,
    );
  const align_bytes = numbers.get('align') ?? 0;
  if ((align_bytes & (align_bytes - 1)) !== 0)
    throw bad(file, 'align', String(align_bytes), 'is not a power of two', `give 0, 8, 16, … ${PAGE_BYTES}`);
  for (const key of ['freeptr_offset', 'usersize', 'useroffset'])
    if ((numbers.get(key) ?? 0) > object_size_bytes)
      throw bad(file, key, String(numbers.get(key)), `lies outside an object of ${object_size_bytes} bytes`);
  const usersize_bytes = numbers.get('usersize');
  const freeptr_offset_bytes = numbers.get('freeptr_offset');
  const sheaf_capacity = numbers.get('sheaf_capacity');
  return {
    name,
    object_size_bytes,
    align_bytes,
    flags,
    hasConstructor: numbers.get('ctor') === 1,
    ...(usersize_bytes === undefined ? {} : { usersize_bytes }),
    ...(freeptr_offset_bytes === undefined ? {} : { freeptr_offset_bytes }),
    ...(sheaf_capacity === undefined ? {} : { sheaf_capacity }),
  };
}

function parseArgs(text: string, file: string): Args {
  const numbers = new Map<string, number>();
  let flags = 0;
  for (const pair of text.split(';')) {
    if (pair.trim() === '') continue;
    const at = pair.indexOf('=');
    const key = (at < 0 ? pair : pair.slice(0, at)).trim();
    const value = at < 0 ? '' : pair.slice(at + 1).trim();
    if (key === 'flags') flags = parseFlags(value, file);
    else numbers.set(key, parseNumber(key, value, file));
  }
  return { numbers, flags };
}

function parseNumber(key: string, value: string, file: string): number {
  const most = NUMBER_KEYS.get(key);
  if (most === undefined) throw bad(file, 'arg', key, 'is no key of cache_create', `use ${KEYS.join(', ')}`);
  const number = /^(?:0x[0-9a-f]{1,8}|\d{1,10})$/i.test(value) ? Number(value) : Number.NaN;
  if (!(number <= most)) throw bad(file, key, value, `is not a number from 0 to ${most}`);
  return number;
}

function parseFlags(text: string, file: string): number {
  let flags = 0;
  for (const word of text.split('|').map((part) => part.trim())) {
    if (word === '' || word === '0') continue;
    const name = word.startsWith(PREFIX) ? word.slice(PREFIX.length) : word;
    const bit = FLAGS.get(name);
    if (bit === undefined) {
      const meant = nearestName(name, [...FLAGS.keys()]);
      // Bits have other places in other kernels, so numbers say nothing.
      throw bad(
        file,
        'flags',
        word,
        'is not the name of a flag of slab caches',
        meant === undefined ? undefined : `did you mean ${meant}?`,
      );
    }
    flags |= bit;
  }
  return flags;
}

function bad(file: string, field: string, value: string, expectation: string, remedy?: string): InputError {
  return new InputError({ file, field: `cache_create ${field}`, value, expectation, remedy });
}
