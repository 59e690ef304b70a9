// What an entry's exports hold, as far as its source tells without being run: `export const tools = { greet() {} }` has
// a function `greet`. Whatever is computed, imported or changed elsewhere is unknown, and of that nothing is said.
import type { Expression, Identifier, Node, ObjectExpression, Pattern, Program, Property } from 'acorn';

/**
 * `function`, or `other` for what is certainly none; an object with its members; undefined: nobody knows before it
 * runs.
 */
export type Shape = 'function' | 'other' | ObjectShape | undefined;

export interface ObjectShape {
  readonly members: ReadonlyMap<string, Shape>;
  /** It has no members but these. */
  readonly complete: boolean;
}

/** Of the SDK: they return what they are given. */
const passOn = new Set(['defineService', 'defineTool', 'defineProfile']);
const deepest = 8;
/** Where an identifier declares, exports or is a key, and does nothing else with what it names. */
const onlyNames = new Set([
  'VariableDeclarator.id',
  'FunctionDeclaration.id',
  'ExportSpecifier.local',
  'ExportSpecifier.exported',
  'ExportDefaultDeclaration.declaration',
  'Property.key',
  'Property.value',
  'MemberExpression.property',
  'MethodDefinition.key',
  'PropertyDefinition.key',
]);

/** The shapes of the named exports and of `default`; an export that is not in it is unknown. */
export async function exportShapes(source: string): Promise<ReadonlyMap<string, Shape>> {
  const { parse } = await import('acorn');
  try {
    return new EntryReader(
      parse(source, { ecmaVersion: 'latest', sourceType: 'module', allowHashBang: true }),
    ).exports();
  } catch {
    // CommonJS, or newer than the parser: Node has linked it all the same.
    return new Map();
  }
}

class EntryReader {
  readonly #program: Program;
  readonly #constants = new Map<string, Expression>();
  readonly #functions = new Set<string>();
  /**
   * Names that are used for more than to export what they stand for: an object may have been given other members there.
   */
  readonly #touched = new Set<string>();

  constructor(program: Program) {
    this.#program = program;
    for (const statement of program.body) this.#declare(statement);
    this.#noteUses(program);
  }

  exports(): Map<string, Shape> {
    const found = new Map<string, Shape>();
    for (const statement of this.#program.body) {
      if (statement.type === 'ExportDefaultDeclaration') {
        const { declaration } = statement;
        found.set(
          'default',
          declaration.type === 'FunctionDeclaration' ? 'function' : this.#shape(declaration as Expression),
        );
      } else if (statement.type === 'ExportNamedDeclaration' && statement.source == null) {
        for (const { local, exported } of statement.specifiers) {
          if (local.type === 'Identifier' && exported.type === 'Identifier')
            found.set(exported.name, this.#shape(local));
        }
        for (const name of namesDeclared(statement.declaration)) found.set(name.name, this.#shape(name));
      }
    }
    return found;
  }

  #declare(statement: Node): void {
    const declared =
      statement.type === 'ExportNamedDeclaration'
        ? (statement as { declaration?: Node | null }).declaration
        : statement;
    if (declared == null) return;
    if (isA(declared, 'FunctionDeclaration')) this.#functions.add((declared as unknown as { id: Identifier }).id.name);
    if (!isA(declared, 'VariableDeclaration')) return;
    const { kind, declarations } = declared as unknown as {
      kind: string;
      declarations: { id: Pattern; init?: Expression | null }[];
    };
    for (const { id, init } of declarations) {
      if (kind === 'const' && id.type === 'Identifier' && init != null) this.#constants.set(id.name, init);
    }
  }

  #noteUses(parent: Node): void {
    for (const [field, child] of childrenOf(parent)) {
      if (isA(child, 'Identifier') && !onlyNames.has(`${parent.type}.${field}`))
        this.#touched.add((child as Identifier).name);
      this.#noteUses(child);
    }
  }

  #shape(expression: Expression, depth = 0): Shape {
    if (depth > deepest) return undefined;
    switch (expression.type) {
      case 'ArrowFunctionExpression':
      case 'FunctionExpression':
        return 'function';
      case 'Literal':
      case 'TemplateLiteral':
      case 'ArrayExpression':
        return 'other';
      case 'ObjectExpression':
        return this.#object(expression, depth);
      case 'Identifier':
        return this.#named(expression, depth);
      case 'CallExpression': {
        const [first] = expression.arguments;
        const passes = expression.callee.type === 'Identifier' && passOn.has(expression.callee.name);
        return passes && first !== undefined && first.type !== 'SpreadElement'
          ? this.#shape(first, depth + 1)
          : undefined;
      }
      default:
        return undefined;
    }
  }

  #named({ name }: Identifier, depth: number): Shape {
    if (this.#functions.has(name)) return 'function';
    const value = this.#constants.get(name);
    if (value === undefined) return name === 'undefined' ? 'other' : undefined;
    const shape = this.#shape(value, depth + 1);
    return typeof shape === 'object' && this.#touched.has(name) ? { ...shape, complete: false } : shape;
  }

  #object({ properties }: ObjectExpression, depth: number): ObjectShape {
    const members = new Map<string, Shape>();
    let complete = true;
    for (const property of properties) {
      const name = property.type === 'Property' ? keyOf(property) : undefined;
      if (property.type === 'SpreadElement' || name === undefined) complete = false;
      else members.set(name, property.kind === 'init' ? this.#shape(property.value, depth + 1) : undefined);
    }
    return { members, complete };
  }
}

function keyOf({ key, computed }: Property): string | undefined {
  if (key.type === 'Identifier' && !computed) return key.name;
  return key.type === 'Literal' ? String(key.value) : undefined;
}

function namesDeclared(declaration: Node | null | undefined): Identifier[] {
  if (declaration == null) return [];
  if (isA(declaration, 'FunctionDeclaration')) return [(declaration as unknown as { id: Identifier }).id];
  const { declarations = [] } = declaration as unknown as { declarations?: { id: Pattern }[] };
  return declarations.flatMap(({ id }) => (id.type === 'Identifier' ? [id] : []));
}

const isA = (node: Node, type: string): boolean => node.type === type;

const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string';

const childrenOf = (node: Node): [string, Node][] =>
  Object.entries(node).flatMap(([field, value]) =>
    [value]
      .flat()
      .filter(isNode)
      .map((child): [string, Node] => [field, child]),
  );
