/** Property tests run with a fixed seed: a failure repeats. `SPBSIM_SEED` tries another one. */
import fc from 'fast-check';
import { test } from 'vitest';

fc.configureGlobal({ seed: Number(process.env.SPBSIM_SEED ?? 20_240_817) });

export { fc, test };
