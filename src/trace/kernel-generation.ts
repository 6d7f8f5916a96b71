/**
 * Which of the modelled kernels a release belongs to.
 *
 * The generations differ in gfp values and texts and in allocator rules; a release between two of them is read as the
 * one whose rules it has. model: page-allocator 0, 10
 */

export const KERNEL_GENERATIONS = ['6.1', '6.18', '7.2'] as const;
export type KernelGeneration = (typeof KERNEL_GENERATIONS)[number];

export interface KernelGuess {
  /** as `uname -r` prints it, e.g. `6.18.44`; empty if the text names none */
  readonly release: string;
  readonly generation: KernelGeneration;
  /** whether the release lies in a range for which the generation's rules are known to hold */
  readonly sure: boolean;
  /** one sentence for the user when it does not */
  readonly note: string | undefined;
}

/**
 * Guesses from a release (`6.18.44`) or from a text that holds one (`uname -srm`, /proc/version, a banner).
 *
 * 6.1.x is 6.1; 6.7 to 7.0 is 6.18; 7.1 and later is 7.2; everything else is read as its neighbour, and `note` says so.
 */
export function guessKernel(text: string): KernelGuess {
  const match = /(?:^|\s)(\d+)\.(\d+)([^\s]*)/.exec(text);
  if (match === null) {
    return { release: '', generation: '6.18', sure: false, note: 'no kernel release found, read as 6.18' };
  }
  const major = Number(match[1]);
  const minor = Number(match[2]);
  const release = match[0].trim();
  const version = major * 1000 + minor;
  const guess = (generation: KernelGeneration, sure: boolean): KernelGuess => ({
    release,
    generation,
    sure,
    note: sure ? undefined : `kernel ${release} has no model of its own, read as ${generation}`,
  });
  if (version < 6007) return guess('6.1', version === 6001);
  if (version < 7001) return guess('6.18', true);
  return guess('7.2', version <= 7003);
}
