// The host's end of one thread that runs tools: its private port and its register. It outlives the pool's knowledge
// of the thread, so that the thread's last words are read before anybody decides what became of a call.
import type { MessagePort } from 'node:worker_threads';
import type { AbortCallMessage, ToolCellMessage } from '../../../protocol/cell/tool-messages.ts';
import type { ToolRegister } from '../../../protocol/cell/tool-register.ts';
import { BoundedPort } from '../../isolates/bounded-port.ts';
import { isToolCellMessage } from './tool-message.ts';

export class ThreadPorts {
  readonly register: ToolRegister;
  readonly #port: MessagePort;
  readonly #messages: BoundedPort;

  constructor(
    port: MessagePort,
    register: ToolRegister,
    messagesPerTurn: number,
    receive: (message: ToolCellMessage) => void,
  ) {
    this.register = register;
    this.#port = port;
    this.#messages = new BoundedPort(port, messagesPerTurn, (message) => {
      if (isToolCellMessage(message)) receive(message);
    });
  }

  /** Whether this thread has begun the call, be it ended or not. */
  holds(call: number): boolean {
    return this.register.call === call;
  }

  abort(call: number, reason: string): void {
    this.#port.postMessage({ type: 'abortCall', call, reason } satisfies AbortCallMessage);
  }

  /** What the thread said before it ended, and is not read yet. */
  drain(): void {
    this.#messages.drain();
  }

  close(): void {
    this.#messages.close();
  }
}
