// Makes of a webhook's request what the service gets: kind, sender's id and payload. The body stays the text it came in
// wherever it is JSON.
import { isPlainJson } from '../../protocol/json-bytes.ts';
import type { WebhookSource } from '../../protocol/sources.ts';
import { signatureHeaders } from '../../protocol/edge/signatures.ts';
import { type CloudEvent, readCloudEvent } from './cloud-event.ts';
import { type SenderNames, identifier, senderNames } from './identifier.ts';
import { scalarAt } from './json-pointer.ts';
import { nestsDeeper, tooDeep } from './nesting.ts';

export interface WebhookRequest {
  /** Lower-case names; of a header that came twice, all values with a comma between them. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** Behind the question mark. */
  readonly query: string;
  readonly body: Buffer;
}

export type WebhookContent =
  | { readonly kind: string; readonly source: string; readonly ids: SenderNames; readonly payload: string }
  | { readonly ignoredKind: string }
  | { readonly fault: string };

export interface ContentRules {
  readonly name: string;
  readonly declaration: WebhookSource;
  readonly kinds: readonly string[];
  readonly nesting: number;
  /** The id that the signature covers. */
  readonly signedId: string | undefined;
}

const mostQueryFields = 64;

export function contentOf(request: WebhookRequest, rules: ContentRules): WebhookContent {
  const { declaration, kinds } = rules;
  let text: string | undefined;
  const bodyText = (): string | undefined => (text ??= utf8(request.body));
  const event = readCloudEvent(request.headers, bodyText, rules.nesting);
  if (event !== undefined && 'fault' in event) return event;
  const body = event?.data ?? bodyJson(request, bodyText());
  if (body === undefined) return { fault: 'the body is not what its content type says' };
  if (nestsDeeper(body, rules.nesting)) return { fault: tooDeep(rules.nesting) };
  const take = takerOf(request, body);
  const kind = take(declaration.kindFrom) ?? kindWithoutName(declaration, event);
  if (kind === undefined) return { fault: 'the request does not say of which kind it is, where kindFrom looks for it' };
  if (!kinds.includes(kind)) return { ignoredKind: kind };
  return {
    kind,
    source: event === undefined ? rules.name : identifier(event.source),
    ids: {
      ...idsFrom(take(declaration.idFrom) ?? rules.signedId, event),
      ...senderNames(undefined, take(declaration.keyFrom)),
    },
    payload: payloadText(request, declaration, body, event?.headers ?? {}),
  };
}

const kindWithoutName = ({ kindFrom, kind }: WebhookSource, event: CloudEvent | undefined): string | undefined =>
  kindFrom === undefined && event !== undefined ? event.type : kind;

/** Reads what a declaration names; the body is parsed once, where it has to be. */
function takerOf(request: WebhookRequest, body: string): (from: WebhookSource['kindFrom']) => string | undefined {
  let parsed: { readonly value: unknown } | undefined;
  return (from) => {
    if (from === undefined) return undefined;
    if ('header' in from) return request.headers[from.header];
    // It was found to be JSON.
    parsed ??= { value: JSON.parse(body) as unknown };
    const found = scalarAt(parsed.value, from.body);
    return found === undefined ? undefined : String(found);
  };
}

/** A CloudEvent is told apart by its source and its id together. */
function idsFrom(given: string | undefined, event: CloudEvent | undefined): SenderNames {
  if (given !== undefined && given !== '') return senderNames(given);
  if (event === undefined) return {};
  return { senderId: identifier(`${event.source} ${event.id}`), correlationId: identifier(event.id) };
}

/** To make one costs more than to use it. */
const decoder = new TextDecoder('utf-8', { fatal: true });

function utf8(bytes: Buffer): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    // The decoder says no more than that the bytes are not UTF-8.
    return undefined;
  }
}

const jsonType = /^(?:application\/(?:[\w.+-]+\+)?json|text\/json)\s*(?:;|$)/i;
const formType = /^application\/x-www-form-urlencoded\s*(?:;|$)/i;
const textType = /^text\//i;

/** The body as JSON text; undefined where it is not what it says to be. */
function bodyJson({ headers, body }: WebhookRequest, text: string | undefined): string | undefined {
  const type = headers['content-type'] ?? '';
  if (body.length === 0) return 'null';
  if (jsonType.test(type)) return text !== undefined && isJson(text, body) ? text : undefined;
  if (formType.test(type)) return text === undefined ? undefined : JSON.stringify(fieldsOf(text));
  if (textType.test(type)) return text === undefined ? undefined : JSON.stringify(text);
  // Many senders do not say what they send.
  if (type === '' && text !== undefined) return isJson(text, body) ? text : JSON.stringify(text);
  return JSON.stringify({ base64: body.toString('base64') });
}

/** To walk over the bytes costs a fifth of what it costs to build what they say. */
function isJson(text: string, bytes: Uint8Array): boolean {
  if (isPlainJson(bytes)) return true;
  try {
    JSON.parse(text);
    return true;
  } catch {
    // Whatever is wrong with it.
    return false;
  }
}

/** A field that comes several times is a list. */
function fieldsOf(text: string): Record<string, string | string[]> {
  const fields = new Map<string, string | string[]>();
  for (const [name, value] of new URLSearchParams(text)) {
    const present = fields.get(name);
    if (present === undefined && fields.size >= mostQueryFields) break;
    fields.set(name, present === undefined ? value : [present, value].flat());
  }
  return Object.fromEntries(fields);
}

function payloadText(
  { headers, query }: WebhookRequest,
  { headers: wanted, verify }: WebhookSource,
  body: string,
  attributes: Readonly<Record<string, string>>,
): string {
  const passed: Record<string, string> = {};
  const secret = wanted.length === 0 ? [] : signatureHeaders(verify);
  for (const name of wanted) {
    const value = headers[name];
    if (value !== undefined && !secret.includes(name)) passed[name] = value;
  }
  Object.assign(passed, attributes);
  const withHeaders = Object.keys(passed).length === 0 ? '' : `,"headers":${JSON.stringify(passed)}`;
  const withQuery = query === '' ? '' : `,"query":${JSON.stringify(fieldsOf(query))}`;
  return `{"body":${body}${withHeaders}${withQuery}}`;
}
