/** Packed inputs: cut, damaged, mixed up, or made to unpack to what nobody has room for. */
import { execFileSync, spawnSync } from 'node:child_process';
import { createWriteStream, writeFileSync } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { constants, createGzip, gzipSync } from 'node:zlib';
import type { BadInput } from './bad-input.js';

const ROWS = `op,id\n${Array.from({ length: 5000 }, (_, i) => `alloc,a${i}\n`).join('')}`;
const GZIP = gzipSync(ROWS);
const HAS_XZ = spawnSync('xz', ['--version']).error === undefined;
const HAS_ZSTD = spawnSync('zstd', ['--version']).error === undefined;

function filter(program: string, args: readonly string[], input: string | Uint8Array): Buffer {
  return execFileSync(program, args, { input, maxBuffer: 2 ** 28, stdio: ['pipe', 'pipe', 'ignore'] });
}

function xz(input: string | Uint8Array): Buffer {
  return HAS_XZ ? filter('xz', ['-c', '-1'], input) : Buffer.alloc(0);
}

function zstd(input: string | Uint8Array, ...args: string[]): Buffer {
  return HAS_ZSTD ? filter('zstd', ['-q', '-c', ...args], input) : Buffer.alloc(0);
}

const HEADER = Buffer.from('op,id\n');
const MEBIBYTE = 1 << 20;

/** A header and so many MiB of empty comments. */
function comments(mebibytes: number): Buffer[] {
  return [HEADER, ...Array<Buffer>(mebibytes).fill(Buffer.alloc(MEBIBYTE, '#\n'))];
}

/** The same in gzip. */
function gzipOf(mebibytes: number): (path: string) => Promise<void> {
  return async (path) => {
    const gzip = createGzip({ level: constants.Z_BEST_COMPRESSION });
    await pipeline(comments(mebibytes), gzip, createWriteStream(path));
  };
}

/** A zstd frame: the header of a CSV, then blocks that repeat one line end 131,072 times, four bytes each. */
function zstdBomb(blocks: number): Buffer {
  const block = (isLast: boolean) => {
    const bytes = Buffer.alloc(4, '\n');
    bytes.writeUIntLE(((1 << 17) << 3) | (1 << 1) | (isLast ? 1 : 0), 0, 3);
    return bytes;
  };
  const head = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x38]);
  const raw = Buffer.from([HEADER.length << 3, 0, 0]);
  return Buffer.concat([head, raw, HEADER, ...Array<Buffer>(blocks - 1).fill(block(false)), block(true)]);
}

function flipped(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[at]! ^= 0xff;
  return copy;
}

const XZ = xz(ROWS);
const ZSTD = zstd(ROWS);

