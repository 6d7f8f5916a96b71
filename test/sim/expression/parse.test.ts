/** The language of --until: what it means, held against JavaScript's own arithmetic, and what its mistakes say. */
import { describe, expect } from 'vitest';
import { UsageError } from '../../../src/config/usage-error.js';
import { METRIC_FAMILIES } from '../../../src/report/metrics/catalogue.js';
import { evaluate } from '../../../src/sim/expression/evaluate.js';
import { metricText } from '../../../src/sim/expression/expression.js';
import { parseExpression } from '../../../src/sim/expression/parse.js';
import { fc, test } from '../../trace/properties.js';

const VALUES: Readonly<Record<string, number>> = {
  'a.spb_tainted': 7,
  'b.spb_tainted': 3,
  'a.free_pages.Normal': 1000,
  'b.unusable_index.node1:Normal.9': 0.25,
  'a.alloc_failed': 0,
};

function holds(source: string, values: Readonly<Record<string, number>> = VALUES): boolean {
  const expression = parseExpression(source);
  return evaluate(
    expression,
    (index) => values[metricText(expression.metrics[index] as never)] ?? Number.NaN,
  );
}

function messageOf(source: string): string {
  try {
    parseExpression(source);
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError);
    return (error as Error).message;
  }
  throw new Error(`${source} was taken`);
}

describe('meaning', () => {
  test.each<[string, boolean]>([
    ['a.spb_tainted > b.spb_tainted', true],
    ['a.spb_tainted > b.spb_tainted + 4', false],
    ['a.spb_tainted >= b.spb_tainted + 4', true],
    ['a.spb_tainted - b.spb_tainted - 4 == 0', true],
    ['a.spb_tainted - (b.spb_tainted - 4) == 8', true],
    ['2 + 3 * 4 == 14', true],
    ['(2 + 3) * 4 == 20', true],
    ['12 / 2 / 3 == 2', true],
    ['-2 * -3 == 6', true],
    ['- - 2 == 2', true],
    ['1 - -1 == 2', true],
    ['20% == 0.2', true],
    ['1e3 == 1000 && 2.5E-1 == .25 && 1. == 1', true],
    ['150% * 2 == 3', true],
    ['b.unusable_index.node1:Normal.9 > 20%', true],
    ['abs(b.spb_tainted - a.spb_tainted) == 4', true],
    ['min(3, 1, 2) == 1 && max(a.spb_tainted, 8) == 8', true],
    ['1 < 2 || 1 > 2 && 2 > 3', true],
    ['(1 < 2 || 1 > 2) && 2 > 3', false],
    ['!(1 < 2) || 1 < 2', true],
    ['!(1 < 2 || 1 < 2)', false],
    ['!!(1 < 2)', true],
    ['1 != 2 && !(1 == 2) && 1 <= 1', true],
    ['1<2&&2<3', true],
    ['  a.spb_tainted\n\t>\r\n3 ', true],
    ['1 / 0 > 1e300', true],
  ])('%s', (source, expected) => {
    expect(holds(source)).toBe(expected);
  });

  test.each(['<', '<=', '>', '>=', '==', '!='])(
    'no comparison with a missing figure holds: %s',
    (operator) => {
      for (const source of [
        `b.alloc_failed ${operator} 0`,
        `0 ${operator} b.alloc_failed`,
        `b.alloc_failed ${operator} b.alloc_failed`,
        `max(b.alloc_failed, 1) * 0 ${operator} 0`,
        `0 / 0 ${operator} 0`,
      ])
        expect(holds(source), source).toBe(false);
    },
  );

  test('each metric is told once, in the order of appearance', () => {
    const { metrics } = parseExpression('b.spb_tainted < a.spb_tainted || b.spb_tainted < a.alloc_failed');
    expect(metrics.map(metricText)).toEqual(['b.spb_tainted', 'a.spb_tainted', 'a.alloc_failed']);
  });

  test('every metric of the catalogue can be written', () => {
    const example = {
      ZONE: 'node0:DMA32',
      ORDER: '10',
      TYPE: 'movable',
      NOTE: 'warm_up',
      REASON: 'x_1',
      KIND: 'deadlock',
      CONTEXT: 'nmi',
      LOCK: 'cpu_slab_next',
      CLASS: '8192',
      CAUSE: 'busy_twice',
    };
    for (const { name, labels } of METRIC_FAMILIES) {
      const metric = [name, ...labels.map((label) => example[label])].join('.');
      expect(parseExpression(`b.${metric} > 0`).metrics).toEqual([{ side: 'b', name: metric }]);
    }
  });
});

/** Texts with the values that JavaScript gives them; the grammar of both agrees where all operators are in parentheses. */
interface Known<V> {
  readonly text: string;
  readonly value: V;
}

