/** fast-check arbitraries: lines of trace text as tools write them, and such lines broken. Text is latin1. */
import type { TextDialect } from '../../../src/trace/text/dialect.js';
import { fc } from '../properties.js';

const from = (...values: string[]) => fc.constantFrom(...values);
const number = (max: number) => fc.integer({ min: 0, max }).map(String);

const comm = fc.oneof(
  from('bash', '<idle>', '<...>', 'kworker/0:1', 'a b', 'x-1 [0] y', '', 'perf: 1', 'n1-2', '\u00e4\u00ff'),
  fc.string({ maxLength: 15 }).map((text) => text.replace(/[\n\r]/g, '.')),
);
const pid = fc.oneof(number(40_000), from('0', '4294967294', '4294967295', '99999999999'));
const cpu = fc.oneof(
  number(3).map((text) => text.padStart(3, '0')),
  from('127', '4095', '65535', '65536'),
);
const flags = fc
  .tuple(
    from('.', 'd', 'D', 'b', 'X'),
    from('.', 'N', 'n', 'p', 'l', 'L', 'B', 'b'),
    from('.', 'h', 'H', 's', 'z', 'Z'),
    from('.', '1', '2', 'f'),
    from('.', '1', '', '', 'g'),
  )
  .map((parts) => parts.join(''));
const seconds = fc.oneof(
  fc.tuple(number(99_999), number(999_999)).map(([s, us]) => `${s}.${us.padStart(6, '0')}`),
  fc.tuple(number(99_999), number(999_999_999)).map(([s, ns]) => `${s}.${ns.padStart(9, '0')}`),
  number(2 ** 31 - 1),
  from('18446744073709551615', '1234567890123456', '12345678901.5', '1.1234567891', '.5', '5.'),
);

const pfn = fc.oneof(
  fc.integer({ min: 0, max: 200 }).map((n) => `0x${n.toString(16)}`),
  from(
    '0x0',
    '12',
    '0xfffffffe',
    '0xffffffff',
    '0x1ffffffff',
    '0xffffffffffffffff',
    '0X10',
    '0x',
    'x',
    '0x@',
  ),
);
const page = from(
  '00000000a1b2c3d4',
  '0000000000000000',
  '(null)',
  '(nil)',
  '0x0',
  '0x15c400',
  '',
  'ffffea0000000000',
);
const order = fc.oneof(number(10), from('11', '0x2', '-1', '', '9999999999'));
const type = fc.oneof(number(5), from('15', '16', '256', '-1'));
const gfp = from(
  'GFP_KERNEL',
  'none',
  'GFP_HIGHUSER_MOVABLE|__GFP_ZERO|__GFP_COMP',
  'GFP_NOWAIT|__GFP_NOWARN',
  '0x140cca',
  'GFP_KERNEL|0x8000000',
  'GFP_NEW',
  '',
);

const pagePayload = fc
  .record({
    page,
    pfn,
    order,
    type,
    gfp,
    refill: from('0', '1', '2', 'x'),
    extra: from('', ' extra=(1 2)', ' order=3'),
  })
  .chain((v) =>
    from(
      `mm_page_alloc: page=${v.page} pfn=${v.pfn} order=${v.order} migratetype=${v.type} gfp_flags=${v.gfp}${v.extra}`,
      `mm_page_alloc: pfn=${v.pfn} order=${v.order} gfp_flags=${v.gfp} migratetype=${v.type}`,
      `mm_page_free: page=${v.page} pfn=${v.pfn} order=${v.order}${v.extra}`,
      `mm_page_free: page=${v.page} pfn=${v.pfn} order=${v.order}`,
      `mm_page_free_batched: page=${v.page} pfn=${v.pfn} order=0`,
      `mm_page_free_batched: page=${v.page} pfn=${v.pfn} order=0`,
      `mm_page_alloc_zone_locked: page=${v.page} pfn=${v.pfn} order=${v.order} migratetype=${v.type} percpu_refill=${v.refill}`,
      `mm_page_pcpu_drain: page=${v.page} pfn=${v.pfn} order=${v.order} migratetype=${v.type}`,
      `mm_page_alloc_extfrag: page=${v.page} pfn=${v.pfn} alloc_order=${v.order} fallback_order=9 pageblock_order=9 alloc_migratetype=${v.type} fallback_migratetype=1 fragmenting=0 change_ownership=${v.refill}`,
    ),
  );

