/** Real packers for the tests: the programs where they are installed, the libraries else. */
import { execFileSync, spawnSync } from 'node:child_process';
import { gzipSync } from 'node:zlib';
import { zstdPackedChunks } from '../../../src/trace/bytes/pack-chunks.js';
import { pieces } from '../helpers.js';

export function hasProgram(name: string): boolean {
  return spawnSync(name, ['--version']).error === undefined;
}

export const HAS_ZSTD = hasProgram('zstd');
export const HAS_XZ = hasProgram('xz');

/** Output of a program that is given `input`. */
export function filter(program: string, args: readonly string[], input: Uint8Array): Buffer {
  return execFileSync(program, args, { input, maxBuffer: 2 ** 30, stdio: ['pipe', 'pipe', 'ignore'] });
}

export async function joined(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(chunk.slice());
  return Buffer.concat(all);
}

/** Data in chunks of the given sizes, over and over. */
export async function* inSizes(bytes: Uint8Array, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  let turn = 0;
  for (let at = 0; at < bytes.length; turn++) {
    const end = at + (sizes[turn % sizes.length] as number);
    yield bytes.subarray(at, end);
    at = end;
  }
}

/** Bytes that pack badly; the same for the same seed. */
export function noise(length: number, seed = 1): Buffer {
  const bytes = Buffer.alloc(length);
  let state = seed;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

/** A skippable frame of zstd, as parallel packers write them. */
export function skippable(length: number, kind = 0): Buffer {
  const frame = Buffer.alloc(8 + length, 0x5a);
  frame.writeUInt32LE(0x184d2a50 + kind);
  frame.writeUInt32LE(length, 4);
  return frame;
}

export interface Packer {
  readonly name: string;
  readonly compression: 'gzip' | 'xz' | 'zstd';
  readonly isProgram?: boolean;
  readonly pack: (bytes: Uint8Array) => Buffer | Promise<Buffer>;
}

const ZSTD_OPTIONS = [['-1'], ['-19'], ['--fast=5'], ['--long'], ['--no-check'], ['--no-compress-literals']];

export const PACKERS: readonly Packer[] = [
  { name: 'gzip', compression: 'gzip', pack: (bytes) => gzipSync(bytes) },
  { name: 'gzip -1', compression: 'gzip', pack: (bytes) => gzipSync(bytes, { level: 1 }) },
  { name: 'gzip, stored', compression: 'gzip', pack: (bytes) => gzipSync(bytes, { level: 0 }) },
  { name: 'own zstd', compression: 'zstd', pack: (bytes) => joined(zstdPackedChunks(pieces(bytes))) },
  ...ZSTD_OPTIONS.filter(() => HAS_ZSTD).map((options) => ({
    name: `zstd ${options.join(' ')}`,
    compression: 'zstd' as const,
    isProgram: true,
    pack: (bytes: Uint8Array) => filter('zstd', ['-q', '-c', ...options], bytes),
  })),
  ...['none', 'crc32', 'crc64']
    .filter(() => HAS_XZ)
    .map((check) => ({
      name: `xz with ${check}`,
      compression: 'xz' as const,
      isProgram: true,
      pack: (bytes: Uint8Array) => filter('xz', ['-c', '-C', check], bytes),
    })),
];
