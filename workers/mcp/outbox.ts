// What the MCP thread tells the host, sent once for each turn of its event loop: waking the other thread costs more
// than all the rest of a small message.
import type { FromMcpThread } from '../../protocol/mcp/messages.ts';

export class Outbox {
  readonly #send: (messages: readonly FromMcpThread[]) => void;
  #messages: FromMcpThread[] = [];
  /** Where the text for a client stands in them, so that each client's socket is written to once. */
  readonly #texts = new Map<number, number>();

  constructor(send: (messages: readonly FromMcpThread[]) => void) {
    this.#send = send;
  }

  readonly post = (message: FromMcpThread): void => {
    if (this.#messages.length === 0) setImmediate(this.#flush);
    if (message.type !== 'write') {
      this.#messages.push(message);
      return;
    }
    const at = this.#texts.get(message.connection);
    const before = at === undefined ? undefined : this.#messages[at];
    if (at !== undefined && before?.type === 'write')
      this.#messages[at] = { ...message, text: before.text + message.text };
    else this.#texts.set(message.connection, this.#messages.push(message) - 1);
  };

  /** At once, with all before it: clients drop progress that comes in one piece with the answer. */
  readonly postAtOnce = (message: FromMcpThread): void => {
    this.post(message);
    this.#flush();
  };

  readonly #flush = (): void => {
    if (this.#messages.length === 0) return;
    const messages = this.#messages;
    this.#messages = [];
    this.#texts.clear();
    this.#send(messages);
  };
}
