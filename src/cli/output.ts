/**
 * Writing to stdout: all of it, at the pace of whoever reads, and without noise when the reader has gone.
 */
import { once } from 'node:events';

let readerGone = false;
let watched = false;

/** `spbsim run … | head` closes the pipe early. That is no error; what is left to say is not wanted any more. */
export function ignoreClosedPipe(): void {
  if (watched) return;
  watched = true;
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    readerGone = true;
  });
}

/** Writes text to stdout and waits until there is room for more. */
export async function print(text: string): Promise<void> {
  if (readerGone) return;
  if (process.stdout.write(text)) return;
  await Promise.race([once(process.stdout, 'drain'), once(process.stdout, 'close')]).catch(() => undefined);
}
