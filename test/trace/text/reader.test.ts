import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { openInput } from '../../../src/trace/bytes/open-input.js';
import { EventFlag } from '../../../src/trace/event-batch.js';
import { type TracefsOptions, TracefsReader } from '../../../src/trace/text/reader.js';
import { dataPath, errorOf, eventsOf, inputOf } from '../helpers.js';

async function read(text: string | Uint8Array, options: TracefsOptions = {}, size?: number) {
  const reader = new TracefsReader(await inputOf(text, 'trace', size), options);
  const events = await eventsOf(reader);
  return { events, report: reader.report() };
}

function line(payload: string, flags = '.....', cpu = '002', pid = '4211', time = '812.104233'): string {
  return `          stress-${pid.padEnd(7)} [${cpu}] ${flags}   ${time}: ${payload}\n`;
}

const PAGE = 'page=00000000a1b2c3d4 pfn=0x15c400';

test('a page allocation', async () => {
  const { events } = await read(
    line(`mm_page_alloc: ${PAGE} order=3 migratetype=1 gfp_flags=GFP_HIGHUSER_MOVABLE|__GFP_COMP`, '..s..'),
  );
  expect(events).toEqual([
    {
      ts: 812_104_233_000,
      cpu: 2,
      ctx: 'softirq',
      op: 'alloc',
      order: 3,
      gfp: 0x140cca,
      id: undefined,
      pfn: 0x15c400,
      migratetype: 1,
      flags: EventFlag.hasPfn,
      size: 0,
      node: -1,
      cache: '',
      memcg: '',
      site: '',
      arg: '',
      depth: 0,
      at: 0,
      pid: 4211,
    },
  ]);
});

test.each(['page=0000000000000000', 'page=(null)', 'page=(nil)', 'page=0x0'])(
  'a failed allocation: %s',
  async (page) => {
    const { events, report } = await read(
      line(`mm_page_alloc: ${page} pfn=0x0 order=9 migratetype=1 gfp_flags=GFP_TRANSHUGE`),
    );
    expect(events).toMatchObject([{ op: 'alloc', pfn: undefined, order: 9, flags: EventFlag.failed }]);
    expect(report.failed_allocs).toBe(1);
  },
);

test('page frame 0 with a page is no failure', async () => {
  const { events } = await read(
    line('mm_page_alloc: page=ffffea0000000000 pfn=0x0 order=0 migratetype=0 gfp_flags=GFP_DMA'),
  );
  expect(events).toMatchObject([{ pfn: 0, flags: EventFlag.hasPfn }]);
});

test('what the kernel did by itself', async () => {
  const { events } = await read(
    line(`mm_page_alloc_zone_locked: ${PAGE} order=1 migratetype=2 percpu_refill=1`, 'd..2.') +
      line(`mm_page_alloc_zone_locked: ${PAGE} order=4 migratetype=0 percpu_refill=0`, 'd..2.') +
      line(`mm_page_pcpu_drain: ${PAGE} order=2 migratetype=1`, 'd..3.') +
      line(
        `mm_page_alloc_extfrag: ${PAGE} alloc_order=1 fallback_order=9 pageblock_order=9 alloc_migratetype=2 fallback_migratetype=1 fragmenting=0 change_ownership=1`,
      ),
  );
  expect(events).toMatchObject([
    { op: 'obs_refill', order: 1, migratetype: 2, flags: EventFlag.hasPfn | EventFlag.refill },
    { op: 'obs_refill', order: 4, migratetype: 0, flags: EventFlag.hasPfn },
    { op: 'obs_drain', order: 2, migratetype: 1 },
    { op: 'obs_extfrag', order: 1, migratetype: 2, size: 9 | (1 << 8) | (1 << 16) },
  ]);
});

test('the two events of a batched free are one free at the second', async () => {
  const { events, report } = await read(
    line(`mm_page_free: ${PAGE} order=2`, '.....', '002', '7', '1.000001') +
      line('mm_page_free: page=1 pfn=0x99 order=0', '.....', '002', '7', '1.000002') +
      line(`mm_page_free_batched: ${PAGE} order=0`, '..s..', '002', '7', '1.000003'),
  );
  expect(events).toMatchObject([
    { op: 'free', pfn: 0x99, ts: 1_000_002_000, flags: EventFlag.hasPfn },
    {
      op: 'free',
      pfn: 0x15c400,
      order: 2,
      ctx: 'softirq',
      ts: 1_000_003_000,
      flags: EventFlag.hasPfn | EventFlag.batched,
    },
  ]);
  expect(report.frees).toEqual({ joined: 1, moved: 0, alone: 0 });
});

