/**
 * Reads an expression over the metrics of two runs:
 *
 *     a.spb_tainted > b.spb_tainted + 2 && a.alloc_failed == 0
 *     abs(a.free_pages.Normal - b.free_pages.Normal) >= 20% * max(a.free_pages.Normal, 1)
 *
 * A Pratt parser: each operator has a strength, and an operand takes in whatever binds stronger than what stands before
 * it. Nothing is ever run as code, and neither nesting nor length is without limit.
 */
import type {
  Arithmetic,
  Expression,
  FunctionName,
  MetricRef,
  NumberNode,
  Relation,
  TruthNode,
} from './expression.js';
import { expressionError } from './expression-error.js';
import { metricNamed } from './metric-names.js';
import { type Token, tokenize } from './tokens.js';

type Typed =
  | { readonly type: 'number'; readonly node: NumberNode; readonly depth: number; readonly at: number }
  | { readonly type: 'truth'; readonly node: TruthNode; readonly depth: number; readonly at: number };

/** Of parentheses in parentheses, and of an operator's operands below each other. */
const MAX_DEPTH = 200;

const STRENGTH: ReadonlyMap<string, number> = new Map([
  ['||', 1],
  ['&&', 2],
  ['<', 3],
  ['<=', 3],
  ['>', 3],
  ['>=', 3],
  ['==', 3],
  ['!=', 3],
  ['+', 4],
  ['-', 4],
  ['*', 5],
  ['/', 5],
]);
const COMPARISON = 3;
/** `!` and the minus sign take the next operand only. */
const UNARY = 6;

/** Arguments of each function, at least and at most. */
const FUNCTIONS: ReadonlyMap<string, readonly [number, number]> = new Map([
  ['abs', [1, 1]],
  ['min', [2, 16]],
  ['max', [2, 16]],
]);

/**
 * @param option  where the text was given: messages begin with it
 * @throws UsageError  with the place, and what is expected there
 */
export function parseExpression(source: string, option = '--until'): Expression {
  return new Parser(source, option).parse();
}

class Parser {
  readonly #tokens: readonly Token[];
  readonly #metrics: MetricRef[] = [];
  #next = 0;
  #depth = 0;

  constructor(
    readonly source: string,
    readonly option: string,
  ) {
    this.#tokens = tokenize(source, option);
  }

  parse(): Expression {
    const whole = this.#operand(0);
    const rest = this.#peek();
    if (rest.kind !== 'end')
      this.#fail(
        rest.at,
        rest.text === ')' ? 'nothing was opened that this closes' : 'an operator is missing here',
      );
    if (whole.type !== 'truth')
      this.#fail(
        whole.at,
        'this is a number: compare it with something, such as a.spb_tainted > b.spb_tainted',
      );
    return { source: this.source, root: whole.node, metrics: this.#metrics };
  }

  #fail(at: number, problem: string): never {
    throw expressionError(this.source, at, problem, this.option);
  }

  #peek(): Token {
    return this.#tokens[this.#next] as Token;
  }

  #take(): Token {
    const token = this.#peek();
    if (token.kind !== 'end') this.#next++;
    return token;
  }

  #expect(text: string, problem: string): void {
    const token = this.#take();
    if (token.kind !== 'operator' || token.text !== text) this.#fail(token.at, problem);
  }

  /** An operand, with all operators behind it that are stronger than `strength`. */
  #operand(strength: number): Typed {
    const first = this.#peek();
    if (++this.#depth > MAX_DEPTH) this.#fail(first.at, `nested deeper than ${MAX_DEPTH} levels`);
    let left = this.#prefix();
    for (;;) {
      const operator = this.#peek();
      const own = operator.kind === 'operator' ? STRENGTH.get(operator.text) : undefined;
      if (own === undefined || own <= strength) break;
      this.#take();
      left = this.#binary(operator, left, this.#operand(own));
      if (left.depth > MAX_DEPTH) this.#fail(operator.at, `more than ${MAX_DEPTH} operators in a row`);
    }
    this.#depth--;
    return left;
  }

  #prefix(): Typed {
    const token = this.#take();
    const { at } = token;
    if (token.kind === 'number')
      return { type: 'number', node: { node: 'number', value: token.value }, depth: 1, at };
    if (token.kind === 'name') return this.#peek().text === '(' ? this.#call(token) : this.#metric(token);
    if (token.text === '(') {
      const inner = this.#operand(0);
      this.#expect(')', 'a ) is missing here');
      return { ...inner, at };
    }
    if (token.text === '!') {
      const of = this.#operand(UNARY);
      return { type: 'truth', node: { node: 'not', of: this.#truth(of, '!') }, depth: of.depth + 1, at };
    }
    if (token.text === '-') {
      const of = this.#operand(UNARY);
      return {
        type: 'number',
        node: { node: 'negative', of: this.#number(of, '-') },
        depth: of.depth + 1,
        at,
      };
    }
    return this.#fail(at, 'a number, a metric such as a.spb_tainted, or ( is expected here');
  }

  #metric(token: Token): Typed {
    const metric = metricNamed(token.text);
    if ('problem' in metric) this.#fail(token.at, metric.problem);
    let index = this.#metrics.findIndex(({ side, name }) => side === metric.side && name === metric.name);
    if (index < 0) index = this.#metrics.push(metric) - 1;
    return { type: 'number', node: { node: 'metric', index }, depth: 1, at: token.at };
  }

  #call(token: Token): Typed {
    const arity = FUNCTIONS.get(token.text);
    if (arity === undefined)
      this.#fail(
        token.at,
        `there is no function ${token.text}; there are ${[...FUNCTIONS.keys()].join(', ')}`,
      );
    this.#take();
    const args: Typed[] = [this.#operand(0)];
    while (this.#peek().text === ',') {
      this.#take();
      args.push(this.#operand(0));
    }
    this.#expect(')', 'a , or ) is missing here');
    const [least, most] = arity;
    if (args.length < least || args.length > most) {
      const wanted = least === most ? '1 number' : `${least} to ${most} numbers`;
      this.#fail(token.at, `${token.text} takes ${wanted}, not ${args.length}`);
    }
    const numbers = args.map((arg) => this.#number(arg, token.text));
    const depth = Math.max(...args.map((arg) => arg.depth)) + 1;
    const node: NumberNode = { node: 'call', name: token.text as FunctionName, args: numbers };
    return { type: 'number', node, depth, at: token.at };
  }

  #binary(operator: Token, left: Typed, right: Typed): Typed {
    const depth = Math.max(left.depth, right.depth) + 1;
    const { text } = operator;
    const { at } = left;
    if (text === '&&' || text === '||') {
      const node = text === '&&' ? 'and' : 'or';
      return {
        type: 'truth',
        node: { node, left: this.#truth(left, text), right: this.#truth(right, text) },
        depth,
        at,
      };
    }
    const operands = { left: this.#number(left, text, operator.at), right: this.#number(right, text) };
    if (STRENGTH.get(text) === COMPARISON)
      return { type: 'truth', node: { node: 'compare', op: text as Relation, ...operands }, depth, at };
    return { type: 'number', node: { node: 'arithmetic', op: text as Arithmetic, ...operands }, depth, at };
  }

  #number(operand: Typed, operator: string, at = operand.at): NumberNode {
    if (operand.type === 'number') return operand.node;
    return this.#fail(
      at,
      `${operator} takes numbers, and this side is a comparison; join comparisons with && or ||`,
    );
  }

  #truth(operand: Typed, operator: string): TruthNode {
    if (operand.type === 'truth') return operand.node;
    return this.#fail(operand.at, `${operator} takes comparisons, and this is a number`);
  }
}
