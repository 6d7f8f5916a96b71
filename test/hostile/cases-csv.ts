/** Trace CSV that is wrong, or made to be. */
import { type BadInput, repeated } from './bad-input.js';

const ESCAPE = '\u001b[31mred\u001b[0m';

export const CSV_CASES: readonly BadInput[] = [
  {
    name: 'an empty file',
    command: 'run x.csv',
    files: { 'x.csv': '' },
    code: 3,
    stderr: 'x.csv  is empty; check how it was made',
  },
  {
    name: 'line ends only',
    command: 'run x.csv',
    files: { 'x.csv': '\n\r\n\n' },
    code: 3,
    stderr:
      'x.csv  is no trace; give a recording directory, the text of tracefs, trace-cmd report or perf script, a trace CSV, or an Arrow file',
  },
  {
    name: 'a byte order mark only',
    command: 'run x.csv',
    files: { 'x.csv': '\ufeff' },
    code: 3,
    stderr:
      'x.csv  is no trace; give a recording directory, the text of tracefs, trace-cmd report or perf script, a trace CSV, or an Arrow file',
  },
  {
    name: 'comments only',
    command: 'run x.csv',
    files: { 'x.csv': '# op,id\n# alloc,a\n' },
    code: 3,
    stderr:
      'x.csv  is no trace; give a recording directory, the text of tracefs, trace-cmd report or perf script, a trace CSV, or an Arrow file',
  },
  {
    name: 'no column op',
    command: 'run x.csv',
    files: { 'x.csv': 'id,order\na,1\n' },
    code: 3,
    stderr: 'x.csv:1  header has no column op; the first row names the columns, op is required',
  },
  {
    name: 'a column twice',
    command: 'run x.csv',
    files: { 'x.csv': 'op,id,op\nalloc,a,free\n' },
    code: 3,
    stderr: 'x.csv:1:7  header "op" stands twice in the header; remove one of the columns',
  },
  {
    name: 'a column named __proto__',
    command: 'run x.csv',
    files: { 'x.csv': 'op,__proto__\nalloc,a\n' },
    code: 3,
    stderr:
      'x.csv:1:4  header "__proto__" is not a column of a trace; columns are ts, cpu, ctx, op, id, order, gfp, node, pfn, memcg, site, cache, size, depth, at, arg',
  },
  {
    name: 'a column named constructor',
    command: 'info x.csv',
    files: { 'x.csv': 'op,constructor\nalloc,a\n' },
    code: 3,
    stderr:
      'x.csv:1:4  header "constructor" is not a column of a trace; columns are ts, cpu, ctx, op, id, order, gfp, node, pfn, memcg, site, cache, size, depth, at, arg',
  },
  {
    name: 'an escape sequence as a column',
    command: 'run x.csv',
    files: { 'x.csv': `op,${ESCAPE}\nalloc,a\n` },
    code: 3,
    stderr:
      'x.csv:1:4  header "\\x1b[31mred\\x1b[0m" is not a column of a trace; columns are ts, cpu, ctx, op, id, order, gfp, node, pfn, memcg, site, cache, size, depth, at, arg',
  },
  {
    name: 'an op of another world',
    command: 'run x.csv',
    files: { 'x.csv': 'op,id\ntoString,a\n' },
    code: 3,
    stderr:
      'x.csv:2:1  op "toString" is not an op; give alloc, free, contig_alloc, mark or another op of the trace CSV',
  },
  {
    name: 'an escape sequence as op',
    command: 'run x.csv',
    files: { 'x.csv': `op,id\n${ESCAPE},a\n` },
    code: 3,
    stderr:
      'x.csv:2:1  op "\\x1b[31mred\\x1b[0m" is not an op; give alloc, free, contig_alloc, mark or another op of the trace CSV',
  },
  {
    name: 'an escape sequence in an id',
    command: 'run x.csv',
    files: { 'x.csv': `op,id\nalloc,${ESCAPE}\n` },
    code: 3,
    stderr:
      'x.csv:2:7  id "\\x1b[31mred\\x1b[0m" holds a control character or bytes that are not UTF-8; remove it',
  },
  {
    name: 'a window title in a call site',
    command: 'info x.csv',
    files: { 'x.csv': 'op,id,site\nalloc,a,\u001b]0;owned\u0007\n' },
    code: 3,
    stderr:
      'x.csv:2:9  site "\\x1b]0;owned\\x07" holds a control character or bytes that are not UTF-8; remove it',
  },
  {
    name: 'a mark that turns text around',
    command: 'info x.csv',
    files: { 'x.csv': 'op,id,order\nalloc,a\u202eb,99\n' },
    code: 3,
    stderr: 'x.csv:2:11  order "99" is not a page order; give 0 to 10',
  },
  {
    name: 'NUL in an id',
    command: 'run x.csv',
    files: { 'x.csv': 'op,id\nalloc,a\0b\n' },
    code: 3,
    stderr: 'x.csv:2:7  id "a\\x00b" holds a control character or bytes that are not UTF-8; remove it',
  },
  {
    name: 'bytes that are not UTF-8',
    command: 'run x.csv',
    files: { 'x.csv': Buffer.from('op,id\nalloc,\xff\xfe\n', 'latin1') },
    code: 3,
    stderr: 'x.csv:2:7  id "��" holds a control character or bytes that are not UTF-8; remove it',
  },
  {
    name: 'UTF-16',
    command: 'run x.csv',
    files: { 'x.csv': Buffer.from('\ufeffop,id\nalloc,a\n', 'utf16le') },
    code: 3,
    stderr:
      'x.csv  is no trace; give a recording directory, the text of tracefs, trace-cmd report or perf script, a trace CSV, or an Arrow file',
  },
  {
    name: 'lines that end in CR alone',
    command: 'run x.csv',
    files: { 'x.csv': 'op,id\ralloc,a\rfree,a\r' },
    code: 3,
    stderr: 'x.csv:1  has lines that end in CR alone; convert them, with tr "\\r" "\\n" for example',
  },
  {
    name: 'CRLF and LF mixed',
    command: 'import x.csv -o y.csv',
    files: { 'x.csv': 'op,id\r\nalloc,a\nfree,a\r\n' },
    code: 0,
    stderr: 'x.csv -> y.csv   2 events   21 B   Linux 6.18 (assumed)',
  },
  {
    name: 'an order above 10',
    command: 'run x.csv',
    files: { 'x.csv': 'op,id,order\nalloc,a,11\n' },
    code: 3,
    stderr: 'x.csv:2:9  order "11" is not a page order; give 0 to 10',
  },
  {
    name: 'an order below 0',
    command: 'run x.csv',
    files: { 'x.csv': 'op,id,order\nalloc,a,-1\n' },
    code: 3,
    stderr: 'x.csv:2:9  order "-1" is not a page order; give 0 to 10',
  },
  {
    name: 'a depth beyond all contexts',
    command: 'run x.csv',
    files: { 'x.csv': 'op,id,depth\nalloc,a,4\n' },
    code: 3,
    stderr: 'x.csv:2:9  depth "4" is not a nesting depth; give 0 to 3',
  },
  {
    name: 'a task that interrupts an NMI',
    command: 'run x.csv',
    files: { 'x.csv': 'op,id,ctx,depth\nalloc_nolock,a,nmi,\nalloc,b,,1\n' },
    code: 3,
    stderr:
      'x.csv:3:9  ctx "task" cannot interrupt nmi, the context of the row that it nests in (depth 0); give nmi or a context above it, or depth 0',
  },
  {
    name: 'a CPU beyond all machines',
    command: 'run x.csv',
    files: { 'x.csv': 'op,id,cpu\nalloc,a,4294967295\n' },
    code: 3,
    stderr: 'x.csv:2:9  cpu "4294967295" is not a CPU number; give 0 to 8191',
  },
  {
    name: 'a node beyond all machines',
    command: 'run x.csv',
    files: { 'x.csv': 'op,id,node\nalloc,a,99999\n' },
    code: 3,
    stderr: 'x.csv:2:9  node "99999" is not a node; give 0 to 1023, or -1 for the local one',
  },
  {
    name: 'a PFN beyond 32 bits',
    command: 'run x.csv',
    files: { 'x.csv': 'op,pfn\nalloc,4294967296\n' },
    code: 3,
    stderr:
      'x.csv:2:7  pfn "4294967296" is not a page frame number; give hex (0x…) or decimal up to 0xfffffffe',
  },
  {
    name: 'a time beyond 2^53',
    command: 'run x.csv',
    files: { 'x.csv': 'ts,op,id\n9007199254740993,alloc,a\n' },
    code: 3,
    stderr: 'x.csv:2:1  ts "9007199254740993" is not a time; give whole nanoseconds',
  },
  {
    name: 'a time of 10^20',
    command: 'run x.csv',
    files: { 'x.csv': 'ts,op,id\n100000000000000000000,alloc,a\n' },
    code: 3,
    stderr: 'x.csv:2:1  ts "100000000000000000000" is not a time; give whole nanoseconds',
  },
  {
    name: 'a time that is 1e309',
    command: 'run x.csv',
    files: { 'x.csv': 'ts,op,id\n1e309,alloc,a\n' },
    code: 3,
    stderr: 'x.csv:2:1  ts "1e309" is not a time; give whole nanoseconds',
  },
  {
    name: 'times at the ends of all numbers',
    command: 'run x.csv',
    files: { 'x.csv': 'ts,op,id\n0,alloc,a\n9007199254740991,free,a\n' },
    code: 0,
    stdout: /2 events/,
    stderr: '',
  },
  {
    name: 'an end of time and rows behind it',
    command: 'run x.csv',
    files: { 'x.csv': 'ts,op,id\n9007199254740991,alloc,a\n,free,a\n' },
    code: 0,
    stdout: /2 events/,
    stderr: '',
  },
  {
    name: 'a size of a kmalloc beyond 32 bits',
    command: 'run x.csv',
    files: { 'x.csv': 'op,id,size\nkmalloc,a,4294967296\n' },
    code: 3,
    stderr: 'x.csv:2:11  size "4294967296" is not a number of bytes; give 0 to 4294967295',
  },
  {
    name: 'a time before the one above',
    command: 'run x.csv',
    files: { 'x.csv': 'ts,op,id\n10,alloc,a\n5,alloc,b\n' },
    code: 3,
    stderr: 'x.csv:3:1  ts "5" is before the row above (10); sort the rows by ts',
  },
  {
    name: 'a row too short',
    command: 'run x.csv',
    files: { 'x.csv': 'op,id,order\nalloc,a\nfree,a,\n' },
    code: 3,
    stderr: 'x.csv:2  has 2 cells, the header has 3; give every column, empty for its default',
  },
  {
    name: 'a row too long',
    command: 'run x.csv',
    files: { 'x.csv': 'op,id\nalloc,a,b\n' },
    code: 3,
    stderr: 'x.csv:2  has 3 cells, the header has 2; quote cells that hold a comma',
  },
  {
    name: 'a quote inside a cell',
    command: 'run x.csv',
    files: { 'x.csv': 'op,id\nalloc,a"b\n' },
    code: 3,
    stderr: 'x.csv:2  has a quote inside an unquoted field; quote the whole field',
  },
  {
    name: 'text behind a closing quote',
    command: 'run x.csv',
    files: { 'x.csv': 'op,id\nalloc,"a"b\n' },
    code: 3,
    stderr: 'x.csv:2  has text behind a closing quote; double the quotes inside a quoted field',
  },
  {
    name: 'a quote that never closes',
    command: 'run x.csv',
    files: { 'x.csv': `op,id\nalloc,"a\n${'free,a\n'.repeat(100)}` },
    code: 3,
    stderr: 'x.csv:2  has a quoted field that never ends; close the quote',
  },
  {
    name: 'a quote that never closes, in 300 MB',
    command: 'run x.csv',
    files: { 'x.csv': repeated('free,a\n', 45_000_000, 'op,id\nalloc,"a\n') },
    code: 3,
    stderr:
      'x.csv:2  has a row longer than 131,072 bytes; is a quote not closed? if the row is right, raise --max-record',
  },
  {
    name: 'a line of 100 MB',
    command: 'run x.csv',
    files: { 'x.csv': repeated('a', 100_000_000, 'op,id\nalloc,') },
    code: 3,
    stderr:
      'x.csv:2  has a row longer than 131,072 bytes; is a quote not closed? if the row is right, raise --max-record',
  },
  {
    name: 'a header of 100 MB',
    command: 'run x.csv',
    files: { 'x.csv': repeated('op,', 33_000_000, 'op,') },
    code: 3,
    stderr:
      'x.csv:1  has a row longer than 131,072 bytes; is a quote not closed? if the row is right, raise --max-record',
  },
  {
    name: 'a row of 100,000 commas',
    command: 'run x.csv',
    files: { 'x.csv': `op,id\nalloc,a${','.repeat(100_000)}\n` },
    code: 3,
    stderr: 'x.csv:2  has 100002 cells, the header has 2; quote cells that hold a comma',
  },
  {
    name: 'an id of 5,000 characters',
    command: 'run x.csv',
    files: { 'x.csv': `op,id\nalloc,${'a'.repeat(5000)}\n` },
    code: 3,
    stderr:
      'x.csv:2:7  id "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa…" is longer than 4096 characters; remove it',
  },
  {
    name: 'a lower limit on rows',
    command: 'run x.csv --max-record 20',
    files: { 'x.csv': 'op,id\nalloc,a\nalloc,aaaaaaaaaaaaaaaaaaaa\n' },
    code: 3,
    stderr:
      'x.csv:3  has a row longer than 20 bytes; is a quote not closed? if the row is right, raise --max-record',
  },
  {
    name: 'more ids than allowed',
    command: 'run x.csv --max-strings 2',
    files: { 'x.csv': 'op,id\nalloc,a\nalloc,b\nalloc,c\n' },
    code: 3,
    stderr: 'x.csv  has more than 2 different ids; raise --max-strings if that is right',
  },
  {
    name: 'more bytes of ids than allowed',
    command: 'run x.csv --max-string-bytes 4',
    files: { 'x.csv': 'op,id\nalloc,aaa\nalloc,bbb\n' },
    code: 3,
    stderr: 'x.csv  has more than 4 bytes of different ids; raise --max-string-bytes if that is right',
  },
  {
    name: 'three invalid rows',
    command: 'run x.csv',
    files: { 'x.csv': 'op,id,order\nalloc,a,11\nalloc,b,0\nalloc,c,x\nfre,b,\n' },
    code: 3,
    stderr:
      'x.csv:2:9  order "11" is not a page order; give 0 to 10\nx.csv:4:9  order "x" is not a page order; give 0 to 10\nx.csv:5:1  op "fre" is not an op; did you mean free?',
  },
  {
    name: 'more invalid rows than are told',
    command: 'run x.csv --max-errors 2',
    files: { 'x.csv': `op,id,order\n${'alloc,a,11\n'.repeat(1000)}` },
    code: 3,
    stderr:
      'x.csv:2:9  order "11" is not a page order; give 0 to 10\nx.csv:3:9  order "11" is not a page order; give 0 to 10\nthere may be more: reading stopped after 2 (--max-errors)',
  },
  {
    name: 'a hundred thousand invalid rows, left out',
    command: 'info x.csv --skip-invalid',
    files: { 'x.csv': repeated('alloc,a,11\n', 100_000, 'op,id,order\nalloc,b,0\n') },
    code: 0,
    stdout: /1 event /,
    stderr: '',
  },
  {
    name: 'the last row without its end',
    command: 'run x.csv',
    files: { 'x.csv': 'op,id,order\nalloc,a,0\nalloc,b' },
    code: 3,
    stdout: /1 event /,
    stderr:
      'x.csv:3  ends in the middle of a row; all rows before it were read; the result is of what was read',
  },
  {
    name: 'the last row without its end, strictly',
    command: 'run x.csv --strict',
    files: { 'x.csv': 'op,id,order\nalloc,a,0\nalloc,b' },
    code: 3,
    stderr: 'x.csv:3  ends in the middle of a row; all rows before it were read',
  },
  {
    name: 'an id freed twice',
    command: 'run x.csv',
    files: { 'x.csv': 'op,id\nalloc,a\nfree,a\nfree,a\n' },
    code: 3,
    stderr:
      'x.csv:4:6  id "a" is freed twice, first in line 3; allocate it again before, or remove this free',
  },
  {
    name: 'ids named like properties of objects',
    command: 'import x.csv -o -',
    files: {
      'x.csv':
        'op,id,cache,site\nalloc,__proto__,constructor,toString\nfree,__proto__,hasOwnProperty,valueOf\n',
    },
    code: 0,
    stderr: 'x.csv -> -   2 events   92 B   Linux 6.18 (assumed)',
    stdout: /^op,id,cache,site\nalloc,__proto__/,
  },
  {
    name: 'formulas',
    command: 'import x.csv -o -',
    files: { 'x.csv': 'op,id,site\nalloc,=1+1,@SUM(A1)\nfree,=1+1,"=HYPERLINK(""http://x"")"\n' },
    code: 0,
    stderr: 'x.csv -> -   2 events   72 B   Linux 6.18 (assumed)',
    stdout: /^op,id,site\n.*'=1\+1,'@SUM\(A1\)\n.*'=1\+1,"'=HYPERLINK/,
  },
];
