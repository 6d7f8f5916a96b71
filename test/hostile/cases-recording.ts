/** Recordings with a file that is damaged, cut, huge or made up. */
import { createWriteStream, mkdirSync, readFileSync } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { createGzip, gzipSync } from 'node:zlib';
import { type BadInput, type Content, repeated } from './bad-input.js';

const SAMPLE = new URL('./data/recording/', import.meta.url);
const NAMES = [
  'trace',
  'kernel',
  'stats',
  ...['buddyinfo', 'pagetypeinfo', 'zoneinfo', 'vmstat', 'meminfo'].flatMap((name) => [
    `before/${name}`,
    `after/${name}`,
  ]),
];

function sample(name: string): string {
  return readFileSync(new URL(name, SAMPLE), 'utf8');
}

/** The recording of a machine of 16 MiB with some of its files replaced, or left out. */
function recording(changes: Readonly<Record<string, Content | undefined>>): Record<string, Content> {
  const files = new Map<string, Content>(NAMES.map((name) => [name, sample(name)]));
  for (const [name, content] of Object.entries(changes)) {
    if (content === undefined) files.delete(name);
    else files.set(name, content);
  }
  return Object.fromEntries([...files].map(([name, content]) => [`rec/${name}`, content]));
}

function zoneinfo(from: string, to: string): Record<string, Content> {
  const text = sample('before/zoneinfo');
  if (!text.includes(from)) throw new Error(`zoneinfo has no ${from}`);
  return recording({ 'before/zoneinfo': text.replace(from, to) });
}

const DMA = 'Node 0, zone      DMA';
/** Page flags of 4,096 pages, all free. */
const KPAGEFLAGS = Buffer.alloc(4096 * 8, Buffer.from([0, 4, 0, 0, 0, 0, 0, 0]));

