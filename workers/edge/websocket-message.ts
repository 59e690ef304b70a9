// Makes of what a websocket's peer sends what the service gets, and of what is declared what the peer is sent.
import type { WebsocketSource } from '../../protocol/sources.ts';
import type { SourceEvent } from './driver.ts';
import { senderNames } from './identifier.ts';
import { scalarAt } from './json-pointer.ts';
import { nestsDeeper, tooDeep } from './nesting.ts';

export type Position = string | number;

export type MessageContent =
  | { readonly event: SourceEvent; readonly position: Position | undefined }
  /** Of a kind that the ingress does not declare, or of none. */
  | { readonly ignored: true; readonly position: Position | undefined }
  | { readonly fault: string };

export interface MessageRules {
  readonly name: string;
  readonly declaration: WebsocketSource;
  readonly kinds: readonly string[];
  readonly nesting: number;
}

export function messageContent(data: Buffer, isBinary: boolean, rules: MessageRules): MessageContent {
  const { declaration, kinds, name, nesting } = rules;
  const text = isBinary ? undefined : data.toString('utf8');
  const parsed = text === undefined ? undefined : parse(text);
  if (text !== undefined && parsed !== undefined && nestsDeeper(text, nesting))
    return { fault: tooDeep(nesting).replace('the body', 'a message') };
  const take = (from: { readonly body: string } | undefined): Position | undefined =>
    from === undefined || parsed === undefined ? undefined : scalarAt(parsed.value, from.body);
  const position = take(declaration.resume?.from);
  const kind = take(declaration.kindFrom)?.toString() ?? declaration.kind;
  if (kind === undefined || !kinds.includes(kind)) return { ignored: true, position };
  return {
    position,
    event: {
      kind,
      source: name,
      payload: payloadOf(data, text, parsed !== undefined),
      ...senderNames(take(declaration.idFrom), take(declaration.keyFrom)),
    },
  };
}

/** Text that is JSON is passed on as it came, other text as a string. */
function payloadOf(data: Buffer, text: string | undefined, isJson: boolean): string {
  if (text === undefined) return `{"base64":"${data.toString('base64')}"}`;
  return `{"data":${isJson ? text : JSON.stringify(text)}}`;
}

function parse(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) as unknown };
  } catch {
    // It is no JSON, and is passed on as text.
    return undefined;
  }
}

/** What stands for something in a declared message. */
export interface Fillings {
  readonly credential: string | undefined;
  readonly position: Position | undefined;
}

/** The text that the peer is sent: a declared text as it is, anything else as JSON. */
export function filledMessage(message: unknown, fillings: Fillings): string {
  const filled = fill(message, fillings);
  return typeof filled === 'string' ? filled : JSON.stringify(filled ?? null);
}

function fill(value: unknown, fillings: Fillings): unknown {
  if (typeof value === 'string') return filledText(value, fillings);
  if (Array.isArray(value)) return value.map((item) => fill(item, fillings));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, fill(item, fillings)]));
}

/** A text that is nothing but `{position}` becomes the position itself, which may be a number. */
function filledText(text: string, { credential, position }: Fillings): unknown {
  if (text === '{position}') return position ?? null;
  return text.replace(/\{env\}|\{position\}/g, (place) =>
    place === '{env}' ? (credential ?? place) : String(position ?? ''),
  );
}
