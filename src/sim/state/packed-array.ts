/**
 * A copy of a typed array that leaves out its long stretches of zeros.
 *
 * The model's arrays are as long as the machine is large, and zero where nothing has happened. Copies take what has been
 * touched, and putting one back touches no more: a page of memory that was never written is only read.
 */
import type { StateArray } from '../../mm/state-io.js';

/** Elements that are kept or left out together. */
const CHUNK = 1 << 12;
/** Most elements of one run, so that whoever reads a run knows how much memory it may ask for. */
export const MAX_RUN = 1 << 16;
/** Bytes that are compared with zeros at once, where nothing but zeros is expected. */
const STRIDE_BYTES = 1 << 18;
const ZEROS = Buffer.alloc(STRIDE_BYTES);

/** Elements in a row, from index `at` on. */
export interface Run {
  readonly at: number;
  readonly values: StateArray;
}

export class PackedArray {
  constructor(
    readonly length: number,
    /** ascending; what lies between is zero */
    readonly runs: readonly Run[],
  ) {}

  /** Whether a run of an array of this length may begin and end there. */
  static isAligned(from: number, to: number, length: number): boolean {
    return from % CHUNK === 0 && (to % CHUNK === 0 || to === length);
  }

  static of(array: StateArray): PackedArray {
    const runs: Run[] = [];
    let from = -1;
    const end = (to: number) => {
      if (from >= 0) runs.push({ at: from, values: array.slice(from, to) });
      from = -1;
    };
    eachChunk(array, (at, isZero) => {
      if (isZero || at - from >= MAX_RUN) end(at);
      if (!isZero && from < 0) from = at;
    });
    end(array.length);
    return new PackedArray(array.length, runs);
  }

  /** Makes `array`, which is of the same kind and length, what the copied one was. */
  restore(array: StateArray): void {
    const { runs } = this;
    let next = 0;
    let covered = 0;
    for (const { at, values } of runs) array.set(values, at);
    eachChunk(array, (at, isZero, to) => {
      while (next < runs.length && runs[next]!.at <= at) covered = end(runs[next++]!);
      if (!isZero && at >= covered) array.fill(0, at, to);
    });
  }
}

function end({ at, values }: Run): number {
  return at + values.length;
}

/** Visits the chunks of an array; stretches of zeros in as large steps as they allow. */
function eachChunk(array: StateArray, visit: (at: number, isZero: boolean, to: number) => void): void {
  const { length, BYTES_PER_ELEMENT: size } = array;
  const bytes = Buffer.from(array.buffer, array.byteOffset, array.byteLength);
  const isZero = (from: number, to: number) =>
    bytes.compare(ZEROS, 0, (to - from) * size, from * size, to * size) === 0;
  const stride = STRIDE_BYTES / size;
  for (let start = 0; start < length; start += stride) {
    const stop = Math.min(length, start + stride);
    if (isZero(start, stop)) {
      visit(start, true, stop);
      continue;
    }
    for (let at = start; at < stop; at += CHUNK) {
      const to = Math.min(stop, at + CHUNK);
      visit(at, isZero(at, to), to);
    }
  }
}
