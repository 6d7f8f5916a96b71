/**
 * Messages with the dictionaries before the rows that use them.
 *
 * In a stream they are always so. In a file they may stand anywhere, as its footer says where; Polars puts them behind the
 * rows. Read from its start, such a file's rows have to wait, and only as many as memory can be given for.
 */
import { InputError } from '../input-error.js';
import type { BatchLayout } from './batch-layout.js';
import type { ArrowMessage } from './message-stream.js';

/** Bytes of rows that wait at most. */
const WAITING_BYTES = 2 ** 28;

/** @throws InputError  if more rows than allowed come before a dictionary that they need */
export async function* dictionariesFirst(
  messages: AsyncIterable<ArrowMessage>,
  layout: BatchLayout,
): AsyncGenerator<ArrowMessage> {
  const missing = new Set<number>();
  for (const { field } of layout.places) if (field.dictionary !== undefined) missing.add(field.dictionary.id);
  let waiting: ArrowMessage[] = [];
  let bytes = 0;
  for await (const message of messages) {
    const { header, body } = message;
    if (header.kind === 'records' && missing.size > 0) {
      bytes += body.length;
      if (bytes > WAITING_BYTES) {
        throw new InputError({
          file: layout.file,
          expectation: `has its dictionaries behind more than ${WAITING_BYTES.toLocaleString('en-US')} bytes of rows`,
          remedy: 'write it as a stream',
        });
      }
      // A copy: the bytes are valid until the next message only.
      waiting.push({ header, body: new Uint8Array(body) });
      continue;
    }
    yield message;
    if (header.kind !== 'dictionary' || !missing.delete(header.id) || missing.size > 0) continue;
    yield* waiting;
    waiting = [];
  }
  // What is still missing is told where a row needs it.
  yield* waiting;
}
