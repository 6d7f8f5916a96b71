/**
 * The entry of the command line: runs one command and turns whatever happens into an exit code.
 */
import { CommanderError } from 'commander';
import { ExitCode } from './exit-codes.js';
import { ignoreClosedPipe } from './output.js';
import { createProgram } from './program.js';
import { reportError } from './report-error.js';

/**
 * @param argv  as `process.argv`: interpreter, script, arguments
 */
export async function main(argv: readonly string[]): Promise<void> {
  ignoreClosedPipe();
  // Nothing is left that could end the command: without this it would seem to have succeeded.
  process.once('beforeExit', failUnfinished);
  try {
    await runProgram(argv);
  } finally {
    process.off('beforeExit', failUnfinished);
  }
}

function failUnfinished(): void {
  process.exitCode = ExitCode.internal;
  process.stderr.write('internal error: the command stopped before it was done; this is a bug in spbsim\n');
}

async function runProgram(argv: readonly string[]): Promise<void> {
  const program = createProgram();
  try {
    await program.parseAsync([...argv]);
  } catch (error) {
    if (error instanceof CommanderError) {
      // It has printed its message; help that was asked for and the version are no mistakes.
      process.exitCode = error.exitCode === 0 ? ExitCode.done : ExitCode.usage;
      return;
    }
    const { code, text } = reportError(await withReproducer(error, argv.slice(2)));
    process.exitCode = code;
    process.stderr.write(text);
  }
}

/** A bug's error, with the file that makes it happen again; any other error as it is. */
async function withReproducer(error: unknown, args: readonly string[]): Promise<unknown> {
  if (!(error instanceof Error) || reportError(error).code !== ExitCode.internal || 'reproducer' in error)
    return error;
  const { writeReproducer } = await import('./reproducer.js');
  return Object.assign(error, { reproducer: await writeReproducer(args, error) });
}
