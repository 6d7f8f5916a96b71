/**
 * A mistake in how the program was called: an unknown policy, a bad `--set`, options that contradict each other.
 *
 * The message is one line and says what to do; the CLI prints it without a stack and exits with 2.
 */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
