/**
 * The published JSON schemas of the documents that `--json` prints.
 */
import { z } from 'zod';
import { BISECT_SCHEMA_ID, bisectSchema } from './bisect-schema.js';
import { CHECK_SCHEMA_ID, checkSchema } from './check-schema.js';
import { DIFF_SCHEMA_ID, diffSchema } from './diff-schema.js';
import { EXPLAIN_SCHEMA_ID, explainSchema } from './explain-schema.js';
import { INFO_SCHEMA_ID, infoSchema } from './info-schema.js';
import { RESULT_SCHEMA_ID, resultSchema } from './result-schema.js';
import { VERIFY_SCHEMA_ID, verifySchema } from './verify-schema.js';

export const JSON_SCHEMA_NAMES = ['result', 'verify', 'info', 'explain', 'diff', 'check', 'bisect'] as const;
export type JsonSchemaName = (typeof JSON_SCHEMA_NAMES)[number];

const DOCUMENTS = {
  result: { id: RESULT_SCHEMA_ID, schema: resultSchema },
  verify: { id: VERIFY_SCHEMA_ID, schema: verifySchema },
  info: { id: INFO_SCHEMA_ID, schema: infoSchema },
  explain: { id: EXPLAIN_SCHEMA_ID, schema: explainSchema },
  diff: { id: DIFF_SCHEMA_ID, schema: diffSchema },
  check: { id: CHECK_SCHEMA_ID, schema: checkSchema },
  bisect: { id: BISECT_SCHEMA_ID, schema: bisectSchema },
} as const;

/** JSON Schema (draft 2020-12) of a document. */
export function jsonSchema(name: JsonSchemaName): Record<string, unknown> {
  const { id, schema } = DOCUMENTS[name];
  const { $schema, ...rest } = z.toJSONSchema(schema) as Record<string, unknown>;
  return { $schema, title: id, ...rest };
}

/** File name under which a schema is published: `spbsim.result/1` is `spbsim.result-1.json`. */
export function jsonSchemaFileName(name: JsonSchemaName): string {
  return `${DOCUMENTS[name].id.replace('/', '-')}.json`;
}
