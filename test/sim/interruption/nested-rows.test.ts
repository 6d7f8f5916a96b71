/** Rows that are nested in others strike at the point that they name, in a context of their own. model: slub 3, 7 */
import { describe, expect, test } from 'vitest';
import { countOf, liveByCache, type Row, requestsOf, slabRun } from './support.js';

const KMALLOC: Row = { op: 'kmalloc', id: 'a', size: 64 };

function nolock(id: string, more: Partial<Row> = {}): Row {
  return { op: 'kmalloc_nolock', id, size: 64, ctx: 'nmi', depth: 1, ...more };
}

/** A node's partial list of kmalloc-4096 has slabs, and CPU 0 has none: its next request takes one from the list. */
function withPartialList(): Row[] {
  const SLABS = 6;
  const OBJECTS = 8;
  const allocated = Array.from({ length: SLABS * OBJECTS }, (_, i) => ({
    op: 'kmalloc',
    id: `p${i}`,
    size: 4096,
  }));
  // The last one is CPU 0's own.
  const freed = Array.from({ length: SLABS - 1 }, (_, i) => ({ op: 'kfree', id: `p${i * OBJECTS}`, cpu: 1 }));
  return [...allocated, ...freed];
}

describe('why a request got nothing', () => {
  const causeOf = async (rows: Row[], options: Parameters<typeof slabRun>[1]) => {
    const { slab } = await slabRun(rows, options);
    return slab.nolock!.requests.map(({ outcome, cause }) => [outcome, cause]);
  };

  test('a busy cache, where no other is tried', async () => {
    const rows = [KMALLOC, nolock('b', { at: 'cpu_slab' })];
    expect(await causeOf(rows, { set: ['slab.nolock_retry=none'] })).toEqual([['null', 'busy']]);
  });

  test('15. a busy cache, and there is no larger one', async () => {
    const rows = [{ ...KMALLOC, size: 8192 }, nolock('b', { size: 8192, at: 'cpu_slab' })];
    expect(await causeOf(rows, {})).toEqual([['null', 'busy']]);
  });

  test('with sheaves, the lock of the list: a new slab cannot be put on it', async () => {
    const large = Array.from({ length: 200 }, (_, i) => ({ op: 'kmalloc', id: `l${i}`, size: 8192 }));
    // More than two sheaves and the barn hold: the rest is flushed to slabs.
    const rows = [...large, ...large.map(({ id }) => ({ op: 'kfree', id }))];
    const injected = ['nmi:kmalloc_nolock(8192)@list_lock'];
    const causes = await causeOf(rows, { policyName: 'mainline-7.2', injected });
    expect(causes.filter(([outcome]) => outcome === 'null')).toEqual([['null', 'no_list_lock']]);
  });
});

