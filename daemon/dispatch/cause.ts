// A plugin's own error as an operator may see it: its words with the values of its environment taken out.
import { type PlainError, messageWithCauses, stackWithCauses } from '../../protocol/cell/plain-error.ts';

export type Redact = (text: string) => string;

export type Cause = PlainError;

export function causeOf(error: PlainError, redact: Redact): Cause {
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
export const causeText: (cause: Cause) => string = messageWithCauses;

export const causeStack: (cause: Cause) => string | undefined = stackWithCauses;
