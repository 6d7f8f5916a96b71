/** What the tests of `explain` share: a machine, a trace that has a bit of everything, and checks that hold for each explanation. */
import { expect } from 'vitest';
import { machineFromSize } from '../../src/config/machine-by-size.js';
import { resolvePolicy } from '../../src/config/resolve-policy.js';
import type { Explanation } from '../../src/report/explain-document.js';
import { explainSchema } from '../../src/report/explain-schema.js';
import { renderExplanation } from '../../src/report/explain-text.js';
import { jsonText } from '../../src/report/result-json.js';
import { explainEvent } from '../../src/sim/explain.js';
import type { EventTarget } from '../../src/sim/explain-find.js';
import { fileOf } from './support.js';

export const GIB_PAGES = 0x40000;

export interface ExplainOptions {
  readonly policy?: string;
  readonly set?: readonly string[];
  readonly memory_pages?: number;
}

let files = 0;

/** Explains an event of a trace CSV, by default on a machine of 4 GiB that has just been started. */
export async function explain(
  csv: string,
  target: EventTarget | number,
  options: ExplainOptions = {},
): Promise<Explanation> {
  const explanation = await explainEvent({
    inputs: [await fileOf(`explain-${files++}.csv`, csv)],
    target: typeof target === 'number' ? { number: target } : target,
    policy: await resolvePolicy(options.policy, options.set ?? []),
    machine: machineFromSize({ memory_pages: options.memory_pages ?? 4 * GIB_PAGES, cpus: 2 }),
    machineOrigin: '--memory',
    open: {},
  });
  expect(explainSchema.parse(JSON.parse(jsonText(explanation)))).toEqual(explanation);
  for (const line of renderExplanation(explanation).split('\n')) expect(line.length).toBeLessThanOrEqual(100);
  return explanation;
}

export const HEAD = 'op,id,order,gfp,arg,ctx,cpu\n';
export const STORY = `${HEAD}alloc,m0,0,GFP_HIGHUSER_MOVABLE,,task,0
mark,,,,half way,task,0
alloc,u0,0,GFP_KERNEL,,task,0
alloc,u1,0,GFP_KERNEL,,softirq,0
alloc,r0,1,GFP_KERNEL|__GFP_RECLAIMABLE,,task,1
free,u1,0,,,task,0
alloc,a0,4,GFP_ATOMIC|__GFP_NOWARN,,hardirq,1
free,a0,4,,,task,1
free,nobody,0,,,task,0
alloc,m0,3,GFP_HIGHUSER_MOVABLE,,task,0
alloc_nolock,n0,0,,,nmi,1
contig_alloc,g0,0,GFP_HIGHUSER_MOVABLE,pages=262144,task,0
contig_free,g0,,,,task,0
`;
