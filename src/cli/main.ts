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
  const program = createProgram();
  try {
    await program.parseAsync([...argv]);
  } catch (error) {
    if (error instanceof CommanderError) {
      // It has printed its message; help that was asked for and the version are no mistakes.
      process.exitCode = error.exitCode === 0 ? ExitCode.done : ExitCode.usage;
      return;
    }
    const { code, text } = reportError(error);
    process.exitCode = code;
    process.stderr.write(text);
  }
}
