/** Slab caches and calls from any context in the summary, and what --verbose adds. */
import { stripVTControlCharacters } from 'node:util';
import { describe, expect, test } from 'vitest';
import { hazardLines, nolockLines, renderNolockDetails } from '../../../src/report/slab/nolock-text.js';
import { renderSlabDetails, slabLines } from '../../../src/report/slab/slab-text.js';
import { renderSummary } from '../../../src/report/summary-text.js';
import { plainStyle, type TextStyle } from '../../../src/report/text-style.js';
import { sampleResult } from '../sample-result.js';
import {
  busySlab,
  NO_BACKLOG,
  NO_WASTE,
  SAMPLE_DEADLOCK,
  type SAMPLE_NOLOCK,
  sampleCache,
  sampleSlab,
} from './sample-slab.js';

const FIRST_NS = 1_000_000_000;

/** Colours as a terminal gets them. */
const COLOURS: TextStyle = {
  good: (text) => `\u001b[32m${text}\u001b[39m`,
  bad: (text) => `\u001b[31m${text}\u001b[39m`,
  warn: (text) => `\u001b[33m${text}\u001b[39m`,
  dim: (text) => `\u001b[2m${text}\u001b[22m`,
  heading: (text) => `\u001b[1m${text}\u001b[22m`,
};

describe('slab caches at a glance', () => {
  test('the largest with where their bytes go, and the sums', () => {
    expect(slabLines(busySlab(), plainStyle).join('\n')).toBe(
      `Slab caches         pages  change  slabs  objects   live  failed    used     waste           mostly
  ext4_inode_cache  1,200    +800    300    3,900  3,780       0  91.1 %   429 KiB      tail 60.6 %
  kmalloc-64           10      -2     10      640    590       7  80.0 %  8.01 KiB  rounding 61.0 %
Slab totals  4.74 MiB (+802 pages)   reclaimable 4.69 MiB, unreclaimable 56 KiB
             requested 4.31 MiB, 90.8 %   large objects 16 KiB
Slab waste   445 KiB:   rounding 12.1 KiB   alignment 29.5 KiB   deferred 256 B
             free on CPUs 23.7 KiB   free on lists 119 KiB   tail 260 KiB
Slab calls   allocated 94,000   7 failed   freed 90,910   fast path 98.6 %
             208 slabs made, 3 of lower order   nmi: 1,000 allocated, 7 failed, 10 freed
Memory cgroups                              charged    max      peak  objects    pages  refused
  /pods/a                                     2 MiB  2 MiB     2 MiB    1 MiB  256 KiB        7
  …xxxxxxxxxxxxxxxxxxxxxxxxx/web (offline)    1 MiB      -  1.17 MiB   64 KiB      0 B        0
  21 cgroups more with 928 KiB
Not charged  2 objects of hardirq with nobody to pay   40 objects of nmi with nobody to pay
             3 objects without memory for a vector`,
    );
  });

  test('ten caches, the others in one line; those that shrank are among them', () => {
    const caches = Array.from({ length: 14 }, (_, number) =>
      sampleCache({
        name: `cache-${number}`,
        number,
        pages: 20 - number,
        start_pages: number === 13 ? 90 : 0,
      }),
    );
    const lines = slabLines(sampleSlab({ caches }), plainStyle);
    expect(lines[1]).toMatch(/^ {2}cache-13 +7 +-83 /);
    expect(lines.slice(1, 11).map((line) => line.trim().split(' ')[0])).toEqual([
      'cache-13',
      ...Array.from({ length: 9 }, (_, number) => `cache-${number}`),
    ]);
    // 11 + 10 + 9 + 8 pages
    expect(lines[11]).toBe('  4 caches more with 38 pages (--verbose)');
  });

  test('no column for failures where there are none, no lines for calls without calls', () => {
    const caches = [sampleCache({ allocated: 0 })];
    const quiet = sampleSlab({
      caches,
      large: { live_objects: 0, pages: 0, requested_bytes: 0 },
      contexts: [],
    });
    expect(slabLines(quiet, plainStyle).join('\n')).toBe(
      `Slab caches   pages  change  slabs  objects  live   used  waste  mostly
  kmalloc-64      1      +1      1       64    64  100 %    0 B
Slab totals  4 KiB (+1 page)   reclaimable 0 B, unreclaimable 4 KiB   requested 4 KiB, 100 %
Slab waste   0 B`,
    );
  });

  test('a machine whose caches are empty says so', () => {
    const caches = [sampleCache({ pages: 0, slabs: 0, allocated: 0, requested_bytes: 0 })];
    const large = { live_objects: 0, pages: 0, requested_bytes: 0 };
    expect(slabLines(sampleSlab({ caches, large }), plainStyle)[0]).toBe(
      'Slab caches  no slab in any of 1 cache',
    );
  });

  test('names of a trace stay in one line and do not move the columns away', () => {
    const caches = [sampleCache({ name: `evil\n::error::\u001b[2J${'x'.repeat(500)}` })];
    const slab = sampleSlab({ caches });
    const short = slabLines(slab, plainStyle);
    const details = renderSlabDetails(slab);
    for (const text of [short.join('\n'), details]) {
      expect(stripVTControlCharacters(text)).toBe(text);
      expect(text).not.toContain('::error');
    }
    expect(short[1]).toMatch(/^ {2}evil : :error::x+… {2}/);
    expect(Math.max(...short.map((line) => line.length))).toBeLessThanOrEqual(120);
  });
});

