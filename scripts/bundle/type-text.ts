// Writes types of the compiler out in full, as plain TypeScript that needs no schema. A shape that stands in several
// places gets a name, so that the text stays short.
import ts from 'typescript';

interface Shape {
  /** In place of each shape inside it stands that one's mark. */
  readonly text: string;
  /** From the field that it was found in first. */
  readonly name: string;
}

/** A shorter shape is easier to read where it stands. */
const leastNamed = 60;

const mark = (index: number): string => `\u0001${String(index)}\u0002`;
const marks = /\u0001(\d+)\u0002/g;

export class TypeText {
  readonly #checker: ts.TypeChecker;
  /** Unions that keep the name that they have elsewhere. */
  readonly #known: readonly (readonly [name: string, members: readonly ts.Type[]])[];
  readonly #shapes: Shape[] = [];
  readonly #indexes = new Map<string, number>();
  readonly #roots: (readonly [name: string, text: string])[] = [];
  readonly #open: ts.Type[] = [];

  constructor(checker: ts.TypeChecker, known: Readonly<Record<string, ts.Type>>) {
    this.#checker = checker;
    this.#known = Object.entries(known).map(([name, type]) => [name, membersOf(type)]);
  }

  add(name: string, type: ts.Type): void {
    this.#roots.push([name, this.#textOf(type, name)]);
  }

  /** Declarations of what was added, and of the shapes that they share. */
  toString(): string {
    const places = new Map<number, number>();
    for (const text of [...this.#shapes.map((shape) => shape.text), ...this.#roots.map(([, root]) => root)])
      for (const [, index] of text.matchAll(marks)) places.set(Number(index), (places.get(Number(index)) ?? 0) + 1);
    const taken = new Set(['Error', ...[...this.#known, ...this.#roots].map(([name]) => name)]);
    const names = new Map<number, string>();
    const inPlace = (text: string): string =>
      text.replace(marks, (_, index) => names.get(Number(index)) ?? inPlace(this.#shapes[Number(index)]?.text ?? ''));
    const length = (index: number): number => inPlace(this.#shapes[index]?.text ?? '').length;
    for (const [index, count] of places)
      if (count > 1 && length(index) >= leastNamed) names.set(index, unused(this.#shapes[index]?.name ?? '', taken));
    return [
      ...[...names].map(([index, name]) => `type ${name} = ${inPlace(this.#shapes[index]?.text ?? '')};\n`),
      ...this.#roots.map(([name, text]) => `export type ${name} = ${inPlace(text)};\n`),
    ].join('');
  }

  #textOf(type: ts.Type, field: string): string {
    if (type.isUnion()) return this.#union(type.types, field);
    if (type.isIntersection()) return type.types.map((each) => this.#textOf(each, field)).join(' & ');
    if ((type.flags & ts.TypeFlags.Object) === 0) return this.#checker.typeToString(type);
    if (this.#open.includes(type)) throw new Error(`the type of ${field} contains itself`);
    this.#open.push(type);
    const text = this.#object(type, field);
    this.#open.pop();
    return text;
  }

  #union(types: readonly ts.Type[], field: string): string {
    let rest = types;
    const texts: string[] = [];
    for (const [name, members] of this.#known) {
      if (!members.every((member) => rest.includes(member))) continue;
      rest = rest.filter((member) => !members.includes(member));
      texts.push(name);
    }
    for (const each of rest) {
      const text = this.#textOf(each, field);
      texts.push(text.includes(' => ') || each.isIntersection() ? `(${text})` : text);
    }
    const distinct = new Set(texts);
    if (distinct.has('true') && distinct.delete('false')) {
      distinct.delete('true');
      distinct.add('boolean');
    }
    // As one would write it: what is there first, and that it may be missing at the end.
    for (const missing of ['null', 'undefined']) if (distinct.delete(missing)) distinct.add(missing);
    return [...distinct].join(' | ');
  }

  #object(type: ts.Type, field: string): string {
    const checker = this.#checker;
    if (checker.isTupleType(type)) {
      const { target } = type as ts.TupleTypeReference;
      const elements = checker.getTypeArguments(type as ts.TypeReference).map((each) => this.#textOf(each, field));
      if (target.hasRestElement || target.minLength < elements.length) throw new Error(`${field} is an open tuple`);
      return `${target.readonly ? 'readonly ' : ''}[${elements.join(', ')}]`;
    }
    if (checker.isArrayType(type)) {
      const [element = type] = checker.getTypeArguments(type as ts.TypeReference);
      const text = this.#textOf(element, singular(field));
      const readonly = type.symbol.name === 'ReadonlyArray' ? 'readonly ' : '';
      return `${readonly}${/[ |&]/.test(text.replace(/^[^ ]*$/, '')) ? `(${text})` : text}[]`;
    }
    if (type.getCallSignatures().length + type.getConstructSignatures().length > 0)
      throw new Error(`${field} is a function`);
    const indexes = checker.getIndexInfosOfType(type).map((info) => {
      const key = checker.typeToString(info.keyType);
      return `${info.isReadonly ? 'readonly ' : ''}[key: ${key}]: ${this.#textOf(info.type, field)}`;
    });
    const fields = checker.getPropertiesOfType(type).map((property) => this.#field(property));
    return this.#shape(`{ ${[...indexes, ...fields].join('; ')} }`.replace('{  }', '{}'), field);
  }

  #field(property: ts.Symbol): string {
    const { name } = property;
    const optional = (property.flags & ts.SymbolFlags.Optional) !== 0;
    // Under exactOptionalPropertyTypes the type of a field that may be missing has a member of its own for that, which
    // is not `undefined`.
    const type = this.#checker.getTypeOfSymbol(property);
    const members = membersOf(type).filter(
      (each) => !optional || (each.flags & ts.TypeFlags.Undefined) === 0 || each === this.#checker.getUndefinedType(),
    );
    const readonly = property.declarations?.some(
      (each) => (ts.getCombinedModifierFlags(each) & ts.ModifierFlags.Readonly) !== 0,
    );
    const key = /^[A-Za-z_$][\w$]*$/.test(name) ? name : `'${name}'`;
    return `${readonly === true ? 'readonly ' : ''}${key}${optional ? '?' : ''}: ${this.#union(members, name)}`;
  }

  #shape(text: string, field: string): string {
    const index = this.#indexes.get(text) ?? this.#shapes.push({ text, name: pascal(field) }) - 1;
    this.#indexes.set(text, index);
    return mark(index);
  }
}

const membersOf = (type: ts.Type): readonly ts.Type[] => (type.isUnion() ? type.types : [type]);

const singular = (field: string): string => field.replace(/ies$/, 'y').replace(/s$/, '');

const pascal = (field: string): string =>
  field
    .split(/\W+/)
    .map((word) => `${word.charAt(0).toUpperCase()}${word.slice(1)}`)
    .join('');

function unused(wanted: string, taken: Set<string>): string {
  let name = wanted;
  for (let number = 2; taken.has(name); number += 1) name = `${wanted}${String(number)}`;
  taken.add(name);
  return name;
}
