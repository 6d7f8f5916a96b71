/** A comparison as text, Markdown and maps: what is told first, what is folded, and how wide it gets. */
import { describe, expect, test } from 'vitest';
import { diffMapLines } from '../../../src/report/diff/diff-map.js';
import { renderDiffMarkdown } from '../../../src/report/diff/diff-markdown.js';
import { renderDiff } from '../../../src/report/diff/diff-text.js';
import type { DiffMapRow } from '../../../src/report/diff-result.js';
import { diffSchema } from '../../../src/report/diff-schema.js';
import { plainStyle } from '../../../src/report/text-style.js';
import { markdownShape, UNPRINTABLE, workflowCommands } from '../check/readers.js';
import { HOSTILE_TEXTS } from '../check/sample-check.js';
import { A, B, mapRow, sampleCase, sampleDiff, sampleFirst } from './sample-diff.js';

test('the samples satisfy the schema, so that they are what is rendered', () => {
  const full = sampleDiff([
    sampleCase([A, A], [B, A], { first_difference: sampleFirst(), map: [mapRow(0, 'M', null)] }),
  ]);
  for (const result of [sampleDiff(), full])
    expect(diffSchema.parse(structuredClone(result))).toEqual(result);
  expect(diffSchema.safeParse({ ...full, more: 1 }).success).toBe(false);
});

describe('text', () => {
  test('all of it', () => {
    expect(renderDiff(sampleDiff())).toBe(
      [
        'mainline-6.18 -> spb-v2   slab-ramp.csv   21,219 events over 7.91 s   machine: --memory 2GiB',
        'start state: fresh',
        'spb.enabled false -> true',
        '',
        'spb-v2 is better at  Superpageblocks (1), Fragmentation (1)',
        'spb-v2 is worse at  Reclaim (1)',
        '',
        '                           mainline-6.18  spb-v2          change',
        'Superpageblocks',
        '  spb_tainted                         61      14     -47 (-77 %)  better',
        'Fragmentation',
        '  unusable_index.Normal.9          0.400   0.300  -0.100 (-25 %)  better',
        'Reclaim',
        '  pgsteal_kswapd                     100     180     +80 (+80 %)  worse',
        '',
        '2 better   1 worse   1 changed, neither way better   1 equal   all: --all',
        '',
        'every event was about the same page on both sides',
        '',
      ].join('\n'),
    );
  });

  test('nothing differs: one line, and that pages were the same only where that is known', () => {
    const same = (same_pages: boolean | null) =>
      renderDiff(sampleDiff([sampleCase([A], [A], { same_pages })]));
    expect(same(true)).toContain(
      '\n\nno difference: all 5 metrics are equal, and every event was about the same page\n',
    );
    expect(same(null)).toMatch(/\n\nno difference: all 5 metrics are equal\n$/);
    expect(same(false)).toMatch(/\n\nno difference: all 5 metrics are equal\n$/);
  });

  test('--all has what did not change and what only one side has', () => {
    const result = sampleDiff([sampleCase([{ ...A, alloc_ok: 3 }], [B])]);
    const all = renderDiff(result, { all: true });
    expect(all).toMatch(/^ {2}oom_kill +0 +0 +=$/m);
    expect(all).toMatch(/^ {2}alloc_ok +3 +only a$/m);
    expect(renderDiff(result)).not.toMatch(/^ {2}(oom_kill|alloc_ok) /m);
    expect(renderDiff(result)).toContain('1 only mainline-6.18 has');
  });

  test('seeds: median and range, and those that disagree', () => {
    const text = renderDiff(
      sampleDiff([sampleCase([A, { ...A, spb_tainted: 63 }], [B, { ...B, spb_tainted: 99 }])]),
    );
    expect(text).toContain('2 seeds: median [min..max]');
    expect(text).toMatch(
      /^ {2}spb_tainted +62 \[61\.\.63\] +56\.500 \[14\.\.99\] +-5\.500 \(-8\.9 %\) {2}unclear$/m,
    );
  });

  test('what grew from nothing or more than tenfold has no per cent', () => {
    const change = (a: number, b: number) =>
      /oom_kill +\S+ +\S+ +(.*?) {2}(better|worse)/.exec(
        renderDiff(sampleDiff([sampleCase([{ oom_kill: a }], [{ oom_kill: b }])])),
      )?.[1];
    expect(change(0, 5)).toBe('+5');
    expect(change(1, 11)).toBe('+10 (+1000 %)');
    expect(change(1, 12)).toBe('+11');
    expect(change(1000, 1001)).toBe('+1 (+0.1 %)');
  });

  test('the first difference, cut to a few steps unless --explain', () => {
    const first = sampleFirst();
    const long = {
      ...first.a!,
      steps: [...'abcdefghijklmnopqrst'].map((what) => ({ step: 'trigger', what }) as const),
    };
    const each = sampleCase([A], [B], {
      same_pages: false,
      first_difference: { ...first, a: long, b: null },
    });
    const text = renderDiff(sampleDiff([each]));
    expect(text).toMatch(/first difference: event [\d,]+ /);
    expect(text).toContain('pfn 0x5bc0 / none');
    expect(text).toMatch(/… \d+ lines more \(--explain\)/);
    expect(text).not.toContain('every event was about the same page');
    const whole = renderDiff(sampleDiff([each]), { explain: true });
    expect(whole).not.toContain('more (--explain)');
    expect(whole.length).toBeGreaterThan(text.length);
  });

  test('at most 100 columns for one seed, with the longest names', () => {
    const long = 'x'.repeat(500);
    const result = sampleDiff(
      [sampleCase([A], [B], { trace: long, map: [mapRow(0, 'M', 'U')], first_difference: null })],
      {
        knobs: Array.from({ length: 9 }, (_, at) => ({ knob: `spb.knob${at}`, a: 'false', b: 'true' })),
        notes: ['a short note'],
      },
    );
    for (const options of [{}, { all: true, map: true }])
      for (const line of renderDiff(result, options).split('\n'))
        expect(line.length, line).toBeLessThanOrEqual(100);
  });
});

