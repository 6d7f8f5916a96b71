/**
 * Holds interrupted calls of the model against those of a real kernel: calls of kmalloc_nolock() from probes, row by row
 * and column by column, and from NMIs that struck anywhere, whose answer must be one that the model allows.
 */

import { validateSlabs } from '../../mm/slab/validate-slab.js';
import type { VerifyResult } from '../../report/verify-result.js';
import { openInput } from '../../trace/bytes/open-input.js';
import { InputError } from '../../trace/input-error.js';
import {
  type NatRow,
  type NatTable,
  type NestRow,
  type NestTable,
  readNatTable,
  readNestTable,
} from '../../trace/oracle/nest-table.js';
import { answerText, locksText, NatOutcomes } from './nat-outcomes.js';
import { foreignFrees, NEST_PARTS, nestRow } from './nest-rows.js';
import { NolockMachine } from './nolock-machine.js';
import type { SlabVerdict, SlabVerifyOptions } from './slab-verify.js';
import { type RowColumn, TableTally } from './table-tally.js';

export type NestVerdict = Omit<SlabVerdict, 'header'> & {
  readonly header: NestTable['header'];
  readonly notes: VerifyResult['notes'];
};
export type NatVerdict = Omit<SlabVerdict, 'header'> & { readonly header: NatTable['header'] };

const PROGRESS_INTERVAL = 256;

/** @throws InputError for a malformed table */
export async function verifyNestTable(path: string, options: SlabVerifyOptions): Promise<NestVerdict> {
  const { header, rows } = await readNestTable(await openInput(path, options.limits));
  const policy = await options.policyFor(header.release);
  const tally = new TableTally(NEST_PARTS);
  for (const row of rows) {
    const machine = new NolockMachine(policy, new Map());
    const cache = machine.caches(row.bucket)?.cache;
    if (cache === undefined)
      throw new InputError({
        file: path,
        field: 'bucket',
        value: row.bucket,
        expectation: 'is no kmalloc cache of the model',
      });
    tally.note(row.id, () => nestText(row), nestRow(machine, cache, row));
    if (options.check) validateSlabs(machine.slabs);
    if (tally.rows % PROGRESS_INTERVAL === 0) options.onProgress?.(tally.rows);
  }
  const foreign = rows.reduce((sum, row) => sum + foreignFrees(row), 0);
  return { header, ...tally.verdict(), notes: foreign === 0 ? [] : [foreignNote(foreign)] };
}

function foreignNote(count: number): VerifyResult['notes'][number] {
  const meaning = 'frees by the rest of the kernel after a row, taken over from the record';
  return { name: 'foreign_frees', count, meaning };
}

function nestText({ outer, bucket, state, pcp, probe, probe_kind, inner_ctx }: NestRow): string {
  const where = `${probe} (${probe_kind})`;
  const inner = inner_ctx === 'N' ? 'an NMI' : 'a call';
  return `${inner} of kmalloc_nolock at ${where} in ${outer} of ${bucket}, ${state}, page lists ${pcp}`;
}

/** @throws InputError for a malformed table */
export async function verifyNatTable(path: string, options: SlabVerifyOptions): Promise<NatVerdict> {
  const { header, rows } = await readNatTable(await openInput(path, options.limits));
  const outcomes = new NatOutcomes(await options.policyFor(header.release));
  const tally = new TableTally(NAT_PARTS);
  rows.forEach((row, index) => {
    const columns = natColumns(outcomes, row);
    const failed = row.result === null ? columns.find(({ part }) => part === 'answers') : undefined;
    tally.note(index, () => `an NMI in ${row.ip} asks for ${row.bucket} bytes`, columns, failed);
    if (tally.rows % PROGRESS_INTERVAL === 0) options.onProgress?.(tally.rows);
  });
  return { header, ...tally.verdict() };
}

const NAT_PARTS = ['locks', 'answers', 'deferred lists'] as const;

/** The model's side of a column is the kernel's if the model allows that, else what it allows. */
function natColumns(outcomes: NatOutcomes, row: NatRow): RowColumn<(typeof NAT_PARTS)[number]>[] {
  const { bucket, result, fast, slow, new_slab, deferred, irqs_off } = row;
  const locks = locksText(row);
  const answer = answerText(result, fast, slow, new_slab);
  const lengths = deferred.join('/');
  return [
    {
      part: 'locks',
      kernel: locks,
      model: outcomes.areReachable(bucket, row) ? locks : 'no point with just these locks',
    },
    { part: 'answers', kernel: answer, model: allowed(outcomes.answers(bucket, row), answer) },
    { part: 'deferred lists', kernel: lengths, model: allowed(outcomes.lengths(irqs_off), lengths) },
  ];
}

function allowed(answers: ReadonlySet<string>, answer: string): string {
  return answers.has(answer) ? answer : [...answers].join(' or ');
}
