/** A small slab section, made by hand: its sums hold. */
import type {
  ResultDeferred,
  ResultHazard,
  ResultMemcgs,
  ResultNolock,
  ResultSlab,
  ResultSlabCache,
  ResultSlabWaste,
} from '../../../src/report/slab/result-slab.js';

export const NO_WASTE: ResultSlabWaste = {
  rounding_bytes: 0,
  alignment_bytes: 0,
  debug_bytes: 0,
  deferred_bytes: 0,
  free_cpu_bytes: 0,
  free_partial_bytes: 0,
  tail_bytes: 0,
};

/** A cache of one full slab, unless said otherwise. */
export function sampleCache(overrides: Partial<ResultSlabCache> = {}): ResultSlabCache {
  const waste = overrides.waste ?? NO_WASTE;
  return {
    name: 'kmalloc-64',
    number: 9,
    reclaimable: false,
    debug: false,
    object_size_bytes: 64,
    size_bytes: 64,
    order: 0,
    objects_per_slab: 64,
    slabs: 1,
    partial_slabs: 0,
    objects: 64,
    active_objects: 64,
    live_objects: 64,
    pages: 1,
    start_pages: 0,
    requested_bytes: 4096,
    waste_bytes: Object.values(waste).reduce((a, b) => a + b, 0),
    waste,
    allocated: 64,
    failed: 0,
    freed: 0,
    stats: { alloc_fastpath: 63, alloc_slowpath: 1, alloc_slab: 1 },
    ...overrides,
  };
}

export const NO_BACKLOG: ResultDeferred = {
  irq_works: 0,
  now: { objects: 0, slabs: 0, bytes: 0 },
  peak: { objects: 0, slabs: 0, bytes: 0 },
  peak_ns: null,
  interval_ns: 1000,
  samples: [],
};

const CACHES: readonly ResultSlabCache[] = [
  sampleCache({
    name: 'ext4_inode_cache',
    number: 60,
    reclaimable: true,
    object_size_bytes: 1184,
    size_bytes: 1192,
    order: 2,
    objects_per_slab: 13,
    slabs: 300,
    partial_slabs: 12,
    objects: 3900,
    active_objects: 3800,
    live_objects: 3780,
    pages: 1200,
    start_pages: 400,
    requested_bytes: 3780 * 1184,
    waste: {
      ...NO_WASTE,
      alignment_bytes: 3780 * 8,
      free_cpu_bytes: 20 * 1192,
      free_partial_bytes: 100 * 1192,
      tail_bytes: 1200 * 4096 - 3900 * 1192,
    },
    allocated: 4000,
    freed: 1500,
    stats: { alloc_fastpath: 3700, alloc_slowpath: 300, alloc_slab: 200, order_fallback: 3 },
  }),
  sampleCache({
    slabs: 10,
    objects: 640,
    active_objects: 600,
    live_objects: 590,
    pages: 10,
    start_pages: 12,
    requested_bytes: 590 * 64 - 5000,
    waste: {
      ...NO_WASTE,
      rounding_bytes: 5000,
      deferred_bytes: 4 * 64,
      free_cpu_bytes: 6 * 64,
      free_partial_bytes: 40 * 64,
    },
    allocated: 90_000,
    failed: 7,
    freed: 89_410,
    stats: { alloc_fastpath: 89_000, alloc_slowpath: 1000, alloc_slab: 8 },
  }),
  sampleCache({
    name: 'kmalloc-cg-8k',
    number: 51,
    size_bytes: 8192,
    object_size_bytes: 8192,
    order: 3,
    objects_per_slab: 4,
    slabs: 0,
    objects: 0,
    active_objects: 0,
    live_objects: 0,
    pages: 0,
    requested_bytes: 0,
    allocated: 0,
    stats: {},
  }),
];

/** Pages of two caches and one large object of 9,000 bytes in four pages. */
export function sampleSlab(overrides: Partial<ResultSlab> = {}): ResultSlab {
  const caches = overrides.caches ?? [...CACHES];
  const large = overrides.large ?? { live_objects: 1, pages: 4, requested_bytes: 9000 };
  const of = (value: (cache: ResultSlabCache) => number) =>
    caches.reduce((sum, each) => sum + value(each), 0);
  const rounding = large.pages * 4096 - large.requested_bytes;
  const waste = { ...NO_WASTE, rounding_bytes: rounding };
  for (const part of Object.keys(waste) as (keyof ResultSlabWaste)[])
    waste[part] += of((cache) => cache.waste[part]);
  const reclaimable = caches.filter((cache) => cache.reclaimable).reduce((sum, { pages }) => sum + pages, 0);
  const pages = of((cache) => cache.pages) + large.pages;
  return {
    caches,
    large,
    totals: {
      caches: caches.length,
      slabs: of((cache) => cache.slabs),
      objects: of((cache) => cache.objects),
      live_objects: of((cache) => cache.live_objects) + large.live_objects,
      pages,
      start_pages: of((cache) => cache.start_pages),
      reclaimable_pages: reclaimable,
      unreclaimable_pages: pages - reclaimable,
      requested_bytes: of((cache) => cache.requested_bytes) + large.requested_bytes,
      waste_bytes: of((cache) => cache.waste_bytes) + rounding,
      waste,
      allocated: of((cache) => cache.allocated),
      failed: of((cache) => cache.failed),
      freed: of((cache) => cache.freed),
      stats: { alloc_fastpath: 92_700, alloc_slowpath: 1300, alloc_slab: 208, order_fallback: 3 },
    },
    nodes: [{ node: 0, reclaimable_pages: reclaimable, unreclaimable_pages: pages - reclaimable }],
    contexts: [
      { context: 'task', allocated: 93_000, failed: 0, freed: 90_900 },
      { context: 'nmi', allocated: 1000, failed: 7, freed: 10 },
    ],
    sites: {
      known: 2,
      rows: [
        {
          site: 'ext4_alloc_inode',
          allocated: 4000,
          failed: 0,
          freed: 220,
          live_objects: 3780,
          live_bytes: 4_505_760,
        },
        {
          site: 'bpf_mem_alloc',
          allocated: 1000,
          failed: 7,
          freed: 410,
          live_objects: 590,
          live_bytes: 37_760,
        },
      ],
      others: { allocated: 89_000, failed: 0, freed: 89_000, live_objects: 0, live_bytes: 0 },
    },
    nolock: null,
    deferred: NO_BACKLOG,
    zone_stacks: [],
    memcgs: null,
    hazards: [],
    hazards_total: {},
    ...overrides,
  };
}

