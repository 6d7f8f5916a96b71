/** What came of the rows of a table: counts by part, and the first row that differs in words. */
import type { VerifyCheckpoint, VerifyDivergence } from '../../report/verify-result.js';
import { Tally } from './slab-tally.js';
import type { SlabVerdict } from './slab-verify.js';

/** One column of both sides, in words. */
export interface RowColumn<Part extends string = string> {
  readonly part: Part;
  readonly kernel: string;
  readonly model: string;
}

export class TableTally {
  rows = 0;
  matched = 0;
  failures = 0;
  failures_matched = 0;
  first_divergence: VerifyDivergence | null = null;
  readonly tally: Tally;

  constructor(parts: readonly string[]) {
    this.tally = new Tally(parts);
  }

  /**
   * @param id of the row
   * @param failed the column of an answer that was none, undefined of rows that got what they asked for
   */
  note(id: number, text: () => string, columns: readonly RowColumn[], failed?: RowColumn): void {
    this.rows++;
    let isEqual = true;
    for (const { part, kernel, model } of columns) {
      const isSame = this.tally.note(
        part,
        kernel === model,
        () => `row ${id}: kernel ${kernel}, model ${model}`,
      );
      if (!isSame) isEqual = false;
    }
    if (isEqual) this.matched++;
    else this.first_divergence ??= divergence(id, text(), columns);
    if (failed === undefined) return;
    this.failures++;
    if (failed.kernel === failed.model) this.failures_matched++;
  }

  /** @param before checkpoints of what does not belong to rows */
  verdict(before: readonly VerifyCheckpoint[] = []): Omit<SlabVerdict, 'header'> {
    const { rows, matched, failures, failures_matched, first_divergence } = this;
    const { compared, equal, parts, differences } = this.tally;
    return {
      operations: rows,
      matched,
      failures,
      failures_matched,
      first_divergence,
      checkpoints: [...before, { name: 'rows', index: rows, compared, equal, parts, differences }],
      slab: { parts, pages: null },
    };
  }
}

function divergence(index: number, text: string, columns: readonly RowColumn[]): VerifyDivergence {
  const different = columns.filter(({ kernel, model }) => kernel !== model);
  return {
    index,
    ts_ns: null,
    text,
    kernel: different.map(({ kernel }) => kernel).join('; '),
    model: different.map(({ model }) => model).join('; '),
    context: columns
      .filter(({ kernel, model }) => kernel === model)
      .map(({ part, kernel }) => `the same: ${part}: ${kernel}`),
  };
}
