/** What holds for the rows of every workload. */
import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { generate, WORKLOADS } from '../../src/gen/generate.js';
import { MAX_OBJECTS } from '../../src/gen/object-ids.js';
import { columnsOf } from '../../src/gen/write-workload.js';
import { gfpMigratetype, gfpZone } from '../../src/mm/gfp.js';
import { ArrowReader } from '../../src/trace/arrow/reader.js';
import { arrowChunks } from '../../src/trace/arrow/writer.js';
import { openChunks } from '../../src/trace/bytes/open-input.js';
import { CsvReader } from '../../src/trace/csv/reader.js';
import { CsvWriter } from '../../src/trace/csv/writer.js';
import { type EventSource, Op } from '../../src/trace/event-batch.js';
import { gfpDialect } from '../../src/trace/gfp-text.js';
import { eventsOf } from '../trace/helpers.js';
import { eachRow, GIB_PAGES, LivePages, SMALL, small } from './support.js';

const NAMES = [...WORKLOADS.keys()];

/** A digest of all columns of all events. */
async function digestOf(source: EventSource): Promise<string> {
  const hash = createHash('sha256');
  for await (const batch of source.batches())
    for (const column of batch.columns)
      hash.update(
        new Uint8Array(column.buffer, column.byteOffset, batch.length * column.BYTES_PER_ELEMENT).slice(),
      );
  return hash.digest('hex');
}

describe.each(NAMES)('%s', (name) => {
  test('times do not decrease, ids are unique while they live, everything is in range', async () => {
    const trace = small(name);
    const { cpus, duration_ns } = trace.scale;
    const dialect = gfpDialect('6.18');
    const live = new LivePages();
    const gfps = new Set<number>();
    let ts = 0;
    let most = 0;
    await eachRow(trace, (batch, row) => {
      if (batch.ts[row] < ts || !Number.isSafeInteger(batch.ts[row]))
        expect.fail(`ts ${batch.ts[row]} after ${ts}`);
      ts = batch.ts[row];
      if (batch.cpu[row] >= cpus) expect.fail(`CPU ${batch.cpu[row]}`);
      if (batch.order[row] > 10) expect.fail(`order ${batch.order[row]}`);
      if (batch.op[row] === Op.alloc) {
        gfps.add(batch.gfp[row]);
        if (batch.migratetype[row] !== gfpMigratetype(batch.gfp[row])) expect.fail('migratetype');
        if (batch.site[row] === 0) expect.fail('an allocation without a call site');
      }
      live.follow(batch, row);
      most = Math.max(most, live.objects);
    });
    // Demands at the end may come behind it; and a step takes its time.
    expect(ts).toBeLessThan(duration_ns * 1.05);
    expect(ts).toBeGreaterThan(duration_ns * 0.9);
    expect(trace.strings.ids.size).toBeLessThan(most + 1024 + 2);
    expect(trace.strings.ids.size).toBeLessThan(MAX_OBJECTS);
    expect(trace.strings.sites.size).toBeLessThan(32);
    for (const gfp of gfps) {
      expect(gfpZone(gfp)).toBeGreaterThanOrEqual(0);
      expect(gfpMigratetype(gfp)).toBeLessThan(3);
      expect(dialect.parse(dialect.format(gfp))).toEqual({ bits: gfp, unknown: [] });
      expect(dialect.format(gfp)).not.toContain('0x');
    }
  });

  test('the same arguments give the same events, another seed others', async () => {
    const [first, again, other] = await Promise.all(
      [{}, {}, { seed: 2 }].map((changes) => digestOf(small(name, { events: 20_000, ...changes }))),
    );
    expect(again).toBe(first);
    expect(other).not.toBe(first);
  });

  test('fewer events are the beginning of more', async () => {
    const few = await eventsOf(small(name, { events: 500 }));
    const more = await eventsOf(small(name, { events: 1500 }));
    expect(few).toHaveLength(500);
    expect(more.slice(0, 500)).toEqual(few);
  });

  test('CSV and Arrow, read again, are the same events', async () => {
    const options = { events: 70_000 };
    const columns = columnsOf(small(name).workload);
    const events = await eventsOf(small(name, options));
    async function* csv() {
      const writer = new CsvWriter({ columns });
      yield Buffer.from(writer.header());
      for await (const batch of small(name, options).batches()) yield writer.rowBytes(batch).slice();
    }
    expect(await eventsOf(new CsvReader(await openChunks(csv(), 'x.csv')))).toEqual(events);
    const arrow = arrowChunks(small(name, options).batches(), {
      format: 'stream',
      columns,
    });
    expect(await eventsOf(new ArrowReader(await openChunks(arrow, 'x.arrows')))).toEqual(events);
  });

  test('two nodes: only what is bound to a node asks for one', async () => {
    const nodes = new Set<number>();
    await eachRow(small(name, { nodes: 2, events: 100_000 }), (batch, row) => nodes.add(batch.node[row]));
    for (const node of nodes) expect([-1, 0, 1]).toContain(node);
    const alone = new Set<number>();
    await eachRow(small(name, { nodes: 1, events: 100_000 }), (batch, row) => alone.add(batch.node[row]));
    expect([...alone]).toEqual([-1]);
  });
});

test('a trace is read once', async () => {
  const trace = small('net-softirq', { events: 10 });
  await eventsOf(trace);
  await expect(eventsOf(trace)).rejects.toThrow('can be read once');
});

test('no events are a trace without rows', async () => {
  expect(await eventsOf(generate('slab-ramp', { ...SMALL['slab-ramp'], events: 0 }))).toEqual([]);
});

test('an option changes what it is about and leaves the rest of the chance alone', async () => {
  const orders = async (net: number) => {
    const taken: number[] = [];
    await eachRow(small('steady-server', { events: 60_000, set: { net } }), (batch, row) => {
      if (trace(batch.site[row]) === '__d_alloc') taken.push(batch.order[row]);
    });
    return taken;
  };
  const { strings } = small('steady-server');
  const trace = (site: number) => strings.sites.get(site);
  const [quiet, loud] = [await orders(0), await orders(20_000)];
  const length = Math.min(quiet.length, loud.length, 500);
  expect(length).toBeGreaterThan(100);
  expect(loud.slice(0, length)).toEqual(quiet.slice(0, length));
});

test('5 million events take no more memory than 1 million', async () => {
  const trace = generate('steady-server', {
    memory_pages: 2 * GIB_PAGES,
    cpus: 8,
    duration_ns: 3600e9,
    events: 5e6,
  });
  const bytesInUse = () => {
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return heapUsed + arrayBuffers;
  };
  let events = 0;
  let early = 0;
  let most = 0;
  for await (const batch of trace.batches()) {
    events += batch.length;
    if (events < 1e6) early = Math.max(early, bytesInUse());
    else most = Math.max(most, bytesInUse());
  }
  expect(events).toBe(5e6);
  expect(most - early).toBeLessThan(48 << 20);
});
