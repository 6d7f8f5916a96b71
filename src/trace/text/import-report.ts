/**
 * What a reader found in a trace text, and what it could not use: nothing is dropped without a number here.
 */
import type { KernelTextGuess } from '../kernel-from-text.js';
import type { TextDialect } from './dialect.js';

export interface EventCount {
  readonly name: string;
  readonly events: number;
  /** by context: task, softirq, hardirq, nmi */
  readonly by_ctx: readonly number[];
  /** whether events of this kind become events of the replay */
  readonly used: boolean;
}

export interface SkippedLines {
  /** why: `not a trace line`, `mm_page_alloc without pfn`, … */
  readonly kind: string;
  readonly lines: number;
  readonly example_line: number;
  /** the first such line, safe to print, cut to a screen's width */
  readonly example: string;
}

/** Lines that belong to the format but are no events, such as call chains. */
export interface OtherLines {
  readonly kind: string;
  readonly lines: number;
}

export interface LostEvents {
  readonly cpu: number;
  /** events lost; 0 if the trace only says that some were */
  readonly events: number;
  /** places at which the trace says so */
  readonly gaps: number;
}

/** Frees whose two trace events (mm_page_free, mm_page_free_batched) were put together. model: page-allocator 8.2 */
export interface FreeJoins {
  /** pairs that became one free */
  readonly joined: number;
  /** of these: pairs whose task moved to another CPU between the two events */
  readonly moved: number;
  /** batched events whose mm_page_free was not seen; they became frees of unknown order */
  readonly alone: number;
}

export interface ImportReport {
  readonly dialect: TextDialect;
  readonly lines: number;
  /** lines that are neither event nor comment nor blank are in `skipped` or in `other_lines` */
  readonly events: number;
  /** kinds of events, most frequent first */
  readonly by_kind: readonly EventCount[];
  /** events by context: task, softirq, hardirq, nmi */
  readonly by_ctx: Readonly<Record<string, number>>;
  /** events that the replay gets */
  readonly emitted: number;
  /** lines that were not understood, by kind */
  readonly skipped: readonly SkippedLines[];
  readonly other_lines: readonly OtherLines[];
  readonly lost: readonly LostEvents[];
  /** from the header; undefined if there is none */
  readonly entries_in_buffer: number | undefined;
  readonly entries_written: number | undefined;
  readonly header_cpus: number | undefined;
  /** CPUs that events came from, ascending */
  readonly cpus: readonly number[];
  /** ns; undefined without events */
  readonly first_ts: number | undefined;
  readonly last_ts: number | undefined;
  /** events whose time was earlier than the one before; they were given its time */
  readonly time_backwards: number;
  /** false: the trace was recorded without irq-info, so every event counts as task context */
  readonly has_flags: boolean;
  /** failed allocations of pages recorded */
  readonly failed_allocs: number;
  /** allocations of slab objects that gave NULL */
  readonly failed_slab_allocs: number;
  /** gfp pieces that this kernel generation does not know, with the events they came in */
  readonly gfp_unknown: readonly { readonly token: string; readonly events: number }[];
  readonly frees: FreeJoins;
  /** frees of NULL, which free nothing and are no events of the replay */
  readonly null_frees: number;
  /** what the first 64 KiB of the text tell about the kernel; undefined if nothing */
  readonly kernel_signs: KernelTextGuess | undefined;
  /** what the user should know before trusting the numbers, one sentence each */
  readonly notes: readonly string[];
}

/** Counts skipped lines by kind and keeps the first of each as an example. */
export class SkipCounter {
  readonly #kinds = new Map<string, { lines: number; example_line: number; example: string }>();

  /** @param example  called for the first line of a kind only; must give text that is safe to print */
  add(kind: string, line: number, example: () => string): void {
    const known = this.#kinds.get(kind);
    if (known !== undefined) known.lines++;
    else this.#kinds.set(kind, { lines: 1, example_line: line, example: example() });
  }

  list(): SkippedLines[] {
    return [...this.#kinds].map(([kind, rest]) => ({ kind, ...rest })).sort((a, b) => b.lines - a.lines);
  }
}

/** Counts lines by kind. */
export class LineCounter {
  readonly #kinds = new Map<string, number>();

  add(kind: string): void {
    this.#kinds.set(kind, (this.#kinds.get(kind) ?? 0) + 1);
  }

  list(): OtherLines[] {
    return [...this.#kinds].map(([kind, lines]) => ({ kind, lines }));
  }
}
