/** What a kernel's /sys/kernel/slab showed: a directory per cache, and links from the names of caches that share one. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface CacheDirectoryRow {
  readonly object_size_bytes: number;
  readonly size_bytes: number;
  readonly objects: number;
  readonly order: number;
  readonly align_bytes: number;
}

export interface SysfsCaches {
  /** by directory: the name of a cache, or the id of one that may be shared */
  readonly directories: ReadonlyMap<string, CacheDirectoryRow>;
  /** id by name, of caches that may share one */
  readonly aliases: ReadonlyMap<string, string>;
  /** listed caches, oldest first; empty where slabinfo was not kept */
  readonly created: readonly string[];
}

function linesOf(path: string): string[] {
  return readFileSync(path, 'utf8').trim().split('\n');
}

export function readSysfsCaches(directory: string): SysfsCaches {
  const directories = linesOf(join(directory, 'slab_geometry.txt')).map((line) => {
    const [name, ...numbers] = line.split(' ');
    const [object_size_bytes, size_bytes, objects, order] = numbers.map(Number) as [
      number,
      number,
      number,
      number,
    ];
    const row = { object_size_bytes, size_bytes, objects, order, align_bytes: Number(numbers.at(-1)) };
    return [name!, row] as const;
  });
  const aliases = linesOf(join(directory, 'slab_aliases.txt')).map(
    (line) => line.split(' -> ') as [name: string, id: string],
  );
  const slabinfo = join(directory, 'before/slabinfo');
  const rows = existsSync(slabinfo) ? linesOf(slabinfo).slice(2) : [];
  return {
    directories: new Map(directories),
    aliases: new Map(aliases),
    created: rows.map((line) => line.split(/\s+/)[0]!).reverse(),
  };
}
