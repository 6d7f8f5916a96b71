/**
 * Which cache an event means: by its name, by a request's size and flags, or, in traces of kernels that do not name it, by
 * its slots' size.
 *
 * A name that a kernel's events show is that of a cache of its own, whoever shares it, so caches that are met on the way
 * are not merged. Those that `cache_create` rows ask for are.
 * model: slab-caches 2, 4
 */
import { knownCache } from '../../config/known-caches.js';
import { GFP_ACCOUNT_BIT } from '../../mm/gfp.js';
import { type CacheSpec, slabGeometry } from '../../mm/slab/geometry.js';
import type { KmemCache } from '../../mm/slab/kmem-cache.js';
import { MergedCaches } from '../../mm/slab/merge.js';
import type { SlabAllocator } from '../../mm/slab/slab-allocator.js';
import { SLAB_ACCOUNT } from '../../mm/slab/slab-flags.js';
import type { StateIo } from '../../mm/state-io.js';
import { type EventBatch, EventFlag } from '../../trace/event-batch.js';
import { InputError } from '../../trace/input-error.js';
import type { SlabinfoCache } from '../../trace/recording/snapshot/slabinfo.js';
import type { RareOutcome } from '../rare-ops.js';
import { cacheSpecFromArgs, MAX_OBJECT_BYTES } from './cache-args.js';
import { orderOfSlots, plainCache, recordedCache, withShape } from './recorded-caches.js';

/** Machines have some hundreds. */
export const DEFAULT_MAX_CACHES = 4096;
const FIRST_NAMES = 256;
const NONE = 0;

export interface CacheDirectoryOptions {
  /** caches of the machine when the trace began */
  readonly slabinfo?: readonly SlabinfoCache[] | undefined;
  /** more than these, whether they live or not, are refused */
  readonly max_caches?: number;
  /** the input, for errors */
  readonly file?: string;
}

export class CacheDirectory {
  readonly merged: MergedCaches;
  /** caches that events named before anything else did */
  met_on_the_way = 0;
  /** caches of slabinfo whose slabs the kernel cut in another way than the model would */
  readonly differing: readonly string[];
  /** caches of slabinfo that are no known ones */
  readonly unknown: readonly string[];
  readonly #names = new Map<string, number>();
  /** by number of the name in the trace: number of the cache + 1, or NONE; forgotten and found again at will */
  #numbers: Int32Array = new Int32Array(FIRST_NAMES);
  /** the same by number of the argument, for events that name no cache but tell the size of its slots */
  #unnamed: Int32Array = new Int32Array(FIRST_NAMES);
  readonly #max_caches: number;
  readonly #file: string;

