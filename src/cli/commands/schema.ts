import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  JSON_SCHEMA_NAMES,
  type JsonSchemaName,
  jsonSchema,
  jsonSchemaFileName,
} from '../../report/json-schema.js';
import { jsonText } from '../../report/result-json.js';
import { print } from '../output.js';

export interface SchemaOptions {
  readonly writeAll?: string;
}

/** `spbsim schema`: prints the published schema of a document, or writes those of all into a directory. */
export async function schemaCommand(name: JsonSchemaName, options: SchemaOptions): Promise<void> {
  if (options.writeAll === undefined) return print(jsonText(jsonSchema(name)));
  await mkdir(options.writeAll, { recursive: true });
  for (const each of JSON_SCHEMA_NAMES) {
    await writeFile(join(options.writeAll, jsonSchemaFileName(each)), jsonText(jsonSchema(each)));
  }
}
