/** Digest and size of an input, as the result documents name it. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { ResultInput } from '../report/run-result.js';

/** @param path file whose bytes are digested, as stored; `-` and pipes cannot be read twice and have no digest */
export async function digestInput(name: string, format: string, path: string): Promise<ResultInput> {
  const found = path === '-' ? undefined : await stat(path);
  if (found === undefined || !found.isFile()) return { path: name, format, sha256: '', bytes: 0 };
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return { path: name, format, sha256: hash.digest('hex'), bytes: found.size };
}
