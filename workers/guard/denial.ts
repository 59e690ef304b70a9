// What a thread cell refuses, and in which words: each refusal says what would allow it. A guard against faults, not
// against malice.
import { isMainThread } from 'node:worker_threads';

export interface Grants {
  /** Worker threads of the plugin's own. */
  readonly worker: boolean;
  /** Native addons. */
  readonly addons: boolean;
  /** The daemon's control socket, where it is kept from the plugin. */
  readonly controlSocket?: string;
}

export const noGrants: Grants = { worker: false, addons: false };

export const processIsolation = 'Use "isolation": "process" in plugin.json.';
export const grantOf = (name: string): string =>
  `Grant it with "permissions": { "${name}": true } in plugin.json, or use "isolation": "process".`;

const kindOfCell = isMainThread ? 'a cell' : 'a thread cell';

export class Denied extends Error {
  readonly code = 'ERR_NAGAYA_DENIED';

  constructor(what: string, why: string, remedy: string) {
    super(`${what} is not allowed in ${kindOfCell}: ${why}. ${remedy}`);
    this.name = 'Denied';
  }
}

/** In place of a function that is not allowed. */
export function denial(what: string, why: string, remedy: string = processIsolation): () => never {
  // Also in place of a class.
  return function refused() {
    throw new Denied(what, why, remedy);
  };
}

/**
 * Replaced and not locked: what was there is out of reach then, and libraries that wrap a function of `process` wrap
 * this one.
 */
export function replace(target: object, name: string, value: unknown): void {
  const { enumerable = true } = Object.getOwnPropertyDescriptor(target, name) ?? {};
  Object.defineProperty(target, name, { value, writable: true, configurable: true, enumerable });
}
