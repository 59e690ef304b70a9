// A value that a JSON Schema most likely accepts, for commands that are printed to be tried. The schema is a plugin's
// data: it is read to a bounded depth and never evaluated.
import { type Fields, isFields } from '../../../protocol/fields.ts';

const maxDepth = 6;
const maxProperties = 12;

const firstOf = (value: unknown): unknown => (Array.isArray(value) ? (value as unknown[])[0] : undefined);

export function sampleValue(schema: unknown, depth = 0): unknown {
  if (!isFields(schema) || depth > maxDepth) return null;
  for (const given of [firstOf(schema['examples']), schema['const'], schema['default'], firstOf(schema['enum'])]) {
    if (given !== undefined) return given;
  }
  const alternative = firstOf(schema['anyOf']) ?? firstOf(schema['oneOf']) ?? firstOf(schema['allOf']);
  if (alternative !== undefined && schema['type'] === undefined) return sampleValue(alternative, depth + 1);
  return sampleOfType(schema, depth);
}

function sampleOfType(schema: Fields, depth: number): unknown {
  const type = Array.isArray(schema['type']) ? firstOf(schema['type']) : schema['type'];
  if (type === 'string') return 'text'.padEnd(Number(schema['minLength'] ?? 0), '.');
  if (type === 'integer' || type === 'number') return Math.max(1, Number(schema['minimum'] ?? 1));
  if (type === 'boolean') return true;
  if (type === 'array') return Number(schema['minItems'] ?? 0) > 0 ? [sampleValue(schema['items'], depth + 1)] : [];
  return type === 'object' || isFields(schema['properties']) ? sampleObject(schema, depth) : null;
}

/** What is required, and what shows an example of itself. */
function sampleObject(schema: Fields, depth: number): Record<string, unknown> {
  const properties = isFields(schema['properties']) ? schema['properties'] : {};
  const required = new Set(Array.isArray(schema['required']) ? (schema['required'] as unknown[]) : []);
  const sample: Record<string, unknown> = {};
  for (const [name, property] of Object.entries(properties)) {
    const shown = required.has(name) || (isFields(property) && property['examples'] !== undefined);
    if (shown && Object.keys(sample).length < maxProperties) sample[name] = sampleValue(property, depth + 1);
  }
  return sample;
}
