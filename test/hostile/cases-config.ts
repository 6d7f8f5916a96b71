/** Machine and policy files that are wrong, or made to be. */
import { type BadInput, repeated } from './bad-input.js';

const CSV = { 'ok.csv': 'op,id\nalloc,a\nfree,a\n' };

function machine(text: string) {
  return { command: 'run ok.csv --machine m.yaml', files: { ...CSV, 'm.yaml': text } };
}

function policy(text: string) {
  return { command: 'policy show p.yaml', files: { 'p.yaml': text } };
}

/** Nine levels of nine: 387 million words in half a kilobyte. */
const LAUGHS = Array.from(
  { length: 9 },
  (_, i) =>
    `l${i}: &l${i} [${Array(9)
      .fill(i === 0 ? 'lol' : `*l${i - 1}`)
      .join(', ')}]`,
).join('\n');
const ZONE = '{node: 0, zone: Normal, start_pfn: 1, spanned_pages: 8191}';

export const CONFIG_CASES: readonly BadInput[] = [
  {
    name: 'machine: an empty file',
    ...machine(''),
    code: 3,
    stderr: 'm.yaml  is not a machine: expected memory (with nodes, cpus), or zones and cpu_nodes in full',
  },
  {
    name: 'machine: a list',
    ...machine('- 1\n- 2\n'),
    code: 3,
    stderr: 'm.yaml  is not a machine: expected memory (with nodes, cpus), or zones and cpu_nodes in full',
  },
  {
    name: 'machine: not YAML',
    ...machine('memory: [1, 2\n'),
    code: 3,
    stderr:
      'm.yaml:2:1  not valid YAML or JSON: Flow sequence in block collection must be sufficiently indented and end with a ]',
  },
  {
    name: 'machine: binary data',
    ...machine('\0\u0001\u0002\u001b[2J'),
    code: 3,
    stderr: 'm.yaml  is not a machine: expected memory (with nodes, cpus), or zones and cpu_nodes in full',
  },
  {
    name: 'machine: a memory without unit',
    ...machine('memory: 4096\n'),
    code: 3,
    stderr: 'm.yaml:1:1  memory 4096: expected a size with its unit, such as 4GiB',
  },
  {
    name: 'machine: a memory of words',
    ...machine('memory: lots\u202e\n'),
    code: 3,
    stderr: 'm.yaml:1:1  memory lots\\u202e: expected a size with its unit, such as 512MiB, 4GiB or 1TiB',
  },
  {
    name: 'machine: exabytes',
    ...machine('memory: 8000000TiB\n'),
    code: 3,
    stderr: 'm.yaml:1:1  memory 8000000TiB: expected a size with its unit, such as 512MiB, 4GiB or 1TiB',
  },
  {
    name: 'machine: more than the limit',
    ...machine('memory: 8TiB\n'),
    code: 3,
    stderr: 'm.yaml  declares memory up to 8,193 GiB, more than the model can hold (8 TiB)',
  },
  {
    name: 'machine: more than the model holds, with the limit raised',
    command: 'run ok.csv --machine m.yaml --max-machine 16TiB',
    files: { ...CSV, 'm.yaml': 'memory: 12TiB\n' },
    code: 3,
    stderr: 'm.yaml  declares memory up to 12,289 GiB, more than the model can hold (8 TiB)',
  },
  {
    name: 'machine: too little',
    ...machine('memory: 1MiB\n'),
    code: 3,
    stderr: 'm.yaml:1:1  too little memory: each of 1 node(s) needs at least 32 MiB',
  },
  {
    name: 'machine: a million nodes',
    ...machine('memory: 1TiB\nnodes: 1000000\n'),
    code: 3,
    stderr: 'm.yaml:2:1  nodes 1000000: Too big: expected number to be <=1024',
  },
  {
    name: 'machine: more per-CPU lists than anybody has',
    ...machine('memory: 1TiB\nnodes: 64\ncpus: 8192\n'),
    code: 3,
    stderr:
      'm.yaml  declares 8192 CPUs for each of 66 zones, more than 131,072 per-CPU lists; give fewer CPUs or nodes',
  },
  {
    name: 'machine: hundreds of nodes',
    ...machine('memory: 16GiB\nnodes: 256\ncpus: 1\n'),
    code: 0,
    stderr: '',
    stdout: /./,
  },
  {
    name: 'machine: numbers beyond all',
    ...machine('cpu_nodes: [0]\nzones: [{node: 0, zone: Normal, start_pfn: 1, spanned_pages: 1e309}]\n'),
    code: 3,
    stderr: 'm.yaml:2:47  zones.0.spanned_pages Infinity: Invalid input: expected number, received Infinity',
  },
  {
    name: 'machine: a zone above the largest PFN',
    ...machine(
      'cpu_nodes: [0]\nzones: [{node: 0, zone: Normal, start_pfn: 4294967295, spanned_pages: 4294967295}]\n',
    ),
    code: 3,
    stderr: 'm.yaml:2:9  zones[0]: ends above the largest PFN (32 bits)',
  },
  {
    name: 'machine: a zone twice',
    ...machine(`cpu_nodes: [0]\nzones: [${ZONE}, ${ZONE}]\n`),
    code: 3,
    stderr: 'm.yaml:2:69  zones[1]: this zone of this node is there twice',
  },
  {
    name: 'machine: zones that overlap',
    ...machine(`cpu_nodes: [0]\nzones: [{node: 0, zone: DMA, start_pfn: 1, spanned_pages: 4095}, ${ZONE}]\n`),
    code: 3,
    stderr: 'm.yaml:2:66  zones[1]: overlaps zone DMA of its node',
  },
  {
    name: 'machine: a node that is not there',
    ...machine(`cpu_nodes: [5]\nnode_distances: [[10]]\nzones: [${ZONE}]\n`),
    code: 3,
    stderr: 'm.yaml:1:13  cpu_nodes[0]: there is no node 5',
  },
  {
    name: 'machine: a key named __proto__',
    ...machine('memory: 1GiB\n__proto__: {nodes: 4}\n'),
    code: 3,
    stderr: 'm.yaml:2:1  unknown key "__proto__"',
  },
  {
    name: 'machine: a key that redraws the screen',
    ...machine('memory: 1GiB\n"\\e[2Jx": 1\n'),
    code: 3,
    stderr: 'm.yaml:2:1  unknown key "\\u001b[2Jx"',
  },
  {
    name: 'machine: a key twice',
    ...machine('memory: 1GiB\nmemory: 2GiB\n'),
    code: 3,
    stderr: 'm.yaml:2:1  not valid YAML or JSON: Map keys must be unique',
  },
  {
    name: 'machine: a list as a key',
    ...machine('memory: 1GiB\n? [a, b]\n: 1\n'),
    code: 3,
    stderr: 'm.yaml:2:3  not valid YAML or JSON: With stringKeys, all keys must be strings',
  },
  {
    name: 'machine: aliases of aliases of aliases',
    ...machine(`${LAUGHS}\nmemory: *l8\n`),
    code: 3,
    stderr: 'm.yaml  not valid YAML: Excessive alias count indicates a resource exhaustion attack',
  },
  {
    name: 'machine: an alias inside itself',
    ...machine('memory: &a [*a]\n'),
    code: 3,
    stderr: 'm.yaml:1:1  memory a value without end: expected a size with its unit, such as 4GiB',
  },
  {
    name: 'machine: an alias of nothing',
    ...machine('memory: *nobody\n'),
    code: 3,
    stderr: 'm.yaml  not valid YAML: Unresolved alias (the anchor must be set before the alias): nobody',
  },
  {
    name: 'machine: 100,000 brackets',
    ...machine(`memory: ${'['.repeat(100_000)}`),
    code: 3,
    memory_mb: 260,
    stderr: 'm.yaml:1:823  is nested too deeply',
  },
  {
    name: 'machine: a tag that asks for code',
    ...machine('memory: !!js/function "function(){}"\n'),
    code: 3,
    stderr: 'm.yaml:1:1  memory function(){}: expected a size with its unit, such as 512MiB, 4GiB or 1TiB',
  },
  {
    name: 'machine: two documents',
    ...machine('memory: 1GiB\n---\nmemory: 2GiB\n'),
    code: 3,
    stderr:
      'm.yaml:2:1  not valid YAML or JSON: Source contains multiple documents; please use YAML.parseAllDocuments()',
  },
  {
    name: 'machine: 5 MB',
    command: 'run ok.csv --machine m.yaml',
    files: { ...CSV, 'm.yaml': repeated('# nothing\n', 500_000) },
    code: 3,
    stderr: 'm.yaml  is 5000000 bytes long; a configuration file has at most 4194304',
  },
  {
    name: 'machine: not there',
    command: 'run ok.csv --machine m.yaml',
    files: CSV,
    code: 2,
    stderr: 'no such machine file: m.yaml',
  },
  {
    name: 'machine: a directory',
    command: 'run ok.csv --machine m.yaml',
    files: { ...CSV, 'm.yaml/x': '' },
    code: 2,
    stderr: 'no such machine file: m.yaml',
  },
  {
    name: 'policy: an empty file',
    ...policy(''),
    code: 3,
    stderr: 'p.yaml  is not a policy: expected a mapping with name, extends, description, text_layout, knobs',
  },
  {
    name: 'policy: an unknown key',
    ...policy('knob:\n  pcp.batch_scale_max: 3\n'),
    code: 3,
    stderr: 'p.yaml:1:1  unknown key "knob"; did you mean knobs?',
  },
  {
    name: 'policy: an unknown knob',
    ...policy('knobs:\n  pcp.bacth_scale_max: 3\n'),
    code: 3,
    stderr: 'p.yaml:2:3  unknown knob "pcp.bacth_scale_max"; did you mean pcp.batch_scale_max?',
  },
  {
    name: 'policy: a knob named __proto__',
    ...policy('knobs:\n  __proto__: {pcp.batch_scale_max: 3}\n'),
    code: 3,
    stderr: 'p.yaml:2:3  unknown knob "__proto__"',
  },
  {
    name: 'policy: a knob named constructor',
    ...policy('knobs:\n  constructor: 1\n'),
    code: 3,
    stderr: 'p.yaml:2:3  unknown knob "constructor"',
  },
  {
    name: 'policy: a number too large',
    ...policy('knobs:\n  pcp.batch_scale_max: 99999999999999999999\n'),
    code: 3,
    stderr:
      'p.yaml:2:3  pcp.batch_scale_max: 100000000000000000000 is not a whole number from 0 to 6 (doublings)',
  },
  {
    name: 'policy: not a number',
    ...policy('knobs:\n  pcp.batch_scale_max: .nan\n'),
    code: 3,
    stderr: 'p.yaml:2:3  pcp.batch_scale_max: NaN is not a whole number from 0 to 6 (doublings)',
  },
  {
    name: 'policy: a knob twice',
    ...policy('knobs:\n  pcp.batch_scale_max: 3\n  pcp: {batch_scale_max: 4}\n'),
    code: 3,
    stderr: 'p.yaml:3:9  knob pcp.batch_scale_max is set twice',
  },
  {
    name: 'policy: that extends itself',
    ...policy('extends: p.yaml\n'),
    code: 3,
    stderr: /^p\.yaml:1:1 {2}policies extend each other in a circle: \S+p\.yaml -> \S+p\.yaml$/,
  },
  {
    name: 'policy: that extends nothing',
    ...policy('extends: nobody\n'),
    code: 3,
    stderr:
      'p.yaml:1:1  unknown policy "nobody" (all presets are listed by: spbsim policy list; a file is named by its path)',
  },
  {
    name: 'policy: that extends a device',
    ...policy('extends: /dev/zero\n'),
    code: 3,
    stderr: 'p.yaml:1:1  no such policy file: /dev/zero',
  },
  {
    name: 'policy: a name that redraws the screen',
    ...policy('name: "\\e[2Jmine\\u202e"\n'),
    code: 0,
    stderr: '',
    stdout: /name: "mine"/,
  },
  {
    name: 'policy: a name of 10,000 characters',
    ...policy(`name: ${'n'.repeat(10_000)}\n`),
    code: 3,
    stderr: 'p.yaml:1:1  name: Too big: expected string to have <=100 characters',
  },
  {
    name: 'policy: a value of 10,000 characters',
    ...policy(`knobs:\n  pcp.batch_scale_max: ${'n'.repeat(10_000)}\n`),
    code: 3,
    stderr:
      'p.yaml:2:3  pcp.batch_scale_max: "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn… is not a whole number from 0 to 6 (doublings)',
  },
  {
    name: 'policy: an alias inside itself',
    ...policy('knobs: &k\n  pcp: *k\n'),
    code: 3,
    stderr: 'p.yaml:2:3  unknown knob "pcp.pcp"',
  },
  {
    name: 'policy: bytes that are not UTF-8',
    command: 'policy show p.yaml',
    files: { 'p.yaml': Buffer.from('name: \xff\xfe\nknobs:\n  \xc3\x28: 1\n', 'latin1') },
    code: 3,
    stderr: 'p.yaml:3:3  unknown knob "�("',
  },
  {
    name: 'policy: a trace by mistake',
    command: 'policy show ok.csv',
    files: CSV,
    code: 3,
    stderr: 'ok.csv  is not a policy: expected a mapping with name, extends, description, text_layout, knobs',
  },
];