  /** @throws InputError if slabinfo lists more caches than allowed */
  constructor(
    readonly slabs: SlabAllocator,
    { slabinfo = [], max_caches = DEFAULT_MAX_CACHES, file = 'trace' }: CacheDirectoryOptions = {},
  ) {
    this.merged = new MergedCaches(slabs);
    this.#max_caches = max_caches;
    this.#file = file;
    for (const cache of slabs.caches) this.#names.set(cache.name, cache.number);
    const differing: string[] = [];
    const unknown: string[] = [];
    // Oldest first, as they were created.
    for (const row of slabinfo.toReversed()) {
      if (this.#names.has(row.name)) continue;
      const { spec, differs, isUnknown } = recordedCache(row, slabs);
      if (differs) differing.push(row.name);
      if (isUnknown) unknown.push(row.name);
      this.#add(spec);
    }
    this.differing = differing;
    this.unknown = unknown;
  }

  serialize(io: StateIo): void {
    this.met_on_the_way = io.number('met_on_the_way', this.met_on_the_way);
    io.part('merged', this.merged);
    const names = io.plain(
      'names',
      [...this.#names].map(([name, number]) => ({ name, number })),
    );
    if (!io.isLoading) return;
    this.#names.clear();
    this.#numbers.fill(NONE);
    this.#unnamed.fill(NONE);
    for (const { name, number } of names) {
      if (this.slabs.caches[number] === undefined) io.refuse(`there is no cache ${number}`);
      this.#names.set(name, number);
    }
  }

  /** The cache of that name, whoever else shares it. */
  named(name: string): KmemCache | undefined {
    const number = this.#names.get(name);
    return number === undefined ? undefined : this.slabs.caches[number];
  }

  /**
   * The cache that a `cache_alloc` means, made if nobody has named it before; null if its objects' size is unknown.
   *
   * @throws InputError if there are too many
   */
  ofRequest(batch: EventBatch, i: number): KmemCache | null {
    const text = batch.cache[i]!;
    const arg = batch.arg[i]!;
    const known = (text === 0 ? this.#unnamed[arg] : this.#numbers[text]) ?? NONE;
    if (known !== NONE) return this.slabs.caches[known - 1]!;
    const cache = this.named(nameOf(batch, i)) ?? this.#meet(batch, i);
    if (cache === null) return null;
    if (text !== 0) this.#numbers = remembered(this.#numbers, text, cache);
    else if (SLOT_BYTES.test(batch.strings.args.get(arg)))
      this.#unnamed = remembered(this.#unnamed, arg, cache);
    return cache;
  }

  /** The cache that a `cache_free` names, if it is one of the machine's. */
  ofFree(batch: EventBatch, i: number): KmemCache | undefined {
    return batch.cache[i] === 0 ? undefined : this.named(nameOf(batch, i));
  }

  /** The name stands for a new cache, or for one that exists and does. @throws InputError */
  create(batch: EventBatch, i: number): RareOutcome {
    if (batch.flags[i]! & EventFlag.failed) return 'failed';
    const text = batch.cache[i]!;
    const { caches, args } = batch.strings;
    const spec = cacheSpecFromArgs(caches.get(text), batch.size[i]!, args.get(batch.arg[i]!), this.#file);
    this.#numbers = remembered(this.#numbers, text, this.#add(spec, true));
    return 'ok';
  }

  /** The name means nothing afterwards. Fails where objects remain in the cache, which then stays without a name. */
  destroy(batch: EventBatch, i: number, cpu: number): RareOutcome {
    const text = batch.cache[i]!;
    const name = batch.strings.caches.get(text);
    const cache = this.named(name);
    if (cache === undefined) return 'failed';
    this.#names.delete(name);
    if (text < this.#numbers.length) this.#numbers[text] = NONE;
    return this.merged.destroy(cache, cpu) === 0 ? 'ok' : 'failed';
  }

  #meet(batch: EventBatch, i: number): KmemCache | null {
    const spec = this.#metSpec(batch, i);
    if (spec === null) return null;
    this.met_on_the_way++;
    return this.#add(spec);
  }

  /** What is known of the name, with the sizes that the event tells. model: slab-caches 4.2 */
  #metSpec(batch: EventBatch, i: number): CacheSpec | null {
    const slot_bytes = slotBytes(batch, i);
    const name = nameOf(batch, i);
    const known = knownCache(name);
    const object_size_bytes = batch.size[i]! || (known?.object_size_bytes ?? slot_bytes);
    if (object_size_bytes < 1 || object_size_bytes > MAX_OBJECT_BYTES) return null;
    const isAccounted =
      isMarkedAccounted(batch, i) && (batch.gfp[i]! & GFP_ACCOUNT_BIT) === 0 ? SLAB_ACCOUNT : 0;
    const base = known ?? { ...plainCache(name, object_size_bytes), flags: isAccounted };
    const spec = { ...base, object_size_bytes };
    const computed = slabGeometry(spec, this.slabs.machine, this.slabs.policy).size_bytes;
    const isTold = slot_bytes >= object_size_bytes && slot_bytes <= MAX_OBJECT_BYTES && slot_bytes % 8 === 0;
    if (!isTold || slot_bytes === computed) return spec;
    return withShape(
      spec,
      { size_bytes: slot_bytes, order: orderOfSlots(slot_bytes, this.slabs) },
      this.slabs,
    );
  }

  #add(spec: CacheSpec, merges = false): KmemCache {
    if (this.slabs.caches.length >= this.#max_caches)
      throw new InputError({
        file: this.#file,
        expectation: `has more than ${this.#max_caches.toLocaleString('en-US')} slab caches`,
        remedy: 'leave some out',
      });
    const cache = merges ? this.merged.create(spec) : this.slabs.createCache(spec);
    this.#names.set(spec.name, cache.number);
    return cache;
  }
}

/** Of caches of kernels that do not name them: the size of their slots, in a form that no real name has. */
function nameOf(batch: EventBatch, i: number): string {
  const text = batch.cache[i]!;
  return text === 0 ? `?-${slotBytes(batch, i)}` : batch.strings.caches.get(text);
}

/** The table with an entry for a cache; a larger one where it has no room. */
function remembered(numbers: Int32Array, at: number, cache: KmemCache): Int32Array {
  let table = numbers;
  if (at >= numbers.length) {
    table = new Int32Array(Math.max(at + 1, numbers.length * 2));
    table.set(numbers);
  }
  table[at] = cache.number + 1;
  return table;
}

const SLOT_BYTES = /(?:^|;)alloc=(\d{1,10})(?:;|$)/;

/** Bytes taken, as the recorded kernel said; of a row that does not have them, the object's. */
function slotBytes(batch: EventBatch, i: number): number {
  const match = SLOT_BYTES.exec(batch.strings.args.get(batch.arg[i]!));
  return match === null ? batch.size[i]! : Number(match[1]);
}

function isMarkedAccounted(batch: EventBatch, i: number): boolean {
  return /(?:^|;)accounted=1(?:;|$)/.test(batch.strings.args.get(batch.arg[i]!));
}
