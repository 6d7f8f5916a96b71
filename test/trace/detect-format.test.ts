import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { detectFormat } from '../../src/trace/detect-format.js';
import { dataPath } from './helpers.js';

const PAGE = 'mm_page_free: page=0 pfn=0x1 order=0';

test.each([
  ['ts,cpu,op\n', 'csv', undefined],
  ['\ufeffop,id\r\nalloc,a\r\n', 'csv', undefined],
  ['# a comment\n\n"op","id"\n', 'csv', undefined],
  ['op\ntick\n', 'csv', undefined],
  ['\r\nop,id\r\n', 'csv', undefined],
  ['{"t":"run","mix":"x"}\n', 'oracle', undefined],
  ['\ufeff{"t":"state","when":"before"}\n', 'oracle', undefined],
  ['# tracer: nop\n#\n', 'text', 'tracefs'],
  ['\ufeff# tracer: nop\r\n#\r\n', 'text', 'tracefs'],
  ['CPU:1 [LOST 3 EVENTS]\n', 'text', 'tracefs'],
  [`          stress-4211    [002] d..2.   812.104233: ${PAGE}\n`, 'text', 'tracefs'],
  [`          stress-4211    [002] d..2    812.104233: ${PAGE}\n`, 'text', 'tracefs'],
  [`          stress-4211    [002]    812.104233: ${PAGE}\n`, 'text', 'tracefs'],
  [`          stress-4211    (   4211) [002] ..... 812.104233: ${PAGE}\n`, 'text', 'tracefs'],
  [`          stress-4211    [002] ..... 29767221506828: ${PAGE}\n`, 'text', 'tracefs'],
  ['# nop latency trace v1.1.5 on 6.18.44\n', 'text', 'latency'],
  ['# tracer: nop\n#\n# nop latency trace v1.1.5 on 6.18.44\n', 'text', 'latency'],
  [`   <...>-25088     0..... 707871985us : ${PAGE}\n`, 'text', 'latency'],
  [`cpus=4\n          stress-4211  [002]   812.104236: ${PAGE}\n`, 'text', 'trace-cmd'],
  [`version = 6\nCPU 1 is empty\n`, 'text', 'trace-cmd'],
  ['          stress-4211  [002]   812.104236: mm_page_free:         page=0\n', 'text', 'trace-cmd'],
  [
    '          stress-4211  [002] .....   812.1: kmem_cache_alloc_node: (f+0x1) call_site=f+0x1 ptr=1\n',
    'text',
    'trace-cmd',
  ],
  [`  stress-4211    2d..2.   812.104233: ${PAGE}\n`, 'text', 'trace-cmd'],
  [`  mine:           stress-4211  [002]   812.104236: mm_page_free:         page=0\n`, 'text', 'trace-cmd'],
  [`CPU:2 [1234 EVENTS DROPPED]\n`, 'text', 'trace-cmd'],
  [`          stress  4211 [002]   812.104236:             kmem:${PAGE}\n`, 'text', 'perf'],
  [`          stress  4211/4212  [002]   812.104236123:    kmem:${PAGE}\n`, 'text', 'perf'],
  [`  stress  4211   2   812.104236:    kmem:${PAGE}\n`, 'text', 'perf'],
  [`ls 16638 [001] 11469.326881:                 kmem:${PAGE}\n`, 'text', 'perf'],
  ['# ========\n# captured on    : Thu Jan  1 00:00:00 1970\n', 'text', 'perf'],
  ['\u0017\u0008\u0044tracing6\0', 'trace.dat', undefined],
  ['PERFILE2\0\0\0\0', 'perf.data', undefined],
  ['2ELIFREP\0\0\0\0', 'perf.data', undefined],
  ['ARROW1\0\0', 'arrow-file', undefined],
  ['Dear reader, this is a letter.\n', undefined, undefined],
  ['\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0', undefined, undefined],
  ['', undefined, undefined],
  ['\n\n\n', undefined, undefined],
])('%j is %s %s', (text, format, dialect) => {
  expect(detectFormat(Buffer.from(text))).toEqual(dialect === undefined ? { format } : { format, dialect });
});

test('Arrow streams, with and without the mark of later versions', () => {
  const message = (isMarked: boolean, length: number, root: number) => {
    const bytes = Buffer.alloc(64);
    let at = 0;
    if (isMarked) at = bytes.writeUInt32LE(0xffff_ffff, 0);
    at = bytes.writeInt32LE(length, at);
    bytes.writeUInt32LE(root, at);
    return bytes;
  };
  expect(detectFormat(message(true, 232, 16)).format).toBe('arrow-stream');
  expect(detectFormat(message(false, 232, 16)).format).toBe('arrow-stream');
  expect(detectFormat(message(true, -1, 16)).format).toBeUndefined();
  expect(detectFormat(message(true, 0, 16)).format).toBeUndefined();
  expect(detectFormat(message(true, 8, 4096)).format).toBeUndefined();
  expect(detectFormat(message(false, 0x2020_2020, 16)).format).toBeUndefined();
});

test.each([
  ['tracefs-6.1-mem.txt', 'tracefs'],
  ['tracefs-7.2-nmi.txt', 'tracefs'],
  ['tracefs-6.18-tgid.txt', 'tracefs'],
  ['tracefs-6.18-noirq.txt', 'tracefs'],
  ['tracefs-6.18-fields.txt', 'tracefs'],
  ['tracefs-6.18-pipe.txt', 'tracefs'],
  ['latency-6.18.txt', 'latency'],
  ['trace-cmd-6.1.txt', 'trace-cmd'],
  ['perf-6.18.txt', 'perf'],
  ['perf-6.18-short.txt', 'perf'],
  ['perf-6.18-chains.txt', 'perf'],
])('%s', (name, dialect) => {
  const text = readFileSync(dataPath(name));
  expect(detectFormat(text)).toEqual({ format: 'text', dialect });
  // Without its header, and with the line ends of another system.
  const bare = text
    .toString('latin1')
    .replace(/^(?:#.*\n|cpus=.*\n)+/, '')
    .replaceAll('\n', '\r\n');
  expect(detectFormat(Buffer.from(bare, 'latin1'))).toEqual({ format: 'text', dialect });
});

test('hostile beginnings cost no time', () => {
  for (const text of [
    ' '.repeat(65_536),
    '-1 '.repeat(20_000),
    ': '.repeat(30_000),
    'a-1 [000] '.repeat(6000),
    '\n'.repeat(65_536),
  ]) {
    expect(detectFormat(Buffer.from(text)).format).toBeUndefined();
  }
});
