/** Files of saved runs that are damaged, cut, foreign, of another version or made to do harm: each is told in one line. */
import { createHash } from 'node:crypto';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { KNOB_NAMES } from '../../../src/mm/policy.js';
import { PackedArray } from '../../../src/sim/state/packed-array.js';
import { resumedSession } from '../../../src/sim/state/resume.js';
import type { SavedState, StateHead } from '../../../src/sim/state/saved-state.js';
import { type Entry, PART, Plain, Snapshot, Table } from '../../../src/sim/state/snapshot.js';
import { readState, readStateBytes, stateBytes, writeState } from '../../../src/sim/state/state-file.js';
import { InputError } from '../../../src/trace/input-error.js';
import { DEFAULT_LIMITS } from '../../../src/trace/limits.js';
import { csvStory, dice, headOf, machine, newSession, optionsFor, roughTrace } from './support.js';

const DIGEST_BYTES = 32;

const story = await csvStory('small', roughTrace(1_500, 2, 'small'), machine(96 * 256));
const options = await optionsFor('spb-v2', { series_ns: 100_000_000 });
const session = newSession(story, options);
session.feed(story.events, 0, 1_200);
const state: Omit<SavedState, 'file'> = {
  head: headOf(session, options),
  ids: story.events.strings.ids.added(1),
  snapshot: Snapshot.of(session),
};

