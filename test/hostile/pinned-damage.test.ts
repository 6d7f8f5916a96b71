/** Traces that no kernel wrote, pinned: what they say that cannot be is counted, and the model stays sound. */
import { describe, expect, test } from 'vitest';
import { POLICY_NAMES } from '../mm/policies.js';
import { B, bench, pin, put, Tracefs } from '../sim/pinned-support.js';
import { notesOf } from '../sim/support.js';

/** A bench with ten single pages that cannot merge. pin() validates the model at the end. */
function singles(policy: string) {
  const on = bench(policy);
  put(on, 0, ...Array.from({ length: 10 }, (_, i) => B + 2 * i));
  return on;
}

describe.each(POLICY_NAMES)('%s', (policy) => {
  test.each([5, 9, 15])('a list of type %i is taken for that of the block', async (type) => {
    const trace = new Tracefs().refill(B, 0, type).alloc(B).free(B).drain(B, 0, type);
    expect((await pin(singles(policy), trace.text)).notes.get('unknown_types')).toBe(2);
  });

  test('a block that is not aligned, or reaches beyond its zone, is on no page of the machine', async () => {
    const end = B + (16 << 9);
    const trace = new Tracefs()
      .alloc(B + 1, 3)
      .free(B + 1, 3)
      .refill(end - 1, 1)
      .alloc(B, 0);
    const { notes } = await pin(singles(policy), trace.text);
    expect(notesOf(notes)).toMatchObject({ pages_outside_machine: 3 });
  });

  test('one page may be refilled over and over, and taken by another CPU meanwhile', async () => {
    const trace = new Tracefs();
    for (let i = 0; i < 5; i++) trace.refill(B).alloc(B + 2);
    trace
      .refill(B)
      .on(1)
      .alloc(B)
      .on(0)
      .drain(B)
      .refill(B + 4);
    const { replay } = await pin(singles(policy), trace.text);
    expect(replay.legality.allocations).toBe(6);
  });
});
