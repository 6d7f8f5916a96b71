/**
 * /proc/pagetypeinfo: free blocks per zone, type and order, and pageblocks per type. model: page-allocator 6.2
 *
 * Types are told by their printed names, since Isolate has another number in kernels without CMA.
 */
import { MIGRATETYPE_NAMES, type Migratetype, NR_PAGE_ORDERS, type ZoneIndex } from '../../../mm/types.js';
import { InputError } from '../../input-error.js';
import { malformed, nodeNumber, numberedLines, wholeNumbers, zoneIndex } from './snapshot-text.js';

export interface PagetypeinfoFree {
  readonly node: number;
  readonly zone: ZoneIndex;
  readonly type: Migratetype;
  /** length of the free list by order */
  readonly free: readonly number[];
  /** true where the kernel stopped counting (printed `>100000`): the list is at least that long */
  readonly capped: readonly boolean[];
}

export interface PagetypeinfoBlocks {
  readonly node: number;
  readonly zone: ZoneIndex;
  /** pageblocks by Migratetype; 0 for types that the kernel does not have */
  readonly blocks: readonly number[];
}

export interface Pagetypeinfo {
  readonly pageblock_order: number;
  /** types that the kernel has, in its order */
  readonly types: readonly Migratetype[];
  readonly free: readonly PagetypeinfoFree[];
  readonly blocks: readonly PagetypeinfoBlocks[];
  /** only of kernels with page_owner on */
  readonly mixed_blocks: readonly PagetypeinfoBlocks[];
}

function migratetype(name: string, file: string, line: number): Migratetype {
  const type = MIGRATETYPE_NAMES.indexOf(name);
  if (type < 0) throw malformed(file, line, name, 'is not a migratetype');
  return type as Migratetype;
}

/** @throws InputError */
export function parsePagetypeinfo(text: string, file: string): Pagetypeinfo {
  let pageblockOrder = -1;
  const free: PagetypeinfoFree[] = [];
  const blocks: PagetypeinfoBlocks[] = [];
  const mixed: PagetypeinfoBlocks[] = [];
  let types: Migratetype[] = [];
  let table = blocks;
  for (const [number, line] of numberedLines(text)) {
    const order = /^Page block order: (\d+)$/.exec(line);
    if (order !== null) {
      pageblockOrder = Number(order[1]);
      continue;
    }
    if (/^Pages per block: |^Free pages count per migrate type/.test(line)) continue;
    const header = /^Number of (blocks type|mixed blocks)\s+(.+)$/.exec(line);
    if (header !== null) {
      table = header[1] === 'blocks type' ? blocks : mixed;
      types = (header[2] as string).split(/\s+/).map((name) => migratetype(name, file, number));
      continue;
    }
    const list = /^Node\s+(\d+), zone\s+(\w+), type\s+(\w+)\s+([\d\s>]+)$/.exec(line);
    if (list !== null) {
      const words = (list[4] as string).replace(/>\s*/g, '>').trim().split(/\s+/);
      if (words.length !== NR_PAGE_ORDERS) {
        throw malformed(file, number, line, `has ${words.length} orders instead of ${NR_PAGE_ORDERS}`);
      }
      free.push({
        node: nodeNumber(list[1] as string, file, number),
        zone: zoneIndex(list[2] as string, file, number),
        type: migratetype(list[3] as string, file, number),
        free: wholeNumbers(words.map((word) => word.replace('>', '')).join(' '), file, number),
        capped: words.map((word) => word.startsWith('>')),
      });
      continue;
    }
    const row = /^Node\s+(\d+), zone\s+(\w+)\s+([\d\s]+)$/.exec(line);
    if (row === null) throw malformed(file, number, line, 'is not a line of pagetypeinfo');
    const counts = wholeNumbers(row[3] as string, file, number);
    if (counts.length !== types.length) {
      throw malformed(file, number, line, `has ${counts.length} types, its header has ${types.length}`);
    }
    const byType = MIGRATETYPE_NAMES.map((_, type) => counts[types.indexOf(type as Migratetype)] ?? 0);
    table.push({
      node: nodeNumber(row[1] as string, file, number),
      zone: zoneIndex(row[2] as string, file, number),
      blocks: byType,
    });
  }
  if (pageblockOrder < 0)
    throw new InputError({
      file,
      expectation: 'holds no "Page block order"',
      remedy: 'copy the file again from /proc',
    });
  return { pageblock_order: pageblockOrder, types, free, blocks, mixed_blocks: mixed };
}
