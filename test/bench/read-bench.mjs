/** Reading traces: tracefs text from memory, and trace CSV, in rows per second. */

import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { openChunks } from '../../dist/trace/bytes/open-input.js';
import { CsvReader } from '../../dist/trace/csv/reader.js';
import { CsvWriter } from '../../dist/trace/csv/writer.js';
import { TextReader } from '../../dist/trace/text/reader.js';
import { median, millions } from './figures.mjs';

const ROUNDS = 5;
const TRACE = new URL('../../workloads/fs-churn/trace.gz', import.meta.url);

async function* chunked(bytes) {
  for (let at = 0; at < bytes.length; at += 1 << 16) yield bytes.subarray(at, at + (1 << 16));
}

async function rate(make) {
  const rates = [];
  for (let round = 0; round < ROUNDS; round++) {
    const reader = await make();
    const start = process.hrtime.bigint();
    let rows = 0;
    for await (const batch of reader.batches()) rows += batch.length;
    rates.push(rows / (Number(process.hrtime.bigint() - start) / 1e9));
  }
  return median(rates);
}

export async function readBench() {
  const text = gunzipSync(readFileSync(TRACE));
  const tracefs = await rate(async () => new TextReader(await openChunks(chunked(text), 'trace')));
  const writer = new CsvWriter();
  const parts = [writer.header()];
  const source = new TextReader(await openChunks(chunked(text), 'trace'));
  for await (const batch of source.batches()) parts.push(writer.rows(batch));
  const csvText = Buffer.from(parts.join(''));
  const csv = await rate(async () => new CsvReader(await openChunks(chunked(csvText), 'trace.csv')));
  return [
    { name: 'tracefs text', rows_per_s: tracefs, text: `tracefs text: ${millions(tracefs)} events/s` },
    { name: 'trace CSV', rows_per_s: csv, text: `trace CSV: ${millions(csv)} rows/s` },
  ];
}
