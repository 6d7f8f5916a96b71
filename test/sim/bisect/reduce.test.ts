/** --reduce: the file that is written, read again and taken apart. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { EventLog } from '../../../src/sim/bisect/event-log.js';
import { unitsOf } from '../../../src/sim/bisect/units.js';
import { evaluate } from '../../../src/sim/expression/evaluate.js';
import { parseExpression } from '../../../src/sim/expression/parse.js';
import { openTraceSet } from '../../../src/trace/trace-set.js';
import { fileOf, run } from '../support.js';
import {
  bisect,
  linesOf,
  machineOf,
  pressureTrace,
  type TraceLines,
  textOf,
  workloadTrace,
} from './support.js';

const MACHINE = machineOf(64);
const MAX_TESTS = 3000;

/** Whether an expression holds after all of a trace CSV, asked of plain runs. */
async function holdsAfter(
  lines: TraceLines,
  policies: readonly [string, string],
  until: string,
): Promise<boolean> {
  const path = await fileOf('part.csv', textOf(lines));
  const [a, b] = [
    (await run([path], { policyName: policies[0], machine: MACHINE, check: false })).metrics,
    (await run([path], { policyName: policies[1], machine: MACHINE, check: false })).metrics,
  ];
  const expression = parseExpression(until);
  return evaluate(expression, (index) => {
    const { side, name } = expression.metrics[index]!;
    return (side === 'a' ? a : b)[name] ?? Number.NaN;
  });
}

async function unitsIn(path: string) {
  const set = await openTraceSet({ inputs: [path] });
  const log = new EventLog(set.source.strings);
  for await (const batch of set.source.batches()) log.append(batch);
  return unitsOf(log, log.length);
}

interface Case {
  readonly name: string;
  readonly policies: readonly [string, string];
  readonly until: string;
  readonly trace: () => TraceLines | Promise<TraceLines>;
}

const CASES: readonly Case[] = [
  {
    name: 'kswapd',
    policies: ['mainline-6.18', 'spb-v2'],
    until: 'a.pgsteal_kswapd > 0',
    trace: () => pressureTrace(1, 150),
  },
  {
    name: 'both sides',
    policies: ['mainline-6.18', 'spb-v2'],
    until: 'a.alloc_failed == 0 && b.alloc_failed > 0 && a.free_pages.DMA32 < 8000',
    trace: () => pressureTrace(2, 150),
  },
  {
    name: 'work of superpageblocks',
    policies: ['spb-v2', 'mainline-7.2'],
    until: 'a.spb_work_busy_ns > 2',
    trace: () => pressureTrace(3, 150),
  },
  {
    name: 'a workload',
    policies: ['mainline-6.18', 'spb-v2'],
    until: 'a.pageblocks.DMA32.reclaimable + b.pageblocks.DMA32.reclaimable >= 1 && a.alloc_ok.0 > 5',
    trace: () => workloadTrace('fs-metadata', 400, { memory_pages: 1 << 14, cpus: 2 }),
  },
];

describe.each(CASES)('$name', ({ name, policies, until, trace }) => {
  let lines: TraceLines;
  let input: string;
  let output: string;
  beforeAll(async () => {
    lines = await trace();
    input = await fileOf(`${name.replaceAll(' ', '-')}.csv`, textOf(lines));
    output = join(input, '..', `${name.replaceAll(' ', '-')}-small.csv`);
  });

  test('the file shows it, and nothing of it can be left out', async () => {
    const request = { machine: MACHINE, reduce: { output, maxTests: MAX_TESTS } };
    const result = await bisect([input], policies, until, request);
    const reduced = result.reduced!;
    const small = linesOf(readFileSync(output, 'utf8'));
    expect(reduced).toMatchObject({ file: output, is_minimal: true, events: small.rows.length });
    expect(small.rows.length).toBeLessThan(result.found!.events);
    expect(small.rows.length).toBeGreaterThan(0);
    expect(await holdsAfter(small, policies, until)).toBe(true);

    const { ofEvent, units } = await unitsIn(output);
    expect(units.filter(({ isObject }) => isObject).length).toBe(reduced.objects);
    for (const unit of units.keys()) {
      const rows = small.rows.filter((_, event) => ofEvent[event] !== unit);
      expect(await holdsAfter({ ...small, rows }, policies, until), `without unit ${unit}`).toBe(false);
    }
    // What is left are rows of the trace, with their times and in their order.
    const columnsOf = ({ header, rows }: TraceLines) => {
      const names = header.split(',');
      return rows.map((row) => {
        const cells = row.split(',');
        return ['ts', 'op', 'id', 'order'].map((column) => cells[names.indexOf(column)]).join();
      });
    };
    const all = columnsOf(lines);
    const places = columnsOf(small).map((row) => all.indexOf(row));
    expect(places.every((place, i) => place >= 0 && place > (places[i - 1] ?? -1))).toBe(true);
  }, 300_000);

  test('the same request writes the same bytes', async () => {
    const before = readFileSync(output, 'utf8');
    const request = { machine: MACHINE, reduce: { output, maxTests: MAX_TESTS } };
    const result = await bisect([input], policies, until, request);
    expect(readFileSync(output, 'utf8')).toBe(before);
    expect(before.split('\n')[0]).toBe(
      `# reduced by spbsim bisect 0.1.0; after its last event holds: ${until}`,
    );
    expect(before).toContain(`# a: ${policies[0]}   b: ${policies[1]}   machine: --memory 64MiB\n`);
    expect(before).toContain(`found with ${result.reduced!.replays} replays\n`);
  }, 120_000);
});

