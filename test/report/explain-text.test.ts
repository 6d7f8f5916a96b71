/** Explanations as text: of documents made by hand, so that each kind of step is seen. */
import { stripVTControlCharacters } from 'node:util';
import { describe, expect, test } from 'vitest';
import type { ExplainSearch, ExplainStep, Explanation } from '../../src/report/explain-document.js';
import { explainSchema } from '../../src/report/explain-schema.js';
import { renderExplanation } from '../../src/report/explain-text.js';
import type { TextStyle } from '../../src/report/text-style.js';
import { sampleExplanation, ZONE } from './sample-explanation.js';

const WALK: ExplainStep = { step: 'walk', path: 'fast', mark: 'low', flags: ['NOFRAGMENT', 'KSWAPD'] };

function search(overrides: Partial<ExplainSearch>): ExplainSearch {
  return {
    step: 'search',
    zone: ZONE,
    refills: false,
    stage: 'search',
    order: 0,
    migratetype: 'reclaimable',
    outcome: null,
    times: 1,
    passes: [],
    taken: null,
    listed: 0,
    triggered: [],
    ...overrides,
  };
}

/** The lines of steps, without what stands around them. */
function textOf(...steps: ExplainStep[]): string {
  const explanation = sampleExplanation({ steps });
  expect(explainSchema.parse(explanation)).toEqual(explanation);
  const text = renderExplanation(explanation);
  for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(100);
  return text.split('\n\n')[2]!;
}

test('a whole explanation', () => {
  const steps: ExplainStep[] = [
    WALK,
    {
      step: 'zone',
      zone: ZONE,
      mark: 'high',
      mark_pages: 900,
      reserve_pages: 0,
      free_pages: 12_345,
      unusable_pages: 30,
      verdict: 'passes',
    },
    { step: 'cpu_list', zone: ZONE, cpu: 3, order: 0, migratetype: 'reclaimable', entries: 0, served: false },
    { step: 'refill', zone: ZONE, wanted: 63, got: 63 },
    search({
      refills: true,
      outcome: 'PASS_2B',
      passes: [
        {
          pass: '1',
          looked_at: [
            { list: 'tainted/full', why: 'nothing free', count: 12 },
            { list: 'tainted/full', why: 'no fitting chunk', count: 5 },
          ],
          claims_refused: [],
        },
        { pass: '2', looked_at: [], claims_refused: [] },
        { pass: '2b', looked_at: [], claims_refused: [{ name: 'zone boundary', count: 2 }] },
      ],
      taken: {
        first_pfn: 0x7b2e40,
        last_pfn: 0x7b2e40,
        superpageblock: 0x780000,
        list: 'tainted/75',
        from: 'movable',
        how: 'block claimed',
        least_chunk_order: 3,
        most_chunk_order: 3,
      },
      triggered: [{ name: 'slab shrink (high water)', count: 1 }],
    }),
  ];
  const explanation = sampleExplanation({
    steps,
    policy: { name: 'spb-v2', overrides: ['spb.defrag=off'] },
    changes: {
      superpageblocks: [
        {
          zone: ZONE,
          start_pfn: 0x780000,
          content: { before: 'clean', after: 'tainted' },
          list: { before: 'clean/75', after: 'tainted/75' },
        },
        {
          zone: ZONE,
          start_pfn: 0x7c0000,
          content: { before: 'clean', after: 'clean' },
          list: { before: 'clean/75', after: 'clean/full' },
        },
      ],
      contents: [
        { superpageblock: 0x780000, holds: 'reclaimable', begins: true, pageblocks: 1, first_or_last: true },
        { superpageblock: 0x780000, holds: 'movable', begins: false, pageblocks: 2, first_or_last: false },
      ],
      pageblocks: Array.from({ length: 8 }, (_, i) => ({
        pfn: 0x7b2e00 + i * 512,
        type: { before: 'movable', after: 'reclaimable' },
      })),
      zones: [{ zone: ZONE, free_pages: -1, boost_pages: 512 }],
      kswapd_woken: [0],
      vmstat: { nr_free_pages: -64, pgalloc_normal: 1 },
    },
  });
  expect(explainSchema.parse(explanation)).toEqual(explanation);
  expect(renderExplanation(explanation)).toBe(
    `#48,211   at 31.20 s   CPU 3, task   alloc order 0   id a77   site ext4_alloc_inode
slab-ramp.csv   policy spb-v2 --set spb.defrag=off   machine: --memory 64GiB   start state: fresh

  request           N: reclaimable   1 page   may reclaim
  gfp               GFP_KERNEL|__GFP_RECLAIMABLE
  zonelist          node 0 Normal, node 0 DMA32

  fast path         mark low   NOFRAGMENT, KSWAPD
    node 0 Normal   passes: 12,345 free - 30 not for it > high 900 + reserve 0
      CPU list      reclaimable list of CPU 3, order 0   empty
      refill        63 chunks wanted, 63 came
        pass 1      looked at 17: tainted/full 12 (nothing free), tainted/full 5 (no fitting chunk)
        pass 2      nothing fits
        pass 2b     claims refused: zone boundary 2   took pfn 0x7b2e40
                    movable list, out of a chunk of order 3: block claimed
                    superpageblock 0x780000 (tainted/75)
        triggers    slab shrink (high water)

  outcome           1 page at pfn 0x7b2e40, node 0 Normal
  changes
    superpageblocks 0x780000: clean -> tainted, list clean/75 -> tainted/75
                    0x7c0000: list clean/75 -> clean/full
    contents        0x780000: 1 pageblock begins to hold reclaimable pages (the first there)
                    0x780000: 2 pageblocks cease to hold movable pages
    pageblocks      0x7b2e00 movable -> reclaimable   0x7b3000 movable -> reclaimable
                    0x7b3200 movable -> reclaimable   0x7b3400 movable -> reclaimable
                    0x7b3600 movable -> reclaimable   0x7b3800 movable -> reclaimable
                    … and 2 more (--json)
    zones           node 0 Normal: -1 free, boost +512
    kswapd          woken on node 0
    counters        pgalloc_normal +1
`,
  );
});

