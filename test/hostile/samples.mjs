/** Small samples of every format, real ones where there are, for the mutator to damage. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { gunzipSync, gzipSync } from 'node:zlib';
import { arrowChunks } from '../../dist/trace/arrow/writer.js';
import { openChunks } from '../../dist/trace/bytes/open-input.js';
import { zstdPackedChunks } from '../../dist/trace/bytes/pack-chunks.js';
import { CsvReader } from '../../dist/trace/csv/reader.js';

const REPOSITORY = new URL('../../', import.meta.url);
/** A recording of a machine of 16 MiB. */
const RECORDING = 'test/hostile/data/recording/';
/** Bytes of a text taken; more would only be slower. */
const TEXT_BYTES = 2400;

function file(path) {
  return readFileSync(new URL(path, REPOSITORY));
}

async function* once(bytes) {
  yield bytes;
}

async function collected(chunks) {
  const all = [];
  for await (const chunk of chunks) all.push(Buffer.from(chunk));
  return Buffer.concat(all);
}

/** The first lines of a text, and some of its middle. */
function pieces(text) {
  const end = text.lastIndexOf(10, TEXT_BYTES) + 1 || text.length;
  const header = text.subarray(0, Math.min(end, text.lastIndexOf(10, 600) + 1));
  const middle = text.indexOf(10, text.length >> 1) + 1;
  const stop = text.lastIndexOf(10, middle + TEXT_BYTES) + 1;
  return [text.subarray(0, end), Buffer.concat([header, text.subarray(middle, stop)])];
}

const ALL_COLUMNS = `# all columns\r
ts,cpu,ctx,op,id,order,gfp,node,pfn,memcg,site,cache,size,depth,at,arg
0,0,task,alloc,a,0,GFP_KERNEL,,,/,"do_it+0x1f/0x20",,,,,
10,1,softirq,alloc,b,3,GFP_KERNEL|__GFP_COMP,0,4096,/user/1,,,,,,
20,0,task,kmalloc,k,,0xcc0,-1,,,site,kmalloc-64,64,,,
30,0,hardirq,cache_alloc,"q""x",,GFP_ATOMIC,,,,,dentry,192,1,zone,
40,0,task,cache_free,"q""x",,,,,,,dentry,,0,,
50,1,nmi,alloc_nolock,n,,0x0,,,,,,,1,pcp,failed=1
60,1,task,free,b,3,,,4096,,,,,0,,
61,0,task,kfree,k,,,,,,,,,,,
62,0,task,mark,,,,,,,,,,,,spbsim: before
63,0,task,memcg_create,,,,,,/g,,,,,,max=4096
64,0,task,phase,,,,,,,,,,,,two
65,0,task,tick,,,,,,,,,,,,
70,0,task,free,a,0,,,,,,,,,,
`;

/** A page table of 4,096 pages, most of them free. */
function kpageflags() {
  const bytes = Buffer.alloc(4096 * 8);
  const flags = [1 << 10, 1 << 10, 1 << 10, 1 << 5, (1 << 5) | (1 << 12), 1 << 7, 0, 1 << 20];
  for (let pfn = 0; pfn < 4096; pfn++) bytes.writeUInt32LE(flags[(pfn >> 5) & 7], pfn * 8);
  return bytes;
}

/** An oracle run of a machine of 1,024 pages. */
function tinyRun() {
  const { zone, pcp } = JSON.parse(readFileSync(new URL('data/tiny-run.json', import.meta.url), 'utf8'));
  const dump = (when, op) => [
    { t: 'state', when, op, cpu: 0, ncpu: 1, jiffies: 1 },
    zone,
    { t: 'free', zone: 0, order: 10, mt: 1, pfns: [0] },
    { t: 'pageblocks', zone: 0, first_pfn: 0, pageblock_order: 9, mts: '11' },
    { t: 'blockmovable', zone: 0, counts: [[0, 1]] },
    pcp,
    { t: 'pcplist', zone: 0, cpu: 0, pindex: 0, order: 0, mt: 0, pfns: [] },
    { t: 'endstate', when },
  ];
  const lines = [
    {
      t: 'run',
      mix: 'm',
      seed: 1,
      nops: 3,
      release: '6.18.2',
      gfps: [
        ['kernel', 0xcc0],
        ['movable', 0x140cca],
      ],
      max_nr_zones: 5,
    },
    { t: 'zonelist', node: 0, kind: 'fallback', zones: [0] },
    { t: 'zonelist', node: 0, kind: 'nofallback', zones: [0] },
    ...dump('initial', 0),
    [0, 'A', 0, 0, 0],
    [1, 'A', 1, 3, 8],
    [2, 'C', 0, [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], 0, 0, 0, 0],
    [3, 'F', 0, 0, 0],
    ...dump('final', 4),
    { t: 'endrun', mix: 'm', live: 1 },
    { t: 'freeall', n: 1 },
    { t: 'nmi', count: 3 },
  ];
  return Buffer.from(`${lines.map((line) => JSON.stringify(line)).join('\n')}\n`);
}

