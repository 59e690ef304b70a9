// An event as it lies in a stream: its head on the first line, its payload behind it. Read here, so that the host need
// not parse what came from the network.
import { type ArrivedEvent, type ArrivedHead, clusterProtocol } from '../../protocol/cluster/messages.ts';
import { nameForm, openIdForm } from '../../protocol/identifier-forms.ts';

const timeForm = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

const texts = {
  eventId: openIdForm,
  correlationId: openIdForm,
  ingress: nameForm,
  kind: nameForm,
  source: openIdForm,
  createdAt: timeForm,
} as const;
const forms = Object.entries(texts);
const names = Object.keys(texts) as (keyof typeof texts)[];
/** A head as members write nearly all of them: it is read without being parsed. */
const plainHead = new RegExp(
  `^\\{${forms.map(([name, { source }]) => `"${name}":"(${source.slice(1, -1)})"`).join(',')}\\}$`,
);

export type StreamedEvent =
  | Omit<ArrivedEvent, 'sequence'>
  /** Only members that speak this protocol, or a later one, understand it. */
  | { readonly later: number };

type Texts = Readonly<Record<keyof typeof texts, string>>;

/** Undefined for what no member writes. */
export function streamedEvent(body: string): StreamedEvent | undefined {
  const at = body.indexOf('\n');
  if (at === -1) return undefined;
  const [first, payload] = [body.slice(0, at), body.slice(at + 1)];
  try {
    const plain = plainHead.exec(first);
    if (plain === null) return unusual(JSON.parse(first) as Record<string, unknown>, payload);
    JSON.parse(payload);
    const [, eventId = '', correlationId = '', ingress = '', kind = '', source = '', createdAt = ''] = plain;
    return arrived({ eventId, correlationId, ingress, kind, source, createdAt }, payload);
  } catch {
    return undefined;
  }
}

function unusual(head: Record<string, unknown>, payload: string): StreamedEvent | undefined {
  const { protocol } = head;
  if (typeof protocol === 'number' && Number.isSafeInteger(protocol) && protocol > clusterProtocol)
    return { later: protocol };
  JSON.parse(payload);
  for (const name of names) {
    const value = head[name];
    if (typeof value !== 'string' || !texts[name].test(value)) return undefined;
  }
  const { hops, replayOf } = head;
  if (hops !== undefined && !Number.isSafeInteger(hops)) return undefined;
  if (replayOf !== undefined && typeof replayOf !== 'string') return undefined;
  // Each of its fields was looked at.
  const event = arrived(head as unknown as Texts, payload);
  if (event === undefined) return undefined;
  return {
    ...event,
    ...(hops === undefined ? {} : { hops: hops as number }),
    ...(replayOf === undefined ? {} : { replayOf }),
  };
}

/** Events of one sender and one moment share it: it goes to the host once. */
let shared: ArrivedHead = { ingress: '', kind: '', source: '', createdAt: '' };

function arrived(
  { eventId, correlationId, ingress, kind, source, createdAt }: Texts,
  payload: string,
): Omit<ArrivedEvent, 'sequence'> | undefined {
  if (createdAt !== shared.createdAt) {
    // There is no such moment as the 99th of a month.
    if (new Date(createdAt).toISOString() !== createdAt) return undefined;
    shared = { ingress, kind, source, createdAt };
  } else if (ingress !== shared.ingress || kind !== shared.kind || source !== shared.source) {
    shared = { ingress, kind, source, createdAt };
  }
  return { head: shared, eventId, correlationId, payload };
}
