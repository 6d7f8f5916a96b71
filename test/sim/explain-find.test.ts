/** Finding the event that is to be explained, and what is said where it is not to be had. */
import { describe, expect, test } from 'vitest';
import { machineFromSize } from '../../src/config/machine-by-size.js';
import { resolvePolicy } from '../../src/config/resolve-policy.js';
import { explainEvent } from '../../src/sim/explain.js';
import type { EventTarget } from '../../src/sim/explain-find.js';
import { explain, GIB_PAGES, STORY } from './explain-support.js';
import { fileOf } from './support.js';

describe('finding the event', () => {
  const problem = (target: EventTarget, csv = STORY) => explain(csv, target).catch((error: Error) => error);

  test('by number, and by id with the nth allocation under it', async () => {
    expect((await explain(STORY, { id: 'm0', nth: 1 })).event.number).toBe(0);
    expect((await explain(STORY, { id: 'm0', nth: 2 })).event.number).toBe(9);
    expect((await explain(STORY, { id: 'n0', nth: 1 })).event).toMatchObject({
      op: 'alloc_nolock',
      ctx: 'nmi',
    });
  });

  test.each<[string, EventTarget, string]>([
    ['beyond the end', { number: 13 }, '--event 13: the trace has 13 events, 0 to 12'],
    ['a mark', { number: 1 }, 'event 1 is mark "half way": no page allocation or free'],
    [
      'an unknown id',
      { id: 'uO', nth: 1 },
      '--id "uO": no object of the trace has this id; did you mean "u0"?',
    ],
    ['too few', { id: 'm0', nth: 3 }, '--id "m0": it is allocated 2 times, so there is no --nth 3'],
    ['once', { id: 'u0', nth: 2 }, '--id "u0": it is allocated once, so there is no --nth 2'],
    [
      'only freed',
      { id: 'nobody', nth: 1 },
      '--id "nobody": no pages are allocated under it; event 8 is free',
    ],
    ['nothing', { id: '', nth: 1 }, '--id "": no object of the trace has this id'],
  ])('%s', async (_, target, message) => {
    const error = await problem(target);
    expect(error).toMatchObject({ name: 'UsageError', message });
  });

  test('a trace without ids says so', async () => {
    const csv = 'op,pfn,order,gfp\nalloc,0x1000,0,GFP_KERNEL\n';
    expect(await problem({ id: 'x', nth: 1 }, csv)).toMatchObject({
      message: '--id "x": the trace names no objects by id; give --event N',
    });
  });

  test('text from outside is fit for a terminal', async () => {
    const error = await problem({ id: `\u001b[2J${'x'.repeat(100)}`, nth: 1 });
    expect((error as Error).message).not.toContain('\u001b');
    expect((error as Error).message).toContain(`"${'x'.repeat(60)}…"`);
  });

  test('recorded pages are found under their PFN', async () => {
    const csv = `op,pfn,order,gfp
alloc,0x1000,2,GFP_KERNEL
free,0x1000,2,
`;
    const given = await explain(csv, 0);
    expect(given.event).toMatchObject({ recorded_pfn: 0x1000, id: '' });
    expect(given.outcome).toMatchObject({ result: 'allocated', pages: 4 });
    const free = await explain(csv, 1);
    expect(free.steps).toMatchObject([{ step: 'free', pfn: given.outcome.pfn, order: 2 }]);
  });

  test('an interrupt ends it', async () => {
    const controller = new AbortController();
    controller.abort();
    const running = explainEvent({
      inputs: [await fileOf('interrupted.csv', STORY)],
      target: { number: 100 },
      policy: await resolvePolicy(undefined, []),
      machine: machineFromSize({ memory_pages: GIB_PAGES }),
      open: {},
      signal: controller.signal,
    });
    await expect(running).rejects.toMatchObject({ name: 'AbortError' });
  });
});
