/**
 * The order in which a request tries the zones of the machine.
 * model: page-allocator 2.3
 */
import { MAX_NR_ZONES } from '../types.js';
import type { Zone } from './zone.js';

/** CONFIG_NODES_SHIFT 10; only its being larger than any load matters. */
const MAX_NUMNODES = 1024;

/**
 * Nodes by nearness, for every node: itself, then the nearest unused one, with a penalty for nodes that come earlier,
 * for nodes with CPUs and for nodes that others prefer already.
 */
export function nodeOrders(
  distances: readonly (readonly number[])[],
  hasMemory: readonly boolean[],
  hasCpus: readonly boolean[],
): number[][] {
  const load = new Array<number>(distances.length).fill(0);
  return distances.map((row, from) => {
    const order = hasMemory[from] ? [from] : [];
    const used = new Uint8Array(distances.length);
    used[from] = 1;
    let previous = from;
    for (;;) {
      const best = nearest(row, from, used, hasMemory, hasCpus, load);
      if (best < 0) return order;
      if (row[best] !== row[previous]) load[best]!++;
      previous = best;
      used[best] = 1;
      order.push(best);
    }
  });
}

function nearest(
  row: readonly number[],
  from: number,
  used: Uint8Array,
  hasMemory: readonly boolean[],
  hasCpus: readonly boolean[],
  load: readonly number[],
): number {
  let best = -1;
  let bestScore = Number.POSITIVE_INFINITY;
  row.forEach((distance, node) => {
    if (!hasMemory[node] || used[node] === 1) return;
    const score = (distance + (node < from ? 1 : 0) + (hasCpus[node] ? 1 : 0)) * MAX_NUMNODES + load[node]!;
    if (score < bestScore) {
      best = node;
      bestScore = score;
    }
  });
  return best;
}

/** Zones to try, by node and by highest allowed zone index. */
export interface Zonelists {
  /** [node][highest zone index] */
  readonly fallback: readonly (readonly (readonly Zone[])[])[];
  /** the same for requests that must stay on their node */
  readonly thisnode: readonly (readonly (readonly Zone[])[])[];
}

/** Builds the lists from explicit orders of all zones per node, as a dump gives them. */
export function zonelistsFrom(
  fallback: readonly (readonly Zone[])[],
  thisnode: readonly (readonly Zone[])[],
): Zonelists {
  const upTo = (zones: readonly Zone[]) =>
    Array.from({ length: MAX_NR_ZONES }, (_, highest) => zones.filter((zone) => zone.index <= highest));
  return { fallback: fallback.map(upTo), thisnode: thisnode.map(upTo) };
}

/** Builds the lists as the kernel does: nodes by nearness, inside a node the highest zone first. */
export function buildZonelists(
  zones: readonly Zone[],
  distances: readonly (readonly number[])[],
  cpuNodes: readonly number[],
): Zonelists {
  const populated = zones.filter((zone) => zone.managed_pages > 0);
  const ofNode = (node: number) =>
    populated.filter((zone) => zone.node === node).sort((a, b) => b.index - a.index);
  const hasMemory = distances.map((_, node) => ofNode(node).length > 0);
  const hasCpus = distances.map((_, node) => cpuNodes.includes(node));
  const orders = nodeOrders(distances, hasMemory, hasCpus);
  return zonelistsFrom(
    orders.map((order) => order.flatMap(ofNode)),
    distances.map((_, node) => ofNode(node)),
  );
}
