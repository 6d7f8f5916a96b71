/**
 * Every note that a free-running replay can count, each made to happen: what is no plain allocation or free is counted
 * under a name, and the pages go where they belong. model: page-allocator 8
 */
import { describe, expect, test } from 'vitest';
import { markAllocated } from '../../src/mm/page-alloc/in-use.js';
import { PageKind } from '../../src/mm/page-alloc/page-map.js';
import { takeFromChunk } from '../../src/mm/page-alloc/take-pfn.js';
import { NOTE_MEANINGS } from '../../src/sim/notes.js';
import {
  fileOf,
  freePagesOf,
  freeRun,
  managedPagesOf,
  noteCounts,
  notesOf,
  ownedOf,
  pressure,
  rows,
  run,
} from './support.js';

/** Notes that a recording's own list events cause: see pinned.test.ts. */
const PINNED_ONLY = [
  // of recordings with slab events: test/sim/slab-start.test.ts
  'slab_frees_from_before_trace',
  'slab_events_unpinned',
  'untraced_takes',
  'silent_frees',
  'retyped_blocks',
  'refills_without_event',
  'unknown_types',
];
const seen = new Set<string>(PINNED_ONLY);

function expectNotes(notes: Record<string, number>, expected: Record<string, number>): void {
  for (const name of Object.keys(expected)) seen.add(name);
  expect(notes).toEqual(expected);
}

async function expectAllFree(csv: string, expected: Record<string, number>, options = {}): Promise<void> {
  const { mm, notes } = await freeRun(csv, options);
  expectNotes(notesOf(notes), expected);
  expect(freePagesOf(mm)).toBe(managedPagesOf(mm));
  expect(ownedOf(mm)).toBe(0);
}

describe('plain traces leave no note', () => {
  test('by id, order as allocated', () =>
    expectAllFree('op,id,order,gfp\nalloc,a,3,GFP_KERNEL\nalloc,b,9,GFP_KERNEL\nfree,b,,\nfree,a,,\n', {}));

  test('by id, the recorded PFN named at the allocation only', () =>
    expectAllFree('op,id,order,pfn\nalloc,a,3,0x100\nalloc,b,0,0x200\nfree,b,,\nfree,a,,\n', {}));

  test('by recorded PFN', () =>
    expectAllFree('op,order,pfn\nalloc,3,0x7000\nalloc,0,0x9001\nfree,0,0x9001\nfree,3,0x7000\n', {}));
});

describe('frees that are not the whole allocation', () => {
  // order 9 at 0x7000, freed as 512 pages: split_page(), a THP that was split
  test('one order-9 allocation freed as 512 pages', () =>
    expectAllFree(
      `op,order,gfp,pfn\nalloc,9,GFP_HIGHUSER_MOVABLE|__GFP_COMP,28672\n${Array.from(
        { length: 512 },
        (_, i) => `free,0,,${28672 + i}`,
      ).join('\n')}\n`,
      { partial_frees: 1 },
    ));

  // 0x7000 [ 0 | 1 |  2   3  |         4 .. 7         ]
  // 0x7000 [ 0 | 1 |  2   3  |         4 .. 7         ]   the first free cuts all of it into pages
  test('an order-3 allocation freed as orders 0, 2, 0 and 1', () =>
    expectAllFree(
      'op,order,pfn\nalloc,3,0x7000\nfree,0,0x7000\nfree,2,0x7004\nfree,0,0x7001\nfree,1,0x7002\n',
      { partial_frees: 1, order_mismatches: 2 },
    ));

  test('two pages that the kernel freed as one: the model may have them anywhere', () =>
    expectAllFree(
      'op,order,pfn\nalloc,0,0x7001\nalloc,0,0x9000\nalloc,0,0x7000\nfree,1,0x7000\nfree,0,0x9000\n',
      {
        order_mismatches: 1,
      },
    ));

  test('by id, an order that is not that of the allocation: all of it goes', () =>
    expectAllFree('op,id,order\nalloc,a,4\nfree,a,2\n', { order_mismatches: 1 }));

  test('by id and PFN, likewise', () =>
    expectAllFree('op,id,order,pfn\nalloc,a,4,0x7000\nfree,a,2,\n', { order_mismatches: 1 }));

  test('no order at all: as allocated', () =>
    expectAllFree('op,order,pfn\nalloc,4,0x7000\nfree,,0x7000\n', { frees_without_order: 1 }));
});