describe('zones', () => {
  const zone = (verdict: 'passes' | 'below' | 'no_chunk' | 'ignored', unusable_pages = 0) =>
    textOf({
      step: 'zone',
      zone: ZONE,
      mark: 'min',
      mark_pages: 500,
      reserve_pages: 20,
      free_pages: 510,
      unusable_pages,
      verdict,
    }).trim();

  test.each([
    ['passes', 'node 0 Normal   passes: 510 free > min 500 + reserve 20'],
    ['below', 'node 0 Normal   refused: 510 free <= min 500 + reserve 20'],
    ['no_chunk', 'node 0 Normal   refused: 510 free > min 500 + reserve 20, but no chunk is large enough'],
    ['ignored', 'node 0 Normal   510 free <= min 500 + reserve 20, but the request may use all'],
  ] as const)('%s', (verdict, line) => {
    expect(zone(verdict)).toBe(line);
  });

  test('that are passed by', () => {
    const skipped = (why: 'kswapd_awake' | 'remote' | 'must_not_taint') =>
      textOf({ step: 'zone_skipped', zone: ZONE, why });
    expect(skipped('kswapd_awake')).toContain("node 0 Normal   passed by: its node's kswapd is at work");
    expect(skipped('remote')).toContain('passed by: on another node');
    expect(skipped('must_not_taint')).toMatch(/^ {6}no search {5}no superpageblock is tainted or empty/);
  });
});

describe('searches', () => {
  test('several alike are told as one, passes that found the same share a line', () => {
    const full = [{ list: 'tainted/full', why: 'nothing free', count: 2 }];
    const passes = ['1', '2', '2b'].map((pass) => ({ pass, looked_at: full, claims_refused: [] }));
    expect(textOf(search({ passes, times: 3 }))).toBe(
      `      passes        1, 2, 2b: looked at 2: tainted/full 2 (nothing free)
                    3 times`,
    );
  });

  test('stages that are no pass', () => {
    expect(textOf(search({ stage: 'owned', listed: 17 }))).toBe('      own blocks    17 came');
    expect(textOf(search({ stage: 'adopt' }))).toBe('      adopt         nothing');
    const claim = search({
      stage: 'claim',
      triggered: [
        { name: 'refused: an optional request must not taint', count: 1 },
        { name: 'evacuation for order 0 queued', count: 2 },
      ],
    });
    expect(textOf(claim)).toBe(`      claim         nothing
      refused       an optional request must not taint
      triggers      evacuation for order 0 queued, 2 times`);
  });

  test('after a refill in vain the request itself is looked for', () => {
    const lines = textOf(
      { step: 'refill', zone: ZONE, wanted: 2, got: 0 },
      search({ refills: true, passes: [{ pass: '1', looked_at: [], claims_refused: [] }] }),
      search({ passes: [{ pass: '1', looked_at: [], claims_refused: [] }] }),
    );
    expect(lines.split('\n').map((line) => line.trim().split(/\s{2,}/)[0])).toEqual([
      'refill',
      'pass 1',
      'directly',
      'pass 1',
    ]);
  });
});

