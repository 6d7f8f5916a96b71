/**
 * When the recorder read /proc/slabinfo. Its mark announces the snapshot, the files follow one by one, and slabinfo takes
 * milliseconds in which caches go on changing. Opening and closing a file of /proc allocates and frees a `seq_file`, which the
 * trace shows, and the recorder reads its files in a fixed order.
 * model: slab-caches 5.1a
 */
import { type EventBatch, Op } from '../../trace/event-batch.js';
import { SNAPSHOT_FILES } from '../../trace/recording/recording.js';

/** Places in the trace, as numbers of events from 0. */
export interface SlabinfoReading {
  /** the file was opened */
  readonly from_event: number;
  /** and closed */
  readonly to_event: number;
}

export interface SlabinfoReadings {
  readonly before: SlabinfoReading | null;
  readonly after: SlabinfoReading | null;
}

const MARK = /^spbsim: (\w+)/;
const FILE_CACHE = 'seq_file';
/** which opening behind the mark is that of slabinfo; the files before it are of the same kind */
const OPENING = SNAPSHOT_FILES.indexOf('slabinfo') + 1;

export class SlabinfoReadingFinder {
  #before: SlabinfoReading | null = null;
  #after: SlabinfoReading | null = null;
  #snapshot: 'before' | 'after' | null = null;
  #openings = 0;
  #from_event = 0;
  /** id of the open file */
  #id = -1;

  add(batch: EventBatch, i: number, event: number): void {
    const op = batch.op[i];
    if (op === Op.mark) this.#mark(batch.strings.args.get(batch.arg[i]!));
    if (this.#snapshot === null || (op !== Op.cache_alloc && op !== Op.cache_free)) return;
    if (batch.strings.caches.get(batch.cache[i]!) !== FILE_CACHE) return;
    if (op === Op.cache_alloc && ++this.#openings === OPENING) {
      this.#from_event = event;
      this.#id = batch.id[i]!;
    } else if (op === Op.cache_free && this.#openings >= OPENING && batch.id[i] === this.#id) {
      const reading = { from_event: this.#from_event, to_event: event };
      if (this.#snapshot === 'before') this.#before = reading;
      else this.#after = reading;
      this.#snapshot = null;
    }
  }

  #mark(text: string): void {
    const name = MARK.exec(text)?.[1];
    this.#snapshot = name === 'before' || name === 'after' ? name : null;
    this.#openings = 0;
  }

  result(): SlabinfoReadings {
    return { before: this.#before, after: this.#after };
  }
}
