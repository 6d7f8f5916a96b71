import { describe, expect } from 'vitest';
import { CsvReader } from '../../src/trace/csv/reader.js';
import { type EventSource, Op } from '../../src/trace/event-batch.js';
import { Anonymised } from '../../src/trace/filter/anonymise.js';
import { EventFilter, type EventSelection } from '../../src/trace/filter/event-filter.js';
import { eventsOf, inputOf } from './helpers.js';
import { test } from './properties.js';

async function csv(text: string): Promise<EventSource> {
  return new CsvReader(await inputOf(text));
}

const TRACE = `ts,cpu,op,id,order,size,cache,memcg,site,arg
1000,0,alloc,a,0,,,/user.slice/alice,do_fault+0x10/0x40,
2000,1,kmalloc,0xffff888004bc8b70,,64,,/user.slice/bob,acme_probe+0x1/0x2 [acme],alloc=64
3000,0,free,a,,,,,,
4000,2,cache_alloc,c1,,,dentry,/user.slice/alice,drivers/acme.c:12 acme_open,
5000,2,cache_alloc,c2,,,acme_cmd,/,0xffffffff819d63fb,
6000,1,mark,,,,,,,secret of alice
7000,1,mark,,,,,,,spbsim: workload
8000,1,kfree,0xffff888004bc8b70,,,,,,
`;

async function kept(selection: EventSelection) {
  return (await eventsOf(new EventFilter(await csv(TRACE), selection))).map((event) => event.ts);
}

describe('a selection', () => {
  test('of time counts from the first event, its end is not part of it', async () => {
    expect(await kept({ from_ns: 1000, to_ns: 4000 })).toEqual([2000, 3000, 4000]);
  });
  test('of CPUs and of ops', async () => {
    expect(await kept({ cpus: new Set([0, 2]) })).toEqual([1000, 3000, 4000, 5000]);
    expect(await kept({ ops: new Set([Op.mark]), cpus: new Set([1]) })).toEqual([6000, 7000]);
  });
  test('of everything, or of no object, keeps the marks', async () => {
    expect(await kept({ sample: 1 })).toHaveLength(8);
    expect(await kept({ sample: 0 })).toEqual([6000, 7000]);
  });
});

test('a sample keeps whole objects, and about the share asked for', async () => {
  const rows: string[] = ['op,id,pfn'];
  for (let i = 0; i < 4000; i++)
    rows.push(`alloc,o${i},`, `free,o${i},`, `alloc,,${i * 1024}`, `free,,${i * 1024}`);
  const events = await eventsOf(new EventFilter(await csv(rows.join('\n')), { sample: 0.1 }));
  const live = new Set<string>();
  let allocs = 0;
  for (const event of events) {
    const name = event.id ?? `pfn ${event.pfn}`;
    if (event.op === 'alloc') {
      allocs++;
      live.add(name);
    } else expect(live.delete(name)).toBe(true);
  }
  expect(live.size).toBe(0);
  expect(allocs).toBeGreaterThan(650);
  expect(allocs).toBeLessThan(950);
});

test('an anonymised trace keeps what the replay needs and nothing that names a user', async () => {
  const events = await eventsOf(new Anonymised(await csv(TRACE)));
  const plain = await eventsOf(await csv(TRACE));
  expect(events.map((event) => event.id)).toEqual([
    'o1',
    '0x2',
    'o1',
    'o3',
    'o4',
    undefined,
    undefined,
    '0x2',
  ]);
  expect(events.slice(0, 5).map((event) => event.memcg)).toEqual(['/g1/g2', '/g1/g3', '', '/g1/g2', '']);
  expect(events.slice(0, 5).map((event) => event.site)).toEqual([
    'do_fault+0x10/0x40',
    'site-1',
    '',
    'site-2',
    'site-3',
  ]);
  expect(events.map((event) => event.cache).filter((cache) => cache !== '')).toEqual(['dentry', 'cache-1']);
  expect(events.map((event) => event.arg).filter((arg) => arg !== '')).toEqual([
    'alloc=64',
    'mark-1',
    'spbsim: workload',
  ]);
  const rest = ({ id, memcg, site, cache, arg, ...others }: (typeof events)[number]) => others;
  expect(events.map(rest)).toEqual(plain.map(rest));
});
