/** The page allocator's lists that were dumped beside a slab run, and a page allocator that begins with them. */
import { access } from 'node:fs/promises';
import { loadExactState } from '../../mm/page-alloc/exact-state.js';
import { PageAllocator } from '../../mm/page-alloc/page-allocator.js';
import type { Policy } from '../../mm/policy.js';
import { openInput } from '../../trace/bytes/open-input.js';
import { InputError } from '../../trace/input-error.js';
import { guessKernel } from '../../trace/kernel-generation.js';
import type { TraceLimits } from '../../trace/limits.js';
import type { StateDump } from '../../trace/oracle/oracle-dump.js';
import { readStateDumps } from '../../trace/oracle/oracle-run.js';
import type { SlabRunHeader } from '../../trace/oracle/slab-run-lines.js';
import { machineProblem, machineSizeProblem } from '../machine-limit.js';
import { exactFromDump, machineFromDump } from '../start-state/from-dump.js';

/** Name of the dump that the run begins with. */
export const FIRST_PAGES = 'pages_initial';
/** and of the one behind the last operation of a scripted mix */
export const LAST_PAGES = 'pages_final';

type RunMachine = Pick<SlabRunHeader, 'cpus' | 'nodes' | 'release'>;

export interface PageDumps {
  /** @throws InputError if there is none of the name */
  dump(name: string): StateDump;
  /** @throws InputError for a machine that is none, or not that of the run */
  start(policy: Policy): PageAllocator;
}

/** @returns undefined where no file of that name stands beside the run */
export async function pageDumpsBeside(
  path: string,
  header: RunMachine,
  options: { readonly max_machine_pages: number; readonly limits?: TraceLimits | undefined },
): Promise<PageDumps | undefined> {
  const beside = path.replace(/\.jsonl(\.xz|\.gz|\.zst)?$/, '.pages.jsonl$1');
  if (beside === path || !(await exists(beside))) return undefined;
  const dumps = await readStateDumps(await openInput(beside, options.limits), {
    hasCma: guessKernel(header.release).generation === '7.2',
  });
  const dumpOf = (name: string): StateDump => {
    const dump = dumps.find(({ when }) => when === name);
    if (dump !== undefined) return dump;
    throw new InputError({ file: beside, expectation: `holds no dump named ${name}` });
  };
  return {
    dump: dumpOf,
    start: (policy) => pagesFrom(dumpOf(FIRST_PAGES), header, policy, beside, options.max_machine_pages),
  };
}

/** @throws InputError for a machine that is none, or not that of the run */
function pagesFrom(
  dump: StateDump,
  { cpus, nodes }: RunMachine,
  policy: Policy,
  file: string,
  max_pages: number,
): PageAllocator {
  const spec = machineFromDump(dump);
  const missing = Array.from({ length: nodes }, (_, node) => node).find(
    (node) => !dump.zones.some((zone) => zone.node === node && zone.managed > 0),
  );
  if (dump.cpus !== cpus || missing !== undefined)
    throw new InputError({
      file,
      field: missing === undefined ? 'state.ncpu' : 'zone.node',
      value: String(missing ?? dump.cpus),
      expectation:
        missing === undefined
          ? `is not the ${cpus} of the run beside it`
          : 'has no memory, but the run uses it',
      remedy: 'the file with the pages belongs to the run whose name it bears',
    });
  const problem = machineProblem(spec) ?? machineSizeProblem(spec, max_pages);
  if (problem !== undefined) throw new InputError({ file, ...problem });
  const mm = new PageAllocator(spec, policy);
  loadExactState(mm, exactFromDump(dump));
  return mm;
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}
