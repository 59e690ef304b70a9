// The cell's own references to what it needs, taken before the plugin is imported: a plugin that patches JSON,
// MessagePort or the clock then hurts only itself.
import { MessagePort } from 'node:worker_threads';
import type { TextWriter } from '../protocol/cell/text-writer.ts';

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

/** What `buffer.write` comes down to; the types do not know it. */
export const writeText = Reflect.get(Buffer.prototype, 'utf8Write') as TextWriter;

/** A way to post on a port that no later change to the port's prototype can reach. */
export function posterOf(port: MessagePort): (message: unknown) => void {
  return (message) => {
    apply(portPostMessage, port, [message]);
  };
}
