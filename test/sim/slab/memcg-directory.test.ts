/**
 * Memory cgroups of a trace, by its rows: who pays, limits and refusals, the tree, paths that cannot be, saved states.
 */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { serializeMachine } from '../../../src/mm/machine-state.js';
import { slabSchema } from '../../../src/report/slab/slab-schema.js';
import type { MemcgDirectory } from '../../../src/sim/slab/memcg-directory.js';
import { MAX_MEMCG_DEPTH } from '../../../src/sim/slab/memcg-path.js';
import { resultMemcgs } from '../../../src/sim/slab/result-memcgs.js';
import { Snapshot } from '../../../src/sim/state/snapshot.js';
import { MemcgRig } from './memcg-rig.js';

const ACCOUNT = 'GFP_KERNEL_ACCOUNT';
/** Slot and pointer of an object of 64 bytes. */
const COST_BYTES = 72;

interface Row {
  readonly cpu?: number;
  readonly ctx?: string;
  readonly op?: string;
  readonly id?: string;
  readonly order?: number;
  readonly size?: number;
  readonly gfp?: string;
  readonly memcg?: string;
  readonly depth?: number;
  readonly arg?: string;
}

/** A row; an accounted kmalloc of 64 bytes unless said otherwise. */
function row({ cpu = 0, ctx = 'task', op = 'kmalloc', id = '', memcg = '', ...rest }: Row): string {
  const { order = '', size = op.startsWith('kmalloc') ? 64 : '', depth = 0, arg = '' } = rest;
  const gfp = rest.gfp ?? (op === 'kmalloc' ? ACCOUNT : op === 'kmalloc_nolock' ? '__GFP_ACCOUNT' : '');
  return [cpu, ctx, op, id, order, size, gfp, memcg, depth, arg].join(',');
}

const create = (memcg: string, arg = '') => row({ op: 'memcg_create', memcg, arg });
const end = (memcg: string, op = 'memcg_offline') => row({ op, memcg });

function many(count: number, of: Row): string[] {
  return Array.from({ length: count }, (_, i) => row({ ...of, id: `${of.id}${i}` }));
}

