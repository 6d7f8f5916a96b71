/**
 * The prefix that a bisection finds, held against brute force: a plain run of every prefix, each a file of its own, and
 * expressions evaluated by other means.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import { resolvePolicy } from '../../../src/config/resolve-policy.js';
import { Prng } from '../../../src/gen/prng.js';
import { familyOf, METRIC_FAMILIES } from '../../../src/report/metrics/catalogue.js';
import { EventLog } from '../../../src/sim/bisect/event-log.js';
import { ReplaySide } from '../../../src/sim/bisect/side.js';
import { prepareStart } from '../../../src/sim/prepare-run.js';
import { openTraceSet, type TraceSet } from '../../../src/trace/trace-set.js';
import { dataPath } from '../../trace/helpers.js';
import { fileOf, run } from '../support.js';
import {
  bisect,
  linesOf,
  machineOf,
  metricsOfPrefixes,
  type PrefixMetrics,
  pressureTrace,
  type TraceLines,
  textOf,
  workloadTrace,
} from './support.js';

const CSV = fileURLToPath(new URL('../../../workloads/csv/', import.meta.url));
const MACHINE = machineOf(64);
const MOST = 150;

interface Case {
  readonly name: string;
  readonly policies: readonly [string, string];
  /** replays after which work is under way in the background, at least */
  readonly pending: number;
  readonly trace: () => TraceLines | Promise<TraceLines>;
}

const CASES: readonly Case[] = [
  {
    name: 'pressure',
    policies: ['mainline-6.18', 'spb-v2'],
    pending: 20,
    trace: () => pressureTrace(1, MOST),
  },
  {
    name: 'pressure under other kernels',
    policies: ['mainline-7.2', 'mainline-6.1'],
    pending: 20,
    trace: () => pressureTrace(4, MOST),
  },
  {
    name: 'first-steps.csv',
    policies: ['spb-v2-lists', 'mainline-6.18'],
    pending: 0,
    trace: () => linesOf(readFileSync(`${CSV}first-steps.csv`, 'utf8')),
  },
  {
    name: 'the beginning of fs-metadata',
    policies: ['mainline-6.18', 'spb-v2'],
    pending: 0,
    trace: () => workloadTrace('fs-metadata', 100, { memory_pages: 1 << 14, cpus: 2 }),
  },
];

/** An expression as text, and as a function of what two runs report. */
interface Question {
  readonly text: string;
  holds(a: Readonly<Record<string, number>>, b: Readonly<Record<string, number>>): boolean;
}

type Relation = (x: number, y: number) => boolean;
const RELATIONS: readonly (readonly [string, Relation])[] = [
  ['<', (x, y) => x < y],
  ['<=', (x, y) => x <= y],
  ['>', (x, y) => x > y],
  ['>=', (x, y) => x >= y],
  ['==', (x, y) => x === y],
  ['!=', (x, y) => x !== y],
];

/** Comparisons of a figure with one that it really has somewhere, or with the other side's; some of them joined. */
class Questions {
  readonly #prng: Prng;
  readonly #names: readonly string[];

  constructor(
    readonly tables: readonly [PrefixMetrics, PrefixMetrics],
    seed: number,
  ) {
    this.#prng = new Prng(seed, 'questions');
    // Those that never change are of no interest.
    const names = new Set(tables.flatMap((table) => table.flatMap((metrics) => Object.keys(metrics))));
    this.#names = [...names].filter((name) => new Set(this.#values(name)).size > 1).sort();
  }

  #values(name: string): (number | undefined)[] {
    return this.tables.flatMap((table) => table.map((metrics) => metrics[name]));
  }

  #one<T>(list: readonly T[]): T {
    return list[this.#prng.below(list.length)] as T;
  }

  next(): Question {
    if (this.#prng.below(3) > 0) return this.#comparison();
    const [x, y] = [this.#comparison(), this.#comparison()];
    return this.#prng.below(2) === 0
      ? { text: `${x.text} && ${y.text}`, holds: (a, b) => x.holds(a, b) && y.holds(a, b) }
      : { text: `${x.text} || ${y.text}`, holds: (a, b) => x.holds(a, b) || y.holds(a, b) };
  }

  #comparison(): Question {
    const name = this.#one(this.#names);
    const [operator, relation] = this.#one(RELATIONS);
    const isA = this.#prng.below(2) === 0;
    const own = isA ? 'a' : 'b';
    if (this.#prng.below(3) === 0) {
      const other = isA ? 'b' : 'a';
      return {
        text: `${own}.${name} ${operator} ${other}.${name}`,
        holds: (a, b) => known(relation, (isA ? a : b)[name], (isA ? b : a)[name]),
      };
    }
    const value = this.#one(this.#values(name)) ?? 0;
    return {
      text: `${own}.${name} ${operator} ${value}`,
      holds: (a, b) => known(relation, (isA ? a : b)[name], value),
    };
  }
}

