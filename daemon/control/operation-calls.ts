// From a name and whatever was sent with it to the operation's handler: the one way in, for both languages. Names are
// bound once, so that a call costs a lookup, the check of its parameters and the handler itself.
import { HostError } from '../../protocol/errors.ts';
import { nearest } from '../../protocol/issues.ts';
import type { Operation } from '../../protocol/operation.ts';
import { type OperationName, operationNames, operations } from '../../protocol/operations.ts';
import { parseParameters } from '../../protocol/parameters.ts';
import { areChecked } from './rpc/call-reader.ts';
import type { Caller, Handlers } from '../operations/caller.ts';

interface BoundOperation {
  readonly row: Operation;
  readonly subject: string;
  readonly handle: (params: unknown, caller: Caller) => unknown;
}

export class OperationCalls {
  readonly #bound = new Map<string, BoundOperation>();
  readonly #shuttingDown: () => boolean;

  constructor(handlers: Handlers, shuttingDown: () => boolean) {
    this.#shuttingDown = shuttingDown;
    for (const name of operationNames) this.#bound.set(name, bind(name, handlers));
  }

  /** Answers at once where the handler does, else with its promise, or `Later`; throws what it refuses. */
  call(name: string, params: unknown, caller: Caller): unknown {
    const bound = this.#bound.get(name);
    if (bound === undefined) throw unknownMethod(name);
    if (bound.row.duringShutdown !== true && this.#shuttingDown())
      throw new HostError('shutting_down', 'The daemon is shutting down.');
    return bound.handle(areChecked(params) ? params : parseParameters(bound.row.params, params, bound.subject), caller);
  }
}

function bind(name: OperationName, handlers: Handlers): BoundOperation {
  return {
    row: operations[name],
    subject: `The call of ${name}`,
    // The table pairs each name's parameters with its handler; over the whole of it the compiler cannot follow.
    handle: handlers[name] as BoundOperation['handle'],
  };
}

function unknownMethod(name: string): HostError {
  const meant = nearest(name, operationNames);
  const shown = name.length > 64 ? `${name.slice(0, 64)}…` : name;
  return new HostError(
    'method_not_found',
    `There is no operation ${JSON.stringify(shown)}${meant === undefined ? '.' : `. Did you mean ${meant}?`}`,
    { method: shown, ...(meant === undefined ? {} : { didYouMean: meant }) },
  );
}
