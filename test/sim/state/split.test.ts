/** A run that is saved and gone on with, in other objects or in the same ones, gives what the whole gives. */
import { describe, expect, test } from 'vitest';
import { DEFAULT_BUILD } from '../../../src/mm/machine-build.js';
import type { SessionOptions } from '../../../src/sim/replay-session.js';
import { Snapshot } from '../../../src/sim/state/snapshot.js';
import {
  bytesOf,
  csvStory,
  dice,
  documentOf,
  fileStory,
  GIB_PAGES,
  generatedStory,
  hotplugTrace,
  machine,
  newSession,
  optionsFor,
  POLICIES,
  recordedStory,
  roughTrace,
  type Story,
  sessionFrom,
} from './support.js';

const SPLITS = 20;
/** where the machine is large, and the policy not the one below: a split costs a while there */
const FEW_SPLITS = 2;
const FULLY_SPLIT = 'spb-v2';
const LARGE_PAGES = GIB_PAGES;

const stories: readonly Story[] = [
  await csvStory('rough, 96 MiB', roughTrace(5_000, 2, 'small'), machine(96 * 256)),
  await csvStory(
    'rough, large, two nodes of 2 GiB',
    roughTrace(4_500, 7, 'large'),
    machine(4 * GIB_PAGES, 2),
  ),
  await csvStory('hotplug', hotplugTrace(), { ...machine(2 * GIB_PAGES), max_pfn: 4 * GIB_PAGES }),
  await fileStory('workloads/gen/slab-ramp.csv.gz', machine(2 * GIB_PAGES)),
  await generatedStory(
    'hugepage-1g-demand',
    { memory_pages: 4 * GIB_PAGES, cpus: 4, duration_ns: 30e9, events: 12_000, set: { hold: '1s' } },
    machine(4 * GIB_PAGES),
  ),
  await fileStory('workloads/csv/fragmentation.csv', machine(64 * 256)),
  await fileStory('workloads/csv/two-cpus.csv', machine(64 * 256)),
  await fileStory('workloads/csv/first-steps.csv', machine(64 * 256)),
  await recordedStory('workloads/fs-churn', 4_000),
];

function splitsOf(story: Story, policy: string): number {
  return isLarge(story) && policy !== FULLY_SPLIT ? FEW_SPLITS : SPLITS;
}

function isLarge(story: Story): boolean {
  return story.memory_pages > LARGE_PAGES;
}

/** Ascending, without the ends. */
function randomPoints(events: number, count: number, seed: number): number[] {
  const roll = dice(seed);
  const points = new Set<number>();
  while (points.size < Math.min(Math.floor(count), events - 1)) points.add(1 + roll(events - 1));
  return [...points].sort((a, b) => a - b);
}

const wholes = new Map<string, string>();

/** The result of the run that nobody splits. */
function whole(story: Story, options: SessionOptions): string {
  const { policy, series_ns, from_ns } = options;
  const key = JSON.stringify([story.name, policy.name, series_ns, from_ns]);
  const known = wholes.get(key);
  if (known !== undefined) return known;
  const session = newSession(story, options);
  session.feed(story.events);
  const document = documentOf(session.result());
  wholes.set(key, document);
  return document;
}

/** Splits a run at some points and compares each end with that of the whole. */
async function expectSplits(story: Story, options: SessionOptions, points: readonly number[]): Promise<void> {
  const expected = whole(story, options);
  const { events } = story;
  const first = newSession(story, options);
  let at = 0;
  for (const point of points) {
    first.feed(events, at, point);
    at = point;
    const second = await sessionFrom(await bytesOf(first, options, events), options);
    second.feed(events, point);
    expect(documentOf(second.result()) === expected, `split at ${point}`).toBe(true);
  }
  // Being saved has done nothing to the run itself.
  first.feed(events, at);
  expect(documentOf(first.result()) === expected, 'the run that was saved').toBe(true);
}

