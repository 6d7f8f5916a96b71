/** Types of the check document `spbsim.check/1`; what each field means is said in `check-schema.ts`. */
import type { z } from 'zod';
import type { checkSchema } from './check-schema.js';

export type CheckResult = z.infer<typeof checkSchema>;
export type CheckItem = CheckResult['items'][number];
export type CheckRun = CheckResult['runs'][number];
