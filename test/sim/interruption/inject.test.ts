/** What --inject adds: where it strikes, how much of it is held, and that a run with it is as good as one without. */
import { describe, expect, test } from 'vitest';
import type { ResultSlab } from '../../../src/report/slab/result-slab.js';
import { parseInject } from '../../../src/sim/interruption/inject-spec.js';
import { csvStory, dice, documentOf, machine, newSession, optionsFor } from '../state/support.js';
import { freePagesOf, MIB_PAGES, managedPagesOf } from '../support.js';
import {
  countOf,
  csvOf,
  liveByCache,
  type Row,
  requestsOf,
  type SlabRunOptions,
  slabRun,
} from './support.js';

/** Allocations and frees of several sizes on two CPUs; what is left is counted. */
function busyRows(count: number, seed: number): { rows: Row[]; left: number } {
  const roll = dice(seed);
  const rows: Row[] = [];
  const live: string[] = [];
  for (let i = 0; i < count; i++) {
    const where = { ts: i * 1000, cpu: roll(2) };
    if (live.length > 0 && roll(5) < 2)
      rows.push({ ...where, op: 'kfree', id: live.splice(roll(live.length), 1)[0]! });
    else {
      rows.push({ ...where, op: 'kmalloc', id: `o${i}`, size: [8, 64, 192, 1024, 4096][roll(5)]! });
      live.push(`o${i}`);
    }
  }
  return { rows, left: live.length };
}

const BUSY = busyRows(1500, 3);
const ANY_POINT = 'nmi:kmalloc_nolock(64)@any:p=0.05,live=30';

const struck = (injected: readonly string[], more: SlabRunOptions = {}) =>
  slabRun(BUSY.rows, { injected, ...more });
const allRequests = (slab: ResultSlab) => requestsOf(slab).reduce((sum, [, , , , count]) => sum + count, 0);

describe('where it strikes', () => {
  test('at each point of the name, with p=1: once for each slab that is made', async () => {
    const { slab } = await struck(['nmi:kmalloc_nolock(8192)@page_alloc:live=0']);
    const without = await slabRun(BUSY.rows);
    const made = (of: ResultSlab) => of.totals.stats.alloc_slab ?? 0;
    // kmalloc-8k slabs are made by the injected calls themselves, which no NMI strikes in
    expect(requestsOf(slab).every(([context, , size]) => context === 'nmi' && size === '8192')).toBe(true);
    const own = slab.caches.find(({ name }) => name === 'kmalloc-8k')!.stats.alloc_slab ?? 0;
    expect(made(slab) - own).toBe(made(without.slab));
    expect(allRequests(slab)).toBeGreaterThanOrEqual(made(without.slab));
  });

  test('at a point that does not come, never', async () => {
    const { result, slab } = await struck(['nmi:kmalloc_nolock(64)@memcg_stock']);
    const without = await slabRun(BUSY.rows);
    expect(slab.nolock).toBeNull();
    expect(JSON.parse(documentOf({ ...result, injected: [], inputs: [] }))).toEqual(
      JSON.parse(documentOf({ ...without.result, injected: [], inputs: [] })),
    );
  });

  test('on one CPU, if that is said; rows of absent CPUs are those of CPU 0', async () => {
    const rows = BUSY.rows.map((row) => ({ ...row, cpu: row.cpu === 1 ? 1 : 9 }));
    const at = 'nmi:kmalloc_nolock(64)@fastpath:live=1000000';
    const counts: number[] = [];
    for (const option of ['', ',cpu=0', ',cpu=1', ',cpu=2'])
      counts.push(allRequests((await slabRun(rows, { injected: [at + option] })).slab));
    expect(counts[0]).toBeGreaterThan(500);
    expect(counts[1]).toBeGreaterThan(100);
    expect(counts[2]).toBeGreaterThan(100);
    expect(counts[3]).toBe(0);
  });

  test('rows that are nested in what is struck keep their place and their order', async () => {
    const rows: Row[] = [
      { op: 'kmalloc', id: 'a', size: 64 },
      { op: 'kmalloc_nolock', id: 'b', size: 64, ctx: 'softirq', depth: 1, at: 'page_alloc' },
    ];
    // The injected hardirq makes a slab of its own first: no softirq may strike in that.
    const { result, slab } = await slabRun(rows, { injected: ['hardirq:kmalloc_nolock(192)@any'] });
    expect(countOf(result, 'nested_behind')).toBe(0);
    expect(slab.hazards_total).toEqual({});
  });
});