describe('frees without an allocation', () => {
  test('of pages from before the trace: not ours to free on a fresh machine', () =>
    expectAllFree('op,order,pfn\nfree,0,0x7000\nfree,3,0x8000\n', { frees_from_before_trace: 2 }));

  test('a second free of the same page: something allocated it unseen', () =>
    expectAllFree('op,order,pfn\nalloc,0,0x7000\nfree,0,0x7000\nfree,0,0x7000\n', {
      untraced_allocations: 1,
    }));

  test('of an id that nobody allocated, once or twice', () =>
    expectAllFree('op,id\nalloc,a\nfree,a\nfree,b\nfree,b\n', { unknown_frees: 2 }));
});

describe('a recorded start state', () => {
  const USED = 0x1800;
  const MOVABLE = 0x1a00;
  const recorded = {
    startIsRecorded: true,
    prepare: (mm: Parameters<typeof markAllocated>[0]) => {
      for (const pfn of [USED, USED + 1, USED + 2, USED + 3, MOVABLE, MOVABLE + 1]) {
        const chunk = mm.pages.buddyHead(pfn);
        takeFromChunk(mm.zoneOf(pfn), 0, pfn, 0, chunk, mm.pages.buddyOrder(chunk));
        if (pfn >= MOVABLE) markAllocated(mm, pfn, 0, true);
      }
    },
  };

  test('pages in use at the start are freed where they are, whole or in parts', () =>
    expectAllFree(
      `op,order,pfn\nfree,0,${MOVABLE}\nfree,1,${USED}\nfree,0,${MOVABLE + 1}\nfree,1,${USED + 2}\n`,
      { frees_from_before_trace: 4 },
      recorded,
    ));

  test('a page that the model has given to somebody else is not freed under them', async () => {
    // The trace frees pages that the start state holds to be free, and that the model has handed out since.
    const csv = `op,order,pfn,gfp\n${rows(40, 'alloc,3,0x8#0,GFP_KERNEL')}\n`.replace(/0x8(\d+)0/g, (_, n) =>
      String(0x8000 + 8 * Number(n)),
    );
    const { mm } = await freeRun(csv, recorded);
    const node = mm.pages.state.findIndex((state) => state === ((PageKind.allocated << 4) | 3));
    const second = await freeRun(
      `${csv}free,0,${node + 1},\nfree,1,${node + 2},\n${csv
        .split('\n')
        .slice(1, -1)
        .map((row) => row.replace('alloc', 'free').replace('GFP_KERNEL', ''))
        .join('\n')}\n`,
      recorded,
    );
    expect(notesOf(second.notes)).toEqual({ frees_from_before_trace: 2 });
    // all but the six pages of the start
    expect(freePagesOf(second.mm)).toBe(managedPagesOf(second.mm) - 6);
  });

  test('pages that no zone has', () =>
    freeRun('op,order,pfn\nfree,0,0xfffff0\n', recorded).then(({ notes }) => {
      expectNotes(notesOf(notes), { pages_outside_machine: 1 });
    }));

  test('reclaim of such pages is known when the trace frees them', async () => {
    const { notes } = await freeRun(
      `op,id,order,gfp,pfn\n${rows(16_000, 'alloc,p#,0,GFP_HIGHUSER_MOVABLE|__GFP_WRITE,')}\nfree,,0,,${MOVABLE}\nfree,,0,,${MOVABLE + 1}\n`,
      { ...recorded, knobs: { 'reclaim.lru_kind': 'file' } },
    );
    expect(notes.get('frees_of_reclaimed')).toBe(2);
    expect(notes.get('frees_from_before_trace')).toBe(0);
  });
});

