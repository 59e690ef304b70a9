// JSON Schemas of a plugin, compiled and run inside its cell: a schema may hold a pattern that runs for ever, and
// that must be the plugin's own problem. The validator is loaded only by plugins that have something to check.
import { type Issue, issueText } from '../protocol/errors.ts';
import { parseJson } from './primitives.ts';
import { issuesOfFindings } from './schema-words.ts';

export type SchemaCheck = (value: unknown) => Issue[];

/** Of a schema that is none: what is told of it. */
const mostFaults = 5;

const acceptsAll = /^(?:\{\s*\}|true)$/;

export interface SchemaOptions {
  /** Hold the schema itself against the meta-schema: for checking a plugin, not for running it. */
  readonly thorough?: boolean;
}

/** Compiling the meta-schema takes 70 ms, so a cell does it only for a schema that refers to it. */
const refersToMeta = /"\$(?:ref|dynamicRef)"\s*:\s*"https?:\/\/json-schema\.org/;

export async function compileSchema(
  schemaJson: string,
  { thorough = false }: SchemaOptions = {},
): Promise<SchemaCheck> {
  if (acceptsAll.test(schemaJson)) return () => [];
  const { Ajv2020 } = await import('./json-schema-validator.ts');
  const meta = thorough || refersToMeta.test(schemaJson);
  // Formats are annotations, as draft 2020-12 has it by default; unknown keywords are too.
  const ajv = new Ajv2020({
    allErrors: true,
    strict: false,
    validateFormats: false,
    logger: false,
    meta,
    validateSchema: meta,
  });
  const { $schema: _dialect, ...schema } = parseJson(schemaJson) as { $schema?: unknown };
  if (thorough && ajv.validateSchema(schema) === false)
    throw new Error(
      issuesOfFindings(ajv.errors ?? [], schema)
        .slice(0, mostFaults)
        .map(issueText)
        .join('; '),
    );
  const validate = ajv.compile(schemaJson === 'false' ? false : schema);
  return (value) => (validate(value) ? [] : issuesOfFindings(validate.errors ?? [], value));
}
