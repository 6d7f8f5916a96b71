/** Type of the info document; what each field means is said in `info-schema.ts`. Importing this loads nothing. */
import type { z } from 'zod';
import type { infoSchema } from './info-schema.js';

export type TraceInfo = z.infer<typeof infoSchema>;
