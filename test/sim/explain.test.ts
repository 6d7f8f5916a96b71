/** One event explained: what the steps say, what changed, and that listening changes nothing. */
import { describe, expect, test } from 'vitest';
import type { ExplainStep, ExplainStepOf, Explanation } from '../../src/report/explain-document.js';
import { renderExplanation } from '../../src/report/explain-text.js';
import { POLICY_NAMES } from '../mm/policies.js';
import { type ExplainOptions, explain, GIB_PAGES, HEAD, STORY } from './explain-support.js';
import { freeRun, MIB_PAGES, rows } from './support.js';

function stepsOf<S extends ExplainStep['step']>({ steps }: Explanation, kind: S): ExplainStepOf<S>[] {
  return steps.filter((step) => step.step === kind) as ExplainStepOf<S>[];
}

/** Passes of a search, and how each ended: nothing, or what was taken. */
function passesOf({ passes, taken }: ExplainStepOf<'search'>): string {
  return `${passes.map(({ pass }) => pass).join(' ')}: ${taken?.how ?? 'nothing'}`;
}

describe('a mainline policy', () => {
  test('a refill by claiming a block: zone, marks, list, claim, and the block that changed', async () => {
    const u0 = await explain(STORY, 2);
    expect(u0.event).toMatchObject({ number: 2, op: 'alloc', id: 'u0', ctx: 'task', order: 0, cpu: 0 });
    expect(u0.request).toMatchObject({
      kind: 'N',
      migratetype: 'unmovable',
      pages: 1,
      gfp: 'GFP_KERNEL',
      zonelist: ['node 0 Normal', 'node 0 DMA32', 'node 0 DMA'],
      may_reclaim: true,
    });
    expect(u0.steps).toEqual([
      { step: 'walk', path: 'fast', mark: 'low', flags: ['NOFRAGMENT', 'KSWAPD'] },
      {
        step: 'zone',
        zone: 'node 0 Normal',
        mark: 'high',
        mark_pages: 6405,
        reserve_pages: 0,
        free_pages: 257_997,
        unusable_pages: 0,
        verdict: 'passes',
      },
      {
        step: 'cpu_list',
        zone: 'node 0 Normal',
        cpu: 0,
        order: 0,
        migratetype: 'unmovable',
        entries: 0,
        served: false,
      },
      { step: 'refill', zone: 'node 0 Normal', wanted: 126, got: 126 },
      {
        step: 'fallback',
        zone: 'node 0 Normal',
        refills: true,
        how: 'block_claimed',
        pfn: 0x101400,
        order: 0,
        chunk_order: 10,
        from: 'movable',
        to: 'unmovable',
      },
      {
        step: 'chunk',
        zone: 'node 0 Normal',
        refills: true,
        order: 0,
        migratetype: 'unmovable',
        times: 125,
        first_pfn: 0x101401,
        last_pfn: 0x10147d,
        least_chunk_order: 0,
        most_chunk_order: 6,
      },
    ]);
    expect(u0.outcome).toEqual({
      result: 'allocated',
      pfn: 0x101400,
      pages: 1,
      zone: 'node 0 Normal',
      notes: [],
    });
    expect(u0.changes).toMatchObject({
      superpageblocks: [
        {
          zone: 'node 0 Normal',
          start_pfn: 0x100000,
          content: { before: 'clean', after: 'tainted' },
          list: null,
        },
      ],
      contents: [],
      pageblocks: [0x101400, 0x101600].map((pfn) => ({
        pfn,
        type: { before: 'movable', after: 'unmovable' },
      })),
      zones: [{ zone: 'node 0 Normal', free_pages: -1, boost_pages: 0 }],
      kswapd_woken: [],
      vmstat: { pgalloc_normal: 1 },
    });
  });

  test('served by the list of the CPU: no list is searched', async () => {
    const u1 = await explain(STORY, { id: 'u1', nth: 1 });
    expect(u1.event).toMatchObject({ number: 3, ctx: 'softirq' });
    expect(u1.steps.map(({ step }) => step)).toEqual(['walk', 'zone', 'cpu_list']);
    expect(u1.steps[2]).toMatchObject({ entries: 125, served: true });
    expect(renderExplanation(u1)).toContain('125 chunks\n');
  });

  test('an order without a list of its own', async () => {
    const a0 = await explain(STORY, 6);
    expect(a0.request).toMatchObject({ may_reclaim: false, is_optional: false, pages: 16 });
    expect(a0.steps.at(-1)).toMatchObject({ step: 'chunk', refills: false, times: 1, first_pfn: 0x101480 });
    expect(a0.steps[1]).toMatchObject({ unusable_pages: 15 });
  });

  test('stealing is told from claiming', async () => {
    // Movable memory with single free pages everywhere: no block is worth claiming.
    const csv = `op,id,order,gfp
${rows(13_400, 'alloc,m#,0,GFP_HIGHUSER_MOVABLE')}
${Array.from({ length: 2680 }, (_, i) => `free,m${i * 5},0,`).join('\n')}
${rows(600, 'alloc,u#,0,GFP_KERNEL')}
`;
    const machine = { memory_pages: 64 * MIB_PAGES };
    const stolen = await explain(csv, 16_591, machine);
    const steps = stepsOf(stolen, 'fallback');
    expect(steps.length).toBeGreaterThan(30);
    expect(steps.every(({ how, from }) => how === 'stolen' && from === 'movable')).toBe(true);
    expect(stolen.changes.pageblocks).toEqual([]);
    expect(stolen.changes.superpageblocks).toEqual([]);
    const text = renderExplanation(stolen);
    expect(text).toMatch(/steal .*took pfn 0x\w+ .*its block stays movable/);
    expect(text.split('\n').length).toBeLessThan(40);
    const claimed = await explain(csv, { id: 'u0', nth: 1 }, machine);
    expect(stepsOf(claimed, 'fallback')).toMatchObject([{ how: 'block_claimed', from: 'movable' }]);
    expect(claimed.changes.pageblocks.length).toBeGreaterThan(0);
  });

  test('a failure: both attempts of the fast path, then the slow path with all that it tried', async () => {
    const csv = `op,id,order,gfp\n${rows(40, 'alloc,u#,9,GFP_KERNEL')}\n`;
    const last = await explain(csv, 39, { memory_pages: 64 * MIB_PAGES });
    expect(last.outcome).toMatchObject({ result: 'failed', pfn: null });
    expect(last.outcome.notes.map(({ name }) => name)).toEqual(['model_failures']);
    expect(stepsOf(last, 'zone').every(({ verdict }) => verdict !== 'passes')).toBe(true);
    expect(stepsOf(last, 'walk').map(({ path }) => path)).toContain('slow');
    const slow = stepsOf(last, 'slow').map(({ what }) => what);
    expect(slow.slice(0, 2)).toEqual(['begins', 'compact']);
    expect(slow).toContain('round');
    expect(slow).toContain('reclaim');
    expect(renderExplanation(last)).toContain('no page: the request fails');
  });

  test('reclaim on behalf of the request: its pages are one step, not many', async () => {
    // All at one time, so that kswapd has none.
    const csv = `op,id,order,gfp,ts\n${rows(14_500, 'alloc,p#,0,GFP_HIGHUSER_MOVABLE|__GFP_WRITE,0')}\n`;
    const reclaims = (each: Explanation) => stepsOf(each, 'slow').some(({ what }) => what === 'reclaim');
    const first = await firstThat(csv, [13_620, 13_680], { memory_pages: 64 * MIB_PAGES }, reclaims);
    const reclaim = stepsOf(first, 'slow').find(({ what }) => what === 'reclaim');
    expect(reclaim?.value).toBeGreaterThan(0);
    expect(first.changes.vmstat.pgsteal_direct).toBe(reclaim?.value);
    expect(stepsOf(first, 'free')).toEqual([]);
    expect(first.outcome.result).toBe('allocated');
  });
});

