import { expect, test } from 'vitest';
import {
  PAGE_CLASS_MASK,
  PageClass,
  PageMark,
  readKpageflags,
} from '../../../../src/trace/recording/snapshot/kpageflags.js';
import { errorOf, pieces } from '../../helpers.js';

/** Words from bit numbers. */
function words(...pages: readonly (readonly number[])[]): Uint8Array {
  const bytes = Buffer.alloc(pages.length * 8);
  pages.forEach((bits, page) => {
    bytes.writeBigUInt64LE(
      bits.reduce((word, bit) => word | (1n << BigInt(bit)), 0n),
      page * 8,
    );
  });
  return bytes;
}

const sample = words(
  [32],
  [10],
  [10],
  [7, 15],
  [16],
  [12, 14, 22, 15, 5],
  [16, 22],
  [3, 5],
  [26],
  [15, 17],
  [20],
  [],
  [5, 18],
);

test.each([1, 7, 8, 64, undefined])('every page has a class, in pieces of %s', async (size) => {
  const { classes, counts } = await readKpageflags(pieces(sample, size), 'k');
  const { compound_head: head, compound_tail: tail, thp, unevictable } = PageMark;
  expect([...classes]).toEqual([
    PageClass.reserved,
    PageClass.free,
    PageClass.free,
    PageClass.slab | head,
    PageClass.slab | tail,
    PageClass.anon | head | thp,
    PageClass.anon | tail | thp,
    PageClass.file,
    PageClass.page_table,
    PageClass.huge | head,
    PageClass.absent,
    PageClass.other,
    PageClass.file | unevictable,
  ]);
  expect(counts[PageClass.free]).toBe(2);
  expect(counts.reduce((a, b) => a + b)).toBe(13);
});

test('the words can be kept', async () => {
  const { raw } = await readKpageflags(pieces(sample, 11), 'k', { keepRaw: true });
  expect(raw?.[1]).toBe(1 << 10);
  expect(raw).toHaveLength(13);
});

test('a large machine', async () => {
  const pages = 3_000_000;
  const bytes = new Uint8Array(pages * 8);
  new Uint32Array(bytes.buffer).fill(1 << 10);
  const { classes, counts } = await readKpageflags(pieces(bytes, (1 << 20) + 4), 'k');
  expect(classes.length).toBe(pages);
  expect(counts[PageClass.free]).toBe(pages);
  expect((classes.at(-1) ?? 0) & PAGE_CLASS_MASK).toBe(PageClass.free);
});

test('a file that ends inside a word', async () => {
  const error = await errorOf(readKpageflags(pieces(new Uint8Array(20)), 'k'));
  expect(error.message).toBe(
    'k  ends in the middle of a word (20 bytes); copy it again from /proc/kpageflags',
  );
});
