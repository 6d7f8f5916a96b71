/** The thread that replays for a comparison. */
import { parentPort } from 'node:worker_threads';
import type { ToSide } from './side-protocol.js';
import { SideRunner } from './side-runner.js';

const runner = new SideRunner((message) => parentPort?.postMessage(message));
parentPort?.on('message', (message: ToSide) => {
  if (message.kind === 'close') parentPort?.close();
  else runner.receive(message);
});
