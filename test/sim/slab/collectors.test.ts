/** Counts of calls from any context, of call sites, and of hazards. */
import { describe, expect } from 'vitest';
import { Context } from '../../../src/mm/context.js';
import {
  type HAZARD_KINDS,
  LARGE_CLASS,
  NOLOCK_CLASSES,
  PAGES_CLASS,
} from '../../../src/report/slab/nolock-words.js';
import type { ResultHazard } from '../../../src/report/slab/result-slab.js';
import { CallSites, OTHER_SITES } from '../../../src/sim/slab/call-sites.js';
import { HazardLog } from '../../../src/sim/slab/hazard-log.js';
import {
  NolockCauseNumber,
  NolockFreeNumber,
  NolockLockNumber,
  NolockOutcomeNumber,
  NolockOutcomes,
} from '../../../src/sim/slab/nolock-outcomes.js';
import { Snapshot } from '../../../src/sim/state/snapshot.js';
import { StringTable } from '../../../src/trace/string-table.js';
import { SAMPLE_DEADLOCK } from '../../report/slab/sample-slab.js';
import { fc, test } from '../../trace/properties.js';

const ZONES = [
  { node: 0, name: 'DMA32' },
  { node: 1, name: 'Normal' },
];

const keysOf = <T extends string>(numbers: Readonly<Record<T, number>>) => Object.keys(numbers) as T[];

const call = fc.record({
  context: fc.constantFrom(...(['task', 'softirq', 'hardirq', 'nmi'] as const)),
  lock: fc.constantFrom(...keysOf(NolockLockNumber)),
  sizeClass: fc.nat(NOLOCK_CLASSES.length - 1),
  outcome: fc.constantFrom(...keysOf(NolockOutcomeNumber)),
  cause: fc.constantFrom(...keysOf(NolockCauseNumber)),
  free: fc.constantFrom(...keysOf(NolockFreeNumber)),
});

/** Counts by text: what the tables must say, kept in the plainest way. */
function counted(keys: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const key of [...keys].sort()) counts[key] = (counts[key] ?? 0) + 1;
  return counts;
}

describe('NolockOutcomes', () => {
  test('every call is in its own cell, and no cell holds another', () => {
    fc.assert(
      fc.property(fc.array(call, { maxLength: 200 }), (calls) => {
        const outcomes = new NolockOutcomes(ZONES);
        for (const each of calls) {
          const { context, lock, sizeClass, outcome, cause, free } = each;
          const from = [Context[context], NolockLockNumber[lock], sizeClass] as const;
          outcomes.note(...from, NolockOutcomeNumber[outcome], NolockCauseNumber[cause]);
          outcomes.noteFree(...from, NolockFreeNumber[free]);
        }
        const result = outcomes.result();
        const where = ({ context, lock, sizeClass }: (typeof calls)[number]) =>
          `${context} ${lock} ${NOLOCK_CLASSES[sizeClass]}`;
        const rows = (result?.requests ?? []).map(
          (row) =>
            [`${row.context} ${row.lock} ${row.size_class} ${row.outcome} ${row.cause}`, row.count] as const,
        );
        expect(new Set(rows.map(([key]) => key)).size).toBe(rows.length);
        expect(Object.fromEntries(rows)).toEqual(
          counted(
            calls.map(
              (each) => `${where(each)} ${each.outcome} ${each.outcome === 'null' ? each.cause : null}`,
            ),
          ),
        );
        const frees = (result?.frees ?? []).map(
          (row) => [`${row.context} ${row.lock} ${row.size_class} ${row.outcome}`, row.count] as const,
        );
        expect(Object.fromEntries(frees)).toEqual(
          counted(calls.map((each) => `${where(each)} ${each.free}`)),
        );
      }),
      { numRuns: 60 },
    );
  });

  test('what is no bucket has a class of its own', () => {
    expect([NOLOCK_CLASSES[LARGE_CLASS], NOLOCK_CLASSES[PAGES_CLASS]]).toEqual(['large', 'pages']);
    expect(NOLOCK_CLASSES[0]).toBe('8');
    expect(NOLOCK_CLASSES[LARGE_CLASS - 1]).toBe('8192');
  });

  test('stolen pages by zone, type of the pageblock, order', () => {
    const outcomes = new NolockOutcomes(ZONES);
    outcomes.noteFree(Context.nmi, 0, 3, NolockFreeNumber.fast);
    outcomes.noteStolen(1, 1, 3);
    outcomes.noteStolen(1, 1, 3);
    outcomes.noteStolen(0, 2, 0);
    outcomes.noteExtraSlab();
    expect(outcomes.result()).toMatchObject({
      extra_slabs: 1,
      stolen: [
        { node: 0, zone: 'DMA32', block_type: 'reclaimable', order: 0, count: 1 },
        { node: 1, zone: 'Normal', block_type: 'movable', order: 3, count: 2 },
      ],
    });
  });

  test('without a call there is no matrix, and after clearing none again', () => {
    const outcomes = new NolockOutcomes(ZONES);
    expect(outcomes.result()).toBeNull();
    outcomes.note(Context.nmi, 1, 3, NolockOutcomeNumber.null, NolockCauseNumber.busy);
    outcomes.noteStolen(0, 1, 0);
    outcomes.noteExtraSlab();
    const restored = new NolockOutcomes(ZONES);
    Snapshot.of(outcomes).restore(restored);
    expect(restored.result()).toEqual(outcomes.result());
    expect(restored.result()).not.toBeNull();
    outcomes.clear();
    expect(outcomes.result()).toBeNull();
    expect(outcomes).toEqual(new NolockOutcomes(ZONES));
  });
});