const NEEDS_TWO = 'a.alloc_ok.3 >= 2';

async function ofRows(header: string, rows: readonly string[]): Promise<string> {
  return fileOf('rows.csv', `${header}\n${rows.join('\n')}\n`);
}

describe('the rest of a trace', () => {
  test('whole objects are kept or left out, and other events by themselves', async () => {
    const input = await ofRows('ts,cpu,ctx,op,id,order,pfn,depth,arg', [
      '1000,0,task,mark,,,,,begin',
      '2000,1,task,alloc,x,3,,,',
      '3000,1,softirq,alloc,y,0,,1,',
      '4000,1,hardirq,alloc,,3,0x40,2,',
      '5000,1,softirq,free,y,0,,1,',
      '6000,0,task,free,x,3,,,',
      '6000,0,task,alloc,z,3,,,failed=1',
    ]);
    const output = join(input, '..', 'two.csv.gz');
    const options = { machine: MACHINE, reduce: { output, maxTests: 100 } };
    const result = await bisect(
      [input],
      ['mainline-6.18', 'spb-v2'],
      `${NEEDS_TWO} && a.pgfree >= 8`,
      options,
    );
    expect(result.found?.events).toBe(6);
    expect(result.reduced).toMatchObject({ events: 3, objects: 2, is_minimal: true });
    const rows: string[] = [];
    const set = await openTraceSet({ inputs: [output] });
    for await (const batch of set.source.batches())
      for (let row = 0; row < batch.length; row++)
        rows.push(
          `${batch.ts[row]} ${batch.cpu[row]} ${batch.ctx[row]} ${batch.op[row]} ${batch.depth[row]}`,
        );
    // What the hardirq had interrupted is gone: it is nested in nothing but the task.
    expect(rows).toEqual(['2000 1 0 0 0', '4000 1 2 0 1', '6000 0 0 1 0']);
  });

  test('what runs out of tests is said to, and holds all the same', async () => {
    const lines = pressureTrace(1, 150);
    const input = await fileOf('long.csv', textOf(lines));
    const output = join(input, '..', 'few.csv');
    const until = 'a.pgsteal_kswapd > 0';
    const options = { machine: MACHINE, reduce: { output, maxTests: 5 } };
    const result = await bisect([input], ['mainline-6.18', 'spb-v2'], until, options);
    expect(result.reduced).toMatchObject({ replays: 6, is_minimal: false });
    const text = readFileSync(output, 'utf8');
    expect(text).toContain('# more might be left out: --max-tests ran out; found with 6 replays\n');
    expect(await holdsAfter(linesOf(text), ['mainline-6.18', 'spb-v2'], until)).toBe(true);
  });

  test('nothing is written where there is nothing to reduce', async () => {
    const input = await ofRows('op,id,order', ['alloc,x,0']);
    const output = join(input, '..', 'nothing.csv');
    const options = { machine: MACHINE, reduce: { output, maxTests: 5 } };
    for (const until of ['a.alloc_failed == 0', 'a.alloc_failed > 7']) {
      const result = await bisect([input], ['mainline-6.18', 'spb-v2'], until, options);
      expect(result.reduced).toBeNull();
      expect(() => readFileSync(output)).toThrow(/ENOENT/);
    }
  });

  test('a machine that nobody chose is told', async () => {
    const input = await ofRows('op,id,order', ['alloc,x,3']);
    const output = join(input, '..', 'default.csv');
    await bisect([input], ['mainline-6.18', 'spb-v2'], 'a.alloc_ok.3 >= 1', {
      machine: undefined,
      machineOrigin: 'default: 4 GiB, 1 node',
      reduce: { output, maxTests: 5 },
    });
    expect(readFileSync(output, 'utf8')).toMatch(
      /machine: default: 4 GiB, 1 node \(4\.00 GiB, 1 node, \d+ CPUs?\)\n/,
    );
  });

  test('texts of a stranger stay in their cells', async () => {
    const until = 'a.alloc_ok.3 >= 1';
    const input = await ofRows('op,id,order,site', [
      'alloc,"=cmd|\u2028x",3,"a,""b"" <script>"',
      'alloc,#y,0,z',
    ]);
    const output = join(input, '..', 'hostile.csv');
    const options = { machine: MACHINE, reduce: { output, maxTests: 50 } };
    await bisect([input], ['mainline-6.18', 'spb-v2'], `${until}\n|| a.alloc_ok.3 > 5`, options);
    const text = readFileSync(output, 'utf8');
    expect(text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))).toEqual([
      'ts,op,id,order,gfp,site',
      '0,alloc,\'=cmd|\u2028x,3,GFP_KERNEL,"a,""b"" <script>"',
    ]);
    expect(text.split('\n')[0]).toContain(`${until} || a.alloc_ok.3 > 5`);
  });
});
