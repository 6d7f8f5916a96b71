/** What `spbsim info` counts: against the same events counted by hand, and on a recorded trace. */
import { expect, test } from 'vitest';
import { infoSchema } from '../../src/report/info-schema.js';
import { inspectTraces } from '../../src/sim/trace-info.js';
import { dataPath } from '../trace/helpers.js';
import { fileOf } from './support.js';

const TRACE = `ts,cpu,ctx,op,id,order,gfp,size,cache,site,memcg,arg
1000,0,task,alloc,a,0,GFP_KERNEL,,,do_fault,/x,
2000,3,softirq,alloc,b,2,GFP_ATOMIC,,,do_fault,,
3000,3,task,alloc,,9,GFP_KERNEL,,,,,failed=1
4000,0,task,kmalloc,k1,,GFP_KERNEL,65,,__alloc_skb,/x,alloc=96
5000,0,task,kmalloc,k2,,GFP_KERNEL,96,,__alloc_skb,,alloc=96
6000,0,hardirq,kfree,k1,,,,,,,
7000,0,task,cache_alloc,c1,,GFP_KERNEL,192,dentry,d_alloc,,
8000,0,task,cache_free,c1,,,,dentry,,,
9000,1,nmi,free,b,2,,,,,,
11000,1,task,free,a,,,,,,,
`;

test('counts what a trace holds', async () => {
  const info = await inspectTraces({ inputs: [await fileOf('info.csv', TRACE)], open: {} });
  expect(infoSchema.parse(info)).toEqual(info);
  expect(info).toMatchObject({
    span: { first_ns: 1000, last_ns: 11_000, events: 10 },
    events_per_s: expect.closeTo(1e6),
    cpus: [
      { cpu: 0, events: 6 },
      { cpu: 1, events: 2 },
      { cpu: 3, events: 2 },
    ],
    alloc_orders: [1, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0],
    free_orders: [0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0],
    migratetypes: { unmovable: 3, movable: 0, reclaimable: 0, both: 0 },
    failed_allocations: 1,
    gfp: [
      { gfp: 'GFP_KERNEL', events: 5 },
      { gfp: 'GFP_ATOMIC', events: 1 },
    ],
    caches: [
      { cache: 'dentry', allocs: 1, frees: 1, bytes: 192 },
      { cache: 'kmalloc 96', allocs: 2, frees: 0, bytes: 161 },
    ],
    sites: [
      { site: '__alloc_skb', events: 2 },
      { site: 'do_fault', events: 2 },
      { site: 'd_alloc', events: 1 },
    ],
    memcgs: [{ memcg: '/x', events: 2 }],
    distinct_ids: 5,
  });
  expect(info.events.find(({ op }) => op === 'alloc')).toEqual({
    op: 'alloc',
    events: 3,
    by_ctx: { task: 2, softirq: 1, hardirq: 0, nmi: 0 },
  });
});

test('tells what a recorder said, and what a selection left out', async () => {
  const inputs = [dataPath('tracefs-7.2-nmi.txt')];
  const all = await inspectTraces({ inputs, open: {} });
  expect(all.inputs[0]).toMatchObject({ format: 'tracefs', cut: null, not_understood: [], lost: [] });
  expect(all.inputs[0]!.kinds.length).toBeGreaterThan(3);
  expect(all.events.some(({ by_ctx }) => by_ctx.nmi > 0)).toBe(true);
  const some = await inspectTraces({ inputs, open: {}, selection: { sample: 0.5 } });
  expect(some.filtered).toBeGreaterThan(0);
  expect(some.span.events + some.filtered).toBe(all.span.events);
});