describe('who pays', () => {
  test('nothing is accounted before a row names a cgroup below the root', async () => {
    const rig = new MemcgRig();
    await rig.play(row({ id: 'a' }), row({ id: 'b', memcg: '/' }), row({ op: 'kfree', id: 'b' }));
    expect([rig.machine.slabs.charges, rig.directory.accounts]).toEqual([null, null]);
    expect(resultMemcgs(rig.directory)).toBeNull();
    await rig.play(row({ id: 'c', memcg: '/a' }), row({ op: 'kfree', id: 'a' }));
    expect(rig.machine.slabs.charges).toBe(rig.directory.accounts!.slab);
    expect(rig.objectBytes('/a')).toBe(COST_BYTES);
  });

  test('33. Charge: 64 pages for a task that may wait, one at a time for kmalloc_nolock', async () => {
    const [kernel, nolock] = [new MemcgRig(), new MemcgRig()];
    await kernel.play(row({ id: 'a', memcg: '/a' }));
    expect(kernel.usage('/a')).toBe(64);
    const op = 'kmalloc_nolock';
    await nolock.play(...many(56, { op, id: 'n', memcg: '/a' }));
    expect([nolock.usage('/a'), nolock.usage('/')]).toEqual([1, 1]);
    await nolock.play(row({ op, id: 'last', memcg: '/a' }));
    expect(nolock.usage('/a')).toBe(2);
  });

  test('each CPU has the task of its last row; no path is the root, and pays nothing', async () => {
    const rig = new MemcgRig();
    await rig.play(row({ id: 'a', memcg: '/a' }), row({ id: 'b', memcg: '/b', cpu: 1 }));
    await rig.play(row({ id: 'c', memcg: '/a' }), row({ id: 'd' }), row({ id: 'e', memcg: '/b', cpu: 1 }));
    expect([rig.objectBytes('/a'), rig.objectBytes('/b')]).toEqual([2 * COST_BYTES, 2 * COST_BYTES]);
    await rig.play(row({ op: 'kfree', id: 'a', cpu: 1 }), row({ op: 'kfree_nolock', id: 'e', ctx: 'nmi' }));
    expect([rig.objectBytes('/a'), rig.objectBytes('/b')]).toEqual([COST_BYTES, COST_BYTES]);
  });

  test('what is not accounted costs nobody anything', async () => {
    const rig = new MemcgRig();
    await rig.play(row({ id: 'a', memcg: '/a', gfp: 'GFP_KERNEL' }));
    expect(rig.usage('/a')).toBe(0);
  });

  test('34. No objcg in NMI: unpaid and counted, unless the row makes the cgroup active', async () => {
    const rig = new MemcgRig();
    const nmi: Row = { op: 'kmalloc_nolock', ctx: 'nmi', memcg: '/a' };
    await rig.play(row({ ...nmi, id: 'a' }), row({ ...nmi, id: 'b', ctx: 'softirq' }));
    expect([rig.usage('/a'), resultMemcgs(rig.directory)!.uncharged]).toEqual([
      0,
      { softirq: 1, hardirq: 0, nmi: 1, no_vector: 0 },
    ]);
    await rig.play(row({ ...nmi, id: 'c', arg: 'active=1' }));
    expect(rig.objectBytes('/a')).toBe(COST_BYTES);
    // Active was that row alone.
    await rig.play(row({ ...nmi, id: 'd' }));
    expect([rig.objectBytes('/a'), resultMemcgs(rig.directory)!.uncharged.nmi]).toEqual([COST_BYTES, 2]);
  });

  test('what interrupts a row leaves its task where it is', async () => {
    const rig = new MemcgRig();
    await rig.play(
      row({ id: 'a', memcg: '/a' }),
      row({ op: 'kmalloc_nolock', id: 'b', depth: 1, memcg: '/b' }),
      row({ op: 'kmalloc_nolock', id: 'c', depth: 1, ctx: 'nmi', memcg: '/b', arg: 'active=1' }),
      row({ op: 'kmalloc_nolock', id: 'd', depth: 1, memcg: '/b', arg: 'active=1' }),
      row({ op: 'kmalloc_nolock', id: 'e', depth: 1 }),
    );
    expect([rig.objectBytes('/a'), rig.objectBytes('/b')]).toEqual([3 * COST_BYTES, 2 * COST_BYTES]);
  });

  test('pages of their own are charged page by page, and movable ones are not', async () => {
    const rig = new MemcgRig();
    const pages: Row = { op: 'alloc', order: 3, gfp: ACCOUNT, memcg: '/a' };
    await rig.play(row({ ...pages, id: 'p' }), row({ ...pages, id: 'q', gfp: `${ACCOUNT}|__GFP_MOVABLE` }));
    expect(resultMemcgs(rig.directory)!.rows[0]).toMatchObject({ kmem_pages: 8, object_bytes: 0 });
    const { pfn } = rig.blocks.get('p')!;
    rig.directory.unchargePages(0, pfn + 2, 1);
    rig.directory.validate();
    expect(resultMemcgs(rig.directory)!.rows[0]!.kmem_pages).toBe(6);
    await rig.play(row({ op: 'free', id: 'p' }), row({ op: 'free', id: 'q' }));
    expect(resultMemcgs(rig.directory)!.rows[0]!.kmem_pages).toBe(0);
  });
});

