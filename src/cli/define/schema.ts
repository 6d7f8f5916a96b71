import type { Command } from 'commander';
import type { SchemaOptions } from '../commands/schema.js';
import { oneOf } from '../option-values.js';

const EXAMPLES = `Examples:
  spbsim schema result                                   JSON schema of run --json
  spbsim schema verify                                   JSON schema of verify --json
`;

/** Those of report/json-schema.ts, which loads zod. */
const JSON_DOCUMENTS = ['result', 'verify', 'info', 'explain', 'diff', 'check', 'bisect'] as const;

export function addSchema(program: Command): void {
  program
    .command('schema')
    .summary('print the JSON schema of what --json prints')
    .description('Prints the JSON schema of a document.')
    .argument('[document]', JSON_DOCUMENTS.join(', '), oneOf('schema', JSON_DOCUMENTS), 'result')
    .option('--write-all <directory>', 'write the schemas of all documents there instead')
    .addHelpText('before', EXAMPLES)
    .action(async (name: (typeof JSON_DOCUMENTS)[number], options: SchemaOptions) =>
      (await import('../commands/schema.js')).schemaCommand(name, options),
    );
}
