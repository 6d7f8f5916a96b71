/** The digest by which documents name an input: of its bytes as they are stored. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';

export interface Digest {
  /** lower-case hex; empty if not all was read */
  readonly sha256: string;
  readonly bytes: number;
}

export const NO_DIGEST: Digest = { sha256: '', bytes: 0 };

const READ_BYTES = 1 << 20;

/**
 * Digest of a file, read for that alone.
 *
 * @param signal  ends the reading; then, and of what is no regular file, there is no digest
 */
export async function digestFile(path: string, signal?: AbortSignal): Promise<Digest> {
  const found = await stat(path);
  if (!found.isFile()) return NO_DIGEST;
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: READ_BYTES })) {
    if (signal?.aborted) return NO_DIGEST;
    hash.update(chunk as Buffer);
    bytes += (chunk as Buffer).length;
  }
  return { sha256: hash.digest('hex'), bytes };
}
