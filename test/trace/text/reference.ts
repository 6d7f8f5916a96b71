/**
 * The plain reading of trace text, against which the byte scanners are tested: one line after the other, regular
 * expressions, strings and maps, nothing clever. What a trace means is decided here.
 */
import { EventFlag } from '../../../src/trace/event-batch.js';
import { gfpDialect } from '../../../src/trace/gfp-text.js';
import type { KernelGeneration } from '../../../src/trace/kernel-generation.js';
import type { TextDialect } from '../../../src/trace/text/dialect.js';
import { readOtherLine } from '../../../src/trace/text/other-lines.js';
import type { SeenEvent } from '../helpers.js';

export interface ReferenceReading {
  readonly events: SeenEvent[];
  /** numbers of the lines that are not understood */
  readonly refused: number[];
  readonly kinds: Map<string, number>;
  readonly null_frees: number;
}

interface Head {
  pid: number | undefined;
  cpu: number;
  ctx: string;
  ts: number;
  name: string;
  payload: string;
}

const FLAGS = '[.dDbX][.nNpPlLbB][.hHsSzZ][.0-9a-f][.0-9a-f]?';
const TIME = '\\d{1,10}\\.\\d{1,9}|\\d{1,20}(?:us[ +!#*@$])?';
const NAME = '[A-Za-z_]\\w{0,127}';
const COLUMNS = new RegExp(
  `^-(\\d{1,10}) {1,64}(?:\\( {0,64}(?:\\d{1,10}|-{1,10})\\) {1,64})?\\[(\\d{3,5})\\] {1,64}(?:(${FLAGS}) {1,64})?(${TIME}): {1,64}(${NAME}):(?: +|$)(.*)$`,
  's',
);
const GLUED = new RegExp(
  `^-(\\d{1,10}) {1,64}(\\d{1,5})(${FLAGS}) {1,64}(${TIME}): {1,64}(${NAME}):(?: +|$)(.*)$`,
  's',
);
const PERF =
  /^(?:-?\d{1,10}\/)?(-?\d{1,10}) {1,64}(\[\d{3,5}\]|\d{1,5}) {1,64}(?:[A-Z]{1,8} {1,64})?(\d{1,10}\.\d{1,9}): {1,64}(?:\d{1,20} {1,64})?((?:[A-Za-z_][\w-]{0,63}:)?[A-Za-z_][\w-]{0,127}):(?: +|$)(.*)$/s;

function contextOf(flags: string | undefined): string {
  const third = flags?.[2] ?? '.';
  if ('zZ'.includes(third)) return 'nmi';
  if ('hH'.includes(third)) return 'hardirq';
  return 'sS'.includes(third) ? 'softirq' : 'task';
}

function nsOf(time: string): number {
  const [seconds, fraction] = time.split('.');
  if (fraction !== undefined) return Number(seconds) * 1e9 + Number(fraction.padEnd(9, '0'));
  return time.includes('us') ? Number(time.slice(0, time.indexOf('u'))) * 1000 : Number(time);
}

function dashHead(rest: string, isGlued: boolean): Head | undefined {
  const match = (isGlued ? GLUED : COLUMNS).exec(rest);
  if (match === null) return undefined;
  const [, pid, cpu, flags, time, name, payload] = match as unknown as string[];
  if (!isGlued && time!.includes('us')) return undefined;
  if (Number(pid) >= 0xffff_ffff || Number(cpu) > 0xffff) return undefined;
  return {
    pid: Number(pid),
    cpu: Number(cpu),
    ctx: contextOf(flags),
    ts: nsOf(time!),
    name: name!,
    payload: payload!,
  };
}

function perfHead(rest: string): Head | undefined {
  const match = PERF.exec(rest);
  if (match === null) return undefined;
  const [, pid, cpu, time, name, payload] = match as unknown as string[];
  const cpuNumber = Number(cpu!.replace(/[[\]]/g, ''));
  const pidNumber = Number(pid);
  if (pidNumber < -1 || pidNumber >= 0xffff_ffff || cpuNumber > 0xffff) return undefined;
  return {
    pid: pidNumber === -1 ? undefined : pidNumber,
    cpu: cpuNumber,
    ctx: 'task',
    ts: nsOf(time!),
    name: name!.replace(/^(?:kmem|compaction):/, ''),
    payload: payload!,
  };
}