describe('limits', () => {
  test('36. Over limit: kmalloc_nolock and GFP_KERNEL get none, GFP_ATOMIC goes over it', async () => {
    const rig = new MemcgRig();
    await rig.play(create('/a', 'max=4096'), ...many(56, { id: 'a', memcg: '/a' }));
    expect(rig.outcomes.slice(1)).toEqual(Array(56).fill('got'));
    expect(await rig.play(row({ op: 'kmalloc_nolock', id: 'n', memcg: '/a' }))).toEqual(['none']);
    expect(await rig.play(row({ id: 'k', memcg: '/a' }))).toEqual(['none']);
    expect(rig.usage('/a')).toBe(1);
    expect(await rig.play(row({ id: 'h', memcg: '/a', gfp: 'GFP_ATOMIC|__GFP_ACCOUNT' }))).toEqual(['got']);
    expect(resultMemcgs(rig.directory)).toMatchObject({
      refused: 2,
      rows: [{ path: '/a', usage_pages: 2, max_pages: 1, peak_pages: 2, refused: 2 }],
    });
  });

  test('of a cgroup above hold for all below, and the one that asked is told of it', async () => {
    const rig = new MemcgRig();
    await rig.play(create('/a', 'max=8KiB'), create('/a/b'), create('/a/c'));
    const pages: Row = { op: 'alloc', gfp: ACCOUNT };
    const outcomes = await rig.play(
      row({ ...pages, id: 'p', memcg: '/a/b' }),
      row({ ...pages, id: 'q', memcg: '/a/c' }),
      row({ ...pages, id: 'r', memcg: '/a/c' }),
      row({ ...pages, id: 's', memcg: '/d' }),
    );
    expect(outcomes).toEqual(['got', 'got', 'none', 'got']);
    const { rows } = resultMemcgs(rig.directory)!;
    const shown = rows.map(({ path, usage_pages, own_pages, refused }) => [
      path,
      usage_pages,
      own_pages,
      refused,
    ]);
    expect(shown).toEqual([
      ['/d', 64, 64, 0],
      ['/a', 2, 0, 0],
      ['/a/b', 1, 1, 0],
      ['/a/c', 1, 1, 1],
    ]);
  });

  test('that are set below the usage empty the stocks and leave the objects', async () => {
    const rig = new MemcgRig();
    await rig.play(row({ id: 'a', memcg: '/a' }));
    expect(await rig.play(row({ op: 'memcg_set', memcg: '/a', arg: 'max=4096' }))).toEqual(['ok']);
    expect([rig.usage('/a'), rig.objectBytes('/a')]).toEqual([1, COST_BYTES]);
    await rig.play(row({ op: 'memcg_set', memcg: '/a', arg: 'max=max;high=1MiB;low=max' }));
    expect(rig.notes.get('memcg_settings')).toBe(2);
    expect(resultMemcgs(rig.directory)!.rows[0]!.max_pages).toBeNull();
  });

  test.each(['max=1,5', 'max=', 'max=-1', 'max=4GB', 'max=1e9', 'max', 'max=99999999999999999', 'hihg=1'])(
    '%s is an error that says what to give',
    async (arg) => {
      const rig = new MemcgRig();
      const play = rig.play(row({ op: 'memcg_set', memcg: '/a', arg: `"${arg}"` }));
      await expect(play).rejects.toMatchObject({
        name: 'InputError',
        remedy: expect.stringMatching(/max|high/),
      });
    },
  );
});

describe('the tree', () => {
  test('cgroups are made with those above them, once', async () => {
    const rig = new MemcgRig();
    const made = await rig.play(create('/a/b/c'), create('/a/b'), create('/a/b/c'), create('/'));
    expect(made).toEqual(['ok', 'failed', 'failed', 'failed']);
    expect(rig.directory.memcgs().map(({ path }) => path)).toEqual(['/a', '/a/b', '/a/b/c']);
    await rig.play(row({ id: 'a', memcg: '/a/b/c' }));
    expect(['/', '/a', '/a/b', '/a/b/c'].map((path) => rig.usage(path))).toEqual([64, 64, 64, 64]);
  });

  test('one that has ended keeps what it holds; who asks there is charged above', async () => {
    const rig = new MemcgRig();
    await rig.play(row({ id: 'x', memcg: '/a/b' }));
    expect(await rig.play(end('/a'), end('/'), end('/a/b'), end('/a/b'), end('/z'))).toEqual([
      ...['failed', 'failed', 'ok', 'failed', 'failed'],
    ]);
    await rig.play(row({ id: 'y', memcg: '/a/b' }), row({ id: 'z', memcg: '/a/b/new' }));
    expect([rig.objectBytes('/a/b'), rig.objectBytes('/a')]).toEqual([COST_BYTES, 2 * COST_BYTES]);
    expect(resultMemcgs(rig.directory)!.rows.map(({ path, online }) => [path, online])).toEqual([
      ['/a', true],
      ['/a/b', false],
    ]);
    expect(await rig.play(end('/a/b', 'memcg_remove'))).toEqual(['ok']);
    await rig.play(row({ op: 'kfree', id: 'x' }));
    expect(rig.objectBytes('/a/b')).toBe(0);
  });

  test('of a path that has ended another one can be made, and below it none before that', async () => {
    const rig = new MemcgRig();
    await rig.play(row({ id: 'x', memcg: '/a' }), end('/a', 'memcg_remove'));
    expect(await rig.play(create('/a/b'), create('/a'), create('/a/b'))).toEqual(['failed', 'ok', 'ok']);
    await rig.play(row({ id: 'y', memcg: '/a/b' }));
    expect(rig.directory.memcgs().map(({ path, isOnline }) => [path, isOnline])).toEqual([
      ['/a', false],
      ['/a', true],
      ['/a/b', true],
    ]);
    expect([rig.objectBytes('/a'), rig.objectBytes('/a/b')]).toEqual([0, COST_BYTES]);
  });

  test('a task whose cgroup ends under it is charged above from then on', async () => {
    const rig = new MemcgRig();
    await rig.play(row({ id: 'x', memcg: '/a/b' }), end('/a/b'));
    await rig.play(row({ op: 'kmalloc_nolock', id: 'y', depth: 0, memcg: '/a/b' }));
    expect(rig.directory.accounts!.charges.task[0]).toBe(rig.number('/a'));
  });

  test('a recorded failure makes nothing', async () => {
    const rig = new MemcgRig();
    expect(await rig.play(create('/a', 'failed=1'))).toEqual(['failed']);
    expect([rig.directory.memcgs(), rig.notes.get('recorded_failures')]).toEqual([[], 1]);
  });
});

