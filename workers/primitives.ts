// The cell's own references to what it needs, taken before the plugin is imported: a plugin that patches JSON,
// MessagePort or the clock then hurts only itself.
import { MessagePort } from 'node:worker_threads';

const { parse, stringify } = JSON;
const { apply } = Reflect;
// Bound to each port by `apply` below.
const portPostMessage = MessagePort.prototype.postMessage;

export const parseJson: (text: string) => unknown = parse;
export const stringifyJson: (value: unknown) => string | undefined = stringify;
export const captured = {
  setTimeout: globalThis.setTimeout,
  setInterval: globalThis.setInterval,
  setImmediate: globalThis.setImmediate,
  byteLength: Buffer.byteLength.bind(Buffer),
  wallMs: Date.now.bind(Date),
} as const;

/** A way to post on a port that no later change to the port's prototype can reach. */
export function posterOf(port: MessagePort): (message: unknown) => void {
  return (message) => {
    apply(portPostMessage, port, [message]);
  };
}

const bufferWrite = Buffer.prototype.write;

/** As UTF-8. */
export function layText(buffer: Buffer, text: string, at: number): void {
  apply(bufferWrite, buffer, [text, at]);
}
