/** Scripted runs that are damaged, or describe what cannot be. */
import { readFileSync } from 'node:fs';
import { type BadInput, repeated } from './bad-input.js';

const { zone: ZONE, pcp: PCP } = JSON.parse(
  readFileSync(new URL('data/tiny-run.json', import.meta.url), 'utf8'),
) as { readonly zone: Record<string, unknown>; readonly pcp: Record<string, unknown> };
const RUN = {
  t: 'run',
  mix: 'm',
  seed: 1,
  nops: 3,
  release: '6.18.2',
  gfps: [['kernel', 0xcc0]],
  max_nr_zones: 5,
};
const STATE = { t: 'state', when: 'initial', op: 0, cpu: 0, ncpu: 1, jiffies: 1 };
const FREE = { t: 'free', zone: 0, order: 10, mt: 1, pfns: [0] };
const BLOCKS = { t: 'pageblocks', zone: 0, first_pfn: 0, pageblock_order: 9, mts: '11' };
const END = { t: 'endstate', when: 'initial' };
const LISTS = { t: 'zonelist', node: 0, kind: 'fallback', zones: [0] };
const GOOD: readonly unknown[] = [
  RUN,
  LISTS,
  STATE,
  ZONE,
  FREE,
  BLOCKS,
  PCP,
  END,
  [0, 'A', 0, 0, 0],
  [1, 'F', 0, 0, 0],
];

function run(...lines: readonly unknown[]): Record<string, string> {
  return {
    'x.jsonl': lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n'),
  };
}

/** The good run with one line replaced. */
function changed(line: unknown, to: unknown): Record<string, string> {
  return run(...GOOD.map((each) => (each === line ? to : each)));
}

function dump(change: (line: typeof ZONE) => unknown): Record<string, string> {
  return changed(ZONE, change(ZONE));
}

