/** Types of the verification document `spbsim.verify/1`; what each field means is said in `verify-schema.ts`. */
import type { z } from 'zod';
import type { verifySchema } from './verify-schema.js';

export type VerifyResult = z.infer<typeof verifySchema>;

export type VerifyDivergence = NonNullable<VerifyResult['first_divergence']>;
export type VerifyCheckpoint = VerifyResult['checkpoints'][number];
export type VerifyRecording = NonNullable<VerifyResult['recording']>;
export type VerifyOrderError = VerifyRecording['after_buddyinfo'][number];
export type VerifyBursts = VerifyRecording['refill'];
export type VerifySlab = NonNullable<VerifyResult['slab']>;
export type VerifySlabs = NonNullable<VerifyRecording['slabs']>;
export type VerifySlabCache = VerifySlabs['caches'][number];
