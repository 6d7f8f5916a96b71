import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { openInput } from '../../../src/trace/bytes/open-input.js';
import { EventFlag } from '../../../src/trace/event-batch.js';
import { type TextOptions, TextReader } from '../../../src/trace/text/reader.js';
import { dataPath, errorOf, eventsOf, inputOf } from '../helpers.js';

async function read(text: string | Uint8Array, options: TextOptions = {}, size?: number) {
  const reader = new TextReader(await inputOf(text, 'trace', size), options);
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
      line('rss_stat: mm_id=1 curr=0 type=MM_FILEPAGES size=4096B') +
      line('rss_stat: mm_id=1 curr=0 type=MM_FILEPAGES size=4096B', '..s..') +
      line('__proto__: x=1') +
      line('mm_page_free: page=0 pfn=0x1fffffffff order=0') +
      line('mm_page_free: page=0 pfn=x12 order=0') +
      line('mm_page_free: page=0 pfn=0x12 order=11') +
      line('mm_page_alloc: page=0 pfn=0x12 order=1 gfp_flags=none') +
      line('mm_page_alloc: page=0 pfn=0x12 order=x') +
      'not a line \u001b[31m of a trace\n',
  );
  expect(events).toMatchObject([{ op: 'alloc', migratetype: 0, gfp: 0 }]);
  expect(report.by_kind).toEqual([
    { name: 'mm_page_free', events: 3, by_ctx: [3, 0, 0, 0], used: true },
    { name: 'mm_page_alloc', events: 2, by_ctx: [2, 0, 0, 0], used: true },
    { name: 'rss_stat', events: 2, by_ctx: [1, 1, 0, 0], used: false },
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
    'trace  holds no trace event in 2 lines; give the text of the tracefs file `trace`, of trace-cmd report or of perf script',
  );
  expect((await read('# tracer: nop\n# entries-in-buffer/entries-written: 0/0   #P:2\n')).events).toEqual([]);
});

const SLAB = 'call_site=getname_flags.part.0+0x2b/0x1c0 ptr=00000000a1b2c3d4';
const SIZES = 'bytes_req=60 bytes_alloc=64 gfp_flags=GFP_KERNEL|__GFP_ZERO node=-1';

test('slab events: id, cache, call site, sizes', async () => {
  const { events, report } = await read(
    line(`kmem_cache_alloc: ${SLAB} name=my cache ${SIZES} accounted=true`) +
      line(`kmem_cache_free: ${SLAB.replace('/0x1c0', '/0x1c0 [ext4]')} name=my cache`) +
      line(`kmalloc: ${SLAB} ${SIZES.replace('-1', '1')} accounted=false`) +
      line(`kfree: ${SLAB}`),
  );
  expect(events[0]).toEqual({
    ts: 812_104_233_000,
    cpu: 2,
    ctx: 'task',
    op: 'cache_alloc',
    order: 0,
    gfp: 0xdc0,
    id: '0xa1b2c3d4',
    pfn: undefined,
    migratetype: 0,
    flags: 0,
    size: 60,
    node: -1,
    cache: 'my cache',
    memcg: '',
    site: 'getname_flags.part.0+0x2b',
    arg: 'alloc=64;accounted=1',
    depth: 0,
    at: 0,
    pid: 4211,
  });
  expect(events.slice(1)).toMatchObject([
    {
      op: 'cache_free',
      id: '0xa1b2c3d4',
      cache: 'my cache',
      site: 'getname_flags.part.0+0x2b [ext4]',
      arg: '',
    },
    { op: 'kmalloc', id: '0xa1b2c3d4', node: 1, size: 60, arg: 'alloc=64' },
    { op: 'kfree', id: '0xa1b2c3d4', gfp: 0, size: 0, node: -1 },
  ]);
  expect(report).toMatchObject({ null_frees: 0, failed_slab_allocs: 0, skipped: [] });
});

test('slab events of NULL: a free of nothing is none, an allocation that gave nothing failed', async () => {
  const { events, report } = await read(
    line('kfree: call_site=x+0x1/0x2 ptr=0000000000000000') +
      line('kmem_cache_free: call_site=x+0x1/0x2 ptr=(nil) name=filp') +
      line(`kmalloc: call_site=x+0x1/0x2 ptr=(null) ${SIZES} accounted=false`),
  );
  expect(events).toMatchObject([{ op: 'kmalloc', id: undefined, flags: EventFlag.failed, size: 60 }]);
  expect(report).toMatchObject({ null_frees: 2, failed_slab_allocs: 1, failed_allocs: 0, emitted: 1 });
});

