/** Tables of a real kernel, one JSON value a line, each checked against the lines that its format has. */
import type * as z from 'zod';
import { readLines } from '../bytes/line-reader.js';
import type { ByteInput } from '../bytes/open-input.js';
import { InputError } from '../input-error.js';
import { DumpProblem } from './dump-checks.js';
import { parsed } from './slab-run-lines.js';

const MAX_LINE_BYTES = 1 << 20;
const MAX_ROWS = 100_000;

/**
 * Hands every line to `take`, in order; it says whether the line is a row.
 *
 * @throws InputError with the line, for one that the format does not have, and for too many rows
 */
export async function readTableLines<Line>(
  input: ByteInput,
  anyLine: z.ZodType<Line>,
  take: (line: Line) => boolean,
): Promise<void> {
  const file = input.name;
  let number = 0;
  let rows = 0;
  for await (const lines of readLines(input.chunks, file, MAX_LINE_BYTES, 'check how it was made'))
    for (const text of lines) {
      number++;
      if (text !== '' && take(lineOf(anyLine, text, file, number)) && ++rows > MAX_ROWS)
        throw new InputError({ file, line: number, expectation: `has more than ${MAX_ROWS} rows` });
    }
}

/** @throws InputError for a table without a header, or with other than the rows that its last line names */
export function checkTableEnd(
  file: string,
  hasHeader: boolean,
  field: string,
  named: number | undefined,
  rows: number,
): void {
  if (!hasHeader) throw new InputError({ file, expectation: 'holds no table: it has no line {"t":"run",…}' });
  if (named !== rows)
    throw new InputError({
      file,
      field,
      value: String(named),
      expectation: `is not the ${rows} rows that are there`,
      remedy: 'the file was cut short',
    });
}

function lineOf<Line>(anyLine: z.ZodType<Line>, text: string, file: string, line: number): Line {
  try {
    return parsed(anyLine, JSON.parse(text) as unknown, 'line');
  } catch (error) {
    if (error instanceof SyntaxError)
      throw new InputError({ file, line, value: text, expectation: 'is not JSON' });
    if (!(error instanceof DumpProblem)) throw error;
    throw new InputError({ file, line, field: error.field, expectation: error.expectation });
  }
}
