/** Types of the slab part of the result document; what each field means is said in `slab-schema.ts`. */
import type { z } from 'zod';
import type {
  deferredSchema,
  hazardSchema,
  memcgsSchema,
  nolockSchema,
  slabCacheSchema,
  slabSchema,
  slabTotalsSchema,
  slabWasteSchema,
} from './slab-schema.js';

export type ResultSlab = z.infer<typeof slabSchema>;
export type ResultSlabCache = z.infer<typeof slabCacheSchema>;
export type ResultSlabTotals = z.infer<typeof slabTotalsSchema>;
export type ResultSlabWaste = z.infer<typeof slabWasteSchema>;
export type ResultSlabSite = ResultSlab['sites']['rows'][number];
export type ResultNolock = z.infer<typeof nolockSchema>;
export type ResultNolockRequest = ResultNolock['requests'][number];
export type ResultNolockFree = ResultNolock['frees'][number];
export type ResultDeferred = z.infer<typeof deferredSchema>;
export type ResultHazard = z.infer<typeof hazardSchema>;
export type ResultMemcgs = z.infer<typeof memcgsSchema>;
export type ResultMemcg = ResultMemcgs['rows'][number];
