/** Workloads of allocation from any context: whether they are what docs/workloads.md says, counted from their rows. */
import { describe, expect, test } from 'vitest';
import { UsageError } from '../../src/config/usage-error.js';
import { generate } from '../../src/gen/generate.js';
import { LiveObjects } from '../../src/gen/live-objects.js';
import { Prng } from '../../src/gen/prng.js';
import { TraceRows } from '../../src/gen/trace-rows.js';
import { Ctx, type EventBatch, LOCK_POINTS, Op } from '../../src/trace/event-batch.js';
import { NestedGroups } from '../../src/trace/join/nested-groups.js';
import { Nesting, NestingProblem } from '../../src/trace/nesting.js';
import { createTraceStrings } from '../../src/trace/string-table.js';
import { eventsOf } from '../trace/helpers.js';
import { eachRow, expectNear, small } from './support.js';

const NAMES = ['bpf-nmi-storm', 'bpf-map-churn', 'kprobe-in-slab', 'rt-timer'];
const NOLOCK: readonly number[] = [Op.kmalloc_nolock, Op.kfree_nolock];
const FREES: readonly number[] = [Op.free, Op.kfree, Op.kfree_nolock];
const OF_PAGES: readonly number[] = [Op.alloc, Op.free];

/** Rows by a text that `kind` makes of them. */
async function countedBy(
  trace: ReturnType<typeof small>,
  kind: (batch: EventBatch, row: number) => string,
): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  await eachRow(trace, (batch, row) => {
    const name = kind(batch, row);
    counts.set(name, (counts.get(name) ?? 0) + 1);
  });
  return counts;
}

function ofContext(batch: EventBatch, row: number): string {
  return `${Object.keys(Op)[batch.op[row]]} ${Object.keys(Ctx)[batch.ctx[row]]} ${batch.depth[row]}`;
}

describe.each(NAMES)('%s', (name) => {
  test('contexts and nesting are legal, and groups stand together, never across two batches', async () => {
    const nesting = new Nesting(4);
    let cpu = -1;
    let outer = -1;
    const freed = [-1, -1, -1, -1];
    for await (const batch of small(name).batches()) {
      expect(batch.depth[0]).toBe(0);
      for (let row = 0; row < batch.length; row++) {
        const [op, ctx, depth] = [batch.op[row], batch.ctx[row], batch.depth[row]];
        if (nesting.check(batch.cpu[row], depth, ctx) !== NestingProblem.none) expect.fail(`row ${row}`);
        nesting.follow(batch.cpu[row], depth, ctx);
        if (depth === 0) {
          cpu = batch.cpu[row];
          outer = op;
          if (batch.at[row] !== 0) expect.fail('a point without nesting');
        } else {
          if (batch.cpu[row] !== cpu) expect.fail('a nested row apart from what it interrupts');
          if (!NOLOCK.includes(op)) expect.fail('only programs nest');
          const point = LOCK_POINTS[batch.at[row]]!;
          if (depth === 1 && OF_PAGES.includes(outer)) expect(['any', 'pcp', 'zone']).toContain(point);
        }
        // An object is not made under an id that is just being freed.
        const isFree = FREES.includes(op);
        if (!isFree && freed.slice(0, depth).includes(batch.id[row])) expect.fail(`id ${batch.id[row]}`);
        freed.fill(-1, depth);
        if (isFree) freed[depth] = batch.id[row];
        // What may sleep or spin is never asked for in these contexts.
        if (ctx >= Ctx.hardirq && !NOLOCK.includes(op)) expect.fail(`op ${op} in context ${ctx}`);
        if (ctx === Ctx.softirq && (batch.gfp[row] & 0x400) !== 0) expect.fail('direct reclaim in softirq');
        if (op === Op.kmalloc_nolock && (batch.gfp[row] & 0xc00) !== 0)
          expect.fail('a nolock request reclaims');
      }
    }
  });

  test('what a replay is given are the same rows', async () => {
    const groups = new NestedGroups(small(name, { events: 150_000 }));
    expect(await eventsOf(groups)).toEqual(await eventsOf(small(name, { events: 150_000 })));
    expect(groups.alone).toBe(0);
  });

  test('sizes are those that were asked for', async () => {
    const set: Record<string, string> =
      name === 'bpf-map-churn'
        ? { element: '300' }
        : { 'size-from': '100', 'size-to': '103', ...(name === 'rt-timer' ? { timer: '300' } : {}) };
    const sizes = await countedBy(small(name, { set }), (batch, row) =>
      batch.op[row] === Op.kmalloc_nolock ? String(batch.size[row]) : 'other',
    );
    sizes.delete('other');
    const expected = name === 'bpf-map-churn' ? ['300'] : ['100', '101', '102', '103'];
    if (name === 'rt-timer') expected.push('300');
    expect([...sizes.keys()].sort()).toEqual(expected);
  });

  test('slab objects of ordinary users are as many as asked for, in tasks and softirqs', async () => {
    let live = 0;
    let most = 0;
    const contexts = [0, 0, 0, 0];
    const trace = small(name, { set: { objects: 3000, load: 200_000, softirqs: '25%' } });
    await eachRow(trace, (batch, row) => {
      if (batch.op[row] === Op.kmalloc) live++;
      else if (batch.op[row] === Op.kfree) live--;
      else return;
      contexts[batch.ctx[row]]!++;
      most = Math.max(most, live);
    });
    expectNear(live, 3000, 0.15);
    expect(most).toBeLessThan(3600);
    const all = contexts.reduce((sum, n) => sum + n, 0);
    expectNear(contexts[Ctx.softirq]! / all, 0.25, 0.1);
    expectNear(all, 200_000 * 0.9, 0.1);
  });
});

