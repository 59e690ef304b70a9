// How the error of a tool or a profile is told: with the place of a failed import, and without the values of the
// environment.
import type { CallProgress } from '../../protocol/cell/tool-messages.ts';
import { HostError } from '../../protocol/errors.ts';
import type { LoadedPlugin } from '../plugins/plugin.ts';
import type { Redactor } from '../telemetry/redactor.ts';
import { isImportFailure, withToolImportPlace } from '../tools/tool-errors.ts';

/** Passes an error of a tool on; one of a failed import first gets the place of the fault. */
export function passOnPlaced(error: HostError, plugin: LoadedPlugin, then: (error: HostError) => void): void {
  if (isImportFailure(error)) void withToolImportPlace(error, plugin).then(then);
  else then(error);
}

export function redactedError(error: HostError, redactor: Redactor): HostError {
  return new HostError(
    error.code,
    redactor.text(error.message),
    JSON.parse(redactor.json(JSON.stringify(error.details))) as Record<string, unknown>,
  );
}

/** A tool's message may hold the same. */
export function redactedProgress({ message, ...counts }: CallProgress, redactor: Redactor): CallProgress {
  return message === undefined ? counts : { ...counts, message: redactor.text(message) };
}