/** Every place at which the dash may stand in a line without its leading blanks: from the right, with an instance first. */
function* looseStarts(bare: string): Generator<number> {
  const instance = /^[^ :][^:]{0,62}: /.exec(bare);
  if (instance !== null) {
    const colon = instance[0].length - 1;
    let gap = 0;
    while (gap < 64 && bare[colon + gap] === ' ') gap++;
    for (let from = colon + gap; from > colon; from--) for (let w = 16; w >= 0; w--) yield from + w;
  }
  for (let w = 16; w >= 0; w--) yield w;
}

function headOf(line: string, dialect: TextDialect): Head | undefined {
  const bare = line.replace(/^ +/, '');
  if (dialect === 'perf') {
    const gap = /^ {1,64}/.exec(line.slice(16))?.[0].length ?? 0;
    for (let at = 16 + gap; gap > 0 && at > 16; at--) {
      const head = line.length > 16 ? perfHead(line.slice(at)) : undefined;
      if (head !== undefined) return head;
    }
    for (let at = 65; at > 0; at--) {
      const head = bare[at - 1] === ' ' ? perfHead(bare.slice(at)) : undefined;
      if (head !== undefined) return head;
    }
    return perfHead(bare);
  }
  const full =
    (line.length > 16 ? dashHead(line.slice(16), false) : undefined) ??
    (line.length > 8 ? dashHead(line.slice(8), true) : undefined);
  if (full !== undefined) return full;
  for (const isGlued of [false, true]) {
    for (const at of looseStarts(bare)) {
      const head = bare[at] === '-' ? dashHead(bare.slice(at), isGlued) : undefined;
      if (head !== undefined) return head;
    }
  }
  return undefined;
}

function numberOf(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const match = /^(?:0x([0-9a-fA-F]{1,16})|(\d{1,16}))(?:,.*)?$/s.exec(value);
  if (match === null) return undefined;
  const number = match[1] === undefined ? Number(match[2]) : Number.parseInt(match[1], 16);
  return number > 0xffff_ffff ? undefined : number;
}

const utf8 = (latin1: string): string => Buffer.from(latin1, 'latin1').toString('utf8');

type Columns = Pick<
  SeenEvent,
  'op' | 'order' | 'gfp' | 'id' | 'pfn' | 'migratetype' | 'flags' | 'size' | 'node' | 'cache' | 'site' | 'arg'
>;
/** An event, `nothing` for one that is understood and gives none, `refused`. */
type Read = Columns | 'nothing' | 'refused';

const EMPTY: Columns = {
  op: '',
  order: 0,
  gfp: 0,
  id: undefined,
  pfn: undefined,
  migratetype: 0,
  flags: 0,
  size: 0,
  node: -1,
  cache: '',
  site: '',
  arg: '',
};

function readPage(name: string, payload: string, kernel: KernelGeneration): Read {
  const fields = new Map<string, string>();
  for (const token of payload.split(' ')) {
    const pair = token.replace(/^,+/, '');
    const equals = pair.indexOf('=');
    if (equals > 0) fields.set(pair.slice(0, equals), pair.slice(equals + 1));
  }
  const number = (field: string) => numberOf(fields.get(field));
  const pfn = number('pfn');
  if (pfn === 0xffff_ffff) return 'refused';
  const isNoPfn = /^(?:0x[fF]{16}|18446744073709551615)(?:,|$)/.test(fields.get('pfn') ?? '');
  const gfpText = fields.get('gfp_flags');
  const orderIs = (order: number | undefined) => order !== undefined && order <= 10;
  const typeIs = (type: number | undefined) => type !== undefined && type <= 15;
  const order = number('order');
  const migratetype = number('migratetype');
  const base = { ...EMPTY, pfn, flags: EventFlag.hasPfn };
  switch (name) {
    case 'mm_page_alloc': {
      if ((pfn === undefined && !isNoPfn) || !orderIs(order) || gfpText === undefined) return 'refused';
      const gfp = gfpDialect(kernel).parse(gfpText).bits;
      const type = migratetype ?? (gfp >> 3) & 3;
      if (!typeIs(type)) return 'refused';
      const page = fields.get('page')?.split(',')[0] ?? '';
      const isFailed = isNoPfn || (pfn === 0 && /^(?:\((?:nil|null)\)|(?:0x)?0+)$/.test(page));
      const columns = { ...base, op: 'alloc', order, gfp, migratetype: type };
      return isFailed ? { ...columns, pfn: undefined, flags: EventFlag.failed } : columns;
    }
    case 'mm_page_free':
      return pfn === undefined || !orderIs(order) ? 'refused' : { ...base, op: 'free', order };
    case 'mm_page_free_batched':
      return pfn === undefined ? 'refused' : { ...base, op: 'batched' };
    case 'mm_page_alloc_zone_locked': {
      const refill = number('percpu_refill');
      if (pfn === undefined || !orderIs(order) || !typeIs(migratetype) || refill === undefined)
        return 'refused';
      const flags = EventFlag.hasPfn | (refill > 0 ? EventFlag.refill : 0);
      return { ...base, op: 'obs_refill', order, migratetype: migratetype!, flags };
    }
    case 'mm_page_pcpu_drain':
      if (pfn === undefined || !orderIs(order) || !typeIs(migratetype)) return 'refused';
      return { ...base, op: 'obs_drain', order, migratetype: migratetype! };
    default: {
      const [allocOrder, fallbackOrder] = [number('alloc_order'), number('fallback_order')];
      const [allocType, fallbackType] = [number('alloc_migratetype'), number('fallback_migratetype')];
      const owns = number('change_ownership');
      if (pfn === undefined || !orderIs(allocOrder) || !orderIs(fallbackOrder)) return 'refused';
      if (!typeIs(allocType) || !typeIs(fallbackType) || owns === undefined) return 'refused';
      const size = fallbackOrder! + fallbackType! * 256 + (owns > 0 ? 65_536 : 0);
      return { ...base, op: 'obs_extfrag', order: allocOrder, migratetype: allocType!, size };
    }
  }
}