async function unpacked(of: Omit<SavedState, 'file'>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stateBytes(of)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

const good = await unpacked(state);

/** The same content with a sum that fits. */
function summed(content: Uint8Array): Buffer {
  return Buffer.concat([content, createHash('sha256').update(content).digest()]);
}

async function load(bytes: Uint8Array, limits = {}): Promise<SavedState> {
  async function* chunks() {
    for (let at = 0; at < bytes.length; at += 5_000) yield bytes.subarray(at, at + 5_000);
  }
  return readStateBytes(chunks(), 'x.state', limits);
}

/** Loads all of it. @returns what went wrong, '' if nothing */
async function problem(bytes: Uint8Array, limits = {}): Promise<string> {
  try {
    const saved = await load(bytes, limits);
    resumedSession(options, { saved, kind: 'same', skip: 0, before: [] });
    return '';
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    expect(error.message).not.toContain('\n');
    expect(error.message).toMatch(/^x\.state {2}/);
    return error.message;
  }
}

function withHead(change: (head: Record<string, unknown>) => unknown): Promise<Buffer> {
  const head = structuredClone(state.head) as unknown as Record<string, unknown>;
  const changed = change(head) ?? head;
  return unpacked({ ...state, head: changed as StateHead });
}

function withEntry(name: string, value: Entry['value']): Promise<Buffer> {
  const at = state.snapshot.entries.findIndex((entry) => entry.name === name && entry.value !== PART);
  if (at < 0) throw new RangeError(`no entry ${name}`);
  const entries = state.snapshot.entries.with(at, { name, value });
  return unpacked({ ...state, snapshot: new Snapshot(entries) });
}

test('what is written is read', async () => {
  expect(await problem(good)).toBe('');
  const saved = await load(good);
  expect(saved.head).toEqual(state.head);
  expect(saved.ids).toEqual(state.ids);
  expect(saved.snapshot.entries.length).toBe(state.snapshot.entries.length);
});

describe('damage', () => {
  const directory = mkdtemp(join(tmpdir(), 'spbsim-state-file-'));

  test('a byte that is another one is noticed wherever it is', async () => {
    const roll = dice(5);
    for (let i = 0; i < 150; i++) {
      const bytes = Buffer.from(good);
      bytes[roll(bytes.length)]! ^= 1 << roll(8);
      expect(await problem(bytes)).not.toBe('');
    }
  });

  test('a file that is cut is noticed wherever it is', async () => {
    const roll = dice(6);
    for (let i = 0; i < 80; i++) expect(await problem(good.subarray(0, roll(good.length)))).not.toBe('');
    expect(await problem(good.subarray(0, good.length - 1))).toContain('ends too early');
    expect(await problem(Buffer.concat([good, Buffer.of(0)]))).toContain('goes on behind its end');
  });

  test('so it is in the packed file', async () => {
    const path = join(await directory, 'x.state');
    await writeState(path, state);
    const { readFile } = await import('node:fs/promises');
    const packed = await readFile(path);
    expect((await readState(path)).head.events).toBe(1_200);
    const roll = dice(7);
    for (let i = 0; i < 60; i++) {
      const bytes = Buffer.from(packed);
      bytes[roll(bytes.length)]! ^= 1 << roll(8);
      const cut = packed.subarray(0, roll(packed.length));
      for (const bad of [bytes, cut]) {
        await writeFile(path, bad);
        const told = await readState(path).then(
          () => bad.equals(packed),
          (error: unknown) => error instanceof InputError,
        );
        // Some bits of a frame's header say nothing.
        if (!told) expect((await readState(path)).head).toEqual(state.head);
      }
    }
  });

  test.each([
    ['', 'is no saved state'],
    ['ts,op,id\n1,alloc,a\n', 'is no saved state'],
    ['{"schema":"spbsim.result/1"}\n', 'is no saved state'],
    [`spbsim.state/1${'x'.repeat(1e6)}`, 'is no saved state'],
    [
      'spbsim.state/2\n{}\n',
      'is a state of another version (spbsim.state/2; this program reads spbsim.state/1)',
    ],
    ['spbsim.state/1\n', 'ends too early'],
    ['spbsim.state/1\n{}\n', 'ends too early'],
  ])('%j', async (text, message) => {
    expect(await problem(Buffer.from(text))).toContain(message);
  });
});

describe('heads of another making', () => {
  test.each<[string, (head: Record<string, never>) => unknown, string]>([
    ['no object', () => 7, 'expected object'],
    ['a field too much', (head) => ({ ...head, more: 1 }), 'Unrecognized key'],
    [
      'a prototype',
      (head) => JSON.parse(`${JSON.stringify(head).slice(0, -1)},"__proto__":{"x":1}}`),
      'Unrecognized key',
    ],
    ['no parts', (head) => ({ ...head, parts: [] }), 'parts'],
    ['another schema', (head) => ({ ...head, schema: 'spbsim.state/9' }), 'schema'],
    ['a number that is a text', (head) => ({ ...head, seed: '1' }), 'seed'],
    ['other events', (head) => ({ ...head, events: 5 }), 'its head and its state differ'],
  ])('%s', async (_, change, message) => {
    expect(await problem(await withHead(change as never))).toContain(message);
    expect(({} as { x?: number }).x).toBeUndefined();
  });

  test('a knob that is missing, unknown or wrong', async () => {
    for (const change of [
      (knobs: Record<string, unknown>) => delete knobs[KNOB_NAMES[0]!],
      (knobs: Record<string, unknown>) => Object.assign(knobs, { 'no.such.knob': 1 }),
      (knobs: Record<string, unknown>) => Object.assign(knobs, { [KNOB_NAMES[0]!]: { a: 1 } }),
    ]) {
      const bytes = await withHead((head) => {
        change((head.policy as { policy: Record<string, unknown> }).policy);
      });
      expect(await problem(bytes)).toContain('policy');
    }
  });

  test('a machine that cannot be, or is too large', async () => {
    const withSpec = (change: (spec: Record<string, never>) => void) =>
      withHead((head) => {
        change((head.machine as { spec: Record<string, never> }).spec);
      });
    const zones = (spec: Record<string, never>) =>
      spec.zones as unknown as { start_pfn: number; spanned_pages: number }[];
    const huge = await withSpec((spec) => Object.assign(zones(spec).at(-1)!, { spanned_pages: 2 ** 31 }));
    expect(await problem(huge)).toContain('declares memory up to');
    const overlapping = await withSpec((spec) => Object.assign(zones(spec).at(-1)!, { start_pfn: 2 }));
    expect(await problem(overlapping)).toContain('overlaps');
    const stray = await withSpec((spec) => Object.assign(spec, { cpu_nodes: [0, 1] }));
    expect(await problem(stray)).toContain('names nodes that it does not have');
    const many = await withSpec((spec) => Object.assign(spec, { cpu_nodes: new Array(8193).fill(0) }));
    expect(await problem(many)).toContain('cpu_nodes');
    expect(await problem(good, { max_machine_pages: 1000 })).toContain('raise --max-machine');
    // Another machine than that of the arrays.
    const other = await withSpec((spec) => Object.assign(zones(spec).at(-1)!, { spanned_pages: 50_000 }));
    expect(await problem(other)).toMatch(/entries, not|no run leaves/);
  });

  test('ids beyond the limits, or in disorder', async () => {
    expect(await problem(good, { limits: { ...DEFAULT_LIMITS, strings: 5 } })).toContain(
      'raise --max-strings',
    );
    expect(await problem(good, { limits: { ...DEFAULT_LIMITS, string_bytes: 5 } })).toContain(
      'raise --max-string-bytes',
    );
    for (const ends of [Uint32Array.of(3, 2), Uint32Array.of(3, 3), Uint32Array.of(4, 9)]) {
      const ids = { first: 1, bytes: Buffer.from('abcd'), ends };
      expect(await problem(await unpacked({ ...state, ids }))).toContain('its ids are in disorder');
    }
  });
});

describe('values that no run leaves', () => {
  test.each<[string, Entry['value'], string]>([
    ['next', new PackedArray(3, []), 'next has 3 entries'],
    ['next', 5, 'next is of another kind'],
    ['held_gigantic', Float64Array.of(-1), 'held_gigantic holds -1'],
    ['offline_cpus', Float64Array.of(0.5), 'offline_cpus holds 0.5'],
    ['fallback', Float64Array.of(9), 'fallback names zone 9'],
    ['last_pass', 99, 'last_pass is 99'],
    ['nr_superpageblocks', 1e9, 'nr_superpageblocks is 1000000000'],
    ['used', -1, 'used is -1'],
    ['raised', Float64Array.of(1, 2, 3), 'raised holds no work item'],
    ['notes', new Table([['no_such_note', 1]]), 'there is no note no_such_note'],
    ['kswapd_step', 'sleepwalk', 'kswapd_step is none of'],
    ['vmstat_ns', Float64Array.of(1), 'vmstat_ns is of another number of CPUs'],
    ['chunks', Float64Array.of(2 ** 30), 'there is no chunk'],
    ['contig', Float64Array.of(1, 2 ** 40, 1), 'a contiguous range lies outside the machine'],
    ['samples', new Plain([{ a: 1 }]), 'samples holds something else'],
    ['has_begun', false, 'background is too much'],
    ['nr_free_pages', 1, 'no run leaves'],
  ])('%s', async (name, value, message) => {
    expect(await problem(await withEntry(name, value))).toContain(message);
  });

  test('ids of pages outside the machine', async () => {
    const ids = new PackedArray(1 << 10, [{ at: 0, values: new Int32Array(1 << 10).fill(1 << 30) }]);
    expect(await problem(await withEntry('ids', ids))).toContain('an object lies outside the machine');
  });

  test('lengths that nothing stands behind ask for no memory', async () => {
    const head = Buffer.from(`spbsim.state/1\n${JSON.stringify(state.head)}\n`);
    const huge = Buffer.of(0xff, 0xff, 0xff, 0xff, 0x0f);
    const oneName = Buffer.of(1, 1, 0x61, 1, 0);
    for (const kind of [4, 5, 6, 8]) {
      expect(await problem(summed(Buffer.concat([head, oneName, Buffer.of(kind), huge])))).toContain(
        'is damaged',
      );
    }
    const array = Buffer.concat([Buffer.of(7, 4), huge, huge, Buffer.of(0), huge]);
    expect(await problem(summed(Buffer.concat([head, oneName, array])))).toContain('is damaged');
    expect(process.memoryUsage().arrayBuffers).toBeLessThan(2 ** 30);
  });

  test('any bytes at all, with a sum that fits: an error of input or a state that is valid', async () => {
    const roll = dice(11);
    const content = good.subarray(0, good.length - DIGEST_BYTES);
    const headEnd = content.indexOf(0x0a, content.indexOf(0x0a) + 1) + 1;
    let refused = 0;
    for (let i = 0; i < 250; i++) {
      const bytes = Buffer.from(content);
      const flips = 1 + roll(3);
      for (let flip = 0; flip < flips; flip++) bytes[headEnd + roll(bytes.length - headEnd)]! = roll(256);
      if ((await problem(summed(bytes))) !== '') refused++;
    }
    expect(refused).toBeGreaterThan(50);
  });
});