export const ORACLE_CASES: readonly BadInput[] = [
  { name: 'the good run', command: 'verify x.jsonl', files: run(...GOOD), code: 0, stderr: '', stdout: /./ },
  {
    name: 'a line that is no JSON',
    command: 'verify x.jsonl',
    files: run(RUN, '{"t":"sta\u001b[2J'),
    code: 3,
    stderr: 'x.jsonl:2  "{"t":"sta\\x1b[2J" is not JSON; each line is one value',
  },
  {
    name: 'a line of 100,000 brackets',
    command: 'verify x.jsonl',
    files: run(RUN, '['.repeat(100_000)),
    code: 3,
    stderr:
      'x.jsonl:2  "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[…" is not JSON; each line is one value',
  },
  {
    name: 'keys named __proto__',
    command: 'verify x.jsonl',
    files: run(RUN, '{"t":"nmi","__proto__":{"x":1}}', '{"t":"__proto__"}'),
    code: 3,
    stderr: 'x.jsonl:3  __proto__ stands outside of a dump',
  },
  {
    name: 'a kind whose text is no text',
    command: 'verify x.jsonl',
    files: run(RUN, '{"t":{"toString":1}}'),
    code: 3,
    stderr: 'x.jsonl:2  {"toString":1} stands outside of a dump',
  },
  {
    name: 'no header',
    command: 'verify x.jsonl',
    files: run(...GOOD.slice(1)),
    code: 3,
    stderr:
      'x.jsonl  holds no scripted run: it has no line {"t":"run",…}; verify takes runs and recordings; a file of dumps belongs to one of them',
  },
  {
    name: 'a header that redraws the screen',
    command: 'verify x.jsonl',
    files: changed(RUN, { ...RUN, mix: '\u001b[2Jm', release: '6.18.2\u202e' }),
    code: 0,
    stderr: '',
    stdout: /./,
  },
  {
    name: 'an operation that is none',
    command: 'verify x.jsonl',
    files: run(...GOOD, [2, 'X', 0, 0, 0]),
    code: 3,
    stderr: 'x.jsonl:11  operation "X" is not A, F or C',
  },
  {
    name: 'a request that the header does not list',
    command: 'verify x.jsonl',
    files: run(...GOOD, [2, 'A', 7, 0, 0]),
    code: 3,
    stderr: 'x.jsonl:11  A "7" names a request that the header does not list',
  },
  {
    name: 'an order of 11',
    command: 'verify x.jsonl',
    files: run(...GOOD, [2, 'A', 0, 11, 0]),
    code: 3,
    stderr: 'x.jsonl:11  A "11" has no order',
  },
  {
    name: 'a free of nothing',
    command: 'verify x.jsonl',
    files: run(...GOOD, [2, 'F', 99, 0, 0]),
    code: 3,
    stderr: 'x.jsonl:11  F "99" names no operation whose pages are in use',
  },
  {
    name: 'a free twice',
    command: 'verify x.jsonl',
    files: run(...GOOD, [2, 'F', 0, 0, 0]),
    code: 3,
    stderr: 'x.jsonl:11  F "0" names no operation whose pages are in use',
  },
  {
    name: 'a free of another order',
    command: 'verify x.jsonl',
    files: run(...GOOD, [2, 'A', 0, 0, 1], [3, 'F', 2, 3, 1]),
    code: 3,
    stderr: 'x.jsonl:12  F "3" is not the order of operation 2, 0',
  },
  {
    name: 'a free of what a later dump has free',
    command: 'verify x.jsonl',
    files: run(RUN, [0, 'A', 0, 0, 0], ...GOOD.slice(1, 8), [1, 'F', 0, 0, 0]),
    code: 3,
    stderr: 'x.jsonl  operation 1 frees 0x0 (order 0), which the dump before it does not hold in use',
  },
  {
    name: 'an operation inside a dump',
    command: 'verify x.jsonl',
    files: run(RUN, STATE, [0, 'A', 0, 0, 0]),
    code: 3,
    stderr: 'x.jsonl:3  operation stands inside a dump',
  },
  {
    name: 'a dump that does not end',
    command: 'verify x.jsonl',
    files: run(RUN, STATE, ZONE),
    code: 3,
    stderr: 'x.jsonl:3  ends in the middle of a dump',
  },
  {
    name: 'a machine of petabytes',
    command: 'verify x.jsonl',
    files: dump((zone) => ({ ...zone, spanned: 2 ** 40 })),
    code: 3,
    stderr: 'x.jsonl:4  zone.spanned "1099511627776" ends above the largest PFN (32 bits)',
  },
  {
    name: 'a machine above the limit',
    command: 'verify x.jsonl --max-machine 2MiB',
    files: run(...GOOD),
    code: 3,
    stderr: 'x.jsonl  declares memory up to 4 MiB, the limit is 2 MiB; raise --max-machine if that is right',
  },
  {
    name: 'a node of 10^9',
    command: 'verify x.jsonl',
    files: dump((zone) => ({ ...zone, node: 1e9 })),
    code: 3,
    stderr: 'x.jsonl:4  zone.node "1000000000" is not a node from 0 to 1023',
  },
  {
    name: 'a million CPUs',
    command: 'verify x.jsonl',
    files: changed(STATE, { ...STATE, ncpu: 1_000_000 }),
    code: 3,
    stderr: 'x.jsonl:3  state.ncpu "1000000" is not a number from 1 to 8192',
  },
  {
    name: 'a zone that no kernel has',
    command: 'verify x.jsonl',
    files: dump((zone) => ({ ...zone, name: 'constructor' })),
    code: 3,
    stderr:
      'x.jsonl:4  zone.name "constructor" is not a zone of a modelled machine (DMA, DMA32, Normal, Movable, Device)',
  },
  {
    name: 'a page on two lists',
    command: 'verify x.jsonl',
    files: changed(FREE, { ...FREE, order: 0, pfns: [5, 6, 5] }),
    code: 3,
    stderr: 'x.jsonl:8  pfns "5" holds a page that stands on a list already',
  },
  {
    name: 'a chunk that is not aligned',
    command: 'verify x.jsonl',
    files: changed(FREE, { ...FREE, order: 3, pfns: [4] }),
    code: 3,
    stderr: 'x.jsonl:8  pfns "4" holds what is no chunk of order 3 in zone 0',
  },
  {
    name: 'a chunk outside of its zone',
    command: 'verify x.jsonl',
    files: changed(FREE, { ...FREE, pfns: [1024] }),
    code: 3,
    stderr: 'x.jsonl:8  pfns "1024" holds what is no chunk of order 10 in zone 0',
  },
  {
    name: 'a per-CPU count that its lists do not hold',
    command: 'verify x.jsonl',
    files: changed(PCP, { ...PCP, count: 99 }),
    code: 3,
    stderr: 'x.jsonl:8  pcp.count "99" of CPU 0 is not what its lists hold, 0 pages',
  },
  {
    name: 'a batch of nothing',
    command: 'verify x.jsonl',
    files: changed(PCP, { ...PCP, batch: 0 }),
    code: 3,
    stderr: 'x.jsonl:7  pcp.batch "0" is not a batch from 1 to 65535',
  },
  {
    name: 'blocks of another size',
    command: 'verify x.jsonl',
    files: changed(BLOCKS, { ...BLOCKS, pageblock_order: 0 }),
    code: 3,
    stderr: 'x.jsonl:8  pageblocks.pageblock_order "0" is not 9',
  },
  {
    name: 'blocks of another zone',
    command: 'verify x.jsonl',
    files: changed(BLOCKS, { ...BLOCKS, first_pfn: 2 ** 30 }),
    code: 3,
    stderr: 'x.jsonl:8  pageblocks.first_pfn "1073741824" is not where zone 0 has its blocks',
  },
  {
    name: 'a zonelist of zones that are none',
    command: 'verify x.jsonl',
    files: changed(LISTS, { ...LISTS, zones: [0, 77] }),
    code: 3,
    stderr: 'x.jsonl  zonelist "77" is not a zone of the dump',
  },
  {
    name: 'a line of 100 MB',
    command: 'verify x.jsonl',
    files: { 'x.jsonl': repeated('1,', 50_000_000, '[') },
    code: 3,
    memory_mb: 260,
    stderr: 'x.jsonl:1  is longer than 67108864 bytes; check how it was made',
  },
  {
    name: 'a run that is no run',
    command: 'verify x.jsonl',
    files: { 'x.jsonl': '' },
    code: 3,
    stderr:
      'x.jsonl  holds no scripted run: it has no line {"t":"run",…}; verify takes runs and recordings; a file of dumps belongs to one of them',
  },
];