function slabFields(payload: string): Map<string, string> {
  const fields = new Map<string, string>();
  let rest = payload;
  for (;;) {
    rest = rest.replace(/^ +/, '');
    if (rest === '') return fields;
    const site = /^call_site=([^ ]*(?: \[[^[\] ]*\](?= |$))?)/s.exec(rest);
    const pair = /^([a-z_]+)=([^ ]*)/s.exec(rest);
    if (site !== null) {
      fields.set('call_site', site[1]!);
      rest = rest.slice(site[0].length);
    } else if (rest.startsWith('name=')) {
      const next = rest.indexOf(' bytes_req=');
      fields.set('name', rest.slice('name='.length, next < 0 ? undefined : next));
      rest = next < 0 ? '' : rest.slice(next);
    } else {
      if (pair !== null) fields.set(pair[1]!, pair[2]!);
      rest = rest.replace(/^[^ ]+/s, '');
    }
  }
}

const SLAB_OPS: ReadonlyMap<string, string> = new Map([
  ['kmalloc', 'kmalloc'],
  ['kmalloc_node', 'kmalloc'],
  ['kfree', 'kfree'],
  ['kmem_cache_alloc', 'cache_alloc'],
  ['kmem_cache_alloc_node', 'cache_alloc'],
  ['kmem_cache_free', 'cache_free'],
]);

/** undefined: not given; NaN: given, and no node */
function nodeOf(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  if (value.startsWith('-')) return numberOf(value.slice(1)) === 1 ? -1 : Number.NaN;
  const node = numberOf(value);
  if (node === 0xffff_ffff) return -1;
  return node === undefined || node > 0x7fff ? Number.NaN : node;
}

function readSlab(op: string, payload: string, kernel: KernelGeneration): Read {
  const fields = slabFields(payload);
  const isAlloc = op.endsWith('alloc');
  const ptr = fields.get('ptr');
  const digits = /^(?:0x)?([0-9a-fA-F]{1,16})$/.exec(ptr ?? '')?.[1];
  const isNil = ptr === '(nil)' || ptr === '(null)';
  if (digits === undefined && !isNil) return 'refused';
  const id = isNil ? '' : digits!.replace(/^0+/, '').toLowerCase();
  const node = nodeOf(fields.get('node'));
  const [req, alloc] = [numberOf(fields.get('bytes_req')), numberOf(fields.get('bytes_alloc'))];
  const accounted = fields.get('accounted');
  const gfpText = fields.get('gfp_flags');
  if (fields.has('bytes_req') && req === undefined) return 'refused';
  if (fields.has('bytes_alloc') && alloc === undefined) return 'refused';
  if (accounted !== undefined && !/^(?:true|false|[01]|\([01]\))$/.test(accounted)) return 'refused';
  if (node !== undefined && Number.isNaN(node)) return 'refused';
  if (isAlloc && (req === undefined || gfpText === undefined)) return 'refused';
  if (!isAlloc && id === '') return 'nothing';
  const site = (fields.get('call_site') ?? '').split(' ');
  const columns = {
    ...EMPTY,
    op,
    id: id === '' ? undefined : `0x${id}`,
    cache: utf8(fields.get('name') ?? ''),
    site: utf8([site[0]!.replace(/^(.+)\/0x[0-9a-f]+$/s, '$1'), ...site.slice(1)].join(' ')),
  };
  if (!isAlloc) return columns;
  const isAccounted = accounted !== undefined && /true|1/.test(accounted);
  const words = [...(alloc === undefined ? [] : [`alloc=${alloc}`]), ...(isAccounted ? ['accounted=1'] : [])];
  return {
    ...columns,
    gfp: gfpDialect(kernel).parse(gfpText!).bits,
    flags: id === '' ? EventFlag.failed : 0,
    size: req!,
    node: node ?? -1,
    arg: words.join(';'),
  };
}

