/** Mistakes of callers that the slab allocator counts by itself, in the words of the result. */
import { SLAB_HAZARD_NAMES, type SlabHazardName, type SlabHazards } from '../../mm/slab/slab-hazards.js';
import type { HazardKind } from '../../report/slab/nolock-words.js';
import type { ResultSlab } from '../../report/slab/result-slab.js';

const KINDS: Readonly<Record<SlabHazardName, readonly [kind: HazardKind, text: string]>> = {
  large_kfree_nolock: ['leak', 'kfree_nolock() of objects with pages of their own: those are lost'],
  kfree_nolock_of_kmalloc: ['warning', 'kfree_nolock() of objects that kmalloc() made'],
  kfree_of_kmalloc_nolock: ['warning', 'kfree() of objects that kmalloc_nolock() made'],
  rt_sleeping_lock: ['misuse', 'a lock that sleeps, taken where nothing may sleep (PREEMPT_RT)'],
  up_trylock: ['double_use', 'a trylock that got what the interrupted code holds (one processor)'],
  debug_loop: ['loop', 'a debug cache that made slab after slab because list_lock was taken'],
};

/** The result with these hazards behind its own. */
export function hazardsOfCalls(result: ResultSlab, counted: SlabHazards): ResultSlab {
  const hazards = [...result.hazards];
  const hazards_total = { ...result.hazards_total };
  for (const name of SLAB_HAZARD_NAMES) {
    const count = counted.count(name);
    if (count === 0) continue;
    const [kind, text] = KINDS[name];
    hazards_total[kind] = (hazards_total[kind] ?? 0) + count;
    const times = count === 1 ? 'once' : `${count} times`;
    hazards.push({
      kind,
      event: null,
      ts_ns: null,
      cpu: 0,
      wanted: null,
      stack: [],
      text: `${text}; ${times}`,
    });
  }
  return { ...result, hazards, hazards_total };
}
