/** How a recording's slab caches are held against slabinfo: which moment counts, and what is counted of each cache. */
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import type { VerifySlabCache, VerifySlabs } from '../../src/report/verify-result.js';
import { verifySchema } from '../../src/report/verify-schema.js';
import { renderVerify } from '../../src/report/verify-text.js';
import { verifyInput } from '../../src/sim/verify/verify-input.js';
import { NEEDS_REFERENCE, REFERENCE } from '../oracle/material.js';

const RECORDING = fileURLToPath(new URL('../trace/data/recording', import.meta.url));
/** name, active and all objects, slabs; 21 of 192 bytes to a page */
const filp = (active: number, slabs: number) =>
  `filp ${active} ${slabs * 21} 192 21 1 : tunables 0 0 0 : slabdata ${slabs} ${slabs} 0\n`;

/** Lines of a trace of one CPU and task, 1 us apart. */
class Lines {
  readonly #lines: string[] = [];
  #pfn = 0x11_0000;

  event(text: string): this {
    const us = String(this.#lines.length).padStart(6, '0');
    this.#lines.push(`            sh-7     [000] .....  100.${us}: ${text}`);
    return this;
  }

  mark(name: string): this {
    return this.event(`tracing_mark_write: spbsim: ${name}`);
  }

  alloc(cache: string, ...pointers: number[]): this {
    for (const pointer of pointers)
      this.event(
        `kmem_cache_alloc: call_site=do_it+0x1/0x2 ptr=${hex(pointer)} name=${cache} bytes_req=184 bytes_alloc=192 gfp_flags=GFP_KERNEL node=-1 accounted=false`,
      );
    return this;
  }

  free(cache: string, ...pointers: number[]): this {
    for (const pointer of pointers)
      this.event(`kmem_cache_free: call_site=undo_it+0x1/0x2 ptr=${hex(pointer)} name=${cache}`);
    return this;
  }

  /** A page that the kernel takes for a slab. */
  slab(): this {
    return this.event(
      `mm_page_alloc: page=0000000000000001 pfn=${hex(this.#pfn++)} order=0 migratetype=0 gfp_flags=GFP_KERNEL|__GFP_NOWARN|__GFP_NORETRY|__GFP_COMP`,
    );
  }

  /** The recorder's files up to slabinfo; `during` happens while that is open. */
  files(during: (lines: this) => void = () => {}): this {
    for (let file = 0; file < 5; file++) this.alloc('seq_file', 0xf).free('seq_file', 0xf);
    this.alloc('seq_file', 0xf);
    during(this);
    return this.free('seq_file', 0xf);
  }

  get text(): string {
    return `# tracer: nop\n${this.#lines.join('\n')}\n`;
  }
}

const hex = (value: number) => `0x${value.toString(16).padStart(16, '0')}`;
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

async function verify(lines: Lines, before: string, after: string) {
  const directory = join(await mkdtemp(join(tmpdir(), 'spbsim-slabs-')), 'recording');
  await cp(RECORDING, directory, { recursive: true });
  await rm(join(directory, 'trace.gz'));
  await writeFile(join(directory, 'trace'), lines.text);
  await writeFile(join(directory, 'before/slabinfo'), `slabinfo - version: 2.1\n${before}`);
  await writeFile(join(directory, 'after/slabinfo'), `slabinfo - version: 2.1\n${after}`);
  return verifyInput({ input: directory, policy: undefined, overrides: [], check: true });
}

async function slabsOf(lines: Lines, before: string, after: string): Promise<VerifySlabs> {
  return (await verify(lines, before, after)).recording!.slabs!;
}

/** Two slabs, both a CPU's and half free: 10 objects on CPU 0 need no new one. 50 more do, and the kernel made two of three. */
function workload(during: (lines: Lines) => void = () => {}): Lines {
  const lines = new Lines().alloc('filp', 1, 2, 3).mark('before').files().mark('workload');
  lines.alloc('filp', ...range(100, 110)).slab();
  lines.alloc('filp', ...range(110, 140)).slab();
  lines.alloc('filp', ...range(140, 160));
  return lines.mark('after').files(during).mark('end');
}

describe('slab caches of a recording', () => {
  test('begin with what before/slabinfo counted when it was read: objects from before are in it', async () => {
    const slabs = await slabsOf(workload(), filp(42, 2), filp(105, 5));
    // Three objects, and the files up to slabinfo: six, opened and closed.
    expect([slabs.moment, slabs.left_out_events]).toEqual(['slabinfo', 3 + 12]);
    expect(slabs.caches).toEqual([
      {
        name: 'filp',
        order: 0,
        slabs: { before: 2, real: 5, predicted: 5 },
        predicted_least: 5,
        predicted_most: 5,
        error_slabs: 0,
        active_objects: { before: 42, real: 105, predicted: 105 },
        made: { recorded: 2, predicted: 3 },
        causes: { allocated: 60, freed: 0, implied_frees: 0, start_frees: 0, unknown_frees: 0 },
      },
    ] satisfies VerifySlabCache[]);
    // The slab of seq_file is the model's, which after/slabinfo does not list.
    expect(slabs.pages.orders).toEqual([{ order: 0, recorded: 2, predicted: 4, in_common: 2 }]);
  });

  test.each([
    ['less than ever', 4, 5, 1],
    ['what there was first', 5, 5, 0],
    ['what there was in between', 6, 6, 0],
    ['what there was last', 7, 7, 0],
    ['more than ever', 9, 7, -2],
  ])('count as predicted while slabinfo is read: %s', async (_, real, predicted, error) => {
    const lines = workload((open) => open.alloc('filp', ...range(200, 242)));
    const [cache] = (await slabsOf(lines, filp(42, 2), filp(0, real))).caches;
    expect(cache).toMatchObject({ predicted_least: 5, predicted_most: 7, error_slabs: error });
    expect(cache!.slabs.predicted).toBe(predicted);
  });

  test('are compared at the mark where the readings are not in the trace, and at the end without one', async () => {
    const plain = new Lines().alloc('filp', ...range(100, 160));
    const marked = new Lines().alloc('filp', ...range(100, 160)).mark('after');
    const rest = range(200, 242);
    const [atEnd, atMark] = [
      await slabsOf(plain.alloc('filp', ...rest), filp(42, 2), filp(0, 5)),
      await slabsOf(marked.alloc('filp', ...rest), filp(42, 2), filp(0, 5)),
    ];
    expect([atEnd.moment, atEnd.left_out_events, atEnd.caches[0]!.slabs.predicted]).toEqual(['end', 0, 7]);
    expect([atMark.moment, atMark.left_out_events, atMark.caches[0]!.slabs.predicted]).toEqual([
      'mark',
      0,
      5,
    ]);
  });

  test('tell why they may differ: what the trace does not show of their objects', async () => {
    const lines = new Lines().alloc('filp', 1, 2, 3).free('filp', 3);
    // 1 and 2 come back without a free; 50 was there before, and so were the others, until none is left.
    lines.alloc('filp', 1, 2).free('filp', ...range(50, 80));
    const [cache] = (await slabsOf(lines, filp(42, 2), filp(42, 2))).caches;
    const alive = 2 * 11;
    expect(cache!.causes).toEqual({
      allocated: 5,
      freed: 1 + 30,
      implied_frees: 2,
      start_frees: alive,
      unknown_frees: 30 - alive,
    });
  });

  test('get the recorded slabs that they needed: a vector of charges in between has its own', async () => {
    const lines = new Lines()
      .alloc('filp', ...range(100, 110))
      .slab()
      .slab();
    lines.event(
      `kmalloc: call_site=alloc_slab_obj_exts+0x1/0x2 ptr=${hex(0x900)} bytes_req=168 bytes_alloc=192 gfp_flags=GFP_KERNEL node=-1 accounted=false`,
    );
    lines.alloc('filp', 110).slab().alloc('filp', 111);
    const empty = (shape: string) => `0 0 ${shape} : tunables 0 0 0 : slabdata 0 0 0\n`;
    const kmalloc = `kmalloc-192 ${empty('192 21 1')}kmalloc-8 ${empty('8 512 1')}`;
    const { caches } = await slabsOf(lines, filp(42, 2) + kmalloc, filp(63, 3) + kmalloc);
    const recorded = Object.fromEntries(caches.map(({ name, made }) => [name, made.recorded]));
    expect(recorded).toEqual({ filp: 2, 'kmalloc-192': 1, 'kmalloc-8': 0 });
  });

  test('are told at a glance', async () => {
    const result = await verify(workload(), filp(42, 2), filp(105, 7));
    expect(verifySchema.parse(JSON.parse(JSON.stringify(result)))).toEqual(result);
    const text = renderVerify(result);
    expect(text).toContain(
      '  slabs           0 of 1 cache equal, 0 within one slab when slabinfo was read: slabs predicted +3, real +5\n',
    );
    expect(text).toContain('made order 0 4, recorded 2: 50.0 % in the same 100 ms\n');
    expect(text).toMatch(/\n +filp +0 +2 +\+3 +\+5 +-2 +0 +3 +2\n/);
  });
});

describe.skipIf(REFERENCE === undefined)(`slab caches of a live machine ${NEEDS_REFERENCE}`, () => {
  test('slab-churn: nearly all as predicted, and the slabs that it made', async () => {
    const input = join(REFERENCE!, 'recordings/slab-churn');
    const result = await verifyInput({ input, policy: undefined, overrides: [], check: false });
    const { caches, moment, pages } = result.recording!.slabs!;
    expect(moment).toBe('slabinfo');
    expect(caches).toHaveLength(235);
    expect(caches.filter(({ error_slabs }) => error_slabs === 0).length).toBeGreaterThanOrEqual(224);
    expect(caches.filter(({ error_slabs }) => Math.abs(error_slabs) <= 2).length).toBeGreaterThanOrEqual(230);
    const inode = caches.find(({ name }) => name === 'ext4_inode_cache')!;
    expect(inode.made.recorded).toBe(307);
    expect(Math.abs(inode.made.predicted - 307)).toBeLessThanOrEqual(3);
    // Maple nodes are freed in bulk, which no event tells.
    expect(caches[0]!.name).toBe('maple_node');
    expect(caches[0]!.causes.implied_frees).toBeGreaterThan(2000);
    const most = pages.orders.reduce((sum, row) => sum + Math.max(row.recorded, row.predicted), 0);
    const common = pages.orders.reduce((sum, row) => sum + row.in_common, 0);
    expect(common / most).toBeGreaterThan(0.9);
  });
});
