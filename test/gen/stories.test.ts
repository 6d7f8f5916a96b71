/** Whether the workloads are what docs/workloads.md says of them, counted from their rows. */
import { describe, expect, test } from 'vitest';
import { generate } from '../../src/gen/generate.js';
import { Migratetype } from '../../src/mm/types.js';
import { Ctx, type EventBatch, Op } from '../../src/trace/event-batch.js';
import { eachRow, expectNear, GIB_PAGES, mean, SMALL, sampled, small } from './support.js';

const { unmovable, reclaimable } = Migratetype;

describe('slab-ramp', () => {
  test('slab grows from 1.7 to 11.7 of 247 in 6 of 8 minutes, in a straight line', async () => {
    const memory = 8 * GIB_PAGES;
    const trace = generate('slab-ramp', { memory_pages: memory, cpus: 8, duration_ns: 80e9 });
    const samples = await sampled(trace, 0, 80);
    const slabAt = (second: number) => samples[second].pages[reclaimable] / memory;
    expectNear(slabAt(10), 1.7 / 247, 0.03);
    expectNear(slabAt(40), (1.7 + 11.7) / 2 / 247, 0.03);
    expectNear(slabAt(70), 11.7 / 247, 0.03);
    expectNear(slabAt(79), 11.7 / 247, 0.03);
    expectNear(samples[40].pages[unmovable] / memory, 0.01, 0.1);
    // All memory is in use from the end of the fill on.
    for (const { all } of samples.slice(12)) expect(all).toBeGreaterThan(memory);
  });

  test('on 247 GiB the memory is full after fewer than 4 million events', async () => {
    const trace = generate('slab-ramp', { events: 4e6 });
    let events = 0;
    let used = 0;
    for await (const batch of trace.batches()) {
      events += batch.length;
      used = Math.max(used, trace.usedPages());
      if (used > trace.scale.memory_pages) break;
    }
    expect(events).toBeLessThan(4e6);
    expect(used).toBeGreaterThan(trace.scale.memory_pages);
  });
});

describe('syzkaller-mix', () => {
  test.each([0.05, 0.02])(
    '%d of memory cannot be moved, a third of that is slab in waves',
    async (nonmovable) => {
      const memory = 8 * GIB_PAGES;
      const trace = generate('syzkaller-mix', {
        memory_pages: memory,
        cpus: 8,
        duration_ns: 60e9,
        set: { nonmovable, net: 1000 },
      });
      const samples = await sampled(trace, 60e9 / 8, 120);
      const shares = samples.map(({ pages }) => (pages[unmovable] + pages[reclaimable]) / memory);
      expectNear(mean(shares), nonmovable, 0.05);
      const slab = samples.map(({ pages }) => pages[reclaimable] / memory);
      expectNear(mean(slab), nonmovable / 3, 0.05);
      expectNear(Math.max(...slab), (nonmovable / 3) * 1.4, 0.05);
      expectNear(Math.min(...slab), (nonmovable / 3) * 0.6, 0.05);
      expectNear(mean(samples.map(({ all }) => all)) / memory, 1.15, 0.06);
      for (const { all } of samples.slice(1)) expect(all).toBeGreaterThan(memory);
    },
  );

  test('on 256 GiB the memory is full after fewer than 4 million events', async () => {
    const trace = generate('syzkaller-mix', { events: 4e6 });
    let used = 0;
    for await (const _ of trace.batches()) used = Math.max(used, trace.usedPages());
    expect(used).toBeGreaterThan(trace.scale.memory_pages);
  });

  test('has page tables, stacks, huge pages of both kinds and packets in softirq', async () => {
    const trace = small('syzkaller-mix');
    const seen = new Set<string>();
    await eachRow(trace, (batch, row) => {
      if (batch.op[row] === Op.alloc)
        seen.add(`${trace.strings.sites.get(batch.site[row])} ${batch.order[row]} ${batch.ctx[row]}`);
    });
    for (const kind of [
      'pte_alloc_one 0 0',
      'alloc_thread_stack_node 2 0',
      'do_anonymous_page 0 0',
      'do_huge_pmd_anonymous_page 9 0',
      '__page_frag_cache_refill 3 1',
      'page_pool_alloc_pages 0 1',
      '__napi_alloc_skb 1 1',
    ])
      expect(seen).toContain(kind);
  });

  test('ends with demands of 1 GiB, one after the other, if they are asked for', async () => {
    const rows: number[] = [];
    let others = 0;
    let end_ns = 0;
    const trace = small('syzkaller-mix', { set: { 'demand-1g': 7 } });
    await eachRow(trace, (batch, row) => {
      if (batch.op[row] === Op.contig_alloc) {
        expect(trace.strings.args.get(batch.arg[row])).toBe('pages=262144');
        expect(batch.migratetype[row]).toBe(Migratetype.movable);
        rows.push(batch.ts[row]);
      } else if (rows.length > 0) others++;
      else end_ns = batch.ts[row];
    });
    expect(rows).toHaveLength(7);
    expect(others).toBe(0);
    expect(end_ns).toBeLessThanOrEqual(rows[0]);
    expectNear(rows[6] - rows[0], 600e6, 0.01);
  });
});

