/**
 * Delta debugging: the smallest part of a list that still passes a test, as far as leaving out parts leads there.
 *
 * The list is cut into ever more pieces; each piece is tried alone while they are few, and each one is left out. The
 * result is 1-minimal: without any single one of its members the test fails.
 * Zeller, Hildebrandt: Simplifying and isolating failure-inducing input (2002).
 */

export interface Minimal {
  readonly kept: readonly number[];
  readonly tests: number;
  /** leaving out any one more fails; false where the tests ran out before that was known */
  readonly isMinimal: boolean;
}

export interface MinimizeOptions {
  readonly maxTests: number;
  /** parts to try at first: what each keeps */
  readonly cuts?: readonly ((member: number) => boolean)[];
}

/** Pieces are tried alone as long as there are no more than these: small pieces seldom pass. */
const MOST_TRIED_ALONE = 16;

/** Ends a search whose tests have run out. */
class OutOfTests extends Error {}

/**
 * @param members  pass the test; without any of them it fails
 * @param test     whether some of them, in their order, pass
 */
export async function minimize(
  members: readonly number[],
  test: (members: readonly number[]) => Promise<boolean>,
  options: MinimizeOptions,
): Promise<Minimal> {
  const search = new Minimizing(members, test, options.maxTests);
  try {
    for (const keeps of options.cuts ?? []) await search.tryOnly(keeps);
    await search.reduce();
    return search.result(true);
  } catch (error) {
    if (!(error instanceof OutOfTests)) throw error;
    return search.result(false);
  }
}

class Minimizing {
  #kept: readonly number[];
  #tests = 0;

  constructor(
    members: readonly number[],
    readonly test: (members: readonly number[]) => Promise<boolean>,
    readonly maxTests: number,
  ) {
    this.#kept = members;
  }

  result(isMinimal: boolean): Minimal {
    return { kept: this.#kept, tests: this.#tests, isMinimal };
  }

  /** Takes `members` for the rest if they pass. Nothing does not, and costs no test. */
  async #take(members: readonly number[]): Promise<boolean> {
    if (members.length === 0 || members.length === this.#kept.length) return false;
    if (this.#tests >= this.maxTests) throw new OutOfTests();
    this.#tests++;
    if (!(await this.test(members))) return false;
    this.#kept = members;
    return true;
  }

  async tryOnly(keeps: (member: number) => boolean): Promise<void> {
    await this.#take(this.#kept.filter(keeps));
  }

  async reduce(): Promise<void> {
    for (let pieces = 2; ; ) {
      const count = Math.min(pieces, this.#kept.length);
      const parts = cut(this.#kept, count);
      if (count > 2 && count <= MOST_TRIED_ALONE && (await this.#takeOneOf(parts))) {
        pieces = 2;
        continue;
      }
      const left = await this.#leaveOut(parts);
      if (left > 0) pieces = Math.max(2, Math.min(count - left, this.#kept.length));
      else if (count === this.#kept.length) return;
      else pieces = count * 2;
    }
  }

  async #takeOneOf(parts: readonly (readonly number[])[]): Promise<boolean> {
    for (const part of parts) if (await this.#take(part)) return true;
    return false;
  }

  /** Leaves out each part in turn that is not needed. @returns how many were not */
  async #leaveOut(parts: readonly (readonly number[])[]): Promise<number> {
    let left = 0;
    for (const part of parts) {
      const without = new Set(part);
      if (await this.#take(this.#kept.filter((member) => !without.has(member)))) left++;
    }
    return left;
  }
}

/** Cuts a list into `count` pieces of about the same length. */
function cut<T>(list: readonly T[], count: number): T[][] {
  return Array.from({ length: count }, (_, i) =>
    list.slice(Math.floor((i * list.length) / count), Math.floor(((i + 1) * list.length) / count)),
  );
}