const site = from(
  'do_sys_openat2+0x88/0xd0',
  'getname_flags.part.0+0x2b/0x1c0',
  'ext4_readdir+0x1/0x2 [ext4]',
  'ext4_readdir+0x1 [ext4]',
  '0xffffffff819d63fb',
  'f/0x1/0x2',
  '/0x1',
  'a/0xG',
  'a/0x [m',
  'a []',
  'a  [b]',
  '\u00ff\u00fe+0x1/0x2',
  '',
);
const ptr = from(
  'ffff888004bc8b70',
  '0xffff888004bc8b70',
  '00000000642cc632',
  '0000000000000000',
  '(nil)',
  '(null)',
  '(____ptrval____)',
  '0xFFFF',
  '0x',
  '0x0',
  '11112222333344445',
  'g',
  '',
);
const size = fc.oneof(number(9000), from('0x48', '4294967295', '4294967296', '-1', '', '64,'));
const node = from('-1', '0', '1', '0xffffffff', '4294967295', '32767', '32768', '-2', 'x', '-');
const accounted = from('true', 'false', '1', '0', '(1)', '(0)', 'yes', 'trues', '');
const cacheName = from(
  'filp',
  'a cache of mine',
  'TCP v6',
  '',
  ' x',
  'bytes_req=1',
  '\u00c3\u00a4',
  '\u00c3',
  'x bytes_req= y',
);

const slabPayload = fc
  .record({
    site,
    ptr,
    size,
    alloc: size,
    gfp,
    node,
    accounted,
    name: cacheName,
    prefix: from('', '(func+0x1) '),
  })
  .chain((v) => {
    const head = `${v.prefix}call_site=${v.site} ptr=${v.ptr}`;
    const sizes = `bytes_req=${v.size} bytes_alloc=${v.alloc} gfp_flags=${v.gfp}`;
    return from(
      `kmalloc: ${head} ${sizes} node=${v.node} accounted=${v.accounted}`,
      `kmalloc_node: ${head} ${sizes} node=${v.node}`,
      `kmalloc: ${head} ${sizes}`,
      `kmem_cache_alloc: ${head} name=${v.name} ${sizes} node=${v.node} accounted=${v.accounted}`,
      `kmem_cache_alloc: ${head} ${sizes} node=${v.node} accounted=${v.accounted}`,
      `kmem_cache_alloc: gfp_flags=${v.gfp} node=${v.node} ptr=${v.ptr} ptr=${v.ptr} bytes_req=${v.size} name=${v.name}`,
      `kmem_cache_free: ${head} name=${v.name}`,
      `kmem_cache_free: ${head}`,
      `kfree: ${head}`,
    );
  });

const otherPayload = from(
  'rss_stat: mm_id=1 curr=0 type=MM_FILEPAGES size=4096B',
  'sched_switch: prev=x-1 [000] 1.0: kfree: y',
  'tracing_mark_write: spbsim: x-1 [000] ..s.. 1.0: kfree: y',
  'print: tracing_mark_write: hello',
  'print: other: hello',
  'kfree:',
  'kfree:x',
  '__proto__: a=1',
);

const payload = fc.oneof(
  { weight: 5, arbitrary: pagePayload },
  { weight: 5, arbitrary: slabPayload },
  { weight: 1, arbitrary: otherPayload },
);

const tgid = from('', '', '(   4200) ', '(-------) ', '() ');

const tracefsLine = fc
  .record({ comm, pid, tgid, cpu, flags, seconds, payload, noIrq: fc.boolean() })
  .map((v) => {
    const column = v.noIrq ? '  ' : `${v.flags} `;
    return `${v.comm.padStart(16)}-${v.pid.padEnd(7)} ${v.tgid}[${v.cpu}] ${column}${v.seconds.padStart(12)}: ${v.payload}`;
  });

const traceCmdLine = fc
  .record({ comm, pid, cpu, flags, seconds, payload, form: from('old', 'new', 'latency', 'instance', 'top') })
  .map((v) => {
    const padded = v.payload.replace(/^(\w+:) /, (_, name: string) => `${name.padEnd(21)} `);
    const tail = `${v.seconds.padStart(12)}: ${padded}`;
    if (v.form === 'latency') {
      return `${v.comm.slice(0, 8).padStart(8)}-${v.pid.padEnd(5)} ${String(Number(v.cpu)).padStart(3)}${v.flags} ${tail}`;
    }
    const start = `${v.comm.padStart(16)}-${v.pid.padEnd(5)} [${v.cpu}]`;
    if (v.form === 'new') return `${start} ${v.flags} ${tail}`;
    const prefix = v.form === 'instance' ? '   mine: ' : v.form === 'top' ? '         ' : '';
    return `${prefix}${start} ${tail}`;
  });