describe('fs-metadata', () => {
  test.each([0, 0.3, 1])('%d of the extent buffers are movable, in four pages each', async (fraction) => {
    const trace = small('fs-metadata', { set: { 'movable-fraction': fraction } });
    let buffers = 0;
    let movable = 0;
    await eachRow(trace, (batch, row) => {
      if (batch.op[row] !== Op.alloc || trace.strings.sites.get(batch.site[row]) !== 'alloc_extent_buffer')
        return;
      buffers++;
      if (batch.migratetype[row] === Migratetype.movable) movable++;
    });
    expect(buffers).toBeGreaterThan(10_000);
    expect(buffers % 4).toBe(0);
    if (fraction === 0 || fraction === 1) expect(movable).toBe(buffers * fraction);
    else expectNear(movable / buffers, fraction, 0.05);
  });

  test('what is replaced waits for the commit', async () => {
    const trace = small('fs-metadata', { set: { metadata: '2%', commit: '1s', kernel: '0%', files: 100 } });
    const samples = await sampled(trace, 1e9, 60);
    const metadata = samples.map(({ pages }) => pages[unmovable]);
    const growing = metadata.filter((pages, i) => i > 0 && pages > metadata[i - 1]).length;
    expect(growing).toBeGreaterThan(40);
    expect(Math.max(...metadata) - Math.min(...metadata)).toBeGreaterThan(1000);
    expectNear(Math.min(...metadata), 0.02 * GIB_PAGES, 0.15);
  });
});

describe('hugepage-1g-demand', () => {
  test('asks at its interval, holds for a while, and never more than it may', async () => {
    const trace = small('hugepage-1g-demand', { set: { interval: '1s', hold: '3s', size: '64MiB' } });
    let held = 0;
    let most = 0;
    const asked: number[] = [];
    await eachRow(trace, (batch, row) => {
      if (batch.op[row] === Op.contig_alloc) {
        asked.push(batch.ts[row]);
        held++;
      } else if (batch.op[row] === Op.contig_free) held--;
      most = Math.max(most, held);
    });
    expectNear(asked.length, (30 * 7) / 8, 0.05);
    for (let i = 1; i < asked.length; i++) expectNear(asked[i] - asked[i - 1], 1e9, 0.01);
    expect(most).toBe(3);
    const { memory_pages } = trace.scale;
    const room = small('hugepage-1g-demand', { set: { interval: '1s', hold: '1h', size: '64MiB' } });
    held = 0;
    most = 0;
    await eachRow(room, (batch, row) => {
      if (batch.op[row] === Op.contig_alloc) held++;
      else if (batch.op[row] === Op.contig_free) held--;
      most = Math.max(most, held);
    });
    expect(most).toBe(Math.floor((memory_pages * 0.15) / (64 * 256)));
  });
});

describe('net-softirq', () => {
  const isPacket = (batch: EventBatch, row: number) =>
    batch.op[row] === Op.alloc && batch.ctx[row] === Ctx.softirq;

  test('receives the pages that it says in softirq, in bursts, in orders 0 to 3', async () => {
    const trace = small('net-softirq', { set: { sends: 0 } });
    const orders = [0, 0, 0, 0];
    let bursts = 0;
    let lastCpu = -1;
    await eachRow(trace, (batch, row) => {
      if (!isPacket(batch, row)) {
        lastCpu = -1;
        return;
      }
      orders[batch.order[row]]++;
      if (batch.cpu[row] !== lastCpu) bursts++;
      lastCpu = batch.cpu[row];
    });
    const packets = orders.reduce((sum, n) => sum + n);
    const pages = orders.reduce((sum, n, order) => sum + (n << order), 0);
    expectNear(pages, 200_000, 0.1);
    expectNear((orders[3] * 8) / pages, 0.5, 0.1);
    expect(Math.min(...orders)).toBeGreaterThan(1000);
    expect(packets / bursts).toBeGreaterThan(16);
  });

  test('readers free in task context, mostly on other CPUs, and the backlog has its limit', async () => {
    const trace = small('net-softirq', { set: { backlog: '2MiB', latency: '20ms', sends: 0 } });
    const cpuOf = new Map<number, { readonly cpu: number; readonly order: number }>();
    let elsewhere = 0;
    let frees = 0;
    let waiting = 0;
    let most = 0;
    await eachRow(trace, (batch, row) => {
      const id = batch.id[row];
      if (isPacket(batch, row)) {
        cpuOf.set(id, { cpu: batch.cpu[row], order: batch.order[row] });
        waiting += 1 << batch.order[row];
        most = Math.max(most, waiting);
      }
      const packet = cpuOf.get(id);
      if (batch.op[row] !== Op.free || packet === undefined) return;
      expect(batch.ctx[row]).toBe(Ctx.task);
      cpuOf.delete(id);
      frees++;
      waiting -= 1 << packet.order;
      if (packet.cpu !== batch.cpu[row]) elsewhere++;
    });
    expectNear(elsewhere / frees, 3 / 4, 0.1);
    expect(most).toBeLessThanOrEqual(512);
    expect(most).toBeGreaterThan(400);
  });
});

describe('steady-server', () => {
  test('is in equilibrium: each kind of memory stays as large as it is', async () => {
    const memory = 4 * GIB_PAGES;
    const trace = generate('steady-server', {
      ...SMALL['steady-server'],
      memory_pages: memory,
      duration_ns: 40e9,
      set: { 'worker-lifetime': '20s', net: 1000 },
    });
    const samples = await sampled(trace, 10e9, 30);
    for (const { pages, all } of samples) {
      expectNear(pages[reclaimable] / memory, 0.06, 0.05);
      expectNear(pages[unmovable] / memory, 0.03, 0.1);
      expectNear(all / memory, 1.03, 0.12);
    }
  });
});
