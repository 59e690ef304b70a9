// A plugin's own error as an operator may see it: its words with the values of its environment taken out.
import type { PlainError } from '../../protocol/cell/plain-error.ts';

export type Redact = (text: string) => string;

export interface Cause {
  readonly name: string;
  readonly message: string;
  readonly stack?: string;
}

export function causeOf(error: PlainError, redact: Redact): Cause {
  return {
    name: error.name,
    message: redact(error.message),
    ...(error.stack === undefined ? {} : { stack: redact(error.stack) }),
  };
}
