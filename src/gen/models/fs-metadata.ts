/**
 * A btrfs filesystem under creation and removal of files: extent buffers that are copied with every change and freed at
 * commits, inodes and dentries, small files, and large ones that are read.
 *
 * What the pages of the metadata may do is the point: until recently extent buffers were not movable, and one of the
 * superpageblock patches makes those of the btree inode so. model: spb 1.3
 */
import { ExtentBuffers, NODE_PAGES } from '../actors/extent-buffers.js';
import { Marks } from '../actors/marks.js';
import { PageCache } from '../actors/page-cache.js';
import { Processes } from '../actors/processes.js';
import { FILE_PAGES, SmallFiles } from '../actors/small-files.js';
import { count, order, rate, share, time } from '../options.js';
import { MAX_FOLIO_ORDER } from '../page-mix.js';
import { checkFits, defineWorkload, restForCache } from '../workload.js';
import { FILL_PART, kernelPages, polyline, pool, reclaimableSlab } from './parts.js';

/** slab pages that an inode, its dentry and its extents take */
const SLAB_PAGES_PER_FILE = 0.35;
/** of tree nodes that are copied for one file; files share most of their paths */
const MAX_COPIES = 1000;
const PROCESSES = 16;

export const fsMetadata = defineWorkload({
  name: 'fs-metadata',
  summary: 'btrfs under creation and removal of files; metadata movable as far as you say',
  defaults: { memory: '16GiB', nodes: 1, cpus: 8, duration: '2min' },
  options: {
    'movable-fraction': share('0%', 'extent buffers whose pages are movable'),
    metadata: share('8%', 'extent buffers, of memory; those that wait for the commit come on top'),
    files: rate('500', 'files created, and removed, per second'),
    'copies-per-file': count('4', 'tree nodes of 16 KiB that are copied for each', MAX_COPIES),
    commit: time('30s', 'between two commits'),
    'small-files': share('15%', 'page cache of small files, of memory'),
    slab: share('8%', 'inodes, dentries and the like, of memory'),
    kernel: share('2%', 'pages that the kernel keeps for itself, of memory'),
    anon: share('15%', 'anonymous memory, of memory'),
    thp: share('50%', 'huge pages, of anonymous memory'),
    used: share('105%', 'memory in use, of all; above 100% reclaim has to run', 2),
    churn: share('30%', 'page cache of large files that is read in per minute, of memory', 100),
    'folio-order': order('4', 'largest folio of large files', MAX_FOLIO_ORDER),
  },
  build(world, options) {
    const { metadata, slab, kernel, anon, used, files } = options;
    const smallFiles = options['small-files'];
    const movable = options['movable-fraction'];
    const fill_ns = world.time(FILL_PART);
    const copies = files * options['copies-per-file'];
    const waiting = Math.min(metadata, (copies * (options.commit / 1e9) * NODE_PAGES) / world.pages(1));
    checkFits({ metadata: metadata + waiting, slab, kernel, anon });
    const filling = (pages: number) =>
      polyline([
        [0, 0],
        [fill_ns, pages],
      ]);
    const actors = [
      new Marks(world, [
        ['fill', 0],
        ['steady', fill_ns],
      ]),
      new ExtentBuffers(world, {
        target_pages: world.pages(metadata),
        waiting_pages: world.pages(waiting),
        fill_ns,
        movable,
        copies_per_second: copies,
        commit_ns: options.commit,
      }),
      new SmallFiles(world, {
        count: Math.floor(world.pages(smallFiles) / FILE_PAGES),
        fill_ns,
        per_second: files,
      }),
      new PageCache(world, {
        target_pages: restForCache(world, used, { metadata, slab, kernel, anon, 'small-files': smallFiles }),
        fill_ns,
        churn_pages: world.pages(options.churn) / 60,
        maxFolioOrder: options['folio-order'],
        writes: 0.2,
        deletes: 0.1,
      }),
      pool(world, {
        name: 'slab',
        mix: reclaimableSlab(world),
        target: filling(world.pages(slab)),
        most_pages: world.pages(slab),
        turnover: (files * SLAB_PAGES_PER_FILE * 60) / Math.max(1, world.pages(slab)),
      }),
      pool(world, {
        name: 'kernel',
        mix: kernelPages(world),
        target: filling(world.pages(kernel)),
        most_pages: world.pages(kernel),
        turnover: 0.1,
      }),
      new Processes(world, {
        name: 'processes',
        count: PROCESSES,
        pages: world.pages(anon) / PROCESSES,
        thp: options.thp,
        huge: world.requests.huge,
        fill_ns,
        lifetime_ns: world.scale.duration_ns,
        bound: false,
      }),
    ];
    return [{ actors, until_ns: world.scale.duration_ns }];
  },
});
