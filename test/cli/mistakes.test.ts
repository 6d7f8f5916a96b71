/**
 * The mistakes that a user makes first: one line each, with the place and what to do, and the documented exit code.
 * Commands run in a directory of their own, so that the messages show the names as they were given.
 */
import { cp, mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync, gzipSync } from 'node:zlib';
import { beforeAll, describe, expect, test } from 'vitest';
import type { RunResult } from '../../src/report/run-result.js';
import { spbsimIn } from './spbsim.js';

const RECORDING = fileURLToPath(new URL('../trace/data/recording', import.meta.url));

const FILES: Record<string, string | Uint8Array> = {
  'ok.csv': 'op,id\nalloc,a\nfree,a\n',
  'no-op.csv': 'id,order\na,1\n',
  'twice-named.csv': 'op,id,id\nalloc,a,b\n',
  'freed-twice.csv': 'op,id\nalloc,a\nfree,a\n# again\nfree,a\n',
  'unknown-column.csv': 'op,id,ordr\nalloc,a,1\n',
  'gfp.csv': 'op,id,gfp\nalloc,a,GFP_KERNEl\n',
  'order.csv': 'op,id,order\nalloc,a,11\n',
  'op.csv': 'op,id\nalloc,a\nfre,a\n',
  'number.csv': 'op,id,cpu\nalloc,a,zero\n',
  'decreasing.csv': 'ts,op,id\n10,alloc,a\n5,alloc,b\n',
  'no-id.csv': 'op,id\nalloc,\n',
  'short-row.csv': 'op,id,order\nalloc,a\n',
  'three.csv': 'op,id,order\nalloc,a,11\nalloc,b,12\nalloc,c,13\n',
  'empty.csv': '',
  'header.csv': 'op,id\n',
  'plain.txt': 'hello world, this is no trace\n',
  'binary.dat': Buffer.from([0x17, 0x08, 0x44, 0x74, 0x72, 0x61]),
  'perf.data': 'PERFILE2\0\0\0\0\0\0\0\0',
  'cut.csv.gz': gzipSync(
    `op,id\n${Array.from({ length: 5000 }, (_, i) => `alloc,a${i}`).join('\n')}\n`,
  ).subarray(0, 900),
  'run.jsonl': '{"t":"nonsense"}\n',
  'policy.yaml': 'extends: mainline-6.18\nknobs:\n  pcp.bacth_scale_max: 3\n',
  'machine.yaml': 'nodes: two\n',
};

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'spbsim-mistakes-'));
  for (const [name, content] of Object.entries(FILES)) await writeFile(join(directory, name), content);
  await mkdir(join(directory, 'empty'));
  await cp(RECORDING, join(directory, 'rec'), { recursive: true });
  await mkdir(join(directory, 'no-zoneinfo'));
  await cp(join(RECORDING, 'trace.gz'), join(directory, 'no-zoneinfo', 'trace.gz'));
  await cp(RECORDING, join(directory, 'cut'), { recursive: true });
  const trace = await readFile(join(RECORDING, 'trace.gz'));
  await writeFile(join(directory, 'cut', 'trace.gz'), trace.subarray(0, trace.length >> 1));
  await cp(RECORDING, join(directory, 'bad-zoneinfo'), { recursive: true });
  await writeFile(
    join(directory, 'bad-zoneinfo', 'before', 'zoneinfo'),
    'Node 0, zone DMA\n  pages free many\n',
  );
});

const NO_TRACE_FILE = 'is no recording: it has no file named trace, trace.txt, trace.gz or trace.xz';