describe('paths of strangers', () => {
  const deep = '/x'.repeat(MAX_MEMCG_DEPTH + 1);
  test.each(['a', 'a/b', '//', '/a/', '/a//b', '/..', '/a/../b', '/./a', `/${'n'.repeat(256)}`, deep])(
    '%s is an error that names the file, the path and a remedy',
    async (memcg) => {
      const rig = new MemcgRig({ file: 'evil.csv' });
      await expect(rig.play(row({ id: 'a', memcg }))).rejects.toMatchObject({
        name: 'InputError',
        file: 'evil.csv',
        field: 'memcg',
        value: memcg,
        remedy: expect.any(String),
      });
      expect(rig.directory.memcgs()).toEqual([]);
    },
  );

  test('names of properties are names', async () => {
    const rig = new MemcgRig();
    const paths = ['/__proto__', '/__proto__/constructor', '/toString', '/...', '/a b', '/é'];
    await rig.play(...paths.map((memcg, i) => row({ id: `${i}`, memcg })));
    expect(rig.directory.memcgs().map(({ path }) => path)).toEqual(paths);
    expect(rig.objectBytes('/__proto__')).toBe(COST_BYTES);
  });

  test('the deepest path that is allowed is made', async () => {
    const rig = new MemcgRig();
    await rig.play(row({ id: 'a', memcg: '/x'.repeat(MAX_MEMCG_DEPTH) }));
    expect(rig.usage('/x')).toBe(64);
  });

  test('more cgroups than allowed are refused, those that ended and were made again among them', async () => {
    const two = new MemcgRig({ max_memcgs: 2 });
    await expect(two.play(row({ id: 'a', memcg: '/a/b' }), create('/c'))).rejects.toThrow(/more than 2/);
    const again = new MemcgRig({ max_memcgs: 2 });
    const round = [create('/a'), end('/a')];
    await expect(again.play(...round, ...round, ...round)).rejects.toThrow(/more than 2/);
  });
});

describe('random rows', () => {
  const PATHS = ['', '/a', '/a/b', '/a/b/c', '/d'];
  const step = fc.record({
    what: fc.constantFrom('kmalloc', 'kmalloc_nolock', 'alloc', 'kfree', 'free', 'create', 'set', 'end'),
    cpu: fc.nat(1),
    path: fc.constantFrom(...PATHS),
    ctx: fc.constantFrom('task', 'task', 'softirq', 'nmi'),
    size: fc.constantFrom(8, 64, 700, 4096),
    arg: fc.constantFrom('', '', 'active=1'),
    max: fc.constantFrom('max', '0', '8KiB', '300KiB'),
    pick: fc.nat(1000),
  });

  test('every page and byte that is charged is found, also after saving, and all of it goes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 60 }), async (steps) => {
        let rig = new MemcgRig();
        for (const [i, { what, cpu, path, ctx, size, arg, max, pick }] of steps.entries()) {
          const common: Row = { cpu, ctx, memcg: path, id: `x${i}`, arg };
          const held = what === 'kfree' ? [...rig.objects.keys()] : [...rig.blocks.keys()];
          const id = held[pick % Math.max(1, held.length)];
          if (what === 'kmalloc' || what === 'kmalloc_nolock')
            await rig.play(row({ ...common, op: what, size }));
          else if (what === 'alloc')
            await rig.play(row({ ...common, op: what, order: pick % 3, gfp: ACCOUNT }));
          else if (what === 'create' && path !== '') await rig.play(create(path, `max=${max}`));
          else if (what === 'set') await rig.play(row({ op: 'memcg_set', memcg: path, arg: `max=${max}` }));
          else if (what === 'end' && path !== '') await rig.play(end(path));
          else if ((what === 'kfree' || what === 'free') && id !== undefined)
            await rig.play(row({ op: what, cpu, id }));
          if (i === steps.length >> 1) rig = savedAndRestored(rig);
        }
        const { memcgs } = slabSchema.pick({ memcgs: true }).parse({ memcgs: resultMemcgs(rig.directory) });
        if (memcgs !== null) {
          const own = memcgs.rows.reduce((sum, { own_pages }) => sum + own_pages, memcgs.others.own_pages);
          expect(own).toBe(memcgs.usage_pages);
        }
        const left = [...rig.objects.keys()].map((id) => row({ op: 'kfree', id }));
        await rig.play(...left, ...[...rig.blocks.keys()].map((id) => row({ op: 'free', id })));
        for (const { object_bytes, kmem_pages } of resultMemcgs(rig.directory)?.rows ?? [])
          expect([object_bytes, kmem_pages]).toEqual([0, 0]);
      }),
      { numRuns: 40 },
    );
  });
});

