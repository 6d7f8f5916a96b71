/** What a verification says when something differs: the place, both sides, and nothing that did not happen. */
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { beforeAll, describe, expect, test } from 'vitest';
import { renderVerifyJson } from '../../src/report/result-json.js';
import type { VerifyResult } from '../../src/report/verify-result.js';
import { verifySchema } from '../../src/report/verify-schema.js';
import { renderVerify } from '../../src/report/verify-text.js';
import { verifyInput } from '../../src/sim/verify/verify-input.js';
import { readWholeInput } from '../../src/trace/bytes/open-input.js';
import { fileOf } from './support.js';

const repository = fileURLToPath(new URL('../../', import.meta.url));
const RUN = join(repository, 'test/oracle/data/7.2.12/oracle-micro/mixed_orders-2.jsonl.xz');
const RECORDING = join(repository, 'test/trace/data/recording');

function verify(input: string, check = false): Promise<VerifyResult> {
  return verifyInput({ input, policy: undefined, overrides: [], check });
}

/** The keys of a document, in the order in which they are printed. */
function firstKeys(result: VerifyResult): string[] {
  return Object.keys(JSON.parse(renderVerifyJson(result)) as object).slice(0, 5);
}

const AGREEMENT_FIRST = ['schema', 'agreement', 'compared', 'matched', 'first_divergence'];

let lines: string[];
beforeAll(async () => {
  lines = (await readWholeInput(RUN)).toString().trimEnd().split('\n');
});

/** The run with some of its lines changed. */
async function changed(name: string, change: (line: string, at: number) => string): Promise<VerifyResult> {
  return verify(await fileOf(`${name}.jsonl`, `${lines.map(change).join('\n')}\n`));
}

