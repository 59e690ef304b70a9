// An event as it lies in a stream: its head on the first line, its payload behind it. Read here, so that the host need
// not parse what came from the network.
import { type StreamedHead, clusterProtocol } from '../../protocol/cluster/messages.ts';
import { nameForm, openIdForm } from '../../protocol/identifier-forms.ts';

const texts = {
  eventId: openIdForm,
  correlationId: openIdForm,
  ingress: nameForm,
  kind: nameForm,
  source: openIdForm,
  createdAt: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/,
} as const;

export type StreamedEvent =
  | { readonly head: StreamedHead; readonly payload: string }
  /** Only members that speak this protocol, or a later one, understand it. */
  | { readonly later: number };

/** Undefined for what no member writes. */
export function streamedEvent(body: string): StreamedEvent | undefined {
  const at = body.indexOf('\n');
  if (at === -1) return undefined;
  const payload = body.slice(at + 1);
  try {
    const head = JSON.parse(body.slice(0, at)) as Record<string, unknown>;
    const { protocol } = head;
    if (typeof protocol === 'number' && Number.isSafeInteger(protocol) && protocol > clusterProtocol)
      return { later: protocol };
    JSON.parse(payload);
    for (const [name, form] of Object.entries(texts)) {
      const value = head[name];
      if (typeof value !== 'string' || !form.test(value)) return undefined;
    }
    const { hops, replayOf } = head;
    if (hops !== undefined && !Number.isSafeInteger(hops)) return undefined;
    if (replayOf !== undefined && typeof replayOf !== 'string') return undefined;
    // Each of its fields was looked at.
    return { head: head as unknown as StreamedHead, payload };
  } catch {
    return undefined;
  }
}
