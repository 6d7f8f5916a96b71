/**
 * Nothing is forgotten: a session that went on and one that was put together from its file are the same, field by field,
 * whatever fields there are.
 */
import { describe, expect, test } from 'vitest';
import type { ReplaySession } from '../../../src/sim/replay-session.js';
import { Snapshot } from '../../../src/sim/state/snapshot.js';
import { ObjectGraphs } from './object-graph.js';
import {
  bytesOf,
  csvStory,
  fileStory,
  GIB_PAGES,
  hotplugTrace,
  machine,
  newSession,
  optionsFor,
  roughTrace,
  type Story,
  sessionFrom,
} from './support.js';

/** Paths that may differ, with the reason. List indexes stand as []. */
const MAY_DIFFER: ReadonlyMap<string, string> = new Map([
  ['#replay.#last.last_pfn', 'told of the event that was just replayed, and of no other'],
  ['#replay.#rareOps.last_pfn', 'likewise'],
]);

const stories: readonly Story[] = [
  await csvStory('small', roughTrace(3_000, 2, 'small'), machine(96 * 256)),
  await csvStory('large', roughTrace(5_000, 7, 'large'), machine(4 * GIB_PAGES, 2)),
  await csvStory('hotplug', hotplugTrace(), { ...machine(2 * GIB_PAGES), max_pfn: 4 * GIB_PAGES }),
  await fileStory('workloads/gen/slab-ramp.csv.gz', machine(2 * GIB_PAGES)),
];

function differences(a: ReplaySession, b: ReplaySession): string[] {
  const graphs = new ObjectGraphs((path) => MAY_DIFFER.has(path));
  return graphs.differences(a, b).map(({ path, text }) => `${path}: ${text}`);
}

const POLICIES = ['mainline-7.2', 'spb-v2', 'spb-v2-bitmap'];

describe.each(POLICIES)('%s', (policy) => {
  test.each(stories)('$name: all fields are those of the run that went on', async (story) => {
    const options = await optionsFor(policy, { series_ns: 200_000_000 });
    const { events } = story;
    const session = newSession(story, options);
    const points = [1, 40, 0.3 * events.length, 0.6 * events.length, events.length].map(Math.floor);
    let at = 0;
    for (const point of points) {
      session.feed(events, at, point);
      at = point;
      const resumed = await sessionFrom(await bytesOf(session, options, events), options);
      expect(differences(session, resumed), `at ${point}`).toEqual([]);
    }
  });

  test.each(stories)('$name: so are they when a session is taken back', async (story) => {
    const options = await optionsFor(policy, { series_ns: 200_000_000 });
    const { events } = story;
    const [session, undisturbed] = [newSession(story, options), newSession(story, options)];
    for (const share of [0.1, 0.5]) {
      const point = Math.floor(share * events.length);
      session.feed(events, session.events_read, point);
      undisturbed.feed(events, undisturbed.events_read, point);
      const snapshot = Snapshot.of(session);
      session.feed(events, point);
      session.result();
      snapshot.restore(session);
      expect(differences(session, undisturbed), `at ${point}`).toEqual([]);
    }
  });
});

describe('the comparison', () => {
  /** Checked while loading, or telling how much there is to load. */
  const GUARDED = ['nr_superpageblocks', 'base', 'last_pass', 'used', 'next_slot'];

  test('notices every number that comes back otherwise', async () => {
    const story = stories[1]!;
    const options = await optionsFor('spb-v2', { series_ns: 200_000_000 });
    const session = newSession(story, options);
    session.feed(story.events, 0, 3_000);
    const { entries } = Snapshot.of(session);
    const other = newSession(story, options);
    const missed: string[] = [];
    const tried = new Set<string>(GUARDED);
    for (const [i, { name, value }] of entries.entries()) {
      if (tried.has(name) || typeof value !== 'number') continue;
      tried.add(name);
      const changed = [...entries];
      changed[i] = { name, value: value === 0 ? 1 : 0 };
      new Snapshot(changed).restore(other);
      if (differences(session, other).length === 0) missed.push(name);
    }
    expect(missed).toEqual([]);
    expect(tried.size).toBeGreaterThan(80);
  });
});
