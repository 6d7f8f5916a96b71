/** Files of one JSON value per line, given line by line to whoever puts them together. */
import { readLines } from '../bytes/line-reader.js';
import type { ByteInput } from '../bytes/open-input.js';
import { InputError } from '../input-error.js';
import { DumpProblem } from './dump-checks.js';

const MAX_LINE_BYTES = 64 << 20;

/** Puts lines together. Both throw DumpProblem for what does not fit. */
export interface DumpReader<Item> {
  take(value: unknown): Item[];
  end(): Item[];
}

/** @throws InputError  with the line, for what is not JSON, and for what the reader does not take */
export async function* readDumpLines<Item>(input: ByteInput, reader: DumpReader<Item>): AsyncGenerator<Item> {
  const file = input.name;
  let number = 0;
  const guarded = (read: () => Item[], text?: string): Item[] => {
    try {
      return read();
    } catch (error) {
      if (error instanceof SyntaxError)
        throw new InputError({
          file,
          line: number,
          ...(text === undefined ? {} : { value: text }),
          expectation: 'is not JSON',
          remedy: 'each line is one value',
        });
      if (!(error instanceof DumpProblem)) throw error;
      const { field, value, expectation } = error;
      throw new InputError({ file, line: number, field, value, expectation });
    }
  };
  for await (const lines of readLines(input.chunks, file, MAX_LINE_BYTES, 'check how it was made'))
    for (const text of lines) {
      number++;
      if (text !== '') yield* guarded(() => reader.take(JSON.parse(text) as unknown), text);
    }
  yield* guarded(() => reader.end());
}