const number: fc.Arbitrary<Known<number>> = fc.letrec<{ number: Known<number> }>((tie) => ({
  number: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.integer({ min: 0, max: 99 }).map((value) => ({ text: String(value), value })),
    fc.constantFrom(...Object.entries(VALUES)).map(([text, value]) => ({ text, value })),
    fc
      .tuple(tie('number'), fc.constantFrom('+', '-', '*', '/'), tie('number'))
      .map(([left, operator, right]) => ({
        text: `(${left.text} ${operator} ${right.text})`,
        value: {
          '+': left.value + right.value,
          '-': left.value - right.value,
          '*': left.value * right.value,
          '/': left.value / right.value,
        }[operator] as number,
      })),
    tie('number').map(({ text, value }) => ({ text: `-${text}`, value: -value })),
    tie('number').map(({ text, value }) => ({ text: `abs(${text})`, value: Math.abs(value) })),
    fc
      .tuple(tie('number'), tie('number'))
      .map(([x, y]) => ({ text: `min(${x.text},${y.text})`, value: Math.min(x.value, y.value) })),
  ),
})).number;

const truth: fc.Arbitrary<Known<boolean>> = fc.letrec<{ truth: Known<boolean> }>((tie) => ({
  truth: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.tuple(number, fc.constantFrom('<', '<=', '>', '>=', '=='), number).map(([left, operator, right]) => ({
      text: `(${left.text}${operator}${right.text})`,
      value: {
        '<': left.value < right.value,
        '<=': left.value <= right.value,
        '>': left.value > right.value,
        '>=': left.value >= right.value,
        '==': left.value === right.value,
      }[operator] as boolean,
    })),
    fc.tuple(tie('truth'), fc.constantFrom('&&', '||'), tie('truth')).map(([left, operator, right]) => ({
      text: `(${left.text} ${operator} ${right.text})`,
      value: operator === '&&' ? left.value && right.value : left.value || right.value,
    })),
    tie('truth').map(({ text, value }) => ({ text: `!${text}`, value: !value })),
  ),
})).truth;

test('any expression has the value that JavaScript computes', () => {
  fc.assert(
    fc.property(truth, ({ text, value }) => {
      expect(holds(text)).toBe(value);
    }),
    { numRuns: 500 },
  );
});

test('without parentheses operators bind as in JavaScript', () => {
  const operand = fc.constantFrom('1', '2', '3', '5', '-4', '0.5');
  const chain = (operators: readonly string[], of: fc.Arbitrary<string>) =>
    fc
      .tuple(of, fc.array(fc.tuple(fc.constantFrom(...operators), of), { maxLength: 5 }))
      .map(([first, rest]) => [first, ...rest.map(([operator, next]) => `${operator} ${next}`)].join(' '));
  const sum = chain(['+', '-', '*', '/'], operand);
  const comparison = fc
    .tuple(sum, fc.constantFrom('<', '<=', '>', '>=', '==', '!='), sum)
    .map((parts) => parts.join(' '));
  fc.assert(
    fc.property(chain(['&&', '||'], comparison), (text) => {
      // The text is made of numbers and operators alone.
      expect(holds(text)).toBe(new Function(`return ${text};`)());
    }),
    { numRuns: 500 },
  );
});

