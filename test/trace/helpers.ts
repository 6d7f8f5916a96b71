/** What the tests of the readers share. */
import { fileURLToPath } from 'node:url';
import { type ByteInput, openChunks } from '../../src/trace/bytes/open-input.js';
import { CTX_NAMES, type EventSource, NO_ORDER, NONE_U32, OP_NAMES } from '../../src/trace/event-batch.js';

export function dataPath(name: string): string {
  return fileURLToPath(new URL(`data/${name}`, import.meta.url));
}

/** `bytes` in pieces of `size`, as a file being read would come. */
export async function* pieces(bytes: Uint8Array, size: number = bytes.length): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += Math.max(1, size))
    yield bytes.subarray(at, at + Math.max(1, size));
}

export function inputOf(content: string | Uint8Array, name = 'trace.csv', size?: number): Promise<ByteInput> {
  return openChunks(pieces(typeof content === 'string' ? Buffer.from(content) : content, size), name);
}

/** All bytes, and what was thrown behind them. */
export async function drain(chunks: AsyncIterable<Uint8Array>): Promise<{ bytes: Buffer; error: unknown }> {
  const taken: Uint8Array[] = [];
  try {
    for await (const chunk of chunks) taken.push(chunk.slice());
  } catch (error) {
    return { bytes: Buffer.concat(taken), error };
  }
  return { bytes: Buffer.concat(taken), error: undefined };
}

/** One event as a test wants to see it. */
export interface SeenEvent {
  ts: number;
  cpu: number;
  ctx: string;
  op: string;
  order: number | undefined;
  gfp: number;
  id: string | undefined;
  pfn: number | undefined;
  migratetype: number;
  flags: number;
  size: number;
  node: number;
  cache: string;
  memcg: string;
  site: string;
  arg: string;
  depth: number;
  at: number;
  pid: number | undefined;
}

export async function eventsOf(source: EventSource): Promise<SeenEvent[]> {
  const events: SeenEvent[] = [];
  for await (const batch of source.batches()) {
    for (let i = 0; i < batch.length; i++) {
      const id = batch.id[i]!;
      events.push({
        ts: batch.ts[i]!,
        cpu: batch.cpu[i]!,
        ctx: CTX_NAMES[batch.ctx[i]!]!,
        op: OP_NAMES[batch.op[i]!]!,
        order: batch.order[i] === NO_ORDER ? undefined : batch.order[i]!,
        gfp: batch.gfp[i]!,
        id: id === NONE_U32 ? undefined : source.strings.ids.get(id),
        pfn: batch.pfn[i] === NONE_U32 ? undefined : batch.pfn[i]!,
        migratetype: batch.migratetype[i]!,
        flags: batch.flags[i]!,
        size: batch.size[i]!,
        node: batch.node[i]!,
        cache: source.strings.caches.get(batch.cache[i]!),
        memcg: source.strings.memcgs.get(batch.memcg[i]!),
        site: source.strings.sites.get(batch.site[i]!),
        arg: source.strings.args.get(batch.arg[i]!),
        depth: batch.depth[i]!,
        at: batch.at[i]!,
        pid: batch.pid[i] === NONE_U32 ? undefined : batch.pid[i]!,
      });
    }
  }
  return events;
}

/** The error that `work` ends with. */
export async function errorOf(work: Promise<unknown>): Promise<Error> {
  try {
    await work;
  } catch (error) {
    if (error instanceof Error) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}
