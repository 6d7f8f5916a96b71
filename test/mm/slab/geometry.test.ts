/** Slot sizes, orders and limits: the tables of the kernel's documentation, and every cache of real kernels. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Policy } from '../../../src/mm/policy.js';
import { type CacheSpec, type SlabGeometry, slabGeometry } from '../../../src/mm/slab/geometry.js';
import {
  KMALLOC_SIZES,
  KmallocType,
  kmallocAlignment,
  kmallocBucket,
  kmallocCacheName,
  kmallocCacheSpec,
} from '../../../src/mm/slab/kmalloc-caches.js';
import {
  SLAB_ACCOUNT,
  SLAB_CACHE_DMA,
  SLAB_DEBUG_FZPU,
  SLAB_RECLAIM_ACCOUNT,
  SLAB_RED_ZONE,
} from '../../../src/mm/slab/slab-flags.js';
import { BUNDLED, NEEDS_REFERENCE, REFERENCE } from '../../oracle/material.js';
import { policyNamed } from '../policies.js';

const POLICY = policyNamed('mainline-6.18');
const SETUP = { min_bytes: 8, hasMemcg: true };

function geometryOf(spec: CacheSpec, cpus: number, policy = POLICY): SlabGeometry {
  return slabGeometry(spec, { present_cpus: cpus, possible_cpus: cpus, cache_line_bytes: 64 }, policy);
}

function kmalloc(bytes: number, cpus: number, debug = 0): SlabGeometry {
  const spec = kmallocCacheSpec(KmallocType.normal, kmallocBucket(bytes), SETUP, POLICY);
  return geometryOf({ ...spec, flags: spec.flags | debug }, cpus);
}

const shape = ({ order, objects }: SlabGeometry) => `${order}/${objects}`;
const smallest = ({ min_order, min_objects }: SlabGeometry) => `${min_order}/${min_objects}`;

/** Slots that are debugged, at 16 CPUs. model: slub 1.4 */
test.each([
  [8, 112, '0/36', '0/36', 32],
  [16, 128, '0/32', '0/32', 48],
  [32, 160, '0/25', '0/25', 96],
  [64, 256, '1/32', '0/16', 192],
  [96, 224, '1/36', '0/18', 160],
  [128, 384, '2/42', '0/10', 384],
  [192, 384, '2/42', '0/10', 320],
  [256, 768, '3/42', '0/5', 768],
  [512, 1536, '3/21', '0/2', 1536],
  [1024, 3072, '3/10', '0/1', 3072],
  [2048, 6144, '3/5', '1/1', 6144],
  [4096, 12288, '3/2', '2/1', 12288],
  [8192, 24576, '3/1', '3/1', 24576],
])('kmalloc-%i has slots of %i bytes under FZPU', (bytes, size, order, min, redZoned) => {
  const debugged = kmalloc(bytes, 16, SLAB_DEBUG_FZPU);
  expect([debugged.size_bytes, shape(debugged), smallest(debugged)]).toEqual([size, order, min]);
  expect([debugged.cpu_partial, debugged.cpu_partial_slabs]).toEqual([0, 0]);
  expect(kmalloc(bytes, 16, SLAB_RED_ZONE).size_bytes).toBe(redZoned);
});

/** Orders and limits by CPUs: 4, 16, 128, then min, cpu_partial_slabs and slabs of a refill at 16. model: slub 1.5, 1.6 */
test.each([
  [8, '0/512', '0/512', '0/512', '0/512', 1, 1],
  [16, '0/256', '0/256', '0/256', '0/256', 1, 1],
  [32, '0/128', '0/128', '0/128', '0/128', 2, 2],
  [64, '0/64', '0/64', '0/64', '0/64', 4, 3],
  [96, '0/42', '0/42', '0/42', '0/42', 6, 4],
  [128, '0/32', '0/32', '1/64', '0/32', 8, 5],
  [192, '0/21', '1/42', '1/42', '0/21', 6, 4],
  [256, '0/16', '1/32', '2/64', '0/16', 4, 3],
  [512, '1/16', '2/32', '3/64', '0/8', 4, 3],
  [1024, '2/16', '3/32', '3/32', '0/4', 2, 2],
  [2048, '3/16', '3/16', '3/16', '0/2', 3, 2],
  [4096, '3/8', '3/8', '3/8', '0/1', 2, 2],
  [8192, '3/4', '3/4', '3/4', '1/1', 3, 2],
])('kmalloc-%i', (bytes, at4, at16, at128, min, slabs, extra) => {
  const middle = kmalloc(bytes, 16);
  expect([shape(kmalloc(bytes, 4)), shape(middle), shape(kmalloc(bytes, 128)), smallest(middle)]).toEqual([
    at4,
    at16,
    at128,
    min,
  ]);
  expect([shape(kmalloc(bytes, 64)), shape(kmalloc(bytes, 256))]).toEqual([at16, at128]);
  expect(middle.cpu_partial_slabs).toBe(slabs);
  expect(Math.floor(middle.cpu_partial_slabs / 2) + 1).toBe(extra);
  expect(middle.min_partial).toBe(bytes < 4096 ? 5 : 6);
});

