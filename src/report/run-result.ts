/**
 * Types of the result document `spbsim.result/1`; what each field means is said in `result-schema.ts`.
 *
 * Only types come from there, so importing this file loads nothing.
 */
import type { z } from 'zod';
import type {
  inputSchema,
  noteSchema,
  policySchema,
  readInputSchema,
  resultSchema,
  startStateSchema,
} from './result-schema.js';

export type RunResult = z.infer<typeof resultSchema>;

export type ResultInput = z.infer<typeof inputSchema>;
export type ResultReadInput = z.infer<typeof readInputSchema>;
export type ResultPolicy = z.infer<typeof policySchema>;
export type ResultMachine = RunResult['machine'];
export type ResultStartState = z.infer<typeof startStateSchema>;
export type ResultEventCount = RunResult['events'][number];
export type ResultAllocationCount = RunResult['allocations'][number];
export type ResultNote = z.infer<typeof noteSchema>;
export type ResultNode = RunResult['nodes'][number];
export type ResultZone = RunResult['zones'][number];
export type ResultZoneSpb = ResultZone['superpageblocks'];
export type ResultSpbRange = ResultZoneSpb['ranges'][number];
export type ResultSpb = NonNullable<RunResult['superpageblocks']>;
export type ResultPcp = ResultZone['pcp'][number];
export type ResultSample = RunResult['series'][number];
export type ResultSampleZone = ResultSample['zones'][number];
export type ResultFinding = RunResult['findings'][number];
export type ResultPerformance = RunResult['performance'];