test('slab events of other kernels and printers', async () => {
  const { events, report } = await read(
    line(
      'kmalloc_node: call_site=0xffffffff819d63fb ptr=0xFFFF888004BC8B70 bytes_req=8 bytes_alloc=8 gfp_flags=GFP_KERNEL node=0',
    ) +
      line(
        'kmalloc: call_site=x+0x1/0x2 ptr=00000000a1b2c3d4 bytes_req=8 bytes_alloc=8 gfp_flags=GFP_KERNEL',
      ) +
      line(
        'kmem_cache_alloc: call_site=x ptr=0x1 name=a b bytes_req=0x48 bytes_alloc=72 gfp_flags=0xcc0 node=0xffffffff accounted=1',
      ) +
      line(
        'kmem_cache_alloc: (x+0x1) call_site=x+0x1 ptr=0x1 bytes_req=72 bytes_alloc=72 gfp_flags=none node=-1 accounted=(1)',
      ),
  );
  expect(
    events.map((event) => [event.op, event.id, event.size, event.gfp, event.node, event.arg, event.site]),
  ).toEqual([
    ['kmalloc', '0xffff888004bc8b70', 8, 0xcc0, 0, 'alloc=8', '0xffffffff819d63fb'],
    ['kmalloc', '0xa1b2c3d4', 8, 0xcc0, -1, 'alloc=8', 'x+0x1'],
    ['cache_alloc', '0x1', 72, 0xcc0, -1, 'alloc=72;accounted=1', 'x'],
    ['cache_alloc', '0x1', 72, 0, -1, 'alloc=72;accounted=1', 'x+0x1'],
  ]);
  expect(report.skipped).toEqual([]);
});

test.each([
  [
    'kmalloc: call_site=x+0x1 ptr=0x1 bytes_alloc=8 gfp_flags=GFP_KERNEL',
    'kmalloc without a readable bytes_req',
  ],
  ['kfree: call_site=x+0x1', 'kfree without a readable ptr'],
  ['kfree: call_site=x+0x1 ptr=(____ptrval____)', 'kfree without a readable ptr'],
  [`kmalloc: ${SLAB} ${SIZES} accounted=maybe`, 'kmalloc without a readable accounted'],
  [`kmalloc: ${SLAB} bytes_req=4294967296 gfp_flags=none`, 'kmalloc without a readable bytes_req'],
  ['mm_page_free: page=0 pfn=0x12 order=1 order=x', 'mm_page_free without a readable order'],
  [
    'mm_page_pcpu_drain: page=0 pfn=0x12 order=1 migratetype=256',
    'mm_page_pcpu_drain with a migratetype above 15',
  ],
])('not understood: %s', async (payload, kind) => {
  const { events, report } = await read(line(payload));
  expect(events).toEqual([]);
  expect(report.skipped.map((skipped) => skipped.kind)).toEqual([kind]);
  expect((await errorOf(read(line(payload), { strict: true }))).message).toMatch(
    new RegExp(`^trace:1 {2}"stress-4211 .*" is ${kind}; mend or remove the line, or read without --strict$`),
  );
});

test('raw fields of a failed allocation', async () => {
  const { events } = await read(
    line('mm_page_alloc: pfn=0xffffffffffffffff order=9 gfp_flags=0x140cca migratetype=1'),
  );
  expect(events).toMatchObject([{ op: 'alloc', pfn: undefined, flags: EventFlag.failed, gfp: 0x140cca }]);
});

test('a page pointer of any width leaves the pfn where it is', async () => {
  const { events } = await read(line('mm_page_free: page=0x15c400 pfn=0x7 order=2'));
  expect(events).toMatchObject([{ pfn: 7, order: 2 }]);
});

test('strict ends at the first line that is not understood, after the events before it', async () => {
  const reader = new TextReader(
    await inputOf(`${line(`mm_page_free: ${PAGE} order=0`)}\u001b[31mhello\n${line('kfree: x=1')}`, 'trace'),
    { strict: true },
  );
  let events = 0;
  const error = await errorOf(
    (async () => {
      for await (const batch of reader.batches()) events += batch.length;
    })(),
  );
  expect(error.message).toBe(
    'trace:2  "\\x1b[31mhello" is not a trace line; mend or remove the line, or read without --strict',
  );
  expect(events).toBe(1);
});

