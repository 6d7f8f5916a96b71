/**
 * Zones by the label that metrics give them: all nodes' zones of a name together, and on machines with several nodes each
 * node's by itself.
 *
 *     Normal          of all nodes
 *     node1:Normal    of node 1
 */
import type { ResultZone } from '../run-result.js';

export interface ZoneGroup {
  readonly label: string;
  readonly zones: readonly ResultZone[];
}

export function zoneGroups(zones: readonly ResultZone[]): ZoneGroup[] {
  const names = [...new Set(zones.map(({ name }) => name))];
  const groups = names.map((name) => ({ label: name, zones: zones.filter((zone) => zone.name === name) }));
  if (zones.every(({ node }) => node === zones[0]!.node)) return groups;
  return [...groups, ...zones.map((zone) => ({ label: `node${zone.node}:${zone.name}`, zones: [zone] }))];
}

export function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}

/** Free chunks per order of some zones together. */
export function buddyinfoOf(zones: readonly ResultZone[]): number[] {
  const orders = zones[0]?.buddyinfo.length ?? 0;
  return Array.from({ length: orders }, (_, order) => sum(zones, (zone) => zone.buddyinfo[order]!));
}