export const RECORDING_CASES: readonly BadInput[] = [
  {
    name: 'an empty directory',
    command: 'run rec',
    files: { 'rec/before/x': '' },
    code: 3,
    stderr:
      'rec  is no recording: it has no file named trace, trace.txt, trace.gz or trace.xz; give the directory that the recorder wrote, or a trace file',
  },
  {
    name: 'a trace that is a directory',
    command: 'run rec',
    files: { ...recording({ trace: undefined }), 'rec/trace/x': '' },
    code: 3,
    stderr: 'rec/trace  is a directory; give a file',
  },
  {
    name: 'a snapshot that is a directory',
    command: 'run rec',
    files: { ...recording({ 'before/zoneinfo': undefined }), 'rec/before/zoneinfo/x': '' },
    code: 3,
    stderr: 'rec/before/zoneinfo  is a directory; give a file',
  },
  {
    name: 'no zoneinfo',
    command: 'run rec',
    files: recording({ 'before/zoneinfo': undefined }),
    code: 3,
    stderr:
      'rec  has no before/zoneinfo, so its machine is unknown; record it again with the snapshot, or replay the trace file alone with --memory or --machine',
  },
  {
    name: 'an empty zoneinfo',
    command: 'run rec',
    files: recording({ 'before/zoneinfo': '' }),
    code: 3,
    stderr: 'rec/before/zoneinfo  describes no zone that has memory; record it again',
  },
  {
    name: 'a zoneinfo of zones without memory',
    command: 'run rec',
    files: zoneinfo('managed  3900', 'managed  0'),
    code: 3,
    stderr: 'rec/before/zoneinfo  describes no zone that has memory; record it again',
  },
  {
    name: 'a zoneinfo of petabytes',
    command: 'run rec',
    files: zoneinfo('spanned  4095', 'spanned  4294967200'),
    code: 3,
    stderr: 'rec/before/zoneinfo  declares memory up to 16,384 GiB, more than the model can hold (8 TiB)',
  },
  {
    name: 'a zoneinfo of more pages than PFNs',
    command: 'run rec',
    files: zoneinfo('spanned  4095', 'spanned  99999999999'),
    code: 3,
    stderr: 'rec/before/zoneinfo  describes node 0, zone DMA wrong: ends above the largest PFN (32 bits)',
  },
  {
    name: 'a zoneinfo of more pages than numbers',
    command: 'run rec',
    files: zoneinfo('spanned  4095', 'spanned  99999999999999999999'),
    code: 3,
    stderr:
      'rec/before/zoneinfo:10  "99999999999999999999" is more than any kernel counts; copy the file again from /proc',
  },
  {
    name: 'a machine above a lower limit',
    command: 'run rec --max-machine 8MiB',
    files: recording({}),
    code: 3,
    stderr:
      'rec/before/zoneinfo  declares memory up to 16 MiB, the limit is 8 MiB; raise --max-machine if that is right',
  },
  {
    name: 'more managed than present',
    command: 'run rec',
    files: zoneinfo('managed  3900', 'managed  9000'),
    code: 3,
    stderr: 'rec/before/zoneinfo  describes node 0, zone DMA wrong: managed_pages is more than present_pages',
  },
  {
    name: 'a zone that starts below 0',
    command: 'run rec',
    files: zoneinfo('start_pfn:           1', 'start_pfn:           -5'),
    code: 3,
    stderr: 'rec/before/zoneinfo  describes node 0, zone DMA wrong: starts below PFN 0',
  },
  {
    name: 'a node of 10^11',
    command: 'run rec',
    files: zoneinfo('Node 0,', 'Node 99999999999,'),
    code: 3,
    stderr:
      'rec/before/zoneinfo:1  "99999999999" is not a node from 0 to 1023; copy the file again from /proc',
  },
  {
    name: 'a zone that no kernel has',
    command: 'run rec',
    files: zoneinfo('zone      DMA', 'zone      __proto__'),
    code: 3,
    stderr:
      'rec/before/zoneinfo:1  "__proto__" is not a zone of a modelled machine (DMA, DMA32, Normal, Movable, Device); copy the file again from /proc',
  },
  {
    name: 'a zone twice',
    command: 'run rec',
    files: recording({ 'before/zoneinfo': sample('before/zoneinfo').repeat(2) }),
    code: 3,
    stderr:
      'rec/before/zoneinfo:29  "Node 0, zone      DMA" names a zone that stands above; copy the file again from /proc',
  },
  {
    name: 'two million zones',
    command: 'run rec',
    files: recording({ 'before/zoneinfo': repeated(`${DMA}\n`, 2_000_000) }),
    code: 3,
    memory_mb: 280,
    stderr:
      'rec/before/zoneinfo:2  "Node 0, zone      DMA" names a zone that stands above; copy the file again from /proc',
  },
  {
    name: 'a zoneinfo of 100 MB',
    command: 'run rec',
    files: recording({ 'before/zoneinfo': repeated('      x 1\n', 10_000_000, `${DMA}\n`) }),
    code: 3,
    memory_mb: 200,
    stderr: 'rec/before/zoneinfo  is larger than 67108864 bytes, which no such file is',
  },
  {
    name: 'nine thousand CPUs',
    command: 'run rec',
    files: recording({
      'before/zoneinfo': `${sample('before/zoneinfo')}${Array.from({ length: 9000 }, (_, cpu) => `    cpu: ${cpu + 2}\n`).join('')}`,
    }),
    code: 3,
    stderr:
      'rec/before/zoneinfo:8219  "    cpu: 8192" is not a CPU from 0 to 8191; copy the file again from /proc',
  },
  {
    name: 'a CPU twice',
    command: 'run rec',
    files: zoneinfo('cpu: 1', 'cpu: 0'),
    code: 3,
    stderr:
      'rec/before/zoneinfo:22  "    cpu: 0" names a CPU that stands above; copy the file again from /proc',
  },
  {
    name: 'a batch of nothing',
    command: 'run rec',
    files: zoneinfo('batch: 63', 'batch: 0'),
    code: 3,
    stderr:
      'rec/before/zoneinfo:20  "              batch: 0" is not from 1 to 65535; copy the file again from /proc',
  },
  {
    name: 'an escape sequence in zoneinfo',
    command: 'run rec',
    files: zoneinfo('managed', '\u001b[2J'),
    code: 3,
    stderr:
      'rec/before/zoneinfo:12  "        \\x1b[2J  3900" is not a line of zoneinfo; copy the file again from /proc',
  },
  {
    name: 'buddyinfo of another machine',
    command: 'run rec',
    files: recording({ 'before/buddyinfo': 'Node 7, zone   Normal  1 1 1 1 1 1 1 1 1 1 1\n' }),
    code: 0,
    stderr: '',
    stdout: /./,
  },
  {
    name: 'buddyinfo with too few orders',
    command: 'run rec',
    files: recording({ 'before/buddyinfo': `${DMA} 1 2 3\n` }),
    code: 3,
    stderr:
      'rec/before/buddyinfo:1  "Node 0, zone      DMA 1 2 3" has 3 orders instead of 11; copy the file again from /proc',
  },
  {
    name: 'buddyinfo that counts more than there is',
    command: 'run rec',
    files: recording({ 'before/buddyinfo': `${DMA} ${'99999999999999999999 '.repeat(11)}\n` }),
    code: 3,
    stderr:
      'rec/before/buddyinfo:1  "99999999999999999999" is more than any kernel counts; copy the file again from /proc',
  },
  {
    name: 'buddyinfo that counts petabytes',
    command: 'run rec',
    files: recording({ 'before/buddyinfo': `${DMA} ${'9007199254740991 '.repeat(11)}\n` }),
    code: 0,
    stderr: '',
    stdout: /./,
  },
  {
    name: 'pagetypeinfo with a type that no kernel has',
    command: 'run rec',
    files: recording({
      'before/pagetypeinfo': sample('before/pagetypeinfo').replace('Reclaimable', 'toString'),
    }),
    code: 3,
    stderr: 'rec/before/pagetypeinfo:7  "toString" is not a migratetype; copy the file again from /proc',
  },
  {
    name: 'pagetypeinfo cut',
    command: 'run rec',
    files: recording({ 'before/pagetypeinfo': sample('before/pagetypeinfo').slice(0, 400) }),
    code: 3,
    stderr:
      'rec/before/pagetypeinfo:6  "Node    0, zone      DMA, type      Movable      0      0  …" has 10 orders instead of 11; copy the file again from /proc',
  },
  {
    name: 'an empty pagetypeinfo',
    command: 'run rec',
    files: recording({ 'before/pagetypeinfo': '' }),
    code: 3,
    stderr: 'rec/before/pagetypeinfo  holds no "Page block order"; copy the file again from /proc',
  },
  {
    name: 'pagetypeinfo with more blocks than there are',
    command: 'run rec',
    files: recording({
      'before/pagetypeinfo': sample('before/pagetypeinfo').replace('DMA            3', 'DMA   99999999999'),
    }),
    code: 0,
    stderr: '',
    stdout: /./,
  },
  {
    name: 'vmstat with words',
    command: 'run rec',
    files: recording({ 'before/vmstat': 'nr_free_pages many\n' }),
    code: 3,
    stderr:
      'rec/before/vmstat:1  "nr_free_pages many" is not a line of vmstat; copy the file again from /proc',
  },
  {
    name: 'vmstat of 3 MB',
    command: 'verify rec',
    files: recording({ 'after/vmstat': repeated('nr_x 1\n', 400_000) }),
    code: 3,
    stderr: 'rec/after/vmstat  is larger than 1048576 bytes, which no such file is',
  },
  {
    name: 'vmstat with counters named like properties',
    command: 'verify rec',
    files: recording({ 'after/vmstat': '__proto__ 1\nconstructor 2\ntoString 3\n' }),
    code: 0,
    stderr: '',
    stdout: /./,
  },
  {
    name: 'meminfo with an escape sequence',
    command: 'run rec',
    files: recording({ 'before/meminfo': 'Mem\u001b[2JTotal: 1 kB\n' }),
    code: 3,
    stderr:
      'rec/before/meminfo:1  "Mem\\x1b[2JTotal: 1 kB" is not a line of meminfo; copy the file again from /proc',
  },
  {
    name: 'kpageflags cut inside a word',
    command: 'run rec',
    files: recording({ 'before/kpageflags': KPAGEFLAGS.subarray(0, 1001) }),
    code: 3,
    stderr:
      'rec/before/kpageflags  ends in the middle of a word (1001 bytes); copy it again from /proc/kpageflags',
  },
  {
    name: 'kpageflags of nothing',
    command: 'run rec',
    files: recording({ 'before/kpageflags': '' }),
    code: 0,
    stderr: '',
    stdout: /./,
  },
  {
    name: 'kpageflags with all flags at once',
    command: 'run rec',
    files: recording({ 'before/kpageflags': Buffer.alloc(4096 * 8, 0xff) }),
    code: 0,
    stderr: '',
    stdout: /./,
  },
  {
    name: 'kpageflags of a larger machine',
    command: 'run rec --max-machine 16MiB',
    files: recording({ 'before/kpageflags': repeated(KPAGEFLAGS, 3000) }),
    code: 3,
    stderr: 'rec/before/kpageflags  describes more than 4,096 pages; raise --max-machine if that is right',
  },
  {
    name: 'kpageflags that unpack to far more than they are',
    command: 'run rec',
    files: recording({
      'before/kpageflags.gz': async (path) => {
        const zeros = Array<Buffer>(100).fill(Buffer.alloc(1 << 20));
        await pipeline(zeros, createGzip({ level: 9 }), createWriteStream(path));
      },
    }),
    code: 3,
    stderr:
      'rec/before/kpageflags.gz  unpacks to more than 1,000 times its size; raise --max-ratio if that is right',
  },
  {
    name: 'a kernel file of 2 MB',
    command: 'run rec',
    files: recording({ kernel: repeated('Linux version 6.18.2\n', 100_000) }),
    code: 3,
    stderr: 'rec/kernel  is larger than 1048576 bytes, which no such file is',
  },
  {
    name: 'a kernel that redraws the screen',
    command: 'run rec',
    files: recording({ kernel: 'Linux version 6.18.2-\u001b[2Jevil\u202e\n' }),
    code: 0,
    stderr: '',
    stdout: /./,
  },
  {
    name: 'a kernel file of nothing',
    command: 'verify rec',
    files: recording({ kernel: '' }),
    code: 0,
    stderr: '',
    stdout: /./,
  },
  {
    name: 'stats that make no sense',
    command: 'run rec',
    files: recording({ stats: '== cpu99999999999\nentries: 99999999999999999999\noverrun: -5\n' }),
    code: 0,
    stderr: '',
    stdout: /./,
  },
  {
    name: 'a trace that is cut',
    command: 'run rec',
    files: recording({ trace: undefined, 'trace.gz': gzipSync(sample('trace')).subarray(0, -30) }),
    code: 3,
    stderr:
      'rec/trace.gz  ends in the middle of its gzip data; copy or record it again; the result is of what was read',
    stdout: /ends in the middle/,
  },
  {
    name: 'a trace that is cut, strictly',
    command: 'verify rec --strict',
    files: recording({ trace: undefined, 'trace.gz': gzipSync(sample('trace')).subarray(0, -30) }),
    code: 3,
    stderr: 'rec/trace.gz  ends in the middle of its gzip data; copy or record it again',
  },
  {
    name: 'a trace of another machine',
    command: 'run rec --mode pinned --check',
    files: recording({ trace: sample('trace').replaceAll('pfn=0x', 'pfn=0xff') }),
    code: 0,
    stderr: '',
    stdout: /./,
  },
  {
    name: 'lists of types that no kernel has, pinned',
    command: 'run rec --mode pinned --check',
    files: recording({ trace: sample('trace').replaceAll('migratetype=0', 'migratetype=9') }),
    code: 0,
    stderr: '',
    stdout: /events on a list of isolated pages, or of a type that the model does not have/,
  },
  {
    name: 'lists of isolated pages, pinned',
    command: 'run rec --mode pinned --check',
    files: recording({
      trace: sample('trace').replaceAll('migratetype=0', 'migratetype=5').replace('=1 frag', '=5 frag'),
    }),
    code: 0,
    stderr: '',
    stdout: /events on a list of isolated pages/,
  },
  {
    name: 'blocks that are not aligned, pinned',
    command: 'run rec --mode pinned --check',
    files: recording({ trace: sample('trace').replaceAll('pfn=0x200 order=0', 'pfn=0x201 order=3') }),
    code: 0,
    stderr: '',
    stdout: /events on pages that no zone of the machine has/,
  },
  {
    name: 'one page refilled over and over, pinned',
    command: 'run rec --mode pinned --check',
    files: recording({ trace: sample('trace').repeat(3) }),
    code: 0,
    stderr: '',
    stdout: /18 events/,
  },
  {
    name: 'a first block of another type than the trace shows, pinned',
    command: 'run rec --mode pinned --check',
    files: recording({
      'before/zoneinfo': sample('before/zoneinfo').replace('managed  3900', 'managed  3'),
      'before/kpageflags': KPAGEFLAGS,
    }),
    code: 0,
    stderr: '',
    stdout: /pageblocks whose type the trace showed to differ/,
  },
  {
    name: 'a state that is no state',
    command: 'run rec',
    files: recording({ 'state.jsonl': '{"t":"state"}\n' }),
    code: 3,
    stderr:
      'rec/state.jsonl:1  state.when is not what a dump holds (Invalid input: expected string, received undefined)',
  },
  {
    name: 'no after',
    command: 'verify rec',
    files: Object.fromEntries(Object.entries(recording({})).filter(([name]) => !name.includes('after'))),
    code: 0,
    stderr: '',
    stdout: /./,
  },
  {
    name: 'a before that is a file',
    command: 'run rec',
    files: {
      ...Object.fromEntries(Object.entries(recording({})).filter(([name]) => !name.includes('before'))),
      'rec/before': 'x',
    },
    code: 3,
    stderr:
      'rec  has no before/zoneinfo, so its machine is unknown; record it again with the snapshot, or replay the trace file alone with --memory or --machine',
  },
  {
    name: 'two recordings',
    command: 'run rec other',
    files: { ...recording({}), 'other/trace': (path) => mkdirSync(path) },
    code: 3,
    stderr:
      'rec  is a recording with a start state of its own, which other traces cannot share; run it alone, or name its trace file instead of the directory',
  },
];
