// Holds a parsed answer against its shape, and takes from it what the shape names: what a newer daemon says beside that
// falls away. Shapes come from the host, made of the operation table; a schema library in this thread would be ten
// times as large as everything else in it.
import type { Shape } from '../../protocol/remote/messages.ts';

/** The one thing that never stands in an answer: it does not fit. */
const misfit = Symbol('misfit');

export type Fitted = { readonly ok: true; readonly value: unknown } | { readonly ok: false };

export function fitted(shape: Shape, value: unknown): Fitted {
  const found = taken(shape, value);
  return found === misfit ? { ok: false } : { ok: true, value: found };
}

function taken(shape: Shape, value: unknown): unknown {
  if (shape.oneOf !== undefined) {
    for (const one of shape.oneOf) {
      const found = taken(one, value);
      if (found !== misfit) return found;
    }
    return misfit;
  }
  if (!isOfType(shape, value) || !isWithin(shape, value)) return misfit;
  if (Array.isArray(value)) return shape.items === undefined ? value : eachTaken(shape.items, value);
  return typeof value === 'object' && value !== null ? fieldsTaken(shape, value) : value;
}

function isOfType({ type }: Shape, value: unknown): boolean {
  if (type === undefined) return true;
  const own = value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value;
  const types = typeof type === 'string' ? [type] : type;
  return types.some((one) => one === own || (one === 'integer' && Number.isSafeInteger(value)));
}

function isWithin({ const: constant, enum: words, minimum, maximum, pattern }: Shape, value: unknown): boolean {
  if (constant !== undefined && value !== constant) return false;
  if (words !== undefined && !words.includes(value)) return false;
  if (typeof value === 'number' && (value < (minimum ?? -Infinity) || value > (maximum ?? Infinity))) return false;
  return typeof value !== 'string' || pattern === undefined || compiled(pattern).test(value);
}

function eachTaken(items: Shape, values: readonly unknown[]): unknown {
  const found: unknown[] = [];
  for (const value of values) {
    const one = taken(items, value);
    if (one === misfit) return misfit;
    found.push(one);
  }
  return found;
}

function fieldsTaken({ properties = {}, required = [] }: Shape, value: object): unknown {
  const found: [string, unknown][] = [];
  for (const [name, shape] of Object.entries(properties)) {
    if (!Object.hasOwn(value, name)) {
      if (required.includes(name)) return misfit;
      continue;
    }
    const one = taken(shape, (value as Readonly<Record<string, unknown>>)[name]);
    if (one === misfit) return misfit;
    found.push([name, one]);
  }
  return Object.fromEntries(found);
}

/** There are as many as the shapes have: one or two. */
const patterns = new Map<string, RegExp>();

function compiled(pattern: string): RegExp {
  const known = patterns.get(pattern) ?? new RegExp(pattern);
  patterns.set(pattern, known);
  return known;
}