describe('one line on stderr, nothing on stdout', () => {
  test.each<[command: string, code: number, line: string]>([
    // traces
    [
      'run no-op.csv',
      3,
      'no-op.csv:1  header has no column op; the first row names the columns, op is required',
    ],
    [
      'run twice-named.csv',
      3,
      'twice-named.csv:1:7  header "id" stands twice in the header; remove one of the columns',
    ],
    [
      'run unknown-column.csv',
      3,
      'unknown-column.csv:1:7  header "ordr" is not a column of a trace; did you mean order?',
    ],
    ['run gfp.csv', 3, 'gfp.csv:2:9  gfp "GFP_KERNEl" is not a gfp flag; did you mean GFP_KERNEL?'],
    ['run order.csv', 3, 'order.csv:2:9  order "11" is not a page order; give 0 to 10'],
    ['run op.csv', 3, 'op.csv:3:1  op "fre" is not an op; did you mean free?'],
    ['run number.csv', 3, 'number.csv:2:9  cpu "zero" is not a CPU number; give 0 to 8191'],
    ['run decreasing.csv', 3, 'decreasing.csv:3:1  ts "5" is before the row above (10); sort the rows by ts'],
    ['run no-id.csv', 3, 'no-id.csv:2:7  id is missing: alloc names an object; give an id or a pfn'],
    [
      'run freed-twice.csv',
      3,
      'freed-twice.csv:5:6  id "a" is freed twice, first in line 3; allocate it again before, or remove this free',
    ],
    [
      'run short-row.csv',
      3,
      'short-row.csv:2  has 2 cells, the header has 3; give every column, empty for its default',
    ],
    ['run empty.csv', 3, 'empty.csv  is empty; check how it was made'],
    [
      'run plain.txt',
      3,
      'plain.txt  is no trace; give a recording directory, the text of tracefs, trace-cmd report or perf script, a trace CSV, or an Arrow file',
    ],
    [
      'run binary.dat',
      3,
      'binary.dat  is binary data of trace-cmd; give the text that `trace-cmd report` makes of it',
    ],
    [
      'run perf.data',
      3,
      'perf.data  is binary data of perf record; give the text that `perf script` makes of it',
    ],
    [
      'run cut.csv.gz --strict',
      3,
      'cut.csv.gz  ends in the middle of its gzip data; copy or record it again',
    ],
    ['run missing.csv', 3, 'missing.csv  does not exist; check the path'],
    ['run ok.csv missing.csv', 3, 'missing.csv  does not exist; check the path'],
    ['import missing.csv -o x.csv', 3, 'missing.csv  does not exist; check the path'],
    ['import ok.csv -o nowhere/x.csv', 3, 'nowhere/x.csv  is in no directory that exists; create it'],
    // recordings
    ['run empty', 3, `empty  ${NO_TRACE_FILE}; give the directory that the recorder wrote, or a trace file`],
    ['run .', 3, `.  ${NO_TRACE_FILE}`],
    [
      'run no-zoneinfo',
      3,
      'no-zoneinfo  has no before/zoneinfo, so its machine is unknown; record it again with the snapshot, or replay the trace file alone',
    ],
    ['run cut --strict', 3, 'cut/trace.gz  ends in the middle of its gzip data; copy or record it again'],
    ['run bad-zoneinfo', 3, 'bad-zoneinfo/before/zoneinfo:2  "  pages free many" is not a line of zoneinfo'],
    [
      'run rec ok.csv',
      3,
      'rec  is a recording with a start state of its own, which other traces cannot share; run it alone',
    ],
    [
      'run ok.csv --mode pinned',
      3,
      'ok.csv  is replayed on a machine of its own, where recorded PFNs mean nothing; pin a recording',
    ],
    // verify
    [
      'verify ok.csv',
      3,
      'ok.csv  is neither a recording (a directory) nor a scripted run (.jsonl, .jsonl.xz)',
    ],
    ['verify missing', 3, 'missing  does not exist; check the path'],
    ['verify missing.jsonl', 3, 'missing.jsonl  does not exist; check the path'],
    ['verify empty', 3, `empty  ${NO_TRACE_FILE}`],
    ['verify run.jsonl', 3, 'run.jsonl:1  '],
    [
      'verify rec --min-agreement 100.1',
      2,
      '--min-agreement 100.1: expected 0 to 1, or a percentage such as 99.9%',
    ],
    [
      'verify rec --min-agreement 100.1%',
      2,
      '--min-agreement 100.1%: expected 0 to 1, or a percentage such as 99.9%',
    ],
    // policies, knobs and machines
    ['run ok.csv --policy mainline-6.2', 2, 'unknown policy "mainline-6.2"; did you mean mainline-7.2?'],
    [
      'run ok.csv --policy policy.yaml',
      3,
      'policy.yaml:3:3  unknown knob "pcp.bacth_scale_max"; did you mean pcp.batch_scale_max?',
    ],
    [
      'run ok.csv --set pcp.bacth_scale_max=3',
      2,
      '--set pcp.bacth_scale_max=3: unknown knob "pcp.bacth_scale_max"; did you mean pcp.batch_scale_max?',
    ],
    [
      'run ok.csv --set pcp.batch_scale_max=9',
      2,
      '--set pcp.batch_scale_max=9: "9" is not a whole number from 0 to 6 (doublings)',
    ],
    ['run ok.csv --machine machine.yaml', 3, 'machine.yaml  is not a machine: expected memory'],
    ['run ok.csv --machine missing.yaml', 2, 'no such machine file: missing.yaml'],
    [
      'run ok.csv --build preemt_rt',
      2,
      '--build preemt_rt: unknown word "preemt_rt"; did you mean preempt_rt?',
    ],
    ['run ok.csv --build up', 2, '--build up: a kernel for one processor has one CPU, this machine has 4'],
    ['run rec --build slab_debug=FQ,dentry', 2, '--build slab_debug=FQ,dentry: unknown option "q"'],
    [
      'diff mainline-6.18 mainline-7.2 ok.csv --build slub_tiny,slab_debug',
      2,
      '--build slub_tiny,slab_debug: a SLUB_TINY kernel',
    ],
    ['run ok.csv --memory 4', 2, '--memory 4: expected a size with its unit'],
    // options
    ['run ok.csv --jsn', 2, "unknown option '--jsn'; did you mean --json?"],
    ['run', 2, "missing required argument 'trace'"],
    ['verify', 2, "missing required argument 'input'"],
    ['ran ok.csv', 2, "unknown command 'ran'; did you mean run?"],
  ])('spbsim %s', async (command, code, line) => {
    const result = await spbsimIn(directory, ...command.split(' '));
    expect(result.stderr.startsWith(line), result.stderr).toBe(true);
    expect(result.stderr.trimEnd()).not.toContain('\n');
    expect({ code: result.code, stdout: result.stdout }).toEqual({ code, stdout: '' });
  });
});

