/** From what events say of caches to caches. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { slabAlloc } from '../../../src/mm/slab/slab-alloc.js';
import {
  SLAB_ACCOUNT,
  SLAB_HWCACHE_ALIGN,
  SLAB_RECLAIM_ACCOUNT,
  SLAB_TYPESAFE_BY_RCU,
} from '../../../src/mm/slab/slab-flags.js';
import { CacheDirectory, type CacheDirectoryOptions } from '../../../src/sim/slab/cache-directory.js';
import { SlabMachine } from '../../../src/sim/slab/slab-machine.js';
import { CsvReader } from '../../../src/trace/csv/reader.js';
import type { EventBatch } from '../../../src/trace/event-batch.js';
import { parseSlabinfo } from '../../../src/trace/recording/snapshot/slabinfo.js';
import { TextReader } from '../../../src/trace/text/reader.js';
import { inputOf } from '../../trace/helpers.js';
import { smallMachine } from '../support.js';

function directory(options: CacheDirectoryOptions = {}, cpus = 2): CacheDirectory {
  return new CacheDirectory(new SlabMachine(smallMachine({ cpus })).slabs, options);
}

async function csv(...rows: string[]): Promise<EventBatch> {
  const text = `op,id,cache,size,gfp,arg\n${rows.join('\n')}\n`;
  for await (const batch of new CsvReader(await inputOf(text)).batches()) return batch;
  throw new Error('no events');
}

async function tracefs(...payloads: string[]): Promise<EventBatch> {
  const lines = payloads.map((payload, i) => `  x-1  [000] .....  1.00000${i}: ${payload}`);
  const reader = new TextReader(await inputOf(`# tracer: nop\n${lines.join('\n')}\n`, 'trace.txt'));
  for await (const batch of reader.batches()) return batch;
  throw new Error('no events');
}

const alloc = (name: string, req: number, bytes: number, more = 'accounted=false') =>
  `kmem_cache_alloc: call_site=f+0x1/0x2 ptr=ffff888004aba000 ${name === '' ? '' : `name=${name} `}bytes_req=${req} bytes_alloc=${bytes} gfp_flags=GFP_KERNEL node=-1 ${more}`;

function row(name: string, size: number, perSlab: number, pages: number): string {
  return `${name} 0 0 ${size} ${perSlab} ${pages} : tunables 0 0 0 : slabdata 0 0 0`;
}

describe('an allocation by name', () => {
  test('has the flags of a known cache and the sizes of the event', async () => {
    const names = directory();
    const batch = await tracefs(alloc('dentry', 200, 200), alloc('ext4_inode_cache', 1000, 1008));
    const dentry = names.ofRequest(batch, 0)!;
    expect(dentry.geometry).toMatchObject({ object_size_bytes: 200, size_bytes: 200 });
    expect(dentry.spec.flags).toBe(SLAB_RECLAIM_ACCOUNT | SLAB_ACCOUNT);
    // The free pointer stands behind objects with a constructor: that explains the eight bytes.
    expect(names.ofRequest(batch, 1)!.spec).toMatchObject({ hasConstructor: true, object_size_bytes: 1000 });
    expect(names.ofRequest(batch, 1)!.spec.recorded_shape).toBeUndefined();
    expect(names.ofRequest(batch, 0)).toBe(dentry);
    expect(names.met_on_the_way).toBe(2);
  });

  test('of an unknown cache has slots as the kernel said', async () => {
    const names = directory();
    const batch = await tracefs(alloc('mine', 100, 128), alloc('yours', 100, 104, 'accounted=true'));
    expect(names.ofRequest(batch, 0)!.geometry).toMatchObject({
      size_bytes: 128,
      objects: 32,
      min_objects: 32,
    });
    expect(names.ofRequest(batch, 0)!.spec.flags).toBe(0);
    expect(names.ofRequest(batch, 1)!.spec).toMatchObject({ flags: SLAB_ACCOUNT });
    expect(names.ofRequest(batch, 1)!.spec.recorded_shape).toBeUndefined();
  });

  test('may name a cache of the kmalloc family, which others share', async () => {
    const names = directory();
    const batch = await tracefs(alloc('kmalloc-cg-192', 184, 192));
    const cache = names.ofRequest(batch, 0)!;
    expect([cache.name, cache.number < 52]).toEqual(['kmalloc-cg-192', true]);
    expect(names.met_on_the_way).toBe(0);
  });

  test('is its own cache, however alike another is', async () => {
    const names = directory();
    const batch = await tracefs(alloc('one', 64, 64), alloc('two', 64, 64));
    expect(names.ofRequest(batch, 0)).not.toBe(names.ofRequest(batch, 1));
  });

  test('without a name is told by its slots', async () => {
    const names = directory();
    const batch = await tracefs(
      alloc('', 100, 104),
      alloc('', 97, 104),
      alloc('', 100, 128),
      alloc('', 100, 104, 'accounted=true'),
    );
    const [a, b, c, d] = [0, 1, 2, 3].map((i) => names.ofRequest(batch, i));
    expect([a === b, a === c, a === d, names.ofRequest(batch, 0) === a]).toEqual([true, false, true, true]);
    expect(a!.geometry.size_bytes).toBe(104);
  });

  test('that says no size of an unknown cache gets none', async () => {
    const names = directory();
    const batch = await csv(
      'cache_alloc,a,mine,,,',
      'cache_alloc,b,dentry,,,',
      'cache_alloc,c,big,4294967295,,',
    );
    expect([names.ofRequest(batch, 0), names.ofRequest(batch, 2)]).toEqual([null, null]);
    expect(names.ofRequest(batch, 1)!.geometry.size_bytes).toBe(192);
  });

  test('of more caches than any machine has is refused', async () => {
    const names = directory({ max_caches: 60, file: 'trace.csv' });
    const batch = await csv(...Array.from({ length: 20 }, (_, i) => `cache_alloc,a${i},c${i},64,,`));
    expect(() => {
      for (let i = 0; i < 20; i++) names.ofRequest(batch, i);
    }).toThrow('trace.csv  has more than 60 slab caches; leave some out');
    expect(names.slabs.caches).toHaveLength(60);
  });
});

describe('slabinfo', () => {
  const slabinfo = (...rows: string[]) => parseSlabinfo(rows.join('\n'), 'slabinfo');

  test('decides size and order, and the table what it does not say', async () => {
    const names = directory({ slabinfo: slabinfo(row('mine', 4096, 1, 1), row('filp', 256, 16, 1)) });
    expect(names.named('filp')!.spec.flags).toBe(SLAB_HWCACHE_ALIGN | SLAB_ACCOUNT | SLAB_TYPESAFE_BY_RCU);
    expect(names.named('filp')!.geometry).toMatchObject({ size_bytes: 256, order: 0, objects: 16 });
    // The model would take eight pages for slots of a page.
    expect(names.named('mine')!.geometry).toMatchObject({
      size_bytes: 4096,
      order: 0,
      objects: 1,
      min_objects: 1,
    });
    expect([names.differing, names.unknown]).toEqual([['mine'], ['mine']]);
    const batch = await tracefs(alloc('filp', 184, 256), alloc('mine', 4000, 4096));
    expect(names.ofRequest(batch, 0)).toBe(names.named('filp'));
    expect(names.ofRequest(batch, 1)).toBe(names.named('mine'));
    expect(names.met_on_the_way).toBe(0);
  });

  test('lists the youngest first', () => {
    const names = directory({ slabinfo: slabinfo(row('younger', 64, 64, 1), row('older', 64, 64, 1)) });
    expect(names.named('older')!.number).toBeLessThan(names.named('younger')!.number);
  });
});

describe('cache_create and cache_destroy', () => {
  test('merge as a kernel does', async () => {
    const names = directory();
    const batch = await csv(
      'cache_create,,one,64,,flags=SLAB_PANIC',
      'cache_create,,two,,,size=60;flags=HWCACHE_ALIGN',
      'cache_create,,three,64,,ctor=1',
      'cache_alloc,a,two,60,,',
      'cache_destroy,,one,,,',
      'cache_destroy,,one,,,',
      'cache_alloc,b,two,60,,',
      'cache_destroy,,two,,,',
    );
    expect([0, 1, 2].map((i) => names.create(batch, i))).toEqual(['ok', 'ok', 'ok']);
    const one = names.named('one')!;
    expect(names.ofRequest(batch, 3)).toBe(one);
    expect(names.named('three')).not.toBe(one);
    expect([4, 5].map((i) => names.destroy(batch, i, 0))).toEqual(['ok', 'failed']);
    expect([names.named('one'), names.ofRequest(batch, 6)]).toEqual([undefined, one]);
    slabAlloc(names.slabs, one, 0, 0xcc0, -1);
    expect(names.destroy(batch, 7, 0)).toBe('failed');
    expect(names.named('two')).toBeUndefined();
    expect(names.ofRequest(batch, 6)).not.toBe(one);
  });

  test('say all that a kernel is told', async () => {
    const names = directory();
    const batch = await csv(
      'cache_create,,mine,,,size=208; align=64 ;flags=SLAB_ACCOUNT|TYPESAFE_BY_RCU|0;ctor=0;useroffset=8;usersize=40;freeptr_offset=16;sheaf_capacity=32;',
    );
    names.create(batch, 0);
    expect(names.named('mine')!.spec).toEqual({
      name: 'mine',
      object_size_bytes: 208,
      align_bytes: 64,
      flags: SLAB_ACCOUNT | SLAB_TYPESAFE_BY_RCU,
      hasConstructor: false,
      usersize_bytes: 40,
      freeptr_offset_bytes: 16,
      sheaf_capacity: 32,
    });
  });

  test.each([
    ['size=0', 'cache_create size "0" is not the size'],
    ['', 'cache_create size "0" is not the size'],
    ['size=2000000', 'cache_create size "2000000" is not a number from 0 to 1048576'],
    ['size=1e3', 'cache_create size "1e3" is not a number'],
    ['size=64;align=48', 'cache_create align "48" is not a power of two'],
    ['size=64;align=8192', 'cache_create align "8192" is not a number from 0 to 4096'],
    ['size=64;flags=HWCACHE_ALING', 'did you mean HWCACHE_ALIGN?'],
    ['size=64;flags=0x2000', 'cache_create flags "0x2000" is not the name of a flag'],
    ['size=64;usersize=65', 'cache_create usersize "65" lies outside an object of 64 bytes'],
    ['size=64;freeptr_offset=100', 'lies outside an object of 64 bytes'],
    ['size=64;colour=7', 'cache_create arg "colour" is no key of cache_create; use size, align'],
    ['size=64;__proto__=1', 'is no key of cache_create'],
  ])('refuse %s', async (arg, message) => {
    const names = directory({ file: 'trace.csv' });
    const batch = await csv(`cache_create,,mine,,,${arg}`);
    expect(() => names.create(batch, 0)).toThrow(message);
    expect(names.named('mine')).toBeUndefined();
  });

  test('that failed in the recorded kernel make nothing', async () => {
    const names = directory();
    const batch = await csv('cache_create,,mine,64,,failed=1;align=8');
    expect([names.create(batch, 0), names.named('mine')]).toEqual(['failed', undefined]);
  });
});

test('names lead to caches whatever they are', async () => {
  const rows = fc.array(
    fc.tuple(
      fc.constantFrom('a', 'b', '__proto__', 'constructor', 'filp', 'kmalloc-64'),
      fc.constantFrom('c', 'd', 'u'),
    ),
    { maxLength: 40 },
  );
  await fc.assert(
    fc.asyncProperty(rows, async (ops) => {
      const names = directory();
      const text = ops.map(([name, op], i) =>
        op === 'u'
          ? `cache_alloc,o${i},${name},64,,`
          : `cache_${op === 'c' ? 'create' : 'destroy'},,${name},${op === 'c' ? '64' : ''},,`,
      );
      if (text.length === 0) return;
      const batch = await csv(...text);
      const known = new Map(names.slabs.caches.map(({ name, number }) => [name, number]));
      ops.forEach(([name, op], i) => {
        if (op === 'c') {
          names.create(batch, i);
          known.set(name, names.named(name)!.number);
        } else if (op === 'd') {
          expect(names.destroy(batch, i, 0) !== 'failed').toBe(known.delete(name));
        } else {
          const cache = names.ofRequest(batch, i)!;
          const before = known.get(name);
          if (before !== undefined) expect(cache.number).toBe(before);
          known.set(name, cache.number);
        }
        expect(names.named(name)?.number).toBe(known.get(name));
      });
    }),
    { numRuns: 40 },
  );
});