test('bpf-nmi-storm: NMIs strike as often as asked for, half of them inside, at the points that were given', async () => {
  const trace = small('bpf-nmi-storm', { set: { allocs: 1, keep: 0, nmis: 20_000, load: 400_000 } });
  const counts = await countedBy(trace, ofContext);
  const seconds = 7 / 8;
  expectNear(counts.get('kmalloc_nolock nmi 1')!, 10_000 * seconds, 0.12);
  expectNear(counts.get('kmalloc_nolock nmi 0')!, 10_000 * seconds, 0.1);
  expect(counts.get('kfree_nolock nmi 1')).toBe(counts.get('kmalloc_nolock nmi 1'));
  expect([...counts.keys()].filter((kind) => kind.endsWith(' 2'))).toEqual([]);
  const none = Object.fromEntries(
    ['any', 'fastpath', 'list-lock', 'page-alloc', 'install', 'pcp', 'zone'].map((point) => [
      `at-${point}`,
      0,
    ]),
  );
  const points = await countedBy(small('bpf-nmi-storm', { set: { ...none, pages: 0 } }), (batch, row) =>
    batch.depth[row] === 0 ? 'outer' : LOCK_POINTS[batch.at[row]]!,
  );
  expect([...points.keys()].sort()).toEqual(['cpu_slab', 'outer']);
  expect(() => generate('bpf-nmi-storm', { set: { ...none, 'at-cpu-slab': 0 } })).toThrow(UsageError);
});

test('bpf-nmi-storm: nothing strikes while memory fills, or without NMIs', async () => {
  let marked = false;
  await eachRow(small('bpf-nmi-storm'), (batch, row) => {
    if (batch.op[row] === Op.mark) marked = batch.ts[row] >= 1e9 / 8;
    if (batch.ctx[row] === Ctx.nmi) expect(marked).toBe(true);
  });
  const quiet = await countedBy(small('bpf-nmi-storm', { set: { nmis: 0 } }), ofContext);
  expect([...quiet.keys()].filter((kind) => kind.includes('nmi'))).toEqual([]);
});

test('bpf-map-churn: deletions are on the other half of the CPUs than the updates of the time', async () => {
  const allocatedOn = new Map<number, number>();
  const kinds = { remote: 0, own: 0 };
  const trace = small('bpf-map-churn', { set: { replaces: '0%' } });
  let live = 0;
  await eachRow(trace, (batch, row) => {
    const half = batch.cpu[row] < 2 ? 0 : 1;
    if (batch.op[row] === Op.kmalloc_nolock) {
      // Steps that are due just before the parts change write a little behind it.
      allocatedOn.set(batch.id[row], half);
      live++;
    } else if (batch.op[row] === Op.kfree_nolock) {
      live--;
      kinds[allocatedOn.get(batch.id[row]) === half ? 'own' : 'remote']++;
    }
  });
  expectNear(live, 5000, 0.1);
  // Elements outlive the first changes of parts: some of the old ones are freed where they were made.
  expect(kinds.remote).toBeGreaterThan(kinds.own);
  const still = small('bpf-map-churn', { set: { replaces: '0%', swap: '1h' } });
  const cpus = await countedBy(still, (batch, row) =>
    NOLOCK.includes(batch.op[row]) ? `${batch.op[row] === Op.kmalloc_nolock} ${batch.cpu[row]}` : 'other',
  );
  cpus.delete('other');
  expect([...cpus.keys()].sort()).toEqual(['false 2', 'false 3', 'true 0', 'true 1']);
});

