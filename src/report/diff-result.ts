/** Types of the diff document `spbsim.diff/1`; what each field means is said in `diff-schema.ts`. */
import type { z } from 'zod';
import type { diffSchema } from './diff-schema.js';

export type DiffResult = z.infer<typeof diffSchema>;
export type DiffCase = DiffResult['cases'][number];
export type DiffRow = DiffCase['rows'][number];
export type DiffSpread = NonNullable<DiffRow['a']>;
export type DiffVerdict = DiffRow['verdict'];
export type DiffCounts = DiffResult['counts'];
export type DiffMapRow = DiffCase['map'][number];
export type DiffSide = DiffResult['a'];
export type DiffFirst = NonNullable<DiffCase['first_difference']>;
