/** Options of the commands that replay: the policy, and the machine that it runs on. */
import type { Command } from 'commander';
import { Option } from 'commander';
import type { RunRequest } from '../sim/run-trace.js';
import { repeated, wholeNumber } from './option-values.js';

/** What {@link addMachineOptions} parses. */
export interface MachineOptions {
  readonly policy?: string;
  readonly set: readonly string[];
  readonly machine?: string;
  readonly memory?: string;
  readonly nodes?: number;
  readonly cpus?: number;
  readonly build?: string;
}

export function setOption(): Option {
  return new Option('--set <knob=value>', 'change one knob of the policy (repeatable)')
    .argParser(repeated)
    .default([], 'none');
}

/** Adds the options to a command. */
export function addMachineOptions(command: Command): Command {
  return addMachineChoice(
    command
      .option('-p, --policy <name|file>', 'preset or policy file (default: mainline-6.18)')
      .addOption(setOption()),
  );
}

/** The machine alone, for commands that are told their policies otherwise. */
export function addMachineChoice(command: Command): Command {
  return command
    .option('-m, --machine <file>', 'machine file; without one the recording says, or 4 GiB is assumed')
    .option('--memory <size>', 'a machine of this size, such as 256GiB')
    .addOption(new Option('--nodes <n>', 'its NUMA nodes').argParser(wholeNumber('--nodes', 1)))
    .addOption(new Option('--cpus <n>', 'its CPUs').argParser(wholeNumber('--cpus', 1)))
    .option(
      '--build <words>',
      'how its kernel was built and booted: preempt_rt, up, slub_tiny, no_cmpxchg_double, slab_nomerge, slab_debug=FZPU',
    );
}

/** What of the options is about the machine. */
export type MachineWords = {
  readonly [K in 'machine' | 'memory' | 'nodes' | 'cpus' | 'build']?: MachineOptions[K] | undefined;
};

export type MachineChoice = Pick<RunRequest, 'machine' | 'machineOrigin' | 'build'>;

/** The machine that the options ask for, undefined leaves it to the recording; and the build that any machine gets. */
export async function chooseMachine(options: MachineWords): Promise<MachineChoice> {
  const { build } = options;
  const choice = await chooseSize(options);
  if (build === undefined) return choice;
  return { ...choice, build: (await import('../config/machine-build.js')).parseBuild(build) };
}

async function chooseSize(options: MachineWords): Promise<MachineChoice> {
  const { machine, memory, nodes, cpus } = options;
  const { UsageError } = await import('../config/usage-error.js');
  if (machine !== undefined) {
    if (memory !== undefined || nodes !== undefined || cpus !== undefined) {
      throw new UsageError('--machine FILE says all: leave out --memory, --nodes and --cpus');
    }
    const { readMachineFile } = await import('../config/machine-file.js');
    return { machine: await readMachineFile(machine), machineOrigin: machine };
  }
  if (memory === undefined) {
    if (nodes !== undefined || cpus !== undefined) {
      throw new UsageError(
        '--nodes and --cpus describe a machine of a given size: add --memory, such as --memory 8GiB',
      );
    }
    return { machine: undefined };
  }
  const [{ machineFromSize }, { parseSizePages }] = await Promise.all([
    import('../config/machine-by-size.js'),
    import('../config/size.js'),
  ]);
  const machineSpec = machineFromSize({ memory_pages: parseSizePages(memory, '--memory'), nodes, cpus });
  const parts = [`--memory ${memory}`];
  if (nodes !== undefined) parts.push(`--nodes ${nodes}`);
  if (cpus !== undefined) parts.push(`--cpus ${cpus}`);
  return { machine: machineSpec, machineOrigin: parts.join(' ') };
}
