/** Types of the explanation document; what each field means is said in `explain-schema.ts`. Importing this loads nothing. */
import type { z } from 'zod';
import type { explainSchema, explainStepSchema } from './explain-schema.js';

export type Explanation = z.infer<typeof explainSchema>;
export type ExplainStep = z.infer<typeof explainStepSchema>;
export type ExplainStepOf<S extends ExplainStep['step']> = Extract<ExplainStep, { step: S }>;
export type ExplainSearch = ExplainStepOf<'search'>;
export type ExplainChanges = Explanation['changes'];
