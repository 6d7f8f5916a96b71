/** The reading thread: opens the inputs, fills slots with their events, waits while all are in use. */
import { parentPort, workerData } from 'node:worker_threads';
import { openTraceSet } from '../trace-set.js';
import { type FromReader, packError, type ToReader, type WorkerData } from './protocol.js';
import { SlotSender } from './slot-sender.js';

const { request, slots, tables } = workerData as WorkerData;

function send(message: FromReader): void {
  parentPort?.postMessage(message);
}

async function read(): Promise<void> {
  const sender = new SlotSender(slots, tables, [send]);
  parentPort?.on('message', (message: ToReader) => {
    if (message.kind === 'stop') sender.stop();
    else sender.free(message.slot);
  });
  try {
    // The other thread has the time to make the digests.
    const set = await openTraceSet({ ...request, open: { ...request.open, digests: false } });
    send({ kind: 'opened', kernel: set.kernel, files: set.files });
    await sender.pump(set.source);
    send({ kind: 'end', report: set.report() });
  } catch (error) {
    send({ kind: 'error', error: packError(error) });
  } finally {
    parentPort?.close();
  }
}

void read();
