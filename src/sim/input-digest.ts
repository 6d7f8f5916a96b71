/** Digest and size of an input, as the result documents name it. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { ResultInput } from '../report/run-result.js';

/** @param path file whose bytes are digested, as stored; `-` cannot be read twice and has no digest */
export async function digestInput(name: string, format: string, path: string): Promise<ResultInput> {
  if (path === '-') return { path: name, format, sha256: '', bytes: 0 };
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  const { size } = await stat(path);
  return { path: name, format, sha256: hash.digest('hex'), bytes: size };
}