const PAGE_EVENTS = new Set([
  'mm_page_alloc',
  'mm_page_free',
  'mm_page_free_batched',
  'mm_page_alloc_zone_locked',
  'mm_page_pcpu_drain',
  'mm_page_alloc_extfrag',
]);

function readPayload(name: string, payload: string, kernel: KernelGeneration): Read {
  if (PAGE_EVENTS.has(name)) return readPage(name, payload, kernel);
  const op = SLAB_OPS.get(name);
  if (op !== undefined) return readSlab(op, payload, kernel);
  if (name === 'tracing_mark_write') return { ...EMPTY, op: 'mark', arg: utf8(payload) };
  if (name === 'print' && payload.startsWith('tracing_mark_write: '))
    return { ...EMPTY, op: 'mark', arg: utf8(payload.slice(20)) };
  return 'nothing';
}

/** Reads a text whose last line is complete. */
export function readReference(
  text: Uint8Array | string,
  dialect: TextDialect,
  kernel: KernelGeneration,
): ReferenceReading {
  const lines = Buffer.from(text).toString('latin1').split('\n');
  lines.pop();
  const events: (SeenEvent | undefined)[] = [];
  const refused: number[] = [];
  const kinds = new Map<string, number>();
  /** row of the last free of a page, and the rows before which a CPU's frees cannot be joined */
  const frees = new Map<number, number>();
  const floors = new Map<number, number>();
  let lastTs = 0;
  let nullFrees = 0;
  lines.forEach((whole, index) => {
    const line = whole.replace(/\r$/, '');
    const read = /^[#\t]/.test(line) ? undefined : headOf(line, dialect);
    // Times that are not exact any more are no times.
    const head = read !== undefined && read.ts > Number.MAX_SAFE_INTEGER ? undefined : read;
    if (head === undefined) {
      if (line === '') return;
      const other = readOtherLine(line.slice(0, 512), dialect === 'perf');
      if (other === undefined) refused.push(index + 1);
      if (other?.what !== 'lost') return;
      const arg = other.events > 0 ? `lost=${other.events}` : '';
      floors.set(other.cpu, events.length);
      events.push(
        event({ ...EMPTY, op: 'obs_lost', arg }, { ts: lastTs, cpu: other.cpu, ctx: 'task', pid: undefined }),
      );
      return;
    }
    kinds.set(head.name, (kinds.get(head.name) ?? 0) + 1);
    lastTs = Math.max(lastTs, head.ts);
    const columns = readPayload(head.name, head.payload, kernel);
    if (columns === 'refused') refused.push(index + 1);
    else if (columns === 'nothing') {
      if (head.name === 'kfree' || head.name === 'kmem_cache_free') nullFrees++;
    } else if (columns.op !== 'batched') {
      if (columns.op === 'free') frees.set(columns.pfn!, events.length);
      events.push(event(columns, { ...head, ts: lastTs }));
    } else {
      const row = frees.get(columns.pfn!) ?? -1;
      const first = events[row];
      const isSame = first?.cpu === head.cpu || (first?.pid === head.pid && head.pid !== 0);
      const isJoined = first !== undefined && isSame && row >= (floors.get(first.cpu) ?? 0);
      const order = isJoined ? first.order : undefined;
      if (isJoined) events[row] = undefined;
      const flags = EventFlag.hasPfn | EventFlag.batched;
      events.push(event({ ...columns, op: 'free', order, flags }, { ...head, ts: lastTs }));
    }
  });
  return { events: events.filter((row) => row !== undefined), refused, kinds, null_frees: nullFrees };
}

function event(columns: Columns, head: Pick<Head, 'ts' | 'cpu' | 'ctx' | 'pid'>): SeenEvent {
  const { ts, cpu, ctx, pid } = head;
  return { ...columns, ts, cpu, ctx, pid, memcg: '', depth: 0, at: 0 };
}
