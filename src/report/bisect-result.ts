/** Types of the bisection document; what each field means is said in `bisect-schema.ts`. Importing this loads nothing. */
import type { z } from 'zod';
import type { bisectSchema } from './bisect-schema.js';

export type BisectResult = z.infer<typeof bisectSchema>;
export type BisectFound = NonNullable<BisectResult['found']>;
export type BisectMetric = BisectResult['metrics'][number];
export type BisectReduced = NonNullable<BisectResult['reduced']>;
