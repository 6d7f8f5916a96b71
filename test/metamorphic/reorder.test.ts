/**
 * Rows of one time on two CPUs have no order but the file's. Where each of two neighbours is served from its own CPU's
 * lists alone, either order must give the same result.
 *
 * Which rows those are is observed: an event is local if no buddy list changed, none of the kernel's tracepoints of buddy
 * lists would have fired, and no other CPU's list is longer or shorter than before.
 */
import { describe, expect, test } from 'vitest';
import { machineFromSize } from '../../src/config/machine-by-size.js';
import type { PageAllocator } from '../../src/mm/page-alloc/page-allocator.js';
import { enableLru } from '../../src/mm/reclaim/lru.js';
import { SimBackground } from '../../src/sim/background.js';
import { FreeRunningReplay } from '../../src/sim/free-running.js';
import { Notes } from '../../src/sim/notes.js';
import { Tallies } from '../../src/sim/tallies.js';
import { CsvReader } from '../../src/trace/csv/reader.js';
import { alone, numbersFrom, sideOf } from '../sim/fleet/support.js';
import { fileOf, smallMachine } from '../sim/support.js';
import { inputOf } from '../trace/helpers.js';
import { csvText, POLICIES, resultOf, type Table } from './traces.js';

const MACHINE = { memory_mib: 64, cpus: 4 };
const TS = 0;
const CPU = 1;
const ID = 3;

/** Four CPUs, several rows for most times, and never so many pages that anything is reclaimed. */
function randomTable(seed: number): Table {
  const next = numbersFrom(seed);
  const gfps = ['GFP_KERNEL', 'GFP_HIGHUSER_MOVABLE', 'GFP_KERNEL|__GFP_RECLAIMABLE'];
  const rows: string[][] = [];
  const live: string[] = [];
  for (let at = 0, ts = 0; at < 2500; at++) {
    if (next(3) === 0) ts += 1000;
    const where = [String(ts), String(next(4))];
    if (live.length > 700 || (live.length > 0 && next(5) < 2)) {
      const [id] = live.splice(next(live.length), 1);
      rows.push([...where, 'free', id!, '', '']);
    } else {
      const order = next(10) > 0 ? 0 : next(50) > 0 ? next(4) : 9;
      rows.push([...where, 'alloc', `o${at}`, String(order), gfps[next(3)]!]);
      live.push(`o${at}`);
    }
  }
  return { name: `reorder-${seed}`, columns: ['ts', 'cpu', 'op', 'id', 'order', 'gfp'], rows };
}

function buddyLists(mm: PageAllocator): string {
  return JSON.stringify(mm.zones.map((zone) => [...zone.nr_free]));
}

function listsOfOthers(mm: PageAllocator, cpu: number): string {
  return JSON.stringify(mm.zones.map(({ pcps }) => pcps.map(({ count }, at) => (at === cpu ? 0 : count))));
}

/** For each row whether it was local, and which page it was about. */
async function observed(table: Table, policy: string): Promise<{ local: boolean[]; pfns: number[] }> {
  const { memory_mib, cpus } = MACHINE;
  const mm = smallMachine({ policy, memory_pages: memory_mib * 256, cpus });
  enableLru(mm);
  const options = { startIsRecorded: false, notes: new Notes(), tallies: new Tallies() };
  const replay = new FreeRunningReplay(mm, { ...options, background: new SimBackground(mm, 0) });
  let touched = false;
  const touch = () => {
    touched = true;
  };
  mm.tracer = { zoneLocked: touch, extfrag: touch, pcpuDrain: touch };
  const local: boolean[] = [];
  const pfns: number[] = [];
  const reader = new CsvReader(await inputOf(csvText(table)), { batchEvents: 1 });
  for await (const batch of reader.batches()) {
    const cpu = batch.cpu[0]!;
    const before = [buddyLists(mm), listsOfOthers(mm, cpu)];
    touched = false;
    replay.replay(batch);
    local.push(!touched && buddyLists(mm) === before[0] && listsOfOthers(mm, cpu) === before[1]);
    pfns.push(replay.last_pfn);
  }
  return { local, pfns };
}

/** Neighbours that have no order: the same time, two CPUs, two objects. */
function isUnordered(table: Table, row: number): boolean {
  const [a, b] = [table.rows[row]!, table.rows[row + 1]!];
  return a[TS] === b[TS] && a[CPU] !== b[CPU] && a[ID] !== b[ID];
}

/** Swaps some of the neighbours that may be swapped, none of them twice. */
function swapped(table: Table, may: (row: number) => boolean, next: (below: number) => number) {
  const rows = [...table.rows];
  const order = rows.map((_, at) => at);
  let swaps = 0;
  for (let row = 0; row + 1 < rows.length; row++) {
    if (!may(row) || next(4) === 0) continue;
    [rows[row], rows[row + 1]] = [rows[row + 1]!, rows[row]!];
    [order[row], order[row + 1]] = [order[row + 1]!, order[row]!];
    swaps++;
    row++;
  }
  return { table: { ...table, rows }, order, swaps };
}

async function pagesOf(table: Table, policy: string): Promise<number[]> {
  const path = await fileOf(`${table.name}-pages.csv`, csvText(table));
  const machine = machineFromSize({ memory_pages: MACHINE.memory_mib * 256, cpus: MACHINE.cpus });
  return (await alone(await sideOf(path, { policy, machine }))).pfns;
}

describe.each(POLICIES)('%s', (policy) => {
  test('local neighbours in the other order: the same pages and the same result', async () => {
    let swaps = 0;
    for (let seed = 1; seed <= 4; seed++) {
      const table = randomTable(seed * 101);
      const { local, pfns } = await observed(table, policy);
      // What was observed is the run that is compared.
      expect(pfns).toEqual(await pagesOf(table, policy));
      const original = await resultOf(table, { ...MACHINE, policy });
      for (const name of [
        'pageoutrun',
        'pgsteal_direct',
        'compact_stall',
        'compact_daemon_wake',
        'alloc_failed',
      ])
        expect(original.metrics[name], name).toBe(0);
      for (let round = 0; round < 3; round++) {
        const next = numbersFrom(seed * 1000 + round);
        const may = (row: number) => isUnordered(table, row) && local[row]! && local[row + 1]!;
        const other = swapped(table, may, next);
        swaps += other.swaps;
        expect(await resultOf(other.table, { ...MACHINE, policy })).toEqual(original);
        const pages = await pagesOf(other.table, policy);
        expect(other.order.map((row) => pfns[row])).toEqual(pages);
      }
    }
    expect(swaps).toBeGreaterThan(2000);
  });

  test('neighbours that share a buddy list do have an order, so that the test above can fail', async () => {
    let pagesChanged = 0;
    let resultsChanged = 0;
    for (let seed = 1; seed <= 6; seed++) {
      const table = randomTable(seed * 101);
      const { local, pfns } = await observed(table, policy);
      const original = await resultOf(table, { ...MACHINE, policy });
      const may = (row: number) => isUnordered(table, row) && !local[row]! && !local[row + 1]!;
      const other = swapped(table, may, numbersFrom(seed));
      if (other.swaps === 0) continue;
      const pages = await pagesOf(other.table, policy);
      if (other.order.some((row, at) => pfns[row] !== pages[at])) pagesChanged++;
      const result = await resultOf(other.table, { ...MACHINE, policy });
      if (JSON.stringify(result) !== JSON.stringify(original)) resultsChanged++;
    }
    expect(pagesChanged).toBeGreaterThan(0);
    expect(resultsChanged).toBeGreaterThan(0);
  });
});
