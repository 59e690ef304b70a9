// What every variant carries: an event of about 300 bytes of JSON, such as a shop would send.

export interface BenchEvent {
  readonly ingress: string;
  readonly kind: string;
  readonly source: string;
  readonly payload: { readonly amount: number } & Readonly<Record<string, unknown>>;
}

export const ingress = 'orders';
export const kind = 'placed';

export function eventAt(at: number): BenchEvent {
  const number = String(at % 100_000).padStart(5, '0');
  return {
    ingress,
    kind,
    source: 'shop.example',
    payload: {
      amount: 1000 + (at % 9000),
      order: `2026-${number}`,
      customer: { name: 'Ada Example', mail: 'ada@example.org', city: 'Utrecht' },
      items: [
        { sku: 'lamp-40', count: 2, price: 19.5 },
        { sku: 'shade-7', count: 1, price: 34.25 },
      ],
      note: 'leave it with the neighbours',
    },
  };
}

export const eventsOf = (count: number): BenchEvent[] => Array.from({ length: count }, (_, at) => eventAt(at));

/** One request line of the control socket. */
export const requestLine = (method: string, params: unknown): string =>
  `${JSON.stringify({ jsonrpc: '2.0', id: 1, method, params })}\n`;

export function postRequest(path: string, body: unknown): string {
  const text = JSON.stringify(body);
  return `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${String(Buffer.byteLength(text))}\r\n\r\n${text}`;
}