describe('mistakes', () => {
  test.each<[string, number, RegExp]>([
    ['', 1, /a number, a metric such as a\.spb_tainted, or \( is expected here/],
    ['   ', 4, /is expected here/],
    ['a.spb_tainted', 1, /this is a number: compare it/],
    ['a.spb_tainted +', 16, /is expected here/],
    ['1 + 2 * (3)', 1, /this is a number/],
    ['a.spb_tainted > ', 17, /is expected here/],
    ['(1 < 2', 7, /a \) is missing here/],
    ['1 < 2)', 6, /nothing was opened that this closes/],
    ['1 < 2 3', 7, /an operator is missing here/],
    ['1 < 2 < 3', 7, /< takes numbers, and this side is a comparison; join comparisons with && or \|\|/],
    ['1 && 2 > 1', 1, /&& takes comparisons, and this is a number/],
    ['2 > 1 && 1', 10, /&& takes comparisons/],
    ['!a.spb_tainted > 1', 2, /! takes comparisons/],
    ['-(1 < 2) > 1', 2, /- takes numbers/],
    ['1 = 2', 3, /"=" alone means nothing: write ==/],
    ['1 < 2 & 2 < 3', 7, /write &&/],
    ['a.spb_tainted > 3$', 18, /this character means nothing here/],
    ['a.free-pages > 3', 1, /there is no metric free; all are listed by/],
    ['spb_tainted > 3', 1, /of which policy\? write a\.spb_tainted or b\.spb_tainted$/m],
    ['spb_taintd > 3', 1, /write a\.spb_taintd or b\.spb_taintd; did you mean spb_tainted\?/],
    ['c.spb_tainted > 3', 1, /of which policy\?/],
    ['1 < a.spb_taintd', 5, /there is no metric spb_taintd; did you mean spb_tainted\?/],
    ['a.xyzzyplugh > 1', 1, /there is no metric xyzzyplugh; all are listed by: spbsim metrics/],
    ['a. > 1', 1, /there is no metric without a name/],
    ['a.unusable_index > 1', 1, /a\.unusable_index\.ZONE\.ORDER, such as a\.unusable_index\.Normal\.9/],
    ['a.unusable_index.Normal > 1', 1, /this is not how unusable_index is written/],
    [
      'a.spb_tainted.Normal.9 > 1',
      1,
      /a\.spb_tainted; or a\.spb_tainted\.ZONE, such as a\.spb_tainted\.Normal/,
    ],
    ['b.spb_tainted. > 1', 1, /this is not how spb_tainted is written/],
    ['sqrt(4) > 1', 1, /there is no function sqrt; there are abs, min, max/],
    ['abs() > 1', 5, /is expected here/],
    ['abs(1, 2) > 1', 1, /abs takes 1 number, not 2/],
    ['min(1) > 1', 1, /min takes 2 to 16 numbers, not 1/],
    ['min(1, 2 > 1', 13, /a , or \) is missing here/],
    ['1e999 > 1', 1, /this number is too large/],
    ['12abc > 1', 3, /a number ends here/],
    ['1.2.3 > 1', 4, /an operator is missing here/],
    ['a.__proto__ > 1', 1, /there is no metric __proto__/],
    ['a.constructor > 1', 1, /there is no metric constructor/],
    ['a.toString() > 1', 1, /there is no function a\.toString/],
  ])('%j', (source, character, problem) => {
    const message = messageOf(source);
    expect(message).toMatch(problem);
    expect(message).toMatch(new RegExp(`^--until, character ${character}: `));
    const [, shown = '', caret = ''] = message.split('\n');
    expect(caret.trim()).toBe('^');
    // The caret stands below the character that is meant.
    expect(shown.slice(2)).toBe(source.replace(/[^\x20-\x7e]/g, '?'));
    expect(caret.indexOf('^')).toBe(character - 1 + 2);
  });

  test('of a long expression the surroundings are shown', () => {
    const source = `${'1 < 2 && '.repeat(30)}1 < ? ${'&& 1 < 2 '.repeat(30)}`;
    const [, shown = '', caret = ''] = messageOf(source).split('\n');
    expect(shown.length).toBeLessThan(100);
    expect(shown[caret.indexOf('^')]).toBe('?');
    expect(shown).toMatch(/^ {2}\.\.\..*\.\.\.$/);
  });
});

describe('hostile texts', () => {
  test('nesting has an end', () => {
    for (const source of [
      `${'('.repeat(1900)}1 < 2${')'.repeat(1900)}`,
      `${'!'.repeat(4000)}(1 < 2)`,
      `${'-'.repeat(4000)}1 < 2`,
      `${'abs('.repeat(800)}1${')'.repeat(800)} < 2`,
      `1${' + 1'.repeat(1000)} > 2`,
      `1 < 2${' || 1 < 2'.repeat(450)}`,
    ])
      expect(messageOf(source)).toMatch(/nested deeper than 200 levels|more than 200 operators in a row/);
    expect(holds(`${'('.repeat(150)}1 < 2${')'.repeat(150)}`)).toBe(true);
    expect(holds(`1${' + 1'.repeat(150)} == 151`)).toBe(true);
  });

  test('so has length', () => {
    expect(messageOf(`1 < 2 ${' '.repeat(5000)}`)).toMatch(/longer than 4096 characters/);
    expect(messageOf('a.'.padEnd(1_000_000, 'x'))).toMatch(/longer than 4096 characters/);
  });

  test('nothing reaches the terminal, and every mistake is a UsageError', () => {
    for (const source of [
      '\u001b[2Jx > 1',
      'a.spb_tainted > 1 \u009b1m',
      '::error::x',
      '\u202e1 < 2',
      'a\u0000 > 1',
    ]) {
      const message = messageOf(source);
      for (const line of message.split('\n')) expect(line).toMatch(/^[\x20-\x7e]*$/);
    }
    fc.assert(
      fc.property(
        fc.array(
          fc.constantFrom(
            'a.spb_tainted',
            'b.alloc_failed',
            '1',
            '20%',
            '(',
            ')',
            '<',
            '&&',
            '||',
            '!',
            '-',
            '+',
            ',',
            'abs',
            'min(',
            ' ',
            '$',
            'x',
          ),
          { maxLength: 12 },
        ),
        (words) => {
          const source = words.join('');
          try {
            parseExpression(source);
          } catch (error) {
            expect(error).toBeInstanceOf(UsageError);
          }
        },
      ),
      { numRuns: 2000 },
    );
  });
});
