/**
 * What two sides did at the event where they part, told by whichever side has nothing else to do: the one that is done
 * first begins while the other still replays, and mostly tells both.
 */
import type { Explanation } from '../../report/explain-document.js';
import type { FirstDifference } from '../fleet/first-difference.js';
import type { Fleet } from '../fleet/fleet.js';
import type { SideRequest } from '../fleet/side-protocol.js';

export class PairExplainer {
  readonly #fleet: Fleet;
  readonly #requests: readonly SideRequest[];
  /** sides of which nobody has begun to tell what they did */
  readonly #left: Set<number>;
  readonly #told: Explanation[] = [];
  readonly #work: Promise<void>[] = [];

  constructor(fleet: Fleet, requests: readonly SideRequest[]) {
    this.#fleet = fleet;
    this.#requests = requests;
    this.#left = new Set(requests.keys());
  }

  /** A side is done with its replay. */
  begin(side: number, first: FirstDifference): void {
    const work = this.#explain(side, first);
    // It is awaited at the end; until then an error must not end the program.
    work.catch(() => {});
    this.#work.push(work);
  }

  async #explain(side: number, { event, beginning }: FirstDifference): Promise<void> {
    for (;;) {
      // Its own first: of two sides that are done together each tells of itself.
      const subject = this.#left.has(side) ? side : [...this.#left][0];
      if (subject === undefined) return;
      this.#left.delete(subject);
      const request = { ...this.#requests[subject]!, target: { number: event.number } };
      const explanation = await this.#fleet.explain(side, request, beginning);
      // The sides know objects by their numbers: names are known here.
      this.#told[subject] = { ...explanation, event };
    }
  }

  /** What each side did, in their order; empty if nobody was asked. @throws as explainEvent */
  async finish(): Promise<readonly Explanation[]> {
    await Promise.all(this.#work);
    return this.#told;
  }
}
