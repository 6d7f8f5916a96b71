/** Trace text that is wrong, or made to be. What a text holds beside its events is counted, so most of it is read. */
import { type BadInput, repeated } from './bad-input.js';

const HEADER = '# tracer: nop\n#\n';
const HEAD = '            bash-101     [000] ...1.   100.000001: ';
const ALLOC = `${HEAD}mm_page_alloc: page=0x1 pfn=0x100 order=0 migratetype=1 gfp_flags=GFP_HIGHUSER_MOVABLE\n`;

function line(payload: string): string {
  return `${HEADER}${ALLOC}${HEAD}${payload}\n`;
}

export const TEXT_CASES: readonly BadInput[] = [
  {
    name: 'a header only',
    command: 'run x.txt',
    files: { 'x.txt': HEADER },
    code: 3,
    stderr:
      'x.txt  holds no trace event in 2 lines; give the text of the tracefs file `trace`, of trace-cmd report or of perf script',
  },
  {
    name: 'words',
    command: 'run x.txt',
    files: { 'x.txt': 'hello world\nthis is no trace\n' },
    code: 3,
    stderr:
      'x.txt  is no trace; give a recording directory, the text of tracefs, trace-cmd report or perf script, a trace CSV, or an Arrow file',
  },
  {
    name: 'a web page',
    command: 'run x.txt',
    files: { 'x.txt': '<!DOCTYPE html>\n<html><body>404</body></html>\n' },
    code: 3,
    stderr:
      'x.txt  is no trace; give a recording directory, the text of tracefs, trace-cmd report or perf script, a trace CSV, or an Arrow file',
  },
  {
    name: 'an escape sequence instead of a trace',
    command: 'run x.txt',
    files: { 'x.txt': '\u001b]0;owned\u0007\u001b[2J\n' },
    code: 3,
    stderr:
      'x.txt  is no trace; give a recording directory, the text of tracefs, trace-cmd report or perf script, a trace CSV, or an Arrow file',
  },
  {
    name: 'zeros',
    command: 'run x.txt',
    files: { 'x.txt': Buffer.alloc(100_000) },
    code: 3,
    stderr:
      'x.txt  is no trace; give a recording directory, the text of tracefs, trace-cmd report or perf script, a trace CSV, or an Arrow file',
  },
  {
    name: 'a task name that redraws the screen',
    command: 'info x.txt --verbose',
    files: { 'x.txt': `${HEADER}${ALLOC}\u001b[2J\u001b[31mevil-1 [000\n` },
    code: 0,
    stderr: '',
    stdout: /\\x1b\[2J/,
  },
  {
    name: 'the same, strictly',
    command: 'info x.txt --strict',
    files: { 'x.txt': `${HEADER}${ALLOC}\u001b[2J\u001b[31mevil-1 [000\n` },
    code: 3,
    stderr:
      'x.txt:4  "\\x1b[2J\\x1b[31mevil-1 [000" is not a trace line; mend or remove the line, or read without --strict',
  },
  {
    name: 'an event name that redraws the screen',
    command: 'info x.txt --verbose',
    files: { 'x.txt': line('mm_\u001b[2Jpage_alloc: page=0x1') },
    code: 0,
    stderr: '',
    stdout: /not understood/,
  },
  {
    name: 'a mark that redraws the screen',
    command: 'run x.txt --verbose',
    files: { 'x.txt': line('tracing_mark_write: \u001b[2Jhello\u202e') },
    code: 0,
    stderr: '',
    stdout: /./,
  },
  {
    name: 'marks in a CSV',
    command: 'import x.txt -o -',
    files: { 'x.txt': line('tracing_mark_write: =cmd\u001b[2J') },
    code: 0,
    stderr: 'x.txt -> -   2 events   184 B   Linux 6.18 (assumed)',
    stdout: /'=cmd/,
  },
  {
    name: 'a payload without its PFN',
    command: 'run x.txt --strict',
    files: { 'x.txt': line('mm_page_alloc: page=0x1 order=0') },
    code: 3,
    stderr:
      'x.txt:4  "bash-101     [000] ...1.   100.000001: mm_page_alloc: page=…" is mm_page_alloc without a readable pfn, gfp_flags; mend or remove the line, or read without --strict',
  },
  {
    name: 'a PFN beyond 32 bits',
    command: 'run x.txt --strict',
    files: {
      'x.txt': line('mm_page_alloc: page=0x1 pfn=0x1ffffffff order=0 migratetype=1 gfp_flags=GFP_KERNEL'),
    },
    code: 3,
    stderr:
      'x.txt:4  "bash-101     [000] ...1.   100.000001: mm_page_alloc: page=…" is mm_page_alloc without a readable pfn; mend or remove the line, or read without --strict',
  },
  {
    name: 'an order above 10',
    command: 'run x.txt --strict',
    files: { 'x.txt': line('mm_page_free: page=0x1 pfn=0x100 order=63') },
    code: 3,
    stderr:
      'x.txt:4  "bash-101     [000] ...1.   100.000001: mm_page_free: page=0…" is mm_page_free with an order above 10; mend or remove the line, or read without --strict',
  },
  {
    name: 'a gfp word that no kernel has',
    command: 'run x.txt',
    files: {
      'x.txt': line('mm_page_alloc: page=0x1 pfn=0x100 order=0 migratetype=1 gfp_flags=__proto__|GFP_KERNEL'),
    },
    code: 0,
    stderr: '',
    stdout: /__proto__/,
  },
  {
    name: 'a migratetype that no kernel has',
    command: 'run x.txt --strict',
    files: { 'x.txt': line('mm_page_alloc: page=0x1 pfn=0x100 order=0 migratetype=99 gfp_flags=GFP_KERNEL') },
    code: 3,
    stderr:
      'x.txt:4  "bash-101     [000] ...1.   100.000001: mm_page_alloc: page=…" is mm_page_alloc with a migratetype above 15; mend or remove the line, or read without --strict',
  },
  {
    name: 'a time that is too large',
    command: 'run x.txt --strict',
    files: { 'x.txt': `${HEADER}${ALLOC}${ALLOC.replace('100.000001', '99999999999999999999')}` },
    code: 3,
    stderr:
      'x.txt:4  "bash-101     [000] ...1.   99999999999999999999: mm_page_al…" is not a trace line; mend or remove the line, or read without --strict',
  },
  {
    name: 'times that run backwards',
    command: 'run x.txt',
    files: { 'x.txt': `${HEADER}${ALLOC}${ALLOC.replace('100.000001', '1.000000')}` },
    code: 0,
    stderr: '',
    stdout: /time was before/,
  },
  {
    name: 'a CPU beyond all machines',
    command: 'info x.txt --strict',
    files: { 'x.txt': `${HEADER}${ALLOC}${ALLOC.replace('[000]', '[99999]')}` },
    code: 3,
    stderr:
      'x.txt:4  "bash-101     [99999] ...1.   100.000001: mm_page_alloc: pag…" is not a trace line; mend or remove the line, or read without --strict',
  },
  {
    name: 'NUL bytes in a line',
    command: 'info x.txt --strict',
    files: { 'x.txt': `${HEADER}${ALLOC}a\0b\0c\n` },
    code: 3,
    stderr: 'x.txt:4  "a\\x00b\\x00c" is not a trace line; mend or remove the line, or read without --strict',
  },
  {
    name: 'bytes that are not UTF-8',
    command: 'info x.txt --strict',
    files: { 'x.txt': Buffer.concat([Buffer.from(HEADER + ALLOC), Buffer.from([0xff, 0xfe, 0xc3, 0x0a])]) },
    code: 3,
    stderr: 'x.txt:4  "���" is not a trace line; mend or remove the line, or read without --strict',
  },
  {
    name: 'a task name that is not UTF-8',
    command: 'info x.txt --strict',
    files: { 'x.txt': Buffer.from(`${HEADER}${ALLOC.replace('bash', 'b\xffsh')}`, 'latin1') },
    code: 0,
    stderr: '',
    stdout: /1 event/,
  },
  {
    name: 'a byte order mark',
    command: 'info x.txt --strict',
    files: { 'x.txt': `\ufeff${HEADER}${ALLOC}` },
    code: 0,
    stderr: '',
    stdout: /./,
  },
  {
    name: 'CRLF',
    command: 'info x.txt --strict',
    files: { 'x.txt': `${HEADER}${ALLOC}`.replaceAll('\n', '\r\n') },
    code: 0,
    stderr: '',
    stdout: /1 event/,
  },
  {
    name: 'a line of 100 MB',
    command: 'run x.txt',
    files: { 'x.txt': repeated('a', 100_000_000, HEADER + ALLOC) },
    code: 3,
    stderr: 'x.txt:4  is longer than 1048576 bytes; raise --max-line if this is a text file',
  },
  {
    name: 'a lower limit on lines',
    command: 'run x.txt --max-line 80',
    files: { 'x.txt': HEADER + ALLOC },
    code: 3,
    stderr: 'x.txt:3  is longer than 80 bytes; raise --max-line if this is a text file',
  },
  {
    name: 'a line cut at the end',
    command: 'info x.txt',
    files: { 'x.txt': `${HEADER}${ALLOC}${ALLOC.slice(0, 70)}` },
    code: 0,
    stderr: '',
    stdout: /1 line not understood/,
  },
  {
    name: 'a line cut at the end, strictly',
    command: 'info x.txt --strict',
    files: { 'x.txt': `${HEADER}${ALLOC}${ALLOC.slice(0, 70)}` },
    code: 3,
    stderr:
      'x.txt:4  "bash-101     [000] ...1.   100.000001: mm_page_alloc: page" is cut: mm_page_alloc without a readable pfn, order, gfp_flags; mend or remove the line, or read without --strict',
  },
  {
    name: 'a million lines that are none',
    command: 'info x.txt --verbose',
    files: { 'x.txt': repeated('nothing that a kernel prints\n', 1_000_000, HEADER + ALLOC) },
    code: 0,
    memory_mb: 200,
    stderr: '',
    stdout: /1,000,000 lines not understood/,
  },
  {
    name: 'a hundred thousand kinds of events',
    command: 'info x.txt',
    files: {
      'x.txt': HEADER + ALLOC + Array.from({ length: 100_000 }, (_, i) => `${HEAD}event_${i}: x\n`).join(''),
    },
    code: 0,
    stderr: '',
    stdout: /./,
  },
  {
    name: 'a million call sites',
    command: 'info x.txt --max-strings 1000',
    files: {
      'x.txt':
        HEADER +
        ALLOC +
        Array.from(
          { length: 2000 },
          (_, i) =>
            `${HEAD}kmalloc: call_site=f${i}+0x1/0x2 ptr=00000000abcd0000 bytes_req=8 bytes_alloc=8 gfp_flags=GFP_KERNEL node=-1 accounted=false\n`,
        ).join(''),
    },
    code: 3,
    stderr: 'x.txt  has more than 1,000 different call sites; raise --max-strings if that is right',
  },
  {
    name: 'losses of more events than there are numbers',
    command: 'info x.txt',
    files: {
      'x.txt': `${HEADER}${ALLOC}CPU:0 [LOST 999999999999999 EVENTS]\nCPU:0 [LOST 99999999999999999999 EVENTS]\n`,
    },
    code: 0,
    stderr: '',
    stdout: /./,
  },
  {
    name: 'binary data of trace-cmd',
    command: 'run x.dat',
    files: { 'x.dat': Buffer.concat([Buffer.from([0x17, 0x08, 0x44]), Buffer.from('tracing6\0')]) },
    code: 3,
    stderr: 'x.dat  is binary data of trace-cmd; give the text that `trace-cmd report` makes of it',
  },
  {
    name: 'binary data of perf',
    command: 'run perf.data',
    files: { 'perf.data': Buffer.concat([Buffer.from('PERFILE2'), Buffer.alloc(200)]) },
    code: 3,
    stderr: 'perf.data  is binary data of perf record; give the text that `perf script` makes of it',
  },
  {
    name: 'an object freed twice, as a kernel that lost events records it',
    command: 'import x.txt -o -',
    files: {
      'x.txt': `${HEADER}${[1, 2, 3].map((i) => `${HEAD}${i === 1 ? 'kmalloc: call_site=f+0x1/0x2 ptr=00000000abcd0000 bytes_req=8 bytes_alloc=8 gfp_flags=GFP_KERNEL node=-1 accounted=false' : 'kfree: call_site=f+0x1/0x2 ptr=00000000abcd0000'}\n`).join('')}`,
    },
    code: 0,
    stderr: 'x.txt -> -   3 events   250 B   Linux 6.18 (assumed)',
    stdout: /^[^\n]+\n[^\n]+kmalloc[^\n]+\n[^\n]+kfree[^\n]+\n[^\n]+kfree[^\n]+\n$/,
  },
];