describe('a scripted run', () => {
  test('as it was recorded agrees, also with invariants checked', async () => {
    const result = await verify(RUN, true);
    expect(result.agreement).toBe(1);
    expect(result.first_divergence).toBeNull();
    expect(verifySchema.parse(JSON.parse(renderVerifyJson(result)))).toEqual(result);
    expect(firstKeys(result)).toEqual(AGREEMENT_FIRST);
  });

  test('one PFN changed: told at its operation, with both sides', async () => {
    const at = lines.findIndex((line) => /^\[100\d,"A"/.test(line));
    const [op, , gfp, order, pfn] = JSON.parse(lines[at]!) as [number, string, number, number, number];
    const wrong = pfn ^ 0x800;
    const result = await changed('pfn', (line, i) =>
      i === at ? JSON.stringify([op, 'A', gfp, order, wrong]) : line,
    );
    expect(result).toMatchObject({
      compared: result.matched + 1,
      first_divergence: {
        index: op,
        kernel: `0x${wrong.toString(16)}`,
        model: `0x${pfn.toString(16)}`,
        text: expect.stringMatching(new RegExp(`^alloc order ${order} .* on CPU 0$`)),
      },
    });
    expect(result.agreement).toBeCloseTo(result.matched / result.compared, 12);
    expect(result.first_divergence!.context[0]).toMatch(/^the model did: /);
    expect(firstKeys(result)).toEqual(AGREEMENT_FIRST);
    expect(verifySchema.parse(JSON.parse(renderVerifyJson(result)))).toEqual(result);
    const text = renderVerify(result);
    expect(text).toContain(`op ${op.toLocaleString('en-US')}  alloc order ${order}`);
    expect(text).toContain(`kernel 0x${wrong.toString(16)}, model 0x${pfn.toString(16)}`);
    expect(text).toContain('model differs from the kernel');
  });

  test('an allocation that failed in the kernel and not in the model', async () => {
    const at = lines.findIndex((line) => /^\[5\d\d,"A"/.test(line));
    const [op, , gfp, order, pfn] = JSON.parse(lines[at]!) as number[];
    const result = await changed('failure', (line, i) =>
      i === at ? JSON.stringify([op, 'A', gfp, order, null]) : line,
    );
    expect(result.failures).toMatchObject({ kernel: result.failures.matched + 1 });
    expect(result.first_divergence).toMatchObject({
      index: op,
      kernel: 'failed',
      model: `0x${pfn!.toString(16)}`,
    });
  });

  test('two pages of a checkpoint swapped: that list is named, with the place', async () => {
    const state = lines.findIndex((line) => line.includes('"when":"ckpt2"'));
    const at = lines.findIndex(
      (line, i) => i > state && line.startsWith('{"t":"free"') && JSON.parse(line).pfns.length > 3,
    );
    const list = JSON.parse(lines[at]!) as { order: number; mt: number; pfns: number[] };
    const [first, second, third, ...rest] = list.pfns;
    const result = await changed('swapped', (line, i) =>
      i === at ? JSON.stringify({ ...list, pfns: [first, third, second, ...rest] }) : line,
    );
    expect(result.agreement).toBe(1);
    const wrong = result.checkpoints.filter(({ compared, equal }) => compared !== equal);
    expect(wrong).toHaveLength(1);
    expect(wrong[0]).toMatchObject({ name: 'ckpt2', index: 1500, equal: wrong[0]!.compared - 1 });
    expect(wrong[0]!.differences).toHaveLength(1);
    expect(wrong[0]!.differences[0]).toMatch(
      new RegExp(
        `free list order ${list.order} .*: differ from entry 1 on: kernel 0x${third!.toString(16)} .*, model 0x${second!.toString(16)} `,
      ),
    );
    expect(renderVerify(result)).toContain('model differs from the kernel');
  });

  test('a counter of a checkpoint changed', async () => {
    const state = lines.findIndex((line) => line.includes('"when":"ckpt1"'));
    const at = lines.findIndex((line, i) => i > state && line.startsWith('{"t":"zone","zone":1'));
    const zone = JSON.parse(lines[at]!) as { nr_free_pages: number };
    const result = await changed('counter', (line, i) =>
      i === at ? JSON.stringify({ ...zone, nr_free_pages: zone.nr_free_pages + 1 }) : line,
    );
    const [wrong] = result.checkpoints.filter(({ compared, equal }) => compared !== equal);
    expect(wrong!.differences).toEqual([
      `node 0 DMA32 nr_free_pages: kernel ${zone.nr_free_pages + 1}, model ${zone.nr_free_pages}`,
    ]);
  });

  test('a tracepoint of the kernel changed', async () => {
    const events = (await readWholeInput(RUN.replace('.jsonl.xz', '.events.txt.xz'))).toString();
    await fileOf('events.events.txt', events.replace(/(zone_locked: .*?)order=0/, '$1order=1'));
    const result = await changed('events', (line) => line);
    const [wrong] = result.checkpoints.filter(({ compared, equal }) => compared !== equal);
    expect(wrong).toMatchObject({ name: 'tracepoints', equal: wrong!.compared - 1 });
    expect(wrong!.differences[0]).toMatch(
      /^event \d+: kernel 0x[0-9a-f]+ order 1, model op \d+: zone_locked 0x/,
    );
  });

  test.each([
    ['no run line', (line: string) => (line.startsWith('{"t":"run"') ? '' : line), /run/],
    ['a line that is no JSON', (line: string, at: number) => (at === 50 ? '[9,"A",' : line), /:51/],
  ])('%s', async (name, change, message) => {
    await expect(changed(name, change)).rejects.toThrow(message);
  });
});

describe('a recording', () => {
  let copy: string;
  beforeAll(async () => {
    copy = join(await mkdtemp(join(tmpdir(), 'spbsim-verify-')), 'recording');
    await cp(RECORDING, copy, { recursive: true });
  });

  async function withTrace(text: string): Promise<VerifyResult> {
    await rm(join(copy, 'trace.gz'), { force: true });
    await writeFile(join(copy, 'trace'), text);
    return verify(copy, true);
  }

  test('is verified in all parts, and the document says which', async () => {
    const result = await verify(RECORDING, true);
    expect(result).toMatchObject({
      kind: 'recording',
      agreement: 1,
      kernel: '6.18.44',
      policy: { name: 'mainline-6.18' },
      failures: { kernel: 0, matched: 0 },
    });
    expect(result.recording!.after_buddyinfo).toHaveLength(33);
    expect(result.notes.map((note) => note.meaning)).toContain('the recording has no before/kpageflags');
    expect(verifySchema.parse(JSON.parse(renderVerifyJson(result)))).toEqual(result);
    expect(firstKeys(result)).toEqual(AGREEMENT_FIRST);
  });

  test('a page handed out twice is found, counted and shown first', async () => {
    const text = gunzipSync(await readFile(join(RECORDING, 'trace.gz'))).toString();
    const allocs = text.split('\n').filter((line) => line.includes('mm_page_alloc: '));
    // The tenth event is that of the third again: nothing has freed the page since.
    const again = text.replace(allocs[9]!, (line) =>
      line.replace(/pfn=0x[0-9a-f]+/, /pfn=0x[0-9a-f]+/.exec(allocs[2]!)![0]),
    );
    const result = await withTrace(again);
    expect(result).toMatchObject({
      compared: result.matched + 1,
      first_divergence: {
        text: 'alloc order 0 on CPU 0',
        kernel: /0x[0-9a-f]+/.exec(allocs[2]!.slice(allocs[2]!.indexOf('pfn=')))![0],
        model: 'holds it to be in use',
      },
      recording: { legality: { illegal: [{ name: 'in_use', count: 1 }] } },
    });
    expect(result.notes).toContainEqual(expect.objectContaining({ name: 'implied_frees', count: 1 }));
    const shown = renderVerify(result);
    expect(shown).toContain('holds it to be in use');
    expect(shown).toContain('1 pages handed out that the replay held to be in use');
    expect(shown).toContain('model differs from the kernel');
  });
});
