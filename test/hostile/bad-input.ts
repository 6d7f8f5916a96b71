/** What a case of bad input is, and how it is made and run. */
import { spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';

/** Bytes, or what makes the file at a path: for large ones, and for what is no file. */
export type Content = string | Uint8Array | ((path: string) => void | Promise<void>);

export interface BadInput {
  readonly name: string;
  /** arguments, separated by blanks; they run in a directory that holds `files` and nothing else */
  readonly command: string;
  readonly files?: Readonly<Record<string, Content>>;
  readonly stdin?: Uint8Array | string;
  readonly code: number;
  /** all of stderr, without its last line end; an expression must match all of it */
  readonly stderr: string | RegExp;
  /** nothing by default */
  readonly stdout?: RegExp;
  /** most memory that it may take, in MB */
  readonly memory_mb?: number;
  /** needs what is not everywhere: a program, a device */
  readonly skip?: boolean;
}

/** A run that is refused before it has read anything takes 60 to 90 MB, most of it V8's. */
export const MEMORY_MB = 150;

const LAUNCHER = fileURLToPath(new URL('../../bin/spbsim.js', import.meta.url));
const PROBE = fileURLToPath(new URL('./probe.cjs', import.meta.url));

export interface Outcome {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly peak_mb: number;
}

/** Makes the files of a case in a directory. */
export async function makeFiles(directory: string, files: BadInput['files'] = {}): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    const path = join(directory, name);
    await mkdir(dirname(path), { recursive: true });
    if (typeof content === 'function') await content(path);
    else await writeFile(path, content);
  }
}

/** Text of a stream; of very much only the beginning is kept. */
function textOf(stream: Readable): () => string {
  let text = '';
  stream.setEncoding('utf8').on('data', (piece: string) => {
    if (text.length < 1 << 22) text += piece;
  });
  return () => text;
}

/** Runs the built program in a directory. */
export async function runIn(
  directory: string,
  command: string,
  stdin?: Uint8Array | string,
): Promise<Outcome> {
  const args = ['-r', PROBE, LAUNCHER, ...command.split(' ')];
  const child = spawn(process.execPath, args, {
    cwd: directory,
    stdio: [stdin === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe', 'pipe'],
  });
  if (stdin !== undefined) child.stdin?.on('error', () => {}).end(stdin);
  const [stdout, stderr, peak] = [1, 2, 3].map((fd) => textOf(child.stdio[fd] as Readable));
  const [code, signal] = await new Promise<[number | null, string | null]>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (...end) => resolve(end));
  });
  return { code, signal, stdout: stdout!(), stderr: stderr!(), peak_mb: Number(peak!()) / 1024 };
}

/** A file of one piece over and over, written as it is made. */
export function repeated(
  piece: string | Uint8Array,
  times: number,
  head: string | Uint8Array = '',
): (path: string) => Promise<void> {
  return async (path) => {
    const bytes = Buffer.from(piece);
    const perChunk = Math.max(1, Math.floor((1 << 20) / bytes.length));
    const full = Buffer.concat(Array<Buffer>(perChunk).fill(bytes));
    async function* chunks() {
      yield Buffer.from(head);
      for (let done = 0; done < times; done += perChunk)
        yield full.subarray(0, Math.min(perChunk, times - done) * bytes.length);
    }
    await pipeline(chunks, createWriteStream(path));
  };
}
