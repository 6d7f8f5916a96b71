/**
 * A line on stderr that says how far a long run is. Only for people: nothing is written unless stderr is a terminal.
 */
import { duration, rate, thousands } from '../report/quantities.js';

const REFRESH_MS = 100;
/** Nobody needs a progress line for less than this. */
const DELAY_MS = 500;
const CLEAR_LINE = '\r\u001b[2K';

export interface ProgressState {
  readonly events: number;
  readonly ts_ns: number;
}

export class ProgressLine {
  readonly #stream: NodeJS.WriteStream;
  readonly #started = performance.now();
  #nextRefresh: number;
  #shown = false;

  constructor(stream: NodeJS.WriteStream = process.stderr) {
    this.#stream = stream;
    this.#nextRefresh = this.#started + DELAY_MS;
  }

  /** Cheap enough to be called for every batch. */
  update(state: ProgressState): void {
    this.#show(() => {
      const speed = (state.events * 1000) / (performance.now() - this.#started);
      return `${thousands(state.events)} events   trace time ${duration(state.ts_ns)}   ${rate(speed)}`;
    });
  }

  /** Another text, as seldom as a state. */
  say(text: string): void {
    this.#show(() => text);
  }

  #show(text: () => string): void {
    if (!this.#stream.isTTY) return;
    const now = performance.now();
    if (now < this.#nextRefresh) return;
    this.#nextRefresh = now + REFRESH_MS;
    this.#stream.write(`${CLEAR_LINE}${text()}`);
    this.#shown = true;
  }

  /** Takes the line away again, so that output starts on a clean one. */
  clear(): void {
    if (this.#shown) this.#stream.write(CLEAR_LINE);
    this.#shown = false;
  }
}
