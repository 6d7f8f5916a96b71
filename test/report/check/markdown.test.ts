import { describe, expect, test } from 'vitest';
import { renderCheckMarkdown } from '../../../src/report/check/markdown.js';
import { markdownShape } from './readers.js';
import { exceededItem, fullCheck, sampleCheck, sampleItem } from './sample-check.js';

describe('Markdown', () => {
  test('verdict, table of failures, reasons, notes, the rest folded', () => {
    const text = renderCheckMarkdown(fullCheck());
    expect(text).toContain('## spbsim check: FAILED 4 of 6 budgets\n\n|  | budget | trace |');
    expect(text).toContain(
      '| **exceeded** | `unusable_index.Normal.9 <= +2%` | `workloads/slab-ramp` | `spb-v2+pcp.batch_scale_max=4` | median of seeds | 0.42 | 0.306 | 0.3 | +40 % | over by 0.114 (37 %) |',
    );
    expect(text).toContain(
      '- `spb_tainted <= 20` on `workloads/slab-ramp`, written at `ci/budget.yaml:14`, why: `tainted superpageblocks never come back`, see: `spbsim run',
    );
    expect(text).toContain('<details><summary>2 within limits</summary>\n\n| budget |');
    expect(text).toContain(
      '| `spb_tainted <= 20` | `workloads/fs-churn` | `spb-v2` | seed 1 | 14 | 20 | 6 (30 %) |',
    );
    expect(text).toMatch(
      /\n\nspbsim `0\.1\.0`, 2 runs, budget `ci\/budget\.yaml`, baseline `ci\/baseline\.json`\n$/,
    );
  });

  test('a parser sees two tables and one fold', () => {
    const shape = markdownShape(renderCheckMarkdown(fullCheck()));
    const count = (type: string) => shape.filter((node) => node.startsWith(type)).length;
    expect(count('table_open')).toBe(2);
    expect(count('tr_open')).toBe(1 + 4 + 1 + 2);
    expect(shape.filter((node) => node.startsWith('html'))).toEqual([
      'html_block <details><summary>2 within limits</summary>\n',
      'html_block </details>\n',
    ]);
  });

  test.each([
    ['a`b', 'a`b'],
    ['`', '`'],
    ['``a``', '``a``'],
    [' a ', ' a '],
    ['GFP_KERNEL|__GFP_ZERO', 'GFP_KERNEL|__GFP_ZERO'],
    ['a\\', 'a\\'],
    ['a\\|b', 'a\\ |b'],
    ['&lt;b&gt;', '&lt;b&gt;'],
    ['', '(empty)'],
  ])('%j reads as it is: %j', (name, read) => {
    const codes: string[] = [];
    markdownShape(
      renderCheckMarkdown(sampleCheck([sampleItem({ trace: name })], { notes: [] })),
      (content) => {
        codes.push(content);
        return '';
      },
    );
    expect(codes[1]).toBe(read);
  });

  test('nothing failed: no table of failures; nothing within: no fold', () => {
    const passed = renderCheckMarkdown(sampleCheck([sampleItem()], { notes: [] }));
    expect(passed).toMatch(/^## spbsim check: passed 1 budget\n\n<details>/);
    expect(renderCheckMarkdown(sampleCheck([exceededItem()]))).not.toContain('<details>');
  });

  test.each([600, 1000, 2500, 5000, 20_000])('in %i bytes: cut between lines, and it says so', (room) => {
    const items = [
      ...Array.from({ length: 20 }, (_, seed) =>
        exceededItem({ seed, why: '日'.repeat(seed % 2 === 0 ? 99 : 1) }),
      ),
      ...Array.from({ length: 60 }, (_, seed) => sampleItem({ seed, trace: '日'.repeat(60) })),
    ];
    const text = renderCheckMarkdown(sampleCheck(items), room);
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(room);
    expect(text).toContain('FAILED 20 of 80');
    const written = (text.match(/^(\| \*\*|\| `|- )/gm) ?? []).length;
    const [, left = '0'] = /^\*\*(\d+) lines? left out/m.exec(text) ?? [];
    expect(written + Number(left)).toBe(20 + 20 + 1 + 60);
    expect(text.match(/<details>/g)?.length).toBe(text.match(/<\/details>/g)?.length);
  });

  test('what is left out is the end of it: no line stands where a longer one before it had no room', () => {
    const items = [60, 60, 60, 1, 1].map((length) => exceededItem({ trace: 'x'.repeat(length) }));
    const lines = renderCheckMarkdown(sampleCheck(items)).split('\n');
    for (let room = 700; room < 3000; room += 10) {
      const text = renderCheckMarkdown(sampleCheck(items), room);
      const kept = (text.match(/^(\| \*\*|- ).*/gm) ?? []) as string[];
      expect(kept).toEqual(lines.filter((line) => /^(\| \*\*|- )/.test(line)).slice(0, kept.length));
    }
  });

  test('never more than GitHub takes', () => {
    const items = Array.from({ length: 20_000 }, (_, seed) => exceededItem({ seed }));
    const bytes = Buffer.byteLength(renderCheckMarkdown(sampleCheck(items)));
    expect(bytes).toBeLessThan(1 << 20);
    expect(bytes).toBeGreaterThan(900_000);
  });
});