test('the columns of 8 CPUs and of one differ where they should', () => {
  expect([256, 512, 1024, 2048].map((bytes) => shape(kmalloc(bytes, 8)))).toEqual([
    '1/32',
    '2/32',
    '3/32',
    '3/16',
  ]);
  expect([512, 1024, 2048].map((bytes) => shape(kmalloc(bytes, 1)))).toEqual(['0/8', '1/8', '2/8']);
});

test('every request of 1 to 8192 bytes has the smallest bucket that holds it', () => {
  for (let bytes = 1; bytes <= 8192; bytes++) {
    const naive = KMALLOC_SIZES.findIndex((size) => size >= bytes);
    expect(kmallocBucket(bytes)).toBe(naive);
  }
  const bucketOf = (bytes: number, min: number) => KMALLOC_SIZES[kmallocBucket(bytes, min)];
  expect([1, 65, 96, 97].map((bytes) => bucketOf(bytes, 64))).toEqual([64, 128, 128, 128]);
  expect([1, 129, 192, 193].map((bytes) => bucketOf(bytes, 128))).toEqual([128, 256, 256, 256]);
});

interface Row {
  readonly name: string;
  readonly object_size_bytes: number;
  readonly align_bytes: number;
  /** slot, objects, order, min_partial, cpu_partial, alignment */
  readonly columns: readonly number[];
}

function rowsOf(path: string): Row[] {
  return readFileSync(path, 'utf8')
    .trim()
    .split('\n')
    .map((line) => {
      const [name, ...numbers] = line.split(' ');
      const [object_size_bytes, ...columns] = numbers.map(Number);
      return { name: name!, object_size_bytes: object_size_bytes!, align_bytes: columns.at(-1)!, columns };
    });
}

/**
 * What `slab_geometry.txt` does not tell: caches with a constructor or type-safe by RCU, whose free pointer stands behind
 * the object. It decides one column, the slot's size; all others follow from that. Caches not named here either keep it
 * inside, or have the same slot size both ways.
 */
const POINTER_BEHIND = new Set(
  `MPTCPv6 TCP TCPv6 aio_inode_cache anon_vma bio-128 bio-192 bio-256 bpf_fs_inode_cache dax_cache debugfs_inode_cache
  ext4_inode_cache hugetlbfs_inode_cache iint_cache ima_iint_cache inode_cache jbd2_journal_head proc_inode_cache
  radix_tree_node request_sock_TCP request_sock_TCPv6 request_sock_subflow_v4 request_sock_subflow_v6
  shmem_inode_cache sock_inode_cache tracefs_inode_cache tw_sock_TCP tw_sock_TCPv6 userfaultfd_ctx_cache`.split(
    /\s+/,
  ),
);
/** Of 7.2, which lets caches with a constructor name a place for the pointer, too. */
const POINTER_INSIDE_7_2 = new Set(['TCP', 'TCPv6', 'MPTCPv6', 'ext4_inode_cache', 'userfaultfd_ctx_cache']);

const FAMILIES: readonly (readonly [prefix: string, type: KmallocType, flags: number])[] = [
  ['kmalloc-cg-', KmallocType.cgroup, SLAB_ACCOUNT],
  ['kmalloc-rcl-', KmallocType.reclaim, SLAB_RECLAIM_ACCOUNT],
  ['dma-kmalloc-', KmallocType.dma, SLAB_CACHE_DMA],
  ['kmalloc-', KmallocType.normal, 0],
];

/** What a row's cache was created with: of the kmalloc family all of it, of others the alignment is taken from the row. */
function specOf(row: Row, policy: Policy, hasPointerBehind: boolean): CacheSpec {
  const { name, object_size_bytes, align_bytes } = row;
  for (const [, type] of FAMILIES) {
    const bucket = KMALLOC_SIZES.findIndex((_, i) => kmallocCacheName(type, i) === name);
    if (bucket >= 0) return kmallocCacheSpec(type, bucket, SETUP, policy);
  }
  return { name, object_size_bytes, align_bytes, flags: 0, hasConstructor: hasPointerBehind };
}

