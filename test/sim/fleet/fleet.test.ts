/** Several replays fed from one reading: each must be what it would be alone, and a failure anywhere ends all of them. */
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { beforeAll, describe, expect, test } from 'vitest';
import type { RunResult } from '../../../src/report/run-result.js';
import { Fleet } from '../../../src/sim/fleet/fleet.js';
import type { SideRequest } from '../../../src/sim/fleet/side-protocol.js';
import { runTraces } from '../../../src/sim/run-trace.js';
import { arrowChunks } from '../../../src/trace/arrow/writer.js';
import { Op } from '../../../src/trace/event-batch.js';
import { InputError, InputErrors } from '../../../src/trace/input-error.js';
import { openTrace } from '../../../src/trace/source.js';
import { errorOf } from '../../trace/helpers.js';
import { fileOf, withoutClock } from '../support.js';
import { csvOf, numbersFrom, randomRows, type SideOptions, sideOf } from './support.js';

const RECORDING = fileURLToPath(new URL('../../trace/data/recording', import.meta.url));
const GENERATED = 'gen:syzkaller-mix:memory=256MiB,cpus=2,duration=2s,events=3000';

async function onFleet(
  count: number,
  requests: readonly SideRequest[],
  signal?: AbortSignal,
): Promise<RunResult[]> {
  const fleet = await Fleet.start(count);
  try {
    return await replayOn(fleet, requests, signal);
  } finally {
    await fleet.close();
  }
}

function replayOn(
  fleet: Fleet,
  requests: readonly SideRequest[],
  signal?: AbortSignal,
): Promise<RunResult[]> {
  const { inputs, open, seed } = requests[0]!;
  return fleet.replay({ inputs, open, seed }, requests, { signal });
}

function document(result: RunResult): string {
  return JSON.stringify(withoutClock(result));
}

const SIDES: readonly SideOptions[] = [
  { policy: 'mainline-6.18' },
  { policy: 'spb-v2' },
  { policy: 'mainline-6.1', set: ['pcp.batch_scale_max=1'] },
];

const inputs = new Map<string, string>();
beforeAll(async () => {
  const csv = csvOf(randomRows(numbersFrom(11), 6000));
  const path = await fileOf('fleet.csv', csv);
  inputs.set('CSV', path);
  inputs.set('packed CSV', await fileOf('fleet.csv.gz', gzipSync(csv)));
  inputs.set('Arrow', await arrowOf(path));
  inputs.set('recording', RECORDING);
  inputs.set('generated', GENERATED);
  inputs.set('no events', await fileOf('none.csv', csvOf([])));
  const pairs = Array.from({ length: 90_000 }, (_, at) => `0,alloc,l${at},0,,\n0,free,l${at},,,`);
  inputs.set('several batches', await fileOf('batches.csv', csvOf(pairs)));
});

describe.each(['CSV', 'packed CSV', 'Arrow', 'recording', 'generated', 'no events', 'several batches'])(
  '%s',
  (kind) => {
    test('each side is what it is alone, timings aside', async () => {
      const input = inputs.get(kind)!;
      const machine = kind === 'recording' || kind === 'generated' ? { machine: undefined } : {};
      const requests = await Promise.all(SIDES.map((side) => sideOf(input, { ...side, ...machine })));
      const together = await onFleet(SIDES.length, requests);
      for (const [at, request] of requests.entries())
        expect(document(together[at]!)).toBe(document(await runTraces(request)));
      const first = together.map(({ policy, vmstat }) => JSON.stringify([policy.name, vmstat]));
      expect(new Set(first).size).toBe(SIDES.length);
    });
  },
);

test('a fleet is good for one replay after the other, of other traces and of fewer sides', async () => {
  const fleet = await Fleet.start(3);
  for (const kind of ['CSV', 'generated', 'CSV']) {
    const machine = kind === 'generated' ? { machine: undefined } : {};
    for (const count of [3, 1]) {
      const sides = SIDES.slice(0, count).map((side) =>
        sideOf(inputs.get(kind)!, { ...side, ...machine, seed: 7 }),
      );
      const requests = await Promise.all(sides);
      const results = await replayOn(fleet, requests);
      expect(results).toHaveLength(count);
      for (const [at, request] of requests.entries())
        expect(document(results[at]!)).toBe(document(await runTraces(request)));
    }
  }
  await fleet.close();
});

