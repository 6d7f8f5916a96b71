/**
 * The value of an expression. A metric that a run does not have is NaN, and so is all that is computed from it; every
 * comparison with it is false, `!=` too: nothing is known of it.
 */
import type { Arithmetic, Expression, FunctionName, NumberNode, Relation, TruthNode } from './expression.js';

/** Value of the metric at an index of {@link Expression.metrics}; NaN where the run has none. */
export type Lookup = (index: number) => number;

export function evaluate(expression: Expression, lookup: Lookup): boolean {
  return truth(expression.root, lookup);
}

function truth(node: TruthNode, lookup: Lookup): boolean {
  switch (node.node) {
    case 'compare':
      return compare(node.op, number(node.left, lookup), number(node.right, lookup));
    case 'and':
      return truth(node.left, lookup) && truth(node.right, lookup);
    case 'or':
      return truth(node.left, lookup) || truth(node.right, lookup);
    case 'not':
      return !truth(node.of, lookup);
  }
}

function compare(op: Relation, left: number, right: number): boolean {
  switch (op) {
    case '<':
      return left < right;
    case '<=':
      return left <= right;
    case '>':
      return left > right;
    case '>=':
      return left >= right;
    case '==':
      return left === right;
    case '!=':
      return left < right || left > right;
  }
}

function number(node: NumberNode, lookup: Lookup): number {
  switch (node.node) {
    case 'number':
      return node.value;
    case 'metric':
      return lookup(node.index);
    case 'negative':
      return -number(node.of, lookup);
    case 'arithmetic':
      return arithmetic(node.op, number(node.left, lookup), number(node.right, lookup));
    case 'call':
      return call(
        node.name,
        node.args.map((arg) => number(arg, lookup)),
      );
  }
}

function arithmetic(op: Arithmetic, left: number, right: number): number {
  switch (op) {
    case '+':
      return left + right;
    case '-':
      return left - right;
    case '*':
      return left * right;
    case '/':
      return left / right;
  }
}

function call(name: FunctionName, args: readonly number[]): number {
  if (name === 'abs') return Math.abs(args[0] as number);
  return name === 'min' ? Math.min(...args) : Math.max(...args);
}
