/** A side as the command sees it: a thread that takes messages, or a stand-in that runs in the command's own thread. */
import { existsSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import type { FromSide, ToSide } from './side-protocol.js';

/** Stands beside this module, built or bundled. Sources that were not built have none. */
const WORKER = new URL('./side-worker.js', import.meta.url);

export interface Side {
  send(message: ToSide): void;
  /** called for every message of the side; replaced by each new listener */
  onMessage: (message: FromSide) => void;
  /** called when the side cannot go on */
  onFailure: (error: Error) => void;
  /** lets it end when it likes: the program does not wait for it */
  close(): void;
}

/** Starts sides. What they do they are told by messages; starting takes a while, so it is done first. */
export async function startSides(count: number): Promise<Side[]> {
  if (existsSync(WORKER)) return Array.from({ length: count }, () => new SideThread());
  const { SideRunner } = await import('./side-runner.js');
  return Array.from({ length: count }, () => {
    const side: Side & { runner: InstanceType<typeof SideRunner> } = {
      runner: new SideRunner((message) => queueMicrotask(() => side.onMessage(message))),
      send: (message) => queueMicrotask(() => side.runner.receive(message)),
      onMessage: () => {},
      onFailure: () => {},
      close: () => {},
    };
    return side;
  });
}

class SideThread implements Side {
  onMessage: (message: FromSide) => void = () => {};
  onFailure: (error: Error) => void = () => {};
  readonly #worker = new Worker(WORKER);
  #closing = false;

  constructor() {
    this.#worker.on('message', (message: FromSide) => this.onMessage(message));
    this.#worker.on('error', (error) => this.onFailure(error));
    this.#worker.on('exit', () => {
      if (!this.#closing) this.onFailure(new Error('a replaying thread ended without a word'));
    });
  }

  send(message: ToSide): void {
    this.#worker.postMessage(message);
  }

  close(): void {
    this.#closing = true;
    this.send({ kind: 'close' });
    this.#worker.unref();
  }
}