function expectRows(
  path: string,
  preset: string,
  cpus: number,
  debugged: ReadonlySet<string> = new Set(),
): void {
  const policy = policyNamed(preset);
  const rows = rowsOf(path);
  expect(rows.length).toBeGreaterThan(100);
  const wrong: string[] = [];
  for (const row of rows) {
    const isInside = preset === 'mainline-7.2' && POINTER_INSIDE_7_2.has(row.name);
    const spec = specOf(row, policy, POINTER_BEHIND.has(row.name) && !isInside);
    const flags = spec.flags | (debugged.has(row.name) ? SLAB_DEBUG_FZPU : 0);
    const g = geometryOf({ ...spec, flags }, cpus, policy);
    const computed = [g.size_bytes, g.objects, g.order, g.min_partial, g.cpu_partial, g.align_bytes];
    if (computed.join() !== row.columns.join())
      wrong.push(`${row.name}: ${row.columns} computed ${computed}`);
  }
  expect(wrong).toEqual([]);
}

const DEBUGGED = new Set(['kmalloc-64', 'kmalloc-1k']);

describe('every cache of a real kernel', () => {
  test.each([
    ['6.1.192/oracle-micro', 'mainline-6.1', 1],
    ['6.18.2/slab-1cpu', 'mainline-6.18', 1],
    ['6.18.2/slab-2cpu', 'mainline-6.18', 2],
    ['6.18.2/slab-4cpu', 'mainline-6.18', 4],
    ['7.2.12/nmi', 'mainline-7.2', 1],
  ])('%s', (directory, preset, cpus) => {
    expectRows(join(BUNDLED, directory, 'slab_geometry.txt'), preset, cpus);
  });

  test('6.18.2/slab-nolock-debug, with slab_debug=FZPU,kmalloc-64,kmalloc-1k', () => {
    expectRows(join(BUNDLED, '6.18.2/slab-nolock-debug/slab_geometry.txt'), 'mainline-6.18', 1, DEBUGGED);
  });

  test('needs the rules of that kernel', () => {
    const of = (preset: string) => () =>
      expectRows(join(BUNDLED, '6.1.192/oracle-micro/slab_geometry.txt'), preset, 1);
    expect(of('mainline-6.1')).not.toThrow();
    expect(of('mainline-6.18')).toThrow();
  });
});

test('6.1 asks for fewer objects where later kernels accept more waste', () => {
  const old = policyNamed('mainline-6.1');
  const of = (policy: Policy, bytes: number) => {
    const plain = { name: '', align_bytes: 0, flags: 0, hasConstructor: false };
    return shape(geometryOf({ ...plain, object_size_bytes: bytes }, 16, policy));
  };
  // Two of three parts of an order-3 slab hold two objects; the third is more than a quarter.
  expect([of(old, 10_928), of(POLICY, 10_928)]).toEqual(['2/1', '3/2']);
  expect([of(old, 10_920), of(POLICY, 10_920)]).toEqual(['3/3', '3/3']);
  expect([96, 192, 256].map((bytes) => kmallocAlignment(bytes, 8, old))).toEqual([8, 8, 256]);
  expect([96, 192, 256].map((bytes) => kmallocAlignment(bytes, 8, POLICY))).toEqual([32, 64, 256]);
});

describe.skipIf(REFERENCE === undefined)(`and of the others ${NEEDS_REFERENCE}`, () => {
  const oracle = join(REFERENCE ?? '', 'oracle');
  test.each([
    ...[
      'boot',
      'files',
      'mem',
      'net',
      'oracle-1zone',
      'oracle-3zone',
      'oracle-micro',
      'oracle-numa2',
      'perf',
    ].map((name) => [`6.1.192/${name}`, 'mainline-6.1', 1] as const),
    ['6.1.192/fork-smp2', 'mainline-6.1', 2],
    ['6.18.15/mem', 'mainline-6.18', 1],
    ...[
      'oracle-1zone',
      'oracle-3zone',
      'oracle-micro',
      'oracle-numa2',
      'slab-debug',
      'slab-mem',
      'slab-memcg',
      'slab-nest',
      'slab-nolock',
    ].map((name) => [`6.18.2/${name}`, 'mainline-6.18', 1] as const),
    ['6.18.2/slab-numa2', 'mainline-6.18', 2],
    ['6.18.2/slab-nlnat', 'mainline-6.18', 2],
    ...[
      'boot',
      'files',
      'mem',
      'net',
      'nmi',
      'oracle-1zone',
      'oracle-3zone',
      'oracle-micro',
      'oracle-numa2',
      'perf',
    ].map((name) => [`7.2.12/${name}`, 'mainline-7.2', 1] as const),
    ['7.2.12/fork-smp2', 'mainline-7.2', 2],
    ['7.2.12/nmi2', 'mainline-7.2', 2],
  ] as const)('%s', (directory, preset, cpus) => {
    expectRows(join(oracle, directory, 'slab_geometry.txt'), preset, cpus);
  });
});