describe('the point decides what a request gets', () => {
  test('4. cpu_slab: the next bucket', async () => {
    const { result, slab } = await slabRun([KMALLOC, nolock('b', { at: 'cpu_slab' })]);
    expect(requestsOf(slab)).toEqual([['nmi', 'cpu_slab', '64', 'next_bucket', 1]]);
    expect(liveByCache(slab)).toEqual({ 'kmalloc-64': 1, 'kmalloc-96': 1 });
    expect(countOf(result, 'nested_behind')).toBe(0);
    expect(slab.hazards_total).toEqual({});
  });

  test('a point that never comes: the same row runs behind, and finds nothing locked', async () => {
    const { result, slab } = await slabRun([KMALLOC, nolock('b', { at: 'obj_stock' })]);
    expect(requestsOf(slab)).toEqual([['nmi', 'none', '64', 'fast', 1]]);
    expect(liveByCache(slab)).toEqual({ 'kmalloc-64': 2 });
    expect(countOf(result, 'nested_behind')).toBe(1);
  });

  test('page_alloc: nothing is locked, and both make a slab', async () => {
    const { slab } = await slabRun([KMALLOC, nolock('b', { ctx: 'hardirq', at: 'page_alloc' })]);
    expect(requestsOf(slab)).toEqual([['hardirq', 'none', '64', 'new_slab', 1]]);
    const cache = slab.caches.find(({ name }) => name === 'kmalloc-64')!;
    expect([cache.live_objects, cache.slabs]).toEqual([2, 2]);
  });

  test('fastpath: the interrupted call begins again, and nobody gets the same slot', async () => {
    const { slab } = await slabRun([KMALLOC, { ...KMALLOC, id: 'c' }, nolock('b', { at: 'fastpath' })]);
    expect(requestsOf(slab)).toEqual([['nmi', 'fastpath', '64', 'fast', 1]]);
    expect(liveByCache(slab)).toEqual({ 'kmalloc-64': 3 });
  });

  test('list_lock: a slab of its own, though the list has free slots', async () => {
    const large = { op: 'kmalloc', id: 'a', size: 4096 };
    const rows = (at: string) => [...withPartialList(), large, nolock('b', { size: 4096, at })];
    const struck = await slabRun(rows('list_lock'));
    expect(requestsOf(struck.slab)).toEqual([['nmi', 'list_lock', '4096', 'new_slab', 1]]);
    expect(struck.slab.nolock?.extra_slabs).toBe(1);
    const behind = await slabRun(rows('obj_stock'));
    expect(behind.slab.nolock?.extra_slabs).toBe(0);
    const slabsOf = ({ caches }: typeof behind.slab) =>
      caches.find(({ name }) => name === 'kmalloc-4k')!.slabs;
    expect([slabsOf(behind.slab), slabsOf(struck.slab)]).toEqual([6, 7]);
  });

  test('any: the first point', async () => {
    const { slab } = await slabRun([KMALLOC, { ...KMALLOC, id: 'c' }, nolock('b', { at: 'any' })]);
    expect(requestsOf(slab).map(([, lock]) => lock)).toEqual(['fastpath']);
  });

  test('zone and pcp: requests for pages', async () => {
    for (const at of ['zone', 'pcp']) {
      const { result, slab } = await slabRun([
        { op: 'alloc', id: 'a' },
        { op: 'alloc_nolock', id: 'b', ctx: 'nmi', depth: 1, at },
      ]);
      expect(countOf(result, 'nested_behind')).toBe(0);
      expect(requestsOf(slab).map(([, lock, size]) => [lock, size])).toEqual([[at, 'pages']]);
    }
  });
});

describe('several rows', () => {
  test('at one point, one after the other', async () => {
    const { result, slab } = await slabRun([
      KMALLOC,
      nolock('b', { at: 'cpu_slab' }),
      nolock('c', { at: 'cpu_slab' }),
    ]);
    expect(requestsOf(slab)).toEqual([['nmi', 'cpu_slab', '64', 'next_bucket', 2]]);
    expect(liveByCache(slab)).toEqual({ 'kmalloc-64': 1, 'kmalloc-96': 2 });
    expect(countOf(result, 'nested_behind')).toBe(0);
  });

  test('a later one waits for its turn: rows of a group have an order', async () => {
    const { result, slab } = await slabRun([
      KMALLOC,
      nolock('b', { at: 'obj_stock' }),
      nolock('c', { at: 'cpu_slab' }),
    ]);
    expect(requestsOf(slab)).toEqual([['nmi', 'none', '64', 'fast', 2]]);
    expect(countOf(result, 'nested_behind')).toBe(2);
  });

  test('two deep: the inner one finds the lock of the one that it interrupts', async () => {
    const { slab } = await slabRun([
      KMALLOC,
      nolock('b', { ctx: 'hardirq', at: 'page_alloc' }),
      nolock('c', { depth: 2, at: 'cpu_slab' }),
    ]);
    expect(requestsOf(slab)).toEqual([
      ['hardirq', 'none', '64', 'new_slab', 1],
      ['nmi', 'cpu_slab', '64', 'next_bucket', 1],
    ]);
    expect(liveByCache(slab)).toEqual({ 'kmalloc-64': 2, 'kmalloc-96': 1 });
    expect(slab.hazards_total).toEqual({});
  });

  test('three deep, in every context', async () => {
    const { result, slab } = await slabRun([
      KMALLOC,
      nolock('b', { ctx: 'softirq', at: 'page_alloc' }),
      nolock('c', { ctx: 'hardirq', depth: 2, at: 'page_alloc' }),
      nolock('d', { depth: 3, at: 'cpu_slab' }),
    ]);
    expect(requestsOf(slab).map(([context, lock]) => [context, lock])).toEqual([
      ['softirq', 'none'],
      ['hardirq', 'none'],
      ['nmi', 'cpu_slab'],
    ]);
    expect(liveByCache(slab)).toEqual({ 'kmalloc-64': 3, 'kmalloc-96': 1 });
    expect(countOf(result, 'nested_behind')).toBe(0);
    expect(slab.hazards_total).toEqual({});
  });

  test.each([65_533, 65_534, 65_535, 65_536])('a group that begins in row %i', async (before) => {
    const filler = Array.from({ length: before }, () => ({ op: 'mark', id: '' }));
    const csv = [
      'op,id,size,gfp,ctx,depth,at',
      ...filler.map(() => 'tick,,,,,,'),
      'kmalloc,a,64,GFP_KERNEL,task,0,',
      'kmalloc_nolock,b,64,,hardirq,1,page_alloc',
      'kmalloc_nolock,c,64,,nmi,2,cpu_slab',
      '',
    ].join('\n');
    const { result, slab } = await slabRun(csv);
    expect(countOf(result, 'nested_behind') + countOf(result, 'nested_alone')).toBe(0);
    expect(requestsOf(slab).map(([, lock]) => lock)).toEqual(['none', 'cpu_slab']);
  });
});