/** Explains events of a range, at a distance, until one fits. */
async function firstThat(
  csv: string,
  [from, to]: readonly [number, number],
  options: ExplainOptions,
  fits: (explanation: Explanation) => boolean,
): Promise<Explanation> {
  for (let event = from; event < to; event += Math.ceil((to - from) / 60)) {
    const explanation = await explain(csv, event, options);
    if (fits(explanation)) return explanation;
  }
  throw new Error('no event fits');
}

describe('superpageblocks', () => {
  const policy = 'spb-v2';

  test('the passes down to the one that taints an empty superpageblock', async () => {
    const u0 = await explain(STORY, 2, { policy });
    expect(stepsOf(u0, 'zone_skipped')).toEqual([
      { step: 'zone_skipped', zone: 'node 0 Normal', why: 'must_not_taint' },
    ]);
    const searches = stepsOf(u0, 'search');
    expect(searches.map(({ stage }) => stage)).toEqual(['owned', 'whole_block', 'adopt', 'search', 'search']);
    expect(searches.map(passesOf)).toEqual([
      ': nothing',
      '1 2: nothing',
      ': nothing',
      '1 2 2b 2c 2d 3: relabelled',
      '1: as it is',
    ]);
    expect(searches[3]!.taken).toEqual({
      first_pfn: 0x40000,
      last_pfn: 0x40000,
      superpageblock: 0x40000,
      list: 'tainted/almost_empty',
      from: 'movable',
      how: 'relabelled',
      least_chunk_order: 10,
      most_chunk_order: 10,
    });
    // The rest of the refill is told as one.
    expect(searches[4]).toMatchObject({ times: 62, listed: 62, outcome: 'PASS_1' });
    expect(u0.changes.superpageblocks).toEqual([
      {
        zone: 'node 0 DMA32',
        start_pfn: 0x40000,
        content: { before: 'empty', after: 'tainted' },
        list: { before: 'empty', after: 'tainted/almost_empty' },
      },
    ]);
    expect(u0.changes.contents).toEqual([
      { superpageblock: 0x40000, holds: 'unmovable', begins: true, pageblocks: 2, first_or_last: true },
    ]);
  });

  test('superpageblocks that were looked at, by list and by what they lacked', async () => {
    const r0 = await explain(STORY, 4, { policy });
    const whole = stepsOf(r0, 'search').find(({ stage }) => stage === 'whole_block');
    expect(whole?.passes[0]?.looked_at).toEqual([
      { list: 'tainted/almost_empty', why: 'no fitting chunk', count: 1 },
    ]);
    expect(whole).toMatchObject({ outcome: 'PASS_2', order: 9, listed: 31 });
    expect(renderExplanation(r0)).toContain('looked at 1: tainted/almost_empty 1 (no fitting chunk)');
  });

  test('an optional request is refused rather than let it taint', async () => {
    // One superpageblock is full of unmovable pages but for single free ones, the others hold movable memory.
    const csv = `op,id,order,gfp
${rows(255, 'alloc,U#,10,GFP_KERNEL')}
${rows(1024, 'alloc,s#,0,GFP_KERNEL')}
${rows(460, 'alloc,m#,10,GFP_HIGHUSER_MOVABLE')}
${Array.from({ length: 512 }, (_, i) => `free,s${2 * i},0,`).join('\n')}
alloc,a0,1,GFP_ATOMIC
`;
    const refused = await explain(
      csv,
      { id: 'a0', nth: 1 },
      { policy, set: ['spb.optional_gate=free_pages', 'pcp.kind=none'], memory_pages: 3 * GIB_PAGES },
    );
    expect(refused.request?.is_optional).toBe(true);
    const [first] = stepsOf(refused, 'search');
    expect(first?.outcome).toBe('NO_PAGE');
    expect(first?.triggered.some(({ name }) => name.startsWith('refused: '))).toBe(true);
    expect(refused.changes.vmstat.spb_highorder_refused).toBeGreaterThan(0);
    expect(renderExplanation(refused)).toMatch(/refused +an optional request must not taint/);
  });

  test('a claim in a clean superpageblock, and what it triggers', async () => {
    const n0 = await explain(STORY, 10, { policy });
    const claim = stepsOf(n0, 'search').find(({ stage }) => stage === 'claim');
    expect(claim?.taken).toMatchObject({ how: 'claimed by fallback', superpageblock: 0x100000 });
    expect(claim?.triggered.map(({ name }) => name)).toEqual([
      'evacuation for order 0 queued',
      'slab shrink (demand)',
    ]);
    expect(n0.request?.gfp).toContain('__GFP_NOMEMALLOC');
  });

  test('reclaim before taint: rounds, evacuation, and the end of holding out', async () => {
    const u0 = await explain(STORY, 2, { policy: 'spb-v2-r-c', memory_pages: GIB_PAGES });
    const slow = stepsOf(u0, 'slow').map(({ what }) => what);
    expect(slow[0]).toBe('begins');
    expect(slow.filter((what) => what === 'round').length).toBeGreaterThan(1);
    expect(slow).toContain('evacuate');
    expect(slow).toContain('drop_nofragment');
    expect(u0.outcome.result).toBe('allocated');
    const text = renderExplanation(u0);
    expect(text).toContain('… as above, up to figures');
    expect(text).toContain('NOFRAGMENT: from now on it may mix types');
    expect(text.split('\n').length).toBeLessThan(100);
  });

  test('a request that cannot reclaim is relaxed in steps', async () => {
    const csv = `${HEAD}${rows(300, 'alloc,m#,10,GFP_HIGHUSER_MOVABLE,,task,0')}
alloc,a0,0,GFP_ATOMIC,,task,0\n`;
    const a0 = await explain(csv, 300, { policy, memory_pages: GIB_PAGES });
    expect(stepsOf(a0, 'relax').map(({ what }) => what)).toEqual(['add_tainted_ok', 'drop_nofragment']);
    expect(a0.outcome.result).toBe('allocated');
  });

  test('1 GiB pages: which range, and where its superpageblock went', async () => {
    const given = await explain(STORY, { id: 'g0', nth: 1 }, { policy });
    expect(given.request?.pages).toBe(GIB_PAGES);
    expect(given.steps).toEqual([
      {
        step: 'contig',
        zone: 'node 0 DMA32',
        outcome: 'allocated',
        first_pfn: 0x80000,
        last_pfn: 0x80000,
        pages: GIB_PAGES,
        times: 1,
      },
    ]);
    expect(given.outcome).toMatchObject({ result: 'allocated', pfn: 0x80000, pages: GIB_PAGES });
    expect(given.changes.superpageblocks).toEqual([
      {
        zone: 'node 0 DMA32',
        start_pfn: 0x80000,
        content: { before: 'empty', after: 'held' },
        list: { before: 'empty', after: 'isolated' },
      },
    ]);
    const returned = await explain(STORY, 12, { policy });
    expect(returned.outcome).toMatchObject({ result: 'freed', pages: GIB_PAGES });
    expect(returned.steps).toEqual([]);
  });
});