/** A storm of NMIs into a machine that is short of memory. */
export const SAMPLE_NOLOCK: ResultNolock = {
  requests: [
    { context: 'task', lock: 'none', size_class: '64', outcome: 'fast', cause: null, count: 400 },
    { context: 'nmi', lock: 'none', size_class: '64', outcome: 'fast', cause: null, count: 12_000 },
    { context: 'nmi', lock: 'none', size_class: '64', outcome: 'slow', cause: null, count: 300 },
    { context: 'nmi', lock: 'none', size_class: '4096', outcome: 'new_slab', cause: null, count: 25 },
    { context: 'nmi', lock: 'none', size_class: 'large', outcome: 'null', cause: 'too_large', count: 3 },
    { context: 'nmi', lock: 'cpu_slab', size_class: '64', outcome: 'next_bucket', cause: null, count: 90 },
    { context: 'nmi', lock: 'cpu_slab', size_class: '8192', outcome: 'null', cause: 'busy', count: 8 },
    {
      context: 'nmi',
      lock: 'cpu_slab_next',
      size_class: '64',
      outcome: 'null',
      cause: 'busy_twice',
      count: 2,
    },
    { context: 'nmi', lock: 'list_lock', size_class: '64', outcome: 'new_slab', cause: null, count: 7 },
    { context: 'nmi', lock: 'zone', size_class: '64', outcome: 'null', cause: 'no_pages', count: 11 },
  ],
  frees: [
    { context: 'nmi', lock: 'none', size_class: '64', outcome: 'fast', count: 100 },
    { context: 'nmi', lock: 'none', size_class: '64', outcome: 'deferred', count: 900 },
    { context: 'nmi', lock: 'zone', size_class: 'pages', outcome: 'zone_stack', count: 5 },
  ],
  extra_slabs: 7,
  stolen: [
    { node: 0, zone: 'Normal', block_type: 'movable', order: 0, count: 30 },
    { node: 0, zone: 'Normal', block_type: 'movable', order: 3, count: 2 },
    { node: 0, zone: 'DMA32', block_type: 'reclaimable', order: 0, count: 1 },
  ],
};

export const SAMPLE_BACKLOG: ResultDeferred = {
  irq_works: 41,
  now: { objects: 4, slabs: 1, bytes: 4352 },
  peak: { objects: 850, slabs: 3, bytes: 66_688 },
  peak_ns: 2_200_000_000,
  interval_ns: 512_000_000,
  samples: [
    { ts_ns: 1_000_000_000, objects: 2, slabs: 0, bytes: 128 },
    { ts_ns: 1_512_000_000, objects: 400, slabs: 1, bytes: 29_696 },
    { ts_ns: 2_024_000_000, objects: 850, slabs: 3, bytes: 66_688 },
    { ts_ns: 2_536_000_000, objects: 4, slabs: 1, bytes: 4352 },
  ],
};

export const SAMPLE_DEADLOCK: ResultHazard = {
  kind: 'deadlock',
  event: 4711,
  ts_ns: 1_500_000_000,
  cpu: 1,
  wanted: 'list_lock of kmalloc-64, node 0',
  stack: [
    { context: 'task', operation: 'kfree', locks: ['list_lock of kmalloc-64, node 0'] },
    { context: 'nmi', operation: 'kmalloc', locks: [] },
  ],
  text: 'kmalloc in an NMI waits for what kfree holds',
};

export const SAMPLE_MEMCGS: ResultMemcgs = {
  cgroups: 23,
  usage_pages: 1000,
  refused: 7,
  uncharged: { softirq: 0, hardirq: 2, nmi: 40, no_vector: 3 },
  rows: [
    {
      path: '/pods/a',
      online: true,
      usage_pages: 512,
      usage_bytes: 512 * 4096,
      max_pages: 512,
      peak_pages: 512,
      own_pages: 512,
      object_bytes: 1_048_576,
      kmem_pages: 64,
      refused: 7,
    },
    {
      path: `/kubepods.slice/${'x'.repeat(60)}/web`,
      online: false,
      usage_pages: 256,
      usage_bytes: 256 * 4096,
      max_pages: null,
      peak_pages: 300,
      own_pages: 256,
      object_bytes: 65_536,
      kmem_pages: 0,
      refused: 0,
    },
  ],
  others: { cgroups: 21, own_pages: 232, object_bytes: 4096, kmem_pages: 0, refused: 0 },
};

/** Everything that the section can have. */
export function busySlab(): ResultSlab {
  return sampleSlab({
    nolock: SAMPLE_NOLOCK,
    deferred: SAMPLE_BACKLOG,
    zone_stacks: [
      { node: 0, zone: 'DMA32', pages: 0, peak_pages: 0 },
      { node: 0, zone: 'Normal', pages: 2, peak_pages: 5 },
    ],
    memcgs: SAMPLE_MEMCGS,
    hazards: [SAMPLE_DEADLOCK],
    hazards_total: { deadlock: 3 },
  });
}
