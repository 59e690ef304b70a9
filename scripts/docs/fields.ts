// The fields of a schema as rows: path, default, what is allowed, meaning. Read from its JSON Schema, which says the
// same to everybody else.
import * as z from 'zod';

export interface Field {
  readonly path: string;
  readonly default: string;
  readonly allowed: string;
  readonly meaning: string;
}

/** The part of JSON Schema that zod writes for this project's schemas. */
interface Node {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly maxItems?: number;
  readonly properties?: Readonly<Record<string, Node>>;
  readonly required?: readonly string[];
  readonly items?: Node;
  readonly prefixItems?: readonly Node[];
  readonly additionalProperties?: Node | boolean;
}

export function fieldsOf(schema: z.ZodType): Field[] {
  // zod's own JSON Schema of schemas that are all plain data.
  return walk('', z.toJSONSchema(schema, { io: 'input' }) as Node);
}

function walk(path: string, node: Node): Field[] {
  const fields: Field[] = [];
  for (const [name, inner] of Object.entries(node.properties ?? {})) {
    const at = path === '' ? name : `${path}.${name}`;
    const nested = nestedOf(at, inner);
    const required = node.required?.includes(name) === true;
    if (nested === undefined || inner.description !== undefined) fields.push(field(at, inner, required));
    if (nested !== undefined) fields.push(...walk(...nested));
  }
  return fields;
}

/** The object inside a field, where there is one with known keys, and how its keys are reached. */
function nestedOf(at: string, node: Node): [path: string, node: Node] | undefined {
  if (node.properties !== undefined) return [at, node];
  if (node.items?.properties !== undefined) return [`${at}[]`, node.items];
  const values = node.additionalProperties;
  return typeof values === 'object' && values.properties !== undefined ? [`${at}.*`, values] : undefined;
}

function field(path: string, node: Node, required: boolean): Field {
  const fallback = node.default === undefined ? (required ? 'required' : '') : JSON.stringify(node.default);
  return { path, default: fallback, allowed: allowedOf(node), meaning: node.description ?? '' };
}

function allowedOf(node: Node): string {
  if (node.const !== undefined) return JSON.stringify(node.const);
  if (node.enum !== undefined) return node.enum.map((value) => JSON.stringify(value)).join(', ');
  if (node.minimum !== undefined && node.maximum !== undefined)
    return `${String(node.minimum)} – ${String(node.maximum)}`;
  if (node.type === 'array')
    return node.prefixItems === undefined
      ? `list of ${node.items?.type ?? 'anything'}`
      : `list of ${String(node.prefixItems.length)}`;
  if (node.type === 'string' && node.maxLength !== undefined)
    return `string, up to ${String(node.maxLength)} characters`;
  return node.type ?? 'anything';
}
