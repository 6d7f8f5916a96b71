/** An expression over two runs, held against the metrics that both have at one place. */
import { evaluate } from '../expression/evaluate.js';
import { type Expression, type MetricRef, metricText, SIDES } from '../expression/expression.js';

/** Metrics of each side, in the order of {@link Verdict.names}; NaN for what a run does not have. */
export type SideValues = readonly [a: Float64Array, b: Float64Array];

export class Verdict {
  /** metrics of the expression without their sides, each once */
  readonly names: readonly string[];
  /** by metric of the expression: side and index of the name */
  readonly #places: readonly (readonly [side: number, name: number])[];
  readonly #seen: boolean[];

  constructor(readonly expression: Expression) {
    this.names = [...new Set(expression.metrics.map(({ name }) => name))];
    this.#places = expression.metrics.map(({ side, name }) => [
      SIDES.indexOf(side),
      this.names.indexOf(name),
    ]);
    this.#seen = this.#places.map(() => false);
  }

  /** Names that the expression has of one side. */
  namesOf(side: MetricRef['side']): readonly string[] {
    return this.expression.metrics.filter((metric) => metric.side === side).map(({ name }) => name);
  }

  holds(values: SideValues): boolean {
    this.#places.forEach((_, index) => {
      if (!Number.isNaN(this.#value(values, index))) this.#seen[index] = true;
    });
    return evaluate(this.expression, (index) => this.#value(values, index));
  }

  #value(values: SideValues, index: number): number {
    const [side, name] = this.#places[index]!;
    return values[side]![name]!;
  }

  /** Metrics of the expression that had no value wherever it was looked at: `a.spb_evacuations`. */
  get neverSeen(): string[] {
    return this.expression.metrics.filter((_, index) => !this.#seen[index]).map(metricText);
  }
}
