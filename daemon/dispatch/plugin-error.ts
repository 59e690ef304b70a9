// A plugin's own error as an operator may see it: its words with the values of its environment taken out.
import { type PlainError, messageWithCauses, stackWithCauses } from '../../protocol/cell/plain-error.ts';
import type { CellEnd } from '../cells/cell.ts';

export type Redact = (text: string) => string;

export type PluginError = PlainError;

export function causeOf(error: PlainError, redact: Redact): PluginError {
  return {
    name: error.name,
    message: redact(error.message),
    ...(error.code === undefined ? {} : { code: redact(error.code) }),
    ...(error.stack === undefined ? {} : { stack: redact(error.stack) }),
    ...(error.cause === undefined ? {} : { cause: causeOf(error.cause, redact) }),
    ...(error.errors === undefined ? {} : { errors: error.errors.map((one) => causeOf(one, redact)) }),
  };
}

/** For a sentence: what went wrong, and what that was caused by. */
export const causeText: (cause: PluginError) => string = messageWithCauses;

export const causeStack: (cause: PluginError) => string | undefined = stackWithCauses;

/** What ended a cell while nothing was asked of it, in a sentence; `work` is what it is asked for at other times. */
export function endOutsideText(reason: CellEnd['reason'], work: 'event' | 'input', cause: PluginError): string {
  switch (reason) {
    case 'uncaught_exception':
      return `The plugin's code threw an error outside of any ${work}, and nobody caught it: ${causeText(cause)}`;
    case 'unhandled_rejection':
      return `The plugin's code rejected a promise outside of any ${work}, and nobody handled it: ${causeText(cause)}`;
    case 'exit':
      return `The plugin's code ended its own cell outside of any ${work}: ${causeText(cause)}`;
    default:
      return `The cell ended while it handled no ${work}: ${causeText(cause)}`;
  }
}