describe.each(POLICIES)('%s', (policy) => {
  test.each(stories)('$name: through a file, at random events', async (story) => {
    await expectSplits(
      story,
      await optionsFor(policy),
      randomPoints(story.events.length, splitsOf(story, policy), 7),
    );
  });

  test.each(stories)('$name: back in the same objects', async (story) => {
    const options = await optionsFor(policy);
    const expected = whole(story, options);
    const { events } = story;
    const session = newSession(story, options);
    let at = 0;
    for (const point of randomPoints(events.length, isLarge(story) ? 1 : SPLITS / 2, 11)) {
      session.feed(events, at, point);
      at = point;
      const snapshot = Snapshot.of(session);
      session.feed(events, at, Math.min(events.length, at + 3_000));
      session.result();
      snapshot.restore(session);
      session.validate();
    }
    const last = Snapshot.of(session);
    session.feed(events, at);
    expect(documentOf(session.result()) === expected, 'after all').toBe(true);
    last.restore(session);
    session.feed(events, at);
    expect(documentOf(session.result()) === expected, 'once more').toBe(true);
  });
});

describe.each(['mainline-6.18', 'spb-v2'])('%s, with times', (policy) => {
  test.each(stories)('$name: a series, a beginning and an end', async (story) => {
    const { ts, length } = story.events;
    const span = ts[length - 1]! - ts[0]!;
    const points = randomPoints(length, isLarge(story) ? 1 : SPLITS / 4, 13);
    const series_ns = Math.max(1, Math.round(span / 40));
    await expectSplits(story, await optionsFor(policy, { series_ns, check: !isLarge(story) }), points);
    const times = { from_ns: Math.round(span / 3), to_ns: Math.round((2 * span) / 3) };
    await expectSplits(story, await optionsFor(policy, { ...times, series_ns }), points);
  });
});

test('the stories make the machinery work', async () => {
  const seen = new Map<string, number>();
  for (const policy of ['mainline-6.18', 'spb-v2', 'spb-v2-r-c'])
    for (const story of stories) {
      const session = newSession(story, await optionsFor(policy));
      session.feed(story.events);
      const { vmstat, events, notes } = session.result();
      for (const [name, value] of Object.entries(vmstat)) seen.set(name, (seen.get(name) ?? 0) + value);
      for (const { op, outcome, count } of events)
        seen.set(`${op} ${outcome}`, (seen.get(`${op} ${outcome}`) ?? 0) + count);
      for (const { name, count } of notes) seen.set(name, (seen.get(name) ?? 0) + count);
    }
  const wanted = [
    'pageoutrun',
    'pgscan_direct',
    'pgmigrate_success',
    'compact_stall',
    'compact_daemon_wake',
    'spbsim_evacuated_pages',
    'spbsim_defragmented_pages',
    'spbsim_shrunk_objects',
    'spbsim_gigantic_allocated',
    'spb_slab_shrink_ran',
    'mem_offline ok',
    'mem_online ok',
    'cpu_offline ok',
    'contig_alloc ok',
    'contig_free ok',
    'reference ok',
    'frees_of_reclaimed',
    'frees_from_before_trace',
    'duplicate_ids',
  ];
  expect(wanted.filter((name) => !((seen.get(name) ?? 0) > 0))).toEqual([]);
});

test("the build of the machine's kernel is saved with it", async () => {
  const build = { ...DEFAULT_BUILD, preempt_rt: true, slab_debug: 'FZ,kmalloc-64' };
  const story = await csvStory('built', roughTrace(100, 2, 'small'), { ...machine(96 * 256), build });
  const options = await optionsFor('mainline-6.18', {});
  const session = newSession(story, options);
  session.feed(story.events, 0, 50);
  const resumed = await sessionFrom(await bytesOf(session, options, story.events), options);
  expect(resumed.start.mm.build).toEqual(build);
});
