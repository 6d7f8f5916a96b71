import { printable } from '../../report/sanitize.js';
import { ExitCode } from '../exit-codes.js';
import { checkInputs, type InputOptions, openOptions } from '../input-options.js';
import { guardInterrupt } from '../interrupt.js';
import { print } from '../output.js';
import { ProgressLine } from '../progress.js';
import { chooseSelection, type SelectionOptions } from '../selection-options.js';

export interface InfoOptions extends InputOptions, SelectionOptions {
  readonly join: 'time' | 'append';
  readonly json?: true;
  readonly verbose?: true;
}

/** `spbsim info`: says what traces hold. */
export async function infoCommand(inputs: readonly string[], options: InfoOptions): Promise<void> {
  await checkInputs(inputs);
  const selection = await chooseSelection(options);
  const open = await openOptions(options);
  const { inspectTraces } = await import('../../sim/trace-info.js');
  const progress = new ProgressLine();
  const interrupt = guardInterrupt();
  const info = await inspectTraces({
    inputs,
    join: options.join,
    open,
    selection,
    onProgress: (done) => progress.update(done),
    signal: interrupt.signal,
  }).finally(() => {
    progress.clear();
    interrupt.release();
  });
  if (options.json) {
    const { renderInfoJson } = await import('../../report/result-json.js');
    await print(renderInfoJson(info));
  } else {
    const [{ renderInfo }, { terminalStyle }] = await Promise.all([
      import('../../report/info-text.js'),
      import('../../report/text-style.js'),
    ]);
    await print(renderInfo(info, { verbose: options.verbose ?? false }, await terminalStyle()));
  }
  for (const { cut } of info.inputs) {
    if (cut === null) continue;
    process.exitCode = ExitCode.invalidInput;
    process.stderr.write(`${printable(cut)}; the counts are of what was read\n`);
  }
  if (info.interrupted) process.exitCode = ExitCode.interrupted;
}
