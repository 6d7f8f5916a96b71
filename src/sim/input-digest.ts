/** Digest and size of an input, as the result documents name it. */
import type { ResultInput } from '../report/run-result.js';
import { digestFile, NO_DIGEST } from '../trace/bytes/digest.js';

/** @param path file whose bytes are digested, as stored; `-` and pipes cannot be read twice and have no digest */
export async function digestInput(name: string, format: string, path: string): Promise<ResultInput> {
  return { path: name, format, ...(path === '-' ? NO_DIGEST : await digestFile(path)) };
}
