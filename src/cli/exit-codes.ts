/** What the exit status of the program says. The help texts list it, so that a CI job can rely on it. */
export const ExitCode = {
  done: 0,
  /** a check, a budget or a verification failed; nothing is wrong with the program or its input */
  failed: 1,
  usage: 2,
  invalidInput: 3,
  /** an invariant of the model broke, or any other bug of this program */
  internal: 4,
  interrupted: 130,
} as const;
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

export const EXIT_CODES_HELP = `
Exit codes:
  0    done
  1    a check or verification failed
  2    wrong usage: unknown option, policy or knob
  3    invalid input: a trace, recording, policy or machine file
  4    an internal invariant broke: a bug of spbsim, not of the input; a reproducer is written
  130  interrupted; what was done so far is printed`;
