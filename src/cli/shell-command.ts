/** A command as somebody can paste it into a shell: words that a shell would take apart or act on are quoted. */

const PLAIN_WORD = /^[A-Za-z0-9_./:=%+,@-]+$/;

export function shellCommand(words: readonly string[]): string {
  return words.map((word) => (PLAIN_WORD.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)).join(' ');
}