describe('the slow path', () => {
  const slow = (
    what: Extract<ExplainStep, { step: 'slow' }>['what'],
    value = 0,
    result = '',
  ): ExplainStep => ({
    step: 'slow',
    what,
    value,
    result,
  });

  test('its steps', () => {
    expect(
      textOf(
        slow('begins'),
        { step: 'walk', path: 'slow', mark: 'none', flags: [] },
        slow('compact', 120, 'success'),
        slow('round', 1),
        slow('reserves', 0, 'NO_WATERMARKS'),
        slow('reclaim', 32),
        slow('drain'),
        slow('empty_block', 0),
        slow('evacuate', 1),
        slow('held_out', 16),
        slow('drop_nofragment', 16),
        slow('oom', 0),
      ),
    ).toBe(
      `  slow path
    attempt         no mark
    compaction      success, 120 pages moved
  round 1
    reserves        it may use them: NO_WATERMARKS
    reclaim         32 pages reclaimed
    drain           the lists of all CPUs are emptied
    empty a block   nothing moved
    evacuation      1 page moved
    held out        for 16 rounds, which is enough
    gives up        NOFRAGMENT: from now on it may mix types
    OOM killer      0 pages freed`,
    );
  });

  test('rounds that differ in figures only are counted', () => {
    const rounds = Array.from({ length: 15 }, (_, i) => [
      slow('round', i + 1),
      slow('reclaim', 32 + i),
    ]).flat();
    expect(textOf(slow('begins'), ...rounds).split('\n')).toEqual([
      '  slow path',
      '  round 1',
      '    reclaim         32 pages reclaimed',
      '  … 14 more, as the last up to figures',
    ]);
  });

  test('what was written before is not written again', () => {
    const attempt: ExplainStep[] = [
      { step: 'walk', path: 'slow', mark: 'min', flags: [] },
      ...['Normal', 'DMA32', 'DMA'].map(
        (name): ExplainStep => ({ step: 'zone_skipped', zone: `node 0 ${name}`, why: 'kswapd_awake' }),
      ),
    ];
    expect(
      textOf(slow('begins'), ...attempt, slow('reclaim', 32), ...attempt)
        .split('\n')
        .slice(-2),
    ).toEqual(['    attempt         mark min', '    … as above, up to figures']);
  });
});