export const PACKED_CASES: readonly BadInput[] = [
  {
    name: 'gzip: the magic alone',
    command: 'run x.gz',
    files: { 'x.gz': GZIP.subarray(0, 2) },
    code: 3,
    stderr: 'x.gz  ends in the middle of its gzip data; copy or record it again',
  },
  {
    name: 'gzip: half a header',
    command: 'run x.gz',
    files: { 'x.gz': GZIP.subarray(0, 7) },
    code: 3,
    stderr: 'x.gz  ends in the middle of its gzip data; copy or record it again',
  },
  {
    name: 'gzip: cut in the middle',
    command: 'run x.gz',
    files: { 'x.gz': GZIP.subarray(0, GZIP.length >> 1) },
    code: 3,
    stderr:
      'x.gz  ends in the middle of its gzip data; copy or record it again; the result is of what was read',
    stdout: /ends in the middle of its gzip data/,
  },
  {
    name: 'gzip: cut in the middle, strictly',
    command: 'run x.gz --strict',
    files: { 'x.gz': GZIP.subarray(0, GZIP.length >> 1) },
    code: 3,
    stderr: 'x.gz  ends in the middle of its gzip data; copy or record it again',
  },
  {
    name: 'gzip: cut in its checksum',
    command: 'info x.gz',
    files: { 'x.gz': GZIP.subarray(0, -5) },
    code: 3,
    stderr:
      'x.gz  ends in the middle of its gzip data; copy or record it again; the counts are of what was read',
    stdout: /5,000 events/,
  },
  {
    name: 'gzip: imported as far as it goes',
    command: 'import x.gz -o y.csv',
    files: { 'x.gz': GZIP.subarray(0, GZIP.length >> 1) },
    code: 3,
    stderr:
      /^x\.gz -> y\.csv {3}2,\d{3} events .*\n {2}1 input that ends too early: x\.gz {2}ends in the middle of its gzip data; copy or record it again$/,
  },
  {
    name: 'gzip: a wrong checksum',
    command: 'run x.gz',
    files: { 'x.gz': flipped(GZIP, GZIP.length - 6) },
    code: 3,
    stderr: 'x.gz  holds damaged gzip data (incorrect data check); check it with gzip -t',
  },
  {
    name: 'gzip: a byte changed',
    command: 'run x.gz',
    files: { 'x.gz': flipped(GZIP, 400) },
    code: 3,
    stderr: 'x.gz  holds damaged gzip data (invalid distance too far back); check it with gzip -t',
  },
  {
    name: 'gzip: nothing but noise behind the magic',
    command: 'run x.gz',
    files: { 'x.gz': Buffer.concat([GZIP.subarray(0, 10), Buffer.alloc(500, 0x5a)]) },
    code: 3,
    stderr:
      'x.gz  is no trace; give a recording directory, the text of tracefs, trace-cmd report or perf script, a trace CSV, or an Arrow file',
  },
  {
    name: 'gzip: text behind it',
    command: 'run x.gz',
    files: { 'x.gz': Buffer.concat([GZIP, Buffer.from('and more\n')]) },
    code: 3,
    stderr: 'x.gz  has other data behind its gzip data; cut it off',
  },
  {
    name: 'gzip: of nothing',
    command: 'run x.gz',
    files: { 'x.gz': gzipSync('') },
    code: 3,
    stderr: 'x.gz  is empty; check how it was made',
  },
  {
    name: 'gzip: in gzip',
    command: 'run x.gz',
    files: { 'x.gz': gzipSync(GZIP) },
    code: 3,
    stderr:
      'x.gz  is no trace; give a recording directory, the text of tracefs, trace-cmd report or perf script, a trace CSV, or an Arrow file',
  },
  {
    name: 'gzip: a name that redraws the screen',
    command: 'run x.gz',
    files: {
      'x.gz': Buffer.concat([
        Buffer.from([0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 3]),
        Buffer.from('\u001b[2J\0'),
        GZIP.subarray(10),
      ]),
    },
    code: 0,
    stderr: '',
    stdout: /./,
  },
  {
    name: 'gzip: a bomb of 300 MB',
    command: 'info x.gz',
    files: { 'x.gz': gzipOf(300) },
    code: 3,
    stderr: 'x.gz  unpacks to more than 1,000 times its size; raise --max-ratio if that is right',
  },
  {
    name: 'gzip: more than is allowed in all',
    command: 'info x.gz --max-unpacked 1m',
    files: { 'x.gz': gzipOf(3) },
    code: 3,
    stderr: 'x.gz  unpacks to more than 1,048,576 bytes; raise --max-unpacked if that is right',
  },
  {
    name: 'gzip: a lower limit on the ratio',
    command: 'info x.gz --max-ratio 10',
    files: { 'x.gz': gzipOf(100) },
    code: 3,
    stderr: 'x.gz  unpacks to more than 10 times its size; raise --max-ratio if that is right',
  },
  {
    name: 'zstd: the magic alone',
    command: 'run x.zst',
    files: { 'x.zst': Buffer.from([0x28, 0xb5, 0x2f, 0xfd]) },
    code: 3,
    stderr: 'x.zst  ends in the middle of its zstd data; copy or record it again',
  },
  {
    name: 'zstd: a bomb of 13 GB',
    command: 'run x.zst',
    files: { 'x.zst': zstdBomb(100_000) },
    code: 3,
    stderr: 'x.zst  unpacks to more than 1,000 times its size; raise --max-ratio if that is right',
  },
  {
    name: 'zstd: a window of 1 TiB',
    command: 'run x.zst',
    files: { 'x.zst': Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xf0, 1, 0, 0]) },
    code: 3,
    stderr: 'x.zst  holds damaged zstd data; check it with zstd -t',
  },
  {
    name: 'zstd: a window of 512 MiB',
    command: 'run x.zst',
    files: { 'x.zst': Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x98, 1, 0, 0]) },
    code: 3,
    stderr:
      'x.zst  needs a window of 512 MiB to unpack, more than 128 MiB; unpack it with zstd -d --long=29 and give the unpacked file',
  },
  {
    name: 'zstd: a dictionary that nobody has',
    command: 'run x.zst',
    files: { 'x.zst': Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x21, 7, 1, 9, 0, 0, 0x41]) },
    code: 3,
    stderr:
      'x.zst  needs the zstd dictionary 7; unpack it with zstd -d -D and the dictionary, and give the unpacked file',
  },
  {
    name: 'zstd: a skippable frame of 4 GiB',
    command: 'run x.zst',
    files: { 'x.zst': Buffer.from([0x50, 0x2a, 0x4d, 0x18, 0xff, 0xff, 0xff, 0xff, 0]) },
    code: 3,
    stderr: 'x.zst  ends in the middle of its zstd data; copy or record it again',
  },
  {
    name: 'zstd: cut in the middle',
    command: 'info x.zst',
    files: { 'x.zst': ZSTD.subarray(0, ZSTD.length >> 1) },
    skip: !HAS_ZSTD,
    code: 3,
    stderr: 'x.zst  ends in the middle of its zstd data; copy or record it again',
  },
  {
    name: 'zstd: a byte changed',
    command: 'run x.zst',
    files: { 'x.zst': flipped(ZSTD.length > 0 ? ZSTD : GZIP, 300) },
    skip: !HAS_ZSTD,
    code: 3,
    stderr: 'x.zst  holds damaged zstd data; check it with zstd -t',
  },
  {
    name: 'zstd: text behind it',
    command: 'run x.zst',
    files: { 'x.zst': Buffer.concat([ZSTD, Buffer.from('and more\n')]) },
    skip: !HAS_ZSTD,
    code: 3,
    stderr: 'x.zst  has other data behind its zstd data; cut it off',
  },
  {
    name: 'xz: the magic alone',
    command: 'run x.xz',
    files: { 'x.xz': Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0]) },
    code: 3,
    stderr: 'x.xz  ends in the middle of its xz data; copy or record it again',
  },
  {
    name: 'xz: cut in the middle',
    command: 'info x.xz',
    files: { 'x.xz': XZ.subarray(0, XZ.length >> 1) },
    skip: !HAS_XZ,
    code: 3,
    stderr:
      'x.xz  ends in the middle of its xz data; copy or record it again; the counts are of what was read',
    stdout: /./,
  },
  {
    name: 'xz: a byte changed',
    command: 'run x.xz',
    files: { 'x.xz': flipped(XZ.length > 0 ? XZ : GZIP, 300) },
    skip: !HAS_XZ,
    code: 3,
    stderr: 'x.xz  holds damaged xz data; check it with xz -t, or unpack it and give the unpacked file',
  },
  {
    name: 'xz: text behind it',
    command: 'run x.xz',
    files: { 'x.xz': Buffer.concat([XZ, Buffer.from('and more\n')]) },
    skip: !HAS_XZ,
    code: 3,
    stderr: 'x.xz  has other data behind its xz data; cut it off',
  },
  {
    name: 'xz: a bomb of 80 MB',
    command: 'info x.xz',
    files: { 'x.xz': (path) => writeFileSync(path, xz(Buffer.concat(comments(80)))) },
    skip: !HAS_XZ,
    code: 3,
    stderr: 'x.xz  unpacks to more than 1,000 times its size; raise --max-ratio if that is right',
  },
  {
    name: 'a packed file from standard input, cut',
    command: 'info -',
    stdin: GZIP.subarray(0, GZIP.length >> 1),
    code: 3,
    stderr:
      '-  ends in the middle of its gzip data; copy or record it again; the counts are of what was read',
    stdout: /./,
  },
];