test('a call that is struck each time it begins comes to an end', async () => {
  for (const point of ['fastpath', 'any', 'cpu_slab', 'page_alloc', 'install', 'list_lock', 'zone', 'pcp'])
    for (const context of ['task', 'softirq', 'hardirq', 'nmi']) {
      const injected = [
        `${context}:kmalloc_nolock(64)@${point}:live=0`,
        `nmi:kmalloc_nolock(64)@${point}:live=1`,
      ];
      const { slab } = await slabRun(BUSY.rows.slice(0, 150), { injected });
      expect(slab.deferred.now.objects).toBe(0);
    }
});

describe('by chance', () => {
  test('the same seed gives the same document, another one another', async () => {
    const [a, b, c] = [
      await struck([ANY_POINT]),
      await struck([ANY_POINT]),
      await struck([ANY_POINT], { seed: 2 }),
    ];
    const told = ({ result }: typeof a) => documentOf({ ...result, seed: 0, inputs: [] });
    expect(told(b)).toBe(told(a));
    expect(told(c)).not.toBe(told(a));
  });

  test('as often as p says', async () => {
    // Of a cache that nothing else uses: what strikes changes nothing of where it can strike.
    const at = 'nmi:kmalloc_nolock(16)@cpu_slab:live=1000000,p=';
    const all = allRequests((await struck([`${at}1`])).slab);
    const some = allRequests((await struck([`${at}0.2`])).slab);
    expect(all).toBeGreaterThan(100);
    // five standard deviations
    expect(Math.abs(some - all * 0.2)).toBeLessThan(5 * Math.sqrt(all * 0.2 * 0.8));
  });
});

describe('what is held', () => {
  test.each([0, 1, 7, 100])('live=%i: so many objects and not more', async (live) => {
    const { slab } = await struck([`nmi:kmalloc_nolock(64)@fastpath:live=${live}`]);
    const frees = slab.nolock!.frees.reduce((sum, { count }) => sum + count, 0);
    const got = requestsOf(slab).reduce(
      (sum, [, , , outcome, count]) => sum + (outcome === 'null' ? 0 : count),
      0,
    );
    expect(got).toBeGreaterThan(200);
    expect(got - frees).toBe(live);
    expect(slab.totals.live_objects).toBe(BUSY.left + live);
    expect(slab.deferred.now.objects).toBe(0);
  });

  test.each(['alloc_nolock(2)', 'alloc(1)'])('pages: %s', async (op) => {
    const context = op.startsWith('alloc_') ? 'nmi' : 'hardirq';
    const inject = [parseInject(`${context}:${op}@fastpath:live=10`)];
    const story = await csvStory('busy', csvOf(BUSY.rows), machine(64 * MIB_PAGES));
    const session = newSession(story, await optionsFor('mainline-6.18', { inject }));
    session.feed(story.events);
    const { slab } = session.result();
    const { mm } = session.start;
    const used = managedPagesOf(mm) - freePagesOf(mm) - slab!.totals.pages;
    expect(used).toBe(10 * (op === 'alloc(1)' ? 2 : 4));
  });
});

describe('every context and point, validated', () => {
  const NOLOCK = ['kmalloc_nolock(64,account)', 'alloc_nolock(0)'];
  test.each(['mainline-6.18', 'mainline-7.2', 'spb-v2'])(
    '%s: calls from any context do no harm',
    async (policyName) => {
      for (const context of ['task', 'softirq', 'hardirq', 'nmi'])
        for (const op of NOLOCK) {
          const injected = [
            `${context}:${op}@any:p=0.3,live=20`,
            'nmi:kmalloc_nolock(4096)@any:p=0.1,live=5',
          ];
          const { slab } = await struck(injected, { policyName });
          expect(slab.hazards_total, `${context}:${op}`).toEqual({});
          const { requested_bytes, waste_bytes, pages } = slab.totals;
          expect(requested_bytes + waste_bytes).toBe(pages * 4096);
        }
    },
  );

  test.each(['mainline-6.18', 'mainline-7.2', 'spb-v2'])(
    '%s: calls that wait are found out in NMIs',
    async (policyName) => {
      for (const op of ['kmalloc(64)', 'alloc(0)']) {
        const { slab } = await struck([`nmi:${op}@any:p=0.3,live=20`], { policyName });
        expect(slab.hazards_total.misuse).toBeGreaterThan(100);
        const { requested_bytes, waste_bytes, pages } = slab.totals;
        expect(requested_bytes + waste_bytes).toBe(pages * 4096);
      }
    },
  );
});

test('what the trace itself has is the same with what strikes and without', async () => {
  const without = await slabRun(BUSY.rows);
  expect(without.slab.totals.live_objects).toBe(BUSY.left);
  const { slab } = await struck(['nmi:kmalloc_nolock(16)@any:p=0.5,live=9']);
  const others = (live: Record<string, number>) => {
    const { 'kmalloc-16': _, 'kmalloc-32': __, ...rest } = live;
    return rest;
  };
  expect(others(liveByCache(slab))).toEqual(others(liveByCache(without.slab)));
});