test('a last line that is cut is told from one that lacks nothing but its end', async () => {
  const whole = line(`mm_page_free: ${PAGE} order=0`);
  const cut = await read(whole + whole.slice(0, -12));
  expect(cut.report.skipped).toMatchObject([{ kind: 'cut last line', lines: 1, example_line: 2 }]);
  const complete = await read(whole + whole.slice(0, -1));
  expect(complete.events).toHaveLength(2);
  expect(complete.report.skipped).toEqual([]);
});

test('latency format', async () => {
  const { events, report } = await read(
    '# nop latency trace v1.1.5 on 6.18.44\n# latency: 0 us, #3/7, CPU#0 | (M:desktop VP:0, KP:0, SP:0 HP:0 #P:4)\n' +
      '   <...>-25088     0..s.. 707871985us : mm_page_free: page=1 pfn=0x10 order=0\n' +
      '    bash-4211     12dNh1. 707871987us+: mm_page_free: page=1 pfn=0x11 order=0\n' +
      '   <...>-25088     0..... 707871999us!: kfree: call_site=x+0x1/0x2 ptr=0000000000000001\n',
  );
  expect(events.map((event) => [event.ts, event.cpu, event.ctx, event.pid])).toEqual([
    [707_871_985_000, 0, 'softirq', 25_088],
    [707_871_987_000, 12, 'hardirq', 4211],
    [707_871_999_000, 0, 'task', 25_088],
  ]);
  expect(report).toMatchObject({
    dialect: 'latency',
    entries_in_buffer: 3,
    entries_written: 7,
    header_cpus: 4,
  });
  expect(report.notes).toEqual([
    'latency format: times are whole microseconds, counted from the start that the tracer chose',
    '4 events were overwritten before the trace was read',
  ]);
  expect(report.kernel_signs).toMatchObject({ generation: '6.18', sure: true });
});

test('trace-cmd report: with and without flags, of an instance, in latency form, with losses', async () => {
  const page = 'mm_page_free:         page=0x10 pfn=0x10 order=0';
  const { events, report } = await read(
    'version = 6\nCPU 1 is empty\ncpus=2\n' +
      `          stress-4211  [000]   812.104236: ${page}\n` +
      `          stress-4211  [001] ..s..   812.104236123: ${page}\n` +
      `  stress-4211    2d.h2.   812.104237: ${page}\n` +
      `    mine:           stress-4211  [003]   812.104238: ${page}\n` +
      'CPU:2 [1234 EVENTS DROPPED]\nCPU:3 [EVENTS DROPPED]\n' +
      '          stress-4211  [000]   812.104240: print:                tracing_mark_write: hello\n' +
      '          stress-4211  [000]   812.104240: kernel_stack:         <stack trace >\n=> do_syscall_64 (1234)\n',
  );
  expect(events.map((event) => [event.op, event.cpu, event.ctx, event.ts - 812e9, event.arg])).toEqual([
    ['free', 0, 'task', 104_236_000, ''],
    ['free', 1, 'softirq', 104_236_123, ''],
    ['free', 2, 'hardirq', 104_237_000, ''],
    ['free', 3, 'task', 104_238_000, ''],
    ['obs_lost', 2, 'task', 104_238_000, 'lost=1234'],
    ['obs_lost', 3, 'task', 104_238_000, ''],
    ['mark', 0, 'task', 104_240_000, 'hello'],
  ]);
  expect(report).toMatchObject({ dialect: 'trace-cmd', skipped: [], has_flags: true });
  expect(report.other_lines).toEqual([{ kind: 'call chain', lines: 1 }]);
});

