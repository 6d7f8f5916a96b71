/**
 * What `--inject` asks for: operations that strike inside those of a trace.
 *
 *     nmi:kmalloc_nolock(64)@cpu_slab:p=0.01,live=200
 *     context:operation(bytes or order)@point:options
 *
 * At every point of that name that a CPU comes to, the operation strikes with probability `p`. What it gets it keeps until
 * more than `live` objects are held; then each strike also gives the oldest one back.
 */
import { UsageError } from '../../config/usage-error.js';
import { Context } from '../../mm/context.js';
import { CTX_NAMES, LOCK_POINTS } from '../../trace/event-batch.js';

export const INJECTED_OPS = ['kmalloc_nolock', 'kmalloc', 'alloc_nolock', 'alloc'] as const;
export type InjectedOp = (typeof INJECTED_OPS)[number];

export interface InjectSpec {
  /** as it was given */
  readonly text: string;
  readonly context: Context;
  readonly op: InjectedOp;
  /** bytes of an object, order of pages */
  readonly size: number;
  readonly isAccounted: boolean;
  /** index into LOCK_POINTS */
  readonly point: number;
  /** of striking, at each point */
  readonly probability: number;
  /** objects held at most */
  readonly live: number;
  /** the only CPU that is struck; -1 for all */
  readonly cpu: number;
}

const FORM = /^([a-z]+):([a-z_]+)\(([^)]*)\)@([a-z_]+)(?::(.*))?$/;
const OPTIONS = ['p', 'live', 'cpu'] as const;
const DEFAULT_LIVE = 64;
const MAX_LIVE = 1 << 20;
const MAX_BYTES = 1 << 22;
const MAX_ORDER = 10;
const EXAMPLE = 'nmi:kmalloc_nolock(64)@cpu_slab:p=0.01';

/** @throws UsageError */
export function parseInject(text: string): InjectSpec {
  const match = FORM.exec(text);
  if (match === null)
    throw mistake(text, `expected CONTEXT:OPERATION(SIZE)@POINT:OPTIONS, such as ${EXAMPLE}`);
  const [, context, op, size, point, options = ''] = match as unknown as string[];
  const name = oneOf(text, 'operation', op!, INJECTED_OPS);
  const [amount = '', ...words] = size!.split(',').map((word) => word.trim());
  const unknown = words.find((word) => word !== 'account');
  if (unknown !== undefined) throw mistake(text, `${unknown}: expected account`);
  const isOfPages = name === 'alloc' || name === 'alloc_nolock';
  return {
    text,
    context: Context[oneOf(text, 'context', context!, CTX_NAMES) as keyof typeof Context],
    op: name,
    size: whole(text, isOfPages ? 'order' : 'bytes', amount, 0, isOfPages ? MAX_ORDER : MAX_BYTES),
    isAccounted: words.length > 0,
    point: LOCK_POINTS.indexOf(oneOf(text, 'point', point!, LOCK_POINTS)),
    ...optionsOf(text, options),
  };
}

function optionsOf(text: string, options: string): Pick<InjectSpec, 'probability' | 'live' | 'cpu'> {
  let probability = 1;
  let live = DEFAULT_LIVE;
  let cpu = -1;
  const given = new Set<string>();
  for (const option of options === '' ? [] : options.split(',')) {
    const [key = '', ...rest] = option.split('=');
    const value = rest.join('=');
    const name = oneOf(text, 'option', key, OPTIONS);
    if (given.has(name)) throw mistake(text, `${name} is given twice`);
    given.add(name);
    switch (name) {
      case 'p':
        probability = Number(value);
        if (value === '' || !(probability > 0 && probability <= 1))
          throw mistake(text, `p=${value}: expected a probability above 0, up to 1`);
        break;
      case 'live':
        live = whole(text, 'live', value, 0, MAX_LIVE);
        break;
      default:
        cpu = whole(text, 'cpu', value, 0, 0xffff);
    }
  }
  return { probability, live, cpu };
}

function oneOf<W extends string>(text: string, what: string, word: string, words: readonly W[]): W {
  const found = words.find((each) => each === word);
  if (found !== undefined) return found;
  throw mistake(text, `there is no ${what} ${word}: expected one of ${words.join(', ')}`);
}

function whole(text: string, what: string, value: string, least: number, most: number): number {
  const number = Number(value);
  if (/^\d+$/.test(value) && number >= least && number <= most) return number;
  throw mistake(text, `${what} ${value}: expected a whole number from ${least} to ${most}`);
}

function mistake(text: string, what: string): UsageError {
  return new UsageError(`--inject ${text}: ${what}`);
}
