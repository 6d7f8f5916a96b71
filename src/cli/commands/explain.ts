/** `spbsim explain`: options to a request, the explanation to text or JSON. */
import { UsageError } from '../../config/usage-error.js';
import type { EventTarget } from '../../sim/explain-find.js';
import { checkInputs, type InputOptions, openOptions } from '../input-options.js';
import { chooseMachine, type MachineOptions } from '../machine-options.js';
import { machineLimit } from '../option-values.js';
import { print } from '../output.js';
import { watched } from '../watched.js';

export interface ExplainOptions extends InputOptions, MachineOptions {
  readonly event?: number;
  readonly id?: string;
  readonly nth?: number;
  readonly json?: true;
  readonly seed: number;
  readonly join: 'time' | 'append';
  readonly maxMachine?: string;
}

function targetOf({ event, id, nth }: ExplainOptions): EventTarget {
  if ((event === undefined) === (id === undefined))
    throw new UsageError('name one event: by its number (--event N) or by the id that it allocates (--id X)');
  if (id !== undefined) return { id, nth: nth ?? 1 };
  if (nth !== undefined) throw new UsageError('--nth counts the allocations of an id: give --id X with it');
  return { number: event as number };
}

/** Replays traces up to one event and prints what the model does for it. */
export async function explainCommand(inputs: readonly string[], options: ExplainOptions): Promise<void> {
  await checkInputs(inputs);
  const target = targetOf(options);
  const { resolvePolicy } = await import('../../config/resolve-policy.js');
  const policy = await resolvePolicy(options.policy, options.set);
  const machine = await chooseMachine(options);
  const { explainEvent } = await import('../../sim/explain.js');
  const explanation = await watched(async ({ onProgress, signal }) =>
    explainEvent({
      inputs: [...inputs],
      target,
      policy,
      ...machine,
      join: options.join,
      seed: options.seed,
      open: await openOptions(options),
      max_machine_pages: await machineLimit(options.maxMachine),
      onProgress,
      signal,
    }),
  );
  if (options.json) {
    const { jsonText } = await import('../../report/result-json.js');
    await print(jsonText(explanation));
    return;
  }
  const [{ renderExplanation }, { terminalStyle }] = await Promise.all([
    import('../../report/explain-text.js'),
    import('../../report/text-style.js'),
  ]);
  await print(renderExplanation(explanation, await terminalStyle()));
}
