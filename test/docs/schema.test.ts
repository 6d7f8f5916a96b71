/** The published schemas are those of the program. To write them anew: spbsim schema --write-all docs/schema */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { JSON_SCHEMA_NAMES, jsonSchema, jsonSchemaFileName } from '../../src/report/json-schema.js';
import { jsonText } from '../../src/report/result-json.js';

test.each(JSON_SCHEMA_NAMES)('docs/schema holds the schema of %s', (name) => {
  const published = readFileSync(
    new URL(`../../docs/schema/${jsonSchemaFileName(name)}`, import.meta.url),
    'utf8',
  );
  expect(published).toBe(jsonText(jsonSchema(name)));
});
