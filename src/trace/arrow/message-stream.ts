/**
 * Cuts a stream or a file of Arrow IPC into messages, from its start to its end and without seeking.
 *
 * A file is a stream between two magic words, with a footer that lists where its messages stand; nothing of that is
 * needed to read it in order. No length is believed before that many bytes have arrived.
 */
import type { ByteInput } from '../bytes/open-input.js';
import { InputError } from '../input-error.js';
import { type MessageHeader, readFooter, readMessage } from './ipc-metadata.js';

/** Longest metadata of a message, and longest body: what a real trace stays far below. */
const MAX_METADATA_BYTES = 1 << 24;
const MAX_BODY_BYTES = 2 ** 30;
/** Longest footer: one of about a million batches. */
const MAX_FOOTER_BYTES = 1 << 25;
const FIRST_BYTES = 1 << 20;
const MAGIC = 'ARROW1';
const MAGIC_BYTES = 8;
/** A flatbuffer begins with a smaller number, and is longer. */
const SMALLEST_METADATA = 32;
const MAX_BARE_BYTES = 1 << 20;
const CONTINUATION = 0xffff_ffff;
/** Footer length and magic. */
const TRAILER_BYTES = 10;

/** Bytes by the count that is asked for, from chunks of any size. */
class ByteTaker {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #chunk: Uint8Array = new Uint8Array(0);
  #at = 0;
  #buffer = new ArrayBuffer(FIRST_BYTES);

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /**
   * The next `length` bytes, fewer only at the end of the input. They are valid until the next call, and begin where
   * 64-bit numbers can be read.
   */
  async take(length: number): Promise<Uint8Array> {
    const held = this.#chunk.length - this.#at;
    if (held >= length && (this.#chunk.byteOffset + this.#at) % 8 === 0) {
      this.#at += length;
      return this.#chunk.subarray(this.#at - length, this.#at);
    }
    let taken = 0;
    while (taken < length) {
      if (this.#at === this.#chunk.length) {
        const next = await this.#chunks.next();
        if (next.done === true) break;
        this.#chunk = next.value;
        this.#at = 0;
        continue;
      }
      const piece = this.#chunk.subarray(this.#at, this.#at + length - taken);
      if (taken + piece.length > this.#buffer.byteLength) this.#grow(taken, piece.length, length);
      new Uint8Array(this.#buffer).set(piece, taken);
      this.#at += piece.length;
      taken += piece.length;
    }
    return new Uint8Array(this.#buffer, 0, taken);
  }

  /** Doubles: memory follows what has arrived, not what is announced. */
  #grow(taken: number, piece: number, length: number): void {
    const capacity = Math.max(taken + piece, Math.min(length, this.#buffer.byteLength * 2));
    const grown = new ArrayBuffer(capacity);
    new Uint8Array(grown).set(new Uint8Array(this.#buffer, 0, taken));
    this.#buffer = grown;
  }

  async close(): Promise<void> {
    await this.#chunks.return?.();
  }
}

/** One message; `body` is valid until the next one is asked for. */
export interface ArrowMessage {
  readonly header: MessageHeader;
  readonly body: Uint8Array;
}

export class MessageStream {
  /** a file with magic and footer, rather than a stream */
  isFile = false;
  /** the end was said, rather than the input ending between two messages */
  isEnded = false;
  readonly #file: string;
  readonly #bytes: ByteTaker;
  #dictionaries = 0;
  #records = 0;

  constructor(input: ByteInput) {
    this.#file = input.name;
    input.reuseMemory?.();
    this.#bytes = new ByteTaker(input.chunks);
  }

  /** An error about the metadata; see {@link FlatBuffer}. */
  readonly damaged = (what: string): never => {
    throw new InputError({
      file: this.#file,
      expectation: `holds damaged Arrow metadata: ${what}`,
      remedy: 'copy or write it again',
    });
  };

  /** An error about an input that just ends. */
  cut(where: string): InputError {
    return new InputError({
      file: this.#file,
      expectation: `ends ${where}`,
      remedy: 'copy or write it again',
      isCut: true,
    });
  }

  /**
   * The messages up to the end.
   *
   * @throws InputError  for damage; `isCut` is set if the input just ends
   */
  async *messages(): AsyncGenerator<ArrowMessage> {
    try {
      let prefix: number | undefined = await this.#start();
      if (prefix < SMALLEST_METADATA && this.isFile) {
        const header = readMessage(await this.#bareMetadata(prefix), this.damaged);
        if (header.body_bytes !== 0) this.damaged('its schema has a body');
        yield { header, body: new Uint8Array(0) };
        prefix = CONTINUATION;
      }
      for (;;) {
        const length = await this.#metadataBytes(prefix);
        if (length === 0) break;
        const metadata = await this.#bytes.take(length);
        if (metadata.length < length) throw this.cut('in the middle of a message');
        const header = readMessage(metadata, this.damaged);
        this.#count(header);
        if (header.body_bytes > MAX_BODY_BYTES) this.#tooLong('a batch', MAX_BODY_BYTES);
        const body = await this.#bytes.take(header.body_bytes);
        if (body.length < header.body_bytes) throw this.cut('in the middle of a batch');
        yield { header, body };
        prefix = undefined;
      }
      await this.#end();
    } finally {
      await this.#bytes.close();
    }
  }

  #count(header: MessageHeader): void {
    if (header.kind === 'dictionary') this.#dictionaries++;
    else if (header.kind === 'records') this.#records++;
  }

  #tooLong(what: string, limit: number): never {
    throw new InputError({
      file: this.#file,
      expectation: `has ${what} of more than ${limit.toLocaleString('en-US')} bytes`,
      remedy: 'write it with smaller batches',
    });
  }

  /** Steps over a file's magic. @returns the first word of the first message */
  async #start(): Promise<number> {
    const first = await this.#bytes.take(4);
    if (first.length < 4) throw this.cut('before its first message');
    const word = wordOf(first);
    if (Buffer.from(first).toString('latin1') !== MAGIC.slice(0, 4)) return word;
    const rest = await this.#bytes.take(MAGIC_BYTES - 4);
    if (rest.length < MAGIC_BYTES - 4) throw this.cut('before its first message');
    if (!Buffer.from(rest).toString('latin1').startsWith(MAGIC.slice(4))) this.damaged('its magic is wrong');
    this.isFile = true;
    const next = await this.#bytes.take(4);
    if (next.length < 4) throw this.cut('before its first message');
    return wordOf(next);
  }

  /**
   * The schema of a file by Polars, which puts it there without its length: its end is where the next message begins.
   *
   * @param first  its first word, which is read already
   */
  async #bareMetadata(first: number): Promise<Uint8Array> {
    const words = [first];
    while (words.length * 4 < MAX_BARE_BYTES) {
      const bytes = await this.#bytes.take(4);
      if (bytes.length < 4) throw this.cut('in the middle of its schema');
      const word = wordOf(bytes);
      if (word === CONTINUATION && words.length % 2 === 0)
        return new Uint8Array(Uint32Array.from(words).buffer);
      words.push(word);
    }
    return this.#tooLong('a schema', MAX_BARE_BYTES);
  }

  /** Length of the next message's metadata; 0 at the end. */
  async #metadataBytes(prefix: number | undefined): Promise<number> {
    let word = prefix;
    if (word === undefined) {
      const bytes = await this.#bytes.take(4);
      if (bytes.length === 0) return 0;
      if (bytes.length < 4) throw this.cut('in the middle of a message');
      word = wordOf(bytes);
    }
    if (word === CONTINUATION) {
      // Writers before 0.15 left this word out.
      const bytes = await this.#bytes.take(4);
      if (bytes.length < 4) throw this.cut('in the middle of a message');
      word = wordOf(bytes);
    }
    if (word === 0) this.isEnded = true;
    if (word > MAX_METADATA_BYTES) this.#tooLong('metadata', MAX_METADATA_BYTES);
    return word;
  }

  /** What stands behind the messages: nothing, or a file's footer. */
  async #end(): Promise<void> {
    if (!this.isFile) {
      if (!this.isEnded) return;
      if ((await this.#bytes.take(1)).length > 0) {
        throw new InputError({
          file: this.#file,
          expectation: 'has other data behind its Arrow stream',
          remedy: 'cut it off',
        });
      }
      return;
    }
    const bytes = await this.#bytes.take(MAX_FOOTER_BYTES);
    if (bytes.length === MAX_FOOTER_BYTES) this.#tooLong('a footer', MAX_FOOTER_BYTES - 1);
    const footerBytes = bytes.length - TRAILER_BYTES;
    if (!this.isEnded || footerBytes < 4) throw this.cut('before its footer');
    if (Buffer.from(bytes.subarray(-MAGIC.length)).toString('latin1') !== MAGIC)
      throw this.cut('in the middle of its footer');
    if (wordOf(bytes.subarray(footerBytes)) !== footerBytes) this.damaged('its footer has another length');
    const footer = readFooter(bytes.subarray(0, footerBytes), this.damaged);
    // Tools that seek read what the footer lists: they must see what is read here.
    if (footer.records !== this.#records || footer.dictionaries !== this.#dictionaries)
      this.damaged('its footer lists other batches than it holds');
  }
}

function wordOf(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true);
}