describe('frees', () => {
  test('to the list of the CPU', async () => {
    const free = await explain(STORY, 5);
    expect(free.request).toBeNull();
    expect(free.steps).toEqual([
      {
        step: 'free',
        zone: 'node 0 Normal',
        pfn: 0x101401,
        order: 0,
        where: 'cpu_list',
        cpu: 0,
        entries: 125,
        chunk_pfn: null,
        chunk_order: null,
        migratetype: 'unmovable',
      },
    ]);
    expect(free.outcome).toMatchObject({ result: 'freed', pages: 1 });
  });

  test('to the buddy lists, merged', async () => {
    const free = await explain(STORY, 7);
    expect(free.steps).toMatchObject([
      { where: 'buddy', chunk_pfn: 0x101480, chunk_order: 7, migratetype: 'unmovable' },
    ]);
    expect(renderExplanation(free)).toContain('chunk 0x101480 of order 7, merged');
  });

  test('a pageblock that becomes free, and the superpageblock that is clean again', async () => {
    const csv = `${HEAD}alloc,u0,10,GFP_KERNEL,,task,0\nfree,u0,10,,,task,0\n`;
    const free = await explain(csv, 1, { policy: 'spb-v2' });
    expect(free.steps).toMatchObject([{ where: 'buddy', chunk_order: 10, migratetype: 'movable' }]);
    expect(free.changes.superpageblocks).toMatchObject([
      {
        content: { before: 'tainted', after: 'empty' },
        list: { before: 'tainted/almost_empty', after: 'empty' },
      },
    ]);
    expect(free.changes.contents).toMatchObject([
      { holds: 'unmovable', begins: false, pageblocks: 2, first_or_last: true },
    ]);
    expect(renderExplanation(free)).toContain('its pageblock is wholly free');
  });

  test('an overflow of the list is a drain', async () => {
    const csv = `op,id,order,gfp\n${rows(20, 'alloc,h#,9,GFP_TRANSHUGE')}\n${rows(20, 'free,h#,9,')}\n`;
    const drained = await firstThat(csv, [20, 40], {}, (each) => stepsOf(each, 'drain').length > 0);
    expect(stepsOf(drained, 'free')).toHaveLength(1);
    const [drain] = stepsOf(drained, 'drain');
    expect(drain).toMatchObject({ migratetypes: ['movable'] });
    expect(drain!.pages).toBe(drain!.chunks * 512);
  });

  test('a free of what nobody allocated does nothing, and says why', async () => {
    const free = await explain(STORY, 8);
    expect(free.outcome).toMatchObject({ result: 'not_replayed', pages: 0 });
    expect(free.outcome.notes).toEqual([
      { name: 'unknown_frees', meaning: 'frees of ids that name nothing allocated' },
    ]);
    expect(free.steps).toEqual([]);
  });
});