describe('calls from any context at a glance', () => {
  test('by what they interrupted, by size where it went wrong, and what they left behind', () => {
    expect(nolockLines(busySlab(), FIRST_NS, plainStyle).join('\n')).toBe(
      `Any context               calls    fast  slow  next bucket  new slab  NULL  failed  because of
  task    none              400     400     0            0         0     0     0 %
  nmi     none           12,328  12,000   300            0        25     3   0.1 %  too large 3
  nmi     cpu_slab           98       0     0           90         0     8   8.2 %  busy 8
  nmi     cpu_slab+next       2       0     0            0         0     2   100 %  busy twice 2
  nmi     list_lock           7       0     0            0         7     0     0 %
  nmi     zone               11       0     0            0         0    11   100 %  no pages 11
By size class   calls    fast  slow  next bucket  new slab  NULL  failed  because of
  64           12,810  12,400   300           90         7    13   0.1 %  busy twice 2, no pages 11
  8192              8       0     0            0         0     8   100 %  busy 8
  large             3       0     0            0         0     3   100 %  too large 3
  1 more, all served from the right bucket (--verbose)
Freed        1,005 from any context   100 at once   900 deferred (89.6 %)   5 left on a zone's stack
Side effects 7 slabs made though a locked list had free slots
             46 unmovable pages out of movable pageblocks
             1 unmovable page out of reclaimable pageblocks
Deferred     irq_work queued 41 times   at most 850 objects, 3 slabs, 65.1 KiB   the peak at 1.20 s
             still waiting: 4 objects, 1 slab, 4.25 KiB   over time ▁▄█▁
Zone stacks  node 0 Normal 2 pages stranded, 5 at most`,
    );
  });

  test('nothing where nothing was called', () => {
    expect(nolockLines(sampleSlab(), FIRST_NS, plainStyle)).toEqual([]);
    expect(hazardLines(sampleSlab(), FIRST_NS, plainStyle)).toEqual([]);
    expect(renderNolockDetails(sampleSlab(), FIRST_NS)).toBe('');
  });

  test('asking for no bytes is told, and is no failure', () => {
    const requests: (typeof SAMPLE_NOLOCK)['requests'] = [
      { context: 'nmi', lock: 'none', size_class: '8', outcome: 'zero_size', cause: null, count: 9 },
      { context: 'nmi', lock: 'none', size_class: '8', outcome: 'null', cause: 'build', count: 1 },
    ];
    const slab = sampleSlab({ nolock: { requests, frees: [], extra_slabs: 0, stolen: [] } });
    const lines = nolockLines(slab, FIRST_NS, plainStyle);
    expect(lines[0]).toContain('new slab  0 bytes  NULL');
    expect(lines[1]).toMatch(/ 9 +1 +100 % {2}build 1$/);
  });

  test('only deferred work: its line stands alone', () => {
    const deferred = {
      ...NO_BACKLOG,
      irq_works: 2,
      peak: { objects: 1, slabs: 0, bytes: 64 },
      peak_ns: FIRST_NS,
    };
    expect(nolockLines(sampleSlab({ deferred }), FIRST_NS, plainStyle).join('\n')).toBe(
      `Deferred     irq_work queued 2 times   at most 1 object, 0 slabs, 64 B   the peak at 0 ns
             nothing left`,
    );
  });
});

describe('hazards', () => {
  test('with the stack of contexts and what each holds', () => {
    expect(hazardLines(busySlab(), FIRST_NS, plainStyle).join('\n')).toBe(
      `Hazards      deadlock 3
  event 4,711  at 500.0 ms  CPU 1  kmalloc in an NMI waits for what kfree holds
    task kfree holding list_lock of kmalloc-64, node 0 < nmi kmalloc
    wants list_lock of kmalloc-64, node 0`,
    );
  });

  test('come right behind the header of the summary, in colour', () => {
    const sections = renderSummary(sampleResult({ slab: busySlab() }), COLOURS).split('\n\n');
    expect(sections[1]).toContain('\u001b[31mdeadlock 3\u001b[39m');
    const calm = renderSummary(sampleResult({ slab: sampleSlab() }));
    expect(calm).not.toContain('Hazards');
  });

  test('no more than five in full', () => {
    const hazards = Array.from({ length: 9 }, (_, event) => ({ ...SAMPLE_DEADLOCK, event }));
    const lines = hazardLines(sampleSlab({ hazards, hazards_total: { deadlock: 9 } }), FIRST_NS, plainStyle);
    expect(lines.filter((line) => line.startsWith('  event'))).toHaveLength(5);
  });
});