describe('allocations', () => {
  test('of a page that is still in use: a free is made up', () =>
    expectAllFree('op,order,pfn\nalloc,2,0x7000\nalloc,2,0x7000\nfree,2,0x7000\n', { implied_frees: 1 }));

  test('of a page inside a larger one: only that page is freed', () =>
    expectAllFree('op,order,pfn\nalloc,1,0x7000\nalloc,0,0x7001\nfree,0,0x7001\nfree,0,0x7000\n', {
      implied_frees: 1,
    }));

  test('under an id that is in use: the older object stays allocated', async () => {
    const { mm, notes } = await freeRun('op,id\nalloc,a\nalloc,a\nfree,a\n');
    expectNotes(notesOf(notes), { duplicate_ids: 1 });
    expect(freePagesOf(mm)).toBe(managedPagesOf(mm) - 1);
    const both = await freeRun('op,id,pfn\nalloc,a,1\nalloc,a,2\nfree,a,\nfree,,1\n');
    expect(notesOf(both.notes)).toEqual({ duplicate_ids: 1, frees_without_order: 1 });
    expect(freePagesOf(both.mm)).toBe(managedPagesOf(both.mm));
  });

  test('that failed in the recorded kernel take nothing', () =>
    expectAllFree('op,id,order,arg\nalloc,,0,failed=1\nalloc_nolock,,0,failed=1\n', {
      recorded_failures: 2,
    }));

  test('that fail in the model, and the frees of them', async () => {
    const { mm, notes } = await freeRun(
      `op,id,order,gfp\n${rows(20, 'alloc,b#,10,GFP_KERNEL')}\n${rows(20, 'free,b#,,')}\n`,
    );
    const failed = notes.get('model_failures');
    expect(failed).toBeGreaterThan(3);
    expectNotes(notesOf(notes), { model_failures: failed, frees_of_failed: failed });
    expect(freePagesOf(mm)).toBe(managedPagesOf(mm));
  });

  test('likewise by PFN, the parts of a failed one, too', async () => {
    const { notes } = await freeRun(
      `op,order,gfp,pfn\n${[0, 1, 2, 3, 4, 5, 6].map((i) => `alloc,10,GFP_DMA,${0x10000 + 1024 * i}`).join('\n')}
free,9,,${0x10000 + 6 * 1024}
free,0,,${0x10000 + 6 * 1024 + 600}\n`,
    );
    expect(notes.get('model_failures')).toBeGreaterThan(0);
    expect(notes.get('frees_of_failed')).toBe(2);
  });

  test('of reclaimed pages: under pressure the oldest have gone before the trace frees them', async () => {
    const { mm, notes } = await freeRun(`op,id,order,gfp\n${pressure()}\n${rows(20_000, 'free,p#,,')}\n`);
    const reclaimed = notes.get('frees_of_reclaimed');
    expect(reclaimed).toBeGreaterThan(1000);
    expectNotes(notesOf(notes), { frees_of_reclaimed: reclaimed });
    expect(freePagesOf(mm)).toBe(managedPagesOf(mm));
    expect(ownedOf(mm)).toBe(0);
  });

  test('on CPUs and nodes that the machine does not have', () =>
    expectAllFree('op,id,cpu,node\nalloc,a,7,\nalloc,b,0,3\nfree,a,9,\nfree,b,1,\n', {
      cpus_outside_machine: 2,
      nodes_outside_machine: 1,
    }));
});

