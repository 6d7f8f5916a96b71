/** The rarer operations of a trace, seen through their effect on memory and through the counts of their outcomes. */
import { describe, expect, test } from 'vitest';
import { LRU_FILE } from '../../src/mm/reclaim/lru.js';
import type { Tallies } from '../../src/sim/tallies.js';
import { POLICY_NAMES } from '../mm/policies.js';
import { freePagesOf, freeRun, managedPagesOf, notesOf, rows } from './support.js';

function outcomes(tallies: Tallies): string[] {
  return tallies.eventRows().map(({ op, outcome, count }) => `${op} ${outcome} ${count}`);
}

describe.each(POLICY_NAMES)('%s', (policy) => {
  test('contig_alloc takes a range, contig_free gives it back', async () => {
    const taken = await freeRun('op,id,arg\ncontig_alloc,c,pages=2048\n', { policy });
    expect(outcomes(taken.tallies)).toEqual(['contig_alloc ok 1']);
    expect(freePagesOf(taken.mm)).toBe(managedPagesOf(taken.mm) - 2048);
    const back = await freeRun('op,id,arg\ncontig_alloc,c,pages=0x800\ncontig_free,c,\n', { policy });
    expect(freePagesOf(back.mm)).toBe(managedPagesOf(back.mm));
    expect(notesOf(back.notes)).toEqual({});
  });

  test('memory goes offline and comes back', async () => {
    const offline = 'op,arg\nmem_offline,zone=DMA32;start_pfn=0x2000;pages=4096\n';
    const gone = await freeRun(offline, { policy });
    const fresh = await freeRun('op,id\nalloc,a\nfree,a\n', { policy });
    expect(outcomes(gone.tallies)).toEqual(['mem_offline ok 1']);
    expect(managedPagesOf(gone.mm)).toBe(managedPagesOf(fresh.mm) - 4096);
    expect(freePagesOf(gone.mm)).toBe(managedPagesOf(gone.mm));
    const back = await freeRun(`${offline}mem_online,zone=DMA32;start_pfn=0x2000;pages=4096\n`, { policy });
    expect(managedPagesOf(back.mm)).toBe(managedPagesOf(fresh.mm));
    expect(freePagesOf(back.mm)).toBe(managedPagesOf(back.mm));
  });

  test('objects in memory that goes offline move, and are freed where they are then', async () => {
    const csv = `op,id,order,gfp,arg\n${rows(6000, 'alloc,m#,0,GFP_HIGHUSER_MOVABLE,')}
mem_offline,,,,zone=DMA32;start_pfn=0x2000;pages=4096
${rows(6000, 'free,m#,,,')}\n`;
    const { mm, notes, tallies } = await freeRun(csv, { policy });
    expect(outcomes(tallies)).toContain('mem_offline ok 1');
    expect(mm.events.pgmigrate_success).toBeGreaterThan(0);
    expect(freePagesOf(mm)).toBe(managedPagesOf(mm));
    expect(notesOf(notes)).toEqual({});
  });

  test('a CPU that goes offline gives up its lists', async () => {
    const { mm, tallies } = await freeRun(
      'op,cpu,id\nalloc,1,a\ncpu_offline,1,\ncpu_offline,1,\ncpu_offline,0,\nfree,1,a\ncpu_online,1,\ncpu_online,1,\nalloc,1,b\n',
      { policy },
    );
    expect(outcomes(tallies)).toContain('cpu_offline ok 1');
    expect(outcomes(tallies)).toContain('cpu_offline failed 2');
    expect(outcomes(tallies)).toContain('cpu_online ok 1');
    expect(freePagesOf(mm)).toBe(managedPagesOf(mm) - 1);
  });

  test('drop_caches takes page cache and leaves anonymous memory', async () => {
    const csv = `op,id,gfp\n${rows(100, 'alloc,f#,GFP_HIGHUSER_MOVABLE|__GFP_WRITE')}\n${rows(
      100,
      'alloc,a#,GFP_HIGHUSER_MOVABLE',
    )}\ndrop_caches,,\n${rows(100, 'free,f#,')}\n${rows(100, 'free,a#,')}\n`;
    const { mm, notes } = await freeRun(csv, { policy });
    expect(notesOf(notes)).toEqual({ frees_of_reclaimed: 100 });
    expect(mm.events.drop_pagecache).toBe(1);
    expect(freePagesOf(mm)).toBe(managedPagesOf(mm));
  });

  test('reference makes a page the hottest of its list', async () => {
    const csv =
      'op,id,gfp,pfn\nalloc,x,GFP_HIGHUSER_MOVABLE|__GFP_WRITE,\nalloc,y,GFP_HIGHUSER_MOVABLE|__GFP_WRITE,77\n';
    const order = async (more: string) => {
      const { mm, replay } = await freeRun(csv + more, { policy });
      const x = replay.owners.getId(1) - 1;
      const y = replay.owners.get(77) - 1;
      const zone = mm.zoneOf(x);
      return mm.lru!.pfns(zone, LRU_FILE).map((pfn) => (pfn === x ? 'x' : pfn === y ? 'y' : '?'));
    };
    expect(await order('')).toEqual(['x', 'y']);
    expect(await order('reference,x,,\n')).toEqual(['y', 'x']);
    expect(await order('reference,x,,\nreference,y,,\n')).toEqual(['x', 'y']);
    expect(await order('reference,x,,\nreference,,,77\n')).toEqual(['x', 'y']);
  });
});

