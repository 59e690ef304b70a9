// The check of an ingress event at full speed, for events that are as plain as nearly all are. It answers what the
// schema would answer, or nothing where only the schema is to say; a property test holds the two together.
import { openIdForm } from '../../protocol/identifiers.ts';

export interface PlainEvent {
  readonly ingress: string;
  readonly kind: string;
  readonly source: string;
  readonly payload: unknown;
  readonly correlationId: string | undefined;
  readonly idempotencyKey: string | undefined;
  readonly key: string | undefined;
}

/** The same text comes again and again; a regular expression costs more than this. */
let lastSource = 'client';

export function isSource(value: unknown): value is string {
  if (value === lastSource) return true;
  if (typeof value !== 'string' || !openIdForm.test(value)) return false;
  lastSource = value;
  return true;
}

export const isCorrelationId = (value: unknown): value is string | undefined =>
  value === undefined || (typeof value === 'string' && openIdForm.test(value));

/** Undefined: let the schema look at it. `declares` answers for both names, so that they need no look of their own. */
export function plainEvent(raw: unknown, declares: (ingress: string, kind: string) => boolean): PlainEvent | undefined {
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) return undefined;
  let ingress: unknown;
  let kind: unknown;
  let source: unknown = 'client';
  let payload: unknown;
  let correlationId: unknown;
  let idempotencyKey: unknown;
  let orderKey: unknown;
  for (const key in raw) {
    const value = (raw as Readonly<Record<string, unknown>>)[key];
    switch (key) {
      case 'ingress':
        ingress = value;
        break;
      case 'kind':
        kind = value;
        break;
      case 'source':
        source = value;
        break;
      case 'payload':
        payload = value;
        break;
      case 'correlationId':
        correlationId = value;
        break;
      case 'idempotencyKey':
        idempotencyKey = value;
        break;
      case 'key':
        orderKey = value;
        break;
      default:
        // A time, an attempt, or what should not be there at all.
        return undefined;
    }
  }
  if (typeof ingress !== 'string' || typeof kind !== 'string' || !declares(ingress, kind) || !isSource(source))
    return undefined;
  if (!isCorrelationId(correlationId) || !isCorrelationId(idempotencyKey) || !isCorrelationId(orderKey))
    return undefined;
  return { ingress, kind, source, payload, correlationId, idempotencyKey, key: orderKey };
}
