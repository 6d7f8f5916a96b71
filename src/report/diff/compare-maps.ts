/** The 1 GiB ranges of two machines at the end of their runs, range by range. */
import type { DiffMapRow } from '../diff-result.js';
import type { ResultSpbRange, ResultZone } from '../run-result.js';
import { spbPicture } from '../spb-map.js';

type Half = 'a' | 'b';

export function compareMaps(a: readonly ResultZone[], b: readonly ResultZone[]): DiffMapRow[] {
  const rows = new Map<string, DiffMapRow>();
  const put = (half: Half, zone: ResultZone, range: ResultSpbRange) => {
    const key = `${zone.node}/${zone.name}/${range.start_pfn}`;
    const empty = { node: zone.node, zone: zone.name, start_pfn: range.start_pfn, a: null, b: null };
    const row = rows.get(key) ?? empty;
    rows.set(key, { ...row, [half]: { state: range.state, picture: spbPicture(zone, range) } });
  };
  for (const zone of a) for (const range of zone.superpageblocks.ranges) put('a', zone, range);
  for (const zone of b) for (const range of zone.superpageblocks.ranges) put('b', zone, range);
  const zones = [...new Set([...rows.values()].map(({ node, zone }) => `${node}/${zone}`))];
  return [...rows.values()].sort(
    (x, y) =>
      zones.indexOf(`${x.node}/${x.zone}`) - zones.indexOf(`${y.node}/${y.zone}`) ||
      x.start_pfn - y.start_pfn,
  );
}
