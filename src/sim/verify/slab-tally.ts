/** Counts what was compared and what was equal, by named part, with the first differences in words. */
export interface PartCount {
  readonly name: string;
  readonly compared: number;
  readonly equal: number;
}

const MAX_DIFFERENCES = 20;
/** entries of a list shown from where it first differs */
const SHOWN_ENTRIES = 6;

export class Tally {
  readonly #compared = new Map<string, number>();
  readonly #equal = new Map<string, number>();
  readonly differences: string[] = [];

  constructor(names: readonly string[]) {
    for (const name of names) {
      this.#compared.set(name, 0);
      this.#equal.set(name, 0);
    }
  }

  /** @returns isEqual, for the caller to go on with */
  note(part: string, isEqual: boolean, difference: () => string): boolean {
    this.#compared.set(part, (this.#compared.get(part) ?? 0) + 1);
    if (isEqual) this.#equal.set(part, (this.#equal.get(part) ?? 0) + 1);
    else if (this.differences.length < MAX_DIFFERENCES) this.differences.push(difference());
    return isEqual;
  }

  value(part: string, name: string, kernel: number, model: number): boolean {
    return this.note(part, kernel === model, () => `${name}: kernel ${kernel}, model ${model}`);
  }

  list(part: string, name: string, kernel: readonly number[], model: readonly number[]): boolean {
    return this.note(part, sameNumbers(kernel, model), () => {
      const at = kernel.findIndex((entry, i) => entry !== model[i]);
      const from = at < 0 ? kernel.length : at;
      const show = (entries: readonly number[]) =>
        entries.slice(from, from + SHOWN_ENTRIES).join(' ') || 'end';
      return `${name}: differ from entry ${from} on: kernel ${show(kernel)} (${kernel.length}), model ${show(model)} (${model.length})`;
    });
  }

  get parts(): PartCount[] {
    return [...this.#compared].map(([name, compared]) => ({
      name,
      compared,
      equal: this.#equal.get(name) ?? 0,
    }));
  }

  get compared(): number {
    return this.parts.reduce((sum, part) => sum + part.compared, 0);
  }

  get equal(): number {
    return this.parts.reduce((sum, part) => sum + part.equal, 0);
  }
}

export function sameNumbers(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((entry, i) => entry === b[i]);
}
