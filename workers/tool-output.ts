// A tool's result as JSON text. JSON.stringify drops functions and symbols without a word, turns a Map or a promise
// into {} and builds a text of any size: here each of them is refused by the path where it stands, before it is built.
import { isMap, isPromise, isSet } from 'node:util/types';
import { HostError, invalid } from '../protocol/errors.ts';
import { flattenError } from '../protocol/cell/plain-error.ts';
import { pathText } from '../protocol/paths.ts';
import { captured, stringifyJson } from './primitives.ts';

const maxDepth = 500;

const { isArray } = Array;
const { keys, getPrototypeOf } = Object;
const { isView } = ArrayBuffer;
const plain: unknown = Object.prototype;

/** What cannot be sent, found at the path the walk has come to. */
class Unsendable extends Error {}

class TooLarge extends Error {}

/** Walks a result once: finds what JSON cannot hold, and stops when the text would outgrow its bound. */
class ResultWalk {
  readonly path: (string | number)[] = [];
  readonly #ancestors: object[] = [];
  #left: number;

  constructor(maxBytes: number) {
    this.#left = maxBytes;
  }

  check(value: unknown): void {
    switch (typeof value) {
      case 'string':
        return this.#spend(value.length + 2);
      case 'object':
        return value === null ? this.#spend(4) : this.#checkObject(value);
      case 'function':
        throw new Unsendable('is a function, which JSON cannot hold');
      case 'symbol':
        throw new Unsendable('is a symbol, which JSON cannot hold');
      case 'bigint':
        throw new Unsendable('is a BigInt, which JSON cannot hold; send it as a string');
      default:
        return this.#spend(1);
    }
  }

  #checkObject(value: object): void {
    if (isView(value) && value.byteLength * 2 > this.#left) throw new TooLarge();
    if (this.#ancestors.includes(value))
      throw new Unsendable('refers back to an object that holds it, which JSON cannot express');
    if (this.path.length >= maxDepth) throw new Unsendable(`is nested deeper than ${String(maxDepth)} levels`);
    const { toJSON } = value as { toJSON?: unknown };
    this.#ancestors.push(value);
    const shown: unknown =
      typeof toJSON === 'function' ? Reflect.apply(toJSON, value, [String(this.path.at(-1) ?? '')]) : value;
    if (shown !== value) this.check(shown);
    else if (isArray(value)) this.#checkArray(value);
    else this.#checkMembers(value);
    this.#ancestors.pop();
  }

  #checkArray(values: readonly unknown[]): void {
    this.#spend(1 + values.length);
    for (let index = 0; index < values.length; index += 1) {
      this.path.push(index);
      this.check(values[index]);
      this.path.pop();
    }
  }

  #checkMembers(value: object): void {
    if (getPrototypeOf(value) !== plain) {
      if (isMap(value))
        throw new Unsendable('is a Map, which JSON cannot hold; send Object.fromEntries(map) or [...map]');
      if (isSet(value)) throw new Unsendable('is a Set, which JSON cannot hold; send [...set]');
      if (isPromise(value)) throw new Unsendable('is a promise; await it before returning');
    }
    this.#spend(2);
    for (const key of keys(value)) {
      this.path.push(key);
      const member: unknown = Reflect.get(value, key);
      if (member !== undefined) {
        this.#spend(key.length + 3);
        this.check(member);
      }
      this.path.pop();
    }
  }

  /**
   * Counts what the text has at least, so that nothing is refused that would fit; its exact bytes are checked at the
   * end.
   */
  #spend(characters: number): void {
    this.#left -= characters;
    if (this.#left < 0) throw new TooLarge();
  }
}

function tooLarge(maxBytes: number, bytes?: number): HostError {
  const size = bytes === undefined ? `more than ${String(maxBytes)}` : String(bytes);
  return new HostError(
    'payload_too_large',
    `The tool's result has ${size} bytes of JSON; at most ${String(maxBytes)} are allowed; limits.toolOutputBytes sets this bound.`,
    { what: 'result', limit: 'limits.toolOutputBytes', maximum: maxBytes, ...(bytes === undefined ? {} : { bytes }) },
  );
}

/** Throws `tool_output_invalid` or `payload_too_large`; undefined is sent as null. */
export function resultJson(value: unknown, maxBytes: number): string {
  const walk = new ResultWalk(maxBytes);
  try {
    walk.check(value);
    const json = stringifyJson(value) ?? 'null';
    const bytes = captured.byteLength(json);
    if (bytes > maxBytes) throw tooLarge(maxBytes, bytes);
    return json;
  } catch (thrown) {
    if (thrown instanceof HostError) throw thrown;
    if (thrown instanceof TooLarge) throw tooLarge(maxBytes);
    const message = thrown instanceof Unsendable ? thrown.message : `cannot be read: ${flattenError(thrown).message}`;
    throw invalid('tool_output_invalid', "The tool's result", [{ path: pathText(walk.path), message }]);
  }
}
