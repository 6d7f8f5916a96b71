/** Arrow IPC that is wrong, or made to be. What the reader refuses is tested in full beside it; here, what a user sees. */
import { TRACE_FIELDS } from '../../src/trace/arrow/columns.js';
import { END_OF_STREAM, encodeRecordBatch, encodeSchema } from '../../src/trace/arrow/ipc-encode.js';
import type { BadInput } from './bad-input.js';

const NO_METADATA: ReadonlyMap<string, string> = new Map();
const SCHEMA = encodeSchema(TRACE_FIELDS, NO_METADATA);
const UTF8 = { number: 5, bits: 0, signed: true, unit: 0 };

function textColumn(name: string) {
  return { name, nullable: true, type: UTF8, dictionary: undefined };
}

/** A stream of one batch of text columns. */
function stream(columns: Readonly<Record<string, readonly string[]>>, metadata = NO_METADATA): Buffer {
  const names = Object.keys(columns);
  const rows = columns[names[0]!]!.length;
  const buffers = names.flatMap((name) => {
    const texts = columns[name]!.map((text) => Buffer.from(text));
    const ends = new Uint8Array((rows + 1) * 4);
    const view = new DataView(ends.buffer);
    let end = 0;
    texts.forEach((text, row) => {
      end += text.length;
      view.setInt32((row + 1) * 4, end, true);
    });
    return [new Uint8Array(0), ends, new Uint8Array(Buffer.concat(texts))];
  });
  const records = encodeRecordBatch({ rows, nodes: names.map(() => [rows, 0] as const), buffers });
  return Buffer.concat([encodeSchema(names.map(textColumn), metadata), records.bytes, END_OF_STREAM]);
}

/** The beginning of a message: its mark and the length of its metadata. */
function prefix(length: number): Buffer {
  const bytes = Buffer.alloc(8, 0xff);
  bytes.writeUInt32LE(length, 4);
  return bytes;
}

/** A stream whose body is said to have 2^50 bytes. */
function hugeBody(): Buffer {
  const bytes = stream({ op: Array<string>(12_345).fill('tick') });
  const body = bytes.length - SCHEMA.length;
  for (let at = 8; at + 8 <= bytes.length && at < 2000; at += 8) {
    const value = bytes.readBigInt64LE(at);
    if (value > 40_000n && value < BigInt(body + bytes.length)) {
      bytes.writeBigInt64LE(1n << 50n, at);
      return bytes;
    }
  }
  throw new Error('no length of a body found');
}

const OK = stream({ op: ['alloc', 'free'], id: ['a', 'a'] });

export const ARROW_CASES: readonly BadInput[] = [
  {
    name: 'a magic alone',
    command: 'run x.arrow',
    files: { 'x.arrow': 'ARROW1\0\0' },
    code: 3,
    stdout: /0 events/,
    stderr: 'x.arrow  ends before its first message; copy or write it again; the result is of what was read',
  },
  {
    name: 'a schema of zeros',
    command: 'run x.arrow',
    files: { 'x.arrow': Buffer.concat([Buffer.from('ARROW1\0\0'), prefix(64), Buffer.alloc(64)]) },
    code: 3,
    stderr: 'x.arrow  holds damaged Arrow metadata: an offset leads nowhere; copy or write it again',
  },
  {
    name: 'metadata of 4 GiB',
    command: 'run x.arrow',
    files: { 'x.arrow': Buffer.concat([Buffer.from('ARROW1\0\0'), prefix(0xffff_fff0)]) },
    code: 3,
    stderr: 'x.arrow  has metadata of more than 16,777,216 bytes; write it with smaller batches',
  },
  {
    name: 'a body of 2^50 bytes',
    command: 'run x.arrow',
    files: { 'x.arrow': hugeBody() },
    code: 3,
    stderr: 'x.arrow  has a batch of more than 1,073,741,824 bytes; write it with smaller batches',
  },
  {
    name: 'a stream cut in the middle',
    command: 'info x.arrow',
    files: { 'x.arrow': OK.subarray(0, OK.length - 100) },
    code: 3,
    stderr:
      'x.arrow  ends in the middle of a message; copy or write it again; the counts are of what was read',
    stdout: /./,
  },
  {
    name: 'a schema without op',
    command: 'run x.arrow',
    files: { 'x.arrow': stream({ id: ['a'] }) },
    code: 3,
    stderr: 'x.arrow  schema has no column op; columns are named as in the trace CSV',
  },
  {
    name: 'a column twice',
    command: 'run x.arrow',
    files: {
      'x.arrow': Buffer.concat([
        encodeSchema([textColumn('op'), textColumn('op')], NO_METADATA),
        END_OF_STREAM,
      ]),
    },
    code: 3,
    stderr: 'x.arrow  schema "op" stands twice; remove one of the columns',
  },
  {
    name: 'a column named __proto__',
    command: 'run x.arrow --json',
    files: { 'x.arrow': stream({ op: ['tick'], ['__proto__']: ['x'] }) },
    code: 0,
    stderr: '',
    stdout: /./,
  },
  {
    name: 'an op that redraws the screen',
    command: 'run x.arrow',
    files: { 'x.arrow': stream({ op: ['\u001b[2Jalloc'] }) },
    code: 3,
    stderr:
      'x.arrow:1  op "\\x1b[2Jalloc" is not an op; give alloc, free, contig_alloc, mark or another op of the trace CSV',
  },
  {
    name: 'a line end in an id',
    command: 'run x.arrow',
    files: { 'x.arrow': stream({ op: ['alloc'], id: ['a\nb'] }) },
    code: 3,
    stderr: 'x.arrow:1  id "a\\nb" holds a control character or bytes that are not UTF-8; remove it',
  },
  {
    name: 'a column name that redraws the screen',
    command: 'info x.arrow --verbose',
    files: { 'x.arrow': stream({ op: ['tick'], '\u001b[2J': ['x'] }) },
    code: 0,
    stderr: '',
    stdout: /./,
  },
  {
    name: 'an order of words',
    command: 'run x.arrow',
    files: { 'x.arrow': stream({ op: ['alloc'], id: ['a'], order: ['ten'] }) },
    code: 3,
    stderr: 'x.arrow:1  order "ten" is not a page order; give 0 to 10',
  },
  {
    name: 'a kernel that nobody knows',
    command: 'run x.arrow',
    files: { 'x.arrow': stream({ op: ['tick'] }, new Map([['spbsim.kernel', '\u001b[2J9.9']])) },
    code: 3,
    stderr:
      'x.arrow  spbsim.kernel "\\x1b[2J9.9" is not a kernel whose gfp words are known; give 6.1, 6.18, 7.2',
  },
  {
    name: 'columns of a CSV that are none',
    command: 'import x.arrow -o -',
    files: {
      'x.arrow': stream({ op: ['tick'] }, new Map([['spbsim.columns', 'id,id,__proto__,\u001b[2J']])),
    },
    code: 0,
    stderr: 'x.arrow -> -   1 event   97 B   Linux 6.18 (assumed)',
    stdout: /^ts,cpu,ctx,op,id,/,
  },
  {
    name: 'formulas',
    command: 'import x.arrow -o -',
    files: { 'x.arrow': stream({ op: ['alloc'], id: ['+1+cmd'], site: ['-2'] }) },
    code: 0,
    stderr: 'x.arrow -> -   1 event   119 B   Linux 6.18 (assumed)',
    stdout: /'\+1\+cmd.*'-2/,
  },
];
