/**
 * Cells of record batches of any type that a trace may have, read by the reference implementation of Arrow.
 *
 * It is given what batch-layout.ts has checked, in messages written anew that hold the columns of the trace and nothing
 * else, so that it never sees metadata of strangers.
 */
import type { Data, RecordBatch, Vector } from 'apache-arrow';
import type { BatchLayout, ColumnBuffers, ColumnPlace } from './batch-layout.js';
import type { ArrowColumn } from './columns.js';
import type { RowCells } from './event-rows.js';
import { type BatchParts, encodeDictionary, encodeRecordBatch, encodeSchema } from './ipc-encode.js';
import { TypeNumber } from './ipc-metadata.js';
import type { ArrowMessage } from './message-stream.js';

/** ns in a unit of a timestamp, by number of the unit */
const UNIT_NS: readonly bigint[] = [1_000_000_000n, 1_000_000n, 1000n, 1n];

/** A record batch as rows of cells. */
export interface RowBatch {
  readonly rows: number;
  readonly cells: RowCells;
}

function partsOf(rows: number, columns: readonly ColumnBuffers[], variadic: readonly number[]): BatchParts {
  return {
    rows,
    nodes: columns.map((column) => [column.rows, column.nulls] as const),
    buffers: columns.flatMap((column) =>
      // A column of the null type has no buffers, and no validity either.
      column.data.length === 0 ? [] : [column.validity, ...column.data],
    ),
    variadic,
  };
}

/** What ended the messages before their end. */
interface Failure {
  error: unknown;
}

/** The messages of the trace's columns alone, written anew, as far as they go. */
async function* encoded(
  layout: BatchLayout,
  messages: AsyncIterable<ArrowMessage>,
  onFailure: (failure: Failure) => void,
): AsyncGenerator<Uint8Array> {
  try {
    yield* encodedMessages(layout, messages);
  } catch (error) {
    // The reader looks ahead: what it has read already is to be delivered first.
    onFailure({ error });
  }
}

async function* encodedMessages(
  layout: BatchLayout,
  messages: AsyncIterable<ArrowMessage>,
): AsyncGenerator<Uint8Array> {
  const { places } = layout;
  yield encodeSchema(
    places.map(({ field }) => ({ ...field, nullable: true })),
    new Map(),
  );
  for await (const { header, body } of messages) {
    if (header.kind === 'dictionary') {
      const place = places.find(({ field }) => field.dictionary?.id === header.id);
      if (place === undefined) continue;
      const values = layout.values(place.field, header.batch, body);
      const isView = place.field.type.number === TypeNumber.utf8_view;
      const parts = partsOf(values.rows, [values], isView ? [values.data.length - 1] : []);
      yield encodeDictionary(header.id, parts, header.is_delta).bytes;
    } else if (header.kind === 'records') {
      layout.checkRecords(header.batch);
      const columns = places.map((place) => layout.column(place, header.batch, body));
      const variadic = columns.filter((_, i) => (places[i] as ColumnPlace).field.views > 0);
      const counts = variadic.map(({ data }) => data.length - 1);
      yield encodeRecordBatch(partsOf(header.batch.rows, columns, counts)).bytes;
    }
  }
}

interface CellColumn {
  readonly vector: Vector;
  readonly data: Data;
  /** ns of a timestamp's unit; undefined for other types */
  readonly unit: bigint | undefined;
  readonly isDictionary: boolean;
}

/** What the reference implementation gives for a cell; null where it is empty. */
type Cell = number | bigint | string | null;

function rowBatch(batch: RecordBatch, layout: BatchLayout): RowBatch {
  const columns = new Map<ArrowColumn, CellColumn>();
  for (const { name, field } of layout.places) {
    const vector = batch.getChild(name);
    const data = vector?.data[0];
    if (vector === null || data === undefined) continue;
    const isTime = field.type.number === TypeNumber.timestamp;
    columns.set(name, {
      vector,
      data,
      unit: isTime ? UNIT_NS[field.type.unit] : undefined,
      isDictionary: field.dictionary !== undefined,
    });
  }
  return {
    rows: batch.numRows,
    cells: {
      number: (name, row) => {
        const column = columns.get(name);
        if (column === undefined) return undefined;
        if (column.unit !== undefined) {
          return column.vector.isValid(row) ? (column.data.values[row] as bigint) * column.unit : undefined;
        }
        const cell = column.vector.get(row) as Cell;
        // Tools without empty cells of numbers say "not a number" for them.
        return cell === null || Number.isNaN(cell) ? undefined : cell;
      },
      text: (name, row) => {
        const column = columns.get(name);
        if (column === undefined || !column.vector.isValid(row)) return undefined;
        if (column.isDictionary) {
          const index = Number(column.data.values[row]);
          const entries = column.data.dictionary?.length ?? 0;
          if (index < 0 || index >= entries) return { index, entries };
        }
        const cell = column.vector.get(row) as Cell;
        return cell === null || Number.isNaN(cell) ? undefined : String(cell);
      },
    },
  };
}

/** The record batches of an input whose schema is `layout`'s, in their order. */
export async function* strictBatches(
  layout: BatchLayout,
  messages: AsyncIterable<ArrowMessage>,
): AsyncGenerator<RowBatch> {
  const { RecordBatchReader } = await import('apache-arrow');
  let failure: Failure | undefined;
  const source = encoded(layout, messages, (seen) => {
    failure = seen;
  });
  const reader = await RecordBatchReader.from(source);
  for await (const batch of reader) yield rowBatch(batch, layout);
  if (failure !== undefined) throw (failure as Failure).error;
}
