/** When a trace began is nobody's business: all its times later by the same time, and only times are later. */
import { describe, expect, test } from 'vitest';
import { busyTables, POLICIES, resultOf, type Table, withColumn } from './traces.js';

const LATER_NS = 7_000_000_013;

function shifted(table: Table): Table {
  if (table.columns.includes('ts')) return withColumn(table, 'ts', (ts) => String(Number(ts) + LATER_NS));
  // Rows without times are 1000 ns apart.
  const rows = table.rows.map((row, at) => [...row, String(LATER_NS + at * 1000)]);
  return { ...table, columns: [...table.columns, 'ts'], rows };
}

describe.each(POLICIES)('%s', (policy) => {
  test('later by seven seconds and a bit', async () => {
    for (const [table, options] of busyTables()) {
      const original = await resultOf(table, { ...options, policy });
      const { span, series, ...rest } = await resultOf(shifted(table), { ...options, policy });
      const { span: wasSpan, series: wasSeries, ...was } = original;
      expect(rest).toEqual(was);
      expect(span).toEqual({
        ...wasSpan,
        first_ns: wasSpan.first_ns + LATER_NS,
        last_ns: wasSpan.last_ns + LATER_NS,
      });
      const times = (samples: typeof series, by: number) =>
        samples.map((sample) => ({ ...sample, ts_ns: sample.ts_ns + by }));
      expect(series).toEqual(times(wasSeries, LATER_NS));
    }
  });
});