test('marks, keys in another order, unknown keys, marks that look like lines', async () => {
  const { events } = await read(
    line('tracing_mark_write: spbsim: workload x-1 [000] ..s.. 1.0: kfree: y') +
      line('mm_page_free: extra=(1 2) order=4 pfn=0x10, page=0'),
  );
  expect(events).toMatchObject([
    { op: 'mark', arg: 'spbsim: workload x-1 [000] ..s.. 1.0: kfree: y', pfn: undefined },
    { op: 'free', order: 4, pfn: 0x10 },
  ]);
});

test('6.1 and 6.18 decode the same words to different bits', async () => {
  const text = line(`mm_page_alloc: ${PAGE} order=0 migratetype=0 gfp_flags=GFP_ATOMIC`);
  expect((await read(text, { kernel: '6.1' })).events[0]?.gfp).toBe(0xa20);
  expect((await read(text, { kernel: '7.2' })).events[0]?.gfp).toBe(0x820);
});

test('gfp pieces that are not known are counted, the event is kept', async () => {
  const text = line(`mm_page_alloc: ${PAGE} order=0 migratetype=0 gfp_flags=GFP_KERNEL|__GFP_\u001bNEW`);
  const { events, report } = await read(text + text);
  expect(events.map((event) => event.gfp)).toEqual([0xcc0, 0xcc0]);
  expect(report.gfp_unknown).toEqual([{ token: '__GFP_\\x1bNEW', events: 2 }]);
});

test('lost events are told, by CPU', async () => {
  const { events, report } = await read(
    '# entries-in-buffer/entries-written: 2/1236   #P:4\n##### CPU 1 buffer started ####\n' +
      line(`mm_page_free: ${PAGE} order=0`) +
      'CPU:2 [LOST 1234 EVENTS]\nCPU:2 [LOST EVENTS]\n' +
      line(`mm_page_free_batched: ${PAGE} order=0`),
  );
  expect(events.map((event) => [event.op, event.cpu, event.arg, event.order])).toEqual([
    ['obs_lost', 1, '', 0],
    ['free', 2, '', 0],
    ['obs_lost', 2, 'lost=1234', 0],
    ['obs_lost', 2, '', 0],
    ['free', 2, '', undefined],
  ]);
  expect(report.lost).toEqual([
    { cpu: 1, events: 0, gaps: 1 },
    { cpu: 2, events: 1234, gaps: 2 },
  ]);
  expect(report).toMatchObject({ entries_in_buffer: 2, entries_written: 1236, header_cpus: 4 });
  expect(report.notes).toEqual(['1234 events were overwritten before the trace was read']);
  expect(report.frees).toEqual({ joined: 0, moved: 0, alone: 1 });
});

test('everything else is counted by kind, with an example', async () => {
  const { events, report } = await read(
    '# tracer: nop\n\n' +
      line('kfree: call_site=x+0x1/0x2 ptr=0000000000000000') +
      line('kfree: call_site=x+0x1/0x2 ptr=0000000000000000', '..s..') +
      line('__proto__: x=1') +
      line('mm_page_free: page=0 pfn=0x1fffffffff order=0') +
      line('mm_page_free: page=0 pfn=12 order=0') +
      line('mm_page_free: page=0 pfn=0x12 order=11') +
      line('mm_page_alloc: page=0 pfn=0x12 order=1 gfp_flags=none') +
      line('mm_page_alloc: page=0 pfn=0x12 order=x') +
      'not a line \u001b[31m of a trace\n',
  );
  expect(events).toMatchObject([{ op: 'alloc', migratetype: 0, gfp: 0 }]);
  expect(report.by_kind).toEqual([
    { name: 'mm_page_free', events: 3, by_ctx: [3, 0, 0, 0], used: true },
    { name: 'kfree', events: 2, by_ctx: [1, 1, 0, 0], used: false },
    { name: 'mm_page_alloc', events: 2, by_ctx: [2, 0, 0, 0], used: true },
    { name: '__proto__', events: 1, by_ctx: [1, 0, 0, 0], used: false },
  ]);
  expect(report.skipped.map(({ kind, lines, example_line }) => [kind, lines, example_line])).toEqual([
    ['mm_page_free without a readable pfn', 2, 6],
    ['mm_page_free with an order above 10', 1, 8],
    ['mm_page_alloc without a readable order, gfp_flags', 1, 10],
    ['not a trace line', 1, 11],
  ]);
  expect(report.skipped.at(-1)?.example).toBe('not a line \\x1b[31m of a trace');
  expect(report).toMatchObject({ lines: 11, events: 8, emitted: 1, cpus: [2] });
});

