/**
 * Bytes put aside until what belongs before them is known: in memory as long as they are few, in a temporary file then.
 */
import type { FileHandle } from 'node:fs/promises';
import { fromSystemError } from '../input-error.js';

/** Kept in memory before a file is made. */
const MEMORY_BYTES = 64 << 20;
const READ_BYTES = 1 << 20;

export class Spool {
  #pieces: Uint8Array[] = [];
  #pieceBytes = 0;
  #file: FileHandle | undefined;
  #directory: string | undefined;
  /** bytes put aside so far */
  bytes = 0;

  constructor(readonly memoryBytes: number = MEMORY_BYTES) {}

  /** Takes a piece over. @throws InputError  if the temporary file cannot be written */
  async append(piece: Uint8Array): Promise<void> {
    this.#pieces.push(piece);
    this.#pieceBytes += piece.length;
    this.bytes += piece.length;
    if (this.#pieceBytes > this.memoryBytes) await this.#flush();
  }

  async #flush(): Promise<void> {
    try {
      if (this.#file === undefined) {
        const [{ mkdtemp, open }, { tmpdir }, { join }] = await Promise.all([
          import('node:fs/promises'),
          import('node:os'),
          import('node:path'),
        ]);
        this.#directory = await mkdtemp(join(tmpdir(), 'spbsim-'));
        this.#file = await open(join(this.#directory, 'spool'), 'wx+', 0o600);
      }
      for (const piece of this.#pieces) await this.#file.appendFile(piece);
    } catch (error) {
      throw fromSystemError(error, this.#directory ?? 'temporary directory', 'written');
    }
    this.#pieces = [];
    this.#pieceBytes = 0;
  }

  /** All of it, in the order in which it came. */
  async *read(): AsyncGenerator<Uint8Array> {
    if (this.#file !== undefined) {
      const filed = this.bytes - this.#pieceBytes;
      for (let at = 0; at < filed; ) {
        const buffer = Buffer.allocUnsafe(Math.min(READ_BYTES, filed - at));
        const { bytesRead } = await this.#file.read(buffer, 0, buffer.length, at);
        if (bytesRead === 0) throw new Error('a temporary file was cut by somebody else');
        at += bytesRead;
        yield buffer.subarray(0, bytesRead);
      }
    }
    yield* this.#pieces;
  }

  /** Removes the temporary file, if there is one. */
  async close(): Promise<void> {
    this.#pieces = [];
    await this.#file?.close();
    this.#file = undefined;
    if (this.#directory === undefined) return;
    const { rm } = await import('node:fs/promises');
    await rm(this.#directory, { recursive: true, force: true });
    this.#directory = undefined;
  }
}
