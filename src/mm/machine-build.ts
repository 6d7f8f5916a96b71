/**
 * How a machine's kernel was built and booted, as far as its allocators behave differently: plain data, part of the
 * description of the machine.
 * model: slub 3.6
 */
import { parseSlabDebug } from './slab/slab-debug.js';

export interface MachineBuild {
  /** CONFIG_PREEMPT_RT: locks sleep and have an owner, interrupts stay on below them */
  readonly preempt_rt: boolean;
  /** CONFIG_SMP; without it spinlocks are nothing, and there is one CPU */
  readonly smp: boolean;
  /** CONFIG_SLUB_TINY: no state per CPU */
  readonly slub_tiny: boolean;
  /** the processor can compare and exchange two words at once */
  readonly cmpxchg_double: boolean;
  /** value of `slab_debug=` on the boot line; empty without it. model: slub 3.6a */
  readonly slab_debug: string;
  /** caches may share slabs; false after `slab_nomerge` */
  readonly slab_merge: boolean;
}

/** An ordinary distribution kernel on x86-64. */
export const DEFAULT_BUILD: MachineBuild = {
  preempt_rt: false,
  smp: true,
  slub_tiny: false,
  cmpxchg_double: true,
  slab_debug: '',
  slab_merge: true,
};

export interface BuildProblem {
  readonly key: keyof MachineBuild;
  readonly text: string;
}

/** What no kernel can be built or booted as; undefined where nothing is wrong. */
export function buildProblem(build: MachineBuild, cpus: number): BuildProblem | undefined {
  if (!build.smp && cpus > 1)
    return {
      key: 'smp',
      text: `a kernel for one processor has one CPU, this machine has ${cpus}: give it one CPU, or an SMP kernel`,
    };
  const { unknown } = parseSlabDebug(build.slab_debug);
  if (unknown !== '')
    return {
      key: 'slab_debug',
      text: `unknown option ${JSON.stringify([...unknown][0])}: expected letters of FZPUTAO, or -, then names of caches after commas; blocks are parted by ;`,
    };
  if (build.slub_tiny && build.slab_debug !== '')
    return {
      key: 'slab_debug',
      text: 'a SLUB_TINY kernel is built without slab debugging: leave one of the two out',
    };
  return undefined;
}
