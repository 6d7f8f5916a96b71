/**
 * Slab events of a recorded kernel with sheaves, held against the model cache by cache. A trace tells addresses, the model
 * slabs and slots: the two must be one picture. An object that the model hands out again must have the address it had, and
 * the objects of one new slab must lie in one place of memory.
 *
 * The start is known in part only: how many objects had left their slabs (slabinfo), not which ones and how they were
 * spread over the CPU's two sheaves. So all ways to spread them are tried (a spare sheaf that is empty is as good as none), and
 * slots of the first slabs may be any.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Policy } from '../../src/mm/policy.js';
import { ObjectArray, slabAllocBulk } from '../../src/mm/slab/bulk.js';
import type { KmemCache } from '../../src/mm/slab/kmem-cache.js';
import { SlabStat } from '../../src/mm/slab/slab-stats.js';
import { readWholeInput } from '../../src/trace/bytes/open-input.js';
import { type Place, Rig } from '../mm/slab/support.js';

export interface CacheCalls {
  readonly name: string;
  readonly size_bytes: number;
  readonly align_bytes: number;
  /** objects that were not free in their slabs when the trace began */
  readonly active: number;
  /** address of each call, negative for a free */
  readonly calls: readonly number[];
}

const LINE =
  /: (kmalloc|kmem_cache_alloc|kfree|kmem_cache_free): .*?ptr=[0-9a-f]{5}([0-9a-f]{11})(?: name=(\S+))?(.*)$/;

/** Calls of one CPU's trace, by cache. */
export async function cacheCalls(directory: string): Promise<Map<string, CacheCalls>> {
  const text = (await readWholeInput(join(directory, 'trace.txt.xz'), 1 << 28)).toString();
  const calls = new Map<string, number[]>();
  const owners = new Map<number, string>();
  for (const line of text.split('\n')) {
    const match = LINE.exec(line);
    if (match === null) continue;
    const [, event, pointer, name, rest] = match;
    const address = Number.parseInt(pointer!, 16);
    const isFree = event === 'kfree' || event === 'kmem_cache_free';
    const cache = name ?? (isFree ? owners.get(address) : kmallocName(rest!));
    if (cache === undefined) continue;
    if (!isFree) owners.set(address, cache);
    const list = calls.get(cache);
    if (list === undefined) calls.set(cache, [isFree ? -address : address]);
    else list.push(isFree ? -address : address);
  }
  return withGeometry(directory, calls);
}

function kmallocName(rest: string): string {
  const bytes = Number(/bytes_alloc=(\d+)/.exec(rest)![1]);
  const type = rest.includes('__GFP_RECLAIMABLE') ? 'rcl-' : rest.includes('_ACCOUNT') ? 'cg-' : '';
  return `kmalloc-${type}${bytes >= 1024 ? `${bytes / 1024}k` : bytes}`;
}

function withGeometry(
  directory: string,
  calls: ReadonlyMap<string, readonly number[]>,
): Map<string, CacheCalls> {
  const rows = geometryRows(directory);
  const active = activeObjects(directory);
  const found = new Map<string, CacheCalls>();
  for (const [name, list] of calls) {
    const row = rows.get(name);
    if (row === undefined) continue;
    found.set(name, { name, ...row, active: active.get(name) ?? 0, calls: list });
  }
  return found;
}

interface GeometryRow {
  readonly size_bytes: number;
  readonly align_bytes: number;
}

/** Of every cache, under each of its names. */
export function geometryRows(directory: string): Map<string, GeometryRow> {
  const rows = new Map<string, GeometryRow>();
  for (const line of linesOf(directory, 'slab_geometry.txt')) {
    const [name, ...numbers] = line.split(' ');
    rows.set(name!, { size_bytes: Number(numbers[1]), align_bytes: Number(numbers.at(-1)) });
  }
  for (const line of linesOf(directory, 'slab_aliases.txt')) {
    const [alias, name] = line.split(' -> ');
    const row = rows.get(name!.trim());
    if (row !== undefined) rows.set(alias!.trim(), row);
  }
  return rows;
}

/** Objects of each cache that are not free in their slabs: those that are used, and those in sheaves. */
export function activeObjects(directory: string): Map<string, number> {
  const rows = linesOf(directory, 'before/slabinfo').slice(2);
  return new Map(rows.map((line) => line.split(/\s+/)).map(([name, active]) => [name!, Number(active)]));
}

function linesOf(directory: string, file: string): string[] {
  return readFileSync(join(directory, file), 'utf8').trim().split('\n');
}

export interface Agreement {
  readonly calls: number;
  /** calls before the first one that differs */
  readonly agreed: number;
  /** of these, allocations whose address the model knew */
  readonly exact: number;
  /** and those whose slab it knew */
  readonly inKnownSlab: number;
  /** what the model did on the way */
  readonly refilled: number;
  readonly flushed: number;
  readonly barn_puts: number;
}

