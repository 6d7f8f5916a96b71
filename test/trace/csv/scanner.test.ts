/** Which rows the scanner takes, and where it stops. What it makes of them is compared in differential.test.ts. */
import { describe, expect, test } from 'vitest';
import { Column, type CsvColumn } from '../../../src/trace/csv/columns.js';
import { RowEvents } from '../../../src/trace/csv/row-events.js';
import { CsvScanner } from '../../../src/trace/csv/scanner.js';
import { wordChecks } from '../../../src/trace/csv/schema.js';
import { EventBatch } from '../../../src/trace/event-batch.js';
import { gfpDialect } from '../../../src/trace/gfp-text.js';
import { createTraceStrings } from '../../../src/trace/string-table.js';

const RECORD_BYTES = 200;

function scan(columns: readonly CsvColumn[], text: string, capacity = 64) {
  const strings = createTraceStrings();
  const dialect = gfpDialect('6.18');
  const events = new RowEvents(strings, dialect.parse('GFP_KERNEL').bits);
  const scanner = new CsvScanner(
    columns.map((name) => Column[name]),
    wordChecks(dialect),
    events,
    RECORD_BYTES,
  );
  const batch = new EventBatch(strings, capacity);
  const bytes = Uint8Array.from(Buffer.from(text));
  const at = scanner.scan(bytes, 0, bytes.length, batch);
  return { at, line: scanner.line, isRefused: scanner.isRefused, batch, strings };
}

const SEVEN: readonly CsvColumn[] = ['ts', 'cpu', 'ctx', 'op', 'id', 'order', 'gfp'];

describe('plain rows are taken', () => {
  test.each([
    [
      'every form of an id',
      SEVEN,
      '0,0,task,alloc,17,0,\n1,0,,alloc,a17,0,\n2,0,,alloc,0xffff888004bc8b70,0,\n',
    ],
    [
      'words old and new',
      SEVEN,
      '0,0,irq,alloc,a,0,GFP_KERNEL\n,,,alloc,b,,GFP_KERNEL\n,,,alloc,d,,GFP_KERNEL|__GFP_ZERO\n,,,alloc,c,,0x1\n',
    ],
    ['CRLF and LF, comments, empty lines', ['op', 'id'], 'alloc,a\r\n\r\n\n#x"\r,\nfree,a\n# \xff\n'],
    [
      'numbers as long as they may be',
      ['op', 'ts', 'size'],
      'mark,0000000000000001,4294967295\nmark,9007199254740991,\n',
    ],
    ['numbers of other forms', ['op', 'pfn', 'node'], 'mark,0xFFFFFFFE,-1\nmark,4294967294,1023\nmark,,\n'],
    [
      'texts with all that is printable',
      ['op', 'arg'],
      "mark,a\t b!#$%&'()*+-./:;<=>?@[]^_`{|}~\nmark,'=1\nmark,''\n",
    ],
    ['quotes around numbers', ['ts', 'op', 'pfn', 'node'], '"1","mark","0x7","-1"\n"","mark","",""\n'],
    ['quotes around texts and words', ['arg', 'op', 'site'], '"a,b","mark",""\n"","mark","\'=1"\r\n'],
    ['a lone column', ['op'], 'mark\nmark\r\n\nmark\n'],
  ] as const)('%s', (_, columns, text) => {
    const { at, isRefused, line } = scan(columns, text);
    expect({ at, isRefused, line }).toEqual({
      at: Buffer.byteLength(text),
      isRefused: false,
      line: text.split('\n').length,
    });
  });
});

describe('at anything else the scanner stops at the first byte of the row', () => {
  const good = '1,0,task,alloc,a,0,GFP_KERNEL\n';
  test.each([
    '1,0,task,alloc,"b""",0,\n',
    '"1,0,task,alloc,b,0,\n',
    '"1"0,task,alloc,b,0,\n',
    '"1 ",0,task,alloc,b,0,\n',
    '1,0,task,alloc,"b"c,0,\n',
    '1,0,task,alloc,b"c",0,\n',
    '1,0,task,alloc,"b,0,\n',
    '1,0,task,alloc,"b\nc",0,\n',
    '1,0,task,alloc,"ü",0,\n',
    '1,0,task,"",b,0,\n',
    '1,0,task,"alloc "b,0,\n',
    '1,0,task,alloc,b\r,0,\n',
    '1,0,task,alloc,b,0,\r\r\n',
    '\r1,0,task,alloc,b,0,\n',
    '1,0,task,alloc,b\0,0,\n',
    '1,0,task,alloc,b\u007f,0,\n',
    '1,0,task,alloc,ü,0,\n',
    '1,0,task,alloc,b,0\n',
    '1,0,task,alloc,b,0,,\n',
    ' 1,0,task,alloc,b,0,\n',
    '1,0,task,alloc,b,0 ,\n',
    '1,0,task,alloc,b,11,\n',
    '1,8192,task,alloc,b,0,\n',
    '9007199254740992,0,task,alloc,b,0,\n',
    '00000000000000001,0,task,alloc,b,0,\n',
    '0,0,task,alloc,b,0,\n',
    '1,0,tasks,alloc,b,0,\n',
    '1,0,task,,b,0,\n',
    '1,0,task,alloc,,0,\n',
    '1,0,task,alloc,b,0,GFP_KERNEL|\n',
    '1,0,task,alloc,b,0,GFP_KERNELL\n',
    '1,0,task,alloc,b,0,GFP_KERNE\n',
    `1,0,task,alloc,${'b'.repeat(RECORD_BYTES)},0,\n`,
    `#${'b'.repeat(RECORD_BYTES)}\n`,
  ])('%j', (row) => {
    const { at, isRefused, line, batch, strings } = scan(SEVEN, good + row + good);
    expect({ at, isRefused, line }).toEqual({ at: good.length, isRefused: true, line: 2 });
    expect(batch.length).toBe(1);
    expect(strings.ids.size).toBe(2);
  });

  test.each(['-2', '1024', '--1', '-1x', '0x1'])('node %s', (node) => {
    expect(scan(['op', 'node'], `mark,${node}\n`).isRefused).toBe(true);
  });

  test.each(['0x', '0xffffffff', '0x123456789', '0x000000001', '4294967295', '0xg', 'f', '0x1x'])(
    'pfn %s',
    (pfn) => {
      expect(scan(['op', 'pfn'], `mark,${pfn}\n`).isRefused).toBe(true);
    },
  );
});

test('a full batch ends the scan in front of the next row', () => {
  const { at, isRefused, line, batch } = scan(['op'], 'mark\n\nmark\n#\nmark\n', 2);
  expect({ at, isRefused, line }).toEqual({ at: 13, isRefused: false, line: 5 });
  expect(batch.length).toBe(2);
});

test('a row may have as many bytes as allowed', () => {
  const row = `mark,${'a'.repeat(RECORD_BYTES - 5)}`;
  expect(scan(['op', 'arg'], `${row}\r\n`).isRefused).toBe(false);
  expect(scan(['op', 'arg'], `${row}a\n`).isRefused).toBe(true);
});

test('more words than are remembered are understood all the same', () => {
  const words = Array.from({ length: 1000 }, (_, i) => `0x${(i * 8 + 7).toString(16)}`);
  const text = [...words, ...words].map((word, i) => `alloc,${i},${word}\n`).join('');
  const { batch, isRefused } = scan(['op', 'id', 'gfp'], text, 2000);
  expect(isRefused).toBe(false);
  expect([...batch.gfp]).toEqual([...words, ...words].map(Number));
});
