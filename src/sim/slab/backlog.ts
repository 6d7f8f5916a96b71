/**
 * What waits for irq_work, over time: the most in each interval, in bounded memory. When the samples are full, pairs of them
 * become one and the interval twice as long, so that a run of any length is covered to its end.
 * model: slub 3.5, 4.3
 */
import { arrays, numbers, type StateIo } from '../../mm/state-io.js';
import type { ResultDeferred } from '../../report/slab/result-slab.js';

const SAMPLES = 512;
const FIRST_INTERVAL_NS = 1_000;

export class Backlog {
  /** the most in each interval */
  readonly objects = new Float64Array(SAMPLES);
  readonly slabs = new Float64Array(SAMPLES);
  readonly bytes = new Float64Array(SAMPLES);
  /** samples in use; the last one is still growing */
  length = 0;
  origin_ns = 0;
  interval_ns = FIRST_INTERVAL_NS;
  last_ns = 0;
  now_objects = 0;
  now_slabs = 0;
  now_bytes = 0;
  peak_objects = 0;
  peak_slabs = 0;
  peak_bytes = 0;
  peak_ns = 0;
  irq_works = 0;

  /** From `ts_ns` on so much waits. A time before the last one, of another CPU's clock, counts as that. */
  note(ts_ns: number, objects: number, slabs: number, bytes: number): void {
    this.advance(ts_ns);
    this.now_objects = objects;
    this.now_slabs = slabs;
    this.now_bytes = bytes;
    this.peak_objects = Math.max(this.peak_objects, objects);
    this.peak_slabs = Math.max(this.peak_slabs, slabs);
    if (bytes > this.peak_bytes) {
      this.peak_bytes = bytes;
      this.peak_ns = this.last_ns;
    }
    const at = this.length - 1;
    this.objects[at] = Math.max(this.objects[at]!, objects);
    this.slabs[at] = Math.max(this.slabs[at]!, slabs);
    this.bytes[at] = Math.max(this.bytes[at]!, bytes);
  }

  noteIrqWork(): void {
    this.irq_works++;
  }

  /** What waits stays until `ts_ns`. */
  advance(ts_ns: number): void {
    if (this.length === 0) {
      this.origin_ns = ts_ns;
      this.last_ns = ts_ns;
      this.#open();
      return;
    }
    this.last_ns = Math.max(this.last_ns, ts_ns);
    while (this.#sampleOf(this.last_ns) >= SAMPLES) this.#halve();
    const end = this.#sampleOf(this.last_ns);
    while (this.length <= end) this.#open();
  }

  #sampleOf(ts_ns: number): number {
    return Math.floor((ts_ns - this.origin_ns) / this.interval_ns);
  }

  /** A new sample begins with what waits at its beginning. */
  #open(): void {
    const at = this.length++;
    this.objects[at] = this.now_objects;
    this.slabs[at] = this.now_slabs;
    this.bytes[at] = this.now_bytes;
  }

  #halve(): void {
    const length = Math.ceil(this.length / 2);
    for (const most of [this.objects, this.slabs, this.bytes]) {
      for (let at = 0; at < length; at++)
        most[at] = Math.max(most[2 * at]!, 2 * at + 1 < this.length ? most[2 * at + 1]! : 0);
    }
    this.length = length;
    this.interval_ns *= 2;
  }

  /** Begins anew with what waits; what was before is forgotten. */
  begin(ts_ns: number): void {
    this.length = 0;
    this.interval_ns = FIRST_INTERVAL_NS;
    this.irq_works = 0;
    this.peak_objects = this.now_objects;
    this.peak_slabs = this.now_slabs;
    this.peak_bytes = this.now_bytes;
    this.peak_ns = ts_ns;
    this.advance(ts_ns);
  }

  serialize(io: StateIo): void {
    arrays<Backlog>(io, this, ['objects', 'slabs', 'bytes']);
    this.length = io.whole('length', this.length, 0, SAMPLES);
    numbers<Backlog>(io, this, ['origin_ns', 'interval_ns', 'last_ns', 'now_objects', 'now_slabs']);
    numbers<Backlog>(io, this, ['now_bytes', 'peak_objects', 'peak_slabs', 'peak_bytes', 'peak_ns']);
    numbers<Backlog>(io, this, ['irq_works']);
    if (
      io.isLoading &&
      !(this.interval_ns >= FIRST_INTERVAL_NS && this.interval_ns < Number.POSITIVE_INFINITY)
    )
      io.refuse(`an interval of ${this.interval_ns} ns`);
  }

  result(): ResultDeferred {
    const hasWaited = this.peak_objects > 0 || this.peak_slabs > 0;
    return {
      irq_works: this.irq_works,
      now: { objects: this.now_objects, slabs: this.now_slabs, bytes: this.now_bytes },
      peak: { objects: this.peak_objects, slabs: this.peak_slabs, bytes: this.peak_bytes },
      peak_ns: hasWaited ? this.peak_ns : null,
      interval_ns: this.interval_ns,
      samples: hasWaited
        ? Array.from({ length: this.length }, (_, at) => ({
            ts_ns: this.origin_ns + at * this.interval_ns,
            objects: this.objects[at]!,
            slabs: this.slabs[at]!,
            bytes: this.bytes[at]!,
          }))
        : [],
    };
  }
}
