/**
 * The strict way from a row to an event: cells are strings, every one is checked, and the first that is wrong is told
 * with its place. Nothing is coerced: `1.0`, `+1`, ` 1` and `1e3` are no numbers.
 */

import { CTX_NAMES, type EventBatch } from '../event-batch.js';
import { InputError } from '../input-error.js';
import { Column, CSV_COLUMNS, type CsvColumn, MAX_NODE, MAX_OF_COLUMN, MAX_PFN } from './columns.js';
import { unescapeFormula } from './formula.js';
import { EMPTY, type RowEvents, RowProblem } from './row-events.js';
import { type Checked, type ColumnIndexes, cellColumn, checkText, type WordChecks } from './schema.js';

/** Room for the texts of one row: five of the longest, in UTF-8. */
const TEXT_BYTES = 1 << 16;
/** Distinct words whose meaning is remembered per column. */
const REMEMBERED = 1 << 12;

/** Columns in the order in which their cells are checked; `op` first, as nothing is known about a row without one. */
const NUMBERS: readonly (readonly [column: CsvColumn, expectation: string])[] = [
  ['cpu', 'is not a CPU number'],
  ['order', 'is not a page order'],
  ['size', 'is not a number of bytes'],
  ['depth', 'is not a nesting depth'],
];
const TEXTS: readonly CsvColumn[] = ['cache', 'memcg', 'site', 'arg', 'id'];

