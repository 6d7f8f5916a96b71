/** Files that are none, cannot be read or written, or end elsewhere; and what options do with them. */
import { execFileSync } from 'node:child_process';
import { existsSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import type { BadInput } from './bad-input.js';

const OK = 'op,id\nalloc,a\nfree,a\n';
const HAS_ZERO = existsSync('/dev/zero');
const HAS_FULL = existsSync('/dev/full');
const HAS_FIFO = process.platform !== 'win32';

/** A pipe with a name whose only writer writes `text` and goes. */
function fifo(text: string): (path: string) => void {
  return (path) => {
    execFileSync('mkfifo', [path]);
    execFileSync('sh', ['-c', `(printf '${text}' > "${path}") > /dev/null 2>&1 &`]);
  };
}

export const FILE_CASES: readonly BadInput[] = [
  {
    name: 'a trace that is not there',
    command: 'run x.csv',
    code: 3,
    stderr: 'x.csv  does not exist; check the path',
  },
  {
    name: 'a name that redraws the screen',
    command: 'run \u001b[2Jx\u202e.csv',
    code: 3,
    stderr: '\\x1b[2Jx\\u202e.csv  does not exist; check the path',
  },
  {
    name: 'a name of 5,000 characters',
    command: `run ${'x'.repeat(5000)}`,
    code: 3,
    stderr: /^x{5000} {2}cannot be read \(ENAMETOOLONG\)$/,
  },
  {
    name: 'a path below a file',
    command: 'run ok.csv/x',
    files: { 'ok.csv': OK },
    code: 3,
    stderr: 'ok.csv/x  is below something that is no directory; check the path',
  },
  {
    name: 'a link to itself',
    command: 'run x.csv',
    files: { 'x.csv': (path) => symlinkSync('x.csv', path) },
    code: 3,
    stderr: 'x.csv  cannot be read (ELOOP)',
  },
  {
    name: 'a link to nothing',
    command: 'run x.csv',
    files: { 'x.csv': (path) => symlinkSync('nothing', path) },
    code: 3,
    stderr: 'x.csv  does not exist; check the path',
  },
  {
    name: 'a directory that is no recording',
    command: 'info x',
    files: { 'x/y': '' },
    code: 3,
    stderr:
      'x  is no recording: it has no file named trace, trace.txt, trace.gz or trace.xz; give the directory that the recorder wrote, or a trace file',
  },
  {
    name: 'endless zeros',
    command: 'run /dev/zero',
    skip: !HAS_ZERO,
    code: 3,
    stderr:
      '/dev/zero  is no trace; give a recording directory, the text of tracefs, trace-cmd report or perf script, a trace CSV, or an Arrow file',
  },
  {
    name: 'endless zeros as a run',
    command: 'verify /dev/zero',
    skip: !HAS_ZERO,
    code: 3,
    stderr:
      '/dev/zero  is neither a recording (a directory) nor a scripted run (.jsonl, .jsonl.xz); a trace file alone holds nothing to verify against; give the directory that it was recorded into',
  },
  {
    name: 'endless zeros as a machine',
    command: 'run ok.csv --machine /dev/zero',
    files: { 'ok.csv': OK },
    skip: !HAS_ZERO,
    code: 2,
    stderr: 'no such machine file: /dev/zero',
  },
  {
    name: 'endless zeros as a policy',
    command: 'run ok.csv --policy /dev/zero',
    files: { 'ok.csv': OK },
    skip: !HAS_ZERO,
    code: 2,
    stderr: 'no such policy file: /dev/zero',
  },
  {
    name: 'a terabyte of holes',
    command: 'info x.csv',
    files: {
      'x.csv': (path) => {
        writeFileSync(path, '');
        truncateSync(path, 2 ** 40);
      },
    },
    code: 3,
    stderr:
      'x.csv  is no trace; give a recording directory, the text of tracefs, trace-cmd report or perf script, a trace CSV, or an Arrow file',
  },
  {
    name: 'nothing',
    command: 'info /dev/null',
    skip: !existsSync('/dev/null'),
    code: 3,
    stderr: '/dev/null  is empty; check how it was made',
  },
  {
    name: 'nothing on standard input',
    command: 'info -',
    stdin: '',
    code: 3,
    stderr: '-  is empty; check how it was made',
  },
  { name: 'standard input closed', command: 'info -', code: 3, stderr: '-  is empty; check how it was made' },
  {
    name: 'standard input that is no trace',
    command: 'info -',
    stdin: '\u001b[2J\u0007 no trace\n',
    code: 3,
    stderr:
      '-  is no trace; give a recording directory, the text of tracefs, trace-cmd report or perf script, a trace CSV, or an Arrow file',
  },
  {
    name: 'standard input twice',
    command: 'info - -',
    stdin: OK,
    code: 2,
    stderr: '- stands twice among the inputs: standard input can be read once',
  },
  {
    name: 'a pipe whose writer has gone',
    command: 'info x',
    files: { x: fifo('op,id,order\\nalloc,a,0\\nallo') },
    skip: !HAS_FIFO,
    code: 3,
    stderr: 'x:3  ends in the middle of a row; all rows before it were read; the counts are of what was read',
    stdout: /1 event/,
  },
  {
    name: 'one input of two that is not there',
    command: 'info ok.csv x.csv',
    files: { 'ok.csv': OK },
    code: 3,
    stderr: 'x.csv  does not exist; check the path',
  },
  {
    name: 'one input of two that is cut',
    command: 'info ok.csv x.csv',
    files: { 'ok.csv': OK, 'x.csv': 'op,id,order\nalloc,b,0\nfree' },
    code: 3,
    stderr:
      'x.csv:3  ends in the middle of a row; all rows before it were read; the counts are of what was read',
    stdout: /3 events/,
  },
  {
    name: 'one input of two with a mistake',
    command: 'info ok.csv x.csv',
    files: { 'ok.csv': OK, 'x.csv': 'op,id\nalloc,b\nfre,b\n' },
    code: 3,
    stderr: 'x.csv:3:1  op "fre" is not an op; did you mean free?',
  },
  {
    name: 'output into a directory that is not there',
    command: 'import ok.csv -o nowhere/y.csv',
    files: { 'ok.csv': OK },
    code: 3,
    stderr: 'nowhere/y.csv  is in no directory that exists; create it',
  },
  {
    name: 'output that is a directory',
    command: 'import ok.csv -o y.csv',
    files: { 'ok.csv': OK, 'y.csv/x': '' },
    code: 3,
    stderr: 'y.csv  is a directory; give a file',
  },
  {
    name: 'output below a file',
    command: 'import ok.csv -o ok.csv/y.csv',
    files: { 'ok.csv': OK },
    code: 3,
    stderr: 'ok.csv/y.csv  is below something that is no directory; check the path',
  },
  {
    name: 'output onto a disk without room',
    command: 'import ok.csv -o /dev/full --format csv',
    files: { 'ok.csv': OK },
    skip: !HAS_FULL,
    code: 3,
    stderr: '/dev/full  has no room left on its disk; make room',
  },
  {
    name: 'Arrow onto a disk without room',
    command: 'import ok.csv -o /dev/full --format arrow',
    files: { 'ok.csv': OK },
    skip: !HAS_FULL,
    code: 3,
    stderr: '/dev/full  has no room left on its disk; make room',
  },
  {
    name: 'output of an unknown kind',
    command: 'import ok.csv -o y.parquet',
    files: { 'ok.csv': OK },
    code: 2,
    stderr:
      '-o y.parquet: expected a name ending in .csv, .arrow or .arrows (also .gz, .zst), or say --format',
  },
  {
    name: 'output over the input',
    command: 'import ok.csv -o ok.csv',
    files: { 'ok.csv': OK },
    code: 0,
    stderr: 'ok.csv -> ok.csv   2 events   21 B   Linux 6.18 (assumed)',
  },
  {
    name: 'output over an input that is wrong',
    command: 'import x.csv -o x.csv',
    files: { 'x.csv': 'op,id\nalloc,a\nfre,a\n' },
    code: 3,
    stderr: 'x.csv:3:1  op "fre" is not an op; did you mean free?',
  },
  {
    name: 'an event that is none',
    command: 'info ok.csv --event __proto__',
    files: { 'ok.csv': OK },
    code: 2,
    stderr: '--event __proto__: "__proto__" is no event',
  },
  {
    name: 'CPUs that are none',
    command: 'info ok.csv --cpu 0-99999999',
    files: { 'ok.csv': OK },
    code: 2,
    stderr: '--cpu 0-99999999: expected numbers and ranges, such as 0,2,4-7',
  },
  {
    name: 'CPUs the wrong way round',
    command: 'info ok.csv --cpu 7-4',
    files: { 'ok.csv': OK },
    code: 2,
    stderr: '--cpu 7-4: expected numbers and ranges, such as 0,2,4-7',
  },
  {
    name: 'a share above all',
    command: 'info ok.csv --sample 200%',
    files: { 'ok.csv': OK },
    code: 2,
    stderr: '--sample 200%: expected 0 to 1, or a percentage such as 99.9%',
  },
  {
    name: 'a stretch of nothing',
    command: 'info ok.csv --from 2s --to 1s',
    files: { 'ok.csv': OK },
    code: 2,
    stderr: '--from 2s --to 1s: nothing lies between',
  },
  {
    name: 'a time without end',
    command: 'info ok.csv --from 99999999999999999999h',
    files: { 'ok.csv': OK },
    code: 2,
    stderr: '--from 99999999999999999999h: expected a time with its unit, such as 1.5s, 200ms or 1000ns',
  },
  {
    name: 'a limit of nothing',
    command: 'info ok.csv --max-line 0',
    files: { 'ok.csv': OK },
    code: 2,
    stderr: '--max-line 0: expected a number of bytes, such as 65536 or 64KiB',
  },
  {
    name: 'a limit that is no number',
    command: 'info ok.csv --max-strings 1e9',
    files: { 'ok.csv': OK },
    code: 2,
    stderr: '--max-strings 1e9: expected a whole number of at least 1',
  },
  {
    name: 'a machine limit without unit',
    command: 'run ok.csv --max-machine 4',
    files: { 'ok.csv': OK },
    code: 2,
    stderr: '--max-machine 4: expected a size with its unit, such as 512MiB, 4GiB or 1TiB',
  },
  {
    name: 'a seed that is none',
    command: 'run ok.csv --seed -1',
    files: { 'ok.csv': OK },
    code: 2,
    stderr: '--seed -1: expected a whole number of at least 0',
  },
  {
    name: 'more per-CPU lists than anybody has',
    command: 'run ok.csv --memory 64GiB --nodes 64 --cpus 8192',
    files: { 'ok.csv': OK },
    code: 2,
    stderr:
      '--memory 64GiB --nodes 64 --cpus 8192 declares 8192 CPUs for each of 65 zones, more than 131,072 per-CPU lists; give fewer CPUs or nodes',
  },
  {
    name: 'samples of a thousand years',
    command: 'run x.csv --series 1ns',
    files: { 'x.csv': 'ts,op,id\n0,alloc,a\n9000000000000000,free,a\n' },
    code: 0,
    memory_mb: 260,
    stderr: '',
    stdout: /./,
  },
  {
    name: 'everything left out by a selection',
    command: 'import ok.csv --cpu 5 -o -',
    files: { 'ok.csv': OK },
    code: 0,
    stderr: 'ok.csv -> -   0 events   9 B   Linux 6.18 (assumed)\n  2 events left out by the selection',
    stdout: /^(?:ts,)?op,id\n$/,
  },
  {
    name: 'frees whose allocation is left out, written so that they can be read',
    command: 'import x.csv --cpu 0 -o -',
    files: { 'x.csv': 'op,id,cpu\nalloc,a,0\nfree,a,0\nalloc,a,1\nfree,a,0\n' },
    code: 0,
    stderr:
      'x.csv -> -   2 events   39 B   Linux 6.18 (assumed)\n  1 events left out by the selection\n  1 frees of objects that were free already, left out: their allocation is not in the trace',
    stdout: /^(?:[^\n]*\n){3}$/,
  },
  {
    name: 'names made anonymous',
    command: 'import x.csv --anonymise -o -',
    files: {
      'x.csv':
        'op,id,cache,memcg,site,arg\nalloc,0xffff888812345678,,/user/alice,/srv/alice/x.c:7,\nmark,,,,,alice was here\ncache_alloc,k,alice_cache,,evil+0x1/0x2 [alice],\n',
    },
    code: 0,
    stderr: 'x.csv -> -   3 events   101 B   Linux 6.18 (assumed)',
    stdout: /^(?![\s\S]*alice)(?![\s\S]*0xffff8888)/,
  },
  {
    name: 'a trace alone, pinned',
    command: 'run ok.csv --mode pinned',
    files: { 'ok.csv': OK },
    code: 3,
    stderr:
      'ok.csv  is replayed on a machine of its own, where recorded PFNs mean nothing; pin a recording (a directory) without --machine or --memory, or leave --mode pinned out',
  },
];