describe('--verbose', () => {
  test('every cache with its shape and every cause of waste, sites, counters', () => {
    expect(renderSlabDetails(busySlab())).toBe(
      `All slab caches     pages  change  slabs  objects   live  failed    used  partial  object   slot  order
  ext4_inode_cache  1,200    +800    300    3,900  3,780       0  91.1 %       12   1,184  1,192      2
  kmalloc-64           10      -2     10      640    590       7  80.0 %        0      64     64      0

Bytes of slabs      requested     waste  rounding  alignment  deferred  free on CPUs  free on lists     tail
  ext4_inode_cache   4.27 MiB   429 KiB       0 B   29.5 KiB       0 B      23.3 KiB        116 KiB  260 KiB
  kmalloc-64         32.0 KiB  8.01 KiB  4.88 KiB        0 B     256 B         384 B       2.50 KiB      0 B

  1 cache without a slab

Slab call sites      live     slots  allocated  failed   freed
  ext4_alloc_inode  3,780  4.30 MiB      4,000       0     220
  bpf_mem_alloc       590  36.9 KiB      1,000       7     410
  all others            0       0 B     89,000       0  89,000

Counters     alloc_fastpath 92,700   alloc_slowpath 1,300   alloc_slab 208   order_fallback 3
  ext4_inode_cache
    alloc_fastpath 3,700   alloc_slowpath 300   alloc_slab 200   order_fallback 3
  kmalloc-64
    alloc_fastpath 89,000   alloc_slowpath 1,000   alloc_slab 8
`,
    );
  });

  test('debugged caches are marked and their metadata has a column', () => {
    const caches = [
      sampleCache({ debug: true, size_bytes: 256, waste: { ...NO_WASTE, debug_bytes: 12_288 } }),
    ];
    const text = renderSlabDetails(sampleSlab({ caches }));
    expect(text).toContain('  kmalloc-64 (debug)');
    expect(text).toMatch(/waste +debug\n.*12 KiB +12 KiB/);
  });

  test('every cell of the matrix, and the backlog over time', () => {
    expect(renderNolockDetails(busySlab(), FIRST_NS)).toBe(
      `Any context, by lock and class   calls    fast  slow  next bucket  new slab  NULL  failed  because of
  task    none          64         400     400     0            0         0     0     0 %
  nmi     none          64      12,300  12,000   300            0         0     0     0 %
  nmi     none          4096        25       0     0            0        25     0     0 %
  nmi     none          large        3       0     0            0         0     3   100 %  too large 3
  nmi     cpu_slab      64          90       0     0           90         0     0     0 %
  nmi     cpu_slab      8192         8       0     0            0         0     8   100 %  busy 8
  nmi     cpu_slab+next 64           2       0     0            0         0     2   100 %  busy twice 2
  nmi     list_lock     64           7       0     0            0         7     0     0 %
  nmi     zone          64          11       0     0            0         0    11   100 %  no pages 11

Deferred    objects  slabs     bytes
  0 ns            2      0     128 B
  512.0 ms      400      1    29 KiB
  1.02 s        850      3  65.1 KiB
  1.54 s          4      1  4.25 KiB
  the most that waited in each 512.0 ms
`,
    );
  });

  test('a long series has forty lines, of which none misses the peak', () => {
    const samples = Array.from({ length: 512 }, (_, at) => ({
      ts_ns: FIRST_NS + at * 1000,
      objects: at === 300 ? 99_999 : 1,
      slabs: 0,
      bytes: 64,
    }));
    const deferred = { ...NO_BACKLOG, samples, interval_ns: 1000, peak_ns: FIRST_NS };
    const lines = renderNolockDetails(sampleSlab({ deferred }), FIRST_NS).trimEnd().split('\n');
    expect(lines).toHaveLength(1 + 40 + 1);
    expect(lines.join('\n')).toContain('99,999');
    expect(lines.at(-1)).toBe('  the most that waited in each 13.0 us');
  });
});

describe('width and colour', () => {
  test('the short form fits a page of 100 columns', () => {
    const slab = busySlab();
    const lines = [
      ...hazardLines(slab, FIRST_NS, plainStyle),
      ...slabLines(slab, plainStyle),
      ...nolockLines(slab, FIRST_NS, plainStyle),
    ];
    expect(lines.filter((line) => line.length > 100)).toEqual([]);
  });

  test('colours change no character and no break of a line', () => {
    const slab = busySlab();
    const texts = (style: TextStyle) =>
      [
        renderSummary(sampleResult({ slab }), style),
        renderSlabDetails(slab, style),
        renderNolockDetails(slab, FIRST_NS, style),
      ].join('');
    expect(texts(COLOURS)).not.toBe(texts(plainStyle));
    expect(stripVTControlCharacters(texts(COLOURS))).toBe(texts(plainStyle));
  });
});