function known(relation: Relation, x: number | undefined, y: number | undefined): boolean {
  return x !== undefined && y !== undefined && relation(x, y);
}

/** Lengths of the prefixes after which a question is answered with yes. */
function answers({ holds }: Question, [a, b]: readonly [PrefixMetrics, PrefixMetrics]): boolean[] {
  return a.map((metrics, events) => holds(metrics, b[events]!));
}

async function logOf(path: string): Promise<EventLog> {
  const set = await openTraceSet({ inputs: [path] });
  const log = new EventLog(set.source.strings);
  for await (const batch of set.source.batches()) log.append(batch);
  return log;
}

async function sideOf(policyName: string, names: readonly string[]): Promise<ReplaySide> {
  const policy = await resolvePolicy(policyName, []);
  const start = await prepareStart({ inputs: [], policy, machine: MACHINE, mode: 'free', open: {} });
  return new ReplaySide(start, names);
}

describe.each(CASES)('$name: $policies', ({ name, policies, pending, trace }) => {
  let path: string;
  let events: number;
  let tables: [PrefixMetrics, PrefixMetrics];

  beforeAll(async () => {
    const lines = await trace();
    events = lines.rows.length;
    path = await fileOf(`${name.replaceAll(' ', '-')}.csv`, textOf(lines));
    tables = [
      await metricsOfPrefixes(lines, policies[0], MACHINE),
      await metricsOfPrefixes(lines, policies[1], MACHINE),
    ];
  }, 300_000);

  test.each([0, 1] as const)(
    'all metrics after each event are those of a run that ends there (side %i)',
    async (side) => {
      const table = tables[side];
      const names = [...new Set(table.flatMap((metrics) => Object.keys(metrics)))];
      const replay = await sideOf(policies[side], names);
      const log = await logOf(path);
      const costs: number[] = [];
      for (let point = 0; point <= events; point++) {
        const { values, cost } = await replay.advance(log, [point]);
        const found = Object.fromEntries(
          names.flatMap((each, i) => (Number.isNaN(values[0]![i]) ? [] : [[each, values[0]![i]]])),
        );
        expect(found, `after ${point} events`).toEqual(table[point]);
        costs.push(cost);
      }
      const least = Math.min(...costs);
      expect(costs.filter((cost) => cost > least).length).toBeGreaterThanOrEqual(pending);
    },
  );

  test('so they are after going back to a place', async () => {
    const names = METRIC_FAMILIES.filter(({ labels }) => labels.length === 0).map((family) => family.name);
    const replay = await sideOf(policies[1], names);
    const log = await logOf(path);
    const prng = new Prng(7, 'places');
    for (let at = 0, marked = 0; at < events; ) {
      await replay.mark();
      marked = at;
      for (let times = 0; times < 2; times++) {
        const to = Math.min(events, at + 1 + prng.below(40));
        const { values } = await replay.advance(log, [to]);
        for (const [i, each] of names.entries())
          expect(values[0]![i], `${each} after ${to} events`).toEqual(tables[1][to]![each] ?? Number.NaN);
        await replay.rewind();
      }
      at = Math.min(events, marked + 10 + prng.below(20));
      await replay.advance(log, [at]);
    }
  });

  test('the prefix is the shortest, or there is none', async () => {
    const questions = new Questions(tables, 11);
    let found = 0;
    for (let i = 0; i < 40; i++) {
      const question = questions.next();
      const first = answers(question, tables).indexOf(true);
      const result = await bisect([path], policies, question.text, { machine: MACHINE });
      expect(result.found?.events ?? -1, question.text).toBe(first);
      expect(result.looks.filter(({ from, to }) => to > from).every(({ every }) => every === 1)).toBe(true);
      for (const metric of result.metrics) {
        const at = first < 0 ? events : first;
        const values = [0, 1].map((side) => tables[side as 0 | 1][at]![metric.name] ?? null);
        expect([metric.a.after, metric.b.after], question.text).toEqual(values);
        const before = [0, 1].map((side) =>
          first <= 0 ? null : (tables[side as 0 | 1][first - 1]![metric.name] ?? null),
        );
        expect([metric.a.before, metric.b.before], question.text).toEqual(before);
      }
      if (first > 0) found++;
    }
    expect(found).toBeGreaterThan(3);
  }, 120_000);

  test('with long steps: the first place where it begins to hold, if it goes on holding', async () => {
    const questions = new Questions(tables, 12);
    let steady = 0;
    for (let i = 0; i < 40; i++) {
      const question = questions.next();
      const all = answers(question, tables);
      const options = { machine: MACHINE, budgets: [0, 0] };
      const result = await bisect([path], policies, question.text, options);
      const first = all.indexOf(true);
      if (first > 32 && all.slice(first).every(Boolean)) {
        steady++;
        expect(result.found?.events, question.text).toBe(first);
      }
      if (result.found === null) expect(all.at(-1), question.text).toBe(false);
      else {
        // Whatever was missed in between, here it begins.
        expect(all[result.found.events], question.text).toBe(true);
        expect(all[result.found.events - 1] ?? false, question.text).toBe(false);
      }
      const exhaustive = await bisect([path], policies, question.text, { ...options, exhaustive: true });
      expect(exhaustive.found?.events ?? -1, question.text).toBe(first);
    }
    if (events > 100) expect(steady).toBeGreaterThan(3);
  }, 120_000);
});