describe('what the replay leaves out', () => {
  test('kinds that are not modelled yet, each with its op', async () => {
    const { notes, tallies } = await freeRun(
      'op,id,size,memcg,cache,arg\nphase,,,,,mem_init\ntick,,,,,\nmark,,,,,here\n',
    );
    expectNotes(notesOf(notes), { not_modelled: 2 });
    expect(tallies.eventRows()).toEqual(
      ['phase', 'tick']
        .toReversed()
        .toSorted((a, b) => (a < b ? -1 : 1))
        .map((op) => ({
          op,
          ctx: 'task',
          outcome: 'not_replayed',
          count: 1,
        })),
    );
  });

  test('page events of the recorded kernel for slabs, once slab events are seen', async () => {
    const { notes } = await freeRun(
      [
        'op,id,pfn,order,gfp,size',
        'alloc,,100,0,GFP_KERNEL|__GFP_COMP|__GFP_NOWARN|__GFP_NORETRY,',
        'kmalloc,k,,,GFP_KERNEL,64',
        'alloc,,200,0,GFP_KERNEL|__GFP_COMP|__GFP_NOWARN|__GFP_NORETRY,',
        'free,,200,0,,',
        'free,,100,0,,',
        '',
      ].join('\n'),
    );
    expectNotes(notesOf(notes), { slab_page_events: 2 });
  });

  test('frees of slab objects that are nowhere to be found, and those that the trace does not show', async () => {
    const { notes } = await freeRun(
      'op,id,size\nkmalloc,0xaa,64\nkmalloc,0xaa,64\nkfree,0xaa,\nkfree,0xaa,\nkfree,0xbb,\n',
    );
    expectNotes(notesOf(notes), { implied_slab_frees: 1, unknown_slab_frees: 2 });
  });

  test('settings of memory cgroups that change nothing here', async () => {
    const { notes } = await freeRun('op,memcg,arg\nmemcg_set,/a,high=1MiB;max=2MiB\n');
    expectNotes(notesOf(notes), { memcg_settings: 1 });
  });

  test('a nested row whose point never comes', async () => {
    const { notes } = await freeRun(
      'op,id,size,ctx,depth,at\nkmalloc,a,64,task,0,\nkmalloc_nolock,b,64,nmi,1,memcg_stock\n',
    );
    expectNotes(notesOf(notes), { nested_behind: 1 });
  });

  test('events outside --from and --to', async () => {
    const path = await fileOf(
      'window.csv',
      'ts,op,id\n5000,alloc,a\n6000,alloc,b\n7000,free,a\n8000,free,b\n9000,alloc,c\n',
    );
    const result = await run([path], { from_ns: 1000, to_ns: 4000 });
    expectNotes(noteCounts(result), { warm_up: 1, skipped_by_time: 1 });
    expect(result.events).toMatchObject([
      { op: 'alloc', count: 1 },
      { op: 'free', count: 2 },
    ]);
    expect(result.vmstat.pgfree).toBe(2);
    expect(result.span).toEqual({ first_ns: 6000, last_ns: 8000, events: 3 });
  });

  test('samples beyond the longest series', async () => {
    const path = await fileOf(
      'leap.csv',
      'ts,op,id\n0,alloc,a\n9000000000000,alloc,b\n9000000001000,alloc,c\n',
    );
    const result = await run([path], { series_ns: 1e6 });
    expectNotes(noteCounts(result), { series_ended: 1 });
    expect(result.series).toHaveLength(100_000);
  });

  test('events that the recorder lost, and those that it overwrote', async () => {
    const line = (at: number, pfn: number) =>
      `  <...>-7 [000] ..... 1.00000${at}: mm_page_alloc: page=0 pfn=0x${pfn.toString(16)} order=0 migratetype=0 gfp_flags=GFP_KERNEL\n`;
    const path = await fileOf(
      'lost.txt',
      `# tracer: nop\n#\n# entries-in-buffer/entries-written: 3/10   #P:2\n#\n${line(1, 0x7000)}CPU:0 [LOST 12 EVENTS]\n${line(2, 0x7001)}CPU:1 [LOST EVENTS]\n${line(3, 0x7002)}`,
    );
    const result = await run([path]);
    expect(result.notes.map(({ name, count, meaning }) => [name, count, meaning])).toEqual([
      ['lost_events', 12, 'events lost on CPU 0 in 1 places'],
      ['lost_events', 0, 'events lost on CPU 1 in 1 places'],
      ['overwritten_events', 7, expect.stringContaining('ring buffer')],
      ['lost_event_gaps', 2, NOTE_MEANINGS.lost_event_gaps],
    ]);
    for (const { name } of result.notes) seen.add(name);
  });

  test('rows that are invalid', async () => {
    const path = await fileOf('invalid.csv', 'op,id\nalloc,a\nallok,b\nfree,a\n');
    expect(noteCounts(await run([path], { open: { skipInvalid: true } }))).toEqual({ invalid_rows: 1 });
  });
});

test('a trace whose clock starts anew is moved behind the one before', async () => {
  const first = await fileOf('first.csv', 'ts,op,id\n0,alloc,a\n5000,alloc,b\n');
  const second = await fileOf('second.csv', 'ts,op,id\n0,free,b\n10,alloc,c\n20,free,a\n30,free,c\n');
  const result = await run([first, second], { join: 'append' });
  expectNotes(noteCounts(result), { moved_traces: 1 });
  expect(result.span).toEqual({ first_ns: 0, last_ns: 6030, events: 6 });
  expect(result.inputs.map((input) => input.bytes)).toEqual([32, 49]);
});

test('a nested row that another trace has parted from what it interrupts', async () => {
  const first = await fileOf('nested.csv', 'ts,op,id,ctx,depth\n0,alloc,a,,\n200,alloc_nolock,b,softirq,1\n');
  const second = await fileOf('nmi.csv', 'ts,op,id,ctx\n100,alloc_nolock,c,nmi\n');
  expectNotes(noteCounts(await run([first, second], {})), { nested_alone: 1 });
});

test('every note has a test that makes it happen', () => {
  expect(Object.keys(NOTE_MEANINGS).filter((name) => !seen.has(name))).toEqual([]);
});
