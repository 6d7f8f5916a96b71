/**
 * The file of a saved run.
 *
 *     spbsim.state/1 \n | head: JSON \n | ids | snapshot | SHA-256 of all before        packed as one zstd frame
 *
 * It may come from anybody. Every length is checked before memory is asked for, the sum before anything is used, and each
 * value when it is loaded.
 */
import type { Serializable, StateIo } from '../../mm/state-io.js';
import { openInput } from '../../trace/bytes/open-input.js';
import { writeOutput } from '../../trace/bytes/output-file.js';
import { InputError } from '../../trace/input-error.js';
import { DEFAULT_LIMITS, type TraceLimits } from '../../trace/limits.js';
import type { StringDelta } from '../../trace/string-table.js';
import { DEFAULT_MAX_MACHINE_PAGES, machineProblem, machineSizeProblem } from '../machine-limit.js';
import { ByteReader } from './byte-reader.js';
import { decodeSnapshot, encodeSnapshot } from './encoding.js';
import { type SavedState, STATE_SCHEMA_ID, type StateHead } from './saved-state.js';
import { Plain, Snapshot } from './snapshot.js';

const DIGEST_BYTES = 32;
const FAMILY = 'spbsim.state/';
/** The head has what readers said of the inputs: examples and notes. */
const MAX_HEAD_BYTES = 1 << 26;
const PACKED_ENDING = /\.(gz|zst)$/;

export interface StateLimits {
  readonly limits?: TraceLimits | undefined;
  readonly max_machine_pages?: number | undefined;
}

/** The texts of ids as a part of their own. */
class Ids implements Serializable {
  bytes: Uint8Array = new Uint8Array(0);
  ends = new Uint32Array(0);

  serialize(io: StateIo): void {
    this.bytes = io.growing('id_bytes', this.bytes);
    this.ends = io.growing('id_ends', this.ends);
  }
}

/** Writes a state whole or not at all. @returns bytes of the file. @throws InputError */
export async function writeState(path: string, state: Omit<SavedState, 'file'>): Promise<number> {
  const chunks = stateBytes(state);
  if (PACKED_ENDING.test(path)) return writeOutput(path, chunks);
  const { zstdPackedChunks } = await import('../../trace/bytes/pack-chunks.js');
  return writeOutput(path, zstdPackedChunks(chunks));
}

/** The bytes of the file before they are packed. */
export async function* stateBytes({
  head,
  ids,
  snapshot,
}: Omit<SavedState, 'file'>): AsyncGenerator<Uint8Array> {
  const { createHash } = await import('node:crypto');
  const hash = createHash('sha256');
  const texts = new Ids();
  if (ids !== undefined) Object.assign(texts, { bytes: ids.bytes, ends: ids.ends });
  function* all(): Generator<Uint8Array> {
    yield Buffer.from(`${STATE_SCHEMA_ID}\n${JSON.stringify(head)}\n`);
    yield* encodeSnapshot(Snapshot.of(texts));
    yield* encodeSnapshot(snapshot);
  }
  for (const chunk of all()) {
    hash.update(chunk);
    yield chunk;
  }
  yield hash.digest();
}

/** Reads a state. @throws InputError for a file that is none, is damaged, or of another version */
export async function readState(path: string, limits: StateLimits = {}): Promise<SavedState> {
  const input = await openInput(path, limits.limits, false);
  return readStateBytes(input.chunks, path, limits);
}

/** The same of bytes that are unpacked already. */
export async function readStateBytes(
  chunks: AsyncIterable<Uint8Array>,
  file: string,
  { limits = DEFAULT_LIMITS, max_machine_pages = DEFAULT_MAX_MACHINE_PAGES }: StateLimits = {},
): Promise<SavedState> {
  const damaged = (text: string) =>
    new InputError({ file, expectation: `is damaged: it ${text}`, remedy: 'save the state again' });
  const reader = new ByteReader(chunks, damaged);
  try {
    await expectSchema(reader, file);
    const line = await reader.line(MAX_HEAD_BYTES);
    if (line === undefined) throw damaged('ends too early');
    const texts = await decodeSnapshot(reader);
    const snapshot = await decodeSnapshot(reader);
    const digest = reader.digest();
    if (!digest.equals(await reader.bytes(DIGEST_BYTES))) throw damaged('does not match its checksum');
    if ((await reader.rest()) > 0) throw damaged('goes on behind its end');
    const head = await checkedHead(line, file);
    const problem =
      machineProblem(head.machine.spec) ?? machineSizeProblem(head.machine.spec, max_machine_pages);
    if (problem !== undefined) throw new InputError({ file, ...problem });
    return { file, head, ids: checkedIds(texts, limits, file), snapshot: await checkedPlain(snapshot, file) };
  } finally {
    await reader.close();
  }
}

async function expectSchema(reader: ByteReader, file: string): Promise<void> {
  const first = await reader.line(2 * STATE_SCHEMA_ID.length);
  if (first === STATE_SCHEMA_ID) return;
  if (first?.startsWith(FAMILY))
    throw new InputError({
      file,
      expectation: `is a state of another version (${first}; this program reads ${STATE_SCHEMA_ID})`,
      remedy: 'load it with the version that saved it, or replay the trace and save again',
    });
  throw new InputError({
    file,
    expectation: 'is no saved state',
    remedy: 'give a file that run --save-state wrote',
  });
}

/** What a state that was read has to be, and is not. */
export function otherVersion(file: string, text: string): InputError {
  return new InputError({
    file,
    expectation: `does not fit this version of spbsim: ${text}`,
    remedy: 'load it with the version that saved it, or replay the trace and save again',
  });
}

async function checkedHead(line: string, file: string): Promise<StateHead> {
  const { headSchema } = await import('./head-schema.js');
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch {
    throw otherVersion(file, 'its head is no JSON');
  }
  const checked = headSchema.safeParse(parsed);
  if (checked.success) return checked.data as unknown as StateHead;
  const issue = checked.error.issues[0];
  throw otherVersion(file, `${issue?.path.join('.') ?? 'head'}: ${issue?.message ?? 'is wrong'}`);
}

/** Plain data is checked here: nobody does later. */
async function checkedPlain(snapshot: Snapshot, file: string): Promise<Snapshot> {
  const { isPlainOf } = await import('./plain-schemas.js');
  for (const { name, value } of snapshot.entries)
    if (value instanceof Plain && !isPlainOf(name, value.values))
      throw otherVersion(file, `${name} holds something else`);
  return snapshot;
}

/** Ids as string tables take them over. */
function checkedIds(snapshot: Snapshot, limits: TraceLimits, file: string): StringDelta | undefined {
  const texts = new Ids();
  snapshot.restore(texts, (text) => otherVersion(file, text));
  const { bytes, ends } = texts;
  const tooMany = ends.length > limits.strings;
  if (tooMany || bytes.length > limits.string_bytes)
    throw new InputError({
      file,
      expectation: tooMany
        ? `has more than ${limits.strings.toLocaleString('en-US')} different ids`
        : `has more than ${limits.string_bytes.toLocaleString('en-US')} bytes of different ids`,
      remedy: `raise --${tooMany ? 'max-strings' : 'max-string-bytes'} if that is right`,
    });
  let last = 0;
  for (const end of ends) {
    if (end <= last) throw otherVersion(file, 'its ids are in disorder');
    last = end;
  }
  if (last !== bytes.length) throw otherVersion(file, 'its ids are in disorder');
  return ends.length === 0 ? undefined : { first: 1, bytes, ends };
}
