// Cell to host traffic, checked by hand message by message: it is the hottest path from a place the host does not
// trust. A test holds these checks against the types.
import {
  type CellMessage,
  type CrashMessage,
  type EventFailure,
  type EventOutput,
  type LogMessage,
  logLevels,
} from '../../protocol/cell/messages.ts';
import {
  type EventEffects,
  type SentCommand,
  type StateChanges,
  mostCommandKeyLength,
  mostCommandPathLength,
  mostStateChanges,
  mostPrefixLength,
  mostStateKeyBytes,
} from '../../protocol/cell/effects.ts';
import { isPlainError } from '../../protocol/cell/plain-error.ts';
import { type Fields, isFields } from '../../protocol/fields.ts';
import { isAmount, isCount, isText } from '../isolates/untrusted-values.ts';

const isOptionalText = (value: unknown): boolean => value === undefined || isText(value);
const isOptionalFlag = (value: unknown): boolean => value === undefined || typeof value === 'boolean';

const isIssue = (value: unknown): boolean => isFields(value) && isText(value['path']) && isText(value['message']);

const isFailure = (value: unknown): value is EventFailure =>
  isFields(value) &&
  isCount(value['sequence']) &&
  (value['code'] === 'dispatch_failed' || value['code'] === 'payload_invalid') &&
  isPlainError(value['error']) &&
  isAmount(value['durationMs']) &&
  isOptionalFlag(value['permanent']) &&
  isOptionalFlag(value['paused']) &&
  (value['afterMs'] === undefined || isAmount(value['afterMs'])) &&
  (value['issues'] === undefined || (Array.isArray(value['issues']) && value['issues'].every(isIssue)));

/**
 * Plain bytes in memory that is wholly ours: nobody else has it, changes it, or keeps more of it alive than is seen.
 */
const isHandedOver = (value: unknown): value is Uint8Array =>
  value instanceof Uint8Array &&
  Object.getPrototypeOf(value) === Uint8Array.prototype &&
  value.buffer instanceof ArrayBuffer &&
  Reflect.get(value.buffer, 'resizable') !== true &&
  value.length > 0 &&
  value.length === value.buffer.byteLength;

const isOutput = (value: unknown): value is EventOutput =>
  isFields(value) &&
  isCount(value['sequence']) &&
  (isText(value['json']) || isHandedOver(value['json'])) &&
  isAmount(value['durationMs']);

/** A key and a JSON text, or null, in turn. */
export const isStateChanges = (value: unknown): value is StateChanges =>
  Array.isArray(value) &&
  value.length % 2 === 0 &&
  value.length <= mostStateChanges &&
  value.every((item, at) =>
    at % 2 === 0
      ? isText(item) && item !== '' && item.length <= mostStateKeyBytes + mostPrefixLength
      : item === null || (isText(item) && item !== ''),
  );

const isOptionalTextOf = (value: unknown, mostLength: number): boolean =>
  value === undefined || (isText(value) && value.length <= mostLength);

const isCommand = (value: unknown): value is SentCommand =>
  isFields(value) &&
  isText(value['output']) &&
  isText(value['json']) &&
  value['json'] !== '' &&
  isOptionalTextOf(value['key'], mostCommandKeyLength) &&
  isOptionalTextOf(value['path'], mostCommandPathLength) &&
  isOptionalTextOf(value['topic'], mostCommandPathLength);

const isEffects = (value: unknown): value is EventEffects =>
  isFields(value) &&
  isCount(value['sequence']) &&
  (value['state'] === undefined || isStateChanges(value['state'])) &&
  (value['commands'] === undefined || (Array.isArray(value['commands']) && value['commands'].every(isCommand)));

const isLog = (value: Fields): boolean =>
  logLevels.includes(value['level'] as LogMessage['level']) &&
  ['log', 'console', 'stdout', 'stderr'].includes(value['stream'] as string) &&
  isText(value['text']) &&
  isAmount(value['at']) &&
  isOptionalText(value['fields']) &&
  isOptionalText(value['correlationId']);

const isCrash = (value: Fields): boolean =>
  ['uncaught_exception', 'unhandled_rejection', 'exit'].includes(value['reason'] as CrashMessage['reason']) &&
  isPlainError(value['error']) &&
  (value['exitCode'] === undefined || Number.isSafeInteger(value['exitCode']));

export function isCellMessage(value: unknown): value is CellMessage {
  if (!isFields(value)) return false;
  switch (value['type']) {
    case 'results':
      return (
        isCount(value['through']) &&
        Array.isArray(value['failures']) &&
        value['failures'].every(isFailure) &&
        Array.isArray(value['outputs']) &&
        value['outputs'].every(isOutput) &&
        (value['effects'] === undefined || (Array.isArray(value['effects']) && value['effects'].every(isEffects)))
      );
    case 'progress':
      return true;
    case 'halted':
      return isCount(value['through']);
    case 'log':
      return isLog(value);
    case 'logDropped':
      return isCount(value['lines']) && isCount(value['bytes']);
    case 'say':
      return isCount(value['turn']) && isText(value['text']);
    case 'sayDropped':
      return isCount(value['pieces']);
    case 'crash':
      return isCrash(value);
    default:
      return false;
  }
}