const POLICY = `name: mine
extends: mainline-6.18
description: "a policy"
text_layout: "6.18"
knobs:
  pcp:
    batch_scale_max: 3
  compaction.proactiveness: 20
`;

const MACHINES = [
  'memory: 64MiB\nnodes: 2\ncpus: 4\ncpu_cache: 2MiB\nthp: true\n',
  `cpu_nodes: [0, 0]
node_distances: [[10]]
zones:
  - {node: 0, zone: DMA, start_pfn: 1, spanned_pages: 2047, present_pages: 2000, managed_pages: 1990}
  - {node: 0, zone: Normal, start_pfn: 2048, spanned_pages: 2048}
cpu_cache_bytes: 2097152
thp: false
`,
  '{"cpu_nodes": [0], "zones": [{"node": 0, "zone": "Normal", "start_pfn": 1, "spanned_pages": 4095}]}\n',
];

function textSamples() {
  const names = readdirSync(new URL('test/trace/data/', REPOSITORY)).filter((name) =>
    /^(?:tracefs|latency|perf|trace-cmd)-.*\.txt$/.test(name),
  );
  const texts = names.flatMap((name) => pieces(file(`test/trace/data/${name}`)));
  return [
    ...texts,
    file(`${RECORDING}trace`),
    gunzipSync(file('test/trace/data/recording/trace.gz')).subarray(0, TEXT_BYTES),
  ];
}

function csvSamples() {
  const files = ['first-steps', 'fragmentation', 'two-cpus'].map((name) => file(`workloads/csv/${name}.csv`));
  return [Buffer.from(ALL_COLUMNS), ...files.map((bytes) => bytes.subarray(0, TEXT_BYTES))];
}

async function arrowSamples(csv) {
  const samples = [];
  for (const format of ['file', 'stream']) {
    const reader = new CsvReader(await openChunks(once(csv), 'sample'));
    samples.push(await collected(arrowChunks(reader.batches(), { format })));
  }
  return samples;
}

/** What other programs wrote is larger, and goes through a library that is slower. */
function foreignArrowSamples() {
  const directory = new URL('test/trace/arrow/data/', REPOSITORY);
  return readdirSync(directory)
    .filter((name) => /\.(?:arrows?|feather)$/.test(name))
    .map((name) => readFileSync(new URL(name, directory)));
}

function xz(bytes) {
  try {
    return [execFileSync('xz', ['-c'], { input: bytes, stdio: ['pipe', 'pipe', 'ignore'] })];
  } catch {
    return [];
  }
}

/**
 * Samples by kind.
 *
 * @returns {Promise<Map<string, Buffer[]>>}
 */
export async function loadSamples() {
  const text = textSamples();
  const csv = csvSamples();
  const arrow = await arrowSamples(csv[0]);
  const foreign = foreignArrowSamples();
  const oracle = [tinyRun()];
  return new Map([
    ['text', text],
    ['csv', csv],
    ['arrow', arrow],
    ['arrow-foreign', foreign.length > 0 ? foreign : arrow],
    ['oracle', oracle],
    [
      'gzip',
      [
        gzipSync(text[0]),
        gzipSync(csv[0]),
        gzipSync(arrow[0]),
        Buffer.concat([gzipSync('op,id\n'), gzipSync('alloc,a\n')]),
      ],
    ],
    [
      'zstd',
      [await collected(zstdPackedChunks(once(text[0]))), await collected(zstdPackedChunks(once(csv[0])))],
    ],
    ['xz', [...xz(csv[0]), file('test/trace/data/state-7.2.jsonl.xz')]],
    ['policy', [Buffer.from(POLICY)]],
    ['machine', MACHINES.map((machine) => Buffer.from(machine))],
    ['recorded', [file(`${RECORDING}trace`)]],
    ...['zoneinfo', 'buddyinfo', 'pagetypeinfo', 'vmstat', 'meminfo'].map((name) => [
      name,
      [file(`${RECORDING}before/${name}`)],
    ]),
    ['kpageflags', [kpageflags()]],
    ['kernel', [file(`${RECORDING}kernel`), Buffer.from('6.1.192\n')]],
    ['stats', [file(`${RECORDING}stats`)]],
  ]);
}