describe('CPUs', () => {
  test('one that the machine does not have strikes and is struck where the operation is replayed', async () => {
    const { slab } = await slabRun([
      { ...KMALLOC, cpu: 9 },
      { op: 'kmalloc', id: 'b', size: 64, ctx: 'nmi', depth: 1, at: 'cpu_slab', cpu: 9 },
    ]);
    expect(slab.hazards_total).toEqual({ deadlock: 1, misuse: 1 });
    expect(slab.hazards.map(({ cpu }) => cpu)).toEqual([0, 0]);
    expect(slab.hazards[1]?.wanted).toBe('cpu_slab kmalloc-64 0');
  });

  test('a row strikes in the row of its own CPU, not in that of another one between them', async () => {
    const { slab } = await slabRun([
      KMALLOC,
      { op: 'kmalloc', id: 'x', size: 64, cpu: 1 },
      nolock('b', { at: 'cpu_slab' }),
    ]);
    expect(requestsOf(slab)).toEqual([['nmi', 'cpu_slab', '64', 'next_bucket', 1]]);
    expect(slab.caches.find(({ name }) => name === 'kmalloc-64')?.slabs).toBe(2);
  });
});

describe('hazards', () => {
  const inNmi = (at: string, size = 64): Row => ({ op: 'kmalloc', id: 'n', size, ctx: 'nmi', depth: 1, at });

  test.each([
    ['cpu_slab', [KMALLOC, inNmi('cpu_slab')], 'cpu_slab kmalloc-64 0'],
    [
      'list_lock',
      [...withPartialList(), { op: 'kmalloc', id: 'a', size: 4096 }, inNmi('list_lock', 4096)],
      'list_lock kmalloc-4k 0',
    ],
  ])('kmalloc in an NMI at %s waits for ever', async (_at, rows, wanted) => {
    const { slab } = await slabRun(rows);
    expect(slab.hazards_total).toEqual({ deadlock: 1, misuse: 1 });
    const deadlock = slab.hazards.find(({ kind }) => kind === 'deadlock')!;
    expect(deadlock.wanted).toBe(wanted);
    expect(deadlock.stack.map(({ context, operation }) => [context, operation])).toEqual([
      ['task', 'kmalloc'],
      ['nmi', 'kmalloc'],
    ]);
    expect(deadlock.stack[0]?.locks).toContain(wanted);
  });

  test('in an NMI that interrupts nothing it is misused, and no more than that', async () => {
    for (const injected of [[], ['nmi:kmalloc_nolock(64)@list_lock']]) {
      const { slab } = await slabRun([{ op: 'kmalloc', id: 'n', size: 64, ctx: 'nmi' }], { injected });
      expect(slab.hazards_total).toEqual({ misuse: 1 });
      expect(slab.hazards).toMatchObject([{ kind: 'misuse', text: 'kmalloc in an NMI', wanted: null }]);
    }
  });

  test('calls from any context are none', async () => {
    const { slab } = await slabRun([
      KMALLOC,
      nolock('b', { at: 'cpu_slab' }),
      { op: 'kfree_nolock', id: 'b', ctx: 'nmi' },
      nolock('c', { depth: 0 }),
    ]);
    expect(slab.hazards_total).toEqual({});
  });
});