describe('maps', () => {
  const lines = (rows: readonly DiffMapRow[], whole = false) =>
    diffMapLines(sampleDiff(), rows, whole, plainStyle);
  const start = (line: string) => /^ {2}(0x\w+) /.exec(line)?.[1];

  test('differing ranges side by side, in at most 100 columns; those alike are counted', () => {
    const rows = [
      mapRow(0, 'M'),
      mapRow(0x40000, 'M', 'U'),
      mapRow(0x80000, 'R', null),
      mapRow(0xc0000, null, 'R'),
    ];
    const shown = lines(rows);
    expect(shown.map(start).filter(Boolean)).toEqual(['0x00040000', '0x00080000', '0x000c0000']);
    expect(shown[3]).toBe(`  0x00040000  clean    ${'M'.repeat(32)}  clean    ${'U'.repeat(32)}`);
    expect(shown.at(-1)).toBe('  1 range alike (--map; glyphs: spbsim run --map)');
    for (const line of shown) expect(line.length).toBeLessThanOrEqual(100);
  });

  test('--map has all of them; with none, or none that differ, there is nothing to show', () => {
    const rows = [mapRow(0, 'M'), mapRow(0x40000, 'U')];
    expect(lines(rows, true).map(start).filter(Boolean)).toHaveLength(2);
    expect(lines(rows)).toEqual([]);
    expect(lines([], true)).toEqual([]);
  });

  test('of very many that differ the first look takes in twelve', () => {
    const rows = Array.from({ length: 40 }, (_, at) => mapRow(at << 18, 'M', 'U'));
    const shown = lines(rows);
    expect(shown.map(start).filter(Boolean)).toHaveLength(12);
    expect(shown.at(-1)).toBe('  28 more differ (--map; glyphs: spbsim run --map)');
    expect(lines(rows, true).map(start).filter(Boolean)).toHaveLength(40);
  });
});

describe('Markdown', () => {
  test('a heading, a line of counts, and a table for each subject', () => {
    expect(renderDiffMarkdown(sampleDiff(), false)).toBe(
      [
        '### `mainline-6.18` → `spb-v2`: `slab-ramp.csv`',
        '',
        '21,219 events over 7.91 s, 2 better, 1 worse, 1 changed, neither way better, 1 equal.',
        '',
        '| Superpageblocks | `mainline-6.18` | `spb-v2` | change | |',
        '|---|---:|---:|---:|---|',
        '| `spb_tainted` | 61 | 14 | -47 (-77 %) | **better** |',
        '',
        '| Fragmentation | `mainline-6.18` | `spb-v2` | change | |',
        '|---|---:|---:|---:|---|',
        '| `unusable_index.Normal.9` | 0.400 | 0.300 | -0.100 (-25 %) | **better** |',
        '',
        '| Reclaim | `mainline-6.18` | `spb-v2` | change | |',
        '|---|---:|---:|---:|---|',
        '| `pgsteal_kswapd` | 100 | 180 | +80 (+80 %) | **worse** |',
        '',
      ].join('\n'),
    );
  });

  test('several traces and a first difference', () => {
    const each = sampleCase([A], [B], { same_pages: false, first_difference: sampleFirst() });
    const text = renderDiffMarkdown(sampleDiff([each, sampleCase()]), false);
    expect(text.match(/^### /gm)).toHaveLength(2);
    expect(text).toMatch(/^First difference: event [\d,]+ \(`.*`, CPU \d+\): pfn 0x5bc0 against none\.$/m);
  });
});

test('hostile names change nothing but the names', () => {
  const first = sampleFirst();
  const shape = (name: string) => {
    const event = { ...first.event, id: name, site: name };
    const each = sampleCase([{ ...A, [`unusable_index.${name}.9`]: 1 }], [B], {
      trace: name,
      map: [{ ...mapRow(0, 'M', 'U'), zone: name }],
      first_difference: { ...first, event },
    });
    const result = sampleDiff([each], { notes: [name], knobs: [{ knob: name, a: name, b: name }] });
    const a = { ...result.a, label: name, policy: name, machine: name };
    const hostile = { ...result, a, b: { ...result.b, label: name } };
    const texts = [renderDiff(hostile, { all: true, map: true }), renderDiffMarkdown(hostile, true)] as const;
    for (const text of texts) {
      expect(UNPRINTABLE.exec(text)?.[0]).toBeUndefined();
      expect(workflowCommands(text)).toEqual([]);
    }
    return markdownShape(texts[1]).map((line) => line.replace(/\d+/g, '0'));
  };
  const harmless = shape('harmless');
  // A label with dots makes another metric, or none.
  for (const text of HOSTILE_TEXTS.filter((each) => !each.includes('.') && each.trim() !== ''))
    expect(shape(text), JSON.stringify(text)).toEqual(harmless);
});