describe('an expression that flickers', () => {
  /** One page, given back at once, every now and then; at the end one stays. */
  const rows = Array.from({ length: 4000 }, (_, i) => {
    if (i === 3999) return `${i * 1000},alloc,last,3`;
    const isShort = i === 1500 || i === 2900;
    const isNext = i === 1501 || i === 2901;
    if (isShort) return `${i * 1000},alloc,x${i},3`;
    return isNext ? `${i * 1000},free,x${i - 1},3` : `${i * 1000},mark,,`;
  });
  const until = 'a.pgalloc_dma32 - a.pgfree == 8';
  let path: string;
  beforeAll(async () => {
    path = await fileOf('flicker.csv', `ts,op,id,order\n${rows.join('\n')}\n`);
  });

  test('is found where it first holds while every event is looked at', async () => {
    const result = await bisect([path], ['mainline-6.18', 'mainline-6.18'], until, { machine: MACHINE });
    expect(result.found).toMatchObject({ events: 1501, event: { number: 1500, op: 'alloc', id: 'x1500' } });
    expect(result.looks).toEqual([{ every: 1, from: 0, to: 1504 }]);
  });

  test('may be missed between two looks, and what was looked at is told', async () => {
    const options = { machine: MACHINE, budgets: [0] };
    const result = await bisect([path], ['mainline-6.18', 'mainline-6.18'], until, options);
    expect(result.found?.events).toBe(4000);
    expect(result.looks).toEqual([
      { every: 1, from: 0, to: 32 },
      { every: 1024, from: 32, to: 4000 },
    ]);
    const all = await bisect([path], ['mainline-6.18', 'mainline-6.18'], until, {
      ...options,
      exhaustive: true,
    });
    expect(all.found?.events).toBe(1501);
    expect(all.looks).toEqual([{ every: 1, from: 0, to: 1504 }]);
  });

  test('steps grow again when the next budget is spent', async () => {
    const options = { machine: MACHINE, budgets: [0, 0] };
    const result = await bisect([path], ['mainline-6.18', 'mainline-6.18'], until, options);
    expect(result.found?.events).toBe(4000);
    expect(result.looks).toEqual([
      { every: 1, from: 0, to: 32 },
      { every: 1024, from: 32, to: 1056 },
      { every: 32768, from: 1056, to: 4000 },
    ]);
  });
});