test('the pages of each event come batch by batch, in order, until nobody wants them', async () => {
  const path = inputs.get('several batches')!;
  const requests = [await sideOf(path), await sideOf(path)];
  const fleet = await Fleet.start(2);
  const seen: [number[], number[]] = [[], []];
  await fleet.replay({ inputs: [path], open: {}, seed: 1 }, requests, {
    onPages: (side, pfns, batch) => {
      seen[side as 0 | 1].push(pfns.length);
      // The batch is there with its strings while it is looked at.
      expect(batch.strings.ids.get(batch.id[0]!)).toMatch(/^l\d+$/);
      expect([Op.alloc, Op.free]).toContain(batch.op[pfns.length - 1]);
      return seen[0].length + seen[1].length < 4;
    },
  });
  await fleet.close();
  for (const lengths of seen) {
    expect(lengths.length).toBeGreaterThan(0);
    expect(lengths.every((length) => length <= 65_536)).toBe(true);
  }
  expect(seen[0].length + seen[1].length).toBeGreaterThanOrEqual(4);
});

describe('failures end all sides, with what was wrong', () => {
  async function failureOf(
    input: string,
    changes: readonly Partial<SideRequest>[] = [{}, {}],
  ): Promise<Error> {
    const requests = await Promise.all(
      changes.map(async (change) => ({ ...(await sideOf(input)), ...change })),
    );
    return errorOf(onFleet(requests.length, requests));
  }

  test('a missing trace', async () => {
    const error = await failureOf('missing.csv');
    expect(error).toBeInstanceOf(InputError);
    expect(error.message).toBe('missing.csv  does not exist; check the path');
  });

  test('a trace that is wrong behind its first batches: the same as alone', async () => {
    const rows = [...Array(140_000).fill('0,mark,,,,'), '0,alloc,a,77,,', '0,alloc,b,78,,'];
    const path = await fileOf('late-error.csv', csvOf(rows));
    const request = { ...(await sideOf(path)), open: { maxErrors: 20 } };
    const together = await errorOf(onFleet(2, [request, request]));
    const single = await errorOf(runTraces(request));
    expect(together).toBeInstanceOf(InputErrors);
    expect(together.message).toBe(single.message);
    expect(together.message).toContain('late-error.csv:140002');
  });

  test('a side that cannot begin, and one that fails on the way: whichever of them it is', async () => {
    const path = inputs.get('several batches')!;
    const tooLarge = { max_machine_pages: 16 };
    for (const changes of [
      [tooLarge, {}],
      [{}, tooLarge],
      [{}, {}, tooLarge],
    ])
      expect((await failureOf(path, changes)).message).toContain('--max-machine');
    const pinned = { mode: 'pinned' } as const;
    expect((await failureOf(path, [{}, pinned])).message).toContain('where recorded PFNs mean nothing');
  });

  test('a trace that is cut short is no failure: all that was read is replayed by all', async () => {
    const rows = Array.from({ length: 5000 }, (_, at) => `0,alloc,c${at},0,,`);
    const path = await fileOf('cut.csv.gz', gzipSync(csvOf(rows)).subarray(0, 2000));
    const requests = [await sideOf(path), await sideOf(path, { policy: 'spb-v2' })];
    const results = await onFleet(2, requests);
    for (const [at, request] of requests.entries()) {
      expect(document(results[at]!)).toBe(document(await runTraces(request)));
      expect(results[at]!.inputs[0]!.cut).toContain('ends in the middle of its gzip data');
    }
  });

  test('an interrupt, before it begins and while it runs', async () => {
    const request = await sideOf(inputs.get('several batches')!);
    const controller = new AbortController();
    const fleet = await Fleet.start(2);
    const work = fleet.replay({ inputs: request.inputs, open: {}, seed: 1 }, [request, request], {
      signal: controller.signal,
      onProgress: () => controller.abort(),
    });
    expect((await errorOf(work)).name).toBe('AbortError');
    await fleet.close();
  });
});

/** The trace as Arrow. */
async function arrowOf(path: string): Promise<string> {
  const { source, kernel } = await openTrace(path);
  const chunks: Uint8Array[] = [];
  for await (const chunk of arrowChunks(source.batches(), { format: 'file', kernel: kernel.generation }))
    chunks.push(chunk.slice());
  return fileOf('fleet.arrow', Buffer.concat(chunks));
}
