/** Names the parts of the story in the trace. */
import type { Actor, World } from '../world.js';

export class Marks implements Actor {
  due_ns: number;
  readonly objects = 0;
  #next = 0;

  /** @param marks  names with their times, in order of time */
  constructor(
    readonly world: World,
    readonly marks: readonly (readonly [name: string, at_ns: number])[],
  ) {
    this.due_ns = this.#timeOfNext();
  }

  step(): void {
    const { rows } = this.world;
    rows.begin(this.due_ns, 0);
    rows.mark(this.marks[this.#next++][0]);
    this.due_ns = this.#timeOfNext();
  }

  #timeOfNext(): number {
    return this.#next < this.marks.length ? this.marks[this.#next][1] : Number.POSITIVE_INFINITY;
  }
}
