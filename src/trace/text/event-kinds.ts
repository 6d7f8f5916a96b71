/**
 * The kinds of events that trace lines name, told apart by their bytes and counted by context.
 */

/** What the reader does with a kind. */
export const Handling = {
  /** not an event that this tool knows */
  unknown: 0,
  alloc: 1,
  free: 2,
  free_batched: 3,
  zone_locked: 4,
  pcpu_drain: 5,
  extfrag: 6,
  mark: 7,
  /** trace-cmd's name for marks and for other texts, told apart by what it begins with */
  print: 8,
  kmalloc: 9,
  kfree: 10,
  cache_alloc: 11,
  cache_free: 12,
  /** known, and counted only: never an event of the replay */
  counted: 13,
} as const;
export type Handling = (typeof Handling)[keyof typeof Handling];

const KNOWN: readonly (readonly [string, Handling])[] = [
  ['mm_page_alloc', Handling.alloc],
  ['mm_page_free', Handling.free],
  ['mm_page_free_batched', Handling.free_batched],
  ['mm_page_alloc_zone_locked', Handling.zone_locked],
  ['mm_page_pcpu_drain', Handling.pcpu_drain],
  ['mm_page_alloc_extfrag', Handling.extfrag],
  ['tracing_mark_write', Handling.mark],
  ['print', Handling.print],
  ['kmalloc', Handling.kmalloc],
  ['kmalloc_node', Handling.kmalloc],
  ['kfree', Handling.kfree],
  ['kmem_cache_alloc', Handling.cache_alloc],
  ['kmem_cache_alloc_node', Handling.cache_alloc],
  ['kmem_cache_free', Handling.cache_free],
  ...[
    'rss_stat',
    'mm_setup_per_zone_wmarks',
    'mm_setup_per_zone_lowmem_reserve',
    'mm_calculate_totalreserve_pages',
    'mm_compaction_begin',
    'mm_compaction_end',
    'mm_compaction_migratepages',
    'mm_compaction_isolate_migratepages',
    'mm_compaction_isolate_freepages',
  ].map((name) => [name, Handling.counted] as const),
];

export class EventKind {
  events = 0;
  readonly by_ctx = [0, 0, 0, 0];

  constructor(
    readonly name: string,
    readonly handling: Handling,
    readonly bytes: Uint8Array,
  ) {}
}

/** Distinct names that are counted one by one; a hostile trace may invent more, which share one count. */
const MAX_KINDS = 1000;

export class EventKinds {
  /** by length of the name; the names of one length are few */
  readonly #byLength: EventKind[][] = [];
  #count = 0;
  readonly #rest = new EventKind('(further kinds)', Handling.unknown, new Uint8Array(0));

  constructor() {
    for (const [name, handling] of KNOWN) this.#add(name, handling);
  }

  #add(name: string, handling: Handling): EventKind {
    const kind = new EventKind(name, handling, Buffer.from(name, 'latin1'));
    let sameLength = this.#byLength[name.length];
    if (sameLength === undefined) {
      sameLength = [];
      this.#byLength[name.length] = sameLength;
    }
    sameLength.push(kind);
    this.#count++;
    return kind;
  }

  /** The kind named by bytes[start..end); a new one if it was never seen. */
  find(bytes: Uint8Array, start: number, end: number): EventKind {
    const length = end - start;
    const candidates = this.#byLength[length];
    if (candidates !== undefined) {
      for (const kind of candidates) {
        const name = kind.bytes;
        // From the end: names of one group differ there.
        let i = length - 1;
        while (i >= 0 && name[i] === bytes[start + i]) i--;
        if (i < 0) return kind;
      }
    }
    if (this.#count >= MAX_KINDS || length > 256) return this.#rest;
    return this.#add(Buffer.from(bytes.subarray(start, end)).toString('latin1'), Handling.unknown);
  }

  /** Kinds that were seen, most frequent first. */
  seen(): EventKind[] {
    return [...this.#byLength.flat(), this.#rest]
      .filter((kind) => kind !== undefined && kind.events > 0)
      .sort((a, b) => b.events - a.events || (a.name < b.name ? -1 : 1));
  }
}
