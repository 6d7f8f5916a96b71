/**
 * What is drawn at random by weight: kinds of pages, and orders of folios. Drawing is one look into a table.
 */
import type { Prng } from './prng.js';
import type { PageRequest } from './trace-rows.js';

/** Entries of a table; a power of 2, and fine enough for one huge page among hundreds of small ones. */
const ENTRIES = 1 << 12;

/** One kind of page and the share of all pages (not: of all requests) that it has. */
export interface PageKindShare {
  readonly request: PageRequest;
  readonly order: number;
  readonly share: number;
}

export class PageMix {
  readonly requests: readonly PageRequest[];
  readonly orders: Uint8Array;
  /** pages of a request on average */
  readonly mean_pages: number;
  readonly #table = new Uint8Array(ENTRIES);

  constructor(kinds: readonly PageKindShare[]) {
    this.requests = kinds.map(({ request }) => request);
    this.orders = Uint8Array.from(kinds, ({ order }) => order);
    const weights = kinds.map(({ share, order }) => share / (1 << order));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    let at = 0;
    let reached = 0;
    weights.forEach((weight, kind) => {
      reached += weight;
      const end = kind === kinds.length - 1 ? ENTRIES : Math.floor((reached / total) * ENTRIES);
      this.#table.fill(kind, at, end);
      at = end;
    });
    let pages = 0;
    for (const kind of this.#table) pages += 1 << this.orders[kind];
    this.mean_pages = pages / ENTRIES;
  }

  /** A kind at random: an index into `requests` and `orders`. */
  pick(prng: Prng): number {
    return this.#table[prng.next() & (ENTRIES - 1)];
  }
}

/**
 * How many of 256 folios have each order: half of the reads are of small files or of the edges of large ones, and most
 * of the memory is in large folios.
 */
const FOLIO_WEIGHTS = [70, 16, 56, 28, 48, 8, 8, 5, 4, 13];
export const MAX_FOLIO_ORDER = FOLIO_WEIGHTS.length - 1;

/** Folios of one kind in orders up to `maxOrder`. */
export function folioMix(request: PageRequest, maxOrder: number): PageMix {
  return new PageMix(
    FOLIO_WEIGHTS.slice(0, maxOrder + 1).map((weight, order) => ({
      request,
      order,
      share: weight * (1 << order),
    })),
  );
}
