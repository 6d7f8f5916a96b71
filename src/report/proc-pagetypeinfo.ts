import { MAX_PAGE_ORDER, PAGEBLOCK_ORDER, PAGEBLOCK_PAGES } from '../mm/types.js';
import { left, right } from './printf.js';
import { zoneLabel } from './proc-buddyinfo.js';
import type { ResultZone, RunResult } from './run-result.js';

/** Longer lists are not walked to their end by the kernel. */
const COUNT_LIMIT = 100_000;

function chunkCount(chunks: number): string {
  return chunks >= COUNT_LIMIT ? `>${COUNT_LIMIT} ` : `${right(chunks, 6)} `;
}

function nodeText(zones: readonly ResultZone[], migratetypes: readonly string[]): string {
  const orders = Array.from({ length: MAX_PAGE_ORDER + 1 }, (_, order) => `${right(order, 6)} `).join('');
  let text = `Page block order: ${PAGEBLOCK_ORDER}\nPages per block:  ${PAGEBLOCK_PAGES}\n\n`;
  text += `${left('Free pages count per migrate type at order', 43)} ${orders}\n`;
  for (const zone of zones) {
    for (const [row, type] of migratetypes.entries()) {
      const counts = (zone.pagetype[row] ?? []).map(chunkCount).join('');
      text += `Node ${right(zone.node, 4)}, zone ${right(zone.name, 8)}, type ${right(type, 12)} ${counts}\n`;
    }
  }
  text += `\n${left('Number of blocks type ', 23)}${migratetypes.map((type) => `${right(type, 12)} `).join('')}\n`;
  for (const zone of zones) {
    text += `${zoneLabel(zone)}${zone.pageblocks.map((blocks) => `${right(blocks, 12)} `).join('')}\n`;
  }
  return text;
}

/** `/proc/pagetypeinfo`, to the last space; every node repeats the headings. model: page-allocator 6.2 */
export function renderPagetypeinfo(result: RunResult): string {
  const nodes = [...new Set(result.zones.map((zone) => zone.node))];
  return nodes
    .map((node) =>
      nodeText(
        result.zones.filter((zone) => zone.node === node),
        result.migratetypes,
      ),
    )
    .join('');
}
