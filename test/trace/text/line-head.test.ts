import { expect, test } from 'vitest';
import { CTX_NAMES } from '../../../src/trace/event-batch.js';
import { LineHead } from '../../../src/trace/text/line-head.js';

/** Parses one line that stands between two others, as in a file. */
function parse(line: string) {
  const before = 'x'.repeat(40);
  const bytes = Buffer.from(
    `${before}\n${line}\n            next-1       [099] ..s..     9.999999: next: \n`,
    'latin1',
  );
  const head = new LineHead();
  const start = before.length + 1;
  if (!head.parse(bytes, start, start + line.length)) return undefined;
  return {
    pid: head.pid,
    cpu: head.cpu,
    ctx: CTX_NAMES[head.ctx],
    ts: head.ts,
    name: bytes.toString('latin1', head.nameStart, head.nameEnd),
    payload: bytes.toString('latin1', head.payload, start + line.length),
  };
}

test('the usual line', () => {
  expect(
    parse('          stress-4211    [002] d..2.   812.104233: mm_page_free: page=0 pfn=0x15c400'),
  ).toEqual({
    pid: 4211,
    cpu: 2,
    ctx: 'task',
    ts: 812_104_233_000,
    name: 'mm_page_free',
    payload: 'page=0 pfn=0x15c400',
  });
});

test.each([
  ['..s2.', 'softirq'],
  ['d.h1.', 'hardirq'],
  ['dNH3.', 'hardirq'],
  ['dNZ3.', 'nmi'],
  ['d.z..', 'nmi'],
  ['b....', 'task'],
  ['DBsf1', 'softirq'],
  ['.ls..', 'softirq'],
])('the context of %s is %s', (flags, ctx) => {
  expect(parse(`          <idle>-0       [003] ${flags}   812.104310: kfree: x`)?.ctx).toBe(ctx);
});

test('four flag characters, as before 5.15', () => {
  expect(parse('          <idle>-0       [003] d.h1   812.104310: kfree: x')).toMatchObject({
    ctx: 'hardirq',
    cpu: 3,
  });
});

test('no flags, with irq-info off', () => {
  expect(parse('          stress-4211    [002]    812.104233: kfree: x')).toMatchObject({
    ctx: 'task',
    ts: 812_104_233_000,
  });
});

test('a tgid column, known or not', () => {
  expect(parse('          stress-4211    (   4200) [002] ..s..   812.104233: kfree: x')).toMatchObject({
    pid: 4211,
    ctx: 'softirq',
  });
  expect(parse('          stress-4211    (-------) [002] ..s..   812.104233: kfree: x')).toMatchObject({
    cpu: 2,
    ctx: 'softirq',
  });
});

test('tasks may call themselves anything', () => {
  expect(parse('           <...>-695     [000] .....  3279.813330: kfree: x')?.pid).toBe(695);
  expect(parse('   a b-1 [5] c:-77      [001] .....     1.000002: kfree: x')).toMatchObject({
    pid: 77,
    cpu: 1,
    ts: 1_000_002_000,
  });
  expect(parse('- [000] ..s..  1-8       [001] .....     1.000002: kfree: x')).toMatchObject({
    pid: 8,
    cpu: 1,
    ctx: 'task',
  });
  // The first half of a name with a line end went to the line before.
  expect(parse('half-12      [004] ..s..     1.500000: kfree: x')).toMatchObject({
    pid: 12,
    cpu: 4,
    ctx: 'softirq',
  });
});

test('nanoseconds, and clocks that count', () => {
  expect(parse('          stress-4211    [002] .....   812.104233567: kfree: x')?.ts).toBe(812_104_233_567);
  expect(parse('          stress-4211    [002] .....      1234567890: kfree: x')?.ts).toBe(1_234_567_890);
});

test('trace-cmd pads the name', () => {
  expect(
    parse('          stress-4211  [002]   812.104236: mm_page_alloc:        page=0x15c400 pfn=0x1'),
  ).toMatchObject({
    name: 'mm_page_alloc',
    payload: 'page=0x15c400 pfn=0x1',
  });
});

test.each([
  '',
  'CPU:2 [LOST 1234 EVENTS]',
  '          stress-4211    [002] d..2.   812.104233: mm_page_free',
  '          stress-4211    [002] d..2.   812.104233:',
  '          stress-4211    [002] d..2.   812.104233.5: kfree: x',
  '          stress-        [002] d..2.   812.104233: kfree: x',
  '          stress-4211    [abc] d..2.   812.104233: kfree: x',
  '          stress-4211    [99999] d..2.   812.104233: kfree: x',
  'random text: with a colon, nothing more than that',
])('no event line: %s', (line) => {
  expect(parse(line)).toBeUndefined();
});

test('a line of blanks or dashes costs no time', () => {
  expect(parse(' '.repeat(500_000))).toBeUndefined();
  expect(parse('-1 '.repeat(200_000))).toBeUndefined();
});
