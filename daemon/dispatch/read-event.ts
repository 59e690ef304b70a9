// An event that was read off the wire without being built: its names as texts, its payload as the JSON text it came in.

export interface ReadParts {
  readonly ingress: string;
  readonly kind: string;
  readonly source: string;
  readonly correlationId: string | undefined;
  readonly idempotencyKey: string | undefined;
  readonly key?: string | undefined;
}

export class ReadEvent {
  readonly ingress: string;
  readonly kind: string;
  readonly source: string;
  readonly correlationId: string | undefined;
  readonly idempotencyKey: string | undefined;
  readonly key: string | undefined;
  /** Checked to be JSON. */
  readonly payload: string;
  readonly payloadBytes: number;

  constructor({ ingress, kind, source, correlationId, idempotencyKey, key }: ReadParts, payload: string) {
    this.ingress = ingress;
    this.kind = kind;
    this.source = source;
    this.correlationId = correlationId;
    this.idempotencyKey = idempotencyKey;
    this.key = key;
    this.payload = payload;
    this.payloadBytes = Buffer.byteLength(payload);
  }

  /** As a parser would have made it. */
  whole(): unknown {
    const { ingress, kind, source, correlationId, idempotencyKey, key } = this;
    return {
      ingress,
      kind,
      source,
      payload: JSON.parse(this.payload) as unknown,
      ...(correlationId === undefined ? {} : { correlationId }),
      ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
      ...(key === undefined ? {} : { key }),
    };
  }
}
