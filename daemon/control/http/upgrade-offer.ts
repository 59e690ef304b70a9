// The head of a request whose client offers to go on in another protocol, as the request would be without the offer.
import type { IncomingMessage } from 'node:http';

/** They say how long the body is, which is known once it has been read. */
const lengthFields: readonly string[] = ['content-length', 'transfer-encoding'];

/** `http2-settings` belongs to the offer of HTTP/2. */
const offerFields: readonly string[] = ['upgrade', 'http2-settings'];

/** `body`: what has been read of the request behind its head; undefined where that is still to be parsed. */
export function headWithoutOffer(
  { method = '', url = '', httpVersion, rawHeaders }: IncomingMessage,
  body?: Buffer,
): Buffer {
  const lines = [`${method} ${url} HTTP/${httpVersion}`];
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const [name = '', value = ''] = rawHeaders.slice(at, at + 2);
    const field = name.toLowerCase();
    if (offerFields.includes(field) || (body !== undefined && lengthFields.includes(field))) continue;
    lines.push(`${name}: ${field === 'connection' ? withoutOffer(value) : value}`);
  }
  if (body !== undefined) lines.push(`Content-Length: ${String(body.length)}`);
  // As node decoded it.
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
}

/** Of the field `connection`, which names the fields that are for this connection alone. */
function withoutOffer(value: string): string {
  return value
    .split(',')
    .map((token) => token.trim())
    .filter((token) => token !== '' && !offerFields.includes(token.toLowerCase()))
    .join(', ');
}
