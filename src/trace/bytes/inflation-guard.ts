/**
 * Stops packed inputs that unpack to far more than any trace would: a few megabytes can hold terabytes.
 *
 * Memory is bounded without it, as every stage holds a few chunks; time and whatever is written are not.
 */
import { InputError } from '../input-error.js';
import type { TraceLimits } from '../limits.js';

/** Where an unpacker tells how much of its input it has used. */
export interface PackedMeter {
  packedBytes: number;
}

/** Below this the ratio says nothing: the start of a trace may well be a long run of one thing. */
export const RATIO_FREE_BYTES = 64 << 20;

export class InflationGuard implements PackedMeter {
  packedBytes = 0;
  #unpackedBytes = 0;

  constructor(
    readonly file: string,
    readonly limits: Pick<TraceLimits, 'inflation_ratio' | 'inflated_bytes'>,
  ) {}

  /** The chunks of `unpacked` as long as they are within the limits. The unpacker must keep `packedBytes` up to date. */
  async *watch(unpacked: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of unpacked) {
      this.#unpackedBytes += chunk.length;
      this.#check();
      yield chunk;
    }
  }

  #check(): void {
    const { inflation_ratio, inflated_bytes } = this.limits;
    if (this.#unpackedBytes > inflated_bytes) {
      throw new InputError({
        file: this.file,
        expectation: `unpacks to more than ${inflated_bytes.toLocaleString('en-US')} bytes`,
        remedy: 'raise --max-unpacked if that is right',
      });
    }
    if (this.#unpackedBytes > RATIO_FREE_BYTES && this.#unpackedBytes > inflation_ratio * this.packedBytes) {
      throw new InputError({
        file: this.file,
        expectation: `unpacks to more than ${inflation_ratio.toLocaleString('en-US')} times its size`,
        remedy: 'raise --max-ratio if that is right',
      });
    }
  }
}
