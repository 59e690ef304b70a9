// CloudEvents 1.0 over HTTP: attributes in headers (binary mode) or around the data (structured mode). Either way they
// become headers beginning with `ce-`, so that a plugin meets one form.
import { nestsDeeper, tooDeep } from './nesting.ts';

export interface CloudEvent {
  readonly type: string;
  readonly id: string;
  readonly source: string;
  /** By the names they have in binary mode. */
  readonly headers: Readonly<Record<string, string>>;
  /** Structured mode: the data as JSON. Binary mode: the body is the data. */
  readonly data?: string;
}

export type ReadCloudEvent = CloudEvent | { readonly fault: string } | undefined;

const attributeName = /^[a-z0-9]{1,64}$/;
const mostAttributes = 64;
const structuredType = /^application\/cloudevents\+json\s*(?:;|$)/i;
const batchType = /^application\/cloudevents-batch/i;
const otherFormat = /^application\/cloudevents/i;

/** Undefined: it is no CloudEvent. */
export function readCloudEvent(
  headers: Readonly<Record<string, string | undefined>>,
  bodyText: () => string | undefined,
  nesting: number,
): ReadCloudEvent {
  const contentType = headers['content-type'] ?? '';
  if (batchType.test(contentType)) return { fault: 'batches of CloudEvents are not accepted; send them one by one' };
  if (structuredType.test(contentType)) return structured(bodyText() ?? '', nesting);
  if (otherFormat.test(contentType)) return { fault: 'CloudEvents are accepted as JSON only' };
  return headers['ce-specversion'] === undefined ? undefined : binary(headers);
}

function binary(headers: Readonly<Record<string, string | undefined>>): ReadCloudEvent {
  const attributes = Object.entries(headers).flatMap(([name, value]): [string, string][] => {
    const attribute = name.startsWith('ce-') ? name.slice('ce-'.length) : '';
    return attributeName.test(attribute) && value !== undefined ? [[attribute, percentDecoded(value)]] : [];
  });
  const contentType = headers['content-type'];
  const dataType: [string, string][] = contentType === undefined ? [] : [['datacontenttype', contentType]];
  return whole(new Map([...attributes.slice(0, mostAttributes), ...dataType]));
}

/** Characters outside printable ASCII are sent percent-encoded. */
function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // A percent sign that encodes nothing is one.
    return text;
  }
}

function structured(text: string, nesting: number): ReadCloudEvent {
  if (nestsDeeper(text, nesting)) return { fault: tooDeep(nesting) };
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    // Told below.
    parsed = undefined;
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
    return { fault: 'the body is no CloudEvent in JSON' };
  const { data, data_base64: base64, ...rest } = parsed as Record<string, unknown>;
  const attributes = Object.entries(rest).flatMap(([name, value]): [string, string][] =>
    attributeName.test(name) && ['string', 'number', 'boolean'].includes(typeof value) ? [[name, String(value)]] : [],
  );
  const event = whole(new Map(attributes.slice(0, mostAttributes)));
  if (event === undefined || 'fault' in event) return event;
  const content = typeof base64 === 'string' ? { base64 } : (data ?? null);
  return { ...event, data: JSON.stringify(content) };
}

function whole(attributes: ReadonlyMap<string, string>): ReadCloudEvent {
  if (attributes.get('specversion') !== '1.0') return { fault: 'the CloudEvent has another specversion than 1.0' };
  const [id, source, type] = ['id', 'source', 'type'].map((name) => attributes.get(name) ?? '');
  if (id === undefined || source === undefined || type === undefined || id === '' || source === '' || type === '')
    return { fault: 'the CloudEvent lacks its id, source or type' };
  return {
    id,
    source,
    type,
    headers: Object.fromEntries([...attributes].map(([name, value]) => [`ce-${name}`, value])),
  };
}
