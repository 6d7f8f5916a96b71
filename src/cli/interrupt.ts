import { ExitCode } from './exit-codes.js';

export interface InterruptGuard {
  readonly signal: AbortSignal;
  /** gives SIGINT its default meaning back */
  release(): void;
}

/** The first SIGINT asks the run to stop and print what it has; the second one ends the program at once. */
export function guardInterrupt(): InterruptGuard {
  const controller = new AbortController();
  const onInterrupt = () => {
    if (controller.signal.aborted) process.exit(ExitCode.interrupted);
    process.exitCode = ExitCode.interrupted;
    controller.abort();
  };
  process.on('SIGINT', onInterrupt);
  return { signal: controller.signal, release: () => process.off('SIGINT', onInterrupt) };
}
