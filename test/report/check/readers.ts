/** How the outputs are read by those for whom they are meant: a CI runner, an XML parser, a schema, a Markdown parser. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Ajv } from 'ajv';
import ajvDraft04 from 'ajv-draft-04';
import addFormatsModule from 'ajv-formats';
import { XmlDocument, type XmlElement, XsdValidator } from 'libxml2-wasm';
import MarkdownIt from 'markdown-it';

export interface WorkflowCommand {
  readonly name: string;
  readonly properties: Readonly<Record<string, string>>;
  readonly message: string;
}

function unescaped(text: string): string {
  return text
    .replaceAll('%0D', '\r')
    .replaceAll('%0A', '\n')
    .replaceAll('%3A', ':')
    .replaceAll('%2C', ',')
    .replaceAll('%25', '%');
}

/** What a runner obeys in a log: lines that begin with `::`, after white space, and `##[name]` anywhere in a line. */
export function workflowCommands(log: string): WorkflowCommand[] {
  const commands: WorkflowCommand[] = [];
  for (const line of log.split(/\r\n|[\n\r\u0085\u2028\u2029]/)) {
    const match = /^::([^\s:]*)(?: (.*?))?::(.*)$/.exec(line.trimStart());
    if (match !== null) {
      const [, name = '', list = '', message = ''] = match;
      const pairs = list === '' ? [] : list.split(',').map((pair) => pair.split('='));
      const properties = Object.fromEntries(
        pairs.map(([key = '', ...value]) => [key, unescaped(value.join('='))]),
      );
      commands.push({ name, properties, message: unescaped(message) });
      continue;
    }
    const old = /##[\w.]*\[\s*([^\s\];]*)/.exec(line);
    if (old !== null) commands.push({ name: old[0], properties: {}, message: line });
  }
  return commands;
}

/** Characters that a terminal or a reader of lines would act on; the line feed is ours. */
export const UNPRINTABLE =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]|\p{Cs}/u;

const require = createRequire(import.meta.url);

function validatorOf(xsd: Buffer): XsdValidator {
  return XsdValidator.fromDoc(XmlDocument.fromBuffer(xsd));
}

/** The schema of Ant's JUnit task, the strictest of those in use. */
const JUNIT_SCHEMA = validatorOf(
  readFileSync(require.resolve('jest-junit-reporter/src/__tests__/fixtures/junit.xsd')),
);

/** Parses XML and looks at it; the parser's memory is not collected, so the document lives as long as the look. */
export function withXml<T>(text: string, look: (document: XmlDocument) => T): T {
  const document = XmlDocument.fromString(text);
  try {
    return look(document);
  } finally {
    document.dispose();
  }
}

/** Throws for what is not JUnit. */
export function assertJunit(text: string): void {
  withXml(text, (document) => JUNIT_SCHEMA.validate(document));
}

/** Names of all elements, in order. */
export function xmlShape(text: string): string[] {
  return withXml(text, (document) => document.find('//*').map((node) => (node as XmlElement).name));
}

// The package is CommonJS: its function is the module itself, which the types of ESM do not say.
const addFormats = addFormatsModule as unknown as (ajv: Ajv) => void;

// As above. The published schema is written in draft 4 of JSON schema.
const AjvDraft04 = ajvDraft04 as unknown as typeof Ajv;

function sarifValidator() {
  const ajv = new AjvDraft04({ strict: false, allErrors: true, unicodeRegExp: false });
  addFormats(ajv);
  const schema = readFileSync(
    require.resolve('@microsoft/jest-sarif/lib/schemas/sarif-2.1.0-rtm.5.json'),
    'utf8',
  );
  return ajv.compile(JSON.parse(schema));
}

const isSarif = sarifValidator();

/** What the schema of SARIF 2.1.0 finds wrong. */
export function sarifErrors(log: unknown): string[] {
  isSarif(log);
  return (isSarif.errors ?? []).map((error) => `${error.instancePath} ${error.message ?? ''}`);
}

const markdown = new MarkdownIt({ html: true, linkify: true });

/** What a Markdown parser makes of a text, a line per node; code spans are told apart by `code` alone. */
export function markdownShape(text: string, code: (content: string) => string = () => '`'): string[] {
  return markdown
    .parse(text, {})
    .flatMap((block) =>
      block.type === 'inline'
        ? (block.children ?? []).map((node) =>
            node.type === 'code_inline' ? code(node.content) : `${node.type} ${node.content}`,
          )
        : [`${block.type} ${block.content}`],
    );
}