test('kprobe-in-slab: programs are called from the context of the operation, and NMIs strike them', async () => {
  const outer = { ctx: 0, contexts: [0, 0, 0, 0], operations: 0, runs: 0, strikes: 0 };
  const trace = small('kprobe-in-slab', { set: { fires: '10%', nmis: '30%', allocs: 1 } });
  let above = 0;
  await eachRow(trace, (batch, row) => {
    const depth = batch.depth[row];
    if (depth === 0) {
      outer.ctx = batch.ctx[row];
      if (batch.ts[row] > 1e9 / 8 && [Op.kmalloc, Op.kfree].includes(batch.op[row] as never))
        outer.operations++;
    }
    if (depth === 1) {
      expect(batch.ctx[row]).toBe(outer.ctx);
      if (above === 0) outer.runs++;
      outer.contexts[batch.ctx[row]]!++;
    }
    if (depth === 2) {
      expect(batch.ctx[row]).toBe(Ctx.nmi);
      if (above === 1) outer.strikes++;
    }
    above = depth;
  });
  // Nine tenths of the operations are on objects.
  expectNear(outer.runs, (outer.operations / 0.9) * 0.1, 0.1);
  expectNear(outer.strikes, outer.runs * 0.3, 0.1);
  expect(outer.contexts[Ctx.task]).toBeGreaterThan(outer.contexts[Ctx.softirq]!);
  expect(outer.contexts[Ctx.softirq]).toBeGreaterThan(0);
});

test('rt-timer: locks are taken and released around what is made below them; hardirqs strike inside', async () => {
  const trace = small('rt-timer', { set: { locked: '50%', hardirqs: '60%', inside: '50%' } });
  const held = new Map<number, string>();
  const made = { locked: 0, free: 0 };
  const timer = trace.strings.sites.intern('__bpf_async_init');
  await eachRow(trace, (batch, row) => {
    const cpu = batch.cpu[row];
    const name = trace.strings.args.get(batch.arg[row]);
    if (batch.op[row] === Op.lock) {
      expect(held.has(cpu)).toBe(false);
      expect(name).toBe('hrtimer_bases.lock');
      held.set(cpu, name);
    } else if (batch.op[row] === Op.unlock) {
      expect(held.get(cpu)).toBe(name);
      held.delete(cpu);
    } else if (held.has(cpu)) {
      expect(batch.op[row]).toBe(Op.kmalloc_nolock);
    }
    if (batch.site[row] === timer) made[held.has(cpu) ? 'locked' : 'free']++;
  });
  expect(held.size).toBe(0);
  expectNear(made.locked / (made.locked + made.free), 0.5, 0.1);
  expectNear(made.locked + made.free, 20_000 * (7 / 8), 0.1);
  const counts = await countedBy(
    small('rt-timer', { set: { hardirqs: '60%', inside: '50%', load: 1_000_000, allocs: 1, keep: 0 } }),
    ofContext,
  );
  const expired = (kind: string) => counts.get(`kmalloc_nolock ${kind}`)!;
  const all = expired('hardirq 0') + expired('hardirq 1') + expired('softirq 0');
  expectNear(expired('softirq 0') / all, 0.4, 0.1);
  expectNear(expired('hardirq 1') / all, 0.3, 0.1);
});

test('live objects: each is taken once, the oldest first or any', () => {
  const live = new LiveObjects(5);
  const prng = new Prng(1, 'live');
  const taken: number[] = [];
  for (let id = 1; id <= 100; id++) {
    if (live.isFull) taken.push(id % 3 === 0 ? live.takeOldest() : live.takeAny(prng));
    live.push(id);
  }
  while (live.count > 0) taken.push(live.takeOldest());
  expect([...taken].sort((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, i) => i + 1));
  for (let id = 1; id <= 3; id++) live.push(id);
  expect([live.takeOldest(), live.takeOldest(), live.takeOldest()]).toEqual([1, 2, 3]);
});

test('rows refuse to be nested where they cannot be', () => {
  const rows = new TraceRows(createTraceStrings(), 1);
  rows.begin(0, 0, Ctx.hardirq);
  rows.mark('x');
  expect(() => rows.interrupt(Ctx.softirq, 0)).toThrow('cannot interrupt');
  for (let depth = 0; depth < 3; depth++) rows.interrupt(Ctx.nmi, 0);
  expect(() => rows.interrupt(Ctx.nmi, 0)).toThrow('cannot interrupt');
});
