/** A difference in a scripted run of kmalloc_nolock, in words. */
import type { KmemCache } from '../../mm/slab/kmem-cache.js';
import type { VerifyDivergence } from '../../report/verify-result.js';
import type { NlrunOp } from '../../trace/oracle/nlrun.js';
import type { NlrunCall, NlrunHeader } from '../../trace/oracle/nlrun-lines.js';

/** What the model did in one operation. */
export interface NlrunOutcome {
  readonly place: string;
  /** of the record's counters, cache by cache */
  readonly deltas: readonly number[];
  /** slabs by the record's numbers */
  readonly made: readonly number[];
  readonly gone: readonly number[];
  /** all that was found so far */
  readonly differences: readonly string[];
}

export function nlrunDivergence(
  { op, call, made, gone }: NlrunOp,
  header: NlrunHeader,
  caches: readonly KmemCache[],
  model: NlrunOutcome,
): VerifyDivergence {
  const width = header.stats.length;
  const moved = new Float64Array(caches.length * width);
  for (const { cache, deltas } of call.stats)
    for (const [index, delta] of deltas) moved[cache * width + index] = delta;
  const countersText = (deltas: Iterable<number>): string => {
    const parts = [...deltas].flatMap((delta, at) =>
      delta === 0 ? [] : [`${caches[Math.floor(at / width)]!.name} ${header.stats[at % width]} +${delta}`],
    );
    return parts.join(', ') || 'no counter';
  };
  const kernelMade = made.map(({ n }) => n);
  return {
    index: op,
    ts_ns: null,
    text: callText(call, header, caches),
    kernel: `${kernelPlace(call, caches)}; ${countersText(moved)}${slabsText(kernelMade, gone)}`,
    model: `${model.place}; ${countersText(model.deltas)}${slabsText(model.made, model.gone)}`,
    context: model.differences.filter((difference) => difference.startsWith(`op ${op}`)),
  };
}

function kernelPlace({ got, slab, slot }: NlrunCall, caches: readonly KmemCache[]): string {
  return got < 0 ? 'nothing' : `slab ${slab} slot ${slot} of ${caches[got]!.name}`;
}

function slabsText(made: readonly number[], gone: readonly number[]): string {
  const text = (word: string, labels: readonly number[]) =>
    labels.length === 0 ? '' : `; slabs ${word} ${labels.join(' ')}`;
  return `${text('made', made)}${text('gone', gone)}`;
}

function callText(
  { kind, context, held, size_bytes, cache, slab, slot }: NlrunCall,
  header: NlrunHeader,
  caches: readonly KmemCache[],
): string {
  if (kind === 'work') return 'the deferred work';
  const below = header.held[held]!.join(' and ');
  const where = `${context === 'N' ? ' in an NMI' : ''}${below === '' ? '' : ` below ${below}`}`;
  if (kind === 'kfree' || kind === 'kfree_nolock')
    return `${kind} ${caches[cache]!.name} slab ${slab} slot ${slot}${where}`;
  return `${kind} ${size_bytes} bytes${where}`;
}