describe('several mistakes', () => {
  test('are told together, up to --max-errors', async () => {
    const all = await spbsimIn(directory, 'run', 'three.csv');
    expect(all.code).toBe(3);
    expect(all.stderr.trimEnd().split('\n')).toEqual(
      [2, 3, 4].map((n) => expect.stringContaining(`three.csv:${n}:9  order "1`)),
    );
    const two = await spbsimIn(directory, 'run', 'three.csv', '--max-errors', '2');
    expect(two.stderr.trimEnd().split('\n').slice(2)).toEqual([
      'there may be more: reading stopped after 2 (--max-errors)',
    ]);
  });

  test('are left out and counted with --skip-invalid', async () => {
    const { code, stdout, stderr } = await spbsimIn(directory, 'run', 'three.csv', '--skip-invalid');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain('3 invalid rows of the CSV, left out');
  });
});

describe('no mistakes of the input, but of what it describes: shown, not refused', () => {
  test('a trace of no events', async () => {
    const { code, stdout } = await spbsimIn(directory, 'run', 'header.csv');
    expect(code).toBe(0);
    expect(stdout).toContain('0 events');
    expect(stdout).toContain('none in this trace');
  });

  test('a trace that --from skips altogether', async () => {
    const { code, stdout } = await spbsimIn(directory, 'run', 'ok.csv', '--from', '1s');
    expect(code).toBe(0);
    expect(stdout).toContain(
      '2 events before --from, replayed for the state that they leave, and not counted',
    );
  });
});

test('text of the input never reaches the terminal as it is', async () => {
  const evil = '\u001b]0;owned\u0007\u001b[2J';
  await writeFile(join(directory, 'evil.csv'), `op,id,gfp\nalloc,a,"${evil}\nGFP"\n`);
  await writeFile(join(directory, `evil${'\u001b'}[31m.csv`), 'op,id\nalloc,a\n');
  await writeFile(
    join(directory, 'mark.csv'),
    `op,id,arg,cache,size\nmark,,"a${evil}",,\nkmalloc,"${evil}x",,,8\n`,
  );
  const text = gunzipSync(await readFile(join(RECORDING, 'trace.gz'))).toString();
  await writeFile(join(directory, 'evil.txt'), `${text}${evil}\nnot a line ${evil}\n`);
  for (const args of [
    ['run', 'evil.csv'],
    ['run', `evil${'\u001b'}[31m.csv`],
    ['run', 'mark.csv'],
    ['run', 'mark.csv', '--skip-invalid'],
    ['run', 'evil.txt'],
    ['run', 'evil.txt', '--json'],
    ['run', evil],
    ['run', 'ok.csv', '--policy', evil],
    ['run', 'ok.csv', '--set', evil],
    ['run', 'ok.csv', `--${evil}`],
    [evil],
    ['import', 'evil.txt', '-o', '-'],
  ]) {
    const { stdout, stderr } = await spbsimIn(directory, ...args);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it is about
    expect(stdout + stderr, args.join(' ')).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f]/);
    expect(stdout + stderr).not.toBe('');
  }
});

test.each([
  ['a cut CSV', 'cut.csv.gz', 'cut.csv.gz'],
  ['a recording whose trace is cut', 'cut', 'cut/trace.gz'],
])('%s is replayed as far as it goes, and the exit code says that it was not all', async (_, input, file) => {
  const { code, stdout, stderr } = await spbsimIn(directory, 'run', input, '--json');
  expect(code).toBe(3);
  expect(stderr).toBe(
    `${file}  ends in the middle of its gzip data; copy or record it again; the result is of what was read\n`,
  );
  const result = JSON.parse(stdout) as RunResult;
  expect(result.span.events).toBeGreaterThan(40);
  expect(result.inputs[0]!.cut).toBe(`${file}  ends in the middle of its gzip data; copy or record it again`);
  expect(result.notes.map(({ name }) => name)).toContain('cut_inputs');
});
