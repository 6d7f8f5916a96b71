/** What the checks of a row need to know of the rows before it. Shared by both decoders, which may take turns. */
import { MAX_CPU } from '../csv/columns.js';
import { FreedIds } from '../csv/freed-ids.js';
import { Nesting } from '../nesting.js';
import type { StringTable } from '../string-table.js';

export const DEFAULT_GAP_NS = 1000;
export const MAX_ORDER = 10;

export class TraceState {
  /** rows before the one at hand */
  rows = 0;
  lastTs = -DEFAULT_GAP_NS;
  /** what the next row of each CPU may interrupt */
  readonly nesting = new Nesting(MAX_CPU + 1);
  /** ids of pages and of cache objects are unique among live objects of a kind */
  readonly freedPages = new FreedIds();
  readonly freedObjects: FreedIds;

  constructor(ids: StringTable) {
    this.freedObjects = new FreedIds(ids);
  }
}