describe('others', () => {
  test('frees', () => {
    const free = (overrides: Partial<Extract<ExplainStep, { step: 'free' }>>): string =>
      textOf({
        step: 'free',
        zone: ZONE,
        pfn: 0x1000,
        order: 0,
        where: 'in_use',
        cpu: null,
        entries: null,
        chunk_pfn: null,
        chunk_order: null,
        migratetype: null,
        ...overrides,
      });
    expect(free({})).toContain('in use again after the event');
    expect(free({ where: 'cpu_list', cpu: 1, entries: 1, migratetype: 'movable' })).toContain(
      'to the movable list of CPU 1, which holds 1 chunk now',
    );
    const buddy = { where: 'buddy', chunk_pfn: 0x1000, migratetype: 'unmovable' } as const;
    expect(free({ ...buddy, chunk_order: 0 })).toMatch(/chunk 0x1000 of order 0$/);
    expect(free({ ...buddy, chunk_order: 5 })).toMatch(/of order 5, merged$/);
    expect(free({ ...buddy, chunk_order: 9 })).toMatch(/of order 9, merged\n +its pageblock is wholly free$/);
  });

  test('lists, claims, steals, ranges, drains, relaxations', () => {
    const fallback = { step: 'fallback', zone: ZONE, refills: false, pfn: 0x1000, order: 0 } as const;
    expect(
      textOf(
        { ...fallback, how: 'stolen', chunk_order: 0, from: 'movable', to: 'unmovable' },
        { ...fallback, how: 'block_claimed', chunk_order: 10, from: 'movable', to: 'unmovable' },
        { step: 'drain', chunks: 2, pages: 1024, migratetypes: ['movable', 'unmovable'] },
        {
          step: 'contig',
          zone: ZONE,
          outcome: 'unmovable',
          first_pfn: 0x40000,
          last_pfn: 0x80000,
          pages: 262_144,
          times: 2,
        },
        { step: 'relax', what: 'drop_nofragment' },
        { step: 'relax', what: 'something new' },
        { step: 'evacuation', zone: ZONE, phase1_blocks: 1, phase2_blocks: 2 },
        { step: 'evacuation', zone: ZONE, phase1_blocks: 0, phase2_blocks: 0 },
        { step: 'trigger', what: 'slab shrink (supply)' },
      ),
    ).toBe(
      `      steal         took pfn 0x1000   movable list, as a whole chunk   its block stays movable
      claim         took pfn 0x1000   movable list, out of a chunk of order 10
                    its block is unmovable now
  drain             1,024 pages from the CPU's list to the buddy lists of movable, unmovable
  range             262,144 pages at 0x40000 and 1 more, to 0x80000: unmovable   node 0 Normal
    relaxed         it may mix types anywhere: NOFRAGMENT is given up
    relaxed         something new
    evacuates       node 0 Normal: 1 block of the own type, 2 movable
    evacuates       node 0 Normal: no block to empty
    triggers        slab shrink (supply)`,
    );
  });

  test('a failure, a free, and an event that was not replayed', () => {
    const outcome = (result: Explanation['outcome']['result'], meaning?: string) =>
      renderExplanation(
        sampleExplanation({
          request: null,
          outcome: {
            result,
            pfn: null,
            pages: 3,
            zone: null,
            notes: meaning === undefined ? [] : [{ name: 'x', meaning }],
          },
        }),
      );
    expect(outcome('failed')).toContain(
      '  outcome           no page: the request fails\n  changes           none\n',
    );
    expect(outcome('freed')).toContain('  outcome           3 pages freed\n');
    const told = outcome(
      'not_replayed',
      'allocations that failed in the model, though the trace does not say so',
    );
    expect(told).toContain('  outcome           not replayed\n  counted among     allocations that failed');
    for (const line of told.split('\n')) expect(line.length).toBeLessThanOrEqual(100);
  });

  test('masks of any length stay within the page', () => {
    const gfp = Array.from({ length: 20 }, (_, i) => `__GFP_NUMBER_${i}`).join('|');
    const text = renderExplanation(
      sampleExplanation({ request: { ...sampleExplanation().request!, gfp, zonelist: [] } }),
    );
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(100);
    expect(text.replace(/\n +/g, '')).toContain(gfp);
    expect(text).toContain('zonelist          empty: it can get nothing');
  });
});

test('text from outside cannot write to the terminal', () => {
  const evil = '\u001b[2J\u001b[31mevil\nline';
  const explanation = sampleExplanation({
    inputs: [`/tmp/${evil}`],
    policy: { name: evil, overrides: [evil] },
    machine: evil,
    steps: [{ step: 'trigger', what: evil }, search({ triggered: [{ name: evil, count: 1 }] })],
  });
  const { event, request, outcome, changes } = explanation;
  const text = renderExplanation({
    ...explanation,
    event: { ...event, id: evil, site: evil },
    request: { ...request!, gfp: evil },
    outcome: { ...outcome, notes: [{ name: evil, meaning: evil }] },
    changes: { ...changes, vmstat: { [evil]: 1 } },
  });
  expect(text).not.toContain('\u001b');
  expect(text).not.toContain('evil\n');
});

test('colour adds nothing but colour', () => {
  const red = (text: string) => `\u001b[31m${text}\u001b[39m`;
  const style: TextStyle = { good: red, bad: red, warn: red, dim: red, heading: red };
  const steps = [
    WALK,
    ...Array.from({ length: 9 }, () =>
      search({ passes: [{ pass: '1', looked_at: [], claims_refused: [] }] }),
    ),
  ];
  const explanation = sampleExplanation({ steps });
  expect(stripVTControlCharacters(renderExplanation(explanation, style))).toBe(
    renderExplanation(explanation),
  );
});
