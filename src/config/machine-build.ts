/**
 * `--build preempt_rt,slab_debug=FZPU`: how the kernel of a machine was built and booted, whatever else is known of the
 * machine. `slab_debug=` takes the rest of the text, for its value has commas of its own.
 * model: slub 3.6
 */
import { buildProblem, DEFAULT_BUILD, type MachineBuild } from '../mm/machine-build.js';
import type { MachineSpec } from '../mm/machine-spec.js';
import { didYouMean } from './nearest-name.js';
import { UsageError } from './usage-error.js';

/** What `slab_debug` without a value stands for. */
const ALL_DEBUGGING = 'FZPU';

const WORDS: ReadonlyMap<string, Partial<MachineBuild>> = new Map([
  ['preempt_rt', { preempt_rt: true }],
  ['up', { smp: false }],
  ['slub_tiny', { slub_tiny: true }],
  ['no_cmpxchg_double', { cmpxchg_double: false }],
  ['slab_nomerge', { slab_merge: false }],
  ['slab_debug', { slab_debug: ALL_DEBUGGING }],
]);

export const BUILD_WORDS: readonly string[] = [...WORDS.keys()];

const SLAB_DEBUG = /(?:^|,)slab_debug=(.*)$/s;

/** What an option changes of a machine's build. */
export interface BuildChoice {
  readonly changes: Partial<MachineBuild>;
  /** as the user wrote it, for messages and for the origin of the machine */
  readonly text: string;
}

/** @throws UsageError that names the first word that is none */
export function parseBuild(text: string, option = '--build'): BuildChoice {
  const debug = SLAB_DEBUG.exec(text);
  const words = (debug === null ? text : text.slice(0, debug.index)).split(',');
  const changes: { -readonly [K in keyof MachineBuild]?: MachineBuild[K] } = {};
  for (const word of words) {
    if (word === '' && debug !== null) continue;
    const change = WORDS.get(word);
    if (change === undefined)
      throw new UsageError(
        `${option} ${text}: unknown word ${JSON.stringify(word)}${didYouMean(word, BUILD_WORDS)}; expected ${BUILD_WORDS.join(', ')}, the last also as slab_debug=FZ,kmalloc-64`,
      );
    Object.assign(changes, change);
  }
  if (debug !== null) changes.slab_debug = debug[1] === '' ? ALL_DEBUGGING : debug[1]!;
  return { changes, text };
}

/**
 * The machine with a build changed; the same machine where nothing is asked for.
 *
 * @throws UsageError if no kernel is built or booted so
 */
export function withBuild(spec: MachineSpec, choice: BuildChoice | undefined): MachineSpec {
  if (choice === undefined) return spec;
  const build = { ...DEFAULT_BUILD, ...spec.build, ...choice.changes };
  const problem = buildProblem(build, spec.cpu_nodes.length);
  if (problem !== undefined) throw new UsageError(`--build ${choice.text}: ${problem.text}`);
  return { ...spec, build };
}