/** Another machine that was made of what the first one saved. */
function savedAndRestored(rig: MemcgRig): MemcgRig {
  const other = new MemcgRig();
  const all = (of: MemcgRig) => ({
    serialize(io: Parameters<MemcgDirectory['serialize']>[0]) {
      serializeMachine(of.machine.mm, io);
      io.part('machine', of.machine);
      io.part('directory', of.directory);
    },
  });
  const snapshot = Snapshot.of(all(rig));
  snapshot.restore(all(other));
  expect(Snapshot.of(all(other))).toEqual(snapshot);
  for (const [id, held] of rig.objects) other.objects.set(id, held);
  for (const [id, block] of rig.blocks) other.blocks.set(id, block);
  return other;
}

describe('saved states', () => {
  test('one from before accounting takes it back', async () => {
    const rig = new MemcgRig();
    const snapshot = Snapshot.of(rig.directory);
    await rig.play(row({ id: 'a', memcg: '/a' }));
    snapshot.restore(rig.directory);
    expect([rig.machine.slabs.charges, rig.directory.memcgs()]).toEqual([null, []]);
  });

  test.each([
    ['counter_parents', 2, 5, /is below/],
    ['memcg', 2, 9, /no memory cgroup/],
    ['task', 0, 9, /no memory cgroup/],
  ])('a damaged %s is refused', async (name, at, value, message) => {
    const rig = new MemcgRig();
    await rig.play(row({ id: 'a', memcg: '/a/b' }));
    const { groups, task } = rig.directory.accounts!.charges;
    const arrays = new Map([
      ['counter_parents', groups.memory.parent],
      ['memcg', groups.memcg],
      ['task', task],
    ]);
    arrays.get(name)![at] = value;
    const snapshot = Snapshot.of(rig.directory);
    expect(() => snapshot.restore(new MemcgRig().directory)).toThrow(message);
  });
});

describe('the result', () => {
  test('has the twenty largest, and the sums of all others', async () => {
    const rig = new MemcgRig();
    const rows = Array.from({ length: 25 }, (_, i) =>
      row({ op: 'alloc', id: `${i}`, gfp: ACCOUNT, memcg: `/g${i}` }),
    );
    await rig.play(...rows, row({ op: 'alloc', order: 7, id: 'big', gfp: ACCOUNT, memcg: '/g9' }));
    // A stock is for seven cgroups: most have given back what was charged ahead.
    const memcgs = resultMemcgs(rig.directory)!;
    expect([memcgs.rows.length, memcgs.rows[0]!.path, memcgs.rows[0]!.usage_pages]).toEqual([20, '/g9', 129]);
    expect(memcgs.others).toEqual({
      cgroups: 5,
      own_pages: 5,
      object_bytes: 0,
      kmem_pages: 5,
      refused: 0,
    });
  });

  test('counts from when counting began', async () => {
    const rig = new MemcgRig();
    await rig.play(create('/a', 'max=8KiB'));
    const pages: Row = { op: 'alloc', order: 1, gfp: ACCOUNT, memcg: '/a' };
    await rig.play(row({ ...pages, id: 'p' }), row({ ...pages, id: 'q' }), row({ op: 'free', id: 'p' }));
    expect(resultMemcgs(rig.directory)!.rows[0]).toMatchObject({ peak_pages: 2, refused: 1 });
    await rig.play(row({ op: 'memcg_set', memcg: '/a', arg: 'max=4096' }));
    rig.directory.clearCounts();
    expect(resultMemcgs(rig.directory)!.rows[0]).toMatchObject({ peak_pages: 0, refused: 0 });
  });
});