describe('a long trace', () => {
  const EVENTS = 50_000;
  let path: string;
  beforeAll(async () => {
    path = await fileOf('marks.csv', `op\n${'mark\n'.repeat(EVENTS)}`);
  });

  test.each([
    ['the first event behind a look', 1057],
    ['the last one before a look', 1056],
    ['the first one behind a shorter step', 2080 + 33],
    ['one far behind the beginning', 40_001],
    ['the last one', EVENTS],
  ])('%s', async (_, events) => {
    const options = { machine: MACHINE, budgets: [0] };
    const until = `a.events >= ${events}`;
    const { found, metrics, looks } = await bisect([path], ['mainline-6.18', 'spb-v2'], until, options);
    expect(found?.events).toBe(events);
    const places = { before: events - 1, after: events };
    expect(metrics).toEqual([{ name: 'events', a: places, b: places }]);
    expect(looks.map(({ every }) => every)).toEqual([1, 1024]);
  });
});

describe('a recording', () => {
  const directory = dataPath('recording');
  const names = METRIC_FAMILIES.filter(({ labels }) => labels.length === 0).map((family) => family.name);

  /** The recording as if its trace ended after some events; its start state stays what the whole trace shows. */
  async function cut(events: number): Promise<TraceSet> {
    const set = await openTraceSet({ inputs: [directory] });
    async function* batches() {
      let left = events;
      for await (const batch of set.source.batches()) {
        batch.length = Math.min(batch.length, left);
        left -= batch.length;
        if (batch.length > 0) yield batch;
        if (left === 0) return;
      }
    }
    return { ...set, source: { strings: set.source.strings, batches } };
  }

  test('begins in its own start state', async () => {
    const policy = await resolvePolicy('spb-v2', []);
    const start = await prepareStart({
      inputs: [directory],
      policy,
      machine: undefined,
      mode: 'free',
      open: {},
    });
    const replay = new ReplaySide(start, names);
    const log = await logOf(directory);
    for (const events of [0, 1, 50, 100, log.length]) {
      const { values } = await replay.advance(log, [events]);
      const result = await run([directory], {
        policyName: 'spb-v2',
        machine: undefined,
        check: false,
        traces: () => cut(events),
      });
      for (const [i, name] of names.entries())
        expect(values[0]![i], `${name} after ${events}`).toEqual(result.metrics[name] ?? Number.NaN);
    }
  }, 120_000);

  test('is bisected in it, and cannot be reduced to a CSV, which has none', async () => {
    const request = { machine: undefined };
    const result = await bisect([directory], ['mainline-6.18', 'spb-v2'], 'a.pgfree > 20', request);
    expect(result).toMatchObject({ start_state: 'kpageflags', machine: 'recording/before' });
    const { events } = result.found!;
    const frees = await run([directory], { machine: undefined, check: false, traces: () => cut(events) });
    const less = await run([directory], { machine: undefined, check: false, traces: () => cut(events - 1) });
    expect([less.metrics.pgfree! > 20, frees.metrics.pgfree! > 20]).toEqual([false, true]);
    await expect(
      bisect([directory], ['mainline-6.18', 'spb-v2'], 'a.pgfree > 20', {
        ...request,
        reduce: { output: 'unused.csv', maxTests: 10 },
      }),
    ).rejects.toThrow(/a trace CSV has no start state.*with --memory or --machine/);
  }, 120_000);
});

test('figures that only one kind of policy has are told to be missing', async () => {
  const path = await fileOf('missing.csv', 'op,id,order\nalloc,x,0\n');
  const until = 'a.spb_evacuations >= 0 || b.spb_evacuations > 5 || a.free_pages.Nowhere != 1';
  const result = await bisect([path], ['mainline-6.18', 'spb-v2'], until, { machine: MACHINE });
  expect(result.found).toBeNull();
  expect(result.never_seen).toEqual(['a.spb_evacuations', 'a.free_pages.Nowhere']);
  expect(result.metrics).toEqual([
    { name: 'spb_evacuations', a: { before: null, after: null }, b: { before: null, after: 1 } },
    { name: 'free_pages.Nowhere', a: { before: null, after: null }, b: { before: null, after: null } },
  ]);
  expect(familyOf('spb_evacuations')).toBeDefined();
});

test('what holds before the first event is found there', async () => {
  const path = await fileOf('start.csv', 'op,id,order\nalloc,x,0\n');
  const result = await bisect([path], ['mainline-6.18', 'spb-v2'], 'a.events == 0', { machine: MACHINE });
  expect(result.found).toEqual({ events: 0, since_start_ns: 0, event: null });
  expect(result.events).toBe(1);
});
