/**
 * What an expression over the metrics of two runs is once it has been parsed.
 *
 * Numbers and truth values are kept apart by the types: a comparison makes one of two of the others.
 */

export const SIDES = ['a', 'b'] as const;
export type Side = (typeof SIDES)[number];

/** A metric of one of the two runs. */
export interface MetricRef {
  readonly side: Side;
  /** as in the catalogue: `unusable_index.Normal.9` */
  readonly name: string;
}

export type Arithmetic = '+' | '-' | '*' | '/';
export type Relation = '<' | '<=' | '>' | '>=' | '==' | '!=';
export type FunctionName = 'abs' | 'min' | 'max';

export type NumberNode =
  | { readonly node: 'number'; readonly value: number }
  /** @see Expression.metrics */
  | { readonly node: 'metric'; readonly index: number }
  | { readonly node: 'negative'; readonly of: NumberNode }
  | {
      readonly node: 'arithmetic';
      readonly op: Arithmetic;
      readonly left: NumberNode;
      readonly right: NumberNode;
    }
  | { readonly node: 'call'; readonly name: FunctionName; readonly args: readonly NumberNode[] };

export type TruthNode =
  | { readonly node: 'compare'; readonly op: Relation; readonly left: NumberNode; readonly right: NumberNode }
  | { readonly node: 'and' | 'or'; readonly left: TruthNode; readonly right: TruthNode }
  | { readonly node: 'not'; readonly of: TruthNode };

export interface Expression {
  readonly source: string;
  readonly root: TruthNode;
  /** each metric once, in the order of their first appearance */
  readonly metrics: readonly MetricRef[];
}

/** `a.spb_tainted` */
export function metricText({ side, name }: MetricRef): string {
  return `${side}.${name}`;
}
