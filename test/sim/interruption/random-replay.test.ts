/** Random traces with nested rows, on every build: no invariant is broken, and what is alive is what a plain count says. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseBuild, withBuild } from '../../../src/config/machine-build.js';
import { parseInject } from '../../../src/sim/interruption/inject-spec.js';
import { csvStory, machine, newSession, optionsFor } from '../state/support.js';
import { freePagesOf, MIB_PAGES, managedPagesOf } from '../support.js';
import { randomTrace } from './random-trace.js';

const BUILDS = ['', 'preempt_rt', 'slub_tiny', 'slab_debug=FZPU'] as const;
const CASES = ['mainline-6.18', 'mainline-7.2', 'spb-v2'].flatMap((policy) =>
  BUILDS.map((build) => [policy, build] as const),
);
/** Rows between two looks at everything. */
const LOOK_EVERY = 97;

async function expectSound(
  policy: string,
  build: string,
  seed: number,
  injected: readonly string[],
): Promise<void> {
  const trace = randomTrace(400, seed);
  const spec = withBuild(machine(128 * MIB_PAGES), build === '' ? undefined : parseBuild(build));
  const story = await csvStory('random', trace.csv, spec);
  const inject = injected.map(parseInject);
  const session = newSession(story, await optionsFor(policy, { check: true, inject }));
  const { length } = story.events;
  for (let at = 0; at < length; at += LOOK_EVERY) {
    session.feed(story.events, at, Math.min(length, at + LOOK_EVERY));
    session.validate();
  }
  const result = session.result();
  const { totals, nolock, hazards_total, deferred, zone_stacks } = result.slab!;
  expect(deferred.now).toEqual({ objects: 0, slabs: 0, bytes: 0 });
  expect(totals.requested_bytes + totals.waste_bytes).toBe(totals.pages * 4096);
  if (injected.length > 0) return;
  // A request from any context may get nothing: then its free frees nothing either.
  const failed = result.notes.find(({ name }) => name === 'model_failures')?.count ?? 0;
  const { kmalloc, named, nolock: byNolock, pages } = trace.live;
  const most = kmalloc + named + byNolock;
  // Sheaves are objects themselves, but for those that a cache is born with.
  const sheaves = (totals.stats.sheaf_alloc ?? 0) - (totals.stats.sheaf_free ?? 0);
  expect(totals.live_objects).toBeLessThanOrEqual(most + sheaves);
  expect(totals.live_objects).toBeGreaterThanOrEqual(most - failed);
  const stranded = zone_stacks.reduce((sum, stack) => sum + stack.pages, 0);
  const { mm } = session.start;
  const used = managedPagesOf(mm) - freePagesOf(mm) - totals.pages - stranded;
  expect(used).toBeLessThanOrEqual(pages);
  expect(used).toBeGreaterThanOrEqual(pages - 4 * failed);
  expect(nolock).not.toBeNull();
  expect(hazards_total.deadlock ?? 0).toBe(0);
}

describe.each(CASES)('%s %s', (policy, build) => {
  test('what a trace says', () =>
    fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 1e6 }), (seed) => expectSound(policy, build, seed, [])),
      { numRuns: 6, seed: 7 },
    ));

  test('with more that strikes', () =>
    fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 1e6 }), (seed) =>
        expectSound(policy, build, seed, [
          'nmi:kmalloc_nolock(96)@any:p=0.05,live=20',
          'hardirq:alloc_nolock(1)@page_alloc:p=0.5,live=5',
        ]),
      ),
      { numRuns: 3, seed: 11 },
    ));
});
