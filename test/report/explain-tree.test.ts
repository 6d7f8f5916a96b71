import { describe, expect, test } from 'vitest';
import { FoldingWriter, treeOf } from '../../src/report/explain-tree.js';

/** Writes lines given with their levels: `0 text`. */
function written(...flat: readonly string[]): string[] {
  const nodes = flat.map((text) => ({ level: Number(text[0]), lines: [text.slice(2)] }));
  const writer = new FoldingWriter((text, like) => `${text} [${like}]`);
  writer.write(treeOf(nodes));
  return writer.lines;
}

describe('the tree', () => {
  test('what stands further in belongs to what stands before it', () => {
    const tree = treeOf([0, 2, 4, 1, 0].map((level) => ({ level, lines: [String(level)] })));
    expect(tree.map(({ level, children }) => [level, children.map((child) => child.level)])).toEqual([
      [0, [2, 1]],
      [0, []],
    ]);
    expect(tree[0]!.children[0]!.children.map(({ level }) => level)).toEqual([4]);
  });
});

describe('folding', () => {
  test('leaves alone what differs', () => {
    expect(written('0 a', '1 b', '0 c', '1 d')).toEqual(['a', 'b', 'c', 'd']);
  });

  test('counts what repeats itself but for figures', () => {
    expect(written('0 free 1,200 at 0x1f', '0 free 7 at 0x2e0', '0 free 99 at 0xabc', '0 done')).toEqual([
      'free 1,200 at 0x1f',
      '… 2 more, as the last up to figures [free 1,200 at 0x1f]',
      'done',
    ]);
  });

  test('counts groups of two and three', () => {
    expect(written('0 a', '0 b', '0 a', '0 b', '0 a')).toEqual([
      'a',
      'b',
      '… 1 more, as the last 2 up to figures [a]',
      'a',
    ]);
    expect(written('0 a', '0 b', '0 c', '0 a', '0 b', '0 c')).toEqual([
      'a',
      'b',
      'c',
      '… 1 more, as the last 3 up to figures [a]',
    ]);
  });

  test('a group is alike only with all that belongs to it', () => {
    expect(written('0 a', '1 x', '0 a', '1 y')).toEqual(['a', 'x', 'a', 'y']);
    expect(written('0 a', '1 x', '0 a', '1 x')).toEqual([
      'a',
      'x',
      '… 1 more, as the last up to figures [a]',
    ]);
  });

  test('what was written elsewhere is named, if it is long', () => {
    expect(written('0 a', '1 x', '1 y', '1 z', '0 b', '1 x', '1 y', '1 z')).toEqual([
      'a',
      'x',
      'y',
      'z',
      'b',
      '… as above, up to figures [x]',
    ]);
    expect(written('0 a', '1 x', '1 y', '0 b', '1 x', '1 y')).toEqual(['a', 'x', 'y', 'b', 'x', 'y']);
  });
});
