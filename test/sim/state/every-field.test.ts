/**
 * Every field of a session is either loaded, or known to follow from the machine and the policy.
 *
 * A session is loaded from nothing but wrong values. What is then still as in a session that was only made has not been loaded:
 * it stands in the list below with its reason, or it was forgotten. No workload has to bring a field away from its start for
 * that.
 */
import { expect, test } from 'vitest';
import type { Serializable, StateArray, StateIo } from '../../../src/mm/state-io.js';
import { fieldsOf } from './object-graph.js';
import { csvStory, GIB_PAGES, machine, newSession, optionsFor, roughTrace } from './support.js';

/** Gives back other values than those that are there, in an order that can be loaded. */
class Wrong implements StateIo {
  readonly isLoading = true;

  constructor(readonly hasSpb: boolean) {}

  number(_name: string, value: number): number {
    return Number.isFinite(value) ? value + 1 : 17;
  }

  whole(name: string, value: number, least: number, most: number): number {
    // How many superpageblocks there are, and where, says which arrays follow.
    if (name === 'nr_superpageblocks' || name === 'base') return value;
    return value === most ? least : value + 1;
  }

  flag(name: string, value: boolean): boolean {
    if (name === 'has_spb_work') return this.hasSpb;
    return name.startsWith('has_') || name === 'kswapd_runs' || name === 'thresholds_are_tight' || !value;
  }

  word<W extends string>(_name: string, value: W, words: readonly W[]): W {
    return words.find((word) => word !== value)!;
  }

  list(name: string, values: readonly number[]): number[] {
    if (name === 'raised' || name === 'items' || name === 'running') return [0, 1, 2, 3, 1, 5];
    if (name === 'chunks' || name === 'spb_work' || name === 'fallback' || name === 'thisnode') return [0];
    if (name === 'held_gigantic' || name === 'offline_cpus') return [0];
    if (name === 'contig' || name === 'aliases') return [1, 2, 3];
    return values.length === 0 ? [1] : values.map((value) => value + 1);
  }

  table(name: string, values: ReadonlyMap<string, number>): Map<string, number> {
    if (name === 'hazard_totals') return new Map([['leak', 3]]);
    return new Map([...values, ['warm_up', 5]]);
  }

  array(_name: string, array: StateArray): void {
    array.forEach((value, i) => {
      array[i] = this.number('', value);
    });
  }

  growing<A extends StateArray>(name: string, array: A): A {
    if (name === 'ids') return array.map(() => 1) as A;
    // Where columns begin says how long the others are.
    if (name === 'first_bit' || name === 'begins') return array;
    // The root has no parent, and who is below whom is not compared where one side has no cgroups.
    if (name === 'counter_parents') return array;
    this.array(name, array);
    return array;
  }

  plain<T>(name: string): T[] {
    if (name === 'site_names') return ['', 'somewhere'] as T[];
    if (name === 'memcg_places') return [{ path: '/x', memcg: 1 } as T];
    return [(name === 'names' ? { name: 'x', number: 0 } : {}) as T];
  }

  part(_name: string, part: Serializable): void {
    part.serialize(this);
  }

  optional<P extends Serializable>(_name: string, part: P | null, make: () => P): P {
    const there = part ?? make();
    there.serialize(this);
    return there;
  }

  refuse(what: string): never {
    throw new Error(what);
  }
}

/** Paths that are not loaded, with the reason; what is below them neither. */
const FOLLOWS: readonly (readonly [path: RegExp, reason: string])[] = [
  [
    /^options\b|^start\.(origin|kernel|state|material)$|^#read$/,
    'what the session was asked for, told by the head',
  ],
  [/^start\.mm\.(spec|build|policy|rules|numa|nr_cpus)$/, 'from the machine and the policy'],
  [/\.rules$|\.#rules$/, 'from the policy'],
  [/^#window\.(from|to)_ns$|^#series\.(interval_ns|unknownCounts)$/, 'from the options'],
  [/\.pages\.(end_pfn|nr_pageblocks|blockBase|headBase)$/, 'from the machine'],
  [/\.zones\[\d+\]\.(number|node|index|headBase)$|\.nodes\[\d+\]\.node$/, 'from the machine'],
  [
    /\.#headBase$|\.#heads$|\.heads\.#(first|capacity)$|\.#fixedKind$|\.nr_memcgs$/,
    'from the machine and the policy',
  ],
  [/\.spb\.(base|nr_superpageblocks)$|\.nr_slots$|\.bitmaps\.#words\b/, 'says which arrays follow'],
  [/background\.#settled_ns$|#startIsRecorded$/, 'from the policy and the start state'],
  [/last_pfn$/, 'told of the event that was just replayed'],
  [/^#replay\.#(inject|seed)$/, 'from the options'],
  [/#isListening$/, 'only there within one event'],
  [
    /[tT]racer$|\.capture$|\.interrupted$|\.locks$|\.points$|\.task$|\.nolockContext$|\.onOom$|\.onMark$|\.source$|^pages$/,
    'only there while somebody looks, or within one event',
  ],
  [/\.start\.#(firstBit|begins)$/, 'says which arrays follow'],
  [/\.lists\[\d+\]\.#head$/, 'where a ring begins is nothing that matters'],
  [/\.node_work\b|\.nodes\[\d+\]\.(node|runners)$|\.runners$/, 'made with the background of a node'],
];

/** Parts that a policy does not have: null on both sides. */
const ABSENT = /\.(spb|#spbWork|shrinkers|slabObjects|bitmaps)$/;

const isListed = (path: string) => FOLLOWS.some(([pattern]) => pattern.test(path));

/** Paths of the values that two sessions have in common. */
function alike(a: unknown, b: unknown, path: string, seen: Set<unknown>, found: string[]): void {
  if (isListed(path) || typeof a === 'function' || (a === null && b === null && ABSENT.test(path))) return;
  if (typeof a !== 'object' || a === null || typeof b !== 'object' || b === null) {
    if (Object.is(a, b)) found.push(path);
    return;
  }
  if (seen.has(a)) return;
  seen.add(a);
  if (ArrayBuffer.isView(a)) {
    const [x, y] = [a as StateArray, b as StateArray];
    if (x.length > 0 && x.length === y.length && x.every((value, i) => value === y[i])) found.push(path);
  } else if (a instanceof Map || a instanceof Set) {
    if (JSON.stringify([...a]) === JSON.stringify([...(b as Set<unknown>)])) found.push(path);
  } else if (Array.isArray(a)) {
    const list = b as unknown[];
    if (a.length === 0 && list.length === 0) found.push(path);
    for (const [i, value] of a.entries()) alike(value, list[i], `${path}[${i}]`, seen, found);
  } else {
    const [x, y] = [fieldsOf(a), fieldsOf(b)];
    for (const [name, value] of x)
      alike(value, y.get(name), path === '' ? name : `${path}.${name}`, seen, found);
  }
}

const story = await csvStory('large', roughTrace(40, 7, 'large'), machine(GIB_PAGES, 2));

test.each(['mainline-6.18', 'spb-v2', 'spb-v2-bitmap'])('%s: what is not loaded is known', async (policy) => {
  const options = await optionsFor(policy, { series_ns: 1e9, from_ns: 5, to_ns: 1e12 });
  const [loaded, made] = [newSession(story, options), newSession(story, options)];
  for (const session of [loaded, made]) session.feed(story.events, 0, 1);
  loaded.serialize(new Wrong(options.policy.policy['spb.enabled']));
  const found: string[] = [];
  alike(loaded, made, '', new Set(), found);
  expect(found).toEqual([]);
});
