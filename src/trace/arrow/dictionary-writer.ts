/**
 * The dictionary of one column while it is written: gives each string an index, and says when readers must be told.
 *
 * A file has one dictionary per column, which only grows: `limit` is infinite. In a stream a dictionary may be replaced,
 * so it is started anew when it would become large; then no reader or writer ever holds more than one batch needs.
 */

import { MAX_TEXT } from '../csv/columns.js';
import { InputError } from '../input-error.js';
import type { StringTable } from '../string-table.js';
import { type BatchParts, type EncodedMessage, encodeDictionary } from './ipc-encode.js';

const FIRST_CAPACITY = 1 << 10;
const FIRST_BYTES = 1 << 13;
/** Offsets into the texts of one dictionary have 31 bits. */
const MAX_BYTES = 2 ** 31 - 1;

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it is about
const UNPRINTABLE = /[\u0000-\u0008\u000a-\u001f\u007f\ufffd]/g;

/** `text` as readers of traces accept it: unprintable characters are escaped as in the trace CSV. */
export function printable(text: string): string {
  const safe = text.replace(UNPRINTABLE, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`);
  return safe.length > MAX_TEXT ? `${safe.slice(0, MAX_TEXT - 1)}…` : safe;
}

/** Texts behind each other, as Arrow's utf8 columns hold them. */
class Utf8Values {
  #bytes = new Uint8Array(FIRST_BYTES);
  #offsets = new Int32Array(FIRST_CAPACITY);
  count = 0;

  clear(): void {
    this.count = 0;
  }

  add(text: string): void {
    const start = this.#offsets[this.count] as number;
    // A UTF-16 unit takes at most three bytes.
    const needed = start + text.length * 3;
    if (needed > MAX_BYTES) {
      throw new InputError({
        file: 'Arrow file',
        expectation: 'cannot hold more than 2 GiB of different strings in a column',
        remedy: 'write a stream (.arrows)',
      });
    }
    if (needed > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
      grown.set(this.#bytes.subarray(0, start));
      this.#bytes = grown;
    }
    if (this.count + 2 > this.#offsets.length) {
      const grown = new Int32Array(this.#offsets.length * 2);
      grown.set(this.#offsets);
      this.#offsets = grown;
    }
    const { written } = encoder.encodeInto(text, this.#bytes.subarray(start));
    this.#offsets[++this.count] = start + written;
  }

  parts(): BatchParts {
    const end = this.#offsets[this.count] as number;
    const offsets = this.#offsets.subarray(0, this.count + 1);
    return {
      rows: this.count,
      nodes: [[this.count, 0]],
      buffers: [
        new Uint8Array(0),
        new Uint8Array(offsets.buffer, offsets.byteOffset, offsets.byteLength),
        this.#bytes.subarray(0, end),
      ],
    };
  }
}

const encoder = new TextEncoder();

/** Indices for texts that are numbers of a StringTable. */
export class DictionaryWriter {
  /** index of each number of the table, plus 1; 0 if it has none */
  #indexes = new Int32Array(FIRST_CAPACITY);
  /** numbers that have an index, for forgetting them */
  #numbers: number[] = [];
  readonly #values = new Utf8Values();
  /** values that readers know */
  #told = -1;
  /** texts that were changed because readers would refuse them */
  escaped = 0;

  /**
   * @param id     of the dictionary in the schema
   * @param text   the text of a number
   * @param limit  entries beyond which a new dictionary is started
   */
  constructor(
    readonly id: number,
    readonly text: (number: number) => string,
    readonly limit: number,
  ) {}

  /** Index of a number's text. */
  index(number: number): number {
    if (number >= this.#indexes.length) {
      const grown = new Int32Array(Math.max(number + 1, this.#indexes.length * 2));
      grown.set(this.#indexes);
      this.#indexes = grown;
    }
    const known = this.#indexes[number] as number;
    return known !== 0 ? known - 1 : this.#add(number);
  }

  #add(number: number): number {
    const text = this.text(number);
    const safe = printable(text);
    if (safe !== text) this.escaped++;
    this.#values.add(safe);
    this.#numbers.push(number);
    this.#indexes[number] = this.#values.count;
    return this.#values.count - 1;
  }

  /** To be called before the first index of a batch is asked for. */
  startBatch(): void {
    if (this.#values.count <= this.limit) return;
    for (const number of this.#numbers) this.#indexes[number] = 0;
    this.#numbers = [];
    this.#values.clear();
    this.#told = -1;
  }

  /** The dictionary as readers need it for the batch at hand; undefined if they have it. */
  message(): EncodedMessage | undefined {
    if (this.#told === this.#values.count) return undefined;
    this.#told = this.#values.count;
    return encodeDictionary(this.id, this.#values.parts());
  }
}

/** A dictionary of a string table's texts. */
export function tableDictionary(id: number, table: StringTable, limit: number): DictionaryWriter {
  return new DictionaryWriter(id, (number) => table.get(number), limit);
}
