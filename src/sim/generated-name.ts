/** Names of generated workloads; apart from what makes them, so that asking costs nothing. */

export const PREFIX = 'gen:';

export function isGenerated(input: string): boolean {
  return input.startsWith(PREFIX);
}
