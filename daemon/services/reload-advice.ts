// What can be advised where a new incarnation does not start because the old one holds what only one can hold.
import { HostError } from '../../protocol/errors.ts';
import { sentence } from '../../protocol/plural.ts';

const heldForm = /\b(?:EADDRINUSE|EBUSY|ELOCKED|EWOULDBLOCK|EAGAIN|SQLITE_BUSY|SQLITE_LOCKED)\b/;

/** The same error, with the advice where it applies. */
export function withReloadAdvice(error: HostError): HostError {
  const held = heldForm.exec(`${error.message} ${JSON.stringify(error.details)}`)?.[0];
  if (held === undefined) return error;
  const advice =
    'Set "reload": "after" in the `service` section of plugin.json, so that a reload stops the old one first.';
  return new HostError(
    error.code,
    `${sentence(error.message)} The old incarnation runs beside the new one and probably holds what this needs (${held}). ${advice}`,
    { ...error.details, advice },
  );
}