/** A decimal number without sign, point or blanks; -1 if `text` is anything else or above 2^53. */
function decimal(text: string): number {
  const length = text.length;
  if (length === 0 || length > 16) return -1;
  let value = 0;
  for (let i = 0; i < length; i++) {
    const digit = text.charCodeAt(i) - 0x30;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value <= Number.MAX_SAFE_INTEGER ? value : -1;
}

/** The header's columns, and how many cells it has. */
export interface CsvHeader {
  readonly file: string;
  readonly columns: ColumnIndexes;
  readonly cells: number;
}

export class CsvRows {
  #row: readonly string[] = [];
  #line = 0;
  readonly #known: ReadonlyMap<CsvColumn, Map<string, number>> = new Map(
    CSV_COLUMNS.map((column) => [column, new Map<string, number>()]),
  );
  /** columns of text that the file has, in the order in which they are checked, and their cells */
  readonly #textCells: readonly (readonly [column: CsvColumn, index: number])[];
  readonly #texts = new Uint8Array(TEXT_BYTES);
  readonly #textBuffer = Buffer.from(this.#texts.buffer);

  constructor(
    readonly header: CsvHeader,
    readonly events: RowEvents,
    readonly words: WordChecks,
    readonly onMistake: (error: InputError) => void,
  ) {
    this.#textCells = TEXTS.map((column) => [column, header.columns[column]] as const).filter(
      ([, index]) => index >= 0,
    );
  }

  /**
   * Appends the row's event to `batch`, which has room.
   *
   * @param line  of the row's first character, from 1
   * @returns false, after telling the mistake, if the row is invalid; the batch is as before
   */
  append(row: readonly string[], line: number, batch: EventBatch): boolean {
    this.#row = row;
    this.#line = line;
    this.events.rowLine = line;
    if (row.length !== this.header.cells) {
      this.#tell(
        undefined,
        undefined,
        `has ${row.length} cells, the header has ${this.header.cells}`,
        row.length > this.header.cells
          ? 'quote cells that hold a comma'
          : 'give every column, empty for its default',
      );
      return false;
    }
    if (!this.#takeNumbers() || !this.#takeTexts()) return false;
    const problem = this.events.append(this.#texts, line, batch);
    if (problem === RowProblem.none) return true;
    this.#tellProblem(problem);
    return false;
  }

  #cell(column: CsvColumn): string {
    const index = this.header.columns[column];
    return index < 0 ? '' : (this.#row[index] as string);
  }

  /** Tells what is wrong with a cell of the row at hand. */
  #tell(
    column: CsvColumn | undefined,
    value: string | undefined,
    expectation: string,
    remedy?: string,
  ): false {
    const index = column === undefined ? -1 : this.header.columns[column];
    this.onMistake(
      new InputError({
        file: this.header.file,
        line: this.#line,
        column: index < 0 ? undefined : cellColumn(this.#row, index),
        field: column,
        value,
        expectation,
        remedy,
      }),
    );
    return false;
  }

  /** Each of the take functions puts a cell's value into `events`, and returns false after telling what is wrong. */
  #takeNumbers(): boolean {
    if (this.#cell('op') === '') return this.#tell('op', undefined, 'is empty', 'every row needs an op');
    if (!this.#takeWord('op') || !this.#takeTime() || !this.#takeWord('ctx') || !this.#takeWord('gfp'))
      return false;
    for (const [column, expectation] of NUMBERS) if (!this.#takeNumber(column, expectation)) return false;
    return this.#takeNode() && this.#takePfn() && this.#takeWord('at');
  }

  #takeWord(column: keyof WordChecks): boolean {
    const text = this.#cell(column);
    if (text === '') {
      this.events.values[Column[column]] = EMPTY;
      return true;
    }
    const known = this.#known.get(column) as Map<string, number>;
    let number = known.get(text);
    if (number === undefined) {
      const checked: Checked = this.words[column](text);
      if ('problem' in checked)
        return this.#tell(column, text, checked.problem.expectation, checked.problem.remedy);
      number = checked.number;
      if (known.size < REMEMBERED) known.set(text, number);
    }
    this.events.values[Column[column]] = number;
    return true;
  }

  #takeNumber(column: CsvColumn, expectation: string): boolean {
    const text = this.#cell(column);
    const max = MAX_OF_COLUMN.get(Column[column]) as number;
    const number = text === '' ? EMPTY : decimal(text);
    if (text !== '' && (number < 0 || number > max))
      return this.#tell(column, text, expectation, `give 0 to ${max}`);
    this.events.values[Column[column]] = number;
    return true;
  }

  #takeTime(): boolean {
    const text = this.#cell('ts');
    const ts = text === '' ? EMPTY : decimal(text);
    if (text !== '' && ts < 0) return this.#tell('ts', text, 'is not a time', 'give whole nanoseconds');
    this.events.values[Column.ts] = ts;
    return true;
  }

  #takeNode(): boolean {
    const text = this.#cell('node');
    const node = text === '' || text === '-1' ? EMPTY : decimal(text);
    if (text !== '' && text !== '-1' && (node < 0 || node > MAX_NODE))
      return this.#tell('node', text, 'is not a node', `give 0 to ${MAX_NODE}, or -1 for the local one`);
    this.events.values[Column.node] = node;
    return true;
  }

  #takePfn(): boolean {
    const text = this.#cell('pfn');
    const isHex = /^0[xX][0-9a-fA-F]{1,8}$/.test(text);
    const pfn = text === '' ? EMPTY : isHex ? Number(text) : decimal(text);
    if (text !== '' && (pfn < 0 || pfn > MAX_PFN)) {
      return this.#tell(
        'pfn',
        text,
        'is not a page frame number',
        'give hex (0x…) or decimal up to 0xfffffffe',
      );
    }
    this.events.values[Column.pfn] = pfn;
    return true;
  }

  #takeTexts(): boolean {
    const { starts, ends } = this.events;
    let end = 0;
    for (const [column, index] of this.#textCells) {
      const cell = this.#row[index] as string;
      const number = Column[column];
      starts[number] = end;
      if (cell !== '') {
        const text = unescapeFormula(cell);
        const problem = checkText(text);
        if (problem !== undefined) return this.#tell(column, cell, problem.expectation, problem.remedy);
        end += this.#textBuffer.write(text, end);
      }
      ends[number] = end;
    }
    return true;
  }

  #place(): { readonly cpu: number; readonly depth: number } {
    const { values } = this.events;
    return { cpu: Math.max(0, values[Column.cpu]), depth: Math.max(0, values[Column.depth]) };
  }

  /** Tells why the row's cells, right one by one, make no event. */
  #tellProblem(problem: RowProblem): void {
    const { events } = this;
    const op = this.#cell('op');
    const missing = (column: CsvColumn, wants: string, remedy: string) =>
      this.#tell(column, undefined, `is missing: ${op} ${wants}`, remedy);
    switch (problem) {
      case RowProblem.ts:
        this.#tell(
          'ts',
          this.#cell('ts'),
          `is before the row above (${events.lastTs})`,
          'sort the rows by ts',
        );
        break;
      case RowProblem.depth: {
        const { cpu } = this.#place();
        this.#tell(
          'depth',
          this.#cell('depth'),
          `interrupts nothing: the last row of CPU ${cpu} has depth ${events.nesting.depthOf(cpu)}`,
          'put the interrupted row first',
        );
        break;
      }
      case RowProblem.context: {
        const { cpu, depth } = this.#place();
        const below = CTX_NAMES[events.nesting.contextBelow(cpu, depth)];
        this.#tell(
          'ctx',
          this.#cell('ctx') || 'task',
          `cannot interrupt ${below}, the context of the row that it nests in (depth ${depth - 1})`,
          `give ${below} or a context above it, or depth 0`,
        );
        break;
      }
      case RowProblem.failedPfn:
        this.#tell(
          'pfn',
          this.#cell('pfn'),
          'is given for an allocation that failed (arg failed=1)',
          'leave one out',
        );
        break;
      case RowProblem.noId:
        missing('id', 'names an object', 'give an id or a pfn');
        break;
      case RowProblem.noSize:
        missing('size', 'asks for bytes', 'give the size');
        break;
      case RowProblem.noCache:
        missing('cache', 'names a cache', "give the cache's name");
        break;
      case RowProblem.noCacheOrSize:
        missing('cache', 'names a cache', "give the cache's name, or the size where it is not known");
        break;
      case RowProblem.noMemcg:
        missing('memcg', 'names a cgroup', "give the cgroup's path");
        break;
      case RowProblem.freedTwice:
        this.#tell(
          'id',
          this.#cell('id'),
          `is freed twice, first in line ${events.freedLine}`,
          `allocate it again before, or remove this ${op}`,
        );
        break;
      default:
        throw new Error(`a row was refused for no known reason (${problem})`);
    }
  }
}
