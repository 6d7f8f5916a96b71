import { right } from './printf.js';
import type { ResultZone, RunResult } from './run-result.js';

/** `Node 0, zone      DMA `: how most tables name a zone. model: page-allocator 6.1 */
export function zoneLabel(zone: Pick<ResultZone, 'node' | 'name'>): string {
  return `Node ${zone.node}, zone ${right(zone.name, 8)} `;
}

/** `/proc/buddyinfo`, to the last space. model: page-allocator 6.1 */
export function renderBuddyinfo(result: RunResult): string {
  return result.zones
    .map((zone) => `${zoneLabel(zone)}${zone.buddyinfo.map((chunks) => `${right(chunks, 6)} `).join('')}\n`)
    .join('');
}
