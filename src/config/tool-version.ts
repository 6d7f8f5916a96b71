import { readFileSync } from 'node:fs';

/** Version of this program, as its package says it. */
export function toolVersion(): string {
  // src/config and dist/config are equally deep, so the same relative path serves tests and the built program.
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  const { version } = JSON.parse(text) as { version: string };
  return version;
}
