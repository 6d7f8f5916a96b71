/** Bytes that are put together value by value and given away in blocks. */
const BLOCK_BYTES = 1 << 20;
/** Longest value that is written at once: a number. */
const ROOM = 16;

export class ByteWriter {
  #block = Buffer.allocUnsafeSlow(BLOCK_BYTES);
  #at = 0;
  readonly #full: Uint8Array[] = [];

  byte(value: number): void {
    this.#reserve();
    this.#block[this.#at++] = value;
  }

  /** A whole number from 0 to 2^53, in as few bytes as it needs. */
  whole(value: number): void {
    this.#reserve();
    let rest = value;
    while (rest >= 0x80) {
      this.#block[this.#at++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#block[this.#at++] = rest;
  }

  double(value: number): void {
    this.#reserve();
    this.#at = this.#block.writeDoubleLE(value, this.#at);
  }

  text(text: string): void {
    const bytes = Buffer.from(text);
    this.whole(bytes.length);
    this.bytes(bytes);
  }

  bytes(bytes: Uint8Array): void {
    for (let from = 0; from < bytes.length; ) {
      this.#reserve();
      const length = Math.min(bytes.length - from, BLOCK_BYTES - this.#at);
      this.#block.set(bytes.subarray(from, from + length), this.#at);
      this.#at += length;
      from += length;
    }
  }

  /** The blocks that are full; whoever takes them has them. */
  takeFull(): Uint8Array[] {
    return this.#full.splice(0);
  }

  /** All that is left. */
  takeRest(): Uint8Array[] {
    this.#give();
    return this.takeFull();
  }

  #reserve(): void {
    if (this.#at + ROOM > BLOCK_BYTES) this.#give();
  }

  #give(): void {
    this.#full.push(this.#block.subarray(0, this.#at));
    this.#block = Buffer.allocUnsafeSlow(BLOCK_BYTES);
    this.#at = 0;
  }
}
