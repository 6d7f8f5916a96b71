/**
 * Files as other tools write them by themselves, without knowing spbsim: same column names, their own types. The files in
 * data/ hold one trace, written by pandas, Polars, DuckDB and pyarrow; expected.csv is the same trace as CSV.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import {
  Bool,
  Dictionary,
  Float64,
  Int8,
  Int32,
  Int64,
  LargeUtf8,
  Null,
  Table,
  TimestampMicrosecond,
  tableToIPC,
  Uint8,
  Uint32,
  Utf8,
  Utf8View,
  type Vector,
  vectorFromArray,
} from 'apache-arrow';
import { describe, expect, test } from 'vitest';
import { CsvReader } from '../../../src/trace/csv/reader.js';
import { eventsOf, inputOf } from '../helpers.js';
import { outcomeOf, readBack } from './support.js';

const data = (name: string) => readFileSync(fileURLToPath(new URL(`data/${name}`, import.meta.url)));

test.each([
  'pandas-lz4.feather',
  'pandas-zstd.feather',
  'polars.arrow',
  'polars-zstd.arrow',
  'polars-categorical.arrows',
  'polars-categorical.arrow',
  'pandas-categorical.feather',
  'duckdb.arrows',
  'pyarrow-delta.arrow',
])('%s holds the events of the CSV', async (name) => {
  const csv = await eventsOf(new CsvReader(await inputOf(data('expected.csv'))));
  expect(csv.length).toBe(300);
  expect(await readBack(data(name), { batchEvents: 64 })).toEqual(csv);
  expect(await readBack(data(name), { cellByCell: true })).toEqual(csv);
});

function ipc(columns: Record<string, Vector>): Uint8Array {
  return tableToIPC(new Table(columns), 'stream');
}

const op = vectorFromArray(['alloc', 'free', 'mark'], new Utf8());
const id = vectorFromArray(['x', 'x', null], new Utf8());

describe('types of columns', () => {
  test.each<[string, Vector]>([
    ['float64', vectorFromArray([10, 20, 30], new Float64())],
    ['int32', vectorFromArray([10, 20, 30], new Int32())],
    ['int64', vectorFromArray([10n, 20n, 30n], new Int64())],
    ['uint8', vectorFromArray([10, 20, 30], new Uint8())],
    ['utf8', vectorFromArray(['10', '20', '30'], new Utf8())],
  ])('ts as %s', async (_, ts) => {
    expect((await readBack(ipc({ op, id, ts }))).map((event) => event.ts)).toEqual([10, 20, 30]);
  });

  test('ts as a timestamp is taken in its unit', async () => {
    const ts = vectorFromArray([1n, 2n, 3n], new Int64()).data[0]!;
    const time = vectorFromArray([0, 0, 0], new TimestampMicrosecond());
    time.data[0]!.values.set(ts.values);
    expect((await readBack(ipc({ op, id, ts: time }))).map((event) => event.ts)).toEqual([1000, 2000, 3000]);
  });

  test.each<[string, Vector]>([
    ['large_utf8', vectorFromArray(['s', null, 'tü'], new LargeUtf8())],
    ['utf8_view', vectorFromArray(['s', null, 'tü'], new Utf8View())],
    ['dictionary of uint32', vectorFromArray(['s', null, 'tü'], new Dictionary(new Utf8(), new Uint32()))],
    ['dictionary of int8', vectorFromArray(['s', null, 'tü'], new Dictionary(new Utf8(), new Int8()))],
  ])('site as %s', async (_, site) => {
    expect((await readBack(ipc({ op, id, site }))).map((event) => event.site)).toEqual(['s', '', 'tü']);
  });

  test('a long text in a view', async () => {
    const long = 'a text that is longer than a view';
    const site = vectorFromArray([long, null, long], new Utf8View());
    expect((await readBack(ipc({ op, id, site }))).map((event) => event.site)).toEqual([long, '', long]);
  });

  test('a column of nothing is a column of empty cells', async () => {
    const order = vectorFromArray([null, null, null], new Null());
    expect((await readBack(ipc({ op, id, order }))).map((event) => event.order)).toEqual([0, undefined, 0]);
  });

  test('ids that look like numbers, and texts that are all missing', async () => {
    const site = vectorFromArray([Number.NaN, null, Number.NaN], new Float64());
    const numbers = vectorFromArray([17, 17, 2 ** 40], new Float64());
    const events = await readBack(ipc({ op, id: numbers, site, gfp: site }));
    expect(events.map((event) => [event.id, event.site, event.gfp])).toEqual([
      ['17', '', 0xcc0],
      ['17', '', 0],
      ['1099511627776', '', 0],
    ]);
  });

  test('pfn as hex, as CSV has it, and a missing number as NaN', async () => {
    const pfn = vectorFromArray(['0x1f', '31', null], new Utf8());
    const size = vectorFromArray([Number.NaN, 1, 2], new Float64());
    const events = await readBack(ipc({ op, id, pfn, size }));
    expect(events.map((event) => [event.pfn, event.size])).toEqual([
      [31, 0],
      [31, 1],
      [undefined, 2],
    ]);
  });
});

test('an object at an address may be freed twice: its bulk allocation has no event', async () => {
  const columns = {
    op: vectorFromArray(['cache_alloc', 'cache_free', 'cache_free'], new Utf8()),
    id: vectorFromArray(['0x8a', '0x8a', '0x8a'], new Utf8()),
    cache: vectorFromArray(['dentry', 'dentry', 'dentry'], new Utf8()),
  };
  expect((await readBack(ipc(columns))).map((event) => event.op)).toEqual([
    'cache_alloc',
    'cache_free',
    'cache_free',
  ]);
});

describe('mistakes name row, column, value and remedy', () => {
  test.each<[string, Record<string, Vector>, string]>([
    [
      'an unknown op',
      { op: vectorFromArray(['aloc'], new Utf8()) },
      'trace.arrow:1  op "aloc" is not an op; did you mean alloc?',
    ],
    [
      'an empty op',
      { op: vectorFromArray(['mark', null], new Utf8()) },
      'trace.arrow:2  op is empty; every row needs an op',
    ],
    ['no column op', { id }, 'trace.arrow  schema has no column op; columns are named as in the trace CSV'],
    [
      'a fraction',
      { op, id, ts: vectorFromArray([1, 1.5, 2], new Float64()) },
      'trace.arrow:2  ts "1.5" is not a time; give whole nanoseconds since boot',
    ],
    [
      'a number too large',
      { op, id, cpu: vectorFromArray([1n, 2n ** 60n, 2n], new Int64()) },
      'trace.arrow:2  cpu "1152921504606846976" is not a CPU number; give 0 to 8191',
    ],
    [
      'time going back',
      { op, id, ts: vectorFromArray([5, 4, 6], new Int32()) },
      'trace.arrow:2  ts "4" is before the row above (5); sort the rows by ts',
    ],
    [
      'a control character',
      { op, id, site: vectorFromArray(['a\u0007', '', ''], new Utf8()) },
      'trace.arrow:1  site "a\\x07" holds a control character or bytes that are not UTF-8; remove it',
    ],
    [
      'a gfp that is none',
      { op, id, gfp: vectorFromArray(['GFP_KERNEl', null, null], new Utf8()) },
      'trace.arrow:1  gfp "GFP_KERNEl" is not a gfp flag; did you mean GFP_KERNEL?',
    ],
    [
      'a number for a word',
      { op, id, gfp: vectorFromArray([1, 2, 3], new Int32()) },
      'trace.arrow:1  gfp "1" is not a gfp flag; flags are joined by |, or give hex',
    ],
    [
      'a type that fits no column',
      { op, id, gfp: vectorFromArray([true, false, null], new Bool()) },
      'trace.arrow  gfp "bool" is no type for this column; give utf8, plain or dictionary-encoded',
    ],
    ['no id', { op }, 'trace.arrow:1  id is missing: alloc names an object; give an id or a pfn'],
    [
      'an id freed twice',
      {
        op: vectorFromArray(['alloc', 'free', 'free'], new Utf8()),
        id: vectorFromArray(['x', 'x', 'x'], new Utf8()),
      },
      'trace.arrow:3  id "x" is freed twice, first in row 2; allocate it again before, or remove this free',
    ],
  ])('%s', async (_, columns, message) => {
    expect((await outcomeOf(ipc(columns))).error).toBe(message);
  });
});
