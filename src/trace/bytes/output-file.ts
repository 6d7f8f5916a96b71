/**
 * Writes a file whole or not at all.
 *
 * The bytes go to a temporary file beside the wanted one, which is renamed when all of it is there: a run that fails or
 * is interrupted leaves what stood there before. How it is packed is told by the name.
 */
import { unlinkSync } from 'node:fs';
import { type FileHandle, open, realpath, rename, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fromSystemError } from '../input-error.js';

const STDOUT = '-';
/** A file name may have 255 bytes; this many characters of the wanted name leave room for the rest. */
const NAME_CHARACTERS = 32;
const PERMISSION_BITS = 0o777;

let temporaryFiles = 0;

async function packed(path: string, chunks: AsyncIterable<Uint8Array>): Promise<AsyncIterable<Uint8Array>> {
  if (!path.endsWith('.gz') && !path.endsWith('.zst')) return chunks;
  const { gzipChunks, zstdPackedChunks } = await import('./pack-chunks.js');
  return path.endsWith('.gz') ? gzipChunks(chunks) : zstdPackedChunks(chunks);
}

/** Writes the whole chunk, also where the system takes only a part at once. */
async function writeAll(handle: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let at = 0; at < chunk.length; ) at += (await handle.write(chunk, at, chunk.length - at)).bytesWritten;
}

/**
 * Errors of the chunks are the producer's and pass as they are; those of the file are told by `tell`.
 *
 * @returns bytes written
 */
async function pour(
  chunks: AsyncIterable<Uint8Array>,
  handle: FileHandle,
  tell: (error: unknown) => unknown,
): Promise<number> {
  let written = 0;
  for await (const chunk of chunks) {
    try {
      await writeAll(handle, chunk);
    } catch (error) {
      throw tell(error);
    }
    written += chunk.length;
  }
  return written;
}

/** All of `chunks`, or as much as whoever reads wants: `| head` closes the pipe early, which is no error. */
async function pourToStdout(chunks: AsyncIterable<Uint8Array>): Promise<number> {
  // The callback of each write tells its error; without a listener the same error would end the process.
  if (process.stdout.listenerCount('error') === 0) process.stdout.on('error', () => {});
  let written = 0;
  for await (const chunk of chunks) {
    const error = await new Promise<NodeJS.ErrnoException | null | undefined>((resolve) => {
      process.stdout.write(chunk, resolve);
    });
    if (error?.code === 'EPIPE') break;
    if (error) throw fromSystemError(error, STDOUT, 'written');
    written += chunk.length;
  }
  return written;
}

/** What stands at `path`, and where it really is if it is a link. */
async function existing(path: string) {
  try {
    const real = await realpath(path);
    return { path: real, stat: await stat(real) };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Makes a new file with a name that no other has, beside `path`. */
async function openBeside(path: string): Promise<{ readonly name: string; readonly handle: FileHandle }> {
  for (;;) {
    const short = basename(path).slice(0, NAME_CHARACTERS);
    const name = join(dirname(path), `.${short}.${process.pid}-${temporaryFiles++}.tmp`);
    try {
      return { name, handle: await open(name, 'wx') };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}

/**
 * Writes `chunks` to `path`: `-` is standard output, a name in `.gz` or `.zst` is packed, what is no regular file (a
 * device, a FIFO) is written directly.
 *
 * @returns bytes written, as they are on the disk
 * @throws InputError  if it cannot be written; what `chunks` throws is thrown as it is
 */
export async function writeOutput(path: string, chunks: AsyncIterable<Uint8Array>): Promise<number> {
  const tell = (error: unknown) => fromSystemError(error, path, 'written');
  const told = <T>(work: Promise<T>): Promise<T> =>
    work.catch((error: unknown) => Promise.reject(tell(error)));
  if (path === STDOUT) return pourToStdout(chunks);

  const bytes = await packed(path, chunks);
  const before = await told(existing(path));
  if (before !== undefined && !before.stat.isFile()) {
    const handle = await told(open(path, 'w'));
    try {
      return await pour(bytes, handle, tell);
    } finally {
      await handle.close();
    }
  }

  const target = before?.path ?? path;
  const { name, handle } = await told(openBeside(target));
  const removeAtExit = () => {
    try {
      unlinkSync(name);
    } catch {
      // Gone already: there is nothing to leave behind.
    }
  };
  process.on('exit', removeAtExit);
  try {
    try {
      if (before !== undefined) await told(handle.chmod(before.stat.mode & PERMISSION_BITS));
      const written = await pour(bytes, handle, tell);
      await told(handle.close());
      await told(rename(name, target));
      return written;
    } catch (error) {
      await handle.close().catch(() => {});
      await unlink(name).catch(() => {});
      throw error;
    }
  } finally {
    process.off('exit', removeAtExit);
  }
}
