// How text reaches a hosted server, whatever lies between.

export interface ServerWire {
  /** `id`: of a request, which has an answer. */
  send(text: string, id?: number): void;
  /** Nobody waits for the answer of this request any more. */
  withdrawn?(id: number): void;
  /** The handshake is over, in this version of the protocol. */
  begun?(version: string): void;
  /** Comes last. */
  close(): void;
}
