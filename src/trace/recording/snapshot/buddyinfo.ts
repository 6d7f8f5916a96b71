/**
 * /proc/buddyinfo: free blocks per zone and order. model: page-allocator 6.1
 */
import { NR_PAGE_ORDERS, type ZoneIndex } from '../../../mm/types.js';
import { malformed, nodeNumber, numberedLines, wholeNumbers, zoneIndex } from './snapshot-text.js';

export interface BuddyinfoZone {
  readonly node: number;
  readonly zone: ZoneIndex;
  /** free blocks by order 0..10, all types together, per-CPU pages not included */
  readonly free: readonly number[];
}

/** Populated zones in the order of the file. @throws InputError */
export function parseBuddyinfo(text: string, file: string): BuddyinfoZone[] {
  const zones: BuddyinfoZone[] = [];
  for (const [number, line] of numberedLines(text)) {
    const match = /^Node (\d+), zone\s+(\w+)\s+([\d\s]+)$/.exec(line);
    if (match === null) throw malformed(file, number, line, 'is not a line of buddyinfo');
    const free = wholeNumbers(match[3] as string, file, number);
    if (free.length !== NR_PAGE_ORDERS) {
      throw malformed(file, number, line, `has ${free.length} orders instead of ${NR_PAGE_ORDERS}`);
    }
    zones.push({
      node: nodeNumber(match[1] as string, file, number),
      zone: zoneIndex(match[2] as string, file, number),
      free,
    });
  }
  return zones;
}
