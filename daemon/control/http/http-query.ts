// The parameters that stand in a URL are texts; what an operation takes are numbers, booleans and lists. Only what
// plainly is one becomes one: the rest stays as it came, for the operation's own check to name.
import type { Operation } from '../../../protocol/operation.ts';

type Reader = (texts: readonly string[]) => unknown;

const numberForm = /^-?\d{1,16}(?:\.\d{1,16})?$/;
const booleans: ReadonlyMap<string, boolean> = new Map([
  ['true', true],
  ['1', true],
  ['', true],
  ['false', false],
  ['0', false],
]);

function readNumber(text: string): unknown {
  return numberForm.test(text) ? Number(text) : text;
}

function readBoolean(text: string): unknown {
  return booleans.get(text) ?? text;
}

const readText = (text: string): unknown => text;

/** A parameter given once is itself; given more often it is a list, which the check refuses where none is wanted. */
const single =
  (read: (text: string) => unknown): Reader =>
  (texts) =>
    texts.length === 1 ? read(texts[0] ?? '') : texts;

/** A list is the key repeated, or its members with commas between them. */
const list =
  (read: (text: string) => unknown): Reader =>
  (texts) =>
    texts
      .flatMap((text) => text.split(','))
      .filter((text) => text !== '')
      .map(read);

interface SchemaDefinition {
  readonly type?: string;
  readonly innerType?: { readonly def: SchemaDefinition };
  readonly element?: { readonly def: SchemaDefinition };
}

/** Through optional, default and the like to the schema of the value itself. */
function innermost(definition: SchemaDefinition | undefined): SchemaDefinition {
  let at = definition ?? {};
  while (at.innerType !== undefined) at = at.innerType.def;
  return at;
}

function memberReader(definition: SchemaDefinition): (text: string) => unknown {
  if (definition.type === 'number') return readNumber;
  return definition.type === 'boolean' ? readBoolean : readText;
}

export class QueryReader {
  readonly #readers = new Map<string, Reader>();

  constructor(row: Operation) {
    // zod types the members too loosely to be followed; each step that is taken here is checked.
    const shape = row.params.shape as Readonly<Record<string, { readonly def: SchemaDefinition }>>;
    for (const [name, { def }] of Object.entries(shape)) {
      const definition = innermost(def);
      this.#readers.set(
        name,
        definition.type === 'array'
          ? list(memberReader(innermost(definition.element?.def)))
          : single(memberReader(definition)),
      );
    }
  }

  read(query: URLSearchParams): Record<string, unknown> {
    const names = new Set(query.keys());
    return Object.fromEntries(
      [...names].map((name) => [name, (this.#readers.get(name) ?? single(readText))(query.getAll(name))]),
    );
  }

  /** A path segment, as the operation takes it. */
  readOne(name: string, text: string): unknown {
    return this.#readers.get(name)?.([text]) ?? text;
  }
}
