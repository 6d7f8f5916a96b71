/** Quotes, line ends and comments: what csv-parse makes of a whole file, our line by line use of it makes too. */
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { CsvError } from 'csv-parse';
import { parse } from 'csv-parse/sync';
import { describe, expect } from 'vitest';
import { CellCutter, CSV_PARSE_OPTIONS } from '../../../src/trace/csv/cell-cutter.js';
import { CsvReader } from '../../../src/trace/csv/reader.js';
import { errorOf, eventsOf, inputOf } from '../helpers.js';
import { fc, test } from '../properties.js';

interface Cut {
  readonly rows: readonly (readonly string[])[];
  /** code of the error at which cutting ended */
  readonly error: string | undefined;
}

const NOT_CLOSED = 'CSV_QUOTE_NOT_CLOSED';

function cutByLines(bytes: Buffer): Cut {
  const cutter = new CellCutter();
  const rows: string[][] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf('\n', at) + 1 || bytes.length;
    try {
      const line = bytes.subarray(at, end);
      const row = line.at(-1) === 0x0a ? cutter.cut(line) : cutter.cutLast(line);
      if (row !== undefined) rows.push(row);
    } catch (error) {
      if (!(error instanceof CsvError)) throw error;
      return { rows, error: error.code };
    }
    at = end;
  }
  return { rows, error: cutter.isOpen ? NOT_CLOSED : undefined };
}

function cutAtOnce(bytes: Buffer): Cut {
  const rows: string[][] = [];
  const on_record = (row: string[]) => {
    rows.push(row);
    return null;
  };
  try {
    parse(bytes, { ...CSV_PARSE_OPTIONS, on_record });
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    return { rows, error: error.code };
  }
  return { rows, error: undefined };
}

test('cutting line by line is cutting at once', () => {
  const seen = { rows: 0, errors: 0, open: 0 };
  const piece = fc.constantFrom(
    ...['a', 'b', ',', ',', '"', '"', '""', '\n', '\n', '\r\n', '\r', '#', ' ', '\0', 'ü', '\ufeff'],
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
      const bytes = Buffer.from(pieces.join(''));
      const expected = cutAtOnce(bytes);
      expect(cutByLines(bytes)).toEqual(expected);
      seen.rows += expected.rows.length;
      if (expected.error === NOT_CLOSED) seen.open++;
      else if (expected.error !== undefined) seen.errors++;
    }),
    { numRuns: 20_000 },
  );
  expect(seen.rows).toBeGreaterThan(10_000);
  expect(Math.min(seen.errors, seen.open)).toBeGreaterThan(1000);
});

describe('csv-spectrum', () => {
  const directory = dirname(createRequire(import.meta.url).resolve('csv-spectrum/package.json'));
  const names = readdirSync(join(directory, 'csvs')).map((name) => basename(name, '.csv'));
  const bytesOf = (name: string) => readFileSync(join(directory, 'csvs', `${name}.csv`));

  /** A quote inside a field that has none around it: refused, and the expected file is of another table. */
  const REFUSED = 'location_coordinates';

  test('has the files that are answered here', () => {
    expect(names.sort()).toEqual([...ANSWERS.keys()].sort());
  });

  test.each(names.filter((name) => name !== REFUSED))('%s is cut as it should be', (name) => {
    const [header, ...rows] = cutByLines(bytesOf(name)).rows;
    const objects = rows.map((row) => Object.fromEntries(row.map((cell, i) => [header![i], cell])));
    expect(objects).toEqual(JSON.parse(readFileSync(join(directory, 'json', `${name}.json`), 'utf8')));
  });

  test(`${REFUSED} has a quote in an unquoted field`, () => {
    expect(cutByLines(bytesOf(REFUSED)).error).toBe('INVALID_OPENING_QUOTE');
  });

  const ALL =
    'columns are ts, cpu, ctx, op, id, order, gfp, node, pfn, memcg, site, cache, size, depth, at, arg';
  const AT = 'did you mean at?';
  const ANSWERS: ReadonlyMap<string, readonly [column: string, remedy: string]> = new Map([
    ['comma_in_quotes', ['first', ALL]],
    ['empty', ['a', AT]],
    ['empty_crlf', ['a', AT]],
    ['escaped_quotes', ['a', AT]],
    ['json', ['key', ALL]],
    [REFUSED, ['Contact Phone Number', ALL]],
    ['newlines', ['a', AT]],
    ['newlines_crlf', ['a', AT]],
    ['quotes_and_newlines', ['a', AT]],
    ['simple', ['a', AT]],
    ['simple_crlf', ['a', AT]],
    ['utf8', ['a', AT]],
  ]);

  test.each([...ANSWERS])('%s is no trace', async (name, [column, remedy]) => {
    const reader = new CsvReader(await inputOf(bytesOf(name), 'x.csv'));
    expect((await errorOf(eventsOf(reader))).message).toBe(
      `x.csv:1:1  header "${column}" is not a column of a trace; ${remedy}`,
    );
  });
});