test('without flags the report says so once', async () => {
  const { report } = await read(line(`mm_page_free: ${PAGE} order=0`, '').replace(']  ', '] '));
  expect(report.has_flags).toBe(false);
  expect(report.notes).toEqual([
    'no flag column (recorded without irq-info): every event is taken for task context',
  ]);
});

test('time does not run backwards', async () => {
  const { events, report } = await read(
    line(`mm_page_free: ${PAGE} order=0`, '.....', '000', '1', '5.000000') +
      line('mm_page_free: page=0 pfn=0x1 order=0', '.....', '001', '1', '4.000000'),
  );
  expect(events.map((event) => event.ts)).toEqual([5e9, 5e9]);
  expect(report.time_backwards).toBe(1);
});

test('text that holds no event is an error', async () => {
  expect((await errorOf(read('hello\nworld\n'))).message).toBe(
    'trace  holds no trace event in 2 lines; give the text of the tracefs file `trace`',
  );
  expect((await errorOf(read('# nop latency trace v1.1.5 on 6.18.44\n'))).message).toBe(
    'trace:1  is a trace in latency format, which has no full times; record with the trace option latency-format off',
  );
  expect((await read('# tracer: nop\n# entries-in-buffer/entries-written: 0/0   #P:2\n')).events).toEqual([]);
});

test('a real trace of 6.1: reclaim, a fallback, a failure', async () => {
  const reader = new TracefsReader(await openInput(dataPath('tracefs-6.1-mem.txt')), { kernel: '6.1' });
  const events = await eventsOf(reader);
  const report = reader.report();
  expect(report).toMatchObject({
    events: 442,
    skipped: [],
    gfp_unknown: [],
    has_flags: true,
    failed_allocs: 1,
  });
  expect(report.by_kind.reduce((sum, kind) => sum + kind.events, 0)).toBe(442);
  expect(events.filter((event) => event.op === 'obs_extfrag')).toHaveLength(1);
  expect(
    events.filter((event) => event.op === 'alloc' && (event.flags & EventFlag.failed) !== 0),
  ).toHaveLength(1);
});

test('a real trace of 7.2 with NMIs, the same whatever the chunks, line ends and batches are', async () => {
  const text = readFileSync(dataPath('tracefs-7.2-nmi.txt'), 'utf8');
  const whole = await read(text, { kernel: '7.2' });
  expect(whole.report.skipped).toEqual([]);
  expect(whole.report.by_ctx.nmi).toBeGreaterThan(0);
  expect(whole.report.cpus).toEqual([0, 1]);
  for (const size of [1, 13, 4096]) {
    const cut = await read(text.replaceAll('\n', '\r\n'), { kernel: '7.2', batchEvents: 64 }, size);
    expect(cut.events).toEqual(whole.events);
    expect(cut.report).toEqual(whole.report);
  }
});

test('a cut archive gives its events, then the error', async () => {
  const text = readFileSync(dataPath('tracefs-7.2-nmi.txt'));
  const packed = gzipSync(text);
  const reader = new TracefsReader(await inputOf(packed.subarray(0, packed.length >> 1), 'trace.gz'));
  let events = 0;
  const error = await errorOf(
    (async () => {
      for await (const batch of reader.batches()) events += batch.length;
    })(),
  );
  expect(error.message).toBe('trace.gz  ends in the middle of its gzip data; copy or record it again');
  expect(events).toBeGreaterThan(10);
  expect(reader.report().emitted).toBe(events);
});
