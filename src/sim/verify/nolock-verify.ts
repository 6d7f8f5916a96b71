/**
 * Holds kmalloc_nolock() and kfree_nolock() of the model against truth tables of a real kernel. Each row gets a machine of
 * its own, is brought into the state that the row names, and every recorded column is compared.
 */
import type { Policy } from '../../mm/policy.js';
import { SLAB_DEBUG_FZPU } from '../../mm/slab/slab-flags.js';
import { validateSlabs } from '../../mm/slab/validate-slab.js';
import { openInput } from '../../trace/bytes/open-input.js';
import { InputError } from '../../trace/input-error.js';
import {
  type AllocRow,
  type FreeRow,
  type NolockTable,
  readNolockTable,
  type TableGeometry,
} from '../../trace/oracle/nolock-table.js';
import { NolockMachine } from './nolock-machine.js';
import { allocRow, freeRow, NOLOCK_PARTS } from './nolock-rows.js';
import { Tally } from './slab-tally.js';
import type { SlabVerdict, SlabVerifyOptions } from './slab-verify.js';
import { TableTally } from './table-tally.js';

export type NolockVerdict = Omit<SlabVerdict, 'header'> & { readonly header: NolockTable['header'] };

/** @throws InputError for a malformed table */
export async function verifyNolockTable(path: string, options: SlabVerifyOptions): Promise<NolockVerdict> {
  const table = await readNolockTable(await openInput(path, options.limits));
  const policy = await options.policyFor(table.header.release);
  const run = new TableRun(path, table, policy, options.check);
  for (const row of table.rows) {
    run.take(row);
    if (run.rows.rows % PROGRESS_INTERVAL === 0) options.onProgress?.(run.rows.rows);
  }
  return run.verdict();
}

const PROGRESS_INTERVAL = 256;

class TableRun {
  readonly rows = new TableTally(NOLOCK_PARTS);
  readonly geometry = new Tally(['geometry']);
  readonly #debugFlags: ReadonlyMap<string, number>;

  constructor(
    readonly path: string,
    readonly table: NolockTable,
    readonly policy: Policy,
    readonly check: boolean,
  ) {
    this.#debugFlags = debugFlagsOf(table);
    const machine = new NolockMachine(policy, this.#debugFlags);
    for (const recorded of table.geometry) this.#compareGeometry(machine, recorded);
  }

  #compareGeometry(
    machine: NolockMachine,
    { name, size, oo, min, min_partial, ...rest }: TableGeometry,
  ): void {
    const { geometry } = this.#cachesOf(machine, name).cache;
    const columns: readonly (readonly [column: string, kernel: number, model: number])[] = [
      ['size', size, geometry.size_bytes],
      ['order', oo[0], geometry.order],
      ['objects', oo[1], geometry.objects],
      ['min order', min[0], geometry.min_order],
      ['min objects', min[1], geometry.min_objects],
      ['min_partial', min_partial, geometry.min_partial],
      ['cpu_partial_slabs', rest.cpu_partial_slabs, geometry.cpu_partial_slabs],
      ['flags', rest.flags, geometry.flags],
    ];
    for (const [column, kernel, model] of columns)
      this.geometry.value('geometry', `${name} ${column}`, kernel, model);
  }

  #cachesOf(machine: NolockMachine, name: string): NonNullable<ReturnType<NolockMachine['caches']>> {
    const caches = machine.caches(name);
    if (caches !== undefined) return caches;
    throw new InputError({
      file: this.path,
      field: 'bucket',
      value: name,
      expectation: 'is no kmalloc cache of the model',
    });
  }

  take(row: AllocRow | FreeRow): void {
    const machine = new NolockMachine(this.policy, this.#debugFlags);
    const { cache, next } = this.#cachesOf(machine, row.bucket);
    const columns =
      row.t === 'nl'
        ? allocRow(machine, cache, next, row, this.table.header.acct === 1)
        : freeRow(machine, cache, next, row);
    if (this.check) validateSlabs(machine.slabs);
    const isFailure = row.t === 'nl' && row.result === null;
    const failed = isFailure ? columns.find(({ part }) => part === 'results') : undefined;
    this.rows.note(row.id, () => textOf(row), columns, failed);
  }

  verdict(): NolockVerdict {
    const { compared, equal, parts, differences } = this.geometry;
    const geometry = { name: 'geometry', index: 0, compared, equal, parts, differences };
    return { header: this.table.header, ...this.rows.verdict(compared > 0 ? [geometry] : []) };
  }
}

const CONTEXTS = { D: 'called directly', N: 'in an NMI', H: 'in a hardirq' } as const;

function textOf(row: AllocRow | FreeRow): string {
  const where = `${CONTEXTS[row.ctx]}, ${row.held.join('+') || 'nothing'} held`;
  if (row.t === 'nlfree') return `kfree_nolock of ${row.bucket} in ${row.object_in}, ${where}`;
  return `kmalloc_nolock(${row.size}), ${row.bucket} ${row.state}, page lists ${row.pcp}, ${where}`;
}

/** Flags of debugged caches: geometry says them; a table of frees shows that their CPUs have no slab. */
function debugFlagsOf({ geometry, rows }: NolockTable): Map<string, number> {
  const flags = new Map(geometry.map((cache) => [cache.name, cache.flags & SLAB_DEBUG_FZPU] as const));
  for (const row of rows)
    if (row.t === 'nlfree' && row.object_in === 'cpu_slab' && row.pre.is_cpu_slab === 0)
      flags.set(row.bucket, SLAB_DEBUG_FZPU);
  return flags;
}
