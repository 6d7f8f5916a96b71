/** Runs with slab events, nested rows and injected operations: cut in two at any point they give what the whole gives. */
import { describe, expect, test } from 'vitest';
import { parseInject } from '../../../src/sim/interruption/inject-spec.js';
import type { SessionOptions } from '../../../src/sim/replay-session.js';
import { Snapshot } from '../../../src/sim/state/snapshot.js';
import {
  bytesOf,
  csvStory,
  dice,
  documentOf,
  fileStory,
  GIB_PAGES,
  machine,
  newSession,
  optionsFor,
  type Story,
  sessionFrom,
} from '../state/support.js';
import { randomTrace } from './random-trace.js';

const stories: readonly Story[] = [
  await csvStory('random', randomTrace(3000, 5).csv, machine(GIB_PAGES / 8)),
  await fileStory('workloads/gen/bpf-nmi-storm.csv.gz', machine(GIB_PAGES / 2)),
  await fileStory('workloads/gen/kprobe-in-slab.csv.gz', machine(GIB_PAGES / 2)),
];

/** Points before rows that are not nested: a group is replayed with its first row. */
function pointsOf({ events }: Story, count: number, seed: number): number[] {
  const roll = dice(seed);
  const points: number[] = [];
  while (points.length < count) {
    const point = 1 + roll(events.length - 1);
    if (events.depth[point] === 0) points.push(point);
  }
  return points.sort((a, b) => a - b);
}

async function expectSplits(story: Story, options: SessionOptions): Promise<void> {
  const { events } = story;
  const whole = newSession(story, options);
  whole.feed(events);
  const expected = documentOf(whole.result());
  const first = newSession(story, options);
  let at = 0;
  for (const point of pointsOf(story, 6, 17)) {
    first.feed(events, at, point);
    at = point;
    const second = await sessionFrom(await bytesOf(first, options, events), options);
    second.feed(events, point);
    expect(documentOf(second.result()) === expected, `split at ${point}`).toBe(true);
    const snapshot = Snapshot.of(first);
    first.feed(events, at, Math.min(events.length, at + 500));
    snapshot.restore(first);
  }
  first.feed(events, at);
  expect(documentOf(first.result()) === expected, 'the run that was saved').toBe(true);
}

describe.each(['mainline-6.18', 'mainline-7.2', 'spb-v2'])('%s', (policy) => {
  test.each(stories)('$name', async (story) => {
    await expectSplits(story, await optionsFor(policy, { series_ns: 1e8 }));
  });

  test.each(stories)('$name, with what is injected', async (story) => {
    const specs = ['nmi:kmalloc_nolock(64)@any:p=0.02,live=50', 'hardirq:alloc(1)@page_alloc:p=0.5,live=9'];
    await expectSplits(story, await optionsFor(policy, { inject: specs.map(parseInject) }));
  });
});