describe('CallSites', () => {
  const LIMIT = 4095;

  test('the first sites are exact, all that come later are one', () => {
    const table = new StringTable();
    const sites = new CallSites();
    const ids = Array.from({ length: LIMIT + 10 }, (_, number) => table.intern(`site_${number}`));
    const numbers = ids.map((id) => sites.numberOf(table, id));
    expect(new Set(numbers.slice(0, LIMIT)).size).toBe(LIMIT);
    expect(numbers.slice(0, LIMIT)).not.toContain(OTHER_SITES);
    expect(new Set(numbers.slice(LIMIT))).toEqual(new Set([OTHER_SITES]));
    expect(ids.map((id) => sites.numberOf(table, id))).toEqual(numbers);
    for (const number of numbers) sites.noteAllocated(number, 64);
    for (const number of numbers.slice(0, 5)) sites.noteFreed(number, 64);
    sites.noteFailed(numbers.at(-1)!);
    const { known, rows, others } = sites.result();
    expect(known).toBe(LIMIT);
    expect(rows).toHaveLength(50);
    expect(rows[0]).toEqual({
      site: 'site_10',
      allocated: 1,
      failed: 0,
      freed: 0,
      live_objects: 1,
      live_bytes: 64,
    });
    const all = (of: (row: typeof others) => number) => rows.reduce((sum, row) => sum + of(row), of(others));
    expect(all((row) => row.allocated)).toBe(LIMIT + 10);
    expect(all((row) => row.freed)).toBe(5);
    expect(all((row) => row.failed)).toBe(1);
    expect(all((row) => row.live_objects)).toBe(LIMIT + 5);
    expect(all((row) => row.live_bytes)).toBe((LIMIT + 5) * 64);
  });

  test('one name is one site, whichever trace it comes from; no name is none', () => {
    const sites = new CallSites();
    const [a, b] = [new StringTable(), new StringTable()];
    b.intern('something else');
    const number = sites.numberOf(a, a.intern('__proto__'));
    expect(sites.numberOf(b, b.intern('__proto__'))).toBe(number);
    expect(sites.numberOf(a, a.intern('constructor'))).not.toBe(number);
    expect(sites.numberOf(a, 0)).toBe(OTHER_SITES);
  });

  test('are the same after saving, though the trace numbers its texts otherwise', () => {
    const table = new StringTable();
    const sites = new CallSites();
    for (const name of ['x', 'y', 'z']) sites.noteAllocated(sites.numberOf(table, table.intern(name)), 8);
    const restored = new CallSites();
    Snapshot.of(sites).restore(restored);
    const other = new StringTable();
    for (const name of ['z', 'new', 'x']) {
      restored.noteAllocated(restored.numberOf(other, other.intern(name)), 8);
      sites.noteAllocated(sites.numberOf(table, table.intern(name)), 8);
    }
    expect(restored.result()).toEqual(sites.result());
    expect(restored.result().rows.map(({ site, allocated }) => [site, allocated])).toEqual([
      ['x', 2],
      ['z', 2],
      ['new', 1],
      ['y', 1],
    ]);
  });

  test('clearing forgets calls and keeps what is live', () => {
    const table = new StringTable();
    const sites = new CallSites();
    const site = sites.numberOf(table, table.intern('x'));
    sites.noteAllocated(site, 32);
    sites.clear();
    expect(sites.result().rows).toEqual([
      { site: 'x', allocated: 0, failed: 0, freed: 0, live_objects: 1, live_bytes: 32 },
    ]);
  });
});

describe('HazardLog', () => {
  const warning: ResultHazard = { ...SAMPLE_DEADLOCK, kind: 'warning', wanted: null, stack: [] };

  test('a storm of one kind hides no other, and none is uncounted', () => {
    const log = new HazardLog();
    for (let event = 0; event < 1000; event++) log.add({ ...warning, event });
    log.add(SAMPLE_DEADLOCK);
    const { hazards, hazards_total } = log.result();
    expect(hazards_total).toEqual({ deadlock: 1, warning: 1000 });
    expect(Object.keys(hazards_total)).toEqual(['deadlock', 'warning']);
    expect(hazards).toHaveLength(21);
    expect(hazards.at(-1)).toEqual(SAMPLE_DEADLOCK);
    expect(hazards[0]).toMatchObject({ kind: 'warning', event: 0 });
    const restored = new HazardLog();
    Snapshot.of(log).restore(restored);
    restored.add({ ...warning, event: 7777 });
    expect(restored.result().hazards).toEqual(hazards);
    expect(restored.total('warning')).toBe(1001);
    log.clear();
    expect(log.result()).toEqual({ hazards: [], hazards_total: {} });
  });

  test('stacks are bounded', () => {
    const log = new HazardLog();
    const frame = { context: 'nmi' as const, operation: 'kmalloc', locks: Array<string>(100).fill('l') };
    log.add({ ...SAMPLE_DEADLOCK, stack: Array<typeof frame>(100).fill(frame) });
    const [kept] = log.result().hazards;
    expect(kept!.stack).toHaveLength(16);
    expect(kept!.stack[0]!.locks).toHaveLength(16);
  });

  test('a kind that does not exist is refused when it is loaded', () => {
    const log = new HazardLog();
    log.add({ ...warning, kind: 'toString' as (typeof HAZARD_KINDS)[number] });
    expect(() => Snapshot.of(log).restore(new HazardLog())).toThrow('there is no hazard toString');
  });
});