describe.each([...POLICY_NAMES, 'spb-v2', 'spb-v2-r-c', 'spb-v2-bitmap'])('listening under %s', (policy) => {
  test('gives the page that a plain replay gives', async () => {
    const story = `op,id,order,gfp
${rows(60, 'alloc,u#,0,GFP_KERNEL\nalloc,m#,0,GFP_HIGHUSER_MOVABLE\nalloc,r#,1,GFP_KERNEL|__GFP_RECLAIMABLE')}
${rows(20, 'free,u#,0,')}
${rows(4, 'alloc,h#,9,GFP_TRANSHUGE\nalloc,a#,3,GFP_ATOMIC')}
`;
    const { replay } = await freeRun(story, { policy, memory_pages: 64 * MIB_PAGES });
    // Ids are numbered in the order of their first event.
    const ids = [
      ...new Set(
        story
          .trim()
          .split('\n')
          .slice(1)
          .map((row) => row.split(',')[1]!),
      ),
    ];
    for (const id of ['m0', 'r0', 'u40', 'u59', 'm59', 'r30', 'h0', 'h3', 'a0', 'a3']) {
      const { outcome } = await explain(story, { id, nth: 1 }, { policy, memory_pages: 64 * MIB_PAGES });
      const owned = replay.owners.getId(ids.indexOf(id) + 1);
      expect(outcome.pfn ?? -1, id).toBe(owned > 0 ? owned - 1 : -1);
    }
  });
});