describe('operations that cannot be', () => {
  test.each([
    ['a range larger than memory', 'contig_alloc,c,pages=1000000', 'contig_alloc failed 1'],
    ['a range of any size', 'contig_alloc,c,pages=4294967296', 'contig_alloc failed 1'],
    ['a range of no pages', 'contig_alloc,c,pages=0', 'contig_alloc failed 1'],
    ['the free of a range that nobody has', 'contig_free,c,', 'contig_free failed 1'],
    ['half a pageblock', 'mem_offline,,zone=DMA32;start_pfn=0x2100;pages=256', 'mem_offline failed 1'],
    [
      'memory beyond the machine',
      'mem_online,,zone=DMA32;start_pfn=0x100000;pages=512',
      'mem_online failed 1',
    ],
    [
      'memory that is there already',
      'mem_online,,zone=DMA32;start_pfn=0x2000;pages=512',
      'mem_online failed 1',
    ],
    [
      'a zone that is not there',
      'mem_offline,,zone=Movable;start_pfn=0x2000;pages=512',
      'mem_offline failed 1',
    ],
    ['no range at all', 'mem_offline,,', 'mem_offline failed 1'],
    ['the touch of an unknown object', 'reference,nobody,', 'reference failed 1'],
  ])('%s', async (_, row, outcome) => {
    const { mm, tallies } = await freeRun(`op,id,arg\n${row}\n`);
    expect(outcomes(tallies)).toEqual([outcome]);
    expect(freePagesOf(mm)).toBe(managedPagesOf(mm));
  });

  test('a CPU that the machine does not have cannot go offline, and no other one goes instead', async () => {
    const { mm, tallies } = await freeRun('op,cpu\ncpu_offline,9\n');
    expect(outcomes(tallies)).toEqual(['cpu_offline failed 1']);
    expect(mm.offline_cpus.size).toBe(0);
  });
});

test('alloc_nolock and free_nolock count under their own names', async () => {
  const { mm, tallies } = await freeRun(
    'op,id,order,node,ctx\nalloc_nolock,a,0,-1,nmi\nalloc_nolock,b,4,5,nmi\nfree_nolock,a,,,nmi\n',
  );
  expect(outcomes(tallies)).toEqual(['alloc_nolock ok 1', 'alloc_nolock failed 1', 'free_nolock ok 1']);
  expect(freePagesOf(mm)).toBe(managedPagesOf(mm));
});

test('a range may be named by bytes or by an order', async () => {
  const { mm } = await freeRun('op,id,size,order\ncontig_alloc,a,4194304,\ncontig_alloc,b,,10\n');
  expect(freePagesOf(mm)).toBe(managedPagesOf(mm) - 2048);
});