test('perf script: columns that may be there, call chains, lost records', async () => {
  const event = 'kmem:mm_page_free: page=0x10 pfn=0x10 order=0';
  const { events, report } = await read(
    `            bash  4212 [002]   812.105007:          ${event}\n` +
      `     Web Content  4212/4213  [002]   812.105008123:          ${event}\n` +
      '\tffffffff81636237 kmem_cache_alloc_noprof+0x227 ([kernel.kallsyms])\n\t    7fca036f2ad7 [unknown] ([unknown])\n\n' +
      `    bash  4212   3   812.105009:          ${event}\n` +
      `ls 4214 [001] K     812.105010:          1   ${event}\n` +
      `             :-1    -1 [001]   812.105011:          ${event}\n` +
      '            perf 16764 [000]   812.105012: PERF_RECORD_LOST lost 1033\n' +
      '         swapper     0 [000]     0.000000: PERF_RECORD_FORK(1:1):(0:0)\n' +
      '            bash  4212 [002]   812.105013:          1 cycles:  ffffffff81636237 x\n' +
      `            bash  4212 [002]   812.105014: probe:mm_page_free: page=0x10 pfn=0x10 order=0\n`,
  );
  expect(events.map((row) => [row.op, row.cpu, row.pid, row.ts - 812e9])).toEqual([
    ['free', 2, 4212, 105_007_000],
    ['free', 2, 4213, 105_008_123],
    ['free', 3, 4212, 105_009_000],
    ['free', 1, 4214, 105_010_000],
    ['free', 1, undefined, 105_011_000],
    ['obs_lost', 0, undefined, 105_011_000],
  ]);
  expect(report.by_kind.map((kind) => [kind.name, kind.events, kind.used])).toEqual([
    ['mm_page_free', 5, true],
    ['cycles', 1, false],
    ['probe:mm_page_free', 1, false],
  ]);
  expect(report).toMatchObject({
    dialect: 'perf',
    skipped: [],
    other_lines: [
      { kind: 'call chain', lines: 2 },
      { kind: 'perf record', lines: 1 },
    ],
    lost: [{ cpu: 0, events: 1033, gaps: 1 }],
    notes: ['perf script tells no context: every event is taken for task context'],
  });
});

test('names that are no UTF-8, NUL and very long ones do no harm', async () => {
  const long = 'x'.repeat(100_000);
  const { events, report } = await read(
    Buffer.from(
      line('kmem_cache_free: call_site=\xff\xfe+0x1/0x2 ptr=0x1 name=\xc3') +
        line('kmem_cache_free: call_site=a\0b ptr=0x2 name=__proto__') +
        line(`kmem_cache_free: call_site=${long} ptr=0x3 name=${long}`) +
        line(`kmem_cache_free: call_site=${long} ptr=0x${'0'.repeat(100)}1 name=x`),
      'latin1',
    ),
  );
  expect(events.map((event) => [event.site, event.cache])).toEqual([
    ['\ufffd\ufffd+0x1', '\ufffd'],
    ['a\0b', '__proto__'],
    [long, long],
  ]);
  expect(report.skipped).toMatchObject([{ kind: 'kmem_cache_free without a readable ptr', lines: 1 }]);
});

test('a batch that is used again holds nothing of its former rows', async () => {
  const slab = line(`kmem_cache_alloc: ${SLAB} name=c ${SIZES.replace('-1', '3')} accounted=true`);
  const page = line('mm_page_alloc: page=1 pfn=0x10 order=0 migratetype=0 gfp_flags=GFP_KERNEL');
  const { events } = await read(slab.repeat(16) + page.repeat(32) + slab.repeat(3), { batchEvents: 8 });
  expect(events.slice(16, 48).map(({ id, node, cache, site }) => [id, node, cache, site])).toEqual(
    Array(32).fill([undefined, -1, '', '']),
  );
  expect(events.slice(48)).toMatchObject(Array(3).fill({ id: '0xa1b2c3d4', node: 3, cache: 'c' }));
});

test('rows keep their ids where a joined free is taken out before them', async () => {
  const free = (pfn: number) => `page=1 pfn=0x${pfn.toString(16)} order=1`;
  const text = Array.from(
    { length: 100 },
    (_, i) =>
      line(`mm_page_free: ${free(i)}`) +
      line(`kfree: call_site=f${i}+0x1/0x2 ptr=0x${(i + 1).toString(16)}`) +
      (i % 3 === 0 ? line(`mm_page_free_batched: ${free(i)}`) : ''),
  ).join('');
  for (const batchEvents of [4, 16, 1024]) {
    const { events } = await read(text, { batchEvents });
    const frees = events.filter((event) => event.op === 'kfree');
    expect(frees.map((event) => [event.id, event.site])).toEqual(
      Array.from({ length: 100 }, (_, i) => [`0x${(i + 1).toString(16)}`, `f${i}+0x1`]),
    );
  }
});

test('a real trace of 6.1: reclaim, a fallback, a failure', async () => {
  const reader = new TextReader(await openInput(dataPath('tracefs-6.1-mem.txt')), { kernel: '6.1' });
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
  const reader = new TextReader(await inputOf(packed.subarray(0, packed.length >> 1), 'trace.gz'));
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