/** The best agreement over all ways to spread the first objects. */
export function agreementOf(cache: CacheCalls, policy: Policy): Agreement {
  const capacity = new Rig({ cpus: 1, policy }).cache(cache.size_bytes).sheaves!.capacity;
  let best: Agreement | undefined;
  for (let main = 0; main <= capacity; main++)
    for (const spare of [0, capacity]) {
      if (main + spare > cache.active) continue;
      const one = new SheafTrace(cache, policy, main, spare).run();
      if (best === undefined || one.agreed > best.agreed) best = one;
      if (one.agreed === one.calls) return one;
    }
  return best!;
}

const KEY = 0x1_0000;

/** One cache's calls in the model, from one start. */
class SheafTrace {
  readonly #rig: Rig;
  readonly #cache: KmemCache;
  readonly #addressOf = new Map<number, number>();
  readonly #objectOf = new Map<number, number>();
  readonly #pageOf = new Map<number, number>();
  readonly #slabOf = new Map<number, number>();
  /** slabs of the start: which objects they hold is unknown */
  readonly #first = new Set<number>();
  readonly #unseen: Place[] = [];
  #exact = 0;
  #inKnownSlab = 0;

  constructor(
    readonly trace: CacheCalls,
    policy: Policy,
    main: number,
    spare: number,
  ) {
    this.#rig = new Rig({ cpus: 1, policy });
    this.#cache = this.#rig.cache(trace.size_bytes, { align_bytes: trace.align_bytes });
    this.#rig.slabs.observer = {
      slabMade: () => undefined,
      slabGone: (_cache, slab) => this.#forget(slab),
    };
    this.#start(main, spare);
  }

  #start(main: number, spare: number): void {
    const { slabs } = this.#rig;
    const count = this.trace.active;
    const objects = new ObjectArray(count);
    slabAllocBulk(slabs, this.#cache, 0, 0xcc0, count, objects);
    for (let i = 0; i < count; i++) {
      this.#unseen.push({ slab: objects.slab[i]!, slot: objects.slot[i]! });
      this.#first.add(objects.slab[i]!);
    }
    for (let i = 0; i < main + spare; i++) this.#rig.free(this.#cache, this.#unseen.pop()!);
  }

  run(): Agreement {
    const { calls } = this.trace;
    let agreed = 0;
    for (; agreed < calls.length; agreed++) {
      const address = calls[agreed]!;
      if (!(address < 0 ? this.#free(-address) : this.#alloc(address))) break;
    }
    const moved = (item: number) => this.#cache.total(item);
    return {
      calls: calls.length,
      agreed,
      exact: this.#exact,
      inKnownSlab: this.#inKnownSlab,
      refilled: moved(SlabStat.sheaf_refill),
      flushed: moved(SlabStat.sheaf_flush),
      barn_puts: moved(SlabStat.barn_put),
    };
  }

  /** @returns whether the address may be that of the model's object */
  #alloc(address: number): boolean {
    const { slab, slot } = this.#rig.alloc(this.#cache)!;
    const key = slab * KEY + slot;
    const known = this.#addressOf.get(key);
    if (known !== undefined) {
      this.#exact++;
      return known === address;
    }
    if (this.#objectOf.has(address)) return false;
    this.#addressOf.set(key, address);
    this.#objectOf.set(address, key);
    return this.#first.has(slab) || this.#liesIn(slab, address);
  }

  #liesIn(slab: number, address: number): boolean {
    const page = Math.floor(address / (4096 * 2 ** this.#cache.geometry.order));
    const known = this.#pageOf.get(slab);
    if (known !== undefined) {
      this.#inKnownSlab++;
      return known === page;
    }
    if (this.#slabOf.has(page)) return false;
    this.#pageOf.set(slab, page);
    this.#slabOf.set(page, slab);
    return true;
  }

  #free(address: number): boolean {
    const key = this.#objectOf.get(address);
    const place = key === undefined ? this.#unseen.pop() : { slab: Math.floor(key / KEY), slot: key % KEY };
    if (place === undefined) return false;
    if (key === undefined) {
      this.#addressOf.set(place.slab * KEY + place.slot, address);
      this.#objectOf.set(address, place.slab * KEY + place.slot);
    }
    this.#rig.free(this.#cache, place);
    return true;
  }

  #forget(slab: number): void {
    const page = this.#pageOf.get(slab);
    if (page !== undefined) this.#slabOf.delete(page);
    this.#pageOf.delete(slab);
    this.#first.delete(slab);
    for (let key = slab * KEY; key < slab * KEY + this.#cache.geometry.objects; key++) {
      const address = this.#addressOf.get(key);
      if (address === undefined) continue;
      this.#addressOf.delete(key);
      this.#objectOf.delete(address);
    }
  }
}
