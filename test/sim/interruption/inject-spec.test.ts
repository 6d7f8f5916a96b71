/** The grammar of --inject: what is understood, and each mistake told in one line. */
import { describe, expect, test } from 'vitest';
import { UsageError } from '../../../src/config/usage-error.js';
import { Context } from '../../../src/mm/context.js';
import { INJECTED_OPS, parseInject } from '../../../src/sim/interruption/inject-spec.js';
import { CTX_NAMES, LOCK_POINTS } from '../../../src/trace/event-batch.js';

describe('what is understood', () => {
  test('everything given', () => {
    const text = 'nmi:kmalloc_nolock(64,account)@cpu_slab:p=0.25,live=200,cpu=3';
    expect(parseInject(text)).toEqual({
      text,
      context: Context.nmi,
      op: 'kmalloc_nolock',
      size: 64,
      isAccounted: true,
      point: LOCK_POINTS.indexOf('cpu_slab'),
      probability: 0.25,
      live: 200,
      cpu: 3,
    });
  });

  test('nothing but what must be', () => {
    expect(parseInject('task:alloc(0)@any')).toMatchObject({
      isAccounted: false,
      probability: 1,
      live: 64,
      cpu: -1,
    });
  });

  test.each(INJECTED_OPS.flatMap((op) => CTX_NAMES.map((context) => [context, op] as const)))(
    '%s:%s at every point',
    (context, op) => {
      for (const [at, point] of LOCK_POINTS.entries()) {
        const spec = parseInject(`${context}:${op}(1)@${point}`);
        expect([spec.op, spec.context, spec.point]).toEqual([
          op,
          Context[context as keyof typeof Context],
          at,
        ]);
      }
    },
  );

  test('the least and the most', () => {
    expect(parseInject('nmi:alloc_nolock(10)@zone:live=1048576,cpu=65535').size).toBe(10);
    expect(parseInject('nmi:kmalloc_nolock(4194304)@any:live=0').live).toBe(0);
    expect(parseInject('nmi:kmalloc_nolock(0)@any:p=1e-9').probability).toBe(1e-9);
  });
});

const FORM = 'expected CONTEXT:OPERATION(SIZE)@POINT:OPTIONS, such as nmi:kmalloc_nolock(64)@cpu_slab:p=0.01';

describe('mistakes', () => {
  test.each([
    ['', FORM],
    ['nmi', FORM],
    ['nmi:kmalloc_nolock@any', FORM],
    ['nmi:kmalloc_nolock(64)', FORM],
    ['nmi:kmalloc_nolock(64)@', FORM],
    ['NMI:kmalloc_nolock(64)@any', FORM],
    ['irq:kmalloc_nolock(64)@any', 'there is no context irq: expected one of task, softirq, hardirq, nmi'],
    [
      'nmi:kfree(64)@any',
      'there is no operation kfree: expected one of kmalloc_nolock, kmalloc, alloc_nolock, alloc',
    ],
    ['nmi:kmalloc_nolock(64)@slab', `there is no point slab: expected one of ${LOCK_POINTS.join(', ')}`],
    ['nmi:kmalloc_nolock()@any', 'bytes : expected a whole number from 0 to 4194304'],
    ['nmi:kmalloc_nolock(-1)@any', 'bytes -1: expected a whole number from 0 to 4194304'],
    ['nmi:kmalloc_nolock(6.5)@any', 'bytes 6.5: expected a whole number from 0 to 4194304'],
    ['nmi:kmalloc_nolock(4194305)@any', 'bytes 4194305: expected a whole number from 0 to 4194304'],
    ['nmi:alloc_nolock(11)@any', 'order 11: expected a whole number from 0 to 10'],
    ['nmi:kmalloc_nolock(64,zero)@any', 'zero: expected account'],
    ['nmi:kmalloc_nolock(64)@any:', undefined],
    ['nmi:kmalloc_nolock(64)@any:q=1', 'there is no option q: expected one of p, live, cpu'],
    ['nmi:kmalloc_nolock(64)@any:__proto__=1', 'there is no option __proto__: expected one of p, live, cpu'],
    ['nmi:kmalloc_nolock(64)@any:p', 'p=: expected a probability above 0, up to 1'],
    ['nmi:kmalloc_nolock(64)@any:p=0', 'p=0: expected a probability above 0, up to 1'],
    ['nmi:kmalloc_nolock(64)@any:p=1.1', 'p=1.1: expected a probability above 0, up to 1'],
    ['nmi:kmalloc_nolock(64)@any:p=NaN', 'p=NaN: expected a probability above 0, up to 1'],
    ['nmi:kmalloc_nolock(64)@any:live=-1', 'live -1: expected a whole number from 0 to 1048576'],
    ['nmi:kmalloc_nolock(64)@any:live=1048577', 'live 1048577: expected a whole number from 0 to 1048576'],
    ['nmi:kmalloc_nolock(64)@any:cpu=x', 'cpu x: expected a whole number from 0 to 65535'],
    ['nmi:kmalloc_nolock(64)@any:p=1=2', 'p=1=2: expected a probability above 0, up to 1'],
    ['nmi:kmalloc_nolock(64)@any:p=1,p=0.5', 'p is given twice'],
  ])('%s', (text, what) => {
    if (what === undefined) {
      expect(parseInject(text).probability).toBe(1);
      return;
    }
    expect(() => parseInject(text)).toThrow(UsageError);
    expect(() => parseInject(text)).toThrow(new UsageError(`--inject ${text}: ${what}`));
  });
});