const latencyLine = fc
  .record({ comm, pid, cpu, flags, seconds, mark: from(' ', '+', '!', '#', '*', '@', '$', 'x'), payload })
  .map((v) => {
    const time = v.seconds.includes('.') ? v.seconds : `${v.seconds}us${v.mark}`;
    return `${v.comm.slice(0, 8).padStart(8)}-${v.pid.padEnd(7)} ${String(Number(v.cpu)).padStart(3)}${v.flags} ${time}: ${v.payload}`;
  });

const perfLine = fc
  .record({
    comm,
    pid: fc.oneof(pid, from('-1', '-2')),
    cpu,
    seconds,
    payload,
    group: from('kmem:', 'kmem:', 'kmem:', 'compaction:', 'probe:', '', 'a:b:'),
    form: from('full', 'full', 'pid', 'short', 'period', 'misc', 'nocomm', 'chain'),
  })
  .map((v) => {
    const event = `${v.group}${v.payload}`;
    const tail = (gap: number) => `${v.seconds.padStart(12)}: ${' '.repeat(gap)}${event}`;
    switch (v.form) {
      case 'pid':
        return `${v.comm.padStart(16)} ${v.pid.padStart(5)}/${v.pid.padEnd(5)} [${v.cpu}] ${tail(8)}`;
      case 'short':
        return `${v.comm.slice(0, 8).padStart(8)} ${v.pid.padStart(5)} ${String(Number(v.cpu)).padStart(3)} ${tail(8)}`;
      case 'period':
        return `${v.comm.padStart(16)} ${v.pid.padStart(5)} [${v.cpu}] ${v.seconds}:          1 ${event}`;
      case 'misc':
        return `${v.comm.padStart(16)} ${v.pid.padStart(5)} [${v.cpu}] K     ${tail(8)}`;
      case 'nocomm':
        return `${v.pid.padStart(5)} [${v.cpu}] ${tail(2)}`;
      case 'chain':
        return `${v.comm} ${v.pid} [${v.cpu}] ${v.seconds}: ${event}`;
      default:
        return `${v.comm.padStart(16)} ${v.pid.padStart(7)} [${v.cpu}] ${tail(12)}`;
    }
  });

const notEvents = from(
  '# tracer: nop',
  '##### CPU 1 buffer started ####',
  'CPU:2 [LOST 1234 EVENTS]',
  'CPU:2 [1234 EVENTS DROPPED]',
  'CPU:70000 [LOST EVENTS]',
  'cpus=4',
  'version = 6',
  'CPU 1 is empty',
  '',
  '   ',
  '\tffffffff81636237 kmem_cache_alloc_noprof+0x227 ([kernel.kallsyms])',
  ' => do_syscall_64',
  '            perf 16764 [000] 11471.017198: PERF_RECORD_LOST lost 1033',
  '         swapper     0 [000]     0.000000: PERF_RECORD_FORK(1:1):(0:0)',
  'hello',
);

/** A line of a dialect; mostly an event. */
export function lineOf(dialect: TextDialect): fc.Arbitrary<string> {
  const event = { tracefs: tracefsLine, 'trace-cmd': traceCmdLine, latency: latencyLine, perf: perfLine }[
    dialect
  ];
  return fc.oneof({ weight: 12, arbitrary: event }, { weight: 1, arbitrary: notEvents });
}

/** Bytes that mean something in a line, and some that must not. */
const POKES = [...' -=:.,[]()/+0x9afGsdN|_\t\r\0\u001b\u00ff@`#'];

/** The lines of `line` with some of their bytes replaced, removed, doubled or cut off. */
export function mutated(line: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const change = fc.record({
    at: fc.nat(400),
    how: fc.constantFrom('replace', 'insert', 'remove', 'cut', 'double'),
    poke: fc.constantFrom(...POKES),
  });
  return fc.tuple(line, fc.array(change, { minLength: 1, maxLength: 3 })).map(([text, changes]) => {
    let result = text;
    for (const { at, how, poke } of changes) {
      const place = result.length === 0 ? 0 : at % result.length;
      const before = result.slice(0, place);
      const after = result.slice(place);
      if (how === 'replace') result = before + poke + after.slice(1);
      else if (how === 'insert') result = before + poke + after;
      else if (how === 'remove') result = before + after.slice(1);
      else if (how === 'cut') result = before;
      else result = before + after + after;
    }
    return result;
  });
}
