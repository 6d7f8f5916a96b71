import { describe, expect, test } from 'vitest';
import { renderBuddyinfo } from '../../src/report/proc-buddyinfo.js';
import { kernelThousandths, renderExtfragIndex, renderUnusableIndex } from '../../src/report/proc-extfrag.js';
import { renderPagetypeinfo } from '../../src/report/proc-pagetypeinfo.js';
import { renderProc } from '../../src/report/proc-text.js';
import { sampleResult, sampleZone } from './sample-result.js';

const EMPTY = Array<number>(11).fill(0);

// Every line of a list ends with a space, which no editor may strip: `$` marks the line's end, as `cat -A` does.
function lines(text: string): string {
  return text.replaceAll('$\n', '\n');
}

describe('/proc/buddyinfo', () => {
  // model: page-allocator 6.1
  test('the live example', () => {
    expect(renderBuddyinfo(sampleResult())).toBe(
      lines(`Node 0, zone      DMA      0      0      0      0      0      0      0      0      1      1      3 $
Node 0, zone    DMA32      1      2      4      2      5      4      3      3      4      2    752 $
Node 0, zone   Normal     12      7      0      5      2      4      3      2      1      1     11 $
`),
    );
  });

  test('a count wider than its column is not cut', () => {
    const zones = [sampleZone({ node: 12, buddyinfo: [12_345_678, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0] })];
    expect(renderBuddyinfo(sampleResult({ zones }))).toMatch(/^Node 12, zone {3}Normal 12345678 {6}0 /);
  });
});

describe('/proc/pagetypeinfo', () => {
  // model: page-allocator 6.2
  const normal = sampleZone({
    pagetype: [
      [0, 3, 1, 3, 2, 3, 2, 1, 0, 0, 0],
      [1, 0, 1, 1, 1, 1, 0, 0, 0, 0, 10],
      [0, 0, 1, 1, 0, 0, 1, 0, 1, 1, 0],
      EMPTY,
      EMPTY,
    ],
    pageblocks: [50, 785, 61, 0, 0],
  });
  const EXAMPLE = lines(`Page block order: 9
Pages per block:  512

Free pages count per migrate type at order       0      1      2      3      4      5      6      7      8      9     10 $
Node    0, zone   Normal, type    Unmovable      0      3      1      3      2      3      2      1      0      0      0 $
Node    0, zone   Normal, type      Movable      1      0      1      1      1      1      0      0      0      0     10 $
Node    0, zone   Normal, type  Reclaimable      0      0      1      1      0      0      1      0      1      1      0 $
Node    0, zone   Normal, type   HighAtomic      0      0      0      0      0      0      0      0      0      0      0 $
Node    0, zone   Normal, type      Isolate      0      0      0      0      0      0      0      0      0      0      0 $

Number of blocks type     Unmovable      Movable  Reclaimable   HighAtomic      Isolate $
Node 0, zone   Normal           50          785           61            0            0 $
`);

  test('the live example', () => {
    expect(renderPagetypeinfo(sampleResult({ zones: [normal] }))).toBe(EXAMPLE);
  });

  test('a second node repeats the headings', () => {
    const zones = [normal, { ...normal, node: 1 }];
    expect(renderPagetypeinfo(sampleResult({ zones }))).toBe(
      EXAMPLE + EXAMPLE.replaceAll('Node    0', 'Node    1').replaceAll('Node 0', 'Node 1'),
    );
  });

  test('with CMA there is a row and a column more; long lists are not counted to their end', () => {
    const zone = sampleZone({
      pagetype: [[99_999, 100_000, 123_456, 0, 0, 0, 0, 0, 0, 0, 0], EMPTY, EMPTY, EMPTY, EMPTY, EMPTY],
      pageblocks: [1, 2, 3, 4, 5, 6],
    });
    const migratetypes = ['Unmovable', 'Movable', 'Reclaimable', 'HighAtomic', 'CMA', 'Isolate'];
    const text = renderPagetypeinfo(sampleResult({ zones: [zone], migratetypes }));
    expect(text).toContain('type    Unmovable  99999 >100000 >100000      0 ');
    expect(text).toContain('type          CMA      0 ');
    expect(text).toContain('  HighAtomic          CMA      Isolate \n');
    expect(text).toContain(
      'Node 0, zone   Normal            1            2            3            4            5            6 \n',
    );
  });
});

describe('debugfs extfrag', () => {
  // model: page-allocator 6.6, the worked example
  const zones = [sampleZone({ buddyinfo: [10, 5, 2, 0, 0, 0, 0, 0, 0, 0, 0] })];

  test('unusable_index', () => {
    expect(renderUnusableIndex(sampleResult({ zones }))).toBe(
      'Node 0, zone   Normal 0.000 0.357 0.714 1.000 1.000 1.000 1.000 1.000 1.000 1.000 1.000 \n',
    );
  });

  test('extfrag_index', () => {
    expect(renderExtfragIndex(sampleResult({ zones }))).toBe(
      'Node 0, zone   Normal -1.000 -1.000 -1.000  0.736  0.839  0.890  0.916  0.929  0.935  0.938  0.940 \n',
    );
  });

  test.each([
    [-5, ' 0.-05'],
    [-500, ' 0.-500'],
    [-1000, '-1.000'],
    [-1005, '-1.-05'],
    [0, ' 0.000'],
    [1000, ' 1.000'],
  ])('%i prints as the kernel does', (value, text) => expect(kernelThousandths(value, 2)).toBe(text));
});

test('--proc puts each file under its name', () => {
  const text = renderProc(sampleResult());
  expect([...text.matchAll(/^==> (.*) <==$/gm)].map((match) => match[1])).toEqual([
    '/proc/buddyinfo',
    '/proc/pagetypeinfo',
    '/sys/kernel/debug/extfrag/unusable_index',
    '/sys/kernel/debug/extfrag/extfrag_index',
    '/proc/vmstat',
    '/proc/zoneinfo',
  ]);
});
