/**
 * Cuts lines into cells with csv-parse, which alone decides what quotes mean.
 *
 * Its parse function is given one line at a time. Through its stream interface the row of a line would come only with
 * the line behind it, as the parser holds back the last bytes of what it gets until it has seen more; so a few bytes
 * that are taken back afterwards stand behind each line. A line ends with LF, so the parser never has to look at them.
 */
import { type CsvError, type Options, Parser } from 'csv-parse';

/** Rows of the wrong length are told by the reader, with the header's length and the line. */
export const CSV_PARSE_OPTIONS: Options = {
  columns: false,
  comment: '#',
  comment_no_infix: true,
  record_delimiter: ['\r\n', '\n'],
  relax_column_count: true,
  skip_empty_lines: true,
};

const NOT_CLOSED = 'CSV_QUOTE_NOT_CLOSED';
/** What the parser holds back. */
const HELD_BYTES = 3;
const FIRST_LINE_BYTES = 1 << 10;

/** The parser behind the stream, and as much of its state as is needed here. */
class LineParser extends Parser {
  declare readonly api: {
    readonly parse: (
      bytes: Buffer,
      isEnd: boolean,
      push: (row: string[]) => void,
      close: () => void,
    ) => CsvError | undefined;
  };
  declare readonly state: { readonly quoting: boolean; previousBuf: Buffer | undefined };
}

export class CellCutter {
  readonly #parser = new LineParser(CSV_PARSE_OPTIONS);
  readonly #push = (row: string[]): void => {
    this.#row = row;
  };
  readonly #close = (): void => {};
  #row: string[] | undefined;
  #line = Buffer.alloc(FIRST_LINE_BYTES);

  /** Whether the line cut last ended inside quotes: the row goes on. */
  get isOpen(): boolean {
    return this.#parser.state.quoting;
  }

  /**
   * Cells of the row that ends with this line; undefined for comments, for empty lines, and while the row goes on.
   *
   * @param line  with its line end
   * @throws CsvError  for quotes that are where none may be
   */
  cut(line: Uint8Array): string[] | undefined {
    const padded = line.length + HELD_BYTES;
    if (padded > this.#line.length) this.#line = Buffer.alloc(padded * 2);
    this.#line.set(line);
    this.#row = undefined;
    const { api, state } = this.#parser;
    const error = api.parse(this.#line.subarray(0, padded), false, this.#push, this.#close);
    if (error !== undefined) throw error;
    if (state.previousBuf?.length !== HELD_BYTES) throw new Error('csv-parse holds back other bytes');
    state.previousBuf = undefined;
    return this.#row;
  }

  /** As cut(), for a last line without line end. Nothing may follow. */
  cutLast(line: Uint8Array): string[] | undefined {
    this.#row = undefined;
    const error = this.#parser.api.parse(Buffer.from(line), true, this.#push, this.#close);
    if (error !== undefined && error.code !== NOT_CLOSED) throw error;
    return this.#row;
  }
}

/** What an error of csv-parse says, in the words of InputError. */
export function describeCsvError(error: CsvError): readonly [expectation: string, remedy?: string] {
  if (error.code === 'CSV_INVALID_CLOSING_QUOTE')
    return ['has text behind a closing quote', 'double the quotes inside a quoted field'];
  if (error.code === 'INVALID_OPENING_QUOTE')
    return ['has a quote inside an unquoted field', 'quote the whole field'];
  return [`is not CSV (${error.code})`];
}
